# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups that lie in a directory on this host: the first kind of place.

The server's user reads them, but can neither change nor remove what is finished. Whoever holds the lock of the backups
takes everything hidden for what a killed run has left.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import fcntl
import os
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .._domain import clock
from .._domain.errors import DatabaseError, Undecided
from .._host import files, roots
from . import entries, naming
from . import manifest as manifests
from .catalog import Backup, age
from .place import Place
from .stage import Stage

if TYPE_CHECKING:
    from .manifest import Manifest

# Larger ones are none of ours: a table's row count takes some forty bytes.
_LARGEST_MANIFEST = 64 << 20


class LocalDirectory(Place):
    """A directory, called as the container whose backups it holds."""

    def __init__(self, directory: str) -> None:
        self.directory = os.path.normpath(directory)
        self.container = os.path.basename(self.directory)

    @property
    def shown(self) -> str:
        return self.directory

    def backups(self, now: datetime.datetime | None = None) -> list[Backup]:
        # Ordered by when they were taken, not by what a clock that was moved back has made of their names.
        now = now or clock.utc_now()
        names = files.entries(self.directory)
        known = set(names)
        found = [
            _backup(self.directory, self.container, name, now) for name in names if naming.parse(self.container, name)
        ]
        for name in names:
            lost = name[: -len(".json")] if name.endswith(".json") else None
            if lost and lost not in known and naming.parse(self.container, lost):
                found.append(_backup(self.directory, self.container, lost, now))
        # What has no manifest has no place in the sequence but that of its name.
        return sorted(found, key=lambda backup: (backup.sequence, backup.created_at, backup.file_name))

    @contextlib.contextmanager
    def hold(self, backup: Backup) -> Iterator[str]:
        descriptor = entries.open_entry(backup.path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            if not os.fstat(descriptor).st_nlink:
                raise DatabaseError(f"{backup.file_name} was removed just now")
            yield backup.path
        finally:
            os.close(descriptor)

    def read_roles(self, backup: Backup) -> str | None:
        known = files.read(naming.globals_name(backup.path))
        return known.content.decode("utf-8", "replace") if known is not None else None

    @contextlib.contextmanager
    def stage(self, uid: int, gid: int) -> Iterator[Stage]:
        roots.make(os.path.dirname(self.directory))
        files.make_directory(self.directory, 0o750, 0, gid)
        stage = Stage(self.directory, uid, gid)
        self.clean(stage)
        files.make_directory(stage.work, 0o700, uid, gid)
        try:
            yield stage
        finally:
            self.clean(stage)

    def clean(self, stage: Stage) -> None:
        """Leave no trace of a backup that was not finished, nor of the work on one that was."""
        if os.path.islink(stage.work) or not os.path.isdir(stage.work):
            # Nobody but the server's user could have put it there, when the directory was still its own.
            files.remove(stage.work)
        else:
            files.remove_tree(stage.work)
        with self._writing():
            self._sweep()

    def _sweep(self) -> None:
        suffix = naming.manifest_name("") + files.PARTIAL
        for entry in sorted(os.listdir(self.directory), reverse=True):
            path = os.path.join(self.directory, entry)
            owner = entry[: -len(naming.globals_name(""))] if entry.endswith(naming.globals_name("")) else None
            if (
                owner
                and naming.parse(self.container, owner)
                and not os.path.lexists(os.path.join(self.directory, owner))
            ):
                files.remove(path)
            if not entry.startswith(".") or not entry.endswith(files.PARTIAL):
                continue
            name = entry[1 : -len(suffix)]
            if entry.endswith(suffix) and self._is_whole(path, os.path.join(self.directory, name)):
                os.rename(path, naming.manifest_name(os.path.join(self.directory, name)))
            elif os.path.isdir(path) and not os.path.islink(path):
                files.remove_tree(path)
            else:
                files.remove(path)
        files.synchronise(self.directory)

    @staticmethod
    def _is_whole(manifest_path: str, path: str) -> bool:
        """Say whether all but the manifest's own name was in place when a run was killed."""
        known = files.read(manifest_path)
        if known is None:
            return False
        try:
            manifest = manifests.from_json(known.content.decode("utf-8", "replace"), manifest_path)
        except DatabaseError:
            return False
        there = os.path.lexists(path) and not os.path.lexists(naming.manifest_name(path))
        return there and manifest.file_name == os.path.basename(path)

    def publish(self, stage: Stage, manifest: Manifest, roles: str | None) -> None:
        # The stage is in this directory: what is finished there only gets its name.
        name = manifest.file_name
        final, manifest_path = os.path.join(self.directory, name), stage.partial(naming.manifest_name(name))
        with entries.errors("write", final):
            if os.path.lexists(final):
                raise DatabaseError(f"{final} is there already: it was not replaced")
            if roles is not None:
                # Verifiers of passwords are in it.
                files.write(naming.globals_name(final), roles.encode("utf-8"), 0o600)
            files.write(manifest_path, manifests.to_json(manifest).encode("utf-8"), 0o640, 0, stage.gid)
            os.rename(stage.partial(name), final)
            files.synchronise(self.directory)
            os.rename(manifest_path, naming.manifest_name(final))
            files.synchronise(self.directory)

    def revise(self, backup: Backup, **changes: Any) -> Manifest:
        # The lock of the backups is not waited for: a backup of the same database may take hours.
        with self._writing():
            manifest = dataclasses.replace(_read_manifest(self.directory, backup.file_name), **changes)
            self.write_manifest(manifest)
        return manifest

    def write_manifest(self, manifest: Manifest) -> None:
        """Write a manifest beside its backup, in one step."""
        path = os.path.join(self.directory, naming.manifest_name(manifest.file_name))
        files.write(path, manifests.to_json(manifest).encode("utf-8"), 0o640)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Keep others from revising, and from sweeping up, what is in the directory."""
        descriptor = entries.open_entry(self.directory)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def remove(self, backup: Backup) -> None:
        descriptor = (
            entries.open_entry(backup.path)
            if os.path.lexists(backup.path) and not os.path.islink(backup.path)
            else None
        )
        try:
            if descriptor is not None:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            files.remove(naming.manifest_name(backup.path))
            files.remove(naming.globals_name(backup.path))
            if backup.format == "directory" and not os.path.islink(backup.path):
                files.remove_tree(backup.path)
            else:
                files.remove(backup.path)
            files.synchronise(os.path.dirname(backup.path))
        except BlockingIOError:
            raise DatabaseError(f"{backup.file_name} is being restored or verified: it was not removed") from None
        finally:
            if descriptor is not None:
                os.close(descriptor)


def at(path: str) -> tuple[LocalDirectory, Backup]:
    """Return the directory that a path is in, and the backup there. The manifest says what it is of.

    Raises DatabaseError.
    """
    directory, name = os.path.split(path)
    manifest = _read_manifest(directory, name)
    if naming.parse(manifest.container, name) is None:
        raise DatabaseError(f"{path} is a backup of {manifest.container}, but does not have the name of one")
    return LocalDirectory(directory), _backup(directory, manifest.container, name, clock.utc_now())


def _backup(directory: str, container: str, name: str, now: datetime.datetime) -> Backup:
    parsed, path = naming.parse(container, name), os.path.join(directory, name)
    if parsed is None:
        raise DatabaseError(f"{name} is not the name of a backup of {container}")
    manifest, damage, undecided, size = None, None, False, 0
    try:
        status = os.lstat(path)
        size = _size(path, status)
        damage = _wrong_kind(parsed, status)
    except FileNotFoundError:
        damage = "its file is missing"
    try:
        manifest = _read_manifest(directory, name)
    except DatabaseError as error:
        undecided = damage is None and isinstance(error, Undecided)
        damage = damage or error.message
    created_at = manifest.created_at if manifest else clock.iso(parsed.moment)
    return Backup(
        container=container,
        file_name=name,
        path=path,
        format=parsed.format,
        size_bytes=size,
        created_at=created_at,
        age_seconds=age(created_at, now),
        manifest=manifest,
        damage=damage or (None if manifest is None else _disagreement(manifest, name, size)),
        undecided=undecided,
    )


def _disagreement(manifest: Manifest, name: str, size: int) -> str | None:
    if manifest.file_name != name:
        return f"its manifest is that of {manifest.file_name}"
    if manifest.size_bytes != size:
        return f"it has {size} bytes, its manifest says {manifest.size_bytes}"
    if manifest.failure is not None:
        return manifest.failure
    return None


def _wrong_kind(parsed: naming.Name, status: os.stat_result) -> str | None:
    if stat.S_ISLNK(status.st_mode):
        return "it is a symbolic link, which is not followed"
    fitting = stat.S_ISDIR if parsed.format == "directory" else stat.S_ISREG
    return None if fitting(status.st_mode) else "it is neither a file nor a directory of the format that its name says"


def _read_manifest(directory: str, name: str) -> Manifest:
    path = os.path.join(directory, naming.manifest_name(name))
    if not os.path.lexists(path):
        raise DatabaseError("it has no manifest: its backup was interrupted, or it was put there by hand")
    with os.fdopen(entries.open_entry(path), "rb") as stream:
        return manifests.from_json(stream.read(_LARGEST_MANIFEST).decode("utf-8", "replace"), path)


def _size(path: str, status: os.stat_result) -> int:
    if not stat.S_ISDIR(status.st_mode):
        return status.st_size
    with os.scandir(path) as found:
        return sum(entry.stat(follow_symlinks=False).st_size for entry in found)

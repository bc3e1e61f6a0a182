# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backups of a database that are on this host: what there is, how old it is, and what is wrong with it.

The server in the container can write below this directory, and could be made to: nothing here follows a symbolic link.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .._domain.errors import DatabaseError, Undecided
from .._host import files
from . import manifest as manifests
from . import naming

if TYPE_CHECKING:
    from .manifest import Manifest

# Larger ones are none of ours: a table's row count takes some forty bytes.
_LARGEST_MANIFEST = 64 << 20


@dataclasses.dataclass(frozen=True)
class Backup:
    """A backup on this host. manifest: None where there is none that can be read.

    damage: what is wrong with it, as far as a look shows; None for one that counts. undecided: that is only why nobody
    can say so here. size_bytes: of what is there. created_at: as the manifest, or else the name, has it.
    """

    container: str
    file_name: str
    path: str
    format: str
    size_bytes: int
    created_at: str
    age_seconds: int
    manifest: Manifest | None
    damage: str | None
    undecided: bool = False

    @property
    def good(self) -> bool:
        return self.damage is None

    @property
    def checked(self) -> bool:
        """Whether it is good, and has been read to its end since it was taken."""
        return self.good and self.manifest is not None and self.manifest.checked_at is not None

    @property
    def verified(self) -> bool:
        """Whether it is good, and has been restored and compared."""
        return self.good and self.manifest is not None and self.manifest.verified_at is not None

    @property
    def sequence(self) -> int:
        """Its place among the backups of its database; 0 where no manifest says."""
        return self.manifest.sequence if self.manifest else 0


def backups(backup_directory: str, now: datetime.datetime | None = None) -> list[Backup]:
    """Return the backups in the directory of a database, the newest last.

    Ordered by when they were taken, not by what a clock that was moved back has made of their names.
    """
    container = os.path.basename(os.path.normpath(backup_directory))
    now = now or utc_now()
    names = files.entries(backup_directory)
    known = set(names)
    found = [_backup(backup_directory, container, name, now) for name in names if naming.parse(container, name)]
    for name in names:
        lost = name[: -len(".json")] if name.endswith(".json") else None
        if lost and lost not in known and naming.parse(container, lost):
            found.append(_backup(backup_directory, container, lost, now))
    # What has no manifest has no place in the sequence but that of its name.
    return sorted(found, key=lambda backup: (backup.sequence, backup.created_at, backup.file_name))


def find(backup_directory: str, wanted: str, now: datetime.datetime | None = None) -> Backup:
    """Return the backup of that name, or the newest good (`latest`) or newest verified (`latest_verified`) one.

    Of what a restore has replaced, a backup is only meant by its name: else a restore that is run twice undoes itself.
    Raises DatabaseError where there is none.
    """
    container = os.path.basename(os.path.normpath(backup_directory))
    there = backups(backup_directory, now)
    if wanted in ("latest", "latest_verified"):
        fitting = [b for b in there if (b.verified if wanted == "latest_verified" else b.good)]
        what = "verified backup" if wanted == "latest_verified" else "backup"
        mend = "Verify one" if wanted == "latest_verified" and any(b.good for b in there) else "Take one"
        if not fitting:
            raise DatabaseError(
                f"There is no {what} of {container} in {backup_directory}. {mend} with postgres_db_backup"
            )
        meant = [b for b in fitting if b.manifest is None or b.manifest.taken_by != manifests.BEFORE_RESTORE]
        if not meant:
            raise DatabaseError(
                f"There is no {what} of {container} but of what a restore or an import has replaced, such as"
                f" {fitting[-1].file_name}. To have that back, give its name"
            )
        return meant[-1]
    naming.check(container, wanted)
    for backup in there:
        if backup.file_name == wanted:
            return backup
    listed = ", ".join(b.file_name for b in there[-5:]) or "none at all"
    raise DatabaseError(f"There is no backup {wanted} in {backup_directory}. The newest are: {listed}")


def passed_over(backup_directory: str, backup: Backup) -> list[Backup]:
    """Return the backups that are newer than one, and do not count: `latest` is not the last that was taken then."""
    return [
        other
        for other in backups(backup_directory)
        if not other.good
        and not (other.manifest and other.manifest.taken_by == manifests.BEFORE_RESTORE)
        # What has no manifest has but a name.
        and (other.sequence > backup.sequence if other.manifest else other.created_at > backup.created_at)
    ]


def told(passed: list[Backup]) -> str:
    """Say of backups why they do not count."""
    return "; ".join(f"{backup.file_name}: {backup.damage}" for backup in passed[-3:])


def at(path: str, now: datetime.datetime | None = None) -> Backup:
    """Return the backup at a path, in whatever directory: its manifest says what it is of. Raises DatabaseError."""
    directory, name = os.path.split(path)
    manifest = _read_manifest(directory, name)
    if naming.parse(manifest.container, name) is None:
        raise DatabaseError(f"{path} is a backup of {manifest.container}, but does not have the name of one")
    return _backup(directory, manifest.container, name, now or utc_now())


def describe(backup: Backup) -> dict[str, Any]:
    """Return what a person sees of a backup, as postgres_db_info and the result of postgres_db_backup have it."""
    manifest = backup.manifest
    shown = {
        "name": backup.file_name,
        "path": backup.path,
        "container_name": backup.container,
        "format": backup.format,
        "size_bytes": backup.size_bytes,
        "created_at": backup.created_at,
        "age_seconds": backup.age_seconds,
        "good": backup.good,
        "damage": None if backup.undecided else backup.damage,
        "undecided": backup.damage if backup.undecided else None,
        "checked": backup.checked,
        "verified": backup.verified,
    }
    for key in _SHOWN:
        shown[key] = getattr(manifest, key) if manifest else None
    return shown


_SHOWN = (
    "compression",
    "sha256",
    "duration_seconds",
    "database_size_bytes",
    "server_version",
    "image",
    "taken_by",
    "checked_at",
    "checked_how",
    "verified_at",
    "verified_how",
    "failed_at",
    "failure",
)


@contextlib.contextmanager
def in_use(backup: Backup) -> Iterator[int]:
    """Keep a backup from being removed while it is read: `remove` leaves alone what anybody holds so."""
    descriptor = open_entry(backup.path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        if not os.fstat(descriptor).st_nlink:
            raise DatabaseError(f"{backup.file_name} was removed just now")
        yield descriptor
    finally:
        os.close(descriptor)


def open_entry(path: str) -> int:
    """Open a file or directory for reading, but neither a symbolic link nor a pipe."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        kind = DatabaseError if is_lost(error) else Undecided
        raise kind(f"Could not read {path}: {error.strerror}") from error
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        os.close(descriptor)
        raise DatabaseError(f"{path} is neither a file nor a directory")
    return descriptor


def is_lost(error: OSError) -> bool:
    """Say whether what could not be read is not there, and not just out of reach."""
    return error.errno in (errno.ENOENT, errno.ELOOP, errno.EIO, errno.EBADMSG, errno.EUCLEAN)


def remove(backup: Backup) -> None:
    """Remove a backup and what is beside it; the manifest first, so that half of a removal counts no longer.

    Raises DatabaseError where it is being read.
    """
    descriptor = open_entry(backup.path) if _exists(backup.path) and not os.path.islink(backup.path) else None
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


@contextlib.contextmanager
def writing(directory: str) -> Iterator[None]:
    """Keep others from revising, and from sweeping up, what is in the directory of a database's backups."""
    descriptor = open_entry(directory)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_manifest(backup_directory: str, manifest: Manifest) -> None:
    """Write a manifest beside its backup, in one step. Raises DatabaseError."""
    path = os.path.join(backup_directory, naming.manifest_name(manifest.file_name))
    files.write(path, manifests.to_json(manifest).encode("utf-8"), 0o640)


def revise(backup: Backup, **changes: Any) -> Manifest:
    """Write changes of a backup's manifest, on top of what is there by now, and return the new Manifest.

    The lock of the backups is not waited for: a backup of the same database may take hours.
    """
    directory = os.path.dirname(backup.path)
    with writing(directory):
        manifest = dataclasses.replace(_read_manifest(directory, backup.file_name), **changes)
        write_manifest(directory, manifest)
    return manifest


def utc_now() -> datetime.datetime:
    """Return the time in UTC, without a time zone, as all moments here are."""
    return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)


def iso(moment: datetime.datetime) -> str:
    """Write a moment (UTC, without a time zone) to the second: C(2026-01-24T14:22:50Z)."""
    return moment.replace(microsecond=0).isoformat() + "Z"


def age(moment: str, now: datetime.datetime | None = None) -> int:
    """Return the seconds since a moment of a manifest."""
    return int(((now or utc_now()) - datetime.datetime.fromisoformat(moment[:19])).total_seconds())


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
    created_at = manifest.created_at if manifest else iso(parsed.moment)
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
    if not _exists(path):
        raise DatabaseError("it has no manifest: whoever made it was cut short, or it was put there by hand")
    with os.fdopen(open_entry(path), "rb") as stream:
        return manifests.from_json(stream.read(_LARGEST_MANIFEST).decode("utf-8", "replace"), path)


def _size(path: str, status: os.stat_result) -> int:
    if not stat.S_ISDIR(status.st_mode):
        return status.st_size
    with os.scandir(path) as entries:
        return sum(entry.stat(follow_symlinks=False).st_size for entry in entries)


def _exists(path: str) -> bool:
    return os.path.lexists(path)

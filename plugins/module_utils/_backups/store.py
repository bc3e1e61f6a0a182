# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory of a database's backups: who may write where, and how a finished backup comes into it.

The server's user reads the backups (a restore does), but writes only in WORK: what is finished it can neither change
nor remove. Whoever holds the lock of the backups takes everything else hidden for what a killed run has left.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from .._domain.errors import DatabaseError, Undecided
from .._domain.show import size as shown_size
from .._host import files, roots
from . import catalog, naming, stream
from . import manifest as manifests

# Kept free for the server, which may write to the same file system.
LEAST_FREE = 64 << 20
# Of the tables' size, where there is no earlier backup to go by.
_EXPECTED = {"gzip": 0.5, "zstd": 0.5, "lz4": 0.7, "none": 1.2}


if TYPE_CHECKING:
    from .manifest import Manifest

    # (sha256, size, {name: {sha256, size_bytes}} of a directory's files, how it was read).
    Summed = tuple[str, int, dict[str, dict[str, Any]], str]


@dataclasses.dataclass(frozen=True)
class Store:
    """Where the backups of one database are made and kept. uid, gid: of the server's user in the container."""

    directory: str
    uid: int
    gid: int

    @property
    def work(self) -> str:
        return os.path.join(self.directory, naming.WORK)

    def partial(self, name: str) -> str:
        """Return the path that a file has until it is whole."""
        return os.path.join(self.directory, f".{name}{files.PARTIAL}")

    def prepare(self) -> None:
        """Make the directories, and finish or remove what a killed run has left."""
        roots.make(os.path.dirname(self.directory))
        files.make_directory(self.directory, 0o750, 0, self.gid)
        self.clean()
        files.make_directory(self.work, 0o700, self.uid, self.gid)

    def clean(self) -> None:
        """Leave no trace of a backup that was not finished, nor of the work on one that was."""
        if os.path.islink(self.work) or not os.path.isdir(self.work):
            # Nobody but the server's user could have put it there, when the directory was still its own.
            files.remove(self.work)
        else:
            files.remove_tree(self.work)
        with catalog.writing(self.directory):
            self._sweep()

    def _sweep(self) -> None:
        suffix = naming.manifest_name("") + files.PARTIAL
        container = os.path.basename(self.directory)
        for entry in sorted(os.listdir(self.directory), reverse=True):
            path = os.path.join(self.directory, entry)
            owner = entry[: -len(naming.globals_name(""))] if entry.endswith(naming.globals_name("")) else None
            if owner and naming.parse(container, owner) and not os.path.lexists(os.path.join(self.directory, owner)):
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

    def publish(self, manifest: Manifest, globals_text: str | None) -> None:
        """Give a finished backup its name: the globals first, the manifest last."""
        name = manifest.file_name
        final, manifest_path = os.path.join(self.directory, name), self.partial(naming.manifest_name(name))
        with errors("write", final):
            if os.path.lexists(final):
                raise DatabaseError(f"{final} is there already: it was not replaced")
            if globals_text is not None:
                # Verifiers of passwords are in it.
                files.write(naming.globals_name(final), globals_text.encode("utf-8"), 0o600)
            files.write(manifest_path, manifests.to_json(manifest).encode("utf-8"), 0o640, 0, self.gid)
            os.rename(self.partial(name), final)
            files.synchronise(self.directory)
            os.rename(manifest_path, naming.manifest_name(final))
            files.synchronise(self.directory)

    def take_in(self, name: str) -> str:
        """Take what the server's user wrote in WORK out of its reach."""
        source, target = os.path.join(self.work, name), self.partial(name)
        with errors("take over", source):
            os.rename(source, target)
            descriptor = catalog.open_entry(target)
            try:
                if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                    for entry in os.listdir(target):
                        inner = catalog.open_entry(os.path.join(target, entry))
                        self._own(inner, 0o640)
                        os.close(inner)
                    self._own(descriptor, 0o750)
                else:
                    self._own(descriptor, 0o640)
            finally:
                os.close(descriptor)
        return target

    def _own(self, descriptor: int, mode: int) -> None:
        status = os.fstat(descriptor)
        if status.st_nlink > 1 and stat.S_ISREG(status.st_mode):
            raise DatabaseError(f"A file in {self.work} has another name elsewhere: it is not taken for a backup")
        os.fchown(descriptor, 0, self.gid)
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)


def sums(path: str, compression: str, marked: bool, what: str) -> Summed:
    """Read a file, or each of a directory, and return (sha256, size, {name: {sha256, size_bytes}}, how it was read).

    Raises DatabaseError where plain SQL (marked) is not whole.
    """
    if not os.path.isdir(path):
        with stream.checker(compression, marked) as checker:
            _feed(checker, path)
            checker.finish(what)
        return checker.sha256, checker.size, {}, checker.how
    known: dict[str, dict[str, Any]] = {}
    for entry in sorted(os.listdir(path)):
        with stream.checker("none", False) as checker:
            _feed(checker, os.path.join(path, entry))
        known[entry] = {"sha256": checker.sha256, "size_bytes": checker.size}
    return manifests.files_sum(known), sum(of["size_bytes"] for of in known.values()), known, checker.how


def _feed(checker: stream.Checker, path: str) -> None:
    descriptor = catalog.open_entry(path)
    try:
        with errors("read", path):
            for data in stream.read_chunks(descriptor):
                checker.feed(data)
    finally:
        os.close(descriptor)


def expected_size(earlier: Sequence[catalog.Backup], format_: str, compression: str, database_size: int) -> int:
    """Return the bytes that a backup may come to: by the last one of its kind, or by the size of the database."""
    for backup in reversed(earlier):
        known = backup.manifest
        if known is None or not backup.good or not known.database_size_bytes:
            continue
        if (known.format, known.compression) == (format_, compression):
            growth = max(1.0, database_size / known.database_size_bytes)
            return int(known.size_bytes * growth * 1.1)
    return int(database_size * _EXPECTED[compression])


def refuse_without_space(directory: str, expected: float, what: str) -> None:
    """Raise DatabaseError where a directory has not so many bytes free, beside what the server is left."""
    status = os.statvfs(directory)
    free = status.f_bavail * status.f_frsize
    if free < expected + LEAST_FREE:
        raise DatabaseError(
            f"{what} may need {shown_size(expected)}, but {directory} has {shown_size(free)} free, of which"
            f" {shown_size(LEAST_FREE)} are left to the server. Nothing was written: remove old backups (state:"
            " pruned), make room, or use another backup_root"
        )


@contextlib.contextmanager
def errors(verb: str, path: str) -> Iterator[None]:
    """Turn what the operating system says into a DatabaseError that says what mends it."""
    try:
        yield
    except OSError as error:
        mends = {
            "ENOSPC": ": remove old backups (state: pruned), or make room",
            "EDQUOT": ": remove old backups (state: pruned), or make room",
            "EACCES": ". Use become: true where root owns it",
            "EPERM": ". Use become: true where root owns it",
            "EROFS": ": its file system is mounted for reading only",
        }
        mend = mends.get(_name(error), "")
        # What cannot be read says nothing of what is there, unless the disk itself does not give it back.
        kind = Undecided if verb == "read" and not catalog.is_lost(error) else DatabaseError
        raise kind(f"Could not {verb} {path}: {error.strerror or error}{mend}") from error


def _name(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, "")


def text_sum(text: str) -> str:
    """Return the SHA-256 of a text, in hex."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()

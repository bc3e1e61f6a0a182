# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small private file that several runs change: read, changed and replaced under one lock.

At any time, also after a crash, there is the old file or the new one, whole. Imports nothing of Ansible.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator

FILE_MODE = 0o600
DIRECTORY_MODE = 0o700
LOCK_TIMEOUT = 30


class FileError(Exception):
    """The file cannot be read, or not be changed. The message says why and what fixes it."""


@contextlib.contextmanager
def explained(doing: str, path: str) -> Iterator[None]:
    """Turns what the operating system says into a message for the user. The file is as it was before."""
    try:
        yield
    except OSError as error:
        advice = {
            errno.EACCES: "run as a user who may do that, or choose another path",
            errno.EPERM: "run as a user who may do that, or choose another path",
            errno.EROFS: "choose a path that can be written to",
            errno.ENOSPC: "free some space",
            errno.EDQUOT: "free some space, or raise the quota",
            errno.ENOTDIR: "a part of the path is a file and not a directory: choose another path",
            errno.ELOOP: "the symbolic links of the path lead in a circle",
            errno.ENOLCK: "locks are not supported there: choose a path on another file system",
            errno.EOPNOTSUPP: "locks are not supported there: choose a path on another file system",
        }.get(error.errno or 0)
        message = f"path: cannot {doing} {path}: {error.strerror or error}"
        raise FileError(f"{message}: {advice}" if advice else message) from error


class LockedFile:
    """Made by `locked` and `unlocked`; `content` is None where there is no file."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.content: bytes | None = None
        self.mode: int | None = None
        self._owner: tuple[int, int] | None = None

    def read(self) -> None:
        with explained("read", self.path):
            try:
                # Without O_NONBLOCK, opening a named pipe would wait for a writer.
                descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            except FileNotFoundError:
                return
            try:
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode):
                    raise FileError(f"path: {self.path} is not a regular file: choose the path of a YAML file")
                with os.fdopen(descriptor, "rb", closefd=False) as stream:
                    self.content = stream.read()
            finally:
                os.close(descriptor)
            self.mode = stat.S_IMODE(status.st_mode)
            self._owner = (status.st_uid, status.st_gid)

    @property
    def too_open(self) -> bool:
        return self.mode is not None and bool(self.mode & ~FILE_MODE)

    def check_writable(self) -> None:
        """Raises if a write is bound to fail. Check mode asks, so that it does not promise what cannot be done."""
        directory = os.path.dirname(self.path)
        while not os.path.lexists(directory):
            directory = os.path.dirname(directory)
        with explained("write to", directory):
            if not os.path.isdir(directory):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            if not os.access(directory, os.W_OK | os.X_OK):
                code = errno.EROFS if os.statvfs(directory).f_flag & os.ST_RDONLY else errno.EACCES
                raise OSError(code, os.strerror(code))
        self._check_owner()

    def write(self, content: bytes, mode: int = FILE_MODE) -> None:
        """Replace it in one step, with its owner kept. Raises FileError."""
        self._check_owner()
        directory, name = os.path.split(self.path)
        # Always the same name: whoever holds the lock may remove what a killed run left behind.
        temporary = os.path.join(directory, f".{name}.vellaric-new")
        with explained("write", self.path):
            try:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(temporary)
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                with os.fdopen(os.open(temporary, flags, FILE_MODE), "wb") as stream:
                    os.fchmod(stream.fileno(), mode)
                    if self._owner and self._owner != (os.geteuid(), os.getegid()):
                        # Run through sudo in somebody's repository: the file stays theirs. Where only the group
                        # differs and may not be given, the file is the owner's alone in any case.
                        with contextlib.suppress(PermissionError):
                            os.fchown(stream.fileno(), *self._owner)
                    stream.write(content)
                    stream.flush()
                    os.fsync(stream.fileno())
                os.replace(temporary, self.path)
            except OSError:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)
                raise
            _sync_directory(directory)

    def append(self, content: bytes) -> None:
        """Add to the end, without reading or writing the rest anew."""
        self._check_owner()
        with explained("write", self.path):
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(self.path, flags, FILE_MODE), "ab", buffering=0) as stream:
                size = os.fstat(stream.fileno()).st_size
                try:
                    if stream.write(content) != len(content):
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    os.fsync(stream.fileno())
                except OSError:
                    # All of it or nothing.
                    os.ftruncate(stream.fileno(), size)
                    raise

    def narrow(self) -> None:
        """Let nobody read it but its owner. Raises FileError."""
        self._check_owner()
        with explained("change the mode of", self.path):
            os.chmod(self.path, FILE_MODE)

    def remove(self) -> None:
        """Remove it for good. Raises FileError."""
        with explained("remove", self.path):
            os.unlink(self.path)
            _sync_directory(os.path.dirname(self.path))

    def _check_owner(self) -> None:
        if self._owner and os.geteuid() not in (0, self._owner[0]):
            # Replacing it would take it away from its owner: the new file could be read by us alone.
            raise FileError(
                f"path: {self.path} belongs to another user (uid {self._owner[0]}) and may be changed by that user"
                " only: run as that user"
            )


@contextlib.contextmanager
def locked(path: str | os.PathLike[str], timeout: float = LOCK_TIMEOUT) -> Iterator[LockedFile]:
    """The file, read, with an exclusive lock from now to the end of the block. Makes missing directories."""
    path = os.path.realpath(path)
    directory = os.path.dirname(path)
    _make_directories(directory)
    with explained("lock the directory", directory):
        # The lock is the directory's, not the file's: the file is replaced, and nothing is left behind.
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _lock(descriptor, directory, timeout)
        yield _opened(path)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def unlocked(path: str | os.PathLike[str]) -> Iterator[LockedFile]:
    """The file, read, for looking only: it is replaced as a whole, so what is read is never half of it."""
    yield _opened(os.path.realpath(path))


def _opened(path: str) -> LockedFile:
    file = LockedFile(path)
    file.read()
    return file


def _lock(descriptor: int, directory: str, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while True:
        with explained("lock the directory", directory):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                pass
        if time.monotonic() >= deadline:
            raise FileError(
                f"path: waited {timeout} seconds for another run that is changing files in {directory}: run again"
                " when it has ended"
            )
        time.sleep(0.05)


def _make_directories(directory: str) -> None:
    missing = []
    while not os.path.lexists(directory):
        missing.append(directory)
        directory = os.path.dirname(directory)
    for path in reversed(missing):
        with explained("make the directory", path):
            # Another run may be making the same one.
            with contextlib.suppress(FileExistsError):
                os.mkdir(path, DIRECTORY_MODE)


def _sync_directory(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot sync a directory: the file itself is written and in its place.
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
            raise
    finally:
        os.close(descriptor)

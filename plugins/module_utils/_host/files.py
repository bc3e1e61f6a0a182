# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and directories on this host: written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator

from .._domain.errors import DatabaseError
from .._domain.facts import FileFacts

PARTIAL = ".partial"
# Of a PG_VERSION, which the server's user may write anew: initdb writes three.
MARK_BYTES = 64
# With these, Python's own removal gives up on a tree, by how deep it is.
_TOO_DEEP = (errno.EMFILE, errno.ENAMETOOLONG)


def read(path: str, most: int | None = None, follow: bool = True) -> FileFacts | None:
    """Return the FileFacts of a file, or None where there is none.

    Whoever is in a container may have put anything in its directories: a pipe, which keeps its reader waiting for ever,
    is refused, and so is what has more bytes than are wanted.
    most: bytes. follow: whether a symbolic link is one of the operator's, and not of a server's user, who has it lead
    to a device that does something where root opens it. Raises DatabaseError.
    """
    try:
        # A pipe without a writer is then opened at once.
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
        with os.fdopen(os.open(path, flags), "rb") as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise OSError("it is no regular file: see who put it there, and remove it")
            content = stream.read(-1 if most is None else most + 1)
            if most is not None and len(content) > most:
                raise OSError(f"it has more than {most} bytes, so it is not what belongs there")
            return FileFacts(content, status.st_mode & 0o7777, status.st_uid, status.st_ctime)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _cannot("read", path, error) from error


def _cannot(verb: str, path: str, error: OSError) -> DatabaseError:
    fix = ". Use become: true where root owns it" if isinstance(error, PermissionError) else ""
    return DatabaseError(f"Could not {verb} {path}: {error.strerror or error}{fix}")


@contextlib.contextmanager
def _errors(verb: str, path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _cannot(verb, path, error) from error


def entries(directory: str) -> list[str]:
    """Return the sorted names in a directory, none where it is missing. Raises DatabaseError."""
    with _errors("read", directory), contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return sorted(os.listdir(directory))
    return []


def write(path: str, content: bytes, mode: int, uid: int = -1, gid: int = -1) -> None:
    """Replace a file in one step: after a crash or on a full disk it holds the old content or the new, whole."""
    with _errors("write", path), _written(path, content, mode, uid, gid) as temporary:
        os.replace(temporary, path)


def create(path: str, content: bytes, mode: int) -> None:
    """Make a file in one step where there is none. One that is there stays as it is, whoever made it."""
    with _errors("write", path), _written(path, content, mode) as temporary, contextlib.suppress(FileExistsError):
        os.link(temporary, path)


@contextlib.contextmanager
def _written(path: str, content: bytes, mode: int, uid: int = -1, gid: int = -1) -> Iterator[str]:
    """Give the path of a file beside another that has its content by now; it is removed unless it was moved away."""
    directory = os.path.dirname(path)
    descriptor, temporary = tempfile.mkstemp(prefix=".", suffix=PARTIAL, dir=directory)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            os.fchmod(descriptor, mode)
            if (uid, gid) != (-1, -1):
                os.fchown(descriptor, uid, gid)
            stream.flush()
            os.fsync(descriptor)
        yield temporary
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
    synchronise(directory)


def sweep(directory: str) -> None:
    """Remove what writers that were killed have left in a directory, and just below it. The caller holds its lock."""
    for path in _partial(directory):
        with _errors("remove", path):
            os.unlink(path)


def _partial(directory: str, below: bool = True) -> Iterator[str]:
    try:
        with os.scandir(directory) as found:
            entries = list(found)
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith(".") and entry.name.endswith(PARTIAL):
            yield entry.path
        elif below and entry.is_dir(follow_symlinks=False):
            yield from _partial(entry.path, below=False)


def synchronise(directory: str) -> None:
    """Make what was created, renamed or removed in a directory survive a power failure."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def synchronise_file_system(path: str) -> None:
    """Make all that was written to the file system that a path is on survive a power failure."""
    finished = subprocess.run(["sync", "-f", path], capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        raise DatabaseError(f"Could not synchronise the file system of {path}: {finished.stderr.strip()}")


def make_directory(path: str, mode: int, uid: int = -1, gid: int = -1) -> None:
    """Make a directory, with its parents, and give it its mode and owner whatever the umask."""
    with _errors("make directory", path):
        _make_parents(os.path.dirname(path))
        with contextlib.suppress(FileExistsError):
            os.mkdir(path)
        # Not by its name: a server's user, who may write beside it, puts a link in its place at any time.
        descriptor = _open_directory(path)
        try:
            os.fchmod(descriptor, mode)
            if (uid, gid) != (-1, -1):
                os.fchown(descriptor, uid, gid)
        finally:
            os.close(descriptor)


def _open_directory(path: str) -> int:
    """Open a directory, through a symbolic link only where that is root's own."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    try:
        return os.open(path, flags | os.O_NOFOLLOW)
    except OSError:
        status = os.lstat(path)
        if not stat.S_ISLNK(status.st_mode):
            raise
        if status.st_uid != 0:
            raise OSError("it is a symbolic link that is not root's: see who put it there, and remove it") from None
        return os.open(path, flags)


def change_mode(path: str, mode: int) -> None:
    """Raises DatabaseError."""
    with _errors("change the mode of", path):
        os.chmod(path, mode)


def _make_parents(path: str) -> None:
    """Make the directories above one, open to all as the system's own are, whatever the umask."""
    if not os.path.isdir(path):
        _make_parents(os.path.dirname(path))
        with contextlib.suppress(FileExistsError):
            os.mkdir(path)
            os.chmod(path, 0o755)


def move(source: str, target: str) -> None:
    """Rename within one file system, and see to it that the rename lasts."""
    with _errors("move", source):
        os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
        os.rename(source, target)
        synchronise(os.path.dirname(source))
        synchronise(os.path.dirname(target))


def remove(path: str) -> None:
    """Remove a file, or a symbolic link and not what it leads to; nothing where there is none."""
    with _errors("remove", path), contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def remove_tree(path: str) -> None:
    """Remove a directory with everything in it; nothing where there is none."""
    with _errors("remove", path):
        if os.path.islink(path) or os.path.isdir(path):
            try:
                shutil.rmtree(path)
            except RecursionError:
                _remove_deep_tree(path)
            except OSError as error:
                if error.errno not in _TOO_DEEP:
                    raise
                _remove_deep_tree(path)


def _remove_deep_tree(path: str) -> None:
    """Remove a directory in which directories lie in each other by the thousand: rm goes down without a limit."""
    finished = subprocess.run(["rm", "-rf", "--", path], capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        raise OSError(finished.stderr.strip())


def remove_empty_directories(path: str) -> None:
    """Remove a directory and those just in it, as far as they hold nothing."""
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(path):
            remove_if_empty(os.path.join(path, name))
    remove_if_empty(path)


def remove_if_empty(path: str) -> None:
    """Remove a directory that holds nothing; leave any other."""
    with contextlib.suppress(OSError):
        os.rmdir(path)

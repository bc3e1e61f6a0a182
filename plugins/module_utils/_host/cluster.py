# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A data directory as files on this host: how large it is, and how it gets to another place without losing a byte.

The file PG_VERSION is what makes a directory a database, to the image's entrypoint and to us: it comes last to where
the data goes, so that a half-made directory is never taken for a whole one.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import os
import shutil
import time
import zlib
from collections.abc import Callable, Container, Iterator

from .._domain.container import DATA_MOUNT
from .._domain.errors import DatabaseError
from . import files

MARK = "PG_VERSION"
# Left behind by a server that did not shut down cleanly.
PID_FILE = "postmaster.pid"

_CHUNK = 4 << 20
_REPORT_SECONDS = 2
_THREADS = 4


@dataclasses.dataclass(frozen=True)
class Measure:
    """links: symbolic links, such as tablespaces or a separate WAL directory: data that lies elsewhere."""

    size: int
    links: tuple[str, ...]


def major(directory: str) -> int | None:
    """Return the major version of a data directory as it says itself, or None where there is none."""
    version = files.read(os.path.join(directory, MARK), files.MARK_BYTES, follow=False)
    text = b"" if version is None else version.content.strip()
    return int(text) if text.isdigit() else None


def measure(directory: str) -> Measure:
    """Measure a data directory, also one whose server is at work in it."""
    size, links = 0, []
    for entry in _entries(directory):
        with contextlib.suppress(FileNotFoundError):
            if entry.is_symlink():
                links.append(os.path.relpath(entry.path, directory))
            elif entry.is_file(follow_symlinks=False):
                size += entry.stat(follow_symlinks=False).st_size
    return Measure(size, tuple(sorted(links)))


def can_move(source: str, target: str) -> bool:
    """Say whether a rename leads from one directory to the other: not across devices, nor across mounts of one."""
    target = _existing(target)
    return os.stat(source).st_dev == os.stat(target).st_dev and _mount_point(source) == _mount_point(target)


def move(source: str, target: str, keep: Container[str] = ()) -> None:
    """Move what is in a directory into another one by renaming, but for the entries to keep; PG_VERSION goes last.

    Repeated after a crash it moves the rest. The directory itself stays: it may be the mount of a container.
    """
    try:
        entries = sorted(os.listdir(source), key=lambda name: (name == MARK, name))
        for name in entries:
            if name not in keep:
                if name == MARK:
                    files.synchronise(target)
                os.rename(os.path.join(source, name), os.path.join(target, name))
        files.synchronise(source)
        files.synchronise(target)
    except OSError as error:
        raise DatabaseError(f"Could not move {source} to {target}: {error.strerror or error}") from error


def copy(source: str, target: str, uid: int, gid: int, report: Callable[[int], None]) -> None:
    """Copy a data directory whose server is stopped to a new place, and give it to a user.

    Every file is written through to the disk, read back from there and compared. report: hears now and then of the
    bytes copied so far. The target appears under its name when all of it is there.
    """
    partial = incomplete(target)
    files.remove_tree(partial)
    progress = _Progress(report)
    try:
        _copy_tree(source, partial, uid, gid, progress)
        os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
        os.rename(partial, target)
        files.synchronise(os.path.dirname(target))
        files.synchronise(os.path.dirname(partial))
    except OSError as error:
        with contextlib.suppress(DatabaseError):
            files.remove_tree(partial)
        raise DatabaseError(f"Could not copy {source} to {target}: {error.strerror or error}") from error


def incomplete(target: str) -> str:
    """Return where a copy is made, beside the directory of the major version."""
    return os.path.join(os.path.dirname(os.path.dirname(target)), ".incomplete")


def strays(pgdata: str) -> tuple[str, ...]:
    """Return the links of a data directory, a container's, that lead out of what the host keeps of it, with their ends.

    What is there lies in the container itself, and is lost with it: the write-ahead log, or tablespaces.
    """
    found = [os.path.join(pgdata, "pg_wal")]
    with contextlib.suppress(OSError):
        found += [
            os.path.join(pgdata, "pg_tblspc", name) for name in sorted(os.listdir(os.path.join(pgdata, "pg_tblspc")))
        ]
    outside = []
    for path in found:
        try:
            target = os.readlink(path)
        except OSError:
            continue
        if os.path.isabs(target) and not os.path.normpath(target).startswith(DATA_MOUNT + "/"):
            outside.append(f"{os.path.relpath(path, pgdata)} -> {target}")
    return tuple(outside)


def owner(directory: str) -> tuple[int, int, int]:
    """Return whose a data directory is, and its mode, as `give_to` takes them."""
    status = os.stat(directory)
    return (status.st_uid, status.st_gid, status.st_mode & 0o7777)


def give_to(directory: str, uid: int, gid: int, mode: int) -> None:
    """Give a data directory to a user, where it is not that user's already."""
    try:
        if os.stat(directory).st_uid != uid:
            for entry in _entries(directory):
                os.chown(entry.path, uid, gid, follow_symlinks=False)
            os.chown(directory, uid, gid)
        os.chmod(directory, mode)
    except OSError as error:
        raise DatabaseError(f"Could not change the owner of {directory}: {error.strerror or error}") from error


def _copy_tree(source: str, target: str, uid: int, gid: int, progress: _Progress) -> None:
    status = os.stat(source)
    os.makedirs(target, mode=0o700)
    directories, names = [(target, status)], []
    for entry in _entries(source):
        to = os.path.join(target, os.path.relpath(entry.path, source))
        if entry.is_dir(follow_symlinks=False):
            os.mkdir(to, 0o700)
            directories.append((to, entry.stat(follow_symlinks=False)))
        elif entry.is_file(follow_symlinks=False):
            names.append((entry.path, to))
    with concurrent.futures.ThreadPoolExecutor(max_workers=_THREADS) as pool:
        # The largest first, or the last one would be copied alone.
        names.sort(key=lambda pair: os.path.getsize(pair[0]), reverse=True)
        work = [pool.submit(_copy_file, *pair, uid, gid, progress) for pair in names]
        try:
            for future in concurrent.futures.as_completed(work):
                future.result()
        except BaseException:
            for future in work:
                future.cancel()
            raise
    for path, known in reversed(directories):
        os.chown(path, uid, gid)
        os.chmod(path, known.st_mode & 0o750)
        files.synchronise(path)


def _copy_file(source: str, target: str, uid: int, gid: int, progress: _Progress) -> None:
    with open(source, "rb") as reader, open(target, "xb") as writer:
        shutil.copystat(source, target)
        os.fchown(writer.fileno(), uid, gid)
        checksum = 0
        while True:
            chunk = reader.read(_CHUNK)
            if not chunk:
                break
            checksum = zlib.crc32(chunk, checksum)
            writer.write(chunk)
            progress.add(len(chunk))
        writer.flush()
        os.fsync(writer.fileno())
        # So that what is compared comes from the disk.
        os.posix_fadvise(writer.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if _checksum(target) != checksum:
        raise OSError(f"{target} is not what was written")


def _checksum(path: str) -> int:
    checksum = 0
    with open(path, "rb") as reader:
        for chunk in iter(lambda: reader.read(_CHUNK), b""):
            checksum = zlib.crc32(chunk, checksum)
    return checksum


class _Progress:
    """Adds up what several threads have copied; tells of it every few seconds."""

    def __init__(self, report: Callable[[int], None]) -> None:
        self._report = report
        self._copied = 0
        self._told = time.monotonic()

    def add(self, size: int) -> None:
        self._copied += size
        now = time.monotonic()
        if now - self._told >= _REPORT_SECONDS:
            self._told = now
            self._report(self._copied)


def _entries(directory: str) -> Iterator[os.DirEntry[str]]:
    """Yield everything below a directory, directories before what is in them; what vanishes meanwhile is left out."""
    try:
        with os.scandir(directory) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    for entry in entries:
        yield entry
        if entry.is_dir(follow_symlinks=False):
            yield from _entries(entry.path)


def _existing(path: str) -> str:
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return os.path.realpath(path)


def _mount_point(path: str) -> str:
    """Return the longest mount point above a path; https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html"""
    path = os.path.realpath(path)
    with open("/proc/self/mountinfo", encoding="utf-8") as stream:
        points = [line.split()[4].replace("\\040", " ") for line in stream]
    above = [point for point in points if path == point or path.startswith(point.rstrip("/") + "/")]
    return max(above, key=len, default="/")

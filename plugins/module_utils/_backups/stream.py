# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backup as a stream of bytes: compressed, summed up and checked while it passes, whatever its size."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import hashlib
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from typing import IO

from .._domain.errors import DatabaseError, Undecided
from . import formats

CHUNK = 256 << 10
# fcntl.F_SETPIPE_SZ is there from Python 3.10 on; more than 1 MiB needs a privilege.
_F_SETPIPE_SZ = 1031
_PIPE = 1 << 20
# https://man7.org/linux/man-pages/man2/sync_file_range.2.html
_SYNC_FILE_RANGE_WRITE = 2
_sync_file_range = getattr(ctypes.CDLL(None), "sync_file_range", None)
if _sync_file_range is not None:
    _sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
# After so many bytes, what was written goes to the disk.
STRIDE = 8 << 20
END_MARK = b"-- PostgreSQL database dump complete"
# Since 2025 a line \unrestrict follows the mark.
_TAIL = 4096
# Of ISA-L: three times as fast as gzip's fastest, and smaller. https://github.com/intel/isa-l
_FAST_GZIP = ("igzip", "-c", "-2")


def fast_gzip(which: Callable[[str], str | None] = shutil.which) -> list[str] | None:
    """Return the command that compresses faster than pg_dump itself, or None where this host has none."""
    return list(_FAST_GZIP) if which(_FAST_GZIP[0]) else None


class Checker:
    """Reads what it is fed to the end: its checksum and size, and whether it is a whole dump.

    marked: whether the end mark of plain SQL is to be there. The decompressor is a process of its own, which another
    processor may run.
    """

    def __init__(self, compression: str, marked: bool) -> None:
        self.size = 0
        self._sum = hashlib.sha256()
        self._marked = marked
        self._tail = b""
        self._process: subprocess.Popen[bytes] | None = None
        self._broken = False
        self.how = "read to its end"
        if not marked:
            return
        if compression != "none":
            try:
                self._start(formats.decompressor(compression))
            except Undecided as error:
                # Its checksum is known nevertheless.
                self._marked = False
                self.how = f"read to its end, but not decompressed ({error.message})"
                return
        self.how = "decompressed to its end mark" if compression != "none" else "read to its end mark"

    def _start(self, command: list[str]) -> None:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )
        self._process, self._command = process, command[0]
        widen(pipe_of(process.stdin).fileno())
        widen(pipe_of(process.stdout).fileno())
        self._drain = threading.Thread(target=self._keep_tail, args=(pipe_of(process.stdout).fileno(),), daemon=True)
        self._drain.start()

    def _keep_tail(self, descriptor: int) -> None:
        tail = b""
        while True:
            data = os.read(descriptor, CHUNK)
            if not data:
                break
            tail = data[-_TAIL:] if len(data) >= _TAIL else (tail + data)[-_TAIL:]
        self._tail = tail

    @property
    def sha256(self) -> str:
        return self._sum.hexdigest()

    def feed(self, data: bytes) -> None:
        """Take in what comes next of the file, as it lies there."""
        self.size += len(data)
        self._sum.update(data)
        if self._process is None:
            if self._marked:
                self._tail = (self._tail + data)[-_TAIL:]
        elif not self._broken:
            try:
                write_all(pipe_of(self._process.stdin).fileno(), data)
            except BrokenPipeError:
                # It found something wrong, and says what at the end.
                self._broken = True

    def finish(self, what: str) -> None:
        """Raise DatabaseError where it was not whole."""
        if self._process is not None:
            pipe_of(self._process.stdin).close()
            self._drain.join()
            stderr = pipe_of(self._process.stderr).read().decode("utf-8", "replace").strip()
            code = self._process.wait()
            if code < 0:
                raise Undecided(
                    f"{what} could not be decompressed: {self._command} was ended by signal {-code}, perhaps"
                    " by the OOM killer: run this again"
                )
            if code != 0 or self._broken:
                raise DatabaseError(
                    f"{what} cannot be decompressed to its end ({stderr or 'it ends too early'}): it is damaged"
                )
        if self._marked and END_MARK not in self._tail:
            raise DatabaseError(f"{what} does not end with pg_dump's end mark: it is truncated")

    def close(self) -> None:
        """End the decompressor where `finish` was not come to."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def checker(compression: str, marked: bool) -> Iterator[Checker]:
    """Give a Checker, whose decompressor ends with the block. marked: whether an end mark is looked for."""
    made = Checker(compression, marked)
    try:
        yield made
    finally:
        made.close()


def pipe_of(pipe: IO[bytes] | None) -> IO[bytes]:
    """Return a pipe of a process that was started with it."""
    if pipe is None:
        raise ValueError("the process was started without this pipe")
    return pipe


def widen(descriptor: int) -> None:
    """Let a pipe hold more than its 64 KiB: on a busy host each side then waits less often for the other."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(descriptor, _F_SETPIPE_SZ, _PIPE)


def begin_writing(descriptor: int, since: int = 0) -> None:
    """Have what a file was given from there on go to the disk while more comes: fsync then has little to wait for."""
    if _sync_file_range is not None:
        _sync_file_range(descriptor, since, 0, _SYNC_FILE_RANGE_WRITE)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of it, however little a pipe takes at a time."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def read_chunks(descriptor: int) -> Iterator[bytes]:
    """Yield what a file holds, from its beginning."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    while True:
        data = os.read(descriptor, CHUNK)
        if not data:
            return
        yield data

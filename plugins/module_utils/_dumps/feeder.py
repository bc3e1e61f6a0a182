# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What brings a dump into a pipe that a program in a container reads."""

from __future__ import annotations

import ctypes
import errno
import io
import os
import secrets
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING, Protocol

from .._backups import formats, stream
from .._domain.errors import DatabaseError, Undecided
from .._server import loader
from .dump_filter import Asked

_PIECE = 1 << 20
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# https://man7.org/linux/man-pages/man2/prctl.2.html
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


if TYPE_CHECKING:

    class Passing(Protocol):
        """What a dump goes through. foreign: whether somebody else has taken it."""

        foreign: bool

        def pieces(self, data: bytes, last: bool = False) -> Iterator[bytes | memoryview | Asked]: ...


class _Stopped(Exception):
    """Whoever reads has ended, and says why."""


class Feeder:
    """Decompresses a dump into a pipe, through a filter where there is one, once somebody reads there.

    source: opens what comes instead of the dump's content. ask: does what the filter asks of the superuser; while it
    does, the session that loads has done everything before. introduce: is told which session that is, before anything
    of the dump (loader.session).
    whole: all of the dump has been read by then.
    """

    def __init__(
        self,
        dump: formats.Dump,
        pipe: str,
        filter_: Passing | None,
        prologue: bytes,
        ask: Callable[[Asked], None] | None = None,
        source: Callable[[], io.IOBase] | None = None,
        introduce: Callable[[str], None] | None = None,
    ) -> None:
        self._dump, self._pipe, self.filter, self._prologue = dump, pipe, filter_, prologue
        self._ask, self._open_source, self._introduce = ask, source, introduce
        self._command = formats.decompressor(dump.compression) if source is None else []
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._error: DatabaseError | None = None
        self._begun = False
        # Lines of ours beside those of the dump.
        self.more_lines = 0
        self._said = tempfile.TemporaryFile()
        # A word that the session is to say, and what tells that it has, or that it has ended.
        self._awaited = self._said_there = b""
        self._heard, self._stopped = threading.Event(), threading.Event()

    def start_when_read(self) -> bool:
        """Begin as soon as the pipe has a reader; return whether it has begun."""
        if self._begun:
            return True
        try:
            target = os.open(self._pipe, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return False
            raise
        os.set_blocking(target, True)
        stream.widen(target)
        self._begun = True
        try:
            if self._command:
                with open(self._dump.path, "rb") as source:
                    self._process = subprocess.Popen(
                        self._command,
                        stdin=source,
                        stdout=subprocess.PIPE if self.filter else target,
                        stderr=self._said,
                        preexec_fn=_end_with_parent,
                    )
                if self.filter:
                    stream.widen(stream.pipe_of(self._process.stdout).fileno())
            if self.filter:
                passing = (os.dup(target), self.filter)
                self._thread = threading.Thread(target=self._pass_on, args=passing, daemon=True)
                self._thread.start()
        finally:
            os.close(target)
        return True

    def _pass_on(self, target: int, filter_: Passing) -> None:
        try:
            with os.fdopen(target, "wb", buffering=0) as sink, self._source() as source:
                _write(sink, self._prologue)
                if self._introduce is not None:
                    self.more_lines += 1
                    self._introduce(loader.session(self._catch_up(sink)))
                begins = True
                while True:
                    piece = source.read(_PIECE)
                    if begins:
                        # The mark that editors put at a text's beginning, which it is no longer.
                        piece, begins = piece.removeprefix(_BYTE_ORDER_MARK), False
                    for part in filter_.pieces(piece, last=not piece):
                        if isinstance(part, Asked):
                            self._in_turn(sink, part)
                        else:
                            _write(sink, part)
                    if not piece:
                        return
        except (BrokenPipeError, _Stopped):
            # Whoever reads has ended, and says why.
            pass
        except DatabaseError as error:
            self._error = error
        except Exception as error:
            self._error = DatabaseError(f"{self._dump.path} could not be read: {error}")

    def _source(self) -> io.IOBase | IO[bytes]:
        if self._open_source is not None:
            return self._open_source()
        return stream.pipe_of(self._process.stdout if self._process is not None else None)

    def _in_turn(self, sink: io.RawIOBase, asked: Asked) -> None:
        self._catch_up(sink)
        if self._ask is not None:
            self._ask(asked)
        self.more_lines += asked.lines == 0
        # The lines stay those of the dump: psql reads them whole, so that one is there already.
        _write(sink, b"\n" * max(0, asked.lines - 1))

    def _catch_up(self, sink: io.RawIOBase) -> str:
        """Wait until the session has done all that it was given; return which one it is."""
        self._heard.clear()
        awaited = secrets.token_hex(16)
        self._awaited = awaited.encode("ascii")
        _write(sink, loader.introduce(awaited).encode("ascii"))
        while not self._heard.wait(0.5):
            if self._stopped.is_set():
                raise _Stopped
        return self._said_there.decode("ascii", "replace")

    def hear(self, output: bytearray) -> None:
        """Take in what the session prints; nothing of it is kept."""
        at = output.find(self._awaited) if self._awaited else -1
        end = output.find(b"\n", at) if at >= 0 else -1
        if end >= 0:
            self._said_there = bytes(output[at + len(self._awaited) : end])
            self._awaited = b""
            self._heard.set()
        # A word may come in two parts.
        del output[: max(0, len(output) - 256)]

    @property
    def position(self) -> int:
        """How many bytes of the dump have been read."""
        process = self._process
        try:
            with open(f"/proc/{process.pid if process else 0}/fdinfo/0", encoding="ascii") as info:
                return int(info.readline().split()[1])
        except (OSError, AttributeError, IndexError, ValueError):
            return self._dump.size_bytes if self.whole else 0

    @property
    def whole(self) -> bool:
        if not self._begun or self._error is not None:
            return False
        return self._process is None or self._process.poll() == 0

    def finish(self) -> None:
        """Wait for what has nobody left to write to."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
        if self._process is not None:
            self._process.wait()

    def check(self) -> None:
        """Raise DatabaseError where the dump could not be read to its end."""
        if self._error is not None:
            raise self._error
        code = self._process.poll() if self._process is not None else None
        if code in (None, 0, -signal.SIGPIPE):
            return
        if code is not None and code < 0:
            raise Undecided(
                f"{self._dump.path} was not read to its end: {self._command[0]} was ended by signal {abs(code)}"
            )
        self._said.seek(0)
        said = self._said.read(2000).decode("utf-8", "replace").strip().splitlines()
        raise DatabaseError(f"{self._dump.path} is damaged or truncated: {said[0] if said else self._command[0]}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
        self.finish()
        self._said.close()


def _write(sink: io.RawIOBase, data: bytes | memoryview) -> None:
    view = memoryview(data)
    while view:
        view = view[sink.write(view) :]


def _end_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command that runs in a container, at the other end of the engine's stream."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import struct
import time
from collections.abc import Callable
from typing import cast

from .._domain.errors import DatabaseError

_FRAME_HEADER = struct.Struct(">BxxxL")
_STDOUT, _STDERR = 1, 2
# The engine learns from containerd that a command has ended, and nothing any more where that was ended itself: it is
# asked about one that is silent, and what it says compared with what runs.
LOOK_SECONDS = 10.0
# Until what has ended, or has lost its process, is told so by the engine.
GRACE_SECONDS = 30.0
_MOST_FAILURES = 3
# What is written by a command at work in a container, and not taken from it yet.
MOST_BYTES = 512 * 1024 * 1024


@dataclasses.dataclass(frozen=True)
class Finished:
    """What a command in a container came to."""

    exit_code: int
    stdout: str
    stderr: str


@dataclasses.dataclass(frozen=True)
class State:
    """What the engine says of a command. exit_code: None while it has none; alive: its process is to be seen."""

    exit_code: int | None
    alive: bool


class Lost(DatabaseError):
    """Nobody will ever say what became of a command."""


class Execution:
    """A command with its standard input held open until `end_input`, or until this process ends.

    state: a function that returns its State. Raises DatabaseError where the engine does not answer.
    """

    def __init__(self, container: str, stream: socket.SocketIO | socket.socket, state: Callable[[], State]) -> None:
        self._container = container
        self._stream = stream
        # The SDK gives what wraps a socket, and keeps the socket in it.
        self._raw = cast(socket.socket, getattr(stream, "_sock", stream))
        self._state = state
        self._next_look = time.monotonic() + LOOK_SECONDS
        self._failures = 0
        self._gone_since: float | None = None
        self._ended = False
        self._buffer = bytearray()
        self.outputs = {_STDOUT: bytearray(), _STDERR: bytearray()}

    def fileno(self) -> int:
        return self._raw.fileno()

    def send(self, text: str) -> None:
        """Write to its standard input. Raises OSError where it has ended."""
        self._raw.sendall(text.encode("utf-8"))

    def end_input(self) -> None:
        self._raw.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        # The SDK keeps the connection, so that to close the stream alone would not let the command's input end.
        with contextlib.suppress(OSError):
            self._raw.shutdown(socket.SHUT_RDWR)
        # Of the SDK's answer, which the stream is the inside of, Python 3.13 complains where it is closed after that.
        answer = getattr(getattr(getattr(self._stream, "_response", None), "raw", None), "_fp", None)
        if answer is not None:
            with contextlib.suppress(OSError, ValueError):
                answer.close()
        self._stream.close()
        # The SDK keeps this one, too, in a circle that only the garbage collector takes apart.
        self._raw.close()

    def receive(self, deadline: float) -> bool:
        """Take in what there is next of both outputs; False where they have ended. Raises socket.timeout, and Lost."""
        data = self._next(deadline)
        if not data:
            return False
        self._buffer += data
        if len(self._buffer) + sum(map(len, self.outputs.values())) > MOST_BYTES:
            raise DatabaseError(f"A command in {self._container} does not stop writing: it was abandoned")
        while len(self._buffer) >= _FRAME_HEADER.size:
            stream, length = _FRAME_HEADER.unpack_from(self._buffer)
            end = _FRAME_HEADER.size + length
            if len(self._buffer) < end:
                break
            self.outputs.setdefault(stream, bytearray()).extend(self._buffer[_FRAME_HEADER.size : end])
            del self._buffer[:end]
        return True

    def _next(self, deadline: float) -> bytes:
        """Return what comes next, or nothing where the command has ended."""
        while not self._ended:
            now = time.monotonic()
            if now >= deadline:
                raise socket.timeout()
            self._raw.settimeout(max(0.001, min(deadline, self._next_look) - now))
            try:
                data = self._raw.recv(65536)
            except socket.timeout:
                self.look()
                continue
            self._next_look, self._gone_since = time.monotonic() + LOOK_SECONDS, None
            return data
        return b""

    def look(self) -> None:
        """See what became of a command that has been silent for a while. Raises Lost.

        Whoever waits for something else of it calls this now and then.
        """
        now = time.monotonic()
        if now < self._next_look or self._ended:
            return
        self._next_look = now + LOOK_SECONDS
        try:
            state = self._state()
            self._failures = 0
        except DatabaseError as error:
            self._failures += 1
            if self._failures >= _MOST_FAILURES:
                raise Lost(
                    f"The engine does not answer any more while a command runs in {self._container}: {error.message}"
                ) from error
            return
        if state.exit_code is not None:
            # It has ended, and its stream is not ended by anybody.
            self._ended = True
        elif state.alive:
            self._gone_since = None
        else:
            self._gone_since = self._gone_since or now
            self._next_look = now + 1.0
            if now - self._gone_since >= GRACE_SECONDS:
                raise self._lost()

    def _lost(self) -> Lost:
        return Lost(
            f"The engine has lost a command in {self._container}: its process has ended, and the engine does not know."
            " Has containerd been ended or restarted? See the logs of docker and containerd, and run this again"
        )

    def line(self, deadline: float) -> str | None:
        """Return the next whole line of standard output, or None where that has ended. Raises socket.timeout."""
        stdout = self.outputs[_STDOUT]
        while b"\n" not in stdout:
            if not self.receive(deadline):
                return None
        end = stdout.index(b"\n")
        line = stdout[:end].decode("utf-8", "replace")
        del stdout[: end + 1]
        return line

    @property
    def stderr(self) -> str:
        return self.outputs[_STDERR].decode("utf-8", "replace")

    def finish(self, deadline: float) -> Finished:
        """Wait for the end and return the Finished. Raises socket.timeout."""
        while self.receive(deadline):
            pass
        return Finished(self._await_code(deadline), self.outputs[_STDOUT].decode("utf-8", "replace"), self.stderr)

    def _await_code(self, deadline: float) -> int:
        """Return the exit code: the stream ends a moment before the engine knows it. Raises Lost."""
        gone_since, pause = time.monotonic(), 0.005
        while True:
            state = self._state()
            if state.exit_code is not None:
                return state.exit_code
            now = time.monotonic()
            if state.alive:
                gone_since = now
            elif now - gone_since >= GRACE_SECONDS:
                raise self._lost()
            if now >= deadline:
                raise Lost(f"The engine does not report the result of a command in {self._container}")
            time.sleep(pause)
            pause = min(pause * 1.5, 1.0)

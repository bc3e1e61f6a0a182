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

from ..errors import DatabaseError

_FRAME_HEADER = struct.Struct(">BxxxL")
_STDOUT, _STDERR = 1, 2
# What is written by a command at work in a container, and not taken from it yet.
MOST_BYTES = 512 * 1024 * 1024


@dataclasses.dataclass(frozen=True)
class Finished:
    """What a command in a container came to."""

    exit_code: int
    stdout: str
    stderr: str


class Execution:
    """A command with its standard input held open until `end_input`, or until this process ends.

    exit_code: a function that returns the engine's answer, None while it has none.
    """

    def __init__(self, container, stream, exit_code):
        self._container = container
        self._stream = stream
        self._raw = getattr(stream, "_sock", stream)
        self._exit_code = exit_code
        self._buffer = bytearray()
        self.outputs = {_STDOUT: bytearray(), _STDERR: bytearray()}

    def fileno(self):
        return self._raw.fileno()

    def send(self, text):
        self._raw.sendall(text.encode("utf-8"))

    def end_input(self):
        self._raw.shutdown(socket.SHUT_WR)

    def close(self):
        # The SDK keeps the connection, so that to close the stream alone would not let the command's input end.
        with contextlib.suppress(OSError):
            self._raw.shutdown(socket.SHUT_RDWR)
        self._stream.close()
        # The SDK keeps this one, too, in a circle that only the garbage collector takes apart.
        self._raw.close()

    def receive(self, deadline):
        """Take in what there is next of both outputs; False where they have ended. Raises socket.timeout."""
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise socket.timeout()
        self._raw.settimeout(remaining)
        data = self._raw.recv(65536)
        if not data:
            return False
        self._buffer += data
        if len(self._buffer) + sum(map(len, self.outputs.values())) > MOST_BYTES:
            raise DatabaseError(f"A command in {self._container} writes without an end: it was left")
        while len(self._buffer) >= _FRAME_HEADER.size:
            stream, length = _FRAME_HEADER.unpack_from(self._buffer)
            end = _FRAME_HEADER.size + length
            if len(self._buffer) < end:
                break
            self.outputs.setdefault(stream, bytearray()).extend(self._buffer[_FRAME_HEADER.size : end])
            del self._buffer[:end]
        return True

    def line(self, deadline):
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
    def stderr(self):
        return self.outputs[_STDERR].decode("utf-8", "replace")

    def finish(self, deadline):
        """Wait for the end and return the Finished. Raises socket.timeout."""
        while self.receive(deadline):
            pass
        # The stream ends a moment before the engine knows the exit code.
        code = self._exit_code()
        while code is None:
            if time.monotonic() >= deadline:
                raise DatabaseError(f"The engine does not tell what became of a command in {self._container}")
            time.sleep(0.005)
            code = self._exit_code()
        return Finished(code, self.outputs[_STDOUT].decode("utf-8", "replace"), self.stderr)

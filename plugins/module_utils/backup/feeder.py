# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What decompresses a dump into a pipe that a program in a container reads."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import subprocess
import tempfile
import threading

from ..errors import DatabaseError, Undecided
from . import formats

_PIECE = 1 << 20
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# https://man7.org/linux/man-pages/man2/prctl.2.html
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Feeder:
    """Decompresses a dump into a pipe, through a filter where there is one, once somebody reads there.

    whole: all of the dump has been read by then.
    """

    def __init__(self, dump, pipe, filter_, prologue):
        self._dump, self._pipe, self.filter, self._prologue = dump, pipe, filter_, prologue
        self._command = formats.decompressor(dump.compression)
        self._process = self._thread = self._error = None
        self._said = tempfile.TemporaryFile()

    def start_when_read(self):
        """Begin as soon as the pipe has a reader; return whether it has begun."""
        if self._process is not None:
            return True
        try:
            target = os.open(self._pipe, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return False
            raise
        os.set_blocking(target, True)
        try:
            with open(self._dump.path, "rb") as source:
                self._process = subprocess.Popen(
                    self._command,
                    stdin=source,
                    stdout=subprocess.PIPE if self.filter else target,
                    stderr=self._said,
                    preexec_fn=_end_with_parent,
                )
            if self.filter:
                self._thread = threading.Thread(target=self._pass_on, args=(os.dup(target),), daemon=True)
                self._thread.start()
        finally:
            os.close(target)
        return True

    def _pass_on(self, target):
        try:
            with os.fdopen(target, "wb", buffering=0) as stream, self._process.stdout as source:
                _write(stream, self._prologue)
                begins = True
                while True:
                    piece = source.read(_PIECE)
                    if begins:
                        # The mark that editors put at a text's beginning, which it is no longer.
                        piece, begins = piece.removeprefix(_BYTE_ORDER_MARK), False
                    _write(stream, self.filter.feed(piece, last=not piece))
                    if not piece:
                        return
        except BrokenPipeError:
            # Whoever reads has ended, and says why.
            pass
        except DatabaseError as error:
            self._error = error
        except Exception as error:
            self._error = DatabaseError(f"{self._dump.path} could not be read: {error}")

    @property
    def position(self):
        """How many bytes of the dump have been read."""
        try:
            with open(f"/proc/{self._process.pid}/fdinfo/0", encoding="ascii") as stream:
                return int(stream.readline().split()[1])
        except (OSError, AttributeError, IndexError, ValueError):
            return self._dump.size_bytes if self.whole else 0

    @property
    def whole(self):
        return self._process is not None and self._process.poll() == 0 and self._error is None

    def finish(self):
        """Wait for what has nobody left to write to."""
        if self._process is None:
            return
        if self._thread is not None:
            self._thread.join()
        self._process.wait()

    def check(self):
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
        raise DatabaseError(f"{self._dump.path} is damaged or cut short: {said[0] if said else self._command[0]}")

    def stop(self):
        if self._process is not None:
            self._process.kill()
            self.finish()
        self._said.close()


def _write(stream, data):
    view = memoryview(data)
    while view:
        view = view[stream.write(view) :]


def _end_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

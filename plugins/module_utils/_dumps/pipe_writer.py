# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What writes SQL from the container into a pipe of this host's, and the stream that is read of it."""

from __future__ import annotations

import contextlib
import io
import os
import threading
from collections.abc import Callable

from .._domain.errors import DatabaseError

# For pg_restore to notice that nobody reads any more.
_GRACE = 30


class Writer:
    """What writes into a pipe of the host's from the container, beside the one who reads it here."""

    def __init__(self, pipe: str, write: Callable[[], object]) -> None:
        self._pipe, self._write = pipe, write
        self._thread: threading.Thread | None = None
        self._error: DatabaseError | None = None
        self._opened = threading.Event()

    def begin(self) -> io.RawIOBase:
        """Begin, and return what is read, up to an error of the writer's."""
        thread = threading.Thread(target=self._run, daemon=True)
        self._thread = thread
        thread.start()
        stream = open(self._pipe, "rb")
        self._opened.set()
        return _Checked(stream, self._refuse_failure)

    def _run(self) -> None:
        try:
            self._write()
        except DatabaseError as error:
            self._error = error
        except Exception as error:
            self._error = DatabaseError(f"pg_restore could not be run: {error}")
        finally:
            # Whoever waits for somebody to open it finds its end.
            while not self._opened.wait(0.01):
                with contextlib.suppress(OSError):
                    os.close(os.open(self._pipe, os.O_WRONLY | os.O_NONBLOCK))

    def _refuse_failure(self) -> None:
        if self._thread is not None:
            self._thread.join()
        if self._error is not None:
            raise self._error

    def end(self) -> None:
        if self._thread is not None:
            self._thread.join(_GRACE)


class _Checked(io.RawIOBase):
    """A stream whose end counts only when whoever wrote it has come to a good end."""

    def __init__(self, stream: io.BufferedReader, check: Callable[[], None]) -> None:
        super().__init__()
        self._stream, self._check = stream, check

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read1(size)
        if not data:
            self._check()
        return data

    def close(self) -> None:
        self._stream.close()
        super().close()

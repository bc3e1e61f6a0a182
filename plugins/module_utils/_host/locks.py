# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exclusive locks between runs on one host. The kernel drops them with the process, however that ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator

from .._domain.errors import DatabaseError
from . import files


class Busy(DatabaseError):
    """Another run has the lock."""


@contextlib.contextmanager
def exclusive(path: str, seconds: float, what: str) -> Iterator[None]:
    """Hold the lock of that path. Raises DatabaseError where another run holds it for longer than seconds."""
    files.make_directory(os.path.dirname(path), 0o700)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DatabaseError(f"Could not open the lock {path}: {error.strerror}") from error
    try:
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise Busy(
                        f"Another run has been working on {what} for {seconds} s: wait for it, or raise wait_timeout"
                    ) from None
                time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)

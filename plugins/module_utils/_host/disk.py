# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What directories take on the disk, and what file systems have left."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, TypedDict

from .._domain.errors import DatabaseError, Refused
from .._domain.show import size as shown_size

if TYPE_CHECKING:

    class Space(TypedDict):
        total_bytes: int
        used_bytes: int
        free_bytes: int
        used_percent: float


# What the C library says of ENOSPC, in a client that speaks English (LC_ALL=C); less than the other is none.
NO_SPACE = "No space left on device"
_NONE = 1 << 20
# What the server is left of a disk that something else is to be written to.
LEAST_FREE = 64 << 20
_LEFT_MEANWHILE = "No such file"


def usage(path: str, seconds: float) -> int | None:
    """Return the bytes that a directory takes on the disk: None where there is none.

    As `du` says, which takes a tenth of the time that Python would, and none from the other threads. What others remove
    meanwhile does not count. Raises DatabaseError after seconds, or where it may not be read.
    """
    if not os.path.lexists(path):
        return None
    try:
        finished = subprocess.run(
            ["du", "-skH", path],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            env={**os.environ, "LC_ALL": "C"},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise DatabaseError(f"{path} could not be measured within {seconds} s: raise timeout") from None
    except OSError as error:
        raise DatabaseError(f"Could not run du to measure {path}: {error.strerror}") from error
    problems = [line for line in finished.stderr.splitlines() if _LEFT_MEANWHILE not in line]
    if problems:
        raise DatabaseError(f"Could not measure {path}: {problems[0]}. Use become: true")
    return int(finished.stdout.split()[0]) * 1024 if finished.stdout.strip() else None


def existing(path: str) -> str:
    """Return a path, or the nearest directory above it that is there."""
    while not os.path.exists(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


def space(path: str) -> Space:
    """Return the space of the file system of a path, or of the nearest directory above that is there."""
    try:
        status = os.statvfs(existing(path))
    except OSError as error:
        raise DatabaseError(f"Could not ask for the space of {path}: {error.strerror}") from error
    used = (status.f_blocks - status.f_bfree) * status.f_frsize
    free = status.f_bavail * status.f_frsize
    return {
        "total_bytes": status.f_blocks * status.f_frsize,
        "used_bytes": used,
        "free_bytes": free,
        # What is kept for root does not count, as in `df`: an ordinary process, such as the server, cannot use it.
        "used_percent": round(100 * used / (used + free), 1) if used + free else 100.0,
    }


def refuse_without_space(directory: str, expected: float, what: str, fix: str) -> None:
    """Raise Refused where a directory has not so many bytes free, beside what the server is left.

    what: what needs them. fix: what was not done, and how to make room.
    """
    free = space(directory)["free_bytes"]
    if free < expected + LEAST_FREE:
        raise Refused(
            f"{what} may need {shown_size(int(expected))}, but {directory} has {shown_size(free)} free, of which"
            f" {shown_size(LEAST_FREE)} are left to the server. {fix}"
        )


def is_full(path: str) -> bool:
    """Say whether nothing can be written any more where a path is."""
    return space(path)["free_bytes"] < _NONE

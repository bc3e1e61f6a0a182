# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a container that runs still has the directories of the host that it was started with.

A mount keeps the directory that was there then. Where that is removed, moved away or mounted over, the host and the
container speak of two different ones by the same path, until the container is started again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable


def replaced(pid: int, mounts: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return those directories of the host that are no longer what a container has as them.

    pid: of the container's first process; mounts: the path on the host and the one in the container of each. What
    cannot be seen is left out.
    """
    try:
        with open(f"/proc/{pid}/mountinfo", encoding="utf-8", errors="surrogateescape") as stream:
            points = mount_points(stream.read())
    except OSError:
        return ()
    return tuple(source for source, inside in mounts if inside in points and _is_replaced(pid, source, inside))


def mount_points(text: str) -> set[str]:
    """Return where something is mounted (C(/proc/PID/mountinfo))."""
    points = (line.split(" ")[4] for line in text.splitlines() if line.count(" ") > 4)
    return {re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), point) for point in points}


def _is_replaced(pid: int, source: str, inside: str) -> bool:
    try:
        had = os.stat(f"/proc/{pid}/root{inside}")
    except OSError:
        return False
    try:
        there = os.stat(source)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return (had.st_dev, had.st_ino) != (there.st_dev, there.st_ino)

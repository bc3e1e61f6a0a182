# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a disk will be full, going on as until now. Pure."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_LEAST_SAMPLES = 3
_LEAST_SECONDS = 3600
# A day's history says nothing of the next year: not further ahead than this many times the time behind.
_REACH = 10
_OLDEST_DAYS = 30


def days_until_full(samples: Iterable[Mapping[str, Any]], free_bytes: int, now: str) -> float | None:
    """Return the days until a file system has no space left, or None where it does not fill or nothing can be said.

    samples: mappings of gathered_at (ISO 8601, UTC) and disk_used_bytes, in any order; what is not such is passed over.
    free_bytes: what is left now. now: ISO 8601, UTC.
    """
    points = sorted({point for point in (_point(sample, now) for sample in samples) if point is not None})
    if len(points) < _LEAST_SAMPLES or points[-1][0] - points[0][0] < _LEAST_SECONDS:
        return None
    slope = _slope(points)
    if slope <= 0:
        return None
    seconds = max(0, free_bytes) / slope
    if seconds > _REACH * (points[-1][0] - points[0][0]):
        return None
    return seconds / 86400


def _point(sample: Mapping[str, Any], now: str) -> tuple[float, float] | None:
    """Return (seconds before or after now, bytes) of a sample of the last weeks."""
    try:
        moment = datetime.datetime.fromisoformat(str(sample["gathered_at"])[:19])
        used = float(sample["disk_used_bytes"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    if not math.isfinite(used):
        return None
    seconds = (moment - datetime.datetime.fromisoformat(now[:19])).total_seconds()
    return (seconds, used) if -_OLDEST_DAYS * 86400 <= seconds <= 0 else None


def _slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the bytes for each second, by least squares."""
    count = len(points)
    mean_x = sum(x for x, _y in points) / count
    mean_y = sum(y for _x, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _y in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0

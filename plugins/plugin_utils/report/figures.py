# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures as a person reads them. Pure; what is not known is written as a dash."""

from __future__ import annotations

import datetime

UNKNOWN = "-"
_SIZES = ("B", "kB", "MB", "GB", "TB", "PB")
_SPANS = ((86400, "d"), (3600, "h"), (60, "min"))


def size(count: float | None) -> str:
    """Write bytes in powers of 1024, as PostgreSQL does: C(42 MB)."""
    if count is None:
        return UNKNOWN
    value, unit = float(count), 0
    while round(abs(value)) >= 1024 and unit < len(_SIZES) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.1f} {_SIZES[unit]}" if unit and abs(value) < 9.95 else f"{value:.0f} {_SIZES[unit]}"


def span(seconds: float | None) -> str:
    """Write a time that has passed by its one greatest unit: C(5 min), C(3 h), C(12 d)."""
    if seconds is None:
        return UNKNOWN
    for length, unit in _SPANS:
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def milliseconds(value: float | None) -> str:
    """Write the time of a statement: C(0.42 ms), C(18 ms), C(2.4 s), C(3 min)."""
    if value is None:
        return UNKNOWN
    if value >= 120000:
        return span(value / 1000)
    if value >= 1000:
        return f"{value / 1000:.1f} s"
    return f"{value:.0f} ms" if value >= 10 else f"{value:.2f} ms"


def number(value: float | None) -> str:
    """Write a count, with thousands set apart: C(12,345)."""
    if value is None:
        return UNKNOWN
    return f"{value:,.0f}" if abs(value) >= 10 or value == int(value) else f"{value:.1f}"


def percent(value: float | None, places: int = 1) -> str:
    """Write a percentage, from 0 to 100: C(2.5%)."""
    return UNKNOWN if value is None else f"{value:.{places}f}%"


def ratio(value: float | None, limit: float | None) -> float | None:
    """Return what part of a limit is used, from 0 to 1, or None where there is no limit."""
    return None if value is None or not limit else max(0.0, min(1.0, value / limit))


def filled(used: float | None, free: float | None) -> float | None:
    """Return what part of a file system is in use, as df counts: of what can be used, without what is set aside."""
    return None if used is None or free is None else ratio(used, used + free)


def plural(count: int, one: str, many: str | None = None) -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def seconds_of(text: object) -> float | None:
    """Return the seconds since 1970 that a time in UTC stands for (C(2025-12-24T14:22:50.000Z)), or None."""
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        return float(text)
    if not isinstance(text, str):
        return None
    # Python 3.9 reads neither the Z nor the nanoseconds of the engine.
    plain = text.strip().replace("Z", "").replace("+00:00", "").replace(" ", "T").split(".")[0]
    try:
        return datetime.datetime.fromisoformat(plain).replace(tzinfo=datetime.timezone.utc).timestamp()
    except ValueError:
        return None


def moment(seconds: float) -> str:
    """Write a time in UTC as it is stored: C(2026-01-24T14:22:50Z)."""
    return datetime.datetime.fromtimestamp(int(seconds), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def minute(value: str | float | None) -> str:
    """Write a time in UTC to the minute: C(2026-01-24 14:22)."""
    seconds = seconds_of(value)
    return UNKNOWN if seconds is None else moment(seconds)[:16].replace("T", " ")


def age(value: str | float | None, now: float) -> float | None:
    """Return the seconds that have passed since a time in UTC, or None where it is not known."""
    seconds = seconds_of(value)
    return None if seconds is None else now - seconds


def ago(value: str | float | None, now: float) -> str:
    """Write how long ago a time is: C(3 h ago)."""
    seconds = age(value, now)
    return UNKNOWN if seconds is None else f"{span(seconds)} ago"

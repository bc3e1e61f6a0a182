# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures in the words of the seed's API, and text without its secrets. Pure."""

from __future__ import annotations

import re

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")

# A password in a statement, a connection string or a URL, up to its end or that of a text that was cut off.
_LITERAL = r"(?:[eEnN]|[uU]&)?'(?:[^']|'')*(?:'|$)|\$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|$)"
_SECRETS = (
    (re.compile(rf"(?is)(\bpassword(?:\s*:\s*|\s+to\s+|\s+))(?:{_LITERAL})"), r"\1'***'"),
    # A parameter, such as $1, is none.
    (
        re.compile(
            r"(?i)((?:password|passwd|pwd|secret|token)\w*\s*=\s*)(?!\$\d)"
            r"(?:''[^']+(?:''|$)|(?:[eEnN]|[uU]&)?'(?:[^']|'')*(?:'|$)|[^\s'\"&;)]+)"
        ),
        r"\1***",
    ),
    (re.compile(r"(?i)(\b[a-z][a-z0-9+.-]*://[^\s:/@'\"]*:)[^\s@'\"]+@"), r"\1***@"),
    (re.compile(r"(?:SCRAM-SHA-256\$[0-9]+:\S+|\bmd5[0-9a-f]{32}\b)"), "***"),
)


def without_secrets(text: str) -> str:
    """Return a statement or a line of a log with its passwords masked."""
    for pattern, blot in _SECRETS:
        text = pattern.sub(blot, text)
    return text


def size(count: float, blank: str = " ") -> str:
    """Write bytes in the largest unit that leaves a whole number: C(42 MB), C(1.4 GB). Units are powers of 1024."""
    number, unit = float(count), 0
    while number >= 999.5 and unit < len(_UNITS) - 1:
        number, unit = number / 1024, unit + 1
    shown = f"{number:.1f}" if unit and number < 9.95 and f"{number:.1f}"[-1] != "0" else f"{number:.0f}"
    return f"{shown}{blank}{_UNITS[unit]}"


def percent(number: float) -> str:
    """C(2.5%)."""
    return f"{number:.1f}%"


def memory(used: int, limit: int) -> str:
    """C(156MB / 512MB)."""
    return f"{size(used, '')} / {size(limit, '')}"


def duration(seconds: float) -> str:
    """Write a time in its two largest units: C(2d 5h), C(5h 12m), C(12m 30s), C(30s)."""
    seconds = max(0, int(seconds))
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days}d {hours}h"
    if hours:
        return f"{hours}h {minutes}m"
    return f"{minutes}m {seconds % 60}s" if minutes else f"{seconds}s"

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The noun of this room, and what its rules share. Pure."""

from __future__ import annotations

import dataclasses
import datetime

CRITICAL, WARNING, INFO = SEVERITIES = ("critical", "warning", "info")


@dataclasses.dataclass(frozen=True)
class Finding:
    """severity: one of SEVERITIES; message: what is the matter, with the figures; advice: what to do."""

    severity: str
    code: str
    message: str
    advice: str


def above(value, limits, name):
    """Return the severity of a figure that has reached its threshold, or None."""
    if value >= limits[f"{name}_critical"]:
        return CRITICAL
    return WARNING if value >= limits[f"{name}_warning"] else None


def seconds_between(earlier, later):
    """Both ISO 8601 in UTC."""
    begin, end = (datetime.datetime.fromisoformat(moment[:19]) for moment in (earlier, later))
    return (end - begin).total_seconds()


def listed(names, most=5):
    """Name a few of many: C(a, b and 3 more)."""
    shown = ", ".join(str(name) for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def days(number):
    """C(1 day), C(2.5 days)."""
    shown = f"{number:.1f}".rstrip("0").rstrip(".") if number < 10 else f"{number:.0f}"
    return f"{shown} day" if shown == "1" else f"{shown} days"

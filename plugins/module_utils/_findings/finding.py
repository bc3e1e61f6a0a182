# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The noun of this room, and what its rules share. Pure."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # What was gathered of a database, as `evaluate.findings` has it: the sections are a server's answers.
    Facts = Mapping[str, Any]

CRITICAL, WARNING, INFO = SEVERITIES = ("critical", "warning", "info")


@dataclasses.dataclass(frozen=True)
class Finding:
    """severity: one of SEVERITIES; message: what is the matter, with the figures; advice: what to do."""

    severity: str
    code: str
    message: str
    advice: str


def above(value: float, warning: float, critical: float) -> str | None:
    """Return the severity of a figure that has reached its threshold, or None."""
    if value >= critical:
        return CRITICAL
    return WARNING if value >= warning else None


def seconds_between(earlier: str, later: str) -> float:
    """Both ISO 8601 in UTC."""
    begin, end = (datetime.datetime.fromisoformat(moment[:19]) for moment in (earlier, later))
    return (end - begin).total_seconds()


def listed(names: Sequence[str], most: int = 5) -> str:
    """Name a few of many: C(a, b and 3 more)."""
    shown = ", ".join(str(name) for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def days(number: float) -> str:
    """C(1 day), C(2.5 days)."""
    shown = f"{number:.1f}".rstrip("0").rstrip(".") if number < 10 else f"{number:.0f}"
    return f"{shown} day" if shown == "1" else f"{shown} days"

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The time, in UTC, and how it is written."""

from __future__ import annotations

import datetime


def utc_now() -> datetime.datetime:
    """Return the time in UTC, without a time zone, as all moments here are."""
    return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)


def iso(moment: datetime.datetime) -> str:
    """Write a moment (UTC, without a time zone) to the second: C(2026-01-24T14:22:50Z)."""
    return moment.replace(microsecond=0).isoformat() + "Z"


def iso_milliseconds(moment: datetime.datetime) -> str:
    """Write a moment (UTC, without a time zone) to the millisecond: C(2025-12-24T14:22:50.000Z)."""
    return moment.isoformat(timespec="milliseconds") + "Z"

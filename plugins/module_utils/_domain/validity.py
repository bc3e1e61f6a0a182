# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For how long certificates are valid, and when they are renewed. Pure; moments are ISO 8601 in UTC."""

from __future__ import annotations

import datetime

AUTHORITY_DAYS = 3650
# The most that clients on all platforms accept of a server, https://support.apple.com/en-us/102028
SERVER_DAYS = 397
RENEW_DAYS = 30
# So that no server certificate outlives its authority, and clients have a year to take the new one.
AUTHORITY_RENEW_DAYS = SERVER_DAYS + 365


def ended(not_after: str, now: str) -> bool:
    """Say whether a certificate has ended. not_after, now: ISO 8601, UTC."""
    return _remaining(not_after, now) < datetime.timedelta(0)


def renewal_due(not_after: str, now: str) -> bool:
    """Say whether a server certificate that ends at not_after is to be renewed."""
    return _remaining(not_after, now) < datetime.timedelta(days=RENEW_DAYS)


def authority_renewal_due(not_after: str, now: str) -> bool:
    """Say whether the authority's certificate is to be renewed. not_after, now: ISO 8601, UTC."""
    return _remaining(not_after, now) < datetime.timedelta(days=AUTHORITY_RENEW_DAYS)


def _remaining(not_after: str, now: str) -> datetime.timedelta:
    end = datetime.datetime.fromisoformat(not_after.rstrip("Z"))
    return end - datetime.datetime.fromisoformat(now.rstrip("Z"))

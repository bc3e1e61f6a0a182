# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From where on something is a finding. Pure data."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:

    class Limits(TypedDict):
        connections_warning: float
        connections_critical: float
        disk_warning: float
        disk_critical: float
        disk_full_warning_days: float
        disk_full_critical_days: float
        backup_hours: float | None
        verified_days: float
        certificate_warning_days: float
        certificate_critical_days: float
        wraparound_warning: float
        wraparound_critical: float
        vacuum_blocked_transactions: float
        idle_transaction_seconds: float
        long_transaction_seconds: float
        retained_wal_bytes: float
        restarts: float
        end_of_life_days: float
        pooler_wait_warning_seconds: float
        pooler_wait_critical_seconds: float


DEFAULTS: Limits = {
    "connections_warning": 80.0,
    "connections_critical": 95.0,
    "disk_warning": 80.0,
    "disk_critical": 90.0,
    "disk_full_warning_days": 14.0,
    "disk_full_critical_days": 3.0,
    # Without a word, by the environment.
    "backup_hours": None,
    "verified_days": 35.0,
    "certificate_warning_days": 21.0,
    "certificate_critical_days": 7.0,
    "wraparound_warning": 40.0,
    "wraparound_critical": 75.0,
    "vacuum_blocked_transactions": 1_000_000,
    "idle_transaction_seconds": 900.0,
    "long_transaction_seconds": 14400.0,
    "retained_wal_bytes": 10 << 30,
    "restarts": 3,
    "end_of_life_days": 180.0,
    "pooler_wait_warning_seconds": 5.0,
    # PgBouncer sends away who has waited for 120.
    "pooler_wait_critical_seconds": 60.0,
}

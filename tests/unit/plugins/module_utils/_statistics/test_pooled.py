# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pooler's console says, as it is shown."""

from __future__ import annotations

from ansible_collections.vellaric.postgres.plugins.module_utils._statistics import pooled

VERSION = [{"version": "PgBouncer 1.24.1"}]
CONFIG = [{"key": "listen_port", "value": "6432"}, {"key": "max_client_conn", "value": "1000"}]
DATABASES = [
    {"name": "pgbouncer", "max_connections": "0", "paused": "0"},
    {"name": "shop", "max_connections": "25", "paused": "1"},
    {"name": "shop_session", "max_connections": "5", "paused": "0"},
]


def pool(database, user="owner", active=1, waiting=0, seconds="0", micro="0"):
    return {
        "database": database,
        "user": user,
        "pool_mode": "transaction",
        "cl_active": str(active),
        "cl_waiting": str(waiting),
        "maxwait": seconds,
        "maxwait_us": micro,
        **dict.fromkeys(("sv_active", "sv_idle", "sv_used", "sv_tested", "sv_login"), "1"),
    }


def test_sums_are_of_all_pools_and_the_worst_are_shown():
    pools = [pool("pgbouncer", active=9), pool("shop", active=3), pool("shop", "reporting", 0, 2, "7", "250000")]
    found = pooled.shaped([VERSION, DATABASES, [*pools, pool("shop_session")], CONFIG], 2)
    assert [one["user"] for one in found.pop("pools")] == ["reporting", "owner"]
    assert found == {
        "version": "1.24.1",
        "paused": ["shop"],
        "clients_active": 4,
        "clients_waiting": 2,
        "clients_limit": 1000,
        "maxwait_seconds": 7.25,
        "server_connections": 15,
        "server_connections_limit": 30,
    }


def test_nobody_has_come_yet():
    found = pooled.shaped([[{"version": "x"}], DATABASES, [], CONFIG], 10)
    assert found["version"] is None and found["maxwait_seconds"] == 0 and found["pools"] == []

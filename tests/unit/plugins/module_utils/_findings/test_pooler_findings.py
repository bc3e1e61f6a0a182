# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules on a pooler."""

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._findings import evaluate

NOW = "2026-06-15T12:00:00.000Z"
POOLER = {"container_name": "app-production-postgres-pool", "container_status": "running", "health": "healthy"}
SHOWN = {
    "container_name": "app-production-postgres",
    "environment": "production",
    "status": "active",
    "status_reason": None,
    "container_status": "running",
    "started_at": "2026-06-01T00:00:00.123Z",
    "created_at": "2026-06-01T00:00:00.123Z",
    "bind_address": "127.0.0.1",
    "sslmode": "prefer",
    "trusted_sources": None,
    "port": 5432,
    "data_directory": "/var/vellaric/postgres/x",
    "pooler": POOLER,
}
POOL = {
    "database": "app",
    "user": "owner",
    "clients_waiting": 0,
    "server_connections": 5,
    "server_connections_active": 5,
}
POOLED = {
    "version": "1.24.1",
    "paused": [],
    "clients_active": 4,
    "clients_waiting": 0,
    "clients_limit": 1000,
    "maxwait_seconds": 0.0,
    "server_connections": 5,
    "server_connections_limit": 30,
    "pools": [POOL],
}


def found(pooler="the usual one", status="active", silent=None, limit=97, server_silent=None, **changed):
    facts = {
        "shown": {**SHOWN, "pooler": POOLER if pooler == "the usual one" else pooler, "status": status},
        "silent": server_silent,
        "pooler_silent": silent,
        "pooler_statistics": None if silent else {**POOLED, **changed},
        "statistics": {"connections": 5, "connections_limit": limit},
    }
    findings = [one for one in evaluate.findings(facts, {}, NOW) if one["code"].startswith("pooler")]
    for finding in findings:
        assert finding["message"].endswith(".") and finding["advice"].endswith("."), finding
        assert "None" not in finding["message"] + finding["advice"]
    return [(one["severity"], one["code"].partition("_")[2]) for one in findings]


def test_nothing_is_the_matter_with_it():
    assert found() == [] and found(pooler=None, silent=None) == []


@pytest.mark.parametrize("status", ["absent", "exited", "restarting", "created"])
def test_it_does_not_run(status):
    gone = {**POOLER, "container_status": status, "health": None}
    assert found(pooler=gone, silent="it is gone") == [("critical", "not_running")]
    # With its database it is stopped on purpose.
    assert found(pooler=gone, silent="it is gone", status="stopped") == []


def test_it_does_not_answer():
    assert found(silent="the console does not answer") == [], "the engine may be in another process namespace"
    assert found({**POOLER, "health": "unhealthy"}, silent="it hangs") == [("critical", "not_answering")]


def test_it_is_paused():
    assert found(paused=["app"]) == [("warning", "paused")]
    assert found(paused=["app"], clients_waiting=2, maxwait_seconds=1.0) == [("warning", "paused")]
    assert found(paused=["app"], clients_waiting=2, maxwait_seconds=5.0) == [("critical", "paused")]


@pytest.mark.parametrize(("seconds", "expected"), [(4.9, []), (5.0, ["warning"]), (60.0, ["critical"])])
def test_clients_wait(seconds, expected):
    waiting = {"clients_waiting": 3, "maxwait_seconds": seconds, "pools": [{**POOL, "clients_waiting": 3}]}
    assert found(**waiting) == [(severity, "clients_waiting") for severity in expected]
    assert found(**waiting, server_silent="it hangs") == [], "that is another finding"


def test_most_clients_are_there():
    assert found(clients_active=799) == []
    assert found(clients_active=700, clients_waiting=100) == [("warning", "clients_near_limit")]
    assert found(clients_active=950) == [("critical", "clients_near_limit")]


def test_it_is_larger_than_the_server():
    assert found(limit=37) == []
    assert found(limit=36) == [("warning", "too_large")]


@pytest.mark.parametrize(
    ("version", "expected"),
    [("1.18.0", []), ("1.26.1", []), ("1.25.1", ["version"]), ("1.25.2", ["version"]), ("1.17.0", ["version"])],
)
def test_versions(version, expected):
    assert found(version=version) == [("warning", code) for code in expected]

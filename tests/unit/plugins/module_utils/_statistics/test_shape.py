# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib

from ansible_collections.vellaric.postgres.plugins.module_utils._host.cgroups import Sample
from ansible_collections.vellaric.postgres.plugins.module_utils._statistics import shape

NOW = "2026-06-15T12:00:00.000Z"
SAMPLE = Sample(10.0, 5.0, 156 << 20, 512 << 20, 9, 0)
SPACE = {"total_bytes": 100, "used_bytes": 40, "free_bytes": 55, "used_percent": 42.1}
LYING = {"directory_bytes": 42 << 20, "disk": SPACE}
CERTIFICATE = {
    "subject": "CN=app",
    "issuer": "CN=host",
    "names": ["app"],
    "not_before": "2026-06-01T00:00:00Z",
    "not_after": "2026-06-25T00:00:00Z",
    "fingerprint": hashlib.sha256(b"der").hexdigest(),
    "authority_not_after": "2035-01-01T00:00:00Z",
}


def test_the_seed_s_statistics():
    server = {"connections": 3, "connections_limit": 97}
    found = shape.statistics("active", server, LYING, 2.5, SAMPLE, 512 << 20, 190800, NOW)
    seed = {key: found[key] for key in ("status", "size", "connections", "cpu", "memory", "uptime")}
    assert seed == {
        "status": "running",
        "size": "42 MB",
        "connections": 3,
        "cpu": "2.5%",
        "memory": "156MB / 512MB",
        "uptime": "2d 5h",
    }
    assert (found["size_bytes"], found["memory_percent"], found["disk_free_bytes"]) == (42 << 20, 30.5, 55)


def test_what_is_not_known_is_null_and_there():
    whole = shape.statistics("active", {"connections": 3}, LYING, 2.5, SAMPLE, 512 << 20, 190800, NOW)
    nothing = shape.statistics("stopped", None, {}, None, None, None, None, NOW)
    assert set(nothing) == set(whole)
    assert {key for key, value in nothing.items() if value is not None} == {"status", "gathered_at"}
    assert nothing["status"] == "stopped"


def test_a_certificate_and_the_one_that_is_shown():
    assert shape.tls(CERTIFICATE, (b"der", "TLSv1.3"), NOW)["served"] is True
    assert shape.tls(CERTIFICATE, (b"another", "TLSv1.3"), NOW)["served"] is False
    unknown = shape.tls(CERTIFICATE, None, NOW)
    assert (unknown["served"], unknown["protocol"], unknown["days_left"]) == (None, None, 9.5)


def test_settings_are_sorted_and_without_secrets_and_the_distribution_s_words():
    answer = {
        "version": "18.6 (Debian 18.6-3)",
        "parameters": {
            "work_mem": {"value": "64MB", "source": "configuration file", "pending_restart": False},
            "DateStyle": {"value": "ISO", "source": "configuration file", "pending_restart": False},
            "primary_conninfo": {"value": "user=a password=hunter2", "source": "database", "pending_restart": False},
        },
        "pending_restart": [],
        "extensions": [],
    }
    found = shape.settings(answer)
    assert found["version"] == "18.6" and list(found["parameters"]) == ["DateStyle", "primary_conninfo", "work_mem"]
    assert found["parameters"]["primary_conninfo"]["value"] == "user=a password=***"


def test_statements_are_shown_without_secrets():
    statement = "ALTER ROLE a PASSWORD 'hunter2'"
    answer = {
        "transactions": [{"pid": 1, "query": statement}],
        "blocked": [{"pid": 2, "query": statement, "blocked_by": [{"pid": 1, "query": statement}]}],
        "vacuum_held_by": [],
    }
    assert "hunter2" not in str(shape.activity(answer))
    assert shape.queries({"queries": [{"query": statement}, {"query": None}]})[1]["query"] == ""

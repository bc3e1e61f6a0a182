# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each rule by itself: what makes it speak, with which severity, and what leaves it silent."""

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._findings import evaluate, releases, thresholds
from ansible_collections.vellaric.postgres.plugins.module_utils._findings.finding import SEVERITIES
from ansible_collections.vellaric.postgres.plugins.module_utils._host import roots

NOW = "2026-06-15T12:00:00.000Z"
SHOWN = {
    "container_name": "app-production-postgres",
    "environment": "production",
    "status": "active",
    "status_reason": None,
    "container_status": "running",
    "created_at": "2026-01-01T00:00:00.000Z",
    "started_at": "2026-06-01T00:00:00.123Z",
    "bind_address": "127.0.0.1",
    "sslmode": "prefer",
    "trusted_sources": None,
    "port": 5432,
    "data_directory": "/var/vellaric/postgres/x",
}
BACKUP = {"created_at": "2026-06-15T02:00:00Z", "verified_at": "2026-06-14T02:00:00Z", "name": "x", "damage": None}
# A database that nothing is the matter with.
FACTS = {
    "shown": SHOWN,
    "silent": None,
    "container": {"restart_count": 0, "oom_killed": False, "oom_kills": 0, "exit_code": 0},
    "statistics": {
        "connections": 5,
        "connections_limit": 100,
        "oldest_transaction_age": 1000,
        "oldest_multixact_age": 5,
        "checksum_failures": 0,
    },
    "server_settings": {"version": "17.5", "pending_restart": []},
    "activity": {"transactions": [], "vacuum_held_by": []},
    "replication": {"slots": [], "archiving": {"enabled": False, "last_failed_at": None, "last_archived_at": None}},
    "backups": {"last": BACKUP, "last_verified": BACKUP, "damaged": []},
    "tls": {"not_after": "2027-06-15T12:00:00Z", "served": True},
    "checks": {"invalid_indexes": [], "collations": []},
    "trust": {"privileges": {}, "altered": []},
    "disk": {"total_bytes": 100 << 30, "used_bytes": 50 << 30, "free_bytes": 50 << 30, "used_percent": 50.0},
    "backup_disk": {"total_bytes": 100 << 30, "used_bytes": 50 << 30, "free_bytes": 50 << 30, "used_percent": 50.0},
    "newer_image": None,
    "drift": [],
    "samples": [],
}


def found(limits=None, **changed):
    """Return (severity, code) of the findings with some facts changed; those of a mapping are laid over it."""
    facts = dict(FACTS)
    for name, value in changed.items():
        facts[name] = {**facts[name], **value} if isinstance(value, dict) and isinstance(facts[name], dict) else value
    findings = evaluate.findings(facts, limits or {}, NOW)
    for finding in findings:
        assert set(finding) == {"severity", "code", "database", "message", "advice"}
        assert finding["database"] == "app-production-postgres"
        assert finding["message"].endswith(".") and finding["advice"].endswith("."), finding
        assert "None" not in finding["message"] + finding["advice"]
    return [(finding["severity"], finding["code"]) for finding in findings]


def message(code, **changed):
    facts = {**FACTS, **{name: {**FACTS[name], **value} for name, value in changed.items()}}
    return next(f["message"] for f in evaluate.findings(facts, {}, NOW) if f["code"] == code)


def test_a_database_that_nothing_is_the_matter_with():
    assert found() == []


def test_what_could_not_be_had_is_no_finding():
    nothing = {name: None for name in FACTS if name not in ("shown", "samples")}
    assert evaluate.findings({**FACTS, **nothing}, {}, NOW) == []
    assert evaluate.findings({"shown": SHOWN}, {}, NOW) == []


@pytest.mark.parametrize(
    ("taken", "expected"),
    [(79, []), (80, ["warning"]), (94, ["warning"]), (95, ["critical"]), (120, ["critical"])],
)
def test_connections_near_the_limit(taken, expected):
    assert found(statistics={"connections": taken}) == [(s, "connections_near_limit") for s in expected]


def test_a_server_that_allows_no_connections_is_none_near_its_limit():
    assert found(statistics={"connections": 0, "connections_limit": 0}) == []


@pytest.mark.parametrize(("percent", "expected"), [(79.9, []), (80.0, ["warning"]), (90.0, ["critical"])])
def test_a_disk_that_fills(percent, expected):
    assert found(disk={"used_percent": percent}) == [(s, "disk_filling") for s in expected]


def test_a_disk_of_the_backups_counts_where_it_is_another():
    assert found(backup_disk={"used_percent": 95.0}) == []
    other = {"used_percent": 95.0, "total_bytes": 7 << 30}
    assert found(backup_disk=other) == [("critical", "disk_filling")]


def samples(days, bytes_a_day):
    """One a day up to now, growing to the 50 GiB that are used."""
    return [
        {"gathered_at": f"2026-06-{15 - ago:02d}T12:00:00Z", "disk_used_bytes": (50 << 30) - ago * bytes_a_day}
        for ago in range(days)
    ]


@pytest.mark.parametrize(
    ("days_left", "expected"), [(40, []), (14.5, []), (13.5, ["warning"]), (3.2, ["warning"]), (2.9, ["critical"])]
)
def test_a_disk_that_will_be_full(days_left, expected):
    history = samples(8, (50 << 30) / days_left)
    assert found(samples=history) == [(s, "disk_full_soon") for s in expected]


def test_the_day_is_said():
    facts = {**FACTS, "samples": samples(8, 5 << 30)}
    assert "2026-06-25, in 10 days" in evaluate.findings(facts, {}, NOW)[0]["message"]


def test_memory_that_was_wanting():
    assert found(container={"oom_kills": 2}) == [("warning", "out_of_memory")]
    stopped = {"container_status": "exited", "status": "error", "status_reason": "the OOM killer ended it"}
    expected = [("critical", "not_serving"), ("critical", "out_of_memory")]
    assert found(container={"oom_killed": True}, shown=stopped) == expected


@pytest.mark.parametrize("key", ["oldest_transaction_age", "oldest_multixact_age"])
@pytest.mark.parametrize(("age", "expected"), [(800, []), (900, ["warning"]), (1700, ["critical"])])
def test_wraparound(key, age, expected):
    assert found(statistics={key: age * 10**6}) == [(s, "wraparound") for s in expected]


def test_a_slot_that_keeps_the_log():
    slot = {"name": "lost", "active": False, "retained_bytes": 11 << 30}
    assert found(replication={"slots": [slot]}) == [("warning", "retained_wal")]
    assert found(replication={"slots": [{**slot, "retained_bytes": 9 << 30}]}) == []


def test_a_server_that_does_not_serve():
    assert found(shown={"status": "error", "status_reason": "its container is missing"}) == [
        ("critical", "not_serving")
    ]
    stopped = {"status": "stopped", "container_status": "exited", "started_at": None}
    assert found(shown=stopped) == [("critical", "stopped")]
    assert found(shown={**stopped, "environment": "staging"}) == [("info", "stopped")]
    assert found(silent="it did not answer within 10 s") == [("critical", "not_answering")]


def test_a_restart_loop():
    now = {"container_status": "restarting", "status": "error", "status_reason": "x", "started_at": None}
    assert found(shown=now, container={"restart_count": 4, "exit_code": 1}) == [("critical", "restart_loop")]
    today = {"started_at": "2026-06-15T03:00:00.5Z"}
    assert found(shown=today, container={"restart_count": 3}) == [("warning", "restart_loop")]
    assert found(shown=today, container={"restart_count": 2}) == []
    assert found(container={"restart_count": 300}) == [], "long ago"


def transaction(**given):
    known = {"pid": 7, "user": "app", "address": "10.0.0.7", "state": "idle in transaction", "seconds": 10.0}
    return {"activity": {"transactions": [{**known, "state_seconds": 5.0, **given}]}}


def test_transactions_that_are_left_open():
    assert found(**transaction()) == []
    assert found(**transaction(state_seconds=900.0)) == [("warning", "idle_transaction")]
    aborted = transaction(state="idle in transaction (aborted)", state_seconds=900.0)
    assert found(**aborted) == [("warning", "idle_transaction")]
    assert found(**transaction(state="active", seconds=14399.0)) == []
    assert found(**transaction(state="active", seconds=14400.0)) == [("warning", "long_transaction")]


@pytest.mark.parametrize("kind", ["transaction", "slot", "prepared transaction", "standby"])
def test_vacuum_that_is_held_back(kind):
    holder = {"kind": kind, "name": "7", "age": 1000000}
    assert found(activity={"vacuum_held_by": [holder]}) == [("warning", "vacuum_blocked")]
    assert found(activity={"vacuum_held_by": [{**holder, "age": 999999}]}) == []


def test_invalid_indexes_are_one_finding():
    assert found(checks={"invalid_indexes": ["public.a", "public.b"]}) == [("warning", "invalid_index")]
    assert "Index public.a is" in message("invalid_index", checks={"invalid_indexes": ["public.a"]})
    many = message("invalid_index", checks={"invalid_indexes": [f"public.i{n}" for n in range(9)]})
    assert "public.i4 and 4 more" in many


def test_text_that_sorts_otherwise():
    known = [{"name": "the database", "recorded": "2.36", "actual": "2.41"}]
    assert found(checks={"collations": known}) == [("critical", "collation_mismatch")]


def test_archiving_that_fails():
    failing = {
        "enabled": True,
        "last_failed_at": "2026-06-15T11:00:00Z",
        "last_failed": "0000",
        "last_archived_at": None,
    }
    assert found(replication={"archiving": failing}) == [("critical", "archiving_fails")]
    fixed = {**failing, "last_archived_at": "2026-06-15T11:30:00Z"}
    assert found(replication={"archiving": fixed}) == []


def test_blocks_that_are_damaged():
    assert found(statistics={"checksum_failures": 1}) == [("critical", "checksum_failures")]
    assert found(statistics={"checksum_failures": None}) == []


def test_parameters_that_wait_for_a_restart():
    assert found(server_settings={"pending_restart": ["shared_buffers"]}) == [("warning", "restart_pending")]


def test_a_backup_that_is_overdue():
    old = {"last": {**BACKUP, "created_at": "2026-06-14T09:00:00Z"}}
    assert found(backups=old) == [("critical", "backup_overdue")]
    assert found(backups={"last": {**BACKUP, "created_at": "2026-06-14T10:30:00Z"}}) == []
    assert found(backups=old, shown={"environment": "staging"}) == []
    assert found(backups=old, shown={"environment": "development"}) == []
    assert found({"backup_hours": 24}, backups=old, shown={"environment": "development"}) == [
        ("warning", "backup_overdue")
    ]
    assert found({"backup_hours": 0}, backups=old) == []


def test_no_backup_at_all():
    none = {"last": None, "last_verified": None}
    assert found(backups=none) == [("critical", "backup_overdue")]
    assert found(backups=none, shown={"created_at": "2026-06-15T00:00:00Z"}) == [], "it is not due yet"


def test_a_backup_that_nobody_has_tried():
    assert found(backups={"last_verified": None}) == [("warning", "backup_unverified")]
    assert found(backups={"last_verified": None}, shown={"environment": "development"}) == []
    long_ago = {"last_verified": {**BACKUP, "verified_at": "2026-05-01T00:00:00Z"}}
    assert found(backups=long_ago) == [("warning", "backup_unverified")]
    assert found({"verified_days": 90}, backups=long_ago) == []
    assert found({"verified_days": 0}, backups={"last_verified": None}) == []


def test_a_backup_that_is_damaged():
    broken = {**BACKUP, "damage": "its file is missing"}
    unread = {**BACKUP, "damage": None, "undecided": "Could not read it: Permission denied"}
    assert found(backups={"damaged": [broken, broken]}) == [("warning", "backup_damaged")]
    assert found(backups={"damaged": [unread]}) == [("warning", "backup_undecided")]


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ("2026-07-07T12:00:00Z", []),
        ("2026-07-05T12:00:00Z", ["warning"]),
        ("2026-06-20T12:00:00Z", ["critical"]),
        ("2026-06-14T12:00:00Z", ["critical"]),
    ],
)
def test_a_certificate_that_ends(end, expected):
    assert found(tls={"not_after": end}) == [(s, "certificate_ending") for s in expected]


def test_a_certificate_that_the_server_does_not_show():
    assert found(tls={"served": False}) == [("warning", "certificate_not_served")]
    assert found(tls={"served": None}) == []


@pytest.mark.parametrize(
    ("changed", "is_open"),
    [
        ({"bind_address": "0.0.0.0"}, True),
        ({"bind_address": "::"}, True),
        ({"bind_address": "8.8.8.8"}, True),
        ({"bind_address": "0.0.0.0", "trusted_sources": ["10.0.0.0/8", "0.0.0.0/0"]}, True),
        ({"bind_address": "0.0.0.0", "trusted_sources": ["::/0"]}, True),
        ({"bind_address": "0.0.0.0", "sslmode": "disable"}, True),
        ({"bind_address": "10.1.2.3"}, False),
        ({"bind_address": "0.0.0.0", "trusted_sources": ["10.0.0.0/8"]}, False),
        ({"bind_address": "0.0.0.0", "trusted_sources": []}, False),
        ({"bind_address": "0.0.0.0", "sslmode": "require"}, False),
        ({"bind_address": "0.0.0.0", "sslmode": "verify-full"}, False),
    ],
)
def test_a_port_that_is_open_to_the_world(changed, is_open):
    assert found(shown=changed) == ([("critical", "open_without_tls")] if is_open else [])


def test_a_minor_version_behind_the_image():
    newer = {"reference": "postgres:17", "version": "17.10"}
    assert found(newer_image=newer) == [("warning", "minor_version_behind")]
    assert found(newer_image={**newer, "version": "17.5"}) == [], "it was only built again"
    assert found(newer_image={**newer, "version": "18.1"}) == [], "another major version is another matter"


def test_a_major_version_at_its_end():
    assert found(server_settings={"version": "13.20"}) == [("warning", "major_version_end_of_life")]
    assert found(server_settings={"version": "14.20"}) == [("info", "major_version_end_of_life")]
    assert found(server_settings={"version": "15.20"}) == []
    assert found({"end_of_life_days": 600}, server_settings={"version": "15.20"}) == [
        ("info", "major_version_end_of_life")
    ]
    assert found(server_settings={"version": "99beta1"}) == []


def test_a_directory_that_everybody_gets_into():
    root = roots.Open("/srv/x", 0o755, 0o700, ())
    assert found(opened=[root]) == [("warning", "open_to_host")]
    shared = roots.Open("/srv/x", 0o755, 0o700, ("www",))
    assert "Run the task" in advice(opened=[root]) and "chmod o-rwx /srv/x" in advice(opened=[shared])


def test_data_that_lies_in_the_container():
    assert found(strays=("pg_wal -> /wal",)) == [("critical", "data_in_container")] and found(strays=()) == []


def test_a_directory_that_was_replaced_under_a_running_server():
    assert found(replaced=("/var/vellaric/backups/x",)) == [("critical", "directory_replaced")]
    assert "playbook restart" in advice(replaced=("/var/vellaric/backups/x",))
    assert "would be lost at a restart" in advice(replaced=(f"{SHOWN['data_directory']}/pgdata",))
    assert found(replaced=()) == []


def test_an_encoding_that_takes_any_bytes():
    assert found(checks={"encoding": "SQL_ASCII"}) == [("warning", "sql_ascii")]
    assert found(checks={"encoding": "UTF8"}) == []


def test_a_container_of_an_earlier_version():
    assert found(unconfined=True) == [("info", "not_confined")] and found(unconfined=False) == []


def advice(**changed):
    (finding,) = evaluate.findings({**FACTS, **changed}, {}, NOW)
    return finding["advice"]


def test_drift():
    assert found(drift=["reload the configuration"]) == [("warning", "drift")]


def test_the_worst_comes_first():
    known = found(
        server_settings={"version": "14.20", "pending_restart": ["x"]}, statistics={"connections": 99}, drift=["x"]
    )
    assert [severity for severity, _code in known] == ["critical", "warning", "warning", "info"]
    assert list(SEVERITIES) == ["critical", "warning", "info"]


def test_every_threshold_is_used_by_a_rule():
    # One that nothing reads would be an option without effect.
    read = set()

    class Watched(dict):
        def __getitem__(self, name):
            read.add(name)
            return super().__getitem__(name)

    limits = Watched(thresholds.DEFAULTS)
    facts = {
        **FACTS,
        **transaction(state="active"),
        "samples": samples(8, 5 << 30),
        "server_settings": {"version": "15.1", "pending_restart": []},
        "tls": {"not_after": "2026-06-16T12:00:00Z", "served": True},
        "disk": {**FACTS["disk"], "used_percent": 85.0},
    }
    facts["activity"]["transactions"].append(transaction()["activity"]["transactions"][0])
    facts["activity"]["vacuum_held_by"] = [{"kind": "slot", "name": "x", "age": 1}]
    facts["replication"] = {"slots": [{"name": "x", "active": True, "retained_bytes": 1}]}
    facts["container"] = {**FACTS["container"], "restart_count": 1}
    facts["pooler_statistics"] = {"clients_waiting": 1, "maxwait_seconds": 1, "paused": [], "pools": []}
    for rule in evaluate.RULES:
        list(rule(facts, limits, NOW))
    assert read == set(thresholds.DEFAULTS)


def test_versions():
    assert releases.parts("15.20") == (15, 20)
    assert releases.parts("19beta1") == (19, 0)
    assert sorted(releases.END_OF_LIFE.values()) == list(releases.END_OF_LIFE.values())


def test_what_somebody_may_do_besides_and_what_outranks_a_declaration():
    given = {"memberships": [{"member": "app", "role": "postgres", "gives": ["postgres"], "owns": False}]}
    assert found(trust={"privileges": given, "altered": []}) == [("critical", "excess_privileges")]
    given = {"memberships": [{"member": "app", "role": "pg_monitor", "gives": [], "owns": False}]}
    assert found(trust={"privileges": given, "altered": []}) == [("warning", "odd_privileges")]
    assert found(trust={"privileges": {}, "altered": ["ssl"]}) == [("critical", "outranked")]
    assert found(trust={"privileges": {}, "altered": ["work_mem"]}) == [("info", "set_by_hand")]
    shown = {**SHOWN, "settings": {"work_mem": "1MB"}, "parameters": {"work_mem": "1MB"}}
    assert found(shown=shown, trust={"privileges": {}, "altered": ["work_mem"]}) == [("warning", "outranked")]
    kept = {"elsewhere": [{"database": "app.20260101000000", "owned": True, "objects": 0}]}
    assert found(shown={**SHOWN, "name": "app"}, trust={"privileges": kept, "altered": []}) == []
    kept["elsewhere"].append({"database": "other", "owned": True, "objects": 0})
    assert found(trust={"privileges": kept, "altered": []}) == [("warning", "owns_elsewhere")]

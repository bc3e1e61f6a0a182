# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What postgres_db_info tells of the schedules of a host."""

from __future__ import annotations

import json

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import DatabaseError
from ansible_collections.vellaric.postgres.plugins.module_utils._schedule import results, timetable

ONE = {"name": "shop", "environment": "production", "reason": None, "started_at": "2026-01-15T10:00:01Z"}
STATUS = {
    "schedule": "production",
    "action": "backup",
    "started_at": "2026-01-15T10:00:00Z",
    "outcome": "ok",
    "error": None,
    "notification_error": None,
    "pid": None,
}
SYSTEMCTL = """#!/bin/sh
echo "$*" > {root}/asked
cat <<.
Id=vellaric-backup@production.timer
ActiveState=active
NextElapseUSecRealtime=Tue 2026-11-24 00:18:36 UTC

Id=vellaric-backup@staging.timer
ActiveState=inactive
NextElapseUSecRealtime=
.
exit {code}
"""


@pytest.fixture
def declare(tmp_path):
    def write(**declared):
        base = {"scheduler": "cron", "data_root": "/data", "docker_host": "unix:///x", "wait_timeout": 60}
        (tmp_path / "schedule.json").write_text(json.dumps({**base, **declared}))
        return str(tmp_path)

    return write


def put(directory, **databases):
    shown = {"duration_seconds": 1.0, "last_success_at": None, "outcome": "ok"}
    known = {name: {**ONE, **shown, **one} for name, one in databases.items()}
    results.write(
        directory, {**STATUS, "databases": {f"{name}-production-postgres": one for name, one in known.items()}}
    )


def test_nothing_is_scheduled(tmp_path):
    known = timetable.observe(str(tmp_path))
    assert known.of("shop", "production") is None
    assert timetable.lines(known) == ["Nothing is scheduled."]


def test_with_cron(declare):
    directory = declare(databases=[{"name": "crm", "environment": "development", "calendar": "hourly"}])
    put(directory, shop={"last_success_at": "2026-01-15T10:00:02Z"})
    known = timetable.observe(directory)
    shop = known.of("shop", "production")
    assert (shop["calendar"], shop["unit"], shop["active"]) == ("daily", None, True)
    assert shop["next_run_at"].endswith("Z") and shop["last_outcome"] == "ok"
    assert shop["last_success_at"] == "2026-01-15T10:00:02Z"
    assert shop["verify"]["calendar"] == "weekly" and shop["verify"]["last_run_at"] is None
    assert known.of("crm", "development")["calendar"] == "hourly"
    other = known.of("shop", "development")
    assert (other["calendar"], other["active"], other["next_run_at"]) == (None, None, None)
    assert any(line.startswith("production ") and "2026-01-15T10:00:00Z" in line for line in timetable.lines(known))


def test_with_systemd(declare, tmp_path, monkeypatch):
    directory = declare(scheduler="systemd")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(SYSTEMCTL.format(root=tmp_path, code=0))
    systemctl.chmod(0o755)
    known = timetable.observe(directory)
    asked = (tmp_path / "asked").read_text()
    assert "vellaric-backup@verify-production.timer" in asked
    shop = known.of("shop", "production")
    assert (shop["active"], shop["next_run_at"]) == (True, "2026-11-24T00:18:36Z")
    assert known.of("shop", "staging")["active"] is False
    systemctl.write_text(SYSTEMCTL.format(root=tmp_path, code=1))
    assert timetable.observe(directory).of("shop", "production")["active"] is None
    assert "unknown" in timetable.lines(timetable.observe(directory))[1]


def test_a_run_that_came_to_nothing(declare):
    directory = declare()
    results.write(directory, {**STATUS, "outcome": "failed", "error": "No engine", "databases": {}})
    shop = timetable.observe(directory).of("shop", "production")
    assert (shop["last_outcome"], shop["last_reason"]) == ("failed", "No engine")
    assert shop["last_run_at"] == STATUS["started_at"]


def test_a_run_that_was_killed(declare):
    directory = declare()
    put(directory, shop={"outcome": "running"})
    status = results.read(directory, "production")
    results.write(directory, {**status, "outcome": "running"})
    shop = timetable.observe(directory).of("shop", "production")
    assert shop["last_outcome"] == "failed" and "interrupted" in shop["last_reason"]
    assert any("interrupted" in line for line in timetable.lines(timetable.observe(directory)))


def test_damaged(tmp_path):
    (tmp_path / "schedule.json").write_text("{")
    with pytest.raises(DatabaseError, match="schedule.json is damaged"):
        timetable.observe(str(tmp_path))

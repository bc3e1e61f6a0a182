# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a declaration of scheduled backups amounts to, and which databases a schedule takes care of."""

from __future__ import annotations

import datetime
import json

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._backups import retention
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import DatabaseError
from ansible_collections.vellaric.postgres.plugins.module_utils._schedule import schedule
from ansible_collections.vellaric.postgres.tests.unit import builders

HOURLY = {"name": "shop", "environment": "production", "calendar": "hourly"}


def settings(**declared):
    base = {"scheduler": "systemd", "data_root": "/data", "docker_host": "unix:///x", "wait_timeout": 60}
    return schedule.from_declaration({**base, **declared})


def shown(name, environment="production", status="active", container_status="running", reason=None):
    return {
        "name": name,
        "environment": environment,
        "status": status,
        "container_status": container_status,
        "status_reason": reason,
    }


def calendars(known):
    return {own.name: own.calendar for own in known.schedules()}


def test_defaults():
    known = settings()
    assert calendars(known) == {
        "production": "daily",
        "staging": "weekly",
        "verify-production": "weekly",
        "verify-staging": "monthly",
    }
    assert known.retention("shop", "production") == retention.Retention(daily=7, weekly=4, monthly=6)
    options = known.dump_options("shop", "production")
    assert (options.format, options.compression, options.taken_by) == ("plain", "gzip", "schedule")


@pytest.mark.parametrize("never", [None, False, "never", "off", "", "Off"])
def test_never(never):
    known = settings(environments={"production": {"calendar": never, "verify": never}})
    assert calendars(known) == {"staging": "weekly", "verify-staging": "monthly"}


def test_what_is_nearer_goes_first():
    environments = {"production": {"format": "directory", "jobs": "2", "retention": {"last": 3}}}
    own = {"name": "shop", "environment": "production", "jobs": 4, "retention": None, "compression_level": 3}
    known = settings(environments=environments, databases=[own])
    assert known.dump_options("shop", "production").jobs == 4
    assert known.dump_options("shop", "production").level == 3
    assert known.dump_options("forum", "production").jobs == 2
    assert known.retention("shop", "production") is None
    assert known.retention("forum", "production") == retention.Retention(last=3)
    # It has options of its own, but comes round with its environment.
    assert set(calendars(known)) == set(calendars(settings()))


def test_a_calendar_of_its_own():
    known = settings(databases=[HOURLY])
    own = known.find("shop-production-postgres")
    assert (own.calendar, own.action, own.timer) == (
        "hourly",
        "backup",
        "vellaric-backup@shop-production-postgres.timer",
    )
    found = [shown("shop"), shown("forum"), shown("shop", "staging")]
    assert schedule.select(known, own, found) == [shown("shop")]
    assert schedule.select(known, known.find("production"), found) == [shown("forum")]
    # Its verification is still that of the environment.
    assert schedule.select(known, known.find("verify-production"), found) == [shown("shop"), shown("forum")]
    assert known.covering("backup", "shop", "production") == own
    assert known.covering("backup", "forum", "production").name == "production"


def test_a_database_that_is_never_backed_up():
    known = settings(databases=[{**HOURLY, "calendar": "never"}])
    assert schedule.select(known, known.find("production"), [shown("shop"), shown("forum")]) == [shown("forum")]
    assert known.covering("backup", "shop", "production") is None
    assert known.covering("backup", "any", "development") is None


def test_names_what_there_is():
    with pytest.raises(DatabaseError, match="There is no schedule development; there are: production, staging"):
        settings().find("development")


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"scheduler": "at"}, "backup_scheduler is 'at'"),
        ({"environments": {"test": {}}}, "backup_environments has test"),
        ({"environments": {"production": "daily"}}, "backup_environments.production is not a mapping"),
        (
            {"environments": {"production": {"schedule": "daily"}}},
            "backup_environments.production.schedule is not known",
        ),
        ({"environments": {"production": {"calendar": True}}}, "production.calendar is True"),
        ({"environments": {"production": {"calendar": "daily\nExecStart=rm"}}}, "production.calendar is"),
        ({"environments": {"production": {"calendar": "daily; rm"}}}, "production.calendar is"),
        ({"environments": {"production": {"retention": {}}}}, "retention says nothing"),
        ({"environments": {"production": {"retention": {"count": 3}}}}, "retention.count is not known: last, days"),
        ({"environments": {"production": {"retention": {"last": "many"}}}}, "retention.last is 'many'"),
        ({"environments": {"production": {"retention": {"last": -1}}}}, "retention.last is -1"),
        ({"environments": {"production": {"retention": 7}}}, "retention is 7: a mapping"),
        ({"environments": {"production": {"format": "tar"}}}, "format is 'tar': one of plain, custom, directory"),
        ({"environments": {"production": {"jobs": 2}}}, "only format: directory"),
        ({"environments": {"production": {"timeout": 0}}}, "timeout is 0"),
        ({"environments": {"production": {"compression_level": 12}}}, "compression_level is 12"),
        ({"environments": {"production": {"row_counts": "no"}}}, "row_counts is 'no'"),
        ({"databases": {"shop": {}}}, "backup_databases is not a list"),
        ({"databases": ["shop"]}, r"backup_databases\[0\] is not a mapping"),
        ({"databases": [{"name": "shop"}]}, r"backup_databases\[0\]: environment: None"),
        ({"databases": [{"name": "Shop", "environment": "production"}]}, r"backup_databases\[0\]: name: 'Shop'"),
        ({"databases": [HOURLY, HOURLY]}, r"backup_databases\[1\]: shop in production is there twice"),
        ({"wait_timeout": "soon"}, "backup_wait_timeout is 'soon'"),
        ({"schema": 2}, "another version"),
        ({"scheduler": "cron", "environments": {"production": {"calendar": "*-*-* 02:00:30"}}}, "five fields"),
    ],
)
def test_refusals(declared, message):
    with pytest.raises(DatabaseError, match=message):
        settings(**declared)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"scheduler": "cron"}', "null", "12"])
def test_a_damaged_file(text):
    with pytest.raises(DatabaseError, match="role vellaric.postgres.backup|backup_scheduler"):
        schedule.from_json(text, "/data/.schedule/schedule.json")


def test_survives_being_written():
    known = settings(databases=[HOURLY], environments={"staging": {"calendar": "Mon *-*-* 03:00"}})
    assert schedule.from_json(json.dumps({**known.declared, "schema": 1}), "x").schedules() == known.schedules()


def test_missed():
    own = schedule.Schedule("production", "backup", "30 2 * * *", "production")
    now = datetime.datetime(2026, 3, 2, 9, 0)
    assert schedule.is_missed(own, datetime.datetime(2026, 3, 2, 2, 29), now)
    assert not schedule.is_missed(own, datetime.datetime(2026, 3, 2, 2, 30), now)


def test_what_stands_still():
    whole = builders.record_of(builders.declared())
    assert schedule.why_not(shown("shop"), whole) is None
    assert schedule.why_not(shown("shop"), None) is None, "a lost record is no reason"
    assert schedule.why_not(shown("shop", status="error", reason="its health check fails"), whole) is None
    harmless, reason = schedule.why_not(shown("shop", status="stopped", container_status="exited"), whole)
    assert harmless and "stopped" in reason
    missing = shown("shop", status="error", container_status="absent", reason="its container is missing")
    assert schedule.why_not(missing, whole) == (False, "its container is missing")
    assert schedule.why_not(shown("shop", status="error", container_status="exited", reason="137"), whole)[0] is False
    assert schedule.why_not(shown("shop"), whole.with_primary(initialised=False))[0] is True

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import datetime

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._backups.retention import (
    Retention,
    from_option,
    kept,
    removable,
)
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import DatabaseError
from ansible_collections.vellaric.postgres.tests.unit import backup_builders as build


def daily(count, **changes):
    """One backup a day, the newest last."""
    return [
        build.noun(build.NOW - datetime.timedelta(days=count - 1 - index), sequence=index + 1, **changes)
        for index in range(count)
    ]


def left(backups, **rules):
    gone = removable(backups, Retention(**rules))
    return [backup for backup in backups if backup not in gone]


def test_the_last_ones_are_kept():
    backups = daily(10)
    assert left(backups, last=3) == backups[-3:]


def test_the_newest_is_kept_whatever_the_rules_say():
    backups = daily(10)
    assert left(backups, last=0) == backups[-1:]
    assert left(backups, days=0) == backups[-1:]
    old = [build.noun(build.NOW - datetime.timedelta(days=400))]
    assert left(old, days=1) == old


def test_the_newest_verified_one_is_kept():
    verified = build.noun(build.NOW - datetime.timedelta(days=30), sequence=0, verified=True)
    backups = [verified, *daily(5)]
    assert left(backups, last=2) == [verified, *backups[-2:]]


def test_damaged_ones_neither_count_nor_go():
    damaged = build.noun(build.NOW + datetime.timedelta(hours=1), sequence=99, damage="truncated")
    backups = [*daily(5), damaged]
    assert left(backups, last=2) == [*backups[3:5], damaged]


def test_days_are_counted_from_now():
    backups = daily(10)
    assert left(backups, days=3) == backups[-4:]


def test_what_any_rule_keeps_is_kept():
    backups = daily(800)
    stay = left(backups, last=2, daily=7, weekly=4, monthly=12, yearly=3)
    reasons = kept(backups, Retention(last=2, daily=7, weekly=4, monthly=12, yearly=3))
    for step, number in {"last": 2, "daily": 7, "weekly": 4, "monthly": 12, "yearly": 3}.items():
        assert len([name for name, why in reasons.items() if step in why]) == number
    assert len(stay) == len(reasons) < 30
    assert stay[-1] == backups[-1]


def test_of_each_step_the_last_one_is_kept():
    day = datetime.timedelta(hours=6)
    backups = [build.noun(build.NOW - 8 * day + index * day, sequence=index + 1) for index in range(9)]
    stay = left(backups, daily=2)
    assert [backup.created_at[:10] for backup in stay] == ["2026-06-14", "2026-06-15"]
    assert stay[0].created_at == "2026-06-14T18:00:00Z"


def test_a_clock_that_was_moved_back_loses_nothing():
    future = build.noun(build.NOW + datetime.timedelta(days=3650), sequence=1)
    newest = build.noun(build.NOW, sequence=2)
    assert newest in left([future, newest], last=1)


def test_a_rule_that_keeps_nothing_in_particular_is_refused():
    with pytest.raises(DatabaseError, match="says nothing"):
        from_option({"last": None})
    with pytest.raises(DatabaseError, match="retention.days is -1"):
        from_option({"days": -1})
    assert from_option({"last": 3}) == Retention(last=3)

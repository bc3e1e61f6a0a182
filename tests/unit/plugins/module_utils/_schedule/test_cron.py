# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When calendars of cron come round."""

from __future__ import annotations

import datetime

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import DatabaseError
from ansible_collections.vellaric.postgres.plugins.module_utils._schedule import cron

# A Thursday.
NOW = datetime.datetime(2026, 1, 15, 10, 20, 30)


@pytest.mark.parametrize(
    ("calendar", "previous", "following"),
    [
        ("hourly", "2026-01-15 10:00", "2026-01-15 11:00"),
        ("daily", "2026-01-15 00:00", "2026-01-16 00:00"),
        ("weekly", "2026-01-12 00:00", "2026-01-19 00:00"),
        ("monthly", "2026-01-01 00:00", "2026-02-01 00:00"),
        ("quarterly", "2026-01-01 00:00", "2026-04-01 00:00"),
        ("yearly", "2026-01-01 00:00", "2027-01-01 00:00"),
        ("*/15 * * * *", "2026-01-15 10:15", "2026-01-15 10:30"),
        ("20 10 * * *", "2026-01-15 10:20", "2026-01-16 10:20"),
        ("30 2 * * 1-5", "2026-01-15 02:30", "2026-01-16 02:30"),
        ("30 2 * * mon,sun", "2026-01-12 02:30", "2026-01-18 02:30"),
        ("0 4 * * 7", "2026-01-11 04:00", "2026-01-18 04:00"),
        ("5 6-8/2 1 feb *", "2025-02-01 08:05", "2026-02-01 06:05"),
        # Both kinds of day: either of them.
        ("0 0 20 * 5", "2026-01-09 00:00", "2026-01-16 00:00"),
        ("0 0 29 2 *", "2024-02-29 00:00", "2028-02-29 00:00"),
    ],
)
def test_comes_round(calendar, previous, following):
    known = cron.parse(calendar)
    assert known.previous(NOW) == datetime.datetime.fromisoformat(previous)
    assert known.following(NOW) == datetime.datetime.fromisoformat(following)


@pytest.mark.parametrize(
    ("calendar", "message"),
    [
        ("Mon *-*-* 02:30", "five fields"),
        ("fortnightly", "five fields"),
        ("60 * * * *", "minute '60' is not within 0 to 59"),
        ("* 5-2 * * *", "hour '5-2'"),
        ("*/0 * * * *", "minute '\\*/0'"),
        ("* * 0 * *", "day of the month '0'"),
        ("* * * * funday", "'funday' is no day of the week"),
        ("* * * * mon;rm", "is no day of the week"),
        ("0 0 30 2 *", "never occurs"),
        ("", "five fields"),
    ],
)
def test_refusals(calendar, message):
    with pytest.raises(DatabaseError, match=message):
        cron.parse(calendar)


@pytest.mark.parametrize(
    ("calendar", "expression"),
    [
        ("*-*-* 02:30", "30 2 * * *"),
        ("*-*-* 02:30:00", "30 2 * * *"),
        ("02:30", "30 2 * * *"),
        ("Mon..Fri *-*-* 02:30", "30 2 * * 1-5"),
        ("Sat,Sun 04:00", "0 4 * * 6,7"),
        ("Wednesday", "0 0 * * 3"),
        ("*-*-01 03:00", "0 3 1 * *"),
        ("*-01,07-01", "0 0 1 1,7 *"),
        ("*:0/15", "0-59/15 * * * *"),
        ("*-*-* 0..5:10", "10 0-5 * * *"),
        ("*-*-* */6:00", "0 */6 * * *"),
        # What is cron's or a name already, and what cron cannot mean.
        ("30 2 * * 1-5", "30 2 * * 1-5"),
        ("daily", "daily"),
        ("Mon *-*-01 02:30", "Mon *-*-01 02:30"),
        ("2027-*-* 02:30", "2027-*-* 02:30"),
        ("*-*~01", "*-*~01"),
        ("*-*-1/2", "*-*-1/2"),
        ("*-*-* 02:30:15", "*-*-* 02:30:15"),
        ("Sun..Tue 02:30", "Sun..Tue 02:30"),
        ("Fridge 02:30", "Fridge 02:30"),
        ("*-*-* 02:30 UTC", "*-*-* 02:30 UTC"),
    ],
)
def test_a_calendar_of_systemd_is_translated_where_cron_can_mean_it(calendar, expression):
    assert cron.translated(calendar) == expression
    if expression != calendar:
        cron.parse(expression)

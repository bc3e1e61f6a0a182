# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._findings.forecast import days_until_full

NOW = "2026-06-15T12:00:00.000Z"


def sample(hours_ago, used):
    moment = datetime.datetime.fromisoformat(NOW[:19]) - datetime.timedelta(hours=hours_ago)
    return {"gathered_at": moment.isoformat() + ".000Z", "disk_used_bytes": used}


def growing(count, hours, step):
    return [sample(hours * ago, 10**9 - step * ago) for ago in range(count)]


def test_a_disk_that_grows_evenly():
    # A million bytes in an hour, 48 million left: two days.
    assert days_until_full(growing(10, 1, 10**6), 48 * 10**6, NOW) == pytest.approx(2)


def test_the_order_does_not_matter():
    history = growing(10, 1, 10**6)
    assert days_until_full(history[::-1], 48 * 10**6, NOW) == pytest.approx(2)
    assert days_until_full(history[5:] + history[:5], 48 * 10**6, NOW) == pytest.approx(2)


def test_a_full_disk_is_full_today():
    assert days_until_full(growing(10, 1, 10**6), 0, NOW) == 0


@pytest.mark.parametrize(
    "history",
    [
        [],
        growing(1, 1, 10**6),
        growing(2, 24, 10**6),
        growing(10, 0.01, 10**6),
        growing(10, 1, 0),
        growing(10, 1, -(10**6)),
        [sample(1, 5)] * 10,
        growing(10, 24 * 40, 10**6),
        [sample(-24 * ahead, 10**9 + 10**6 * ahead) for ahead in range(1, 9)],
    ],
    ids=["none", "one", "two", "too short", "still", "shrinking", "one moment", "too old", "ahead of now"],
)
def test_where_nothing_can_be_said(history):
    assert days_until_full(history, 48 * 10**6, NOW) is None


def test_a_short_past_says_nothing_of_a_far_future():
    assert days_until_full(growing(10, 1, 10**6), 89 * 10**6, NOW) == pytest.approx(89 / 24)
    assert days_until_full(growing(10, 1, 10**6), 91 * 10**6, NOW) is None


def test_what_is_no_sample_is_passed_over():
    strange = [{}, {"gathered_at": None}, {"gathered_at": "yesterday", "disk_used_bytes": 1}, sample(1, None), "text"]
    assert days_until_full(strange + growing(10, 1, 10**6), 48 * 10**6, NOW) == pytest.approx(2)

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history of a fleet: what is added, what is read back, what is kept, and what charts are drawn from."""

from __future__ import annotations

import json

from ansible_collections.vellaric.postgres.plugins.plugin_utils.report import fleet, history
from ansible_collections.vellaric.postgres.tests.unit import fleets
from hypothesis import given
from hypothesis import strategies as st

NOW = fleets.NOW
CONTAINER = "shop-production-postgres"


def entry(at, host="docker1", **sample):
    return {"at": at, "host": host, "databases": {CONTAINER: {"id": "db-1", **sample}}}


def test_a_run_adds_one_line_for_each_host_that_answered():
    answers = {**fleets.answers(), "docker4": {"msg": "no route to host", "unreachable": True}}
    text = history.lines(fleet.from_answers(answers, NOW))
    entries = history.parse(text)
    assert [one["host"] for one in entries] == list(fleets.HOSTS)
    assert text.count("\n") == 3 and text.endswith("\n")
    shop = entries[0]["databases"][CONTAINER]
    known = fleets.statistics(0)
    assert shop == {
        "id": f"db-{0:024x}",
        "status": "active",
        "transactions": known["transactions"]["committed"] + 12,
        **{key: known[key] for key in history.FIELDS},
    }


def test_what_is_not_known_is_not_written():
    answers = {"docker1": {"databases": [fleets.stopped(4)]}}
    (sample,) = history.parse(history.lines(fleet.from_answers(answers, NOW)))[0]["databases"].values()
    assert sample == {"id": f"db-{4:024x}", "status": "stopped", "size_bytes": 42 << 20}


def test_what_is_no_entry_is_passed_over():
    good = json.dumps(entry(5.0))
    text = "\n".join([good, "", "null", "[1]", '{"at": "x"}', '{"at": 1, "host": 2, "databases": {}}', good[:40]])
    assert history.parse(text) == [entry(5.0)]
    assert history.parse(good[:40] + "\n" + good) == [entry(5.0)]


def test_entries_of_two_writers_are_put_in_order():
    text = history.write([entry(9), entry(3), entry(6)])
    assert [one["at"] for one in history.parse(text)] == [3, 6, 9]


def test_all_of_the_last_hour_is_kept_and_less_of_what_is_older():
    ten_seconds_for_ten_days = [entry(NOW - age) for age in range(10 * 86400, 0, -10)]
    kept = history.thinned(ten_seconds_for_ten_days, NOW, 90)
    ages = [NOW - one["at"] for one in kept]
    assert len([age for age in ages if age <= 3600]) == 360
    assert len([age for age in ages if 3600 < age <= 6 * 3600]) in range(299, 303)
    assert len([age for age in ages if 6 * 3600 < age <= 7 * 86400]) in range(647, 651)
    assert len([age for age in ages if age > 7 * 86400]) in range(35, 39)
    assert kept == sorted(kept, key=lambda one: one["at"])


def test_nothing_older_than_so_many_days_is_kept():
    entries = [entry(NOW - days * 86400 + 1) for days in (91, 90, 2, 1)]
    assert history.thinned(entries, NOW, 90) == entries[1:]
    assert history.thinned(entries, NOW, 1) == entries[3:]


def test_each_host_keeps_its_own():
    entries = [entry(NOW - 90000 + place, host=f"docker{place}") for place in range(3)]
    assert history.thinned(entries, NOW, 90) == entries


@given(st.lists(st.integers(0, 100 * 86400), max_size=60), st.integers(0, 10 * 86400))
def test_thinning_again_keeps_what_is_kept(ages, later):
    entries = [entry(NOW - age) for age in sorted(set(ages), reverse=True)]
    kept = history.thinned(entries, NOW, 90)
    assert history.thinned(kept, NOW, 90) == kept
    # What goes now would have gone later, too: a file that is rewritten late is the same in the end.
    assert history.thinned(kept, NOW + later, 90) == history.thinned(entries, NOW + later, 90)


def test_samples_of_an_earlier_database_of_that_name_are_not_this_one_s():
    entries = [entry(1, size_bytes=1), {**entry(2), "databases": {CONTAINER: {"id": "db-2", "size_bytes": 2}}}]
    assert history.samples(entries, CONTAINER, "db-2") == [{"at": 2, "id": "db-2", "size_bytes": 2}]
    assert len(history.samples(entries, CONTAINER)) == 2
    assert history.samples(entries, "another-container") == []


def test_series_hold_transactions_in_a_second_and_the_share_of_the_disk():
    taken = [
        {"at": 100, "transactions": 1000, "connections": 3, "disk_used_bytes": 1, "disk_free_bytes": 3},
        {"at": 110, "transactions": 1250, "connections": 4},
        {"at": 120},
        {"at": 130, "transactions": 2000},
        {"at": 140, "transactions": 10},
        {"at": 150, "transactions": 20},
    ]
    drawn = history.series(taken, 200)
    assert drawn["at"] == [100, 110, 120, 130, 140, 150]
    assert drawn["transactions_per_second"] == [None, 25.0, None, None, None, 1.0]
    assert drawn["connections"] == [3, 4, None, None, None, None]
    assert drawn["disk_percent"] == [25.0, None, None, None, None, None]


def test_series_are_of_limited_length_and_end_with_the_last_sample():
    taken = [{"at": NOW - age, "size_bytes": age} for age in range(30 * 86400, 0, -300)]
    drawn = history.series(taken, NOW)
    assert len(drawn["at"]) <= 480
    assert (drawn["at"][0], drawn["at"][-1]) == (NOW - 30 * 86400, NOW - 300)
    # The last hour in full.
    assert len([at for at in drawn["at"] if at >= NOW - 3600]) == 12
    assert history.series([], NOW)["at"] == []


def test_disks_are_what_the_findings_take():
    full = [entry(1767225600 + place, disk_used_bytes=place, disk_total_bytes=1000) for place in range(200)]
    disks = history.disks([*full, entry(1767325600), entry(1, host="docker2")], "docker1")
    assert list(disks) == [CONTAINER]
    assert len(disks[CONTAINER]) == 60
    assert disks[CONTAINER][0] == {
        "gathered_at": "2026-01-01T00:00:00Z",
        "disk_used_bytes": 0,
        "disk_total_bytes": 1000,
    }
    assert disks[CONTAINER][-1]["disk_used_bytes"] == 199
    assert history.disks([], "docker1") == {}
    long_ago = entry(1767225600 - 31 * 86400, disk_used_bytes=1, disk_total_bytes=1000)
    assert history.disks([long_ago, *full], "docker1") == history.disks(full, "docker1")


def test_the_file_is_written_anew_only_when_much_has_gone():
    assert not history.outgrown(100, 90)
    assert not history.outgrown(10, 0)
    assert history.outgrown(100, 70)

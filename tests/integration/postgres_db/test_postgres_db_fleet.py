# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many databases: a list in one call, and many calls at once."""

from __future__ import annotations

import pytest
from harness import PASSWORD, Failed, Host, result, verbs


def test_a_list_takes_its_defaults_from_the_options_of_the_module(host):
    declared = [
        {"name": host.name("a"), "memory": "256m"},
        {"name": host.name("b"), "environment": "staging"},
        {"name": host.name("c"), "settings": {"work_mem": "8MB"}},
    ]
    options = {"databases": declared, "memory": "300m", "sslmode": "require"}
    predicted = host.check(**options)
    answer = host.run(**options)
    assert [verbs(one) for one in predicted["databases"]] == [verbs(one) for one in answer["databases"]]
    assert len(answer["diff"]) == 3 and answer["changed"]
    rows = {row["name"]: row for row in host.info()}
    assert [rows[host.name(short)]["memory_limit_bytes"] >> 20 for short in "abc"] == [256, 300, 300]
    assert [rows[host.name(short)]["environment"] for short in "abc"] == ["development", "staging", "development"]
    assert {row["sslmode"] for row in rows.values()} == {"require"}
    assert len({row["port"] for row in rows.values()}) == 3
    # What was predicted came true, the ports included.
    for one, other in zip(predicted["databases"], answer["databases"]):
        assert one["database"]["port"] == other["database"]["port"]
    again = host.run(**options)
    assert not again["changed"] and again["diff"] == []
    # What a verbose run shows of the call is what was declared, not all that could have been.
    shown = again["invocation"]["module_args"]
    assert shown["databases"] == declared and shown["memory"] == "300m"
    assert PASSWORD not in str(again)
    # One of them changes: only that one.
    declared[2]["settings"] = {"work_mem": "16MB"}
    changed = host.run(**options)
    assert [one["changed"] for one in changed["databases"]] == [False, False, True]
    assert [d["before_header"] for d in changed["diff"]] == [host.container("c")]
    removed = host.run(**{**options, "state": "absent", "purge": True, "deletion_protection": False})
    assert all(one["changed"] for one in removed["databases"]) and host.info() == []


def test_one_that_fails_does_not_stop_the_others(host):
    declared = [
        {"name": host.name("a")},
        {"name": host.name("b"), "image": "registry.invalid/none:1"},
        {"name": host.name("c"), "image": "registry.invalid/none:2", "pull": "always"},
        {"name": host.name("d"), "port": host.ports[1]},
    ]
    with pytest.raises(Failed) as failure:
        host.run(databases=declared)
    answer = failure.value.result
    assert answer["msg"].startswith("2 of 4 failed")
    assert [bool(one.get("error")) for one in answer["databases"]] == [False, True, True, False]
    assert answer["changed"]
    for short in "ad":
        assert host.query(short, "SELECT 1") == [(1,)]


def test_a_database_declared_twice_is_refused(host):
    declared = [{"name": host.name("a")}, {"name": host.name("b")}, {"name": host.name("a"), "memory": "256m"}]
    assert f"{host.container('a')} is declared more than once" in host.refused(databases=declared)
    assert "environment must be given" in host.refused(databases=declared, environment=None)
    assert host.untouched()


def test_databases_excludes_name(host):
    assert "databases" in host.refused("a", databases=[{"name": "b"}])
    assert "databases" in host.refused()


def test_an_empty_list_is_nothing(host):
    assert not host.run(databases=[])["changed"]


def test_two_runs_at_once_on_one_database(host):
    processes = [host.start(arguments=host.arguments("a")) for turn in range(3)]
    answers = [result(process) for process in processes]
    # One creates it, the others wait for that and then find nothing to do.
    assert sorted(len(answer["actions"]) > 0 for answer in answers) == [False, False, True]
    assert len({answer["database"]["id"] for answer in answers}) == 1
    assert host.query("a", "SELECT 1") == [(1,)]


def test_two_runs_at_once_that_disagree(host):
    host.run("a")
    processes = [
        host.start(arguments=host.arguments("a", settings={"work_mem": f"{n}MB"}, shm_size=f"{64 + n}m"))
        for n in (5, 6, 7)
    ]
    for process in processes:
        result(process)
    # Whoever came last has it his way, whole.
    megabytes = int(host.query("a", "SHOW work_mem")[0][0][:-2])
    assert host.one("a")["shm_size_bytes"] >> 20 == 64 + megabytes
    assert host.run("a", settings={"work_mem": f"{megabytes}MB"}, shm_size=f"{64 + megabytes}m")["actions"] == []


def test_creation_and_deletion_at_once(host):
    processes = [
        host.start(arguments=host.arguments("a", state=state, purge=True)) for state in ("started", "absent") * 2
    ]
    for process in processes:
        result(process)
    host.run("a")
    assert host.query("a", "SELECT 1") == [(1,)]


def test_twenty_creations_at_once():
    host = Host()
    try:
        shorts = [f"n{n}" for n in range(20)]
        # As patient as twenty servers on a small machine need.
        processes = [host.start(arguments=host.arguments(short, wait_timeout=240)) for short in shorts]
        answers = [result(process) for process in processes]
        assert len({answer["database"]["port"] for answer in answers}) == 20
        assert len({answer["database"]["id"] for answer in answers}) == 20
        rows = host.info()
        assert [row["status"] for row in rows] == ["active"] * 20
        assert {row["port"] for row in rows} == set(range(host.ports[0], host.ports[0] + 20))
        for short in shorts:
            assert host.query(short, "SELECT current_database()") == [(host.name(short),)]
        declared = [{"name": host.name(short)} for short in shorts]
        assert not host.run(databases=declared)["changed"]
    finally:
        host.close()

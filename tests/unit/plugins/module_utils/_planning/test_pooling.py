# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import (
    facts,
    pooler_facts,
    port_choice,
)
from ansible_collections.vellaric.postgres.tests.unit import builders, simulated


def declared(pooler=True, **given):
    return builders.declared(pooler=pooler, **given)


def test_nothing_is_done_to_what_is_as_declared():
    wanted = declared()
    assert builders.verbs(builders.plan(wanted, builders.pooled(wanted))) == []
    before, after = builders.plan(wanted, builders.pooled(wanted)).sides()
    assert before["pooler"] == after["pooler"] and after["pooler"]["users"] == [builders.USERNAME]


def test_a_new_database_gets_its_own():
    wanted = declared()
    planned = builders.plan(wanted, builders.with_instance(builders.empty(), builders.no_pooler()))
    found = builders.verbs(planned)
    assert found[:2] == ["reserve", "pooler_network"] and found[-2:] == ["pooler_files", "pooler_create"]
    # What else there is can be known only when the network is there.
    assert [step.verb for step in planned.this_round] == found[:2] and not planned.final
    assert planned.record.ports == {"primary": 5432, "pooler": 6432}


def test_a_database_that_serves_gets_one_without_an_interruption():
    wanted = declared()
    there = builders.settled(builders.declared(), networks=builders.POOLED_NETWORKS)
    seen = builders.with_instance(there, builders.no_pooler())
    planned = builders.plan(wanted, seen)
    assert builders.verbs(planned) == ["reserve", "networks", "pooler_files", "pooler_create"]
    assert {step.impact for step in planned.steps} == {"none"}


@pytest.mark.parametrize(
    ("changes", "verbs"),
    [
        ({"settings": {"server_idle_timeout": "30"}}, ["write_record", "pooler_files"]),
        ({"settings": {"listen_backlog": "30"}}, ["write_record", "pooler_files", "pooler_restart"]),
        ({"max_clients": 50}, ["write_record", "pooler_files"]),
        ({"memory": "64m"}, ["write_record", "pooler_update"]),
        ({"port": 7000}, ["reserve", "pooler_replace"]),
        ({"bind_address": "0.0.0.0"}, ["write_record", "pooler_files", "pooler_replace"]),
        ({"pause_timeout": 9}, ["write_record"]),
    ],
)
def test_each_change_takes_the_shortest_way(changes, verbs):
    planned = builders.plan(declared(pooler=changes), builders.pooled(declared()))
    assert builders.verbs(planned) == verbs


def test_what_max_impact_does_not_allow_waits():
    wanted = declared(pooler={"port": 7000, "settings": {"server_idle_timeout": "30"}}, max_impact="none")
    planned = builders.plan(wanted, builders.pooled(declared()))
    assert builders.verbs(planned) == ["reserve"] and [step.verb for step in planned.pending] == ["pooler_replace"]


@pytest.mark.parametrize(
    ("given", "verbs"),
    [
        ({"container": None}, ["pooler_create"]),
        ({"files": {}}, ["pooler_files"]),
        ({"paused": ("app",)}, ["pooler_resume"]),
        (
            {"logins": builders.logins(expired=True)},
            ["pooler_files"],
        ),
        ({"certificate": None}, ["pooler_files"]),
        ({"logins": None}, []),
    ],
)
def test_what_somebody_has_changed_is_put_right(given, verbs):
    assert builders.verbs(builders.plan(declared(), builders.pooled(declared(), **given))) == verbs


def test_what_a_killed_run_has_written_is_read():
    seen = builders.pooled(declared())
    files = {**pooler_facts.of(seen).files, pooler_facts.UNREAD: facts.FileFacts(b"", 0o600, 0)}
    planned = builders.plan(declared(), builders.pooled(declared(), files=files))
    assert builders.verbs(planned) == ["pooler_files"] and planned.steps[0].reloads


def test_a_stopped_one_is_started():
    seen = builders.pooled(declared())
    stopped = dataclasses.replace(pooler_facts.of(seen).container, status="exited")
    assert builders.verbs(builders.plan(declared(), builders.pooled(declared(), container=stopped))) == ["pooler_start"]


def test_a_new_password_is_handed_on():
    planned = builders.plan(declared(password="another-password"), builders.pooled(declared()))
    assert builders.verbs(planned) == ["role", "prove_login", "pooler_files"]


def test_one_that_is_declared_no_longer_goes():
    wanted = builders.declared()
    planned = builders.plan(wanted, builders.pooled(declared()))
    assert builders.verbs(planned) == ["write_record", "networks", "pooler_remove"]
    assert not planned.record.others and builders.step(planned, "pooler_remove").files
    assert "interrupts its clients" in builders.refusal(
        builders.declared(max_impact="restart"), builders.pooled(declared())
    )


def test_it_goes_with_its_database():
    planned = builders.plan(builders.declared(state="absent"), builders.pooled(declared()))
    assert builders.verbs(planned) == ["remove", "pooler_remove", "trash"]


@pytest.mark.parametrize(("state", "verbs"), [("stopped", ["pooler_stop", "stop"]), ("restarted", ["restart"])])
def test_it_is_stopped_and_started_with_its_database(state, verbs):
    assert builders.verbs(builders.plan(builders.declared(state=state), builders.pooled(declared()))) == verbs


@pytest.mark.parametrize("begin", ["new", "there", "pooled", "changed", "gone", "deleted"])
def test_from_wherever_a_run_breaks_off_the_next_one_arrives(begin):
    wanted = {
        "changed": declared(pooler={"port": 7000, "settings": {"listen_backlog": "30"}}, password="another-password"),
        "gone": builders.declared(),
        "deleted": builders.declared(state="absent"),
    }.get(begin, declared())
    seen = {
        "new": builders.with_instance(builders.empty(), builders.no_pooler()),
        "there": builders.with_instance(builders.settled(builders.declared()), builders.no_pooler()),
    }.get(begin, builders.pooled(declared()))
    for most in range(14):
        host, begun = simulated.Host.of(seen), True
        for _round in range(8):
            planned = builders.plan(wanted, host.seen)
            for step in planned.this_round[:most] if begun else planned.this_round:
                host = host.perform(step, wanted, planned)
            begun = False
        assert not planned.steps, (begin, most, builders.verbs(planned))


def test_what_cannot_be_is_refused():
    seen = builders.pooled(declared())
    assert "leaves 90" in builders.refusal(declared(pooler={"server_connections": 99}), seen)
    taken = dataclasses.replace(seen, ports_taken={7000: port_choice.Holder("container other", "other")})
    assert "taken by container other" in builders.refusal(declared(pooler={"port": 7000}), taken)
    assert "taken by database" in builders.refusal(declared(pooler={"port": 5432}), seen)
    unknown = dataclasses.replace(builders.no_pooler(), runs=None)
    assert "image_reference" in builders.refusal(declared(), builders.with_instance(builders.empty(), unknown))
    foreign = {**builders.POOLED_NETWORKS, builders.POOL: builders.network(builders.POOL, 30)}
    message = builders.refusal(declared(), builders.other(seen, networks=foreign))
    assert "that this collection did not create" in message
    wrong = builders.pooled(declared(), settings_error="unknown parameter: no_such")
    assert "unknown parameter" in builders.refusal(declared(), wrong)

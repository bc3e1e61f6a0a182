# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients of a pooler wait, or go on, and nothing else changes."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import pooler_facts
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import Refused
from ansible_collections.vellaric.postgres.tests.unit import builders


def plan(state, pooler=True, **observed):
    seen = builders.pooled(builders.declared(pooler=pooler))
    given = dataclasses.replace(pooler_facts.of(seen), **observed)
    return builders.plan(builders.declared(state=state), builders.with_instance(seen, given))


@pytest.mark.parametrize(
    ("state", "paused", "verbs", "after"),
    [
        ("paused", (), ["pooler_pause"], ["app"]),
        ("paused", ("app",), [], ["app"]),
        ("paused", ("app_session",), ["pooler_pause"], ["app", "app_session"]),
        ("resumed", (), [], []),
        ("resumed", ("app", "app_session"), ["pooler_resume"], []),
    ],
)
def test_what_is_done_is_what_is_wanting(state, paused, verbs, after):
    name = builders.declared().name
    planned = plan(state, paused=tuple(each.replace("app", name) for each in paused))
    assert builders.verbs(planned) == verbs
    assert {step.impact for step in planned.steps} <= {"none"}
    assert planned.sides()[1] == {"pooler": {"paused": [each.replace("app", name) for each in after]}}


def test_one_that_does_not_run_is_not_paused():
    assert builders.verbs(plan("resumed", container=None)) == []
    with pytest.raises(Refused, match="is missing. Start it"):
        plan("paused", container=None)
    stopped = dataclasses.replace(
        pooler_facts.of(builders.pooled(builders.declared(pooler=True))).container, status="exited"
    )
    with pytest.raises(Refused, match=r"does not run \(exited\)"):
        plan("paused", container=stopped)


@pytest.mark.parametrize("state", ["paused", "resumed"])
def test_what_cannot_be_is_refused(state):
    with pytest.raises(Refused, match="console"):
        plan(state, silent="it hangs")
    with pytest.raises(Refused, match="it has no pooler"):
        builders.plan(builders.declared(state=state), builders.settled(builders.declared()))
    with pytest.raises(Refused, match="there is no such database"):
        builders.plan(builders.declared(state=state), builders.empty())


def test_a_pooler_of_sessions_is_not_paused():
    with pytest.raises(Refused, match="the last one has left"):
        plan("paused", pooler={"mode": "session"})
    assert builders.verbs(plan("resumed", pooler={"mode": "session"})) == []

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is not declared is taken away where it is dangerous, and what outranks a declaration is taken back."""

from __future__ import annotations

from ansible_collections.vellaric.postgres.plugins.module_utils._domain import privileges
from ansible_collections.vellaric.postgres.tests.unit import builders
from ansible_collections.vellaric.postgres.tests.unit.builders import USERNAME

MEMBERSHIP = {"member": USERNAME, "role": "mid", "gives": ["postgres"], "owns": False}
TRIGGER = {
    "name": "watch",
    "function": "public.watch",
    "function_of": USERNAME,
    "owner": "postgres",
    "superuser": True,
    "owner_is_superuser": False,
    "unsafe": True,
    "enabled": True,
}
OVERRIDE = {"database": "app", "role": USERNAME, "name": "work_mem"}


def test_what_is_dangerous_is_taken_away_and_the_rest_is_left():
    odd = {**MEMBERSHIP, "role": "pg_monitor", "gives": []}
    observed = {**privileges.NOTHING, "memberships": [MEMBERSHIP, odd], "triggers": [TRIGGER]}
    assert privileges.held(observed) == [f"{USERNAME} is a member of mid (and so of postgres)"]
    assert list(privileges.armed(observed)) == ["watch"] and USERNAME in privileges.armed(observed)["watch"]
    assert privileges.held(privileges.NOTHING) == [] and privileges.armed(privileges.NOTHING) == {}


def test_an_entry_is_named_as_it_was_made():
    entries = {
        f"ALTER ROLE {USERNAME} IN DATABASE app SET work_mem": {},
        "ALTER DATABASE app SET work_mem": {"role": None},
        f"ALTER ROLE {USERNAME} SET a.b": {"database": None, "name": "a.b"},
        "ALTER ROLE ALL SET work_mem": {"role": None, "database": None},
    }
    for words, given in entries.items():
        assert privileges.override_words({**OVERRIDE, **given}) == words


def observed(wanted, **given):
    server = builders.server(users=builders.users_of(wanted), **given)
    return builders.settled(wanted, server=server)


def test_a_plan_puts_it_right_before_an_extension_is_made():
    wanted = builders.declared(settings={"work_mem": "64MB"}, extensions=["pgcrypto"])
    found = {"memberships": [MEMBERSHIP], "triggers": [TRIGGER], "overrides": [OVERRIDE]}
    seen = observed(wanted, privileges={**privileges.NOTHING, **found})
    planned = builders.plan(wanted, seen)
    assert builders.verbs(planned) == ["privileges", "overrides", "extensions"]
    assert "disable event trigger watch" in builders.summary(planned, "privileges")
    assert "work_mem" in builders.summary(planned, "overrides")
    assert len(planned.before["not_declared"]) == 3 and "not_declared" not in planned.after


def test_parameters_that_nobody_declared_are_left():
    wanted = builders.declared(tune=True, memory="1g")
    found = {"overrides": [OVERRIDE]}
    seen = observed(wanted, privileges={**privileges.NOTHING, **found}, altered=("log_connections",))
    assert "work_mem" in wanted.derived
    assert builders.plan(wanted, seen).steps == ()


def test_what_alter_system_has_set_is_taken_back():
    wanted = builders.declared(settings={"max_connections": "50"})
    seen = observed(wanted, altered=("max_connections", "ssl"))
    assert builders.verbs(builders.plan(wanted, seen)) == ["altered", "reload"]
    seen = observed(wanted, altered=("max_connections", "ssl"), applied=("max_connections", "ssl"))
    assert builders.verbs(builders.plan(wanted, seen)) == ["altered", "restart"]
    held = builders.plan(builders.declared(settings={"max_connections": "50"}, max_impact="none"), seen)
    assert builders.verbs(held) == ["altered", "reload"] and "max_connections" not in builders.summary(held, "altered")
    assert [step.verb for step in held.pending] == ["restart"]

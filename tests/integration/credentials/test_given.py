# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials that are given to playbook create: whatever becomes of the run, the ones that work are stored."""

from __future__ import annotations

import pytest
from harness import THOROUGH

from playbooks import Fleet, changes

GIVEN, OTHER = "Another1234567", "Yet-another-1234567"
WRONG = {"database_settings": {"no_such_parameter": "1"}}


@pytest.fixture(scope="module")
def fleet(shared):
    fleet = Fleet(shared).let_kill()
    create(fleet)
    return fleet


def users(**given):
    return [{"name": "report", "role": "readonly", **given}]


def create(fleet, *options, **given):
    return fleet.play("create", *options, **{"database_users": users(), **given})


def waits(fleet):
    return "next_password" in fleet.credentials.read_text()


def test_another_username_is_refused(fleet):
    stored = fleet.credentials.read_bytes()
    for check in ([], ["--check"]):
        assert "username: hello is not the one" in fleet.play(
            "create", *check, succeeds=False, database_username="hello"
        )
    assert fleet.credentials.read_bytes() == stored
    assert changes(create(fleet)) == 0


def test_what_is_not_to_be_forced_is_not_stored(fleet):
    stored, old = fleet.credentials.read_bytes(), fleet.password()
    given = {"database_password": GIVEN, "database_update_password": "on_create"}
    assert "is not the one that" in create(fleet, succeeds=False, **given)
    assert fleet.credentials.read_bytes() == stored and fleet.logs_in(old)
    # The one that somebody has given the server by hand is.
    fleet.host.psql("shop", f"ALTER ROLE {fleet.host.record('shop')['username']} PASSWORD '{GIVEN}'")
    create(fleet, **given)
    assert fleet.password() == GIVEN and fleet.logs_in(GIVEN) and not waits(fleet)
    create(fleet, database_password=old)
    assert fleet.password() == old and fleet.logs_in(old) and not waits(fleet)


@pytest.mark.parametrize("user", [None, "report"])
def test_a_refused_run_keeps_the_password_that_works(fleet, user):
    given = {"database_users": users(password=GIVEN)} if user else {"database_password": GIVEN}
    old = fleet.password(user=user)
    output = create(fleet, succeeds=False, **given, **WRONG)
    assert "no_such_parameter" in output and GIVEN not in output
    assert fleet.password(user=user) == old and fleet.logs_in(old, user=user)
    assert not waits(fleet) and changes(create(fleet)) == 0 and fleet.logs_in(old, user=user)
    create(fleet, "-vvv", "--diff", **given)
    assert fleet.password(user=user) == GIVEN and fleet.logs_in(GIVEN, user=user) and not waits(fleet)
    assert changes(create(fleet, **given)) == changes(create(fleet)) == 0


def test_killed_before_each_task(fleet):
    old, wanted = fleet.password(), OTHER
    given = {"database_users": users(), "database_password": OTHER}
    first = fleet.moments("create", "Resolve the credentials", **given)[0]
    last = fleet.moments("create", "Set the facts of the connection", **given)[0]
    for moment in range(first, last + 1, 1 if THOROUGH else 3):
        given["database_password"] = wanted
        assert fleet.killed("create", variables=given, VELLARIC_KILL_BEFORE_TASK=str(moment)) != 0
        known = [fleet.password(), fleet.password(key="next_password")] if waits(fleet) else [fleet.password()]
        assert any(fleet.logs_in(password) for password in known)
        create(fleet)
        assert fleet.logs_in(fleet.password())
        create(fleet, **given)
        assert fleet.password() == wanted and fleet.logs_in(wanted) and not waits(fleet)
        wanted = old if wanted == OTHER else OTHER


def test_a_declared_fleet(fleet):
    create(fleet, database_password=GIVEN)
    old = fleet.password()
    declared = {"name": fleet.host.name("shop"), "environment": "development", "password": OTHER, "users": users()}
    assert "no_such_parameter" in site(fleet, {**declared, "settings": {"no_such_parameter": "1"}}, succeeds=False)
    assert fleet.password() == old and fleet.logs_in(old) and not waits(fleet)
    site(fleet, declared)
    assert fleet.password() == OTHER and fleet.logs_in(OTHER) and not waits(fleet)
    assert changes(site(fleet, declared)) == 0


def site(fleet, declared, **more):
    return fleet.run("site", postgres_databases=[declared], **more)

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database that is to be there: created, or begun again after a first start that was interrupted."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import container as containers
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.port_choice import Holder
from ansible_collections.vellaric.postgres.tests.unit import builders
from ansible_collections.vellaric.postgres.tests.unit.builders import CONF, HBA, IDENT, plan, refusal

CREATION = ["certificate", "write_files", "create", "role", "database", "restrict", "lock_superuser", "prove_login"]


# --- a new database


@pytest.mark.parametrize("state", ["started", "present"])
def test_a_new_database_from_nothing(state):
    wanted = builders.declared(state=state, memory="1g")
    planned = plan(wanted, builders.empty())
    assert builders.verbs(planned) == ["reserve", *CREATION]
    assert {step.impact for step in planned.steps} == {"none"}
    assert planned.reserves_port
    assert planned.final
    assert planned.before == {}
    record = planned.record
    assert (record.id, record.port, record.username) == (builders.IDENTITY, 5432, builders.USERNAME)
    assert (record.created_at, record.initialised) == (builders.NOW, False)
    assert record.declared == wanted.declared()
    assert builders.step(planned, "create").config.memory == 1 << 30
    assert set(builders.texts(planned)) == {CONF, HBA, IDENT}


def test_the_port_and_the_record_come_before_anything_that_needs_them():
    assert plan(builders.declared(), builders.empty()).steps[0].verb == "reserve"


@pytest.mark.parametrize("missing", ["username", "password"])
def test_a_new_database_needs_credentials(missing):
    message = refusal(builders.declared(**{missing: None}), builders.empty())
    assert "needs a username and a password" in message
    assert "postgres_db_credentials" in message


def test_so_does_one_whose_first_start_was_interrupted():
    seen = builders.empty(record=builders.record_of(builders.declared(), initialised=False))
    assert "needs a username and a password" in refusal(builders.declared(password=None), seen)
    assert builders.verbs(plan(builders.declared(username=None), seen))[0] != "reserve"


def test_a_partial_declaration_creates_nothing():
    assert "partial: true" in refusal(builders.declared(partial=True), builders.empty())


def test_an_image_that_is_not_there_is_pulled_before_the_rest_can_be_known():
    planned = plan(builders.declared(), builders.empty(image=None))
    assert builders.verbs(planned) == ["reserve", "pull", *CREATION]
    assert not planned.final
    assert builders.step(planned, "create").config is None


def test_an_image_that_is_not_there_is_not_pulled_against_the_declaration():
    message = refusal(builders.declared(pull="never"), builders.empty(image=None))
    assert "postgres:15-alpine is not on the host" in message
    assert "pull: missing" in message


def test_settings_that_the_server_refuses():
    message = refusal(builders.declared(settings={"jit": "maybe"}), builders.empty(settings_error="invalid value"))
    assert message.startswith("settings: ")
    assert message.endswith("invalid value")


# --- ports

PORTS = [
    # declared, in the record, taken by others: the port, and whether it is reserved
    ({}, None, {}, 5432, True),
    ({}, None, {5432: Holder("x"), 5433: Holder("y")}, 5434, True),
    ({"port_range": "6000-6010"}, None, {6000: Holder("x")}, 6001, True),
    ({"port": 7000}, None, {5432: Holder("x")}, 7000, True),
    ({}, 5440, {}, 5440, False),
    # A range is for the choice, which is made once.
    ({"port_range": "6000-6010"}, 5440, {}, 5440, False),
    ({"port": 5440}, 5440, {}, 5440, False),
    ({"port": 7000}, 5440, {}, 7000, True),
]


@pytest.mark.parametrize(("given", "recorded", "taken", "port", "reserved"), PORTS)
def test_the_port_is_the_declared_one_else_the_one_it_has_else_the_first_free(given, recorded, taken, port, reserved):
    wanted = builders.declared(**given)
    seen = builders.empty(ports_taken=taken)
    if recorded:
        record = builders.record_of(wanted, port=recorded)
        seen = builders.settled(wanted, record=record, ports_taken=taken)
    planned = plan(wanted, seen)
    assert planned.record.port == port
    assert planned.reserves_port is reserved
    changed = [step for step in planned.steps if step.verb in ("create", "replace")]
    assert all(step.config.port == port for step in changed) and bool(changed) is reserved


def test_a_port_that_others_have_is_refused_with_who_has_it():
    message = refusal(builders.declared(port=5432), builders.empty(ports_taken={5432: Holder("database other")}))
    assert message.startswith("Port 5432 of app-development-postgres is taken by database other")


def test_so_is_the_port_of_a_database_that_stood_still_meanwhile():
    wanted = builders.declared()
    seen = builders.stopped(builders.settled(wanted, ports_taken={5432: Holder("container other")}))
    assert "container other" in refusal(wanted, seen)


def test_what_serves_on_its_port_has_it():
    # The engine's own proxy listens on it.
    wanted = builders.declared()
    seen = builders.settled(wanted, ports_taken={5432: Holder("a process that listens on it")})
    assert plan(wanted, seen).steps == ()


def test_a_full_range_is_refused_with_the_option():
    wanted = builders.declared(port_range="5432-5433")
    message = refusal(wanted, builders.empty(ports_taken={5432: Holder("x"), 5433: Holder("y")}))
    assert "No port is free between 5432 and 5433" in message
    assert "port_range" in message


def test_another_port_is_a_change_of_the_container():
    planned = plan(builders.declared(port=7000), builders.settled(builders.declared()))
    assert builders.verbs(planned) == ["reserve", "replace"]
    assert "port 5432 -> 7000" in builders.summary(planned, "replace")


# --- a first start that was interrupted


def half_made(wanted, **given):
    seen = builders.settled(wanted, record=builders.record_of(wanted, initialised=False), server=None)
    seen = builders.replaced(seen, restart_policy=containers.INITIAL_RESTART_POLICY)
    return builders.other(seen, **{"data_majors": (), **given})


def test_interrupted_after_the_record():
    wanted = builders.declared()
    seen = builders.empty(directory_exists=True, record=builders.record_of(wanted, initialised=False))
    assert builders.verbs(plan(wanted, seen)) == CREATION


def test_interrupted_while_the_server_initialises():
    wanted = builders.declared()
    planned = plan(wanted, half_made(wanted))
    assert builders.verbs(planned) == ["initialise", *CREATION[CREATION.index("create") + 1 :]]
    assert "wait" in builders.summary(planned, "initialise")


def test_interrupted_while_the_server_initialises_with_other_files():
    # It may have read them already.
    wanted = builders.declared()
    seen = half_made(wanted)
    assert builders.verbs(plan(wanted, dataclasses.replace(seen, certificate=None)))[0] == "reset"
    assert builders.verbs(plan(wanted, builders.other(seen, files=builders.tls_files())))[0] == "reset"


@pytest.mark.parametrize("status", ["created", "exited", "restarting", "paused"])
def test_a_first_start_that_failed_begins_again_from_nothing(status):
    wanted = builders.declared()
    planned = plan(wanted, builders.stopped(half_made(wanted), status=status))
    assert builders.verbs(planned) == ["reset", *CREATION]


def test_so_does_one_of_a_container_that_is_gone():
    wanted = builders.declared()
    assert builders.verbs(plan(wanted, half_made(wanted, container=None))) == ["reset", *CREATION]


def test_so_does_one_with_another_declaration():
    old, new = builders.declared(), builders.declared(shm_size="512m")
    assert builders.verbs(plan(new, half_made(old)))[:2] == ["write_record", "reset"]


def test_data_that_have_served_are_never_emptied():
    wanted = builders.declared(memory="1g")
    served = builders.settled(builders.declared())
    for seen in (
        served,
        builders.stopped(served),
        builders.stopped(served, exit_code=1),
        builders.other(served, container=None, server=None),
        # The record is gone, the data speak for themselves.
        dataclasses.replace(served, record=None),
        builders.stopped(dataclasses.replace(served, record=None)),
    ):
        assert "reset" not in builders.verbs(plan(wanted, seen))

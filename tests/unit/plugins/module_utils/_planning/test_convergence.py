# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever was there and whatever is declared: a run brings it about, a second one changes nothing, and so it is after
a crash between any two steps."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import container as containers
from ansible_collections.vellaric.postgres.plugins.module_utils._planning.plan import plan_database
from ansible_collections.vellaric.postgres.tests.unit import builders, certificates, simulated
from hypothesis import given
from hypothesis import strategies as st

# Valid at the time of the tests' host, whenever they run.
OWN = [certificates.server(None, begins=builders.days_until_now(), days=5000) for turn in range(2)]
TLS = [{"tls_certificate": pair.certificate, "tls_key": pair.key} for pair in OWN]
DECLARATIONS = st.fixed_dictionaries(
    {},
    optional={
        "state": st.sampled_from(["started", "present"]),
        "port": st.sampled_from([5432, 6000]),
        "bind_address": st.sampled_from(["127.0.0.1", "0.0.0.0", "::1"]),
        "base_domain": st.just("example.com"),
        "trusted_sources": st.sampled_from([[], ["10.0.0.0/8"], ["10.0.0.1", "::1"]]),
        "networks": st.sampled_from([[], ["apps"], ["shop"], ["apps", "shop"]]),
        "sslmode": st.sampled_from(["disable", "prefer", "require"]),
        "memory": st.sampled_from(["512m", "1g"]),
        "cpus": st.sampled_from(["1", "1.5"]),
        "shm_size": st.sampled_from(["64m", "512m"]),
        "settings": st.dictionaries(st.sampled_from(["work_mem", "max_connections", "jit"]), st.just("7")),
        "image": st.just("vellaric/postgres:15-bookworm"),
        "password": st.sampled_from([builders.PASSWORD, "another-password"]),
        "users": st.lists(
            st.fixed_dictionaries(
                {
                    "name": st.sampled_from(["alice", "bob"]),
                    "role": st.sampled_from(["owner", "readwrite", "readonly"]),
                },
                optional={"connection_limit": st.just(5)},
            ).map(lambda user: {**user, "password": "password-of-a-user"}),
            max_size=2,
            unique_by=lambda user: user["name"],
        ),
        "own": st.sampled_from(TLS),
    },
).map(lambda chosen: {**chosen.pop("own", {}), **chosen})


def nothing(_wanted):
    return builders.empty()


def without_image(_wanted):
    return builders.empty(image=None)


def as_declared(wanted):
    return builders.settled(wanted)


def stopped(wanted):
    return builders.stopped(builders.settled(wanted))


def container_missing(wanted):
    return builders.settled(wanted, container=None, server=None)


def record_missing(wanted):
    return dataclasses.replace(builders.settled(wanted), record=None, server=None)


def certificate_missing(wanted):
    seen = builders.settled(wanted, certificate=None)
    files = {path: known for path, known in seen.files.items() if path != "tls/server.crt"}
    return builders.other(seen, files=files)


def replacement_left(wanted):
    seen = builders.settled(wanted)
    return builders.other(seen, previous=builders.previous_of(seen))


def first_start_failed(wanted):
    record = builders.record_of(wanted, initialised=False)
    seen = builders.stopped(builders.settled(wanted, record=record, data_majors=()), exit_code=1)
    return builders.replaced(seen, restart_policy=containers.INITIAL_RESTART_POLICY)


def tampered_with(wanted):
    role = {"verifier": None, "login": False, "privileged": True}
    server = builders.server(role=role, database=None, superuser_has_password=True, pending_restart=("port",))
    return builders.settled(wanted, server=server, files=builders.tls_files())


SITUATIONS = st.sampled_from(
    [
        nothing,
        without_image,
        as_declared,
        stopped,
        container_missing,
        record_missing,
        certificate_missing,
        replacement_left,
        first_start_failed,
        tampered_with,
    ]
)


def plan(wanted, host):
    seen = dataclasses.replace(host.seen, own_tls=builders.examined(wanted.tls))
    return plan_database(wanted, seen, builders.IDENTITY)


def run(wanted, host, most=10**6):
    """Do what a run does, planning anew where a plan is not final; with `most`, crash after as many steps."""
    done = 0
    for _round in range(4):
        planned = plan(wanted, host)
        for step in planned.steps:
            if done == most:
                return host, done
            host, done = host.perform(step, wanted, planned), done + 1
            if step.verb == "pull":
                break
        if planned.final:
            break
    return host, done


@given(SITUATIONS, DECLARATIONS, DECLARATIONS)
def test_a_second_run_changes_nothing(situation, old, new):
    wanted = builders.declared(**new)
    host, _steps = run(wanted, simulated.Host.of(situation(builders.declared(**old))))
    planned = plan(wanted, host)
    assert (builders.verbs(planned), planned.pending) == ([], ())
    assert planned.before == planned.after


@given(SITUATIONS, DECLARATIONS, DECLARATIONS)
def test_the_result_is_the_declaration(situation, old, new):
    wanted = builders.declared(**new)
    host, _steps = run(wanted, simulated.Host.of(situation(builders.declared(**old))))
    record = host.seen.record
    assert record.declared == wanted.declared()
    assert (
        containers.differences(host.seen.container.config, containers.desired(wanted, record, builders.image())) == []
    )
    assert host.seen.previous is None
    if host.seen.container.running:
        role = {"verifier": builders.verifier(wanted.password), "login": True, "privileged": False}
        assert host.seen.server == builders.server(role=role, users=builders.users_of(wanted))


@given(SITUATIONS, DECLARATIONS, DECLARATIONS)
def test_a_run_that_was_interrupted_anywhere_is_finished_by_the_next(situation, old, new):
    wanted = builders.declared(**new)
    start = simulated.Host.of(situation(builders.declared(**old)))
    straight, steps = run(wanted, start)
    for most in range(steps):
        cut, _steps = run(wanted, start, most)
        finished, _steps = run(wanted, cut)
        assert builders.verbs(plan(wanted, finished)) == []
        # Only `present` may leave standing still what a crash stopped, or serving what a crash started.
        if wanted.state == "started":
            assert finished.seen == straight.seen
            assert finished.seen.certificate == builders.certificate_of(wanted)


@given(SITUATIONS, DECLARATIONS, DECLARATIONS)
def test_after_a_run_that_was_interrupted_the_server_has_read_its_files(situation, old, new):
    wanted = builders.declared(**new)
    start = simulated.Host.of(situation(builders.declared(**old)))
    _straight, steps = run(wanted, start)
    for most in range(steps):
        cut, _steps = run(wanted, start, most)
        finished, _steps = run(wanted, cut)
        if finished.seen.container.running:
            assert finished.consistent


@given(DECLARATIONS, DECLARATIONS, st.sampled_from(["none", "restart"]))
def test_nothing_exceeds_the_impact_that_is_allowed(old, new, max_impact):
    wanted = builders.declared(**{**new, "max_impact": max_impact})
    planned = plan(wanted, simulated.Host.of(builders.settled(builders.declared(**old))))
    allowed = {"none": ["none"], "restart": ["none", "restart"]}[max_impact]
    assert {step.impact for step in planned.steps} <= set(allowed)
    assert not {step.impact for step in planned.pending} & set(allowed)


@given(DECLARATIONS, DECLARATIONS)
def test_what_was_held_back_is_done_by_the_run_that_may(old, new):
    old, new = builders.declared(**old), builders.declared(**new)
    start = simulated.Host.of(builders.settled(old))
    held, _steps = run(dataclasses.replace(new, max_impact="none"), start)
    pending = plan(dataclasses.replace(new, max_impact="none"), held)
    assert builders.verbs(pending) == []
    allowed, _steps = run(new, held)
    assert builders.verbs(plan(new, allowed)) == []
    assert allowed.consistent or not allowed.seen.container.running


@given(SITUATIONS, DECLARATIONS, st.booleans())
def test_what_is_deleted_is_gone_and_a_second_deletion_has_nothing_to_do(situation, declaration, purge):
    there = situation(builders.declared(**declaration))
    absent = builders.declared(state="absent", purge=purge)
    host, _steps = run(absent, simulated.Host.of(there))
    assert not host.seen.directory_exists
    assert (host.seen.container, host.seen.previous) == (None, None)
    assert plan(absent, host).steps == ()


@pytest.mark.parametrize("situation", [as_declared, stopped, nothing])
def test_steps_have_a_summary_for_a_person(situation):
    wanted = builders.declared(settings={"max_connections": "7"}, shm_size="512m", sslmode="require")
    planned = plan(wanted, simulated.Host.of(situation(builders.declared())))
    assert planned.steps
    assert all(len(step.summary) > 10 and "\n" not in step.summary for step in planned.steps)

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Foreign containers, stopping, restarting and deleting; what is there and as declared."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._applying import apply, pooler_changes, server_changes
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import facts, spec
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import record as records
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.record import Instance
from ansible_collections.vellaric.postgres.plugins.module_utils._planning import sql_steps, steps
from ansible_collections.vellaric.postgres.tests.unit import builders, simulated
from ansible_collections.vellaric.postgres.tests.unit.builders import plan, refusal


def kinds(base=steps.Step):
    for kind in base.__subclasses__():
        yield from kinds(kind)
        if kind not in (steps.Action, steps.Worded, sql_steps.SqlStep):
            yield kind


def with_replica(seen, **given):
    replica = Instance("replica", "replica", f"{builders.NAME}-replica", 6432, True, depends_on=("primary",))
    known = {"container": builders.running(seen.container.config, name=replica.container), "previous": None, **given}
    serves = facts.InstanceFacts("replica", "replica", image=None, files={}, **known)
    return dataclasses.replace(seen, instances=(*seen.instances, serves))


def test_another_instance_is_none_of_the_plans_of_the_primary():
    """The record keeps it, and whatever is done to the primary leaves it as it is."""
    wanted, settled = builders.declared(), builders.settled(builders.declared())
    replica = Instance("replica", "replica", f"{builders.NAME}-replica", 6432, True, depends_on=("primary",))
    record = dataclasses.replace(settled.record, instances=(*settled.record.instances, replica))
    seen = with_replica(dataclasses.replace(settled, record=record))
    assert builders.plan(wanted, seen).steps == () and builders.plan(wanted, seen).record.instances == record.instances
    planned = builders.plan(builders.declared(memory="2g", read_only=False), seen)
    assert {step.container for step in planned.steps if hasattr(step, "container")} == {builders.NAME}
    assert planned.record.others == (replica,) and records.from_json(records.to_json(record), "") == record
    assert seen.with_primary(container=None).others == seen.others != ()


def test_other_instances_are_deleted_with_their_database_and_before_it():
    wanted = builders.declared(state="absent")
    seen = with_replica(builders.settled(builders.declared()))
    steps_of = plan(wanted, seen).steps
    assert [step.verb for step in steps_of] == ["remove", "remove", "trash"]
    assert [step.container for step in steps_of[:2]] == [f"{builders.NAME}-replica", builders.NAME]
    # One that alone is left, too, and one whose replacement was interrupted.
    before = builders.running(seen.container.config, name=f"{builders.NAME}-replica-previous")
    left = builders.other(with_replica(seen, container=None, previous=before), container=None, directory_exists=False)
    left = dataclasses.replace(left, instances=(left.instances[0], left.instances[-1]))
    assert [(s.verb, s.container) for s in plan(wanted, left).steps] == [("remove_previous", before.name)]


def test_a_foreign_container_in_the_place_of_another_instance_is_left_alone():
    foreign = builders.foreign(name=f"{builders.NAME}-replica")
    for state in ("started", "absent"):
        message = refusal(
            builders.declared(state=state), with_replica(builders.settled(builders.declared()), container=foreign)
        )
        assert f"{builders.NAME}-replica that this collection did not create, where the replica of" in message


def test_every_kind_of_step_is_done_in_one_way():
    known = {**apply.DOES, **pooler_changes.DOES}
    for kind in kinds():
        assert (kind in known) is not issubclass(kind, server_changes.IN_SESSION), kind
        # As the tests' host does it, too.
        assert hasattr(simulated.Host, "_" + kind.verb), kind
    verbs = [kind.verb for kind in kinds()]
    assert len(verbs) == len(set(verbs)) > 30


def test_steps_that_take_data_or_the_container_away_exclude_backups():
    excluding = {kind.verb for kind in kinds() if kind.excludes_backups}
    assert excluding == {"final_backup", "purge", "put_back", "remove", "reset", "trash"}


def test_impacts_are_in_their_order():
    assert spec.IMPACTS == ("none", "restart", "recreate")


def test_a_plan_without_steps_changes_nothing():
    empty = steps.Plan()
    assert (empty.steps, empty.pending, empty.final, empty.reserves_port) == ((), (), True, False)
    assert steps.Plan(steps=(steps.Reserve(None),)).reserves_port


@pytest.mark.parametrize("state", spec.STATES)
def test_a_container_of_others_is_left_alone(state):
    message = refusal(builders.declared(state=state), builders.empty(container=builders.foreign()))
    assert builders.NAME in message
    assert "did not create" in message
    assert "rename or remove" in message


@pytest.mark.parametrize("state", spec.STATES)
def test_so_is_one_that_has_the_name_of_a_predecessor(state):
    wanted = builders.declared(state=state)
    seen = builders.settled(wanted, previous=builders.foreign(name=f"{builders.NAME}-previous"))
    assert f"{builders.NAME}-previous" in refusal(wanted, seen)


@pytest.mark.parametrize("state", spec.STATES)
def test_two_servers_on_one_data_directory_are_refused(state):
    wanted = builders.declared(state=state)
    message = refusal(wanted, builders.settled(wanted, mounted_by=("adminer", "other")))
    assert message.startswith("adminer mounts the data")
    assert wanted.directory in message


@pytest.mark.parametrize("state", spec.STATES)
def test_a_database_of_another_data_root_is_not_this_one(state):
    there = builders.declared(data_root="/srv/databases")
    seen = builders.empty(container=builders.settled(there).container)
    message = refusal(builders.declared(state=state), seen)
    assert "data_root: /srv/databases" in message


@pytest.mark.parametrize("state", spec.STATES)
def test_data_of_nobody_are_left_alone(state):
    message = refusal(builders.declared(state=state), builders.empty(directory_exists=True, half_made=True))
    assert "holds data" in message
    assert "database.json" in message


# --- stopped and restarted


def test_a_running_database_is_stopped():
    wanted = builders.declared(state="stopped")
    planned = plan(wanted, builders.settled(builders.declared()))
    assert builders.verbs(planned) == ["stop"]
    assert planned.steps[0].impact == "restart"
    assert (planned.before, planned.after) == ({"status": "running"}, {"status": "stopped"})


@pytest.mark.parametrize("status", ["paused", "restarting"])
def test_so_is_one_that_would_run_again_by_itself(status):
    seen = builders.stopped(builders.settled(builders.declared()), status=status)
    assert builders.verbs(plan(builders.declared(state="stopped"), seen)) == ["stop"]


@pytest.mark.parametrize("status", ["exited", "created"])
def test_a_stopped_database_is_left_alone(status):
    seen = builders.stopped(builders.settled(builders.declared()), status=status)
    planned = plan(builders.declared(state="stopped"), seen)
    assert planned.steps == ()
    assert planned.before == planned.after


@pytest.mark.parametrize(("status", "verb"), [("running", "restart"), ("restarting", "restart"), ("exited", "start")])
def test_a_database_is_restarted_or_started(status, verb):
    seen = builders.settled(builders.declared())
    seen = builders.other(seen, container=dataclasses.replace(seen.container, status=status))
    planned = plan(builders.declared(state="restarted"), seen)
    assert builders.verbs(planned) == [verb]
    assert planned.steps[0].impact == "restart"
    assert planned.record == seen.record
    assert planned.before != planned.after


@pytest.mark.parametrize("state", ["stopped", "restarted"])
def test_stopping_and_restarting_change_nothing_else(state):
    # Declared otherwise in every way, without credentials.
    wanted = builders.declared(
        state=state, memory="4g", settings={"jit": False}, username=None, password=None, port=6000
    )
    planned = plan(wanted, builders.settled(builders.declared()))
    assert len(planned.steps) == 1


@pytest.mark.parametrize("state", ["stopped", "restarted"])
def test_what_is_not_there_cannot_be_stopped_or_restarted(state):
    wanted = builders.declared(state=state)
    assert "no such database" in refusal(wanted, builders.empty())
    gone = builders.settled(wanted, container=None, server=None)
    assert "its container is missing" in refusal(wanted, gone)


# --- absent


def test_a_database_goes_to_the_trash():
    wanted = builders.declared(state="absent")
    planned = plan(wanted, builders.settled(builders.declared()))
    assert builders.verbs(planned) == ["remove", "trash"]
    assert planned.after == {}
    assert planned.before["database"] == "app"
    assert planned.record is not None


def test_a_database_is_removed_for_good_where_asked():
    planned = plan(builders.declared(state="absent", purge=True), builders.settled(builders.declared()))
    assert builders.verbs(planned) == ["remove", "purge"]


@pytest.mark.parametrize("state", ["running", "stopped", "missing"])
def test_the_container_goes_before_the_data(state):
    seen = builders.settled(builders.declared())
    seen = builders.stopped(seen) if state == "stopped" else seen
    seen = builders.other(seen, container=None, server=None) if state == "missing" else seen
    expected = ["trash"] if state == "missing" else ["remove", "trash"]
    assert builders.verbs(plan(builders.declared(state="absent"), seen)) == expected


def test_a_predecessor_goes_too():
    seen = builders.settled(builders.declared())
    seen = builders.other(seen, previous=builders.previous_of(seen))
    assert builders.verbs(plan(builders.declared(state="absent"), seen)) == ["remove", "remove_previous", "trash"]


def test_what_is_absent_stays_so():
    planned = plan(builders.declared(state="absent", environment="production"), builders.empty())
    assert planned.steps == ()


def test_a_removal_that_was_interrupted_is_finished():
    seen = builders.empty(doomed=True)
    assert builders.verbs(plan(builders.declared(state="absent", purge=True), seen)) == ["purge"]


PROTECTION = [
    # environment, deletion_protection in the record, in the task: refused?
    ("production", None, None, True),
    ("production", None, False, False),
    ("production", False, None, False),
    ("production", False, True, True),
    ("production", True, False, False),
    ("development", None, None, False),
    ("development", True, None, True),
    ("development", True, False, False),
    ("development", None, True, True),
]


@pytest.mark.parametrize(("environment", "recorded", "given", "refused"), PROTECTION)
def test_protection_is_that_of_the_task_else_of_the_record_else_of_the_environment(
    environment, recorded, given, refused
):
    there = builders.declared(environment=environment, deletion_protection=recorded)
    seen = builders.settled(there)
    wanted = builders.declared(environment=environment, state="absent", deletion_protection=given)
    if refused:
        assert "deletion_protection: false" in refusal(wanted, seen)
    else:
        assert builders.verbs(plan(wanted, seen))[-2:] == ["remove", "trash"]


@pytest.mark.parametrize(
    ("environment", "given", "taken"),
    [("production", None, True), ("production", False, False), ("staging", None, False), ("staging", True, True)],
)
def test_a_final_backup_is_taken_as_declared_else_in_production(environment, given, taken):
    seen = builders.settled(builders.declared(environment=environment))
    deletion = {"environment": environment, "state": "absent", "deletion_protection": False, "final_backup": given}
    assert ("final_backup" in builders.verbs(plan(builders.declared(**deletion), seen))) is taken


def test_what_cannot_be_backed_up_is_not_deleted_unless_told():
    deletion = {"environment": "production", "state": "absent", "deletion_protection": False}
    there = builders.declared(environment="production")
    for seen in (
        builders.settled(there, container=None, server=None),
        simulated.Host.of(builders.settled(there))._stop(there, None, None).seen,
    ):
        assert "final_backup: false" in refusal(builders.declared(**deletion), seen)
        assert "trash" in builders.verbs(plan(builders.declared(**deletion, final_backup=False), seen))


def test_protection_holds_where_only_the_data_are_left():
    wanted = builders.declared(environment="production", state="absent")
    seen = builders.settled(builders.declared(environment="production"), container=None, server=None)
    assert "protected" in refusal(wanted, seen)


# --- as declared


@pytest.mark.parametrize("state", ["started", "present"])
def test_a_database_as_declared_is_left_alone(state):
    wanted = builders.declared(state=state)
    planned = plan(wanted, builders.settled(wanted))
    assert (planned.steps, planned.pending) == ((), ())
    assert planned.before == planned.after
    assert planned.final


def test_credentials_are_not_needed_for_what_is_there():
    planned = plan(builders.declared(username=None, password=None), builders.settled(builders.declared()))
    assert planned.steps == ()

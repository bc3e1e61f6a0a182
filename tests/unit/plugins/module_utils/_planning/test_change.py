# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database that has served: brought to its declaration at the least cost."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import configuration, facts, names
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import container as containers
from ansible_collections.vellaric.postgres.tests.unit import builders
from ansible_collections.vellaric.postgres.tests.unit.builders import CONF, HBA, IDENT, plan, refusal


def test_data_that_are_gone_are_not_replaced_by_empty_ones():
    wanted = builders.declared()
    message = refusal(wanted, builders.settled(wanted, data_majors=(), half_made=False))
    assert "holds no data" in message
    assert "put the data back" in message


@pytest.mark.parametrize(
    ("image_major", "majors", "refused"),
    [(15, (15,), 0), (17, (15,), 1), (15, (17,), 1), (17, (15, 17), 0), (15, (15, 17), 1)],
)
def test_another_major_version_is_refused(image_major, majors, refused):
    wanted = builders.declared()
    record = builders.record_of(wanted)
    image = builders.image(major=image_major)
    seen = builders.settled(
        wanted,
        image=image,
        data_majors=majors,
        container=builders.running(containers.desired(wanted, record, image)),
        files={**builders.texts_of(wanted, record, image_major), **builders.tls_files()},
    )
    if refused:
        message = refusal(wanted, seen)
        assert f"is PostgreSQL {image_major}" in message
        assert f"is PostgreSQL {majors[-1]}" in message
    else:
        assert plan(wanted, seen).steps == ()


def test_another_user_name_is_refused():
    message = refusal(builders.declared(username="somebody"), builders.settled(builders.declared()))
    assert "'somebody'" in message
    assert builders.USERNAME in message


def test_a_user_name_can_be_changed_before_anybody_could_log_in():
    seen = builders.empty(record=builders.record_of(builders.declared(), initialised=False))
    planned = plan(builders.declared(username="somebody"), seen)
    assert planned.record.username == "somebody"
    assert planned.steps[0].summary == "record the declaration (username)"


def test_what_clients_on_the_host_verify_with_is_where_they_read_it():
    wanted = builders.declared()
    planned = plan(wanted, builders.settled(wanted, unpublished=True))
    assert [(step.verb, step.impact) for step in planned.steps] == [("publish", "none")]
    assert f"/var/vellaric/certificates/{builders.NAME}.crt" in planned.steps[0].summary


def test_data_that_lies_in_the_container_is_not_lost_with_it():
    wanted = builders.declared()
    seen = builders.settled(wanted, strays=("pg_wal -> /wal",))
    assert plan(wanted, seen).steps == ()
    for changed in ({"shm_size": "1g"}, {"state": "absent"}):
        assert "pg_wal -> /wal" in refusal(builders.declared(**changed), seen)
    assert plan(builders.declared(state="absent", purge=True), seen).steps
    assert plan(builders.declared(shm_size="1g", max_impact="none"), seen).pending


def test_fewer_connections_than_a_server_has_by_default_are_told_when_they_begin():
    tuned = builders.declared(memory="512m", tune=True)
    [warning] = plan(tuned, builders.empty()).warnings
    assert "max_connections 28" in warning and "25 for each GiB" in warning and "pooler" in warning
    assert plan(tuned, builders.settled(tuned)).warnings == ()
    own = builders.declared(memory="512m", tune=True, settings={"max_connections": 60})
    assert plan(own, builders.empty()).warnings == ()
    assert plan(builders.declared(memory="8g", tune=True), builders.empty()).warnings == ()


def test_memory_that_the_server_would_be_killed_for_want_of():
    less, enough = builders.declared(memory="128m"), builders.declared(memory="256m")
    for seen in (builders.empty(), builders.settled(enough), builders.settled(builders.declared())):
        message = refusal(less, seen)
        assert "the server needs 204m" in message and "Nothing was changed" in message
    # One that runs with it is spoken of, and not kept from other changes.
    planned = plan(less, builders.settled(less))
    assert planned.steps == () and "the server needs 204m" in planned.warnings[0]
    settings = {"shared_buffers": "32MB", "max_connections": 20}
    assert plan(builders.declared(memory="128m", settings=settings), builders.settled(enough)).steps
    worse = builders.declared(memory="128m", settings={"shared_buffers": "256MB"})
    assert "shared_buffers 256MB" in refusal(worse, builders.settled(less))
    assert plan(builders.declared(memory="128m", tune=True), builders.empty()).steps


IN_PLACE = [
    ({"memory": "512m"}, {"memory": "1g"}, "memory 512m -> 1g"),
    ({}, {"memory": "1g"}, "memory none -> 1g"),
    ({"cpus": "1"}, {"cpus": "1.5"}, "cpus 1 -> 1.5"),
    ({}, {"memory": "1g", "cpus": "2"}, "memory none -> 1g, cpus none -> 2"),
]


@pytest.mark.parametrize(("old", "new", "changes"), IN_PLACE)
def test_limits_are_changed_while_it_serves(old, new, changes):
    planned = plan(builders.declared(**new), builders.settled(builders.declared(**old)))
    assert builders.verbs(planned) == ["write_record", "update"]
    assert builders.summary(planned, "update") == f"change {changes}"
    assert builders.summary(planned, "write_record") == f"record the declaration ({', '.join(sorted(new))})"
    assert {step.impact for step in planned.steps} == {"none"}


def test_a_restart_policy_that_an_interrupted_creation_left_is_put_right():
    seen = builders.replaced(builders.settled(builders.declared()), restart_policy=containers.INITIAL_RESTART_POLICY)
    assert builders.verbs(plan(builders.declared(), seen)) == ["update"]


REPLACEMENTS = [
    ({"memory": "512m"}, {}, "memory 512m -> none"),
    ({"cpus": "2"}, {}, "cpus 2 -> none"),
    ({}, {"shm_size": "512m"}, "shm_size 256m -> 512m"),
    ({}, {"backup_root": "/srv/backups"}, "mounts"),
    ({}, {"image": "vellaric/postgres:15-trixie"}, "labels"),
]


@pytest.mark.parametrize(("old", "new", "changes"), REPLACEMENTS)
def test_what_the_engine_cannot_change_takes_a_new_container(old, new, changes):
    planned = plan(builders.declared(**new), builders.settled(builders.declared(**old)))
    assert builders.verbs(planned) == ["write_record", "replace"]
    assert changes in builders.summary(planned, "replace")
    assert [step.impact for step in planned.steps] == ["none", "recreate"]


def test_another_image_takes_a_new_container():
    seen = builders.settled(builders.declared(), image=builders.image(id="sha256:" + "a" * 64))
    planned = plan(builders.declared(), seen)
    assert builders.verbs(planned) == ["replace"]
    assert "sha256:aaaaaaaaaaaa" in builders.summary(planned, "replace")


def test_an_image_that_is_not_there_is_pulled_for_a_database_that_serves():
    planned = plan(builders.declared(image="postgres:15.99"), builders.settled(builders.declared(), image=None))
    assert builders.verbs(planned)[-1] == "pull"
    assert not planned.final


RELOADS = [
    ({}, {"settings": {"work_mem": "8MB"}}, [CONF]),
    ({"settings": {"work_mem": "8MB"}}, {}, [CONF]),
    ({}, {"trusted_sources": ["10.0.0.0/8"]}, [HBA]),
    ({}, {"sslmode": "require"}, [HBA]),
    ({}, {"sslmode": "require", "settings": {"work_mem": "8MB"}}, [HBA, CONF]),
]


@pytest.mark.parametrize(("old", "new", "paths"), RELOADS)
def test_files_are_written_and_read_again_without_a_restart(old, new, paths):
    planned = plan(builders.declared(**new), builders.settled(builders.declared(**old)))
    assert builders.verbs(planned) == ["write_record", "write_files", "reload"]
    assert builders.summary(planned, "write_files") == f"write {', '.join(paths)}"
    assert {step.impact for step in planned.steps} == {"none"}


@pytest.mark.parametrize("path", [CONF, HBA, IDENT])
@pytest.mark.parametrize("damage", ["missing", "edited", "hidden"])
def test_managed_files_are_put_right(path, damage):
    seen = builders.settled(builders.declared())
    files = dict(seen.files)
    known = files.pop(path)
    if damage == "edited":
        files[path] = dataclasses.replace(known, content=known.content + b"# a note\n")
    if damage == "hidden":
        files[path] = dataclasses.replace(known, mode=0o600)
    planned = plan(builders.declared(), builders.other(seen, files=files))
    assert "write_files" in builders.verbs(planned)
    # Without the file nobody knows what the server runs with.
    expected = "restart" if (path, damage) == (CONF, "missing") else "reload"
    assert builders.verbs(planned)[-1] == expected


def test_parameters_of_the_postmaster_take_a_restart():
    wanted = builders.declared(settings={"max_connections": 50, "work_mem": "8MB"})
    planned = plan(wanted, builders.settled(builders.declared()))
    assert builders.verbs(planned) == ["write_record", "write_files", "restart"]
    assert builders.summary(planned, "restart") == "restart the server (max_connections)"
    assert planned.steps[-1].impact == "restart"


def test_a_parameter_that_still_waits_for_its_restart():
    wanted = builders.declared(settings={"max_connections": 50})
    seen = builders.settled(wanted, server=builders.server(pending_restart=("max_connections",)))
    assert builders.verbs(plan(wanted, seen)) == ["restart"]


def test_a_parameter_that_was_taken_out_and_still_waits_for_its_restart():
    wanted = builders.declared()
    server = builders.server(pending_restart=("max_connections",), withdrawn=("max_connections",))
    assert builders.verbs(plan(wanted, builders.settled(wanted, server=server))) == ["restart"]


def test_what_somebody_else_changed_is_not_ours_to_restart_for():
    seen = builders.settled(builders.declared(), server=builders.server(pending_restart=("max_connections",)))
    assert plan(builders.declared(), seen).steps == ()


def test_a_replacement_restarts_anyway():
    wanted = builders.declared(settings={"max_connections": 50}, shm_size="512m")
    assert builders.verbs(plan(wanted, builders.settled(builders.declared()))) == [
        "write_record",
        "write_files",
        "replace",
    ]


CERTIFICATES = [
    ({"certificate": None}, "none of this host's authority"),
    ({"certificate": {**builders.certificate_of(builders.declared()), "ours": False}}, "none of this host's authority"),
    ({"certificate": {**builders.certificate_of(builders.declared()), "names": ["localhost"]}}, "other names"),
    ({"now": "2027-01-15T12:00:00.000Z"}, "ends on 2027-02-01"),
    (
        {"certificate": {**builders.certificate_of(builders.declared()), "authority_not_after": "2027-03-01T00:00:00"}},
        "the authority of this host ends on 2027-03-01 and is renewed",
    ),
]


@pytest.mark.parametrize(("seen", "reason"), CERTIFICATES)
def test_certificates_are_issued_anew(seen, reason):
    planned = plan(builders.declared(), builders.settled(builders.declared(), **seen))
    assert builders.verbs(planned) == ["certificate", "reload"]
    assert reason in builders.summary(planned, "certificate")


@pytest.mark.parametrize(("mode", "uid"), [(0o644, 999), (0o600, 0), (0o400, 70)])
def test_a_key_that_the_server_would_refuse_is_issued_anew(mode, uid):
    seen = builders.settled(builders.declared())
    files = {**seen.files, "tls/server.key": facts.FileFacts(b"key", mode, uid)}
    planned = plan(builders.declared(), builders.other(seen, files=files))
    assert builders.verbs(planned) == ["certificate", "reload"]
    assert "owner or mode" in builders.summary(planned, "certificate")


def test_other_names_come_with_another_address():
    wanted = builders.declared(bind_address="0.0.0.0")
    assert builders.verbs(plan(wanted, builders.settled(builders.declared()))) == [
        "write_record",
        "certificate",
        "replace",
    ]


# --- what is stopped, or is not there


def test_a_stopped_database_is_started_and_looked_at_again():
    planned = plan(builders.declared(), builders.stopped(builders.settled(builders.declared())))
    assert builders.verbs(planned) == ["start"]
    assert not planned.final


@pytest.mark.parametrize("status", ["paused", "restarting", "created"])
def test_so_is_one_that_does_not_serve_for_another_reason(status):
    planned = plan(builders.declared(), builders.stopped(builders.settled(builders.declared()), status=status))
    assert builders.verbs(planned) == ["start"]


def test_present_leaves_it_stopped():
    wanted = builders.declared(state="present")
    assert plan(wanted, builders.stopped(builders.settled(wanted))).steps == ()


def test_a_stopped_database_is_changed_without_a_restart():
    wanted = builders.declared(state="present", settings={"max_connections": 50})
    planned = plan(wanted, builders.stopped(builders.settled(builders.declared())))
    assert builders.verbs(planned) == ["write_record", "write_files"]
    started = dataclasses.replace(wanted, state="started")
    planned = plan(started, builders.stopped(builders.settled(builders.declared())))
    assert builders.verbs(planned) == ["write_record", "write_files", "start"]


@pytest.mark.parametrize("state", ["started", "present"])
def test_a_missing_container_is_made_again_on_the_data(state):
    wanted = builders.declared(state=state)
    planned = plan(wanted, builders.settled(wanted, container=None, server=None))
    assert builders.verbs(planned) == ["create"]
    assert "use the existing data" in planned.steps[0].summary
    assert planned.record.initialised


def test_a_missing_record_is_made_again_from_the_container():
    wanted = builders.declared()
    seen = builders.settled(wanted, record=builders.record_of(wanted, port=5440))
    planned = plan(wanted, dataclasses.replace(seen, record=None, server=None))
    assert builders.verbs(planned) == ["reserve"]
    record = planned.record
    assert (record.id, record.port, record.username, record.initialised) == (
        builders.IDENTITY,
        5440,
        builders.USERNAME,
        True,
    )
    assert record.created_at == "2026-01-15T11:00:00.012Z"


@pytest.mark.parametrize("created", ["2026-01-15T11:00:00.5Z", "2026-01-15T11:00:00.12Z", "2026-01-15T11:00:00Z"])
def test_a_recovered_time_of_creation_is_a_time(created):
    # The engine leaves zeros at the end of a fraction out.
    wanted = builders.declared()
    seen = builders.settled(wanted)
    container = dataclasses.replace(seen.container, created_at=created)
    planned = plan(wanted, builders.other(seen, record=None, server=None, container=container))
    assert planned.record.created_at.count("Z") == 1
    assert planned.record.created_at.startswith("2026-01-15T11:00:00")


def test_a_recovered_record_keeps_its_user_name():
    seen = dataclasses.replace(builders.settled(builders.declared()), record=None, server=None)
    assert plan(builders.declared(username=None, password=None), seen).record.username == builders.USERNAME
    assert "belongs to" in refusal(builders.declared(username="somebody"), seen)
    # What stands for a name that is not made yet, while a run only looks, is told to nobody.
    message = refusal(builders.declared(username=names.USERNAME_TO_COME), seen)
    assert "No credentials of" in message and names.USERNAME_TO_COME not in message and "run this again" in message


# --- a replacement that was interrupted


def cut_short(**given):
    seen = builders.settled(builders.declared())
    return builders.other(seen, previous=builders.previous_of(seen), **given)


def test_before_the_new_container_was_made():
    planned = plan(builders.declared(), cut_short(container=None, server=None))
    assert builders.verbs(planned) == ["put_back"]
    assert not planned.final


def test_before_the_new_container_was_started():
    seen = cut_short()
    planned = plan(builders.declared(), builders.stopped(seen, status="created"))
    assert builders.verbs(planned) == ["put_back"]


def test_before_the_old_container_was_removed():
    assert builders.verbs(plan(builders.declared(), cut_short())) == ["remove_previous"]


# --- roles and the database

SERVERS = [
    ({"role": None}, ["role", "prove_login"]),
    ({"role": {**builders.server().role, "login": False}}, ["role", "prove_login"]),
    ({"role": {**builders.server().role, "privileged": True}}, ["role", "prove_login"]),
    ({"role": {"verifier": None, "login": True, "privileged": False}}, ["role", "prove_login"]),
    (
        {"role": {"verifier": builders.verifier("another-password"), "login": True, "privileged": False}},
        ["role", "prove_login"],
    ),
    ({"database": None}, ["database", "restrict"]),
    ({"database": {"owner": "postgres", "public": False}}, ["database"]),
    ({"database": {"owner": builders.USERNAME, "public": True}}, ["restrict"]),
    ({"superuser_has_password": True}, ["lock_superuser"]),
    (
        {"role": None, "database": None, "superuser_has_password": True},
        ["role", "database", "restrict", "lock_superuser", "prove_login"],
    ),
]


@pytest.mark.parametrize(("server", "verbs"), SERVERS)
def test_roles_and_database_are_put_right(server, verbs):
    planned = plan(builders.declared(), builders.settled(builders.declared(), server=builders.server(**server)))
    assert builders.verbs(planned) == verbs
    assert {step.impact for step in planned.steps} == {"none"}


def test_a_stored_password_is_not_forced_upon_a_server_that_has_another():
    other = {"verifier": builders.verifier("another-password"), "login": True, "privileged": False}
    seen = builders.settled(builders.declared(), server=builders.server(role=other))
    message = refusal(builders.declared(update_password="on_create"), seen)
    assert "is not the one that app-development-postgres has" in message
    assert all(way in message for way in ("update_password: always", "give that as password", "rotate"))
    # One without any is given it.
    seen = builders.settled(builders.declared(), server=builders.server(role={**other, "verifier": None}))
    planned = plan(builders.declared(update_password="on_create"), seen)
    assert builders.verbs(planned) == ["role", "prove_login"]


def test_a_password_that_is_not_given_is_left_as_it_is():
    other = {"verifier": builders.verifier("another-password"), "login": True, "privileged": False}
    seen = builders.settled(builders.declared(), server=builders.server(role=other))
    assert plan(builders.declared(password=None), seen).steps == ()


def test_the_verifier_is_not_in_the_plan():
    seen = builders.settled(builders.declared(), server=builders.server(role=None))
    planned = plan(builders.declared(), seen)
    assert "SCRAM" not in str((planned.steps, planned.before, planned.after))
    assert builders.PASSWORD not in str(planned)


# --- what a run may not do

HELD_BACK = [
    # declared anew, max_impact: what is done, what is pending
    ({"shm_size": "512m"}, "recreate", ["write_record", "replace"], []),
    ({"shm_size": "512m"}, "restart", ["write_record"], ["replace"]),
    ({"shm_size": "512m"}, "none", ["write_record"], ["replace"]),
    ({"settings": {"max_connections": 50}}, "restart", ["write_record", "write_files", "restart"], []),
    ({"settings": {"max_connections": 50}}, "none", ["write_record"], ["restart"]),
    ({"settings": {"work_mem": "8MB"}}, "none", ["write_record", "write_files", "reload"], []),
    ({"memory": "1g"}, "none", ["write_record", "update"], []),
    ({"shm_size": "512m", "memory": "1g"}, "none", ["write_record", "update"], ["replace"]),
    # Less memory comes after the restart that fits the server into it, and waits for it.
    ({"memory": "1g", "settings": {"max_connections": 50}}, "none", ["write_record"], ["restart", "update"]),
    (
        {"memory": "1g", "tune": True},
        "restart",
        ["write_record", "write_files", "restart", "update"],
        [],
    ),
    (
        {"shm_size": "512m", "settings": {"max_connections": 50}},
        "restart",
        ["write_record", "write_files", "restart"],
        ["replace"],
    ),
    ({"shm_size": "512m", "settings": {"max_connections": 50}}, "none", ["write_record"], ["replace", "restart"]),
    (
        {"settings": {"max_connections": 50}, "sslmode": "require"},
        "none",
        ["write_record", "write_files", "reload"],
        ["restart"],
    ),
]


@pytest.mark.parametrize(("new", "max_impact", "done", "pending"), HELD_BACK)
def test_what_exceeds_the_impact_is_pending(new, max_impact, done, pending):
    planned = plan(builders.declared(**new, max_impact=max_impact), builders.settled(builders.declared()))
    assert builders.verbs(planned) == done
    assert [step.verb for step in planned.pending] == pending


def test_more_memory_comes_before_the_restart_that_makes_use_of_it_and_need_not_wait_for_it():
    seen = builders.settled(builders.declared(memory="512m", tune=True))
    planned = plan(builders.declared(memory="1g", tune=True), seen)
    assert builders.verbs(planned) == ["write_record", "write_files", "update", "restart"]
    assert "shared_buffers" in builders.summary(planned, "restart")
    held_back = plan(builders.declared(memory="1g", tune=True, max_impact="none"), seen)
    assert builders.verbs(held_back) == ["write_record", "update"]
    assert [(step.verb, step.impact) for step in held_back.pending] == [("restart", "restart")]


def test_less_memory_that_waits_for_a_restart_says_so():
    planned = plan(
        builders.declared(memory="512m", tune=True, max_impact="none"),
        builders.settled(builders.declared(memory="1g", tune=True)),
    )
    assert [(step.verb, step.impact) for step in planned.pending] == [("restart", "restart"), ("update", "restart")]
    assert planned.pending[1].summary == "change memory 1g -> 512m"


def test_a_parameter_that_waits_for_its_restart_is_not_written():
    # Written now, it would take effect at the next restart, whatever that is for.
    wanted = builders.declared(settings={"max_connections": 50}, sslmode="require", max_impact="none")
    planned = plan(wanted, builders.settled(builders.declared()))
    assert builders.summary(planned, "write_files") == f"write {HBA}"
    assert set(builders.texts(planned)) == {HBA}
    assert planned.after["parameters"]["max_connections"] == "50"


def test_what_is_pending_stays_so_until_it_may_be_done():
    wanted = builders.declared(settings={"max_connections": 50}, max_impact="none")
    seen = dataclasses.replace(builders.settled(builders.declared()), record=builders.record_of(wanted))
    planned = plan(wanted, seen)
    assert (builders.verbs(planned), [step.verb for step in planned.pending]) == ([], ["restart"])
    planned = plan(dataclasses.replace(wanted, max_impact="restart"), seen)
    assert builders.verbs(planned) == ["write_files", "restart"]


def test_a_record_of_the_schema_before_is_written_anew_and_nothing_else():
    wanted = builders.declared()
    settled = builders.settled(wanted)
    planned = plan(wanted, dataclasses.replace(settled, record=dataclasses.replace(settled.record, schema=1)))
    assert builders.verbs(planned) == ["write_record"] and planned.steps[0].impact == "none"
    assert planned.steps[0].summary == "record the declaration (schema)"
    assert planned.record == settled.record


def test_a_host_of_the_version_before_is_as_declared_and_so_is_what_is_shown_of_it():
    wanted = builders.declared()
    settled = builders.settled(wanted)
    texts = {path: given.content.decode() for path, given in settled.files.items() if path in configuration.MANAGED}
    texts = {
        path: "".join(row for row in text.splitlines(True) if "perator" not in row) for path, text in texts.items()
    }
    files = {path: dataclasses.replace(settled.files[path], content=text.encode()) for path, text in texts.items()}
    seen = builders.other(settled, files={**settled.files, **files})
    assert seen.files != settled.files
    planned = plan(wanted, seen)
    assert planned.steps == () and planned.before == planned.after
    planned = plan(builders.declared(trusted_sources=["10.0.0.0/8"]), seen)
    assert builders.verbs(planned) == ["write_record", "write_files", "reload"]
    assert set(planned.steps[1].texts) == {configuration.PG_HBA_CONF, configuration.PG_IDENT_CONF}

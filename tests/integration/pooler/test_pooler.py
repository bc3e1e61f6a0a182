# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database's pooler from its declaration to its removal, and what its clients have of it meanwhile."""

from __future__ import annotations

import contextlib
import json
import shutil

import psycopg
import pytest
from harness import (
    IMAGE,
    PASSWORD,
    THOROUGH,
    USERNAME,
    derived_image,
    docker,
    eventually,
    listener,
    remove_images,
    verbs,
)
from pooled import REPORTING, Pooled, pgbouncer, pooler


@pytest.fixture(scope="module")
def pooled(shared):
    pooled = Pooled(shared, "shop")
    answer = pooled.converge(users=[REPORTING], settings={"max_connections": "60"})
    assert verbs(answer)[:2] == ["reserve", "pooler_network"] and verbs(answer)[-2:] == [
        "pooler_files",
        "pooler_create",
    ]
    yield pooled
    with contextlib.suppress(Exception):
        docker("rm", "-fv", pooled.container)


def test_clients_change_only_the_port(pooled):
    with pooled.connect() as client:
        assert client.pgconn.ssl_in_use
        assert client.execute("SELECT current_user, current_database()").fetchone() == (USERNAME, pooled.name)
    with pooled.connect(session=True) as client:
        client.execute("SET application_name = 'mine'")
        assert client.execute("SHOW application_name").fetchone() == ("mine",)
    assert pooled.answers(user="reporting")
    assert not pooled.answers(password="another-password") and not pooled.answers(user="postgres")


def test_its_container_is_as_confined_as_that_of_the_server(pooled):
    facts = pooled.facts()
    host = facts["HostConfig"]
    assert facts["Config"]["User"] == "996:996" and facts["Config"]["StopSignal"] == "SIGINT"
    assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and not host["CapAdd"]
    assert "no-new-privileges" in host["SecurityOpt"] and host["Memory"] == 128 << 20
    assert host["RestartPolicy"]["Name"] == "unless-stopped" and not [e for e in facts["Config"]["Env"] if "PASS" in e]
    shared = json.loads(docker("network", "inspect", pooled.container))[0]
    there = {one["Name"] for one in shared["Containers"].values()}
    assert shared["Internal"] and there == {pooled.container, pooled.host.container("shop")}
    users = pooled.host.directory("shop") / "pooler/conf/users.txt"
    assert users.stat().st_mode & 0o777 == 0o600 and PASSWORD not in users.read_text()


def test_what_a_reload_leaves_as_it_is_is_known(pooled):
    fixed = {row["key"] for row in pooled.console("SHOW CONFIG") if row["changeable"] == "no"}
    assert fixed - set(pooler.MANAGED) <= set(pgbouncer.READ_AT_START), fixed - set(pooler.MANAGED)


def test_what_somebody_has_changed_is_put_right(pooled):
    declared = {"users": [REPORTING], "settings": {"max_connections": "60"}}
    files = pooled.host.directory("shop") / "pooler/conf"
    (files / "pgbouncer.ini").write_text((files / "pgbouncer.ini").read_text() + "query_wait_timeout = 1\n")
    assert verbs(pooled.converge(**declared)) == ["pooler_files"]
    (files / "users.txt").write_text("")
    assert verbs(pooled.converge(**declared)) == ["pooler_files"] and pooled.answers()
    pooled.host.psql("shop", "ALTER ROLE reporting PASSWORD 'another-password'")
    assert "reporting" in pooled.host.refused("shop", pooler=True, update_password="on_create", **declared)
    pooled.run(**declared)
    assert pooled.answers(user="reporting")
    docker("stop", pooled.container)
    assert verbs(pooled.converge(**declared)) == ["pooler_start"] and pooled.answers()
    docker("rm", "-f", pooled.container)
    shutil.rmtree(files.parent)
    assert verbs(pooled.converge(**declared)) == ["pooler_files", "pooler_create"] and pooled.answers()
    pooled.console(f'PAUSE "{pooled.name}"')
    assert verbs(pooled.converge(**declared)) == ["pooler_resume"] and pooled.answers()
    docker("network", "disconnect", "-f", pooled.container, pooled.host.container("shop"))
    assert verbs(pooled.converge(**declared)) == ["networks"]
    eventually(pooled.answers)


def test_changes_come_by_reload_and_clients_stay(pooled):
    declared = {"users": [REPORTING], "settings": {"max_connections": "60"}}
    with pooled.clients() as told:
        given = {"pool_size": 7, "settings": {"server_idle_timeout": 30}, "max_clients": 200}
        assert verbs(pooled.converge(**declared, pooler=given)) == ["write_record", "pooler_files"]
        found = {row["key"]: row["value"] for row in pooled.console("SHOW CONFIG")}
        assert (found["server_idle_timeout"], found["max_client_conn"]) == ("30", "200")
        pooled.run(**declared)
    assert told["errors"] == []
    message = pooled.host.refused("shop", **declared, pooler={"settings": {"no_such_parameter": 1}})
    assert "no_such_parameter" in message and "Nothing was changed" in message


def test_a_rotated_password_is_the_only_one(pooled):
    declared = {"settings": {"max_connections": "60"}}
    changed = {**REPORTING, "password": "another-password-9"}
    with pooled.clients() as told:
        pooled.run(**declared, users=[changed])
        assert pooled.answers(user="reporting", password="another-password-9")
        assert not pooled.answers(user="reporting")
        pooled.run(**declared, users=[])
        assert not pooled.answers(user="reporting", password="another-password-9")
        pooled.converge(**declared, users=[REPORTING])
    assert told["errors"] == [] and pooled.answers(user="reporting")


def test_clients_wait_while_the_server_is_interrupted(pooled):
    """By a restart, by a parameter that needs one, and by another image of the server's."""
    declared = {"users": [REPORTING]}
    tag = f"vellaric.test/{pooled.host.prefix}:newer"
    try:
        newer = derived_image(tag)
        for options in (
            {"state": "restarted"},
            {"settings": {"max_connections": "70"}, **declared},
            {"settings": {"max_connections": "70"}, "image": newer, **declared},
            {"settings": {"max_connections": "60"}, **declared},
        )[:: 1 if THOROUGH else 2]:
            with pooled.clients() as told:
                answer = pooled.run(**options)
            assert told["errors"] == [] and 0 < answer["clients_waited_seconds"] < 10, (answer, told)
            assert answer["clients_cut"] == 0 and answer["interruption_seconds"] > 0
    finally:
        pooled.run(settings={"max_connections": "60"}, **declared)
        remove_images(tag)


def test_clients_wait_while_a_restore_takes_the_place_of_the_database(pooled):
    """One that holds a transaction loses it, as without a pooler; the others see no error."""
    names = {key: pooled.host.defaults[key] for key in ("data_root", "backup_root", "environment")}
    given = {**names, "name": pooled.name}
    pooled.host.query("shop", "CREATE TABLE IF NOT EXISTS kept AS SELECT 42 AS answer")
    pooled.host._result("postgres_db_backup", given)
    pooled.host.query("shop", "UPDATE kept SET answer = 43")
    with pooled.clients() as told:
        answer = pooled.host._result("postgres_db_restore", {**given, "backup": "latest", "backup_first": False})
    assert told["errors"] == [] and 0 < answer["clients_waited_seconds"] < 5, (answer, told)
    with pooled.connect() as client:
        assert client.execute("TABLE kept").fetchall() == [(42,)]
        if not THOROUGH:
            return
        client.execute("BEGIN")
        client.execute("SELECT 1")
        with pooled.clients() as told:
            answer = pooled.host._result("postgres_db_restore", {**given, "backup": "latest", "backup_first": False})
        assert told["errors"] == [] and USERNAME in str(answer.get("warnings")), (answer.get("warnings"), told)
        with pytest.raises(psycopg.OperationalError):
            client.execute("SELECT 2")
    assert pooled.answers()


def test_a_transaction_that_goes_on_is_named_and_left_alone(pooled):
    with pooled.connect() as client:
        client.execute("BEGIN")
        client.execute("SELECT 1")
        message = pooled.host.refused("shop", state="restarted", pooler={"pause_timeout": 1})
        assert USERNAME in message and "pause_timeout" in message
        assert pooled.answers() and client.execute("SELECT 2").fetchone() == (2,)
        client.execute("COMMIT")


def test_trusted_sources_are_those_of_the_pooler_too(pooled):
    declared = {"users": [REPORTING], "settings": {"max_connections": "60"}}
    assert "pooler_files" in verbs(pooled.converge(**declared, trusted_sources=["192.0.2.0/24"]))
    assert not pooled.answers()
    gateway = json.loads(docker("network", "inspect", "bridge"))[0]["IPAM"]["Config"][0]["Gateway"]
    pooled.converge(**declared, trusted_sources=[gateway])
    assert pooled.answers()
    pooled.converge(**declared)


def test_what_cannot_be_is_refused_and_changes_nothing(pooled):
    declared = {"users": [REPORTING], "settings": {"max_connections": "60"}}
    refused = pooled.host.refused
    assert "leaves 50" in refused("shop", **declared, pooler={"server_connections": 51})
    foreign = listener(pooled.host.ports[1], "0.0.0.0")
    try:
        message = refused("shop", **declared, pooler={"port": pooled.host.ports[1]})
        assert "is taken by a process that listens on it" in message
    finally:
        foreign.close()
    assert "vellaric.postgres.image builds it" in refused(
        "shop", **declared, pooler={"image": "vellaric/pgbouncer:nothing"}
    )
    assert verbs(pooled.run(**declared)) == [] and pooled.answers()


def test_another_port_is_a_new_container(pooled):
    declared = {"users": [REPORTING], "settings": {"max_connections": "60"}}
    before = pooled.host.pooler("shop")["port"]
    answer = pooled.converge(**declared, pooler={"port": pooled.host.ports[1]})
    assert verbs(answer) == ["reserve", "pooler_replace"] and pooled.answers()
    # It is kept, as that of a database is.
    assert verbs(pooled.converge(**declared)) == ["write_record"] and pooled.answers()
    assert pooled.host.pooler("shop")["port"] == pooled.host.ports[1] != before


def test_it_goes_and_comes_back_with_its_database(pooled):
    declared = {"deletion_protection": False, "final_backup": False}
    pooled.host.run("shop", state="stopped")
    assert pooled.facts()["State"]["Status"] == "exited"
    answer = pooled.host.run("shop", state="absent", **declared)
    assert "pooler_remove" in verbs(answer)
    assert pooled.facts() is None and not pooled.network()
    predicted = pooled.host.check("shop", state="undeleted")
    answer = pooled.host.run("shop", state="undeleted")
    assert verbs(predicted) == verbs(answer) and "pooler_create" in verbs(answer)
    eventually(pooled.answers)
    assert verbs(pooled.run(users=[REPORTING], settings={"max_connections": "60"})) == []


def test_without_the_declaration_nothing_of_it_stays(pooled):
    assert "pooler_remove" in verbs(pooled.host.converge("shop", users=[REPORTING]))
    assert pooled.facts() is None and not pooled.network()
    assert not (pooled.host.directory("shop") / "pooler").exists()
    assert pooled.host.query("shop", "SELECT 1") == [(1,)]
    # A database that serves gets one without an interruption.
    answer = pooled.converge(users=[REPORTING])
    assert answer["interruption_seconds"] == 0 and pooled.answers()
    assert IMAGE == pooled.host.one("shop")["image"]

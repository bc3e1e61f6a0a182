# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database's pooler from its declaration to its removal, and what its clients have of it meanwhile."""

from __future__ import annotations

import contextlib
import importlib
import json
import shutil
import threading
import time

import psycopg
import pytest
from harness import IMAGE, PASSWORD, USERNAME, derived_image, docker, eventually, listener, remove_images, verbs

PARTS = "ansible_collections.vellaric.postgres.plugins.module_utils."
console = importlib.import_module(PARTS + "_server.console")
pgbouncer = importlib.import_module(PARTS + "_domain.pgbouncer")
REPORTING = {"name": "reporting", "role": "readonly", "password": PASSWORD}
UID = 996


class Pooled:
    """A database with a pooler, as its clients and an operator see it."""

    def __init__(self, host, short):
        self.host, self.short, self.name = host, short, host.name(short)
        self.container = f"{host.container(short)}-pool"

    def run(self, **options):
        return self.host.run(self.short, **{"pooler": True, **options})

    def converge(self, **options):
        return self.host.converge(self.short, **{"pooler": True, **options})

    def facts(self):
        answer = docker("inspect", "--type", "container", self.container, check=False)
        return json.loads(answer)[0] if answer and answer != "[]" else None

    def console(self, command, seconds=5):
        facts = self.facts()
        return console.run(facts["State"]["Pid"], facts["Id"], UID, UID, command, seconds)

    def connect(self, session=False, **options):
        parameters = {
            "host": "127.0.0.1",
            "port": self.host.pooler(self.short)["port"],
            "user": USERNAME,
            "password": PASSWORD,
            "dbname": pgbouncer.session_name(self.name) if session else self.name,
            "connect_timeout": 10,
            "autocommit": True,
            "sslmode": "verify-full",
            "sslrootcert": f"{self.host.directory(self.short)}/tls/ca.crt",
            # What psycopg prepares by itself is another test's.
            "prepare_threshold": None,
        }
        return psycopg.connect(**{**parameters, **options})

    def answers(self, **options):
        with contextlib.suppress(psycopg.OperationalError), self.connect(**options) as client:
            return client.execute("SELECT 1").fetchone() == (1,)
        return False

    def network(self):
        return docker("network", "ls", "-q", "--filter", f"name=^{self.container}$")

    @contextlib.contextmanager
    def clients(self, most=5):
        """Clients that ask all the time, half of them with a new connection each time. Gives what they have to tell."""
        told = {"errors": [], "answers": 0, "longest": 0.0}
        over = threading.Event()

        def ask(stays):
            client = None
            while not over.is_set():
                began = time.monotonic()
                try:
                    client = client or self.connect()
                    client.execute("SELECT 1").fetchone()
                    told["answers"] += 1
                except psycopg.Error as error:
                    told["errors"].append(str(error))
                    client = None
                told["longest"] = max(told["longest"], time.monotonic() - began)
                if client is not None and not stays:
                    client.close()
                    client = None
                time.sleep(0.01)
            if client is not None:
                client.close()

        threads = [threading.Thread(target=ask, args=(number % 2 == 0,)) for number in range(most)]
        for thread in threads:
            thread.start()
        try:
            eventually(lambda: told["answers"] > most)
            yield told
            count = told["answers"]
            eventually(lambda: told["answers"] > count + most)
        finally:
            over.set()
            for thread in threads:
                thread.join()


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
    pooler = importlib.import_module(PARTS + "_domain.pooler")
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
        pooler = {"pool_size": 7, "settings": {"server_idle_timeout": 30}, "max_clients": 200}
        assert verbs(pooled.converge(**declared, pooler=pooler)) == ["write_record", "pooler_files"]
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
        ):
            with pooled.clients() as told:
                answer = pooled.run(**options)
            assert told["errors"] == [] and 0 < answer["clients_waited_seconds"] < 10, (answer, told)
            assert answer["clients_cut"] == 0 and answer["interruption_seconds"] > 0
    finally:
        remove_images(tag)


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

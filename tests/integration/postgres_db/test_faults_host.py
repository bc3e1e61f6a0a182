# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts on which others have been at work: ports taken, foreign containers, files and data changed by hand."""

from __future__ import annotations

import json
import os
import shutil
import socket

import pytest
from harness import IMAGE, OTHER_MAJOR_IMAGE, docker, eventually, inspect, listener, verbs


@pytest.fixture(scope="module")
def living(shared):
    """A database for the tests of this file that bring it back to where it was."""
    shared.run("living")
    shared.query("living", "CREATE TABLE kept AS SELECT 42 AS answer")
    yield "living"
    assert shared.query("living", "TABLE kept") == [(42,)]


def foreign(host, name, *options):
    """A container of somebody else's, which does nothing."""
    return docker("run", "-d", "--name", name, *options, "--entrypoint", "sleep", IMAGE, "600")


def test_a_port_taken_by_a_process(host):
    with listener(host.ports[0]):
        for check in (True, False):
            message = host.refused("a", port=host.ports[0], check=check)
            assert f"Port {host.ports[0]}" in message and "a process that listens on it" in message
        assert host.untouched()
        assert host.run("a")["database"]["port"] == host.ports[0] + 1


def test_a_port_taken_by_a_container(host):
    foreign(host, host.name("other"), "-p", f"127.0.0.1:{host.ports[0]}:80")
    message = host.refused("a", port=host.ports[0])
    assert f"Port {host.ports[0]}" in message and f"container {host.name('other')}" in message
    assert host.run("a")["database"]["port"] == host.ports[0] + 1


def test_a_port_of_a_database_that_stands_still(host):
    host.run("a")
    host.run("a", state="stopped")
    message = host.refused("b", port=host.ports[0])
    assert f"database {host.container('a')}" in message
    assert host.run("b")["database"]["port"] == host.ports[0] + 1
    # Somebody took it meanwhile: said so, and fixed when it is free again.
    with listener(host.ports[0]):
        assert f"Port {host.ports[0]}" in host.refused("a")
    assert verbs(host.run("a")) == ["start"]


def test_a_port_taken_by_what_nobody_sees(host):
    """Bound without listening: only the engine finds out, when it starts the container."""
    with socket.socket() as hidden:
        hidden.bind(("127.0.0.1", host.ports[0]))
        message = host.refused("a")
        assert "the engine said" in message and str(host.ports[0]) in message
    assert host.run("a")["database"]["port"] == host.ports[0]
    host.query("a", "CREATE TABLE kept AS SELECT 42 AS answer")
    # For one that serves, the old container comes back, and with it the record of its port.
    with socket.socket() as hidden:
        hidden.bind(("127.0.0.1", host.ports[1]))
        message = host.refused("a", port=host.ports[1])
        assert "was put back and serves" in message and str(host.ports[1]) in message
    assert host.one("a")["port"] == host.ports[0]
    assert host.query("a", "TABLE kept") == [(42,)]
    assert host.run("a")["actions"] == []


@pytest.mark.parametrize("state", ["started", "present", "stopped", "restarted", "absent"])
def test_a_foreign_container_of_that_name(shared, state):
    name = shared.container("taken")
    identity = (inspect(name) or {}).get("Id") or foreign(shared, name)
    message = shared.refused("taken", state=state, purge=True)
    assert name in message and "did not create" in message
    assert inspect(name)["Id"] == identity and inspect(name)["State"]["Running"]
    assert not shared.directory("taken").exists()


def test_a_foreign_container_of_the_name_for_the_old_one(shared, living):
    name = shared.container(living) + "-previous"
    identity = foreign(shared, name)
    try:
        for options in ({}, {"shm_size": "64m"}, {"state": "absent"}):
            assert name in shared.refused(living, **options)
        assert inspect(name)["Id"] == identity
    finally:
        docker("rm", "-fv", name)


@pytest.mark.parametrize("below", ["", "pgdata", "pgdata/15/docker"])
def test_a_foreign_container_that_mounts_the_data(shared, living, below):
    name = shared.name("intruder")
    foreign(shared, name, "-v", f"{shared.directory(living)}/{below}:/mnt")
    try:
        message = shared.refused(living)
        assert name in message and "Two servers on one data directory" in message
    finally:
        docker("rm", "-fv", name)


def test_the_same_name_below_another_data_root(shared, living):
    other = f"{shared.root}/elsewhere"
    for state in ("started", "absent"):
        message = shared.refused(living, data_root=other, state=state, purge=True)
        assert f"data_root: {shared.data_root}" in message
    assert shared.info(data_root=other) == []


def test_data_of_another_major_version(shared, living):
    for check in (True, False):
        message = shared.refused(living, image=OTHER_MAJOR_IMAGE, check=check)
        assert "is PostgreSQL 17" in message and "is PostgreSQL 15" in message and "dump" in message
    assert verbs(shared.run(living)) == []


def test_data_without_a_record_or_a_container(host):
    directory = host.directory("a") / "pgdata" / "14" / "docker"
    directory.mkdir(parents=True)
    (directory / "PG_VERSION").write_text("14\n")
    for state in ("started", "absent"):
        message = host.refused("a", state=state, purge=True)
        assert "holds data" in message and str(host.directory("a")) in message
    assert (directory / "PG_VERSION").exists() and not host.containers()


@pytest.mark.parametrize("stopped", [True, False])
def test_data_gone(host, stopped):
    host.run("a")
    if stopped:
        host.run("a", state="stopped")
    pgdata = host.directory("a") / "pgdata"
    shutil.move(pgdata / "15", host.root)
    message = host.refused("a")
    assert "holds no data" in message and "put the data back" in message
    shutil.move(f"{host.root}/15", pgdata)
    host.run("a")
    assert host.query("a", "SELECT 1") == [(1,)]
    # The other way out that the message names.
    shutil.rmtree(pgdata / "15")
    host.run("a", state="absent", purge=True)
    assert host.run("a")["database"]["status"] == "active"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": 1}', '{"schema": 3}', "\x00\xff"])
def test_a_damaged_record(shared, living, content):
    path = shared.directory(living) / "database.json"
    good = path.read_text()
    path.write_text(content, encoding="latin-1")
    try:
        for options in ({}, {"check": True}, {"state": "absent"}, {"partial": True}):
            assert str(path) in shared.refused(living, **options)
        row = shared.one(living)
        assert row["status"] == "error" and str(path) in row["status_reason"]
        assert shared.check("another")["actions"]
    finally:
        path.write_text(good)
    assert shared.run(living)["actions"] == []


def test_a_record_removed(shared, living):
    path = shared.directory(living) / "database.json"
    before = shared.record(living)
    path.unlink()
    answer = shared.converge(living)
    assert answer["changed"] and not {"create", "replace", "restart", "reset"} & set(verbs(answer))
    after = shared.record(living)
    assert {key: after[key] for key in ("id", "port", "username", "initialised")} == {
        key: before[key] for key in ("id", "port", "username", "initialised")
    }
    assert after["created_at"][:16] == before["created_at"][:16]


def test_a_record_removed_while_it_stands_still(shared, living):
    shared.run(living, state="stopped")
    (shared.directory(living) / "database.json").unlink()
    answer = shared.converge(living)
    assert "start" in verbs(answer) and "reset" not in verbs(answer)


def test_configuration_changed_by_hand(shared, living):
    conf = shared.directory(living) / "conf"
    (conf / "pg_hba.conf").write_text("host all all all trust\n")
    assert verbs(shared.converge(living)) == ["write_files", "reload"]
    assert "all trust" not in (conf / "pg_hba.conf").read_text()
    with open(conf / "postgresql.conf", "a") as stream:
        stream.write("max_connections = '7'\n")
    assert verbs(shared.converge(living)) == ["write_files", "restart"]
    (conf / "postgresql.conf").unlink()
    (conf / "pg_hba.conf").chmod(0o600)
    assert "write_files" in verbs(shared.converge(living))
    assert shared.query(living, "SHOW max_connections") == [("100",)]


def test_certificates_removed_or_changed_by_hand(shared, living):
    tls = shared.directory(living) / "tls"
    (tls / "server.key").unlink()
    assert verbs(shared.converge(living)) == ["certificate", "reload"]
    (tls / "server.key").chmod(0o640)
    assert verbs(shared.converge(living)) == ["certificate", "reload"]
    (tls / "server.crt").write_text("no certificate")
    assert verbs(shared.converge(living)) == ["certificate", "reload"]
    options = {"sslmode": "verify-full", "sslrootcert": str(tls / "ca.crt")}
    eventually(lambda: shared.query(living, "SELECT 1", **options) == [(1,)])


def test_the_authority_replaced(shared, living):
    authority = shared.directory(living).parent / ".tls"
    (authority / "ca.key").unlink()
    (shared.directory(living) / "tls" / "server.crt").unlink()
    message = shared.refused(living)
    assert str(authority / "ca.key") in message and "put the key back" in message
    (authority / "ca.crt").unlink()
    assert verbs(shared.converge(living)) == ["certificate", "reload"]
    options = {"sslmode": "verify-full", "sslrootcert": shared.one(living)["ca_file"]}
    eventually(lambda: shared.query(living, "SELECT 1", **options) == [(1,)])


def test_a_role_changed_by_a_superuser(shared, living):
    """What a superuser did to the role is repaired with the password that was declared."""
    shared.psql(living, f"ALTER ROLE {shared.defaults['username']} NOLOGIN PASSWORD NULL")
    assert verbs(shared.converge(living)) == ["role", "prove_login"]


def test_a_directory_that_is_a_file(host):
    os.makedirs(host.data_root)
    host.directory("a").write_text("")
    assert str(host.directory("a")) in host.refused("a")
    assert not host.containers()


def as_before(path):
    """Write a record as the version before wrote it (schema 1)."""
    content = json.loads(path.read_text())
    (primary,) = content.pop("instances")
    own = {key: primary[key] for key in ("port", "initialised", "libc")}
    path.write_text(json.dumps({**content, **own, "schema": 1}, indent=2, sort_keys=True) + "\n")


def test_a_record_of_the_version_before_is_brought_along(shared, living):
    """And what that has not written of who may connect does not come with it, but with the next change of that."""
    path, conf = shared.directory(living) / "database.json", shared.directory(living) / "conf"
    now, container = path.read_text(), shared.inspect(living)
    as_before(path)
    access = {conf / name: (conf / name).read_text() for name in ("pg_hba.conf", "pg_ident.conf")}
    older = {one: "".join(row for row in text.splitlines(True) if "perator" not in row) for one, text in access.items()}
    assert all(one.write_text(text) < len(access[one]) for one, text in older.items())
    shared.psql(living, "SELECT pg_reload_conf()")
    assert shared.one(living)["status"] == "active"
    predicted = shared.check(living)
    assert verbs(predicted) == ["write_record"] and json.loads(path.read_text())["schema"] == 1
    assert verbs(shared.run(living)) == ["write_record"]
    assert path.read_text() == now and shared.run(living)["actions"] == []
    assert {one: one.read_text() for one in older} == older
    after = shared.inspect(living)
    assert (after["Id"], after["State"]["StartedAt"]) == (container["Id"], container["State"]["StartedAt"])
    # Whatever else is asked of it meanwhile.
    as_before(path)
    assert verbs(shared.run(living, partial=True, username=None, password=None, memory="700m")) == [
        "write_record",
        "update",
    ]
    as_before(path)
    shared.run(living, state="absent")
    assert shared.run(living, state="undeleted")["database"]["status"] == "active"
    shared.converge(living)
    (conf / "pg_hba.conf").unlink()
    assert verbs(shared.converge(living)) == ["write_files", "reload"]
    assert {one: one.read_text() for one in access} == access

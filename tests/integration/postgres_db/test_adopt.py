# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers that somebody else made are taken over with their data, or left just as they were."""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
import time
from pathlib import Path

import psycopg
import pytest
from adopted import DATA, OLD_PASSWORD, Foreign, adoptable
from harness import (
    IMAGE,
    OTHER_MAJOR_IMAGE,
    THOROUGH,
    USERNAME,
    Failed,
    Host,
    docker,
    eventually,
    inspect,
    remove_images,
    verbs,
)

DRIVER = [sys.executable, str(Path(__file__).with_name("killed.py"))]


def check_rows(host, short, **options):
    assert host.query(short, "SELECT count(*), sum(number) FROM kept", **options) == [(1000, 500500)]


def check_owner(host, short, username):
    """The application's role is an ordinary one that owns all that was made for it."""
    owners = "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE oid >= 16384 AND relkind IN ('r', 'S', 'v')"
    spaces = "relnamespace IN ('public'::regnamespace, 'shelf'::regnamespace)"
    assert host.query(short, f"{owners} AND {spaces}", user=username) == [(username,)]
    assert host.query(short, "SELECT current_setting('is_superuser'), answer()", user=username) == [("off", 42)]
    assert host.psql(short, "SELECT rolname FROM pg_roles WHERE oid = 10 AND rolsuper") == "postgres"
    assert host.psql(short, f"SELECT rolsuper FROM pg_roles WHERE rolname = '{username}'") == "f"


def check_settled(host, short, **options):
    again = host.run(short, **options)
    assert again["actions"] == [] and not again["changed"], again["actions"]
    assert inspect(host.container(short) + "-previous") is None
    details = inspect(host.container(short))
    assert OLD_PASSWORD not in json.dumps(details)
    assert details["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert not list(host.directory(short).glob("pgdata/.incomplete*"))
    assert not (host.directory(short) / "adoption.progress").exists()


def test_a_named_volume_whose_superuser_is_the_application(host, volume):
    """As most compose files have it: the role keeps its name, and is no superuser any more."""
    port = host.ports[0] + 7
    Foreign(host, "a", "-p", f"{port}:5432", "--restart", "always", data=volume, user="shop", database="my_app").fill()
    username = host.defaults["username"] = "shop"
    answer = host.converge("a", adopt=True)
    assert verbs(answer)[:5] == ["reserve", "certificate", "write_files", "adopt", "arrange"]
    assert "127.0.0.1 instead of 0.0.0.0" in summary(answer, "adopt") and volume in summary(answer, "adopt")
    assert "rename that database" in summary(answer, "arrange")
    assert answer["interruption_seconds"] > 0
    check_rows(host, "a", user=username)
    check_owner(host, "a", username)
    with pytest.raises(psycopg.OperationalError):
        host.connect("a", user=username, password=OLD_PASSWORD)
    check_settled(host, "a", adopt=True)
    check_settled(host, "a")
    shown = host.one("a")
    assert (shown["port"], shown["adopted"]["volume"], shown["adopted"]["method"]) == (port, volume, "copy")
    # The original is there, and as it was.
    source = docker("volume", "inspect", "-f", "{{.Mountpoint}}", volume)
    assert Path(source, "PG_VERSION").exists() and Path(source, "global").is_dir()
    assert Path(shown["adopted"]["data"]) == Path(source)


def summary(answer, verb):
    return next(action["summary"] for action in answer["actions"] if action["verb"] == verb)


def test_a_directory_of_another_layout_with_labels_of_compose(host):
    """PGDATA below the mount, a superuser named postgres, an owner that is an ordinary role, and a network to keep."""
    data = Path(host.root) / "srv"
    network = f"{host.prefix}-net"
    docker("network", "create", network)
    try:
        labels = ["--label", "com.docker.compose.project=shop", "--label", "com.docker.compose.service=db"]
        options = ["-e", f"PGDATA={DATA}/below", "--network", network, "--network-alias", "db", *labels]
        foreign = Foreign(host, "a", *options, data=data, database=host.name("a")).fill()
        foreign.psql(f"CREATE ROLE {USERNAME} LOGIN PASSWORD '{OLD_PASSWORD}'; CREATE ROLE helper;")
        foreign.psql(f'ALTER DATABASE "{host.name("a")}" OWNER TO {USERNAME}; CREATE TABLE aside (i int);')
        foreign.psql("ALTER TABLE aside OWNER TO helper; CREATE DATABASE other;")
        answer = host.converge("a", adopt=True, networks=[network])
        assert "other stay in the server" in summary(answer, "adopt")
        assert "not published" in summary(answer, "adopt") and "no longer on" not in summary(answer, "adopt")
        assert answer["database"]["adopted"]["method"] == "move"
        check_rows(host, "a")
        host.query("a", "INSERT INTO aside VALUES (1)")
        check_settled(host, "a", networks=[network])
        assert os.listdir(data / "below") == []
        assert (host.directory("a") / "pgdata/15/docker/PG_VERSION").read_text() == "15\n"
        host.run("a", state="absent")
    finally:
        host.close()
        docker("network", "rm", network, check=False)


def test_an_anonymous_volume_outlives_its_container(host):
    foreign = Foreign(host, "a", database=host.name("a")).fill()
    name = foreign.mount["Name"]
    try:
        host.run("a", adopt=True)
        check_rows(host, "a")
        check_owner(host, "a", USERNAME)
        check_settled(host, "a")
        assert docker("volume", "ls", "-q", "--filter", f"name={name}") == name
        # It is an ordinary database from here on.
        host.run("a", state="stopped")
        assert verbs(host.run("a", adopt=True)) == ["start"]
        host.run("a", state="absent")
        host.run("a", state="undeleted")
        check_rows(host, "a")
    finally:
        docker("rm", "-f", host.container("a"), check=False)
        docker("volume", "rm", "-f", name)


def test_data_where_the_product_guide_has_it(host):
    """In the database's own directory: it makes room for ours."""
    Foreign(host, "a", data=host.directory("a"), database=host.name("a")).fill()
    host.converge("a", adopt=True)
    check_rows(host, "a")
    check_settled(host, "a")
    assert sorted(os.listdir(host.directory("a"))) == ["conf", "database.json", "pgdata", "tls"]


@pytest.fixture(scope="module")
def refusing(shared):
    return Foreign(shared, "kept", command=["-c", "max_connections=77"], database=shared.name("kept"))


REFUSALS = {
    "without adopt": ({"adopt": False}, "adopt: true"),
    "lost settings": ({}, "max_connections = 77"),
    "another major version": (
        {"image": OTHER_MAJOR_IMAGE, "settings": {"max_connections": 80}},
        "declare it as image",
    ),
    "deletion": ({"state": "absent"}, "did not create"),
    "restart": ({"state": "restarted"}, "did not create"),
    "no credentials": (
        {"username": None, "password": None, "settings": {"max_connections": 80}},
        "needs a username and a password",
    ),
    "a port that is taken": (
        {"port": None, "settings": {"max_connections": 80}, "networks": ["missing"]},
        "no such network",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_is_refused_leaves_it_alone(shared, refusing, case):
    options, expected = REFUSALS[case]
    before = inspect(refusing.name)
    for check in (True, False):
        assert expected in shared.refused("kept", check=check, **{"adopt": True, **options})
    after = inspect(refusing.name)
    assert (after["State"]["StartedAt"], after["HostConfig"]) == (before["State"]["StartedAt"], before["HostConfig"])
    assert not shared.directory("kept").exists()


def test_what_an_impact_holds_back_is_pending(shared, refusing):
    options = {"adopt": True, "settings": {"max_connections": 77}, "max_impact": "restart"}
    for answer in (shared.check("kept", **options), shared.run("kept", **options)):
        assert answer["actions"] == [] and answer["pending"][0]["verb"] == "adopt"
    assert not shared.directory("kept").exists() and refusing.serves()


def test_another_c_library_is_refused(shared, refusing, image_tag):
    maker = docker("create", IMAGE)
    stub = Path(shared.root) / "getconf"
    stub.write_text("#!/bin/sh\necho glibc 2.99\n")
    stub.chmod(0o755)
    try:
        docker("cp", str(stub), f"{maker}:/usr/local/sbin/getconf")
        docker("commit", "--change", f"LABEL vellaric.test={image_tag}", maker, image_tag)
        message = shared.refused("kept", adopt=True, image=image_tag, settings={"max_connections": 80})
        assert "glibc 2.99" in message and IMAGE in message
    finally:
        docker("rm", maker)
        remove_images(image_tag)


def test_containers_that_cannot_be_taken_over(host):
    """One that is stopped, one that the engine would remove with its data, one without a database to take."""
    foreign = Foreign(host, "a", "--rm", database=host.name("a"))
    assert "--rm" in host.refused("a", adopt=True)
    foreign.psql(
        f'ALTER DATABASE "{host.name("a")}" RENAME TO one; CREATE DATABASE two', check=False, database="postgres"
    )
    foreign.psql("CREATE DATABASE two", check=False, database="postgres")
    docker("stop", foreign.name)
    foreign = Foreign(host, "b", database="one")
    foreign.psql("CREATE DATABASE two")
    message = host.refused("b", adopt=True)
    assert "one, postgres, two" in message and f'RENAME TO "{host.name("b")}"' in message
    docker("stop", foreign.name)
    assert "start it first" in host.refused("b", adopt=True)
    assert host.untouched() is False and not host.directory("b").exists()


@pytest.mark.parametrize("method", ["copy", "move"])
def test_what_does_not_serve_is_put_back(host, volume, method):
    """A library that is not there: the check of the settings does not load it, the server does."""
    data = volume if method == "copy" else Path(host.root) / "srv"
    options = ["-p", f"{host.ports[0] + 3}:5432", "--restart", "on-failure:3"]
    foreign = Foreign(host, "a", *options, data=data, user="app", database="app_db").fill()
    before = inspect(foreign.name)
    with pytest.raises(Failed) as failed:
        host.run("a", adopt=True, settings={"shared_preload_libraries": "there_is_none"})
    assert "put back and serves" in failed.value.message and "there_is_none" in failed.value.message
    eventually(foreign.serves, 120)
    after = inspect(foreign.name)
    assert after["Id"] == before["Id"] and after["HostConfig"] == before["HostConfig"]
    assert foreign.psql("SELECT count(*) FROM kept") == "1000"
    assert foreign.psql("SELECT current_setting('is_superuser')") == "on"
    assert not host.directory("a").exists()
    # And it is taken over all the same when that is fixed.
    host.run("a", adopt=True)
    check_rows(host, "a")
    check_owner(host, "a", USERNAME)


def cut_short(host, moment, **options):
    process = host.start(arguments=host.arguments("a", adopt=True, **options), command=[*DRIVER, str(moment)])
    stdout, stderr = process.communicate()
    if process.returncode == -signal.SIGKILL:
        return stderr.split()
    assert process.returncode == 0, stdout + stderr
    return None


def check_taken_over(host):
    host.run("a", adopt=True)
    check_rows(host, "a")
    check_owner(host, "a", USERNAME)
    check_settled(host, "a", adopt=True)


@pytest.mark.parametrize("method", ["copy", "move"])
def test_adoption_interrupted(template, method):
    """Killed before what it does, on a fresh host each time: the next run finishes."""
    done = []
    for moment in itertools.count(1, 1 if THOROUGH else 11):
        host = Host()
        volume = f"{host.prefix}-vol"
        try:
            adoptable(host, template, method, volume)
            reached = cut_short(host, moment)
            if reached is None:
                break
            done += reached
            shown = host.info(name=host.name("a"))
            if shown and not host.record("a")["initialised"]:
                assert "interrupted" in shown[0]["status_reason"]
                assert "adopt: true" in host.refused("a", state="absent")
            check_taken_over(host)
        finally:
            host.close()
            docker("volume", "rm", "-f", volume, check=False)
    assert set(done) >= {"write", "update", "stop", "rename", "create", "start", "psql", method}


@pytest.mark.parametrize("method", ["copy", "move"])
def test_killed_over_and_over(host, template, method, volume):
    """Each run is killed a little later than the one before."""
    adoptable(host, template, method, volume)
    for moment in itertools.count(2):
        if cut_short(host, moment) is None:
            break
    check_taken_over(host)


def test_written_to_again_after_it_was_interrupted(host, template, volume):
    """Somebody lets the old container serve in between: what was copied before is out of date."""
    foreign = adoptable(host, template, "copy", volume)
    copied = host.directory("a") / "pgdata/15/docker/PG_VERSION"
    moments = itertools.count(12)
    while not copied.exists():
        assert cut_short(host, next(moments)) is not None
    foreign.name += "-previous"
    docker("start", foreign.name)
    eventually(foreign.serves, 120)
    foreign.psql("INSERT INTO kept SELECT 1001")
    host.run("a", adopt=True)
    assert host.query("a", "SELECT max(number) FROM kept") == [(1001,)]


def test_killed_while_it_copies(host, volume, template):
    foreign = adoptable(host, template, "copy", volume)
    foreign.psql("CREATE TABLE large AS SELECT repeat(md5(i::text), 30) AS text FROM generate_series(1, 300000) AS i")
    process = host.start(arguments=host.arguments("a", adopt=True))
    partial = host.directory("a") / "pgdata/.incomplete"
    eventually(partial.exists, 60)
    time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert partial.exists() and not (host.directory("a") / "pgdata/15/docker/PG_VERSION").exists()
    check_taken_over(host)
    assert host.query("a", "SELECT count(*) FROM large") == [(300000,)]

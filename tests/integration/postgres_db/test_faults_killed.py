# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`kill -9` of the module before anything that it does, and at random moments: the next run converges."""

from __future__ import annotations

import contextlib
import importlib
import itertools
import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.vellaric.postgres.tests.unit import certificates
from harness import PASSWORD, THOROUGH, Host, derived_image, docker, eventually, inspect, result, verbs

engine = importlib.import_module("ansible_collections.vellaric.postgres.plugins.module_utils._host.engine")
DRIVER = [sys.executable, str(Path(__file__).with_name("killed.py"))]
# Each kill from here on costs seconds on a server that was there before; none loses a row.
ROWS = [(42,)]


def cut_short(host, moment, short, **options):
    """Run the module until its n-th effect. Returns what it did until then, or None where it came to its end first."""
    process = host.start(arguments=host.arguments(short, **options), command=[*DRIVER, str(moment)])
    stdout, stderr = process.communicate()
    if process.returncode == -signal.SIGKILL:
        return stderr.split()
    assert process.returncode == 0, stdout + stderr
    return None


def moments(host, short, **options):
    """Cut the same run short before each of its effects in turn. Yields what was done until then."""
    done = []
    for moment in itertools.count(1):
        reached = cut_short(host, moment, short, **options)
        if reached is None:
            assert len(done) > 3
            return
        done = reached
        yield done


def converges(host, short, **options):
    """What the next run has to bring about, whatever was left: a database that serves, and nothing more to do."""
    host.run(short, **options)
    assert host.query(short, "SELECT current_user") == [(host.defaults["username"],)]
    again = host.run(short, **options)
    assert again["actions"] == [], again["actions"]
    assert inspect(host.container(short) + "-previous") is None
    assert inspect(host.container(short))["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert not list(host.directory(short).glob("*/.*.partial"))


def test_creation_interrupted():
    """On a fresh host each time, since the first creation makes what the later ones find."""
    seen, step = set(), 1 if THOROUGH else 2
    for moment in itertools.count(1, step):
        reached = creation_interrupted(moment)
        if reached is None:
            break
        seen.update(reached)
    # The last one too, whether their number is even or odd. It may differ by one from run to run.
    while reached is None:
        moment -= 1
        reached = creation_interrupted(moment)
    seen.update(reached)
    assert seen >= {"write", "create", "start", "update", "prove_login"}


def creation_interrupted(moment):
    """Cut a first creation short before its n-th effect, then converge. Returns what was done; None for all of it."""
    host = Host()
    try:
        reached = cut_short(host, moment, "a")
        if reached is not None:
            before = host.record("a") if host.directory("a").joinpath("database.json").exists() else None
            converges(host, "a")
            # What was given once stays: the id, and the port.
            if before is not None:
                assert [host.record("a")[key] for key in ("id", "port")] == [before[key] for key in ("id", "port")]
        return reached
    finally:
        host.close()


@pytest.fixture
def living(host):
    host.run("a")
    host.query("a", "CREATE TABLE kept AS SELECT 42 AS answer")
    return "a"


def test_replacement_interrupted(host, living, image_tag):
    derived_image(image_tag)
    options = itertools.cycle([{"image": image_tag, "settings": {"max_connections": 90}}, {}])
    seen, wanted = set(), next(options)
    for moment in itertools.count(1):
        reached = cut_short(host, moment, living, **wanted)
        if reached is None:
            break
        seen.update(reached)
        converges(host, living, **wanted)
        assert host.query(living, "TABLE kept") == ROWS
        assert host.one(living)["image"] == wanted.get("image", host.defaults["image"])
        wanted = next(options)
    assert seen >= {"write", "stop", "rename", "create", "start", "remove"}


def test_replacement_interrupted_and_taken_back(host, living, image_tag):
    """The next run declares the old image again: whatever was half done is undone."""
    derived_image(image_tag, "LABEL release=2")
    for reached in moments(host, living, image=image_tag):
        converges(host, living)
        assert host.query(living, "TABLE kept") == ROWS, reached
        assert "release" not in inspect(host.container(living))["Config"]["Labels"], reached
    host.run(living)


@pytest.fixture
def network(host):
    name = f"z-{host.prefix}"
    docker("network", "create", name)
    yield name
    host.forget("a")
    docker("network", "rm", name)


def test_changes_interrupted(host, living, network):
    """A new certificate, one's own and back, settings that take a restart, limits, a network and a password."""
    pair = certificates.server(None, ("db1.example.com",))
    options = itertools.cycle(
        [
            {
                "address": "db1.example.com",
                "settings": {"max_connections": 90},
                "memory": "256m",
                "password": "Another-Password_7777",
                "networks": [network],
                "tls_certificate": pair.certificate,
                "tls_key": pair.key,
            },
            {"memory": "300m"},
        ]
    )
    wanted = next(options)
    for moment in itertools.count(1):
        if cut_short(host, moment, living, **wanted) is None:
            break
        host.run(living, **wanted)
        assert host.run(living, **wanted)["actions"] == []
        password = wanted.get("password", host.defaults["password"])
        assert host.query(living, "TABLE kept", password=password) == ROWS
        expected = "90" if "settings" in wanted else "100"
        assert host.query(living, "SHOW max_connections", password=password) == [(expected,)]
        row = host.one(living)
        assert row["networks"] == wanted.get("networks", [])
        assert (row["certificate"]["fingerprint"] == pair.fingerprint) is ("tls_key" in wanted)
        login = {"sslmode": "verify-ca", "sslrootcert": row["ca_file"], "password": password}
        assert host.query(living, "SELECT 1", **login) == [(1,)]
        wanted = next(options)


@pytest.mark.parametrize("purge", [False, True])
def test_deletion_interrupted(host, purge):
    trash = os.path.join(host.data_root, ".trash")
    for moment in itertools.count(1):
        host.run("a")
        reached = cut_short(host, moment, "a", state="absent", purge=purge)
        if reached is None:
            break
        host.run("a", state="absent", purge=purge)
        assert host.inspect("a") is None and not host.directory("a").exists(), reached
        assert host.run("a", state="absent", purge=purge)["actions"] == []
        assert len(os.listdir(trash)) == (0 if purge else moment), reached
    assert moment > 3


def test_deletion_interrupted_and_the_database_wanted_after_all(host):
    """As long as the directory has not been moved, the next run that wants it has it with all its data."""
    host.run("a")
    host.query("a", "CREATE TABLE kept AS SELECT 42 AS answer")
    for moment in itertools.count(1):
        reached = cut_short(host, moment, "a", state="absent")
        if reached is None or not host.directory("a").exists():
            break
        converges(host, "a")
        assert host.query("a", "TABLE kept") == ROWS, reached
    assert moment > 2


def at_a_random_moment(host, chance, longest, **options):
    process = host.start(arguments=host.arguments("a", **options))
    time.sleep(chance.uniform(0, longest))
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_killed_at_random_moments(host, image_tag):
    """Several kills in a row, then a run of another kind after each."""
    chance = random.Random(2026)
    derived_image(image_tag)
    began = time.monotonic()
    result(host.start(arguments=host.arguments("a")))
    longest = time.monotonic() - began
    host.run("a", state="absent", purge=True)
    for _round in range(3):
        at_a_random_moment(host, chance, longest)
    converges(host, "a")
    host.query("a", "CREATE TABLE kept AS SELECT 42 AS answer")
    kinds = [{}, {"image": image_tag}, {"shm_size": "64m"}, {"settings": {"max_connections": 90}}, {"state": "stopped"}]
    for _round in range(7):
        at_a_random_moment(host, chance, longest, **chance.choice(kinds))
    converges(host, "a")
    assert host.query("a", "TABLE kept") == ROWS


def test_what_was_asked_of_an_image_leaves_nothing(host, image_tag):
    """A run that was killed before it removed its throw-away container: a later one does."""

    def left():
        return docker(
            "ps", "-aq", "--filter", f"label={engine.THROW_AWAY}", "--filter", f"ancestor={image_tag}"
        ).split()

    client = engine.Engine()
    client.connect()
    derived_image(image_tag, "LABEL asked=once")
    for _turn in range(5):
        # What the run removes first may be what another test has left.
        assert cut_short(host, 1, "a", image=image_tag, check=True) == ["remove"]
        if left():
            break
        client.remove_throw_aways()
    (leftover,) = left()
    client.remove_throw_aways()
    assert left() == [leftover]
    forgotten = docker("create", "--label", f"{engine.THROW_AWAY}={int(time.time()) - 1}", image_tag)
    client.remove_throw_aways()
    assert left() == [leftover] and inspect(forgotten) is None
    docker("rm", "-f", leftover)


def test_the_sql_of_a_killed_run_goes_on(host):
    """Its psql is inside the container, where it makes the database while the next run comes to the same."""
    host.run("a")
    sql = importlib.import_module("ansible_collections.vellaric.postgres.plugins.module_utils._server.sql")
    host.psql("a", f'DROP DATABASE "{host.name("a")}"')
    making = sql.ensure_database(host.name("a"), host.defaults["username"])
    with left_to_run(host, f"SELECT pg_sleep(2); {making} SELECT pg_sleep(1);"):
        assert "database" in [action["verb"] for action in host.run("a")["actions"]]
        assert host.psql("a", SLEEPS) == "0", "it did not wait for the other's end"
    assert host.query("a", "SELECT current_database()") == [(host.name("a"),)]


def test_the_sql_of_a_killed_run_goes_on_in_the_database_of_the_application(host):
    """What it does there is done before the next run's: a user that is declared again is there in the end."""
    users = [{"name": "reader", "role": "readonly", "password": PASSWORD}]
    host.run("a", users=users)
    enter = f'\\connect "{host.name("a")}"'
    leaving = [enter, "SELECT pg_sleep(2);", "DROP OWNED BY reader;"]
    leaving += ["\\connect postgres", "DROP OWNED BY reader;", "DROP ROLE reader;"]
    limited = [{**users[0], "connection_limit": 3}]
    with left_to_run(host, "\n".join(leaving)):
        # It finds a user of which it is to change the limit, and then one that is gone.
        assert verbs(host.run("a", users=limited)) == ["write_record", "users", "users"]
    assert verbs(host.run("a", users=limited)) == []
    assert host.query("a", "SELECT 1", user="reader", password=PASSWORD) == [(1,)]


SLEEPS = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"


@contextlib.contextmanager
def left_to_run(host, script):
    """Have a script run in the container as that of a killed run, that sleeps at its first."""
    session = importlib.import_module("ansible_collections.vellaric.postgres.plugins.module_utils._server.session")
    client = engine.Engine()
    client.connect()
    command = [*session._ALONE.split(), *session._PSQL.split(), "postgres", "-U", "postgres"]
    with client.open(host.container("a"), command, "postgres") as left:
        left.send(script + "\n")
        left.end_input()
        eventually(lambda: host.psql("a", SLEEPS) != "0")
        yield

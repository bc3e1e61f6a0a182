# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random declarations, drift and kills on the real engine: the next run makes the host what is declared, as check mode
said, and no row is lost.

The sequences are the same in every run. VELLARIC_TEST_EXAMPLES asks for more of them; with VELLARIC_TEST_SEED, others.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from pathlib import Path

import hypothesis
import pytest
from ansible_collections.vellaric.postgres.tests.unit import certificates
from harness import Host, derived_image, docker, remove_images, verbs
from hypothesis import strategies as st

DRIVER = [sys.executable, str(Path(__file__).with_name("killed.py"))]
EXAMPLES = int(os.environ.get("VELLARIC_TEST_EXAMPLES", "3"))
SEED = os.environ.get("VELLARIC_TEST_SEED")
PASSWORDS = ("Correct-Horse_Battery9", "Another-Password_7777")
TAG = f"vellaric-test/convergence:{os.getpid()}"
NETWORK = f"vellaric-test-convergence-{os.getpid()}"
USERS = {"reader": PASSWORDS[0], "writer": PASSWORDS[1]}
UNITS = {"256m": 256 << 20, "320m": 320 << 20, "64m": 64 << 20, "128m": 128 << 20}

DECLARATIONS = st.fixed_dictionaries(
    {"password": st.sampled_from(PASSWORDS)},
    optional={
        "memory": st.sampled_from(["256m", "320m"]),
        "cpus": st.sampled_from([0.5, 1]),
        "shm_size": st.sampled_from(["64m", "128m"]),
        "bind_address": st.sampled_from(["127.0.0.1", "127.0.0.2"]),
        "address": st.just("db1.example.com"),
        "image": st.just(TAG),
        "trusted_sources": st.sampled_from([["0.0.0.0/0"], ["172.16.0.0/12", "127.0.0.0/8"]]),
        "sslmode": st.sampled_from(["require", "disable"]),
        "extensions": st.sampled_from([["pg_trgm"], ["pg_stat_statements"]]),
        "settings": st.sampled_from(
            [{"work_mem": "70"}, {"max_connections": "70"}, {"jit": "off", "max_connections": "80"}]
        ),
        "tune": st.just(True),
        # The number of one of the host's ports.
        "port": st.sampled_from([20, 21]),
        "networks": st.just([NETWORK]),
        "users": st.sampled_from(
            [
                [{"name": "reader", "role": "readonly", "password": USERS["reader"]}],
                [
                    {"name": "reader", "role": "readwrite", "password": USERS["reader"]},
                    {"name": "writer", "role": "owner", "password": USERS["writer"]},
                ],
            ]
        ),
        "certificate": st.just("own"),
        "max_impact": st.sampled_from(["none", "restart"]),
    },
)
# What others do to a database, by name: commands with the container's name, or changes of files below its directory.
DRIFT = {
    "stop": ("stop", "-t", "60"),
    "kill": ("kill",),
    "pause": ("pause",),
    "remove": ("rm", "-f"),
    "less memory": ("update", "--memory", "200m", "--memory-swap", "200m"),
    "restart policy": ("update", "--restart", "no"),
    "edited": "conf/postgresql.conf",
    "opened": "conf/pg_hba.conf",
    "without certificate": "tls/server.crt",
    "password": "ALTER ROLE db_user_0123456789ab PASSWORD 'something-else'",
    "privileges": "ALTER ROLE db_user_0123456789ab CREATEDB",
    "user": "ALTER ROLE reader NOLOGIN CONNECTION LIMIT 3",
    "left network": ("network", "disconnect", NETWORK),
    "trash and back": None,
}
STEPS = st.lists(
    st.tuples(
        DECLARATIONS,
        st.none() | st.sampled_from(sorted(DRIFT)),
        st.none() | st.integers(min_value=1, max_value=12),
    ),
    min_size=4,
    max_size=6,
)


@pytest.fixture(scope="module", autouse=True)
def around():
    docker("network", "create", NETWORK)
    yield derived_image(TAG)
    remove_images(TAG)
    docker("network", "rm", NETWORK)


@functools.cache
def own_certificate():
    root = certificates.authority()
    pair = certificates.server(root, ("db1.example.com",))
    return {"tls_certificate": pair.certificate, "tls_key": pair.key, "tls_ca": root.certificate}


def drift(host, kind):
    """Let somebody else change a database that is there."""
    change = DRIFT[kind]
    if host.inspect("a") is None:
        return
    if change is None:
        host.run("a", state="absent")
        host.run("a", state="undeleted", password=None)
    elif isinstance(change, tuple):
        docker(*change, host.container("a"), check=False)
    elif change.startswith("ALTER"):
        docker("exec", "-u", "postgres", host.container("a"), "psql", "-c", change, check=False)
    elif kind == "edited":
        path = host.directory("a") / change
        path.write_text(path.read_text() + "work_mem = '1MB'\n") if path.exists() else None
    elif kind == "opened":
        path = host.directory("a") / change
        path.write_text("host all all all trust\n") if path.exists() else None
    else:
        (host.directory("a") / change).unlink(missing_ok=True)


def cut_short(host, moment, options):
    process = host.start(arguments=host.arguments("a", **options), command=[*DRIVER, str(moment)])
    stdout, stderr = process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), stdout + stderr


def serves(host):
    """Whether the server can be asked, so that check mode knows all that the run finds."""
    details = host.inspect("a")
    if details is None or details["State"]["Status"] != "running":
        return False
    record = host.directory("a") / "database.json"
    return record.exists() and host.record("a")["initialised"]


def check_prediction(asked, predicted, answer):
    """Of a server that is stopped, check mode cannot know what the run finds in it; nothing else is missing."""
    said, done = verbs(predicted), verbs(answer)
    if asked:
        assert said == done
        assert predicted["diff"]["before"] == answer["diff"]["before"]
        assert predicted["diff"]["after"] == answer["diff"]["after"]
    else:
        left = iter(done)
        assert all(verb in left for verb in said), (said, done)


def declaration(host, drawn):
    """Return the module's options for what was drawn: what depends on the host, or on something else, is filled in."""
    options = dict(drawn)
    if options.get("tune"):
        options.setdefault("memory", "320m")
    if "port" in options:
        options["port"] += host.ports[0]
    if options.pop("certificate", None):
        options.update(own_certificate())
    return options


def check_truth(host, options):
    """Compare the host with the declaration, by what Docker and the server say themselves."""
    details = host.inspect("a")
    check_container(host, options, details["HostConfig"])
    assert {*details["NetworkSettings"]["Networks"]} == {"bridge", *options.get("networks", [])}
    for name, value in expected_parameters(host, options).items():
        assert host.psql("a", f"SHOW {name}") == value
    check_access(host, options)
    extensions = host.query("a", "SELECT extname FROM pg_extension WHERE extname <> 'plpgsql'", **login(host, options))
    assert [name for (name,) in extensions] == options.get("extensions", [])
    role = "SELECT rolcreatedb OR rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
    assert host.query("a", role, **login(host, options)) == [(False,)]
    assert host.one("a")["certificate"]["own"] == ("tls_certificate" in options)
    check_users(host, options)


def check_container(host, options, config):
    assert config["Memory"] == UNITS.get(options.get("memory"), 0)
    assert config["NanoCpus"] == int(options.get("cpus", 0) * 1e9)
    if "shm_size" in options or "tune" not in options:
        assert config["ShmSize"] == UNITS.get(options.get("shm_size"), 256 << 20)
    assert config["RestartPolicy"]["Name"] == "unless-stopped"
    port = host.record("a")["port"]
    assert port == options.get("port", port)
    address = options.get("bind_address", "127.0.0.1")
    assert config["PortBindings"]["5432/tcp"] == [{"HostIp": address, "HostPort": str(port)}]


def expected_parameters(host, options):
    declared = dict(options.get("settings", {}))
    if "work_mem" in declared:
        declared["work_mem"] = "70kB"
    if "tune" in options:
        # What is derived has tests of its own; here the server has to run with what the host is said to have.
        derived = host.one("a")["parameters"]
        return {"shared_buffers": derived["shared_buffers"], "jit": "off", **declared}
    return {"shared_buffers": "128MB", "work_mem": "4MB", "max_connections": "100", "jit": "on", **declared}


def check_access(host, options):
    kind = "hostssl" if options.get("sslmode") == "require" else "host"
    sources = options.get("trusted_sources", ["0.0.0.0/0", "::/0"])
    networks = options.get("networks", []) if "trusted_sources" in options else []
    rules = f"SELECT type, address FROM pg_hba_file_rules WHERE '{host.defaults['username']}' = ANY (user_name)"
    found = [tuple(line.split("|")) for line in host.psql("a", rules).splitlines()]
    # An operator within the container, then the container itself.
    assert found.pop(0) == ("local", "")
    assert ("host", "samehost") in found and len(found) >= 1 + len(sources) + len(networks)
    assert networks or len(found) == 1 + len(sources)
    assert {rule for rule, _address in found[1:]} <= {kind}


def check_users(host, options):
    """Each declared user logs in and may do what its role says; of the others none is left."""
    known = "SELECT rolname FROM pg_roles WHERE rolname IN ('reader', 'writer') ORDER BY 1"
    declared = {user["name"]: user["role"] for user in options.get("users", [])}
    assert host.psql("a", known).split() == sorted(declared)
    may_write = "SELECT has_table_privilege('kept', 'INSERT') FROM pg_tables WHERE tablename = 'kept'"
    for name, role in declared.items():
        rows = host.query("a", may_write, **{**login(host, options), "user": name, "password": USERS[name]})
        assert set(rows) <= {(role != "readonly",)}


def login(host, options):
    """How the application logs in now, wherever a change that is held back has left the port."""
    binding = host.inspect("a")["HostConfig"]["PortBindings"]["5432/tcp"][0]
    return {"password": options["password"], "host": binding["HostIp"], "port": int(binding["HostPort"])}


def check_rows(host, options, rows):
    assert host.query("a", "SELECT count(*) FROM kept", **login(host, options)) == [(rows,)]


def play(steps):
    host, rows = Host(), 0
    # As slow as the machine is, nothing here is about time.
    host.defaults["wait_timeout"] = 300
    try:
        for drawn, kind, moment in steps:
            options = declaration(host, drawn)
            if kind is not None:
                drift(host, kind)
            if moment is not None:
                cut_short(host, moment, options)
            asked = serves(host)
            predicted = host.check("a", **options)
            answer = host.run("a", **options)
            check_prediction(asked, predicted, answer)
            again = host.run("a", **options)
            assert again["actions"] == [] and again["pending"] == answer["pending"], again["actions"]
            assert host.one("a")["pending"] == answer["pending"]
            if not answer["pending"]:
                check_truth(host, options)
            # A role has the password that is declared, whatever else was held back.
            if rows:
                check_rows(host, options, rows)
            host.query("a", "CREATE TABLE IF NOT EXISTS kept (row int)", **login(host, options))
            host.query("a", f"INSERT INTO kept VALUES ({rows})", **login(host, options))
            rows += 1
    finally:
        host.close()


def settings(**more):
    return hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
        **more,
    )


def seeded(test):
    """The same sequences in every run, or those of the seed that is given."""
    return hypothesis.seed(int(SEED))(settings()(test)) if SEED else settings(derandomize=True)(test)


@seeded
@hypothesis.given(STEPS)
def test_whatever_happens_the_next_run_converges(steps):
    hypothesis.note(steps)
    play(steps)


def test_drift_of_every_kind():
    """Each kind once, on one database that has what it is about, so that none depends on chance."""
    users = [{"name": "reader", "role": "readonly", "password": USERS["reader"]}]
    declared = {"password": PASSWORDS[0], "networks": [NETWORK], "users": users}
    play([(declared, kind, None) for kind in sorted(DRIFT)])

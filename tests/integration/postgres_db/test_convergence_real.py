# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random declarations, drift and kills on the real engine: the next run makes the host what is declared, as check mode
said, and no row is lost.

The sequences are the same in every run. VELLARIC_TEST_EXAMPLES asks for more of them; with VELLARIC_TEST_SEED, others.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import hypothesis
import pytest
from harness import Host, derived_image, docker, remove_images, verbs
from hypothesis import strategies as st

DRIVER = [sys.executable, str(Path(__file__).with_name("killed.py"))]
EXAMPLES = int(os.environ.get("VELLARIC_TEST_EXAMPLES", "3"))
SEED = os.environ.get("VELLARIC_TEST_SEED")
PASSWORDS = ("Correct-Horse_Battery9", "Another-Password_7777")
TAG = f"vellaric-test/convergence:{os.getpid()}"
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
def image():
    yield derived_image(TAG)
    remove_images(TAG)


def drift(host, kind):
    """Let somebody else change a database that is there."""
    change = DRIFT[kind]
    if host.inspect("a") is None:
        return
    if isinstance(change, tuple):
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
    """Of a server that stands still, check mode cannot know what the run finds in it; nothing else is missing."""
    said, done = verbs(predicted), verbs(answer)
    if asked:
        assert said == done
        assert predicted["diff"]["before"] == answer["diff"]["before"]
        assert predicted["diff"]["after"] == answer["diff"]["after"]
    else:
        left = iter(done)
        assert all(verb in left for verb in said), (said, done)


def check_truth(host, options):
    """Compare the host with the declaration, by what Docker and the server say themselves."""
    details = host.inspect("a")["HostConfig"]
    assert details["Memory"] == UNITS.get(options.get("memory"), 0)
    assert details["NanoCpus"] == int(options.get("cpus", 0) * 1e9)
    assert details["ShmSize"] == UNITS.get(options.get("shm_size"), 256 << 20)
    assert details["RestartPolicy"]["Name"] == "unless-stopped"
    address = options.get("bind_address", "127.0.0.1")
    assert details["PortBindings"]["5432/tcp"] == [{"HostIp": address, "HostPort": str(host.record("a")["port"])}]
    expected = {"work_mem": "4MB", "max_connections": "100", "jit": "on"}
    expected.update(
        {**options.get("settings", {}), **({"work_mem": "70kB"} if "work_mem" in options.get("settings", {}) else {})}
    )
    for name, value in expected.items():
        assert host.psql("a", f"SHOW {name}") == value
    kind = "hostssl" if options.get("sslmode") == "require" else "host"
    sources = options.get("trusted_sources", ["0.0.0.0/0", "::/0"])
    rules = f"SELECT type, address FROM pg_hba_file_rules WHERE user_name = '{{{host.defaults['username']}}}'"
    found = [tuple(line.split("|")) for line in host.psql("a", rules).splitlines()]
    assert ("host", "samehost") in found and len(found) == 1 + len(sources)
    assert {rule for rule, _address in found[1:]} <= {kind}
    extensions = host.query("a", "SELECT extname FROM pg_extension WHERE extname <> 'plpgsql'", **login(options))
    assert [name for (name,) in extensions] == options.get("extensions", [])
    role = "SELECT rolcreatedb OR rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
    assert host.query("a", role, **login(options)) == [(False,)]


def login(options):
    return {"password": options["password"], "host": options.get("bind_address", "127.0.0.1")}


def check_rows(host, options, rows):
    assert host.query("a", "SELECT count(*) FROM kept", **login(options)) == [(rows,)]


def play(steps):
    host, rows, done = Host(), 0, None
    # As slow as the machine is, nothing here is about time.
    host.defaults["wait_timeout"] = 300
    try:
        for options, kind, moment in steps:
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
                done = options
                check_truth(host, options)
            # A role has the password that is declared, whatever else was held back; the address may have been.
            reach = {**options, "bind_address": (done or {}).get("bind_address", "127.0.0.1")}
            if rows:
                check_rows(host, reach, rows)
            host.query("a", "CREATE TABLE IF NOT EXISTS kept (row int)", **login(reach))
            host.query("a", f"INSERT INTO kept VALUES ({rows})", **login(reach))
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
    """Each kind once, on one database, so that none depends on chance."""
    play([({"password": PASSWORDS[0]}, kind, None) for kind in sorted(DRIFT)])

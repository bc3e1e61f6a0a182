# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pooler of each version, with certificates of all kinds, logins that take turns, and on a database taken over."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from ansible_collections.vellaric.postgres.tests.unit import certificates
from harness import THOROUGH, USERNAME, docker, eventually, verbs
from pooled import Pooled, pgbouncer, pooler

sys.path.insert(0, str(Path(__file__).parents[1] / "postgres_db"))
from adopted import Foreign  # noqa: E402

pytestmark = pytest.mark.skipif(not THOROUGH, reason="the parts of it that are tried each time are in test_pooler")
A, B = f"{USERNAME}_a", f"{USERNAME}_b"


@pytest.fixture(scope="module")
def pooled(shared):
    pooled = Pooled(shared, "shop")
    pooled.run()
    return pooled


@pytest.mark.parametrize("suite", ["bookworm", "forky", "trixie"])
def test_another_version_comes_and_serves(pooled, suite):
    image = f"vellaric/pgbouncer:{suite}"
    answer = pooled.converge(pooler={"image": image})
    assert "pooler_replace" in verbs(answer) or suite == "trixie"
    (said,) = pooled.console("SHOW VERSION")
    version = pgbouncer.version(said["version"], image)
    fixed = {row["key"] for row in pooled.console("SHOW CONFIG") if row["changeable"] == "no"}
    assert fixed - set(pooler.MANAGED) <= set(pgbouncer.READ_AT_START), fixed - set(pooler.MANAGED)
    with pooled.clients(20) as told:
        answer = pooled.run(pooler={"image": image}, state="restarted")
    assert told["errors"] == [] and answer["clients_waited_seconds"] > 0
    print(suite, version, "restart:", answer["clients_waited_seconds"], told["longest"], told["answers"])
    if version.prepares_statements:
        for _turn in range(3):
            with pooled.connect(prepare_threshold=0) as client:
                assert client.execute("SELECT %s::int + 1", (41,)).fetchone() == (42,)
    with pooled.connect():
        began = time.monotonic()
        docker("stop", "-t", "30", pooled.container)
        assert time.monotonic() - began < 10
    assert pooled.facts()["State"]["ExitCode"] == 0
    pooled.run(pooler={"image": image})


def test_pgbench_with_prepared_statements(pooled):
    pooled.run()
    pooled.host.query("shop", "CREATE TABLE IF NOT EXISTS pgbench_accounts (aid int PRIMARY KEY, abalance int)")
    pooled.host.query("shop", "INSERT INTO pgbench_accounts SELECT n, 0 FROM generate_series(1, 100000) n")
    port = pooled.host.pooler("shop")["port"]
    script = "\\set aid random(1, 100000)\nSELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n"
    finished = subprocess.run(
        ["docker", "run", "--rm", "-i", "--network=host", "-e", f"PGPASSWORD={pooled.password}", "--entrypoint=pgbench"]
        + ["vellaric/postgres:17-trixie", "-n", "-M", "prepared", "-c", "20", "-T", "5", "-f", "/dev/stdin"]
        + ["-h", "127.0.0.1", "-p", str(port), "-U", USERNAME, pooled.name],
        input=script,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0 and "number of failed transactions: 0" in finished.stdout, finished


def test_logins_that_take_turns_never_fail(pooled):
    pooled.run()
    told = []
    for username, password in ((A, "password-of-a-1"), (B, "password-of-b-1"), (A, "password-of-a-2")):
        with pooled.clients() as seen:
            answer = pooled.run(username=username, password=password, login_grace=1)
            assert "pooler_files" in verbs(answer)
            assert pooled.answers(user=username, password=password)
        told += seen["errors"]
        pooled.password, pooled.username = password, username
        time.sleep(1.5)
        # Whose login has ended is let in no more from the next run on.
        pooled.run(username=username, password=password)
    assert told == []
    assert not pooled.answers(user=B, password="password-of-b-1")
    pooled.username, pooled.password = USERNAME, Pooled.password
    pooled.converge()
    assert pooled.answers()


def test_what_is_wrong_with_its_certificates_is_put_right(pooled, tmp_path):
    tls = pooled.host.directory("shop") / "pooler/tls"
    pooled.run()
    (tls / "server.key").unlink()
    assert verbs(pooled.converge()) == ["pooler_files"] and pooled.answers()
    # Another authority than the server's: it does not connect, and says why.
    before = (tls / "server-ca.crt").read_text()
    (tls / "server-ca.crt").write_text(certificates.authority().certificate)
    pooled.console("RELOAD")
    pooled.console("RECONNECT")
    assert not pooled.answers(connect_timeout=3)
    assert "certificate verify failed" in pooled.logs()
    assert verbs(pooled.converge()) == ["pooler_files"] and (tls / "server-ca.crt").read_text() == before
    eventually(pooled.answers)
    # That of an authority that clients do not know.
    other = certificates.server(certificates.authority(), names=("127.0.0.1",))
    (tls / "server.crt").write_text(other.certificate)
    (tls / "server.key").write_text(other.key)
    pooled.console("RELOAD")
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        pooled.connect()
    assert verbs(pooled.converge()) == ["pooler_files"] and pooled.answers()


def test_with_a_certificate_of_ones_own(pooled):
    root = certificates.authority()
    pair = certificates.server(root, names=("127.0.0.1", "db.example.com"))
    tls = {"tls_certificate": pair.certificate, "tls_key": pair.key, "tls_ca": root.certificate}
    answer = pooled.converge(**tls)
    assert "pooler_files" in verbs(answer)
    # Its clients verify the declared one, under the names that it has.
    eventually(pooled.answers)
    without = certificates.server(None, names=("127.0.0.1",))
    pooled.converge(tls_certificate=without.certificate, tls_key=without.key)
    eventually(lambda: pooled.answers(sslmode="require", sslrootcert=None))
    pooled.converge()
    eventually(pooled.answers)


def test_a_database_that_somebody_renamed_is_not_made_anew(pooled):
    maintenance = pooled.name + "x"
    pooled.host.psql("shop", f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{pooled.name}'")
    pooled.host.psql("shop", f'ALTER DATABASE "{pooled.name}" RENAME TO "{maintenance}"')
    try:
        assert "was it renamed" in pooled.host.refused("shop", pooler=True)
    finally:
        pooled.host.psql("shop", f'ALTER DATABASE "{maintenance}" RENAME TO "{pooled.name}"')
    pooled.run()
    eventually(pooled.answers)


def test_a_paused_one_is_no_obstacle_to_what_interrupts_the_server(pooled):
    """Somebody has paused it, and PAUSE during PAUSE is an error."""
    pooled.run()
    with pooled.clients() as told:
        pooled.console(f'PAUSE "{pooled.name}"')
        pooled.host.run("shop", state="restarted")
        assert pooled.paused() == []
    assert told["errors"] == []


def test_without_its_server_it_says_so_and_comes_back(pooled):
    docker("stop", pooled.host.container("shop"))
    assert not pooled.answers(connect_timeout=3)
    assert verbs(pooled.run()) == ["start"]
    eventually(pooled.answers)


def test_a_database_is_taken_over_with_one(shared):
    Foreign(shared, "taken", user="shop", database="my_app").fill()
    taken = Pooled(shared, "taken")
    taken.username = "shop"
    taken.run(adopt=True, username="shop")
    assert taken.run(adopt=True, username="shop")["actions"] == []
    eventually(taken.answers)


def test_many_at_once_have_their_own(host):
    """They are made at the same time, and each gets a port that it keeps."""
    declared = [{"name": host.name(short), "pooler": True} for short in ("a", "b", "c", "d")]
    predicted = host.check(databases=declared)
    answer = host.run(databases=declared)
    ports = {one["database"]["pooler"]["port"] for one in answer["databases"]}
    assert len(ports) == 4 and not [one for one in answer["databases"] if one.get("error")]
    assert ports == {one["database"]["pooler"]["port"] for one in predicted["databases"]}
    again = host.run(databases=declared)
    assert not again["changed"], [one["actions"] for one in again["databases"]]
    for short in ("a", "b", "c", "d"):
        eventually(Pooled(host, short).answers)
    gone = [{"name": one["name"], "state": "absent", "purge": True} for one in declared]
    host.run(databases=gone)
    assert not docker("network", "ls", "-q", "--filter", f"name=^{host.prefix}-")

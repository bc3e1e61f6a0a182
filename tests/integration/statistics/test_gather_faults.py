# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Databases that hang, are stopped or are broken, and bad input: what can be had comes in time, the rest is named."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import subprocess
import threading
import time

import harness
import pytest
from harness import Failed

SERVER = ["statistics", "settings", "sizes", "activity", "replication"]
# What all the rest may take on a machine that does much else.
_ELSE = 20
# What one that hangs costs, and in which others answer on such a machine.
_PATIENCE = 6
EVERYTHING = ["container", *SERVER, "queries", "backups", "tls", "findings", "logs"]


@pytest.fixture(scope="module")
def fleet(shared):
    shared.run(databases=[{"name": shared.name(short)} for short in ("a", "b", "c")], wait_timeout=240)
    return shared


def gathered(fleet, **options):
    """Return the rows by short name, and the seconds that the call took."""
    started = time.monotonic()
    rows = fleet.info(**{"gather": EVERYTHING, "timeout": 20, **options})
    elapsed = time.monotonic() - started
    return {row["name"].rsplit("-", 1)[1]: row for row in rows}, elapsed


def whole(row):
    return set(row["missing"]) <= {"queries"} and row["statistics"]["connections_limit"] == 97


@contextlib.contextmanager
def held(fleet, short, statement):
    """Hold a lock as the superuser until the end."""
    holder = subprocess.Popen(
        ["docker", "exec", "-i", "-u", "postgres", fleet.container(short), "psql", "-XAtqd", fleet.name(short)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    holder.stdin.write(f"BEGIN;\n{statement};\nSELECT 'held';\n")
    holder.stdin.flush()
    assert holder.stdout.readline().strip() == "held"
    try:
        yield
    finally:
        holder.communicate()


def test_a_server_that_hangs_costs_itself_only(fleet):
    harness.docker("kill", "-s", "STOP", fleet.container("b"))
    try:
        rows, elapsed = gathered(fleet, timeout=_PATIENCE)
    finally:
        harness.docker("kill", "-s", "CONT", fleet.container("b"))
    assert elapsed < _PATIENCE + _ELSE
    assert whole(rows["a"]) and whole(rows["c"])
    hung = rows["b"]
    for name in SERVER:
        assert f"did not answer within {_PATIENCE} s" in hung["missing"][name]
    # What does not depend on the server is there.
    assert hung["statistics"]["size_bytes"] > 0 and hung["statistics"]["memory_bytes"] > 0
    assert hung["statistics"]["connections"] is None and hung["sizes"]["directory_bytes"] > 0
    assert hung["tls"]["not_after"] and hung["tls"]["served"] is None
    assert hung["logs"] and hung["container"]["pid"] > 0 and hung["backups"]["count"] == 0
    assert whole(gathered(fleet)[0]["b"])


def test_many_that_hang_wait_together(fleet):
    for short in "abc":
        harness.docker("kill", "-s", "STOP", fleet.container(short))
    try:
        rows, elapsed = gathered(fleet, gather=["statistics"], timeout=8)
    finally:
        for short in "abc":
            harness.docker("kill", "-s", "CONT", fleet.container(short))
    assert elapsed < 3 * 8
    assert all("did not answer" in row["missing"]["statistics"] for row in rows.values())


@contextlib.contextmanager
def lying(fleet, short, said):
    """Have something else answer on a server's socket."""
    place = f"/proc/{fleet.inspect(short)['State']['Pid']}/root/run/postgresql/.s.PGSQL.5432"
    os.rename(place, f"{place}.aside")
    listener = socket.socket(socket.AF_UNIX)

    def answer(client):
        with client, contextlib.suppress(OSError):
            while said:
                client.sendall(said)
            time.sleep(60)

    def serve():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=answer, args=listener.accept()[:1], daemon=True).start()

    try:
        listener.bind(place)
        os.chmod(place, 0o777)
        listener.listen()
        threading.Thread(target=serve, daemon=True).start()
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        os.rename(f"{place}.aside", place)


LET_IN = b"R" + struct.pack(">ii", 8, 0) + b"Z" + struct.pack(">i", 5) + b"I"
NUMBER = b"D" + struct.pack(">ihi", 11, 1, 1) + b"7"
LIES = {
    "length": LET_IN + b"D" + struct.pack(">i", -1),
    "endless": LET_IN + b"N" + struct.pack(">i", 4),
    "row": LET_IN + NUMBER + b"Z" + struct.pack(">i", 5) + b"I",
    "nothing": b"",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_server_that_lies_is_named_and_the_others_are_shown(fleet, lie):
    with lying(fleet, "b", LIES[lie]):
        rows, elapsed = gathered(fleet, timeout=_PATIENCE)
        if lie == "row":
            assert "was not ready after 2 s" in fleet.refused("b", wait_timeout=2)
    assert elapsed < _PATIENCE + _ELSE and whole(rows["a"]) and whole(rows["c"])
    assert {"statistics", "settings", "activity"} <= set(rows["b"]["missing"])
    assert rows["b"]["status"] == "active" and rows["b"]["logs"]


@pytest.mark.parametrize("catalog", ["pg_class", "pg_authid, pg_database"])
def test_a_catalog_that_is_locked_away(fleet, catalog):
    with held(fleet, "b", f"LOCK TABLE {catalog} IN ACCESS EXCLUSIVE MODE"):
        rows, elapsed = gathered(fleet, timeout=_PATIENCE)
    assert elapsed < _PATIENCE + _ELSE and whole(rows["a"]) and whole(rows["c"])
    assert f"did not answer within {_PATIENCE} s" in rows["b"]["missing"]["statistics"]
    assert whole(gathered(fleet)[0]["b"])


def test_a_lock_costs_what_needs_it_only(fleet):
    with held(fleet, "b", "LOCK TABLE pg_extension IN ACCESS EXCLUSIVE MODE"):
        rows, elapsed = gathered(fleet)
    row = rows["b"]
    assert elapsed < 20 + _ELSE
    assert "timeout" in row["missing"]["settings"] and "server_settings" not in row
    assert row["statistics"]["connections"] == 1 and "statistics" not in row["missing"]
    assert row["activity"]["transactions"][0]["query"].startswith("SELECT 'held'")


def test_a_table_that_is_locked_away_is_measured_without_waiting(fleet):
    fleet.query("b", "CREATE TABLE busy (id int PRIMARY KEY)")
    with held(fleet, "b", "LOCK TABLE busy IN ACCESS EXCLUSIVE MODE"):
        row = gathered(fleet)[0]["b"]
    assert whole(row) and row["sizes"]["tables"][0]["locked"] is True


def test_an_extension_that_a_dump_has_brought_and_the_server_has_not_loaded(fleet):
    fleet.psql_in("b", "CREATE EXTENSION pg_stat_statements")
    row = gathered(fleet, gather=["queries", "statistics"])[0]["b"]
    fleet.psql_in("b", "DROP EXTENSION pg_stat_statements")
    assert "has not loaded it: declare it" in row["missing"]["queries"] and whole(row)


def test_databases_that_stand_still(fleet):
    fleet.run("a", state="stopped")
    # The kernel does not freeze a busy group at once.
    harness.eventually(lambda: harness.docker("pause", fleet.container("b"), check=False))
    harness.docker("rm", "-f", fleet.container("c"))
    try:
        rows, elapsed = gathered(fleet)
    finally:
        harness.docker("unpause", fleet.container("b"))
    assert elapsed < _ELSE
    assert rows["a"]["statistics"]["status"] == "stopped" and rows["b"]["statistics"]["status"] == "error"
    assert rows["a"]["missing"]["statistics"] == "it is stopped"
    assert "paused" in rows["b"]["missing"]["activity"]
    assert "its container is missing" in rows["c"]["missing"]["statistics"]
    for row in rows.values():
        assert set(SERVER) <= set(row["missing"])
        known = row["statistics"]
        assert known["size_bytes"] > 0 and known["disk_free_bytes"] > 0
        assert known["uptime"] is None and known["cpu"] is None and known["memory"] is None
        assert row["sizes"]["directory_bytes"] > 0 and row["tls"]["days_left"] > 300
    assert rows["a"]["logs"] and "logs" not in rows["c"] and "container" not in rows["c"]
    fleet.run(databases=[{"name": fleet.name(short)} for short in "ac"])
    assert all(whole(row) for row in gathered(fleet)[0].values())


def test_a_database_that_is_starting(fleet):
    # Crash recovery in slow motion: the server says that it starts up until it has replayed its log.
    harness.docker("kill", fleet.container("b"))
    reasons, done = set(), threading.Event()

    def watch():
        while not done.is_set():
            row = gathered(fleet, name=fleet.name("b"), gather=["statistics"])[0]["b"]
            reasons.add(row["missing"].get("statistics"))

    watcher = threading.Thread(target=watch)
    harness.docker("start", fleet.container("b"))
    watcher.start()
    words = ["exec", "-u", "postgres", fleet.container("b"), "psql", "-XAtqc", "SELECT 1"]
    harness.eventually(lambda: harness.docker(*words, check=False) == "1")
    time.sleep(0.5)
    done.set()
    watcher.join()
    assert None in reasons, "in the end it answers"


def test_a_record_that_is_damaged(fleet):
    record = fleet.directory("b") / "database.json"
    kept = record.read_bytes()
    record.write_text("{")
    try:
        row = gathered(fleet)[0]["b"]
    finally:
        record.write_bytes(kept)
    assert row["status"] == "error" and "not a readable record" in row["status_reason"]
    # Its server runs and is asked all the same.
    assert row["statistics"]["connections"] is not None
    assert "not_serving" in {finding["code"] for finding in row["findings"]}


def test_the_application_s_database_is_gone(fleet):
    fleet.psql("b", f'ALTER DATABASE "{fleet.name("b")}" RENAME TO elsewhere')
    try:
        row = gathered(fleet)[0]["b"]
    finally:
        fleet.psql("b", f'ALTER DATABASE elsewhere RENAME TO "{fleet.name("b")}"')
    assert row["missing"]["statistics"] == f'the server said database "{fleet.name("b")}" does not exist'


def test_no_connection_is_left_where_the_application_has_taken_all(fleet):
    fleet.run("b", settings={"max_connections": 10, "superuser_reserved_connections": 3})
    taken = []
    try:
        with contextlib.suppress(harness.psycopg.OperationalError):
            while True:
                taken.append(fleet.connect("b"))
        row = gathered(fleet)[0]["b"]
    finally:
        for connection in taken:
            connection.close()
    assert len(taken) == 7
    assert (row["statistics"]["connections"], row["statistics"]["connections_limit"]) == (7, 7)
    assert {f["code"]: f["severity"] for f in row["findings"]}["connections_near_limit"] == "critical"


def test_what_an_application_defines_is_not_run_as_the_superuser(fleet):
    # Functions and operators of the same names, in the schema that is searched by default.
    for function in ("count(bigint)", "sum(bigint)", "round(numeric, int)", "left(text, int)", "greatest_of(int)"):
        name, _bracket, arguments = function.partition("(")
        fleet.query(
            "c",
            f"CREATE FUNCTION public.{name}({arguments} RETURNS int LANGUAGE plpgsql AS"
            " $$ BEGIN CREATE TABLE IF NOT EXISTS public.taken AS SELECT 1; RETURN 1; END $$",
        )
    row = gathered(fleet)[0]["c"]
    assert whole(row)
    assert fleet.query("c", "SELECT to_regclass('public.taken')") == [(None,)]


def test_an_ordinary_user_is_told_to_become_root(fleet):
    path = fleet.written({"data_root": fleet.data_root, "gather": ["sizes", "statistics"]})
    os.chmod(path, 0o644)
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--groups", str(os.stat("/var/run/docker.sock").st_gid)]
    if subprocess.run([*user, "test", "-r", path], check=False).returncode:
        pytest.fail("the test's directory cannot be read by others")
    finished = subprocess.run(
        [*user, harness.sys.executable, "-m", harness.MODULES + "postgres_db_info", path],
        env=harness.environment(HOME="/tmp"),
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in finished.stdout.splitlines() if line.startswith("{")]
    answer = json.loads(lines[-1])
    # What belongs to databases is root's alone, the list of them included.
    assert answer["failed"] and fleet.data_root in answer["msg"] and "become: true" in answer["msg"]
    assert "Traceback" not in finished.stdout + finished.stderr


def test_a_name_that_is_not_gathered(fleet):
    message = fleet_refused(fleet, gather=["statistics", "stats"])
    assert "stats" in message and "statistics" in message
    assert "timeout is 0: at least 1" in fleet_refused(fleet, timeout=0)
    assert "limit is -1: at least 1" in fleet_refused(fleet, limit=-1)
    assert "history of a: it must be a list of mappings" in fleet_refused(fleet, history={"a": 7})
    assert "connections" in fleet_refused(fleet, thresholds={"connections": 80})


def fleet_refused(fleet, **options):
    with pytest.raises(Failed) as failure:
        fleet.info(**options)
    return failure.value.message


def test_patterns(fleet):
    def names(**options):
        return [row["name"].rsplit("-", 1)[1] for row in fleet.info(**options)]

    assert names(name=f"{fleet.prefix}-*") == ["a", "b", "c"]
    assert names(name=f"{fleet.prefix}-[ab]") == ["a", "b"]
    assert names(name="*-c", environment="development") == ["c"]
    assert names(name="nothing-*") == names(environment="production") == []
    message = fleet_refused(fleet, name="nothing-*", environment="production", required=True)
    assert "There is no database with name nothing-* and environment production below" in message
    assert names(name="*", required=True) == ["a", "b", "c"]


def test_a_host_with_nothing_on_it(host):
    result = host._result("postgres_db_info", {"data_root": host.data_root, "gather": EVERYTHING})
    assert (result["databases"], result["findings"], result["deleted"]) == ([], [], [])
    assert not os.path.exists(host.data_root)

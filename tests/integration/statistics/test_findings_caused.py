# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every finding, caused on a real database: it is not there before, then it is, and says what it is about.

Where a cause would take days or gigabytes, the threshold is lowered instead.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
import subprocess
import time

import harness
import pytest

SETTINGS = {
    "archive_mode": "on",
    "archive_command": "/bin/true",
    "max_prepared_transactions": 2,
    "autovacuum": "off",
}


@pytest.fixture(scope="module")
def fleet(shared):
    """`a` is used by most; `b` is short of memory, `c` is broken on purpose and has a port that is open."""
    shared.run(
        databases=[
            {"name": shared.name("a"), "settings": SETTINGS},
            {"name": shared.name("b"), "memory": "96m", "settings": {"shared_buffers": "16MB"}},
            {"name": shared.name("c"), "bind_address": "0.0.0.0"},
        ],
        wait_timeout=240,
    )
    return shared


def findings(fleet, short="a", history=None, **thresholds):
    """Return the findings of a database by their codes."""
    row = fleet.info(
        name=fleet.name(short), gather=["findings"], thresholds=thresholds, history=history or {}, timeout=5
    )[0]
    for finding in row["findings"]:
        assert finding["database"] == fleet.container(short)
    return {finding["code"]: finding for finding in row["findings"]}


def caused(fleet, code, short="a", history=None, **thresholds):
    found = findings(fleet, short, history, **thresholds)
    assert code in found, found
    return found[code]


def let_a_second_pass():
    """Moments are kept in whole seconds: what happened within this one is no time ago."""
    time.sleep(1)


def test_nothing_is_the_matter(fleet):
    for short in "ab":
        assert findings(fleet, short) == {}


def test_connections_near_the_limit(fleet):
    with fleet.connect("a"), fleet.connect("a"), fleet.connect("a"):
        found = caused(fleet, "connections_near_limit", connections_warning=3)
        assert "3 of 97 connections" in found["message"] and found["severity"] == "warning"
        assert caused(fleet, "connections_near_limit", connections_critical=3)["severity"] == "critical"
    assert "connections_near_limit" not in findings(fleet, connections_warning=3)


def test_a_disk_that_fills(fleet):
    percent = fleet.info(name=fleet.name("a"), gather=["sizes"])[0]["sizes"]["disk"]["used_percent"]
    found = caused(fleet, "disk_filling", disk_warning=percent - 1)
    assert found["severity"] == "warning" and "GB are left" in found["message"]
    assert "disk_filling" not in findings(fleet, disk_warning=percent + 1)


def test_the_day_on_which_a_disk_will_be_full(fleet):
    known = fleet.info(name=fleet.name("a"), gather=["statistics"])[0]["statistics"]
    now = datetime.datetime.fromisoformat(known["gathered_at"][:19])
    # So much on each of the last days that what is left is gone in five.
    step = known["disk_free_bytes"] / 5
    samples = [
        {
            "gathered_at": (now - datetime.timedelta(days=ago)).isoformat() + "Z",
            "disk_used_bytes": known["disk_used_bytes"] - ago * step,
        }
        for ago in range(5)
    ]
    day = (now + datetime.timedelta(days=5)).date()
    found = caused(fleet, "disk_full_soon", history={fleet.container("a"): samples})
    assert found["severity"] == "warning"
    assert str(day) in found["message"] or str(day - datetime.timedelta(days=1)) in found["message"]
    # Those of another database have no part in it.
    assert "disk_full_soon" not in findings(fleet, history={fleet.container("b"): samples})


def test_no_backup_within_its_time(fleet):
    assert "backup_overdue" not in findings(fleet), "none is expected in development"
    found = caused(fleet, "backup_overdue", backup_hours=0.0001)
    assert found["message"] == "There is no good backup." and found["severity"] == "warning"


def test_a_backup_that_nobody_has_tried_and_one_that_is_damaged(fleet):
    named = {"name": fleet.name("a"), "environment": fleet.environment}
    named.update({option: fleet.defaults[option] for option in ("data_root",)})
    fleet._result("postgres_db_backup", named)
    known = fleet.info(name=fleet.name("a"), gather=["backups"])[0]["backups"]
    assert known["count"] == 1 and known["last"]["good"] and known["last_verified"] is None
    assert "backup_overdue" not in findings(fleet, backup_hours=1)
    let_a_second_pass()
    assert caused(fleet, "backup_overdue", backup_hours=0.000001)["message"].startswith("The last good backup is")
    assert "ever been verified" in caused(fleet, "backup_unverified", backup_hours=1)["message"]
    fleet._result("postgres_db_backup", {**named, "state": "verified"})
    known = fleet.info(name=fleet.name("a"), gather=["backups"])[0]["backups"]
    assert known["last_verified"]["name"] == known["last"]["name"]
    assert "backup_unverified" not in findings(fleet, backup_hours=1)
    let_a_second_pass()
    assert caused(fleet, "backup_unverified", backup_hours=1, verified_days=0.000001)
    copy = known["last"]["path"].replace(".sql.gz", "").rsplit("-", 1)[0] + "-000000.sql.gz"
    shutil.copy(known["last"]["path"], copy)
    try:
        assert "no manifest" in caused(fleet, "backup_damaged")["message"]
    finally:
        os.unlink(copy)


def test_a_certificate_that_ends(fleet):
    assert "(397 days from now)" in caused(fleet, "certificate_ending", certificate_warning_days=398)["message"]
    assert caused(fleet, "certificate_ending", certificate_critical_days=398, certificate_warning_days=398)[
        "severity"
    ] == ("critical")


def test_a_certificate_that_the_server_has_not_read(fleet):
    own = fleet.directory("a") / "tls"
    kept = (own / "server.crt").read_bytes()
    (own / "server.crt").write_bytes((fleet.directory("b") / "tls/server.crt").read_bytes())
    try:
        found = findings(fleet)
    finally:
        (own / "server.crt").write_bytes(kept)
    assert "certificate_not_served" in found
    # A run would issue another one.
    assert "certificate" in found["drift"]["message"]
    fleet.psql("a", "SELECT pg_reload_conf()")
    assert findings(fleet) == {}


def test_wraparound(fleet):
    found = caused(fleet, "wraparound", wraparound_warning=0)
    age = int(fleet.psql("a", "SELECT max(age(datfrozenxid)) FROM pg_database"))
    assert int(found["message"].split()[5]) <= age and found["severity"] == "warning"


def test_vacuum_that_is_held_back(fleet):
    with fleet.connect("a", autocommit=False) as holder:
        holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        holder.execute("SELECT 1")
        fleet.query("a", "CREATE TABLE IF NOT EXISTS rows (id int)")
        for turn in range(5):
            fleet.query("a", "INSERT INTO rows VALUES (1)")
        found = caused(fleet, "vacuum_blocked", vacuum_blocked_transactions=5)
        assert f"Transaction {holder.info.backend_pid} has kept" in found["message"]
    assert "vacuum_blocked" not in findings(fleet, vacuum_blocked_transactions=5)


def test_vacuum_that_a_forgotten_prepared_transaction_holds_back(fleet):
    fleet.query("a", "CREATE TABLE IF NOT EXISTS rows (id int)")
    with fleet.connect("a") as one:
        one.execute("BEGIN")
        one.execute("INSERT INTO rows VALUES (1)")
        one.execute("PREPARE TRANSACTION 'forgotten'")
    try:
        fleet.query("a", "INSERT INTO rows VALUES (1)")
        found = caused(fleet, "vacuum_blocked", vacuum_blocked_transactions=1)
        assert found["message"].startswith("Prepared transaction forgotten")
    finally:
        fleet.query("a", "ROLLBACK PREPARED 'forgotten'")


def test_transactions_that_are_left_open(fleet):
    with fleet.connect("a", autocommit=False) as one:
        one.execute("SELECT 1")
        time.sleep(1.1)
        found = caused(fleet, "idle_transaction", idle_transaction_seconds=1)
        assert f"{harness.USERNAME} from" in found["message"] and str(one.info.backend_pid) in found["advice"]
    busy = subprocess.Popen(
        ["docker", "exec", "-u", "postgres", fleet.container("a"), "psql", "-qc", "SELECT pg_sleep(4)"],
        stdout=subprocess.DEVNULL,
    )
    time.sleep(1.5)
    assert "postgres from local" in caused(fleet, "long_transaction", long_transaction_seconds=1)["message"]
    busy.wait()
    assert findings(fleet, idle_transaction_seconds=1, long_transaction_seconds=1) == {}


def test_an_index_that_could_not_be_built(fleet):
    fleet.query("a", "CREATE TABLE twice (id int)")
    fleet.query("a", "INSERT INTO twice VALUES (1), (1)")
    with contextlib.suppress(harness.psycopg.errors.UniqueViolation):
        fleet.query("a", "CREATE UNIQUE INDEX CONCURRENTLY twice_id ON twice (id)")
    try:
        assert "Index public.twice_id is invalid" in caused(fleet, "invalid_index")["message"]
        index = fleet.info(name=fleet.name("a"), gather=["sizes"])[0]["sizes"]["indexes"][0]
        assert index["name"] == "twice_id" and index["valid"] is False
    finally:
        fleet.query("a", "DROP TABLE twice")


def test_text_that_sorts_otherwise(fleet):
    actual = fleet.psql("a", "SELECT datcollversion FROM pg_database LIMIT 1")
    fleet.psql("a", f"UPDATE pg_database SET datcollversion = '2.28' WHERE datname = '{fleet.name('a')}'")
    try:
        found = caused(fleet, "collation_mismatch")
        assert f"the database (built with 2.28, now {actual})" in found["message"]
    finally:
        fleet.psql("a", f"UPDATE pg_database SET datcollversion = '{actual}' WHERE datname = '{fleet.name('a')}'")
    # A collation counts where something is sorted by it.
    change = "UPDATE pg_collation SET collversion = '%s' WHERE collname = 'en_US.utf8'"
    database = ["exec", "-u", "postgres", fleet.container("a"), "psql", "-XAtqd", fleet.name("a"), "-c"]
    harness.docker(*database, change % "2.28")
    try:
        assert "collation_mismatch" not in findings(fleet)
        fleet.query("a", 'CREATE TABLE sorted (name text COLLATE "en_US.utf8")')
        assert 'pg_catalog."en_US.utf8" (built with 2.28' in caused(fleet, "collation_mismatch")["message"]
    finally:
        harness.docker(*database, change % actual)
        fleet.query("a", "DROP TABLE IF EXISTS sorted")


def test_a_slot_that_nobody_reads(fleet):
    fleet.psql("a", "SELECT pg_create_physical_replication_slot('lost', true)")
    try:
        fleet.psql("a", "SELECT pg_logical_emit_message(false, 'test', repeat('x', 100000))")
        found = caused(fleet, "retained_wal", retained_wal_bytes=50000)
        assert found["message"].startswith("Replication slot lost has no consumer and retains")
        assert "retained_wal" not in findings(fleet)
    finally:
        fleet.psql("a", "SELECT pg_drop_replication_slot('lost')")


def test_archiving_that_fails(fleet):
    # By hand, beside what is declared.
    fleet.psql("a", "ALTER SYSTEM SET archive_command = '/bin/false'")
    conf = fleet.directory("a") / "conf/postgresql.conf"
    declared = conf.read_text()
    conf.write_text(declared.replace("/bin/true", "/bin/false"))
    fleet.psql("a", "SELECT pg_reload_conf()")
    try:
        fleet.psql("a", "SELECT pg_logical_emit_message(false, 'test', 'x'), pg_switch_wal()")
        failed = "SELECT failed_count > 0 FROM pg_stat_archiver"
        harness.eventually(lambda: fleet.psql("a", failed) == "t", seconds=20)
        found = findings(fleet)
        assert found["archiving_fails"]["severity"] == "critical"
    finally:
        conf.write_text(declared)
        fleet.psql("a", "ALTER SYSTEM RESET archive_command")
        fleet.psql("a", "SELECT pg_reload_conf()")
    harness.eventually(lambda: "archiving_fails" not in findings(fleet), seconds=90)


def test_parameters_that_wait_for_a_restart(fleet):
    conf = fleet.directory("b") / "postgresql.conf"
    conf.write_text("max_worker_processes = 9\n")
    fleet.psql("b", "SELECT pg_reload_conf()")
    try:
        harness.eventually(lambda: "restart_pending" in findings(fleet, "b"))
        assert caused(fleet, "restart_pending", "b")["message"].startswith("max_worker_processes waits for a restart")
        known = fleet.info(name=fleet.name("b"), gather=["settings"])[0]["server_settings"]
        assert known["pending_restart"] == ["max_worker_processes"]
        assert known["parameters"]["max_worker_processes"]["pending_restart"]
    finally:
        # The server forgets it only when it is told the value that it runs with.
        conf.write_text("max_worker_processes = 8\n")
        fleet.psql("b", "SELECT pg_reload_conf()")
        harness.eventually(lambda: findings(fleet, "b") == {})
        conf.unlink()
        fleet.psql("b", "SELECT pg_reload_conf()")


def test_drift(fleet):
    container = fleet.container("b")
    harness.docker("update", "--memory", "100m", "--memory-swap", "100m", container)
    # A server that is slow to answer on a busy machine cannot be compared: `missing` says so then.
    harness.eventually(lambda: "drift" in findings(fleet, "b"), seconds=60)
    found = caused(fleet, "drift", "b")
    assert "memory 100m -> 96m" in found["message"]
    # What it says is what a run then does.
    assert not fleet.check("b", memory="96m", settings={"shared_buffers": "16MB"})["pending"]
    assert harness.verbs(fleet.run("b", memory="96m", settings={"shared_buffers": "16MB"})) == ["update"]
    assert findings(fleet, "b") == {}


def test_a_minor_version_behind_the_image(fleet, image_tag):
    # The same server, in an image that says that it is a later one.
    dockerfile = f"""FROM {harness.IMAGE}
USER root
RUN echo '#!/bin/sh' > /usr/local/bin/postgres \\
  && echo '[ "$1" = -V ] && {{ echo "postgres (PostgreSQL) 15.99"; exit; }}' >> /usr/local/bin/postgres \\
  && echo 'exec /usr/lib/postgresql/15/bin/postgres "$@"' >> /usr/local/bin/postgres \\
  && chmod +x /usr/local/bin/postgres
"""
    harness.derived_image(image_tag)
    fleet.run("d", image=image_tag)
    assert findings(fleet, "d") == {}
    subprocess.run(
        ["docker", "build", "-q", "-t", image_tag, "--label", f"{harness.TEST_LABEL}={image_tag}", "-"],
        input=dockerfile,
        text=True,
        check=True,
        capture_output=True,
    )
    found = caused(fleet, "minor_version_behind", "d")
    assert f"image {image_tag} on this host is 15.99" in found["message"]
    fleet.run("d", state="absent", purge=True)


def test_a_major_version_at_its_end(fleet):
    found = caused(fleet, "major_version_end_of_life", end_of_life_days=3000)
    assert found["severity"] in ("info", "warning") and "PostgreSQL 15" in found["message"]


def test_memory_that_is_wanting(fleet):
    assert "out_of_memory" not in findings(fleet, "b")
    # It grows beyond the container's limit and is killed; the server, much smaller, is not.
    harness.docker("exec", fleet.container("b"), "sh", "-c", "head -c 200m /dev/zero | tail", check=False)
    found = caused(fleet, "out_of_memory", "b")
    assert "OOM killer has killed 1 of its processes" in found["message"]
    assert fleet.info(name=fleet.name("b"), gather=["container"])[0]["container"]["oom_kills"] == 1


def test_a_port_that_is_open_to_the_world(fleet):
    found = caused(fleet, "open_without_tls", "c")
    assert found["severity"] == "critical" and "0.0.0.0" in found["message"]
    fleet.run("c", bind_address="0.0.0.0", trusted_sources=["10.0.0.0/8"])
    assert "open_without_tls" not in findings(fleet, "c")
    fleet.run("c", bind_address="0.0.0.0", sslmode="require")
    assert "open_without_tls" not in findings(fleet, "c")


def test_blocks_that_the_disk_does_not_give_back(fleet):
    fleet.query("c", "CREATE TABLE damaged AS SELECT repeat('x', 100) FROM generate_series(1, 100)")
    path = fleet.query("c", "SELECT pg_relation_filepath('damaged')")[0][0]
    harness.docker("stop", fleet.container("c"))
    assert "serves no clients" in caused(fleet, "stopped", "c")["message"]
    with next(fleet.directory("c").glob(f"pgdata/*/docker/{path}")).open("r+b") as stream:
        stream.seek(5000)
        stream.write(b"damaged")
    harness.docker("start", fleet.container("c"))
    assert "stopped" not in findings(fleet, "c")
    fleet.run("c", bind_address="0.0.0.0", sslmode="require")
    with contextlib.suppress(harness.psycopg.Error):
        fleet.query("c", "SELECT count(*) FROM damaged")
    harness.eventually(lambda: "checksum_failures" in findings(fleet, "c"))
    assert "1 damaged block was read" in caused(fleet, "checksum_failures", "c")["message"]
    fleet.query("c", "DROP TABLE damaged")
    fleet.psql("c", "SELECT 1")


def test_a_server_that_hangs(fleet):
    harness.docker("kill", "-s", "STOP", fleet.container("c"))
    try:
        found = findings(fleet, "c")
    finally:
        harness.docker("kill", "-s", "CONT", fleet.container("c"))
    assert found["not_answering"]["severity"] == "critical"
    assert "did not answer within 5 s" in found["not_answering"]["message"]


def test_a_server_that_was_killed(fleet):
    harness.docker("kill", fleet.container("c"))
    assert "exit code 137" in caused(fleet, "not_serving", "c")["message"]
    harness.docker("rm", "-f", fleet.container("c"))
    assert "container is missing" in caused(fleet, "not_serving", "c")["message"]
    fleet.run("c", bind_address="0.0.0.0", sslmode="require")
    assert "not_serving" not in findings(fleet, "c")


def test_a_restart_loop(fleet):
    conf = fleet.directory("c") / "postgresql.conf"
    conf.write_text("no_such_parameter = 1\n")
    harness.docker("restart", fleet.container("c"))
    try:
        harness.eventually(lambda: fleet.inspect("c")["RestartCount"] >= 3, seconds=30)
        harness.eventually(lambda: "restart_loop" in findings(fleet, "c"))
        harness.eventually(
            lambda: "exits again and again" in findings(fleet, "c").get("restart_loop", {}).get("message", "")
        )
    finally:
        conf.unlink()
    # It then comes up by itself; that it did not for a while stays worth a look for a day.
    harness.eventually(lambda: fleet.one("c")["status"] == "active", seconds=60)
    harness.eventually(lambda: "because it exited" in caused(fleet, "restart_loop", "c", restarts=3)["message"])


def test_findings_of_all_databases_the_worst_first(fleet):
    arguments = {"data_root": fleet.data_root, "gather": ["findings"], "thresholds": {"backup_hours": 0.0001}}
    result = fleet._result("postgres_db_info", arguments)
    assert {finding["database"] for finding in result["findings"]} == {fleet.container(short) for short in "abc"}
    order = [["critical", "warning", "info"].index(finding["severity"]) for finding in result["findings"]]
    assert order == sorted(order)

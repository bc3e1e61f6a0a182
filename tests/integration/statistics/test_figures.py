# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every figure against somebody else's: docker stats, du, df, openssl, and the catalog asked from outside."""

from __future__ import annotations

import contextlib
import datetime
import os
import re
import socket
import ssl
import subprocess
import time
from pathlib import Path

import harness
import pytest

EVERYTHING = [
    *("container", "statistics", "settings", "sizes", "queries", "activity", "replication"),
    *("backups", "tls", "findings", "logs"),
]
IMAGES = {"v15": harness.IMAGE, "v17": "vellaric/postgres:17-trixie", "v18": "vellaric/postgres:18-forky"}
MEMORY = 256 << 20


@pytest.fixture(scope="module")
def fleet(shared):
    """A database of each version, with a table, statements of some duration and an open transaction."""
    declared = [
        {"name": shared.name(short), "image": image, "extensions": ["pg_stat_statements"]}
        for short, image in IMAGES.items()
    ]
    shared.run(databases=declared, memory="256m", cpus="0.5", settings={"work_mem": "64kB"}, wait_timeout=240)
    for short in IMAGES:
        shared.query(short, "CREATE TABLE orders (id int PRIMARY KEY, note text)")
        shared.query(short, "CREATE TABLE small (id int)")
        shared.query(short, "INSERT INTO orders SELECT n, repeat('x', 100) FROM generate_series(1, 20000) AS n")
        shared.query(short, "DELETE FROM orders WHERE id <= 500")
        shared.query(short, "VACUUM ANALYZE")
        for turn in range(3):
            shared.query(short, "SELECT count(*), pg_sleep(0.05) FROM orders WHERE id > 7")
        shared.query(short, "SELECT note FROM orders ORDER BY md5(note || id) OFFSET 15000")
    return shared


@pytest.fixture(scope="module")
def answer(fleet):
    """One call for all of them, of everything."""
    # What sessions have counted arrives in the statistics when they end or are idle for a while.
    time.sleep(1.5)
    return {row["name"]: row for row in fleet.info(gather=EVERYTHING)}


@pytest.fixture(params=list(IMAGES))
def short(request):
    return request.param


@pytest.fixture
def row(fleet, answer, short):
    return answer[fleet.name(short)]


def ask(fleet, short, sql):
    return fleet.query(short, sql)[0][0]


def near(found, expected, tolerance):
    assert abs(found - expected) <= tolerance, (found, expected)


def test_nothing_is_missing(row):
    assert row["missing"] == {}
    assert row["status"] == "active" and row["statistics"]["status"] == "running"


def test_the_seed_s_statistics_in_the_seed_s_format(row):
    known = row["statistics"]
    assert re.fullmatch(r"\d+(\.\d)? MB", known["size"])
    assert isinstance(known["connections"], int)
    assert re.fullmatch(r"\d+\.\d%", known["cpu"])
    assert re.fullmatch(r"\d+(\.\d)?MB / 256MB", known["memory"])
    assert re.fullmatch(r"(\d+m )?\d+s", known["uptime"])


def test_the_directory_takes_what_du_says(fleet, short, row):
    path = str(fleet.directory(short) / "pgdata")
    du = int(subprocess.run(["du", "-s", "-B1", path], capture_output=True, text=True, check=True).stdout.split()[0])
    near(row["statistics"]["size_bytes"], du, 2 << 20)
    assert row["sizes"]["directory_bytes"] == row["statistics"]["size_bytes"]
    near(float(row["statistics"]["size"].split()[0]), du / (1 << 20), 2.5)


def test_the_file_system_is_as_df_has_it(fleet, short, row):
    words = ["df", "-B1", "--output=size,used,avail", fleet.directory(short)]
    line = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()[1]
    size, used, free = (int(word) for word in line.split())
    known = row["statistics"]
    assert known["disk_total_bytes"] == size == row["sizes"]["disk"]["total_bytes"]
    near(known["disk_used_bytes"], used, 2 << 30)
    near(known["disk_free_bytes"], free, 2 << 30)


def docker_stats(container):
    """Memory in bytes and the number of processes, as `docker stats` has them.

    Some hosts' engines have nothing but zeros there: then as the container itself sees them.
    """
    words = ["stats", "--no-stream", "--format", "{{.MemUsage}} {{.PIDs}}", container]
    used, unit, _limit, pids = re.fullmatch(r"([\d.]+)(\w+) / (\S+) (\d+)", harness.docker(*words)).groups()
    if float(used):
        return float(used) * {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}[unit], int(pids)
    usage, inactive, pids = harness.docker(
        *("exec", container, "sh", "-c"),
        "cd /sys/fs/cgroup; cat memory/memory.usage_in_bytes || cat memory.current;"
        " sed -n 's/^total_inactive_file //p' memory/memory.stat || sed -n 's/^inactive_file //p' memory.stat;"
        " cat pids/pids.current || cat pids.current",
    ).split()
    return int(usage) - int(inactive), int(pids)


def test_memory_and_processes_are_as_docker_stats_has_them(fleet, short):
    used, pids = docker_stats(fleet.container(short))
    row = fleet.info(name=fleet.name(short), gather=["statistics", "container"])[0]
    near(row["statistics"]["memory_bytes"], used, 8 << 20)
    assert row["statistics"]["memory_bytes"] > 10 << 20
    assert row["statistics"]["memory_limit_bytes"] == MEMORY == row["container"]["memory_limit_bytes"]
    near(row["statistics"]["memory_percent"], 100 * used / MEMORY, 4)
    near(row["container"]["processes"], pids, 4)
    assert row["container"]["cpus"] == 0.5


def processor_seconds(container):
    """What the processes of a container have used of processors, as the kernel counts for each of them."""
    seconds = 0
    for line in harness.docker("top", container, "-o", "pid").splitlines()[1:]:
        with contextlib.suppress(OSError):
            fields = Path("/proc", line.strip(), "stat").read_text().rpartition(")")[2].split()
            seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return seconds


def test_the_use_of_processors(fleet):
    # A limit of half a processor makes it half of one, whoever looks when.
    words = ["docker", "exec", "-u", "postgres", fleet.container("v15"), "psql", "-c"]
    busy = subprocess.Popen([*words, "SELECT count(*) FROM generate_series(1, 10000000000)"], stderr=subprocess.DEVNULL)
    try:
        time.sleep(1)
        idle = fleet.info(name=fleet.name("v17"), gather=["statistics"])[0]["statistics"]
        for turn in range(5):
            before, began = processor_seconds(fleet.container("v15")), time.monotonic()
            ours = fleet.info(name=fleet.name("v15"), gather=["statistics"])[0]["statistics"]
            theirs = 100 * (processor_seconds(fleet.container("v15")) - before) / (time.monotonic() - began)
            if theirs > 20:
                # A machine that does much else may not have let it run.
                break
    finally:
        fleet.psql("v15", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ '^SELECT count'")
        busy.wait()
    near(ours["cpu_percent"], theirs, max(8, 0.4 * theirs))
    assert 0 < ours["cpu_percent"] < 65 and ours["cpu"] == f"{ours['cpu_percent']:.1f}%"
    # Nor is what we do ourselves taken for the database's work.
    assert idle["cpu_percent"] < 10


def test_uptime_is_that_of_the_container(fleet, short, row):
    started = datetime.datetime.fromisoformat(fleet.inspect(short)["State"]["StartedAt"][:19])
    gathered = datetime.datetime.fromisoformat(row["statistics"]["gathered_at"][:19])
    near(row["statistics"]["uptime_seconds"], (gathered - started).total_seconds(), 1)


def test_connections_by_what_they_do(fleet, short):
    name = fleet.name(short)
    with fleet.connect(short) as idle, fleet.connect(short, autocommit=False) as open_one:
        idle.execute("SELECT 1")
        open_one.execute("SELECT 1")
        superuser = subprocess.Popen(
            ["docker", "exec", "-i", "-u", "postgres", fleet.container(short), "psql", "-XAtq"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        superuser.stdin.write("SELECT 1;\n")
        superuser.stdin.flush()
        superuser.stdout.readline()
        known = fleet.info(name=name, gather=["statistics"])[0]["statistics"]
        counted = fleet.psql(
            short,
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
        )
        superuser.communicate()
        addresses = idle.execute(
            "SELECT host(client_addr), count(*) FROM pg_stat_activity WHERE usename = current_user GROUP BY 1"
        ).fetchall()
    assert known["connections"] == 3 == int(counted)
    assert known["connections_by_state"] == {"idle": 2, "idle in transaction": 1}
    assert known["connections_by_user"] == {harness.USERNAME: 2, "postgres": 1}
    assert known["connections_by_address"] == {**dict(addresses), "local": 1}


def test_the_limit_of_connections_leaves_out_what_is_reserved(fleet, short, row):
    reserved = "SELECT sum(setting::int) FROM pg_settings WHERE name ~ '^(superuser_)?reserved_connections$'"
    assert row["statistics"]["connections_limit"] == 100 - ask(fleet, short, reserved)


def test_the_counters_are_those_of_the_catalog(fleet, short):
    def counted():
        return fleet.query(
            short,
            "SELECT xact_commit, xact_rollback, tup_inserted, tup_deleted, deadlocks, temp_files, temp_bytes,"
            " blks_hit::float / (blks_hit + blks_read) FROM pg_stat_database WHERE datname = current_database()",
        )[0]

    before = counted()
    known = fleet.info(name=fleet.name(short), gather=["statistics"])[0]["statistics"]
    after = counted()
    assert before[0] <= known["transactions"]["committed"] <= after[0]
    assert before[1] <= known["transactions"]["rolled_back"] <= after[1]
    assert known["rows"]["inserted"] == before[2] >= 20000
    assert known["rows"]["deleted"] == before[3] >= 500
    assert (known["deadlocks"], known["temporary_files"], known["temporary_bytes"]) == before[4:7]
    assert known["temporary_files"] > 0
    near(known["cache_hit_ratio"], before[7], 0.02)


def test_rows_and_their_age(fleet, short, row):
    known = row["statistics"]
    counted = fleet.query(short, "SELECT sum(n_live_tup), sum(n_dead_tup) FROM pg_stat_user_tables")[0]
    assert (known["live_rows"], known["dead_rows"]) == counted or counted[1] == 0
    assert known["live_rows"] == 19500
    age = int(fleet.psql(short, "SELECT max(age(datfrozenxid)) FROM pg_database"))
    assert 0 < known["oldest_transaction_age"] <= age
    assert known["oldest_multixact_age"] == int(fleet.psql(short, "SELECT max(mxid_age(datminmxid)) FROM pg_database"))
    assert known["checksum_failures"] == 0


def test_sizes_of_databases_tables_and_indexes(fleet, short, row):
    sizes = row["sizes"]
    near(row["statistics"]["database_bytes"], ask(fleet, short, "SELECT pg_database_size(current_database())"), 1 << 20)
    listed = fleet.psql(short, "SELECT datname, pg_database_size(datname) FROM pg_database").splitlines()
    theirs = dict(line.split("|") for line in listed)
    assert {one["name"] for one in sizes["databases"]} == set(theirs)
    for one in sizes["databases"]:
        near(one["size_bytes"], int(theirs[one["name"]]), 1 << 20)
    assert [one["size_bytes"] for one in sizes["databases"]] == sorted(
        (one["size_bytes"] for one in sizes["databases"]), reverse=True
    )
    orders, small = sizes["tables"]
    theirs = fleet.query(
        short,
        "SELECT pg_total_relation_size('orders'), pg_table_size('orders'), pg_indexes_size('orders'),"
        " pg_total_relation_size('small'), pg_relation_size('orders_pkey')",
    )[0]
    assert (orders["name"], orders["schema"], small["name"]) == ("orders", "public", "small")
    assert (orders["size_bytes"], orders["table_bytes"], orders["index_bytes"]) == theirs[:3]
    assert small["size_bytes"] == theirs[3] and not orders["locked"]
    assert orders["rows"] == 19500 and orders["last_analyze"].endswith("Z")
    index = sizes["indexes"][0]
    assert (index["name"], index["table"], index["size_bytes"]) == ("orders_pkey", "orders", theirs[4])
    assert index["unique"] and index["valid"]
    wal = subprocess.run(
        ["du", "-s", "-B1", *fleet.directory(short).glob("pgdata/*/docker/pg_wal")],
        capture_output=True,
        text=True,
        check=True,
    )
    near(sizes["wal_bytes"], int(wal.stdout.split()[0]), 1 << 20)


def test_slow_queries_are_those_of_the_guide_s_statement(fleet, short, row):
    # As the product guide asks for them.
    theirs = fleet.query(
        short,
        "SELECT query, mean_exec_time, calls FROM pg_stat_statements"
        " WHERE userid = (SELECT usesysid FROM pg_user WHERE usename = current_user) AND query !~ 'pg_stat_'"
        " ORDER BY mean_exec_time DESC LIMIT 3",
    )
    ours = [one for one in row["queries"] if "pg_stat_" not in one["query"]][:3]
    assert [(one["query"], one["calls"]) for one in ours] == [(query, calls) for query, _mean, calls in theirs]
    for one, (_query, mean, calls) in zip(ours, theirs):
        near(one["mean_ms"], mean, 0.01)
        near(one["total_ms"], mean * calls, 0.05)
        assert one["user"] == harness.USERNAME
    slow = next(one for one in row["queries"] if "pg_sleep" in one["query"])
    assert slow["calls"] == 3 and slow["mean_ms"] >= 50 and "$1" in slow["query"]
    assert 0 < sum(one["percent"] for one in row["queries"]) <= 100.5
    assert any(one["temporary_bytes"] > 0 for one in row["queries"])


def test_settings_are_those_that_show_has(fleet, short, row):
    known = row["server_settings"]
    assert known["version"] == ask(fleet, short, "SHOW server_version").split()[0]
    for name in ("work_mem", "shared_buffers", "ssl", "shared_preload_libraries", "max_connections"):
        assert known["parameters"][name]["value"] == fleet.psql(short, f"SHOW {name}")
    assert known["parameters"]["work_mem"]["source"] == "configuration file"
    assert "statement_timeout" not in known["parameters"] and "search_path" not in known["parameters"]
    assert known["pending_restart"] == []
    installed = dict(fleet.query(short, "SELECT extname, extversion FROM pg_extension"))
    assert {one["name"]: one["version"] for one in known["extensions"]} == installed


def test_a_declared_parameter_that_we_set_ourselves_is_shown_as_declared(fleet):
    fleet.psql("v15", "ALTER SYSTEM SET statement_timeout = '7min'")
    fleet.psql("v15", "ALTER SYSTEM SET log_min_duration_statement = '250ms'")
    fleet.psql("v15", "SELECT pg_reload_conf()")
    try:
        harness.eventually(lambda: ask(fleet, "v15", "SHOW statement_timeout") == "7min")
        known = fleet.info(name=fleet.name("v15"), gather=["settings"])[0]["server_settings"]["parameters"]
    finally:
        fleet.psql("v15", "ALTER SYSTEM RESET ALL")
        fleet.psql("v15", "SELECT pg_reload_conf()")
    assert known["statement_timeout"]["value"] == "7min"
    assert known["log_min_duration_statement"]["value"] == "250ms"


def test_who_waits_for_whom(fleet, short):
    with fleet.connect(short, autocommit=False) as holder:
        holding = holder.info.backend_pid
        holder.execute("LOCK TABLE small IN ACCESS EXCLUSIVE MODE")
        with fleet.connect(short) as waiter:
            waiting = subprocess.Popen(
                ["docker", "exec", "-u", "postgres", fleet.container(short), "psql", "-d", fleet.name(short)]
                + ["-c", "SET application_name = 'waits'", "-c", "SELECT * FROM small"],
                stdout=subprocess.DEVNULL,
            )
            blocked = "SELECT pid FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0"
            harness.eventually(lambda: waiter.execute(blocked).fetchall())
            row = fleet.info(name=fleet.name(short), gather=["activity", "sizes"])[0]
            pid = waiter.execute(blocked).fetchone()[0]
        holder.rollback()
        waiting.wait()
    assert row["missing"] == {}
    (found,) = row["activity"]["blocked"]
    assert (found["pid"], found["user"], found["query"]) == (pid, "postgres", "SELECT * FROM small")
    assert found["lock"] == "AccessShareLock on public.small"
    assert [(one["pid"], one["state"]) for one in found["blocked_by"]] == [(holding, "idle in transaction")]
    transactions = {one["pid"]: one for one in row["activity"]["transactions"]}
    assert transactions[holding]["query"] == "LOCK TABLE small IN ACCESS EXCLUSIVE MODE"
    assert transactions[holding]["state"] == "idle in transaction"
    assert transactions[pid]["wait"] == "Lock: relation"
    # A table that somebody has locked exclusively is measured without waiting for him.
    assert {one["name"]: one["locked"] for one in row["sizes"]["tables"]} == {"orders": False, "small": True}


def test_what_holds_vacuum_back(fleet, short):
    with fleet.connect(short, autocommit=False) as holder:
        holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        holder.execute("SELECT count(*) FROM small")
        for turn in range(3):
            fleet.query(short, "INSERT INTO small VALUES (1)")
        held = fleet.info(name=fleet.name(short), gather=["activity"])[0]["activity"]["vacuum_held_by"]
        holding = str(holder.info.backend_pid)
    assert held[0]["kind"] == "transaction" and held[0]["name"] == holding
    assert held[0]["age"] >= 3


def test_replication_and_the_log(fleet, short, row):
    known = row["replication"]
    assert known["role"] == "primary" and known["standbys"] == [] and known["slots"] == []
    assert ask(fleet, short, f"SELECT pg_current_wal_lsn() >= '{known['lsn']}'::pg_lsn") is True
    assert known["archiving"]["enabled"] is False and known["replay_lag_seconds"] is None
    assert known["wal_bytes"] == row["sizes"]["wal_bytes"]


def test_a_slot_and_who_reads_it(fleet):
    fleet.psql("v15", "SELECT pg_create_physical_replication_slot('kept', true)")
    try:
        fleet.psql("v15", "SELECT pg_switch_wal()")
        (slot,) = fleet.info(name=fleet.name("v15"), gather=["replication"])[0]["replication"]["slots"]
        retained = fleet.psql(
            "v15", "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) FROM pg_replication_slots"
        )
    finally:
        fleet.psql("v15", "SELECT pg_drop_replication_slot('kept')")
    assert (slot["name"], slot["kind"], slot["active"], slot["wal_status"]) == ("kept", "physical", False, "reserved")
    near(slot["retained_bytes"], int(retained), 1 << 20)


def test_the_certificate_is_the_one_that_clients_are_shown(fleet, short, row):
    known = row["tls"]
    words = ["openssl", "x509", "-noout", "-enddate", "-fingerprint", "-sha256", "-in"]
    said = subprocess.run(
        [*words, str(fleet.directory(short) / "tls/server.crt")], capture_output=True, text=True, check=True
    ).stdout
    assert known["fingerprint"] == re.search("Fingerprint=(.*)", said).group(1).replace(":", "").lower()
    end = datetime.datetime.strptime(re.search("notAfter=(.*) GMT", said).group(1), "%b %d %H:%M:%S %Y")
    assert known["not_after"] == end.isoformat() + "Z"
    near(known["days_left"], 397, 0.1)
    assert known["served"] is True and fleet.container(short) in known["names"]
    with socket.create_connection(("127.0.0.1", fleet.record(short)["port"])) as plain:
        plain.sendall(b"\x00\x00\x00\x08\x04\xd2\x16\x2f")
        assert plain.recv(1) == b"S"
        context = ssl.create_default_context(cafile=str(fleet.directory(short) / "tls/ca.crt"))
        with context.wrap_socket(plain, server_hostname=fleet.container(short)) as wrapped:
            assert wrapped.version() == known["protocol"] == "TLSv1.3"


def test_the_container_is_as_docker_inspect_has_it(fleet, short):
    known, theirs = fleet.info(name=fleet.name(short), gather=["container"])[0]["container"], fleet.inspect(short)
    assert known["id"] == theirs["Id"] and known["image_id"] == theirs["Image"]
    assert known["pid"] == theirs["State"]["Pid"]
    assert known["restart_policy"] == "unless-stopped" and known["restart_count"] == 0
    assert known["address"] == theirs["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
    assert (known["oom_killed"], known["oom_kills"], known["health"]) == (False, 0, theirs["State"]["Health"]["Status"])


def test_the_log_s_last_lines(fleet, short):
    lines = fleet.info(name=fleet.name(short), gather=["logs"], log_lines=4)[0]["logs"]
    theirs = subprocess.run(
        ["docker", "logs", "--tail", "4", fleet.container(short)], capture_output=True, text=True, check=True
    )
    assert sorted(lines) == sorted((theirs.stdout + theirs.stderr).splitlines())


def test_no_secret_is_shown(fleet):
    secret = "Plain-Text_Secret7"
    fleet.psql("v15", f"ALTER ROLE {harness.USERNAME} PASSWORD '{secret}'")
    fleet.psql("v15", f"ALTER ROLE {harness.USERNAME} PASSWORD '{harness.PASSWORD}'")
    with fleet.connect("v15", autocommit=False) as one:
        one.execute(f"/* ALTER ROLE x PASSWORD '{secret}' */ SELECT 1")
        try:
            fleet.query("v15", f"ALTER ROLE nobody PASSWORD '{secret}'")
        except harness.psycopg.Error:
            pass
        result = fleet.info(name=fleet.name("v15"), gather=EVERYTHING)
    assert secret in harness.docker("logs", fleet.container("v15")) or "STATEMENT" in str(result)
    assert secret not in str(result) and harness.PASSWORD not in str(result)
    assert "PASSWORD '***'" in str(result)


def test_gathering_leaves_no_trace_with_the_server(fleet):
    short = "v15"
    count = "SELECT count(*) FROM pg_stat_statements WHERE query ~ 'jsonb_build_object'"
    fleet.psql(short, "ALTER SYSTEM SET log_statement = 'all'")
    fleet.psql(short, "SELECT pg_reload_conf()")
    harness.eventually(lambda: ask(fleet, short, "SHOW log_statement") == "all")
    before = ask(fleet, short, count)
    started = datetime.datetime.now(datetime.timezone.utc).isoformat()
    fleet.info(name=fleet.name(short), gather=["statistics", "sizes", "activity", "replication", "queries", "settings"])
    logged = subprocess.run(
        ["docker", "logs", "--since", started, fleet.container(short)], capture_output=True, text=True, check=True
    )
    fleet.psql(short, "ALTER SYSTEM RESET ALL")
    fleet.psql(short, "SELECT pg_reload_conf()")
    assert ask(fleet, short, count) == before
    assert "pg_database_size" not in logged.stdout + logged.stderr


def test_nothing_is_gathered_unless_asked_for(fleet):
    plain = fleet.info(name=fleet.name("v15"))[0]
    assert {"statistics", "missing", "findings", "container"}.isdisjoint(plain)


def test_as_many_rows_as_asked_for(fleet):
    row = fleet.info(name=fleet.name("v15"), gather=["sizes", "queries"], limit=1)[0]
    assert len(row["sizes"]["tables"]) == len(row["sizes"]["indexes"]) == len(row["queries"]) == 1

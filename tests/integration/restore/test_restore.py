# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restores: everything comes along, the present database is replaced at once and kept, others' backups are refused."""

from __future__ import annotations

import difflib
import shutil
import threading
import time
from pathlib import Path

import psycopg
import pytest
import restoring
from harness import OTHER_MAJOR_IMAGE, USERNAME, Failed, Host, verbs
from restoring import dumped, make_sample, nothing_left, psql, run, take

SUMS = {"accounts": "abalance", "tellers": "tbalance", "branches": "bbalance", "history": "delta"}


@pytest.fixture(scope="module")
def sample(shared):
    """A host whose database `a` holds the sample. Tests restore it, which leaves it as it was."""
    make_sample(shared, "a")
    shared.before = dumped(shared, "a")
    return shared


def refused(host, short, **options):
    with pytest.raises(Failed) as failure:
        run(host, short, **options)
    return failure.value.message


def same(text, other):
    assert text == other, "\n".join(list(difflib.unified_diff(text.splitlines(), other.splitlines(), lineterm=""))[:40])


@pytest.mark.parametrize(
    "taken, restored",
    [({}, {}), ({"format": "custom"}, {}), ({"format": "directory", "jobs": 2}, {"jobs": 2})],
    ids=["plain", "custom", "directory"],
)
def test_everything_comes_along(sample, taken, restored):
    backup = take(sample, "a", **taken)
    psql(sample.container("a"), sample.name("a"), "DROP SCHEMA public CASCADE; DROP SCHEMA accounts CASCADE;")
    psql(sample.container("a"), "postgres", f'ALTER DATABASE "{sample.name("a")}" RESET ALL')
    predicted = run(sample, "a", check=True, backup=backup.file_name, keep_old=0, backup_first=False, **restored)
    answer = run(sample, "a", backup=backup.file_name, keep_old=0, backup_first=False, **restored)
    assert verbs(predicted) == verbs(answer)
    assert answer["changed"] and predicted["changed"]
    same(sample.before, dumped(sample, "a"))
    nothing_left(sample, "a")
    assert sample.query("a", 'SELECT sum(doubled) FROM "Order ""lines"""') == [(3000,)]
    # The planner knows the tables at once.
    assert (
        psql(sample.container("a"), sample.name("a"), "SELECT reltuples FROM pg_class WHERE relname = 'parents'")
        == "50"
    )
    # And the declaration has nothing to repair.
    assert sample.run("a")["actions"] == []


def test_missing_roles_come_along_with_their_settings(sample):
    """Into a server that has never heard of them: another host, by the files alone."""
    backup = take(sample, "a")
    other = Host()
    try:
        other.defaults["username"] = USERNAME
        other.run("b")
        for path in Path(backup.path).parent.glob(backup.file_name + "*"):
            shutil.copy(path, other.root)
        path = f"{other.root}/{backup.file_name}"
        assert "allow_other_database" in refused(other, "b", backup=path)
        answer = run(other, "b", backup=path, allow_other_database=True, backup_first=False, trust_source=True)
        assert "reporting" in str(answer["warnings"])
        restored = dumped(other, "b").replace(other.name("b"), sample.name("a"))
        same(sample.before, restored)
        assert (
            psql(other.container("b"), "postgres", "SELECT rolconfig FROM pg_roles WHERE rolname = 'reporting'")
            == "{work_mem=8MB}"
        )
        nothing_left(other, "b", kept=[answer["old_database"]])
    finally:
        other.close()


def test_what_belonged_to_one_role_belongs_to_another(sample):
    """A clone: the application's role has another name there, and no password of the source comes along."""
    other = {"username": "db_user_ffffffffffff"}
    sample.run("c", **other)
    take(sample, "a")
    source = {"source_name": sample.name("a"), "source_environment": "development"}
    assert "allow_other_database" in refused(sample, "c", **source)
    mask = ['UPDATE "Order ""lines""" SET mail = id || \'@invalid.example\'', "DELETE FROM secrets; SELECT 1"]
    run(sample, "c", **source, allow_other_database=True, backup_first=False, keep_old=0, mask=mask)
    as_other = {"user": other["username"]}
    assert sample.query(
        "c", 'SELECT count(*) FROM "Order ""lines""" WHERE mail LIKE \'%@invalid.example\'', **as_other
    ) == [(500,)]
    assert sample.query("c", "SELECT count(*) FROM secrets", **as_other) == [(0,)]
    assert sample.query("c", "SELECT sum(total) FROM accounts.books", **as_other) == [(5050,)]
    restored = (
        dumped(sample, "c", "--schema-only")
        .replace(other["username"], USERNAME)
        .replace(sample.name("c"), sample.name("a"))
    )
    assert sorted(restored.splitlines()) == sorted(dumped(sample, "a", "--schema-only").splitlines())
    roles = psql(sample.container("c"), "postgres", "SELECT rolname FROM pg_roles WHERE rolcanlogin ORDER BY 1").split()
    assert roles == [other["username"], "postgres"]
    # Masking that fails replaces nothing.
    message = refused(
        sample, "c", **source, allow_other_database=True, backup_first=False, mask=["UPDATE nowhere SET a = 1"]
    )
    assert "masking SQL failed" in message and "nowhere" in message
    nothing_left(sample, "c")
    sample.forget("c")


def test_clients_meet_the_one_or_the_other(host):
    """Under load, nobody finds neither, and the outage is short."""
    host.run("a")
    host.query("a", "CREATE TABLE state AS SELECT 'backed up' AS word")
    backup = take(host, "a")
    host.query("a", "UPDATE state SET word = 'present'")
    seen, errors, stop = [], [], threading.Event()

    def client():
        while not stop.is_set():
            try:
                with host.connect("a") as connection:
                    while not stop.is_set():
                        seen.append(connection.execute("TABLE state").fetchone()[0])
            except psycopg.OperationalError as error:
                errors.append(str(error))

    clients = [threading.Thread(target=client) for turn in range(3)]
    for thread in clients:
        thread.start()
    answer = run(host, "a", backup="latest", backup_first=False)
    time.sleep(0.3)
    stop.set()
    for thread in clients:
        thread.join()
    assert set(seen) == {"present", "backed up"} and seen[-1] == "backed up"
    assert answer["backup"]["name"] == backup.file_name and answer["backup_before"] is None
    assert not [error for error in errors if "not exist" in error and "dropped or renamed" not in error], set(errors)
    assert answer["interruption_seconds"] < 5
    old = answer["old_database"]
    assert psql(host.container("a"), old, "TABLE state") == "present"
    # A client cannot get at what was kept; the next run keeps no more than it is told.
    with pytest.raises(psycopg.OperationalError):
        host.connect("a", dbname=old)
    again = run(host, "a", keep_old=0)
    assert old in again["old_dropped"] and len(again["old_dropped"]) == 2
    assert again["backup_before"]["name"] and verbs(again)[1] == "backup"
    nothing_left(host, "a")


def test_refusals(sample):
    container = sample.container("a")
    backups = Path(sample.root, "backups", container)
    take(sample, "a")
    assert "There is no verified backup" in refused(sample, "a", backup="latest_verified")
    for name in (
        "$(touch /tmp/x).sql.gz",
        "'; DROP DATABASE x",
        "../x.sql.gz",
        "",
        f"{container}-20260101-000000.sql.gz",
    ):
        assert refused(sample, "a", backup=name)
    assert "There is no" in refused(sample, "a", backup="/nowhere/x.sql.gz")
    lonely = backups / "lonely.sql.gz"
    lonely.write_bytes(b"")
    assert "no manifest" in refused(sample, "a", backup=str(lonely))
    lonely.unlink()
    assert "there is no such database" in refused(sample, "nothing")
    assert "keep_old" in refused(sample, "a", keep_old=-1)
    nothing_left(sample, "a")
    same(sample.before, dumped(sample, "a"))


def test_newer_servers_backup_is_refused_and_an_older_one_goes_in(host, sample):
    host.run("new", image=OTHER_MAJOR_IMAGE)
    host.query("new", "CREATE TABLE t AS SELECT 1 AS a")
    newer = take(host, "new")
    message = refused(sample, "a", backup=newer.path, allow_other_database=True)
    assert "newer server's dump" in message and "PostgreSQL 17" in message
    older = take(sample, "a")
    run(host, "new", backup=older.path, allow_other_database=True, backup_first=False)
    assert host.query("new", "SELECT sum(total) FROM accounts.books") == [(5050,)]


def test_pgbench_while_the_backup_is_taken(host):
    """The sums of what is restored elsewhere agree with one another, as at one moment, and with the manifest."""
    host.run("a")
    container, name = host.container("a"), host.name("a")
    restoring.in_container(container, "pgbench", "-i", "-q", "-s", "2", name)
    load = threading.Thread(
        target=restoring.in_container, args=(container, "pgbench", "-n", "-c", "4", "-T", "6", name)
    )
    load.start()
    time.sleep(1.5)
    backup = take(host, "a")
    load.join()
    other = Host()
    try:
        other.run("b")
        run(other, "b", backup=backup.path, allow_other_database=True, backup_first=False)
        sums = " UNION ALL ".join(f"SELECT sum({column}) FROM pgbench_{table}" for table, column in SUMS.items())
        found = set(psql(other.container("b"), other.name("b"), sums).splitlines())
        assert len(found) == 1
        rows = psql(other.container("b"), other.name("b"), "SELECT count(*) FROM pgbench_history")
        assert 0 < int(rows) == backup.manifest.row_counts["public.pgbench_history"]
        assert int(rows) < int(psql(container, name, "SELECT count(*) FROM pgbench_history"))
    finally:
        other.close()

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports from another server: over TLS, with a password that nobody sees, compared with what is there."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from dump_matrix import IMAGES, Combination, Sources, compared, difference
from harness import IMAGE, OTHER_MAJOR_IMAGE, PASSWORD, THOROUGH, USERNAME, Failed, docker, eventually
from restoring import SAMPLE, in_container, nothing_left, psql, run

SOURCE_PASSWORD = "p:a\\ss 'wörd\" $(x)"


@pytest.fixture(scope="module")
def foreign(shared):
    """A server that nobody here manages, with the sample in it; and a database `a` of ours that is empty."""
    name = f"{shared.prefix}-foreign"
    docker("run", "-d", "--name", name, "-e", "POSTGRES_PASSWORD=x", IMAGE)
    shared.run("a")
    eventually(lambda: docker("exec", name, "pg_isready", "-qh", "127.0.0.1", check=False) == "" and ready(name), 240)
    quoted = SOURCE_PASSWORD.replace("'", "''")
    psql(name, "postgres", f"ALTER ROLE postgres PASSWORD '{quoted}'; CREATE ROLE \"{USERNAME}\" LOGIN")
    psql(name, "postgres", f'CREATE DATABASE "the source" OWNER "{USERNAME}"')
    psql(name, "the source", SAMPLE, app=USERNAME, database="the source")
    return name


def ready(name):
    return in_container(name, "psql", "-h", "127.0.0.1", "-XAtc", "SELECT 1", check=False) == b"1\n"


def address(container):
    return docker("inspect", "-f", "{{.NetworkSettings.IPAddress}}", container)


def bring(host, short, url, password=SOURCE_PASSWORD, **options):
    options = {"url": url, "password": password, "backup_first": False, "keep_old": 0, **options}
    return run(host, short, module="postgres_db_import", **options)


def refused(host, short, url, **options):
    with pytest.raises(Failed) as failure:
        bring(host, short, url, **options)
    return failure.value.message


def test_the_whole_of_it_comes(shared, foreign):
    url = f"postgres://postgres@{address(foreign)}:5432/the%20source?sslmode=prefer"
    assert "roles: ['Read \"only\" role']" in refused(shared, "a", url)
    roles = ['Read "only" role']
    predicted = bring(shared, "a", url, roles=roles, check=True)
    answer = bring(shared, "a", url, roles=roles, jobs=2)
    assert [a["verb"] for a in predicted["actions"]] == [a["verb"] for a in answer["actions"]]
    report = answer["report"]
    assert report["differences"] == [] and report["sequences"]["public.counter"] == 110
    assert report["row_counts"]['public."Order ""lines"""'] == 500 and "publications" in report["left_out"]
    assert any("reporting" in note for note in report["checks"])
    owners = "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'accounts'::regnamespace"
    assert shared.query("a", owners) == [(USERNAME,)]
    assert shared.query("a", "SELECT nextval('counter'), nextval('accounts.books_id_seq')") == [(120, 101)]
    assert shared.query("a", "SELECT lo_get(4711)") == [(b"\0\1\2\xff",)]
    assert "replace: true" in refused(shared, "a", url, roles=roles)
    nothing_left(shared, "a")
    assert SOURCE_PASSWORD not in str(answer)


FOREIGN = """CREATE EXTENSION postgres_fdw;
CREATE SERVER old_shop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '10.1.2.3', dbname 'shop');
CREATE USER MAPPING FOR PUBLIC SERVER old_shop OPTIONS (user 'reader', password 'secret');
CREATE FOREIGN TABLE old_orders (id integer OPTIONS (column_name 'nr'), at date NOT NULL DEFAULT '2026-01-01')
  SERVER old_shop OPTIONS (table_name 'orders');
ALTER FOREIGN TABLE old_orders ALTER id SET (n_distinct = 5), ALTER at SET STATISTICS 50;
COMMENT ON FOREIGN TABLE old_orders IS 'elsewhere';
CREATE STATISTICS of_both ON (n / 2), d FROM everything; ALTER STATISTICS of_both SET STATISTICS 77;
ANALYZE everything, nulls, lists;
"""


@pytest.mark.skipif(not THOROUGH, reason="it takes a server of each version")
@pytest.mark.parametrize("versions", [(15, 18), (15, 17), (17, 18)])
def test_from_an_older_version_with_all_that_it_has(shared, versions):
    """What servers keep among the options of columns (pg_attver), statistics, foreign servers: the same text after."""
    (there, here), sources = versions, Sources(shared)
    source, database = sources.container(there), sources.database(there, "UTF8")
    psql(source, database, FOREIGN)
    short = f"from{there}to{here}"
    shared.run(short, image=IMAGES[here], extensions=["postgres_fdw"])
    url = f"postgresql://postgres@{sources.address(there)}/{database}?sslmode=disable"
    answer = bring(shared, short, url, jobs=2)
    assert answer["report"]["differences"] == [] and not [
        note for note in answer.get("warnings", []) if "comments" in note
    ]
    one = Combination((there, here, here), ("custom", "none"), "UTF8", "", 2)
    before = compared(shared.container(short), database, one, "-h", sources.address(there), "-U", "postgres")
    before = before.replace("'foreign-data wrapper for remote PostgreSQL servers'", "'Declared in vellaric.postgres'")
    assert difference(before, compared(shared.container(short), shared.name(short), one)) == ""
    assert answer["report"]["left_out"]["functions in C or an untrusted language"]
    docker("rm", "-f", source)


def test_who_cannot_be_reached_is_told(shared, foreign):
    shared.run("c")
    where = address(foreign)
    assert "password authentication failed" in refused(
        shared, "c", f"postgresql://postgres@{where}:5432/postgres?sslmode=prefer", password="wrong-password"
    )
    assert "set it in the url (?sslmode=disable)" in refused(
        shared, "c", f"postgresql://postgres@{where}:5432/postgres"
    )
    assert "does not exist" in refused(shared, "c", f"postgresql://postgres@{where}:5432/nothing?sslmode=prefer")
    assert "refused" in refused(shared, "c", f"postgresql://postgres@{where}:5433/postgres?sslmode=prefer")
    for url, words in {
        "mysql://a@b/c": "postgresql://USER",
        "postgresql://a:secret@b/c": "has a password in it",
        "postgresql://b/c": "which user",
        "postgresql://a@b/c?sslmode=no": "sslmode is 'no'",
        "postgresql://a@b/c?nonsuch=x": "nonsuch is not known",
        "postgresql://a@b:99999/c": "port",
    }.items():
        message = refused(shared, "c", url)
        assert words in message and "secret" not in message
    assert "ca_file" in refused(shared, "c", "postgresql://a@b/c", ca_file="/etc/hostname")
    newer = f"{shared.prefix}-newer"
    docker("run", "-d", "--name", newer, "-e", "POSTGRES_PASSWORD=x", OTHER_MAJOR_IMAGE)
    eventually(lambda: ready(newer), 240)
    url = f"postgresql://postgres@{address(newer)}/postgres?sslmode=prefer"
    assert "newer server's dump" in refused(shared, "c", url, password="x")
    nothing_left(shared, "c")


def test_over_tls_with_a_password_that_nobody_sees(shared):
    """From a database of ours, as its application; while the dump waits for a lock, all processes are looked at."""
    shared.run("s")
    shared.query("s", "CREATE TABLE t AS SELECT generate_series(1, 1000) AS a; CREATE SEQUENCE q; SELECT nextval('q')")
    shared.run("d")
    authority = str(shared.directory("s") / "tls/ca.crt")
    url = f"postgresql://{USERNAME}@{address(shared.container('s'))}/{shared.name('s')}?sslmode=verify-ca"
    assert "verif" in refused(shared, "d", url, password=PASSWORD, ca_file=None)
    answers = []
    with shared.connect("s", autocommit=False) as holder:
        holder.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        importing = threading.Thread(
            target=lambda: answers.append(bring(shared, "d", url, password=PASSWORD, ca_file=authority))
        )
        importing.start()
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename <> 'postgres'"
        eventually(lambda: psql(shared.container("s"), "postgres", waiting) != "0", 240)
        encrypted = (
            "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name ~ 'import'"
        )
        assert psql(shared.container("s"), "postgres", encrypted) == "t"
        assert seen(shared.container("d")) == []
        assert PASSWORD not in docker("inspect", shared.container("d"))
        holder.rollback()
    importing.join()
    assert answers[0]["report"]["tls"] is True and answers[0]["report"]["row_counts"] == {"public.t": 1000}
    assert shared.query("d", "SELECT nextval('q')") == [(2,)]
    assert "vellaric" not in in_container(shared.container("d"), "ls", "/dev/shm").decode()
    assert PASSWORD not in docker("logs", shared.container("d")) + docker("logs", shared.container("s"))
    nothing_left(shared, "d")


def seen(container):
    """Which processes of a container have the password in their arguments or their environment."""
    found = []
    for line in docker("top", container, "-o", "pid").splitlines()[1:]:
        for name in ("cmdline", "environ"):
            path = Path("/proc", line.strip(), name)
            if path.exists() and os.fsencode(PASSWORD) in path.read_bytes():
                found.append(path.read_bytes())
    return found

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps that want to run programs, reach the network, read files or harm the database that they are to replace."""

from __future__ import annotations

import gzip
import importlib
import io
import os
import tarfile
from pathlib import Path

import pytest
from harness import Failed
from restoring import PACKAGE, databases, in_container, nothing_left, psql, run

dump_filter = importlib.import_module(PACKAGE + "_dumps.dump_filter")
dump_rules = importlib.import_module(PACKAGE + "_dumps.dump_rules")
HEAD = "-- PostgreSQL database dump\nSET standard_conforming_strings = on;\nCREATE TABLE harmless (a text);\n"
TAIL = "\n-- PostgreSQL database dump complete\n"
MARK = "/tmp/vellaric-was-here"
# What each wants, and a word of why it does not get it.
META = {
    "shell": rf"\! touch {MARK}",
    "shell without a blank": rf"\!touch {MARK}",
    "shell after a statement": rf"SELECT 1; \! touch {MARK}",
    "shell in the middle of a statement": f"SELECT 1 \\g |touch {MARK}",
    "output": rf"\o |touch {MARK}",
    "backticks": f"\\set x `touch {MARK}`",
    "copy program": rf"\copy harmless FROM PROGRAM 'touch {MARK}'",
    "file": r"\i /etc/passwd",
    "environment": r"\setenv PAGER sh",
    "write": rf"\w {MARK}",
    "unrestricted": "\\unrestrict x\n\\! touch " + MARK,
    "restricted by itself": "\\restrict x\n\\unrestrict x\n\\! touch " + MARK,
    "after other quoting": f"SET standard_conforming_strings = off;\nSELECT 'x\\'y';\n\\! touch {MARK}\n",
    "after data": f"COPY harmless FROM stdin;\nx\n\\.\n\\! touch {MARK}",
}
SQL = {
    "copy to program": f"COPY harmless TO PROGRAM 'touch {MARK}';",
    "copy from file": "COPY harmless FROM '/etc/passwd';",
    "file function": "SELECT pg_read_file('/etc/passwd');",
    "large object from file": "SELECT lo_import('/etc/passwd');",
    "untrusted language": "CREATE EXTENSION plpython3u;",
    "network": "CREATE EXTENSION dblink;",
    "library": "CREATE FUNCTION f() RETURNS int LANGUAGE c AS '/lib/x86_64-linux-gnu/libc.so.6', 'system';",
    "superuser": "ALTER SYSTEM SET archive_command = 'touch x';",
    "become the superuser": "DO $$ BEGIN EXECUTE 'SET SESSION AUTHORIZATION postgres'; END $$;",
    "become the application": "DO $$ BEGIN EXECUTE 'SET ROLE {user}'; END $$;",
    "its password": "DO $$ BEGIN EXECUTE 'ALTER ROLE {user} PASSWORD ''x'''; END $$;",
    "drop the present one": "DO $$ BEGIN EXECUTE 'ALTER DATABASE \"{database}\" RENAME TO gone'; END $$;",
    "settings": "DO $$ BEGIN EXECUTE 'ALTER DATABASE \"{database}\" SET role = x'; END $$;",
}


@pytest.fixture(scope="module")
def target(shared):
    shared.run("a")
    shared.query("a", "CREATE TABLE present AS SELECT 42 AS a")
    return shared


def attempt(host, text, name="hostile.sql", **options):
    path = Path(host.root, name)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return run(host, "a", module="postgres_db_import", path=str(path), replace=True, backup_first=False, **options)


def unharmed(host):
    assert host.query("a", "TABLE present") == [(42,)]
    assert in_container(host.container("a"), "ls", "/tmp").decode().split().count(os.path.basename(MARK)) == 0
    assert not os.path.exists(MARK)
    nothing_left(host, "a")
    roles = psql(host.container("a"), "postgres", "SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1")
    assert roles.split() == sorted([host.defaults["username"], "postgres"])
    assert "loader" not in (host.directory("a") / "conf/pg_hba.conf").read_text()


def test_psql_runs_nothing(target):
    """With our own look at the text, and without it: psql itself is told to refuse."""
    for what in ("shell", "after data", "shell in the middle of a statement"):
        with pytest.raises(Failed) as failure:
            attempt(target, HEAD + META[what] + TAIL)
        assert "a command to psql" in failure.value.message, (what, failure.value.message)
    unharmed(target)


@pytest.mark.parametrize("what", META)
def test_each_command_is_seen(what):
    passed = dump_filter.Filter(dump_rules.FOREIGN, 15)
    with pytest.raises(dump_filter.Refused):
        list(passed.pieces((HEAD + META[what] + TAIL).encode()))
        list(passed.pieces(b"", last=True))


def test_psql_itself_refuses(target, monkeypatch):
    """Where our look at the text is fooled, as if it were not there."""

    def blind(self, data, last=False):
        yield bytes(data)

    monkeypatch.setattr(dump_filter.Filter, "pieces", blind)
    hostile = [text for what, text in META.items() if "restrict" not in what]
    for text in (hostile[0], hostile[3], hostile[-1]):
        with pytest.raises(Failed) as failure:
            attempt(target, HEAD + text + TAIL)
        assert "restricted" in failure.value.message or "could run programs" in failure.value.message, text
    unharmed(target)


def test_the_loading_role_may_do_nothing(target):
    """All in one dump, each of which has to fail; then each alone stops an import."""
    known = {"user": target.defaults["username"], "database": target.name("a")}
    tried = []
    for statement in SQL.values():
        text = statement.replace("{user}", known["user"]).replace("{database}", known["database"]).replace("'", "''")
        let = f"RAISE 'it was let: %', $told${statement}$told$ USING ERRCODE = 'XX999'"
        tried.append(
            f"DO $outer$ BEGIN EXECUTE '{text}'; {let}; EXCEPTION WHEN SQLSTATE 'XX999' THEN RAISE;"
            " WHEN others THEN INSERT INTO harmless VALUES (SQLERRM); END $outer$;"
        )
    answer = attempt(target, HEAD + "\n".join(tried) + TAIL, keep_old=0, check=False)
    # What makes or changes a role is left out, whatever else it does.
    assert answer["report"]["left_out"] == {"roles and their settings": 1}
    assert answer["report"]["row_counts"] == {"public.harmless": len(SQL) - 1}
    said = " ".join(row[0] for row in target.query("a", "TABLE harmless"))
    assert said.count("permission denied") + said.count("must be") >= len(SQL) - 4, said
    target.query("a", "DROP TABLE harmless; CREATE TABLE present AS SELECT 42 AS a")
    unharmed(target)
    with pytest.raises(Failed) as failure:
        attempt(target, HEAD + SQL["network"] + TAIL)
    assert "declare it for the database (extensions: [dblink])" in failure.value.message
    with pytest.raises(Failed) as failure:
        attempt(target, HEAD + SQL["copy to program"] + TAIL)
    assert "permission denied" in failure.value.message or "must be superuser" in failure.value.message
    unharmed(target)


def test_functions_that_lie_in_wait_for_the_superuser(target):
    """What is asked in the imported database afterwards finds the server's functions, not the dump's."""
    trap = (
        "CREATE FUNCTION trap(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN"
        " IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN"
        " RAISE 'caught the superuser'; END IF; RETURN $1; END $$;\n"
        "CREATE FUNCTION public.format(text, text, text) RETURNS text LANGUAGE sql AS 'SELECT public.trap($1)';\n"
        "CREATE FUNCTION public.format(text, name, name) RETURNS text LANGUAGE sql AS 'SELECT public.trap($1)';\n"
        "CREATE FUNCTION public.count(name) RETURNS bigint LANGUAGE sql AS 'SELECT public.trap($1)::bigint';\n"
        "CREATE TABLE t (a text); INSERT INTO t SELECT n::text FROM generate_series(1, 100) AS n;\n"
        "CREATE FUNCTION slow(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT public.trap($1)';\n"
        "CREATE INDEX ON t (slow(a));\nCREATE STATISTICS s ON slow(a), a FROM t;\n"
    )
    attempt(target, HEAD + trap.replace(" IMMUTABLE", " IMMUTABLE") + TAIL, keep_old=0)
    assert target.query("a", "SELECT count(*) FROM t") == [(100,)]
    target.query("a", "DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE present AS SELECT 42 AS a")
    unharmed(target)


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "is empty"),
        (b"\xff\xfe-\0-\0", "UTF-16"),
        (b"-- MySQL dump 10.13\n", "MySQL"),
        (b"PK\x03\x04", "zip"),
        (b"$ANSIBLE_VAULT;1.1;AES256\n", "decrypt"),
        (b"<!DOCTYPE html>", "web page"),
        (b"-- \n-- PostgreSQL database cluster dump\n--\n", "pg_dumpall"),
        (b"\x7fELF\0\0", "neither SQL"),
        (b"PGDMP\x01\x0e", "damaged or truncated"),
        (b"\x1f\x8b\x08\0broken", "damaged"),
        (gzip.compress(b"hello", mtime=0), "neither SQL"),
    ],
)
def test_what_is_no_dump_is_told_by_its_content(target, content, words):
    with pytest.raises(Failed) as failure:
        attempt(target, content, name="backup.sql.gz", check=True)
    assert words in failure.value.message


def test_interrupted_and_damaged(target):
    """Nothing half comes in, whatever psql makes of the end of its input."""
    rows = "".join(f"{n}\trow {n}\n" for n in range(20000))
    text = (HEAD + "CREATE TABLE r (a int, b text);\nCOPY r FROM stdin;\n" + rows + "\\.\n" + TAIL).encode()
    packed = gzip.compress(text)
    for content in (
        text[: len(text) // 2],
        packed[: len(packed) // 2],
        packed[:-4],
        packed[:3000] + b"\0" + packed[3001:],
    ):
        with pytest.raises(Failed) as failure:
            attempt(target, content)
        assert "truncated" in failure.value.message, failure.value.message
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("base/1/pg_class"), io.BytesIO())
    with pytest.raises(Failed) as failure:
        attempt(target, archive.getvalue())
    assert "base/1/pg_class" in failure.value.message
    unharmed(target)


def test_newer_dumps_and_full_databases_are_refused(target):
    newer = HEAD.replace("SET", "-- Dumped from database version 99.1\n-- Dumped by pg_dump version 99.1\nSET", 1)
    with pytest.raises(Failed) as failure:
        attempt(target, newer + TAIL)
    assert "newer server's dump" in failure.value.message and "99.1" in failure.value.message
    path = Path(target.root, "hostile.sql")
    path.write_text(HEAD + TAIL)
    with pytest.raises(Failed) as failure:
        run(target, "a", module="postgres_db_import", path=str(path))
    assert "replace: true" in failure.value.message
    unharmed(target)
    assert databases(target, "a") == [target.name("a")]


def test_a_dump_of_a_beta_that_an_editor_has_saved(shared):
    """With a byte order mark, as editors put it, and of a version that is no number."""
    shared.run("beta")
    said = "-- Dumped from database version 15beta1\n-- Dumped by pg_dump version 15beta1\n"
    path = Path(shared.root, "beta.sql")
    path.write_bytes(b"\xef\xbb\xbf" + (HEAD + said + "INSERT INTO harmless VALUES ('x');" + TAIL).encode())
    run(shared, "beta", module="postgres_db_import", path=str(path), backup_first=False)
    assert shared.query("beta", "TABLE harmless") == [("x",)]
    shared.forget("beta")

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a dump from elsewhere is passed on: the same, however it is cut into pieces."""

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import Refused
from ansible_collections.vellaric.postgres.plugins.module_utils._dumps import (
    archive,
    dump_filter,
    dump_rules,
)
from ansible_collections.vellaric.postgres.tests.unit.dumps_filtered import filtered, without_blank_lines
from hypothesis import given, settings
from hypothesis import strategies as st

SQL = rb"""-- PostgreSQL database dump
\restrict abc

SET statement_timeout = 0;
SET transaction_timeout = 0;
DROP TABLE x;
ALTER TABLE ONLY public.y DROP CONSTRAINT z;
CREATE TABLE "a;b" (x text DEFAULT 'it''s; \! here', y text DEFAULT E'q\'; \! no', z text DEFAULT e'''\\');
ALTER TABLE "a;b" OWNER TO "some""one";
ALTER TABLE t ADD CHECK (a <> 'x OWNER TO b;');
CREATE FUNCTION f$1() RETURNS void LANGUAGE plpgsql AS $_$ begin -- '; $$
 perform 'x'; \! end $_$; /* c /* ; */ ' */
COPY "a;b" (x, y) FROM stdin;
GRANT it;
\restrict data
\\.
\.

GRANT SELECT ON x TO y;
COPY empty FROM stdin;
\.
INSERT INTO z VALUES ('a;', E'\\', 'c');
INSERT INTO z VALUES (- 1, 'it''s', "b");
INSERT INTO z VALUES (2, 'x');
CREATE PUBLICATION p FOR ALL TABLES;
-- PostgreSQL database dump complete

\unrestrict abc
"""
PASSED = rb"""
SET statement_timeout = 0;
CREATE TABLE "a;b" (x text DEFAULT 'it''s; \! here', y text DEFAULT E'q\'; \! no', z text DEFAULT e'''\\');
ALTER TABLE t ADD CHECK (a <> 'x OWNER TO b;');
CREATE FUNCTION f$1() RETURNS void LANGUAGE plpgsql AS $_$ begin -- '; $$
 perform 'x'; \! end $_$; /* c /* ; */ ' */
COPY "a;b" (x, y) FROM stdin;
GRANT it;
\restrict data
\\.
\.
COPY empty FROM stdin;
\.
INSERT INTO z VALUES ('a;', E'\\', 'c');
INSERT INTO z VALUES (- 1, 'it''s', "b");
INSERT INTO z VALUES (2, 'x');
"""


def test_what_only_a_superuser_may_do_is_left_out():
    passed, work = filtered([SQL])
    assert without_blank_lines(passed) == without_blank_lines(PASSED)
    assert work.collected.left_out == {"owners": 1, "grants": 1, "publications": 1}
    assert work.complete


def test_parameters_that_the_server_knows_are_passed():
    assert b"transaction_timeout" in filtered([SQL], major=17)[0]


@given(st.lists(st.integers(min_value=1, max_value=60), max_size=40))
@settings(deadline=None)
def test_pieces_make_no_difference(sizes):
    pieces, position = [], 0
    for size in sizes:
        pieces.append(SQL[position : position + size])
        position += size
    pieces.append(SQL[position:])
    passed, work = filtered(pieces)
    assert passed.replace(b"\n", b"") == filtered([SQL])[0].replace(b"\n", b"")
    assert work.complete


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_small_pieces(size):
    pieces = [SQL[position : position + size] for position in range(0, len(SQL), size)]
    assert filtered(pieces)[0].split() == filtered([SQL])[0].split()


@pytest.mark.parametrize(
    "command",
    [
        rb"\! id",
        rb"\!id",
        b"SELECT 1 \\g |sh",
        rb"SELECT 1; \copy x FROM PROGRAM 'id'",
        rb"/* */ \i /etc/passwd",
        rb"\set x `id`",
    ],
)
@pytest.mark.parametrize("end", [b"\n", b""])
def test_commands_are_refused(command, end):
    line = SQL.count(b"\n") + 1
    with pytest.raises(Refused, match=f"Line {line} "):
        filtered([SQL, command + end])


def test_a_dump_that_is_interrupted_is_seen():
    assert not filtered([SQL[: SQL.index(b"-- PostgreSQL database dump complete")]])[1].complete


def test_lines_stay_where_they_were():
    passed, _work = filtered([SQL])
    # One more is ours to restrict psql.
    assert passed.count(b"\n") == SQL.count(b"\n")
    for line in (b"INSERT INTO z VALUES (2, 'x');", b"COPY empty FROM stdin;"):
        assert passed.splitlines().index(line) == SQL.splitlines().index(line)


OWN = rb"""SET transaction_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);
CREATE SCHEMA app;
ALTER SCHEMA app OWNER TO someone;
CREATE EXTENSION IF NOT EXISTS geo WITH SCHEMA app;
CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;
COMMENT ON EXTENSION geo IS 'x';
CREATE FUNCTION app.c(integer) RETURNS integer
    LANGUAGE c STRICT
    AS '$libdir/x', 'x';
CREATE FUNCTION app.f() RETURNS text LANGUAGE sql AS $$ SELECT 'GRANT x ON y TO z; LANGUAGE c ' $$;
CREATE CAST (text AS integer) WITH FUNCTION app.c(text);
CREATE TABLE app.t (a integer);
ALTER TABLE app.t OWNER TO "Some One";
COPY app.ref_sys (srid, def) FROM stdin;
1	x
\.
COPY app.t (a) FROM stdin;
1
\.
SELECT pg_catalog.setval('app.ref_seq', 5, true);
SELECT pg_catalog.setval('app.t_seq', 5, true);
REFRESH MATERIALIZED VIEW app.m;
GRANT SELECT ON TABLE app.t TO reader;
SET SESSION AUTHORIZATION someone;
CREATE PUBLICATION p FOR ALL TABLES;
ALTER TABLE app.t DISABLE TRIGGER ALL;
"""


def test_a_backup_of_ours():
    passed, work = filtered(
        [OWN],
        policy=dump_rules.OWN,
        untrusted=frozenset({"geo"}),
        extension_tables=lambda: frozenset({"app.ref_sys", "app.ref_seq"}),
        search_path=b"one, two",
    )
    assert without_blank_lines(passed) == without_blank_lines(
        rb"""SET search_path = one, two;
CREATE SCHEMA app;
CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;
CREATE FUNCTION app.f() RETURNS text LANGUAGE sql AS $$ SELECT 'GRANT x ON y TO z; LANGUAGE c ' $$;
CREATE TABLE app.t (a integer);
COPY app.ref_sys (srid, def) FROM stdin;
1	x
\.
COPY app.t (a) FROM stdin;
1
\.
SELECT pg_catalog.setval('app.ref_seq', 5, true);
SELECT pg_catalog.setval('app.t_seq', 5, true);
"""
    )
    kinds = [(one.kind, one.name) for one in work.asked]
    assert kinds == [
        ("extension", "geo"),
        ("statement", ""),
        ("statement", ""),
        ("let", "app.ref_sys"),
        ("let no more", "app.ref_sys"),
        ("let", "app.ref_seq"),
        ("let no more", "app.ref_seq"),
        ("statement", ""),
    ]
    collected = work.collected
    assert collected.owners == [("SCHEMA app", "someone"), ("TABLE app.t", '"Some One"')]
    assert [one.split()[1] for one in collected.later] == ["ON", "PUBLICATION"]
    assert collected.grants == ["GRANT SELECT ON TABLE app.t TO reader;"]
    assert collected.refreshes == ["REFRESH MATERIALIZED VIEW app.m;"]
    assert collected.left_out == {}


@pytest.mark.parametrize(
    "text, words",
    [
        (b"CREATE TABLE a (b int);\nCOPY a FROM stdin;\n1\n", "middle of a table's rows"),
        (b"BEGIN;\nCREATE TABLE a (b int);\n", "middle of a transaction"),
        (b"CREATE DATABASE one;\n\\connect one\nCREATE TABLE a (b int);\nCREATE DATABASE two;\n", "more than one"),
        (b"CREATE TABLE a (b int);\n\\c two\nCREATE TABLE b (b int);\n", "more than one"),
        (b"\\pset pager off\n", "pg_dump does not write it"),
    ],
)
def test_what_is_no_dump_of_one_database_is_refused(text, words):
    with pytest.raises(Refused, match=words):
        filtered([text])


@pytest.mark.parametrize(
    "text, passed, left_out",
    [
        (b"CREATE SCHEMA app AUTHORIZATION owner;", b"CREATE SCHEMA app;", {"owners": 1}),
        (b"CREATE SCHEMA public AUTHORIZATION pg_database_owner;", b"", {}),
        (b"\\encoding SQL_ASCII\n", b"", {}),
        (b"\\encoding LATIN1\n", b"SET client_encoding = 'LATIN1';", {}),
        (b"CREATE CAST (bigint AS boolean) WITH INOUT;", b"", {"casts": 1}),
        (b"DO $$ BEGIN CREATE ROLE x; END $$;", b"", {"roles and their settings": 1}),
        (b"SELECT pg_catalog.lo_unlink('1');", b"", {}),
        (b"SET session_replication_role = replica;", b"SET session_replication_role = replica;", {}),
        (
            b"CREATE FUNCTION f() RETURNS int LANGUAGE sql LEAKPROOF AS 'SELECT 1';",
            b"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';",
            {"what functions have of a superuser (LEAKPROOF, SUPPORT, parameters)": 1},
        ),
        (b"CREATE USER MAPPING FOR PUBLIC SERVER s;", b"CREATE USER MAPPING FOR PUBLIC SERVER s;", {}),
    ],
)
def test_of_a_dump_from_elsewhere(text, passed, left_out):
    found, work = filtered([text])
    assert (found.strip(), work.collected.left_out) == (passed, left_out)


def test_nothing_is_asked_in_a_transaction():
    text = b"BEGIN;\nINSERT INTO t VALUES (1);\nALTER TABLE t DISABLE TRIGGER ALL;\nCOMMIT;\n"
    assert filtered([text])[1].asked == []


def test_the_schema_of_an_extension_that_the_dump_does_not_make():
    """As Heroku writes dumps: the schema is theirs, and left out."""
    text = b"""CREATE SCHEMA own;
CREATE EXTENSION IF NOT EXISTS hstore WITH SCHEMA own;
CREATE EXTENSION IF NOT EXISTS geo WITH SCHEMA heroku_ext;
CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA heroku_ext;
CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA "Odd ""one";
CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA "Odd ""one";
CREATE EXTENSION IF NOT EXISTS ltree WITH SCHEMA public;
"""
    passed, work = filtered([text], untrusted=frozenset({"geo"}))
    made = text.replace(
        b'CREATE EXTENSION IF NOT EXISTS "uuid-ossp"',
        b'CREATE SCHEMA "Odd ""one"; CREATE EXTENSION IF NOT EXISTS "uuid-ossp"',
    )
    made = made.replace(b"CREATE EXTENSION IF NOT EXISTS geo WITH SCHEMA heroku_ext;\n", b"")
    assert without_blank_lines(passed) == without_blank_lines(made)
    assert [(one.name, one.schema) for one in work.asked] == [("geo", "heroku_ext")]


def test_rows_of_an_extensions_table_as_insert():
    """One leave for all that follow one another."""
    text = (
        b"INSERT INTO topo.layer VALUES (1);\nINSERT INTO topo.layer VALUES (2, 'a;');\n\nINSERT INTO t VALUES (1);\n"
        b"INSERT INTO topo.layer VALUES (3);\n"
    )
    work = dump_filter.Filter(dump_rules.FOREIGN, 15, extension_tables=lambda: frozenset({"topo.layer"}))
    parts = list(work.pieces(b"CREATE EXTENSION topo;\n")) + list(work.pieces(text)) + list(work.pieces(b"", last=True))
    shown = [one.kind if isinstance(one, dump_filter.Asked) else one.split()[-1] for one in parts]
    assert shown == [b"topo;", "let", b"(1);", b"'a;');", "let no more", b"(1);", "let", b"(3);", "let no more"]
    assert work.collected.left_out == {}


def test_one_text_after_another():
    """An archive comes in several: what one ends with is no part of the next."""
    work = dump_filter.Filter(dump_rules.OWN, 15)
    for _turn in range(2):
        parts = [b"".join(work.pieces(piece, last=not piece)) for piece in (b"SELECT 1;\n\n--\n-- end (\n--\n\n(", b"")]
        assert b"".join(parts).startswith(b"SELECT 1;\n\n--")
    assert list(work.pieces(b"SELECT 1;\nSELECT 2;\n", last=True)) == [b"SELECT 1;\n", b"SELECT 2;\n"]


def test_nothing_is_asked_within_a_statement():
    text = (
        b"CREATE EXTENSION topo;\nSELECT 1;\n"
        b"CREATE FUNCTION f() RETURNS void LANGUAGE sql BEGIN ATOMIC INSERT INTO topo.layer VALUES (1);\n"
        b"SELECT setval('topo.seq', 1, true);\nEND;\n"
        b"CREATE RULE r AS ON INSERT TO t DO ALSO (\nINSERT INTO topo.layer VALUES (1);\nINSERT INTO b VALUES (1););\n"
    )
    passed, work = filtered([text], extension_tables=lambda: frozenset({"topo.layer", "topo.seq"}))
    assert work.asked == [] and passed == text


def test_a_parameter_that_an_older_server_keeps_for_superusers():
    assert filtered([b"SET session_replication_role = replica;"], major=14)[1].collected.left_out == {
        "session_replication_role": 1
    }


def test_backslashes_where_they_escape():
    text = b"SET standard_conforming_strings = off;\nINSERT INTO t VALUES ('it\\'s; here');\nSELECT 1;\n"
    assert without_blank_lines(filtered([text])[0]) == text.splitlines()


def test_the_list_of_an_archive():
    listing = archive.Listing(
        ";\n; Archive created\n;\n"
        "6; 2615 2200 SCHEMA - public postgres\n"
        "2; 3079 16400 EXTENSION - pg_trgm \n"
        "210; 1259 16500 TABLE public t owner\n"
        "3000; 0 16500 TABLE DATA public t owner\n"
        "3001; 0 16501 TABLE DATA My schema a table postgres\n"
        "3002; 0 16502 TABLE DATA topology layer postgres\n"
        '3003; 0 16503 TABLE DATA my topo a "layer some one\n'
        "2800; 1259 16600 INDEX public i owner\n"
        "2801; 2606 16601 FK CONSTRAINT public t f owner\n"
        "3412; 0 0 ACL public TABLE t owner\n"
    )
    assert listing.extensions == {"pg_trgm"}
    theirs, others = listing.data(frozenset({"topology.layer", '"my topo"."a ""layer"'}))
    assert [line.split(";")[0] for line in theirs] == ["3002", "3003"]
    assert [line.split(";")[0] for line in others] == ["3000", "3001"]
    indexes, rest = listing.indexes()
    assert [line.split(";")[0] for line in indexes] == ["2800", "2801"]
    assert len(rest) == 8


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (b"pg_attver=22223144", b""),
        (
            b"n_distinct=-0.5, pg_attver='22223144'",
            b"ALTER TABLE ONLY public.t ALTER COLUMN a SET (n_distinct=-0.5);\n",
        ),
        (b"n_distinct=5", b"ALTER TABLE ONLY public.t ALTER COLUMN a SET (n_distinct=5);\n"),
    ],
)
def test_what_a_server_keeps_for_itself_is_no_option(given, kept):
    passed, _work = filtered([b"ALTER TABLE ONLY public.t ALTER COLUMN a SET (%s);\n" % given])
    assert passed.strip() == kept.strip()

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
    dump_texts,
)
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


def filtered(pieces, major=15, policy=dump_rules.FOREIGN, **options):
    """What is passed on, and the filter; what is asked of the superuser is kept in `asked`."""
    work = dump_filter.Filter(policy, major, **options)
    work.asked, passed = [], []
    for piece in [*pieces, None]:
        for part in work.pieces(piece or b"", last=piece is None):
            (work.asked if isinstance(part, dump_filter.Asked) else passed).append(part)
    return b"".join(passed), work


def without_blank_lines(text):
    return [line for line in text.splitlines() if line.strip()]


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


@pytest.mark.parametrize(
    "text",
    [
        b"ALTER TABLE public.t ADD COLUMN y int DEFAULT public.evil(), DISABLE TRIGGER ALL;",
        b"ALTER TABLE public.t --\\r\n DISABLE TRIGGER ALL;",
        b"CREATE FUNCTION f(\" language c \" int, b d[] DEFAULT '{1}') RETURNS int LANGUAGE sql AS 'SELECT 1';",
        b"CREATE FUNCTION f(b d[] DEFAULT '{1}') RETURNS int LANGUAGE c AS 'x', 'y';",
        b"CREATE FUNCTION f() RETURNS int LANGUAGE sql LEAKPROOF BEGIN ATOMIC SELECT 1;",
        b"CREATE AGGREGATE public.\" stype = internal \"(int) (SFUNC = sf, STYPE = d, INITCOND = '1');",
        b"CREATE AGGREGATE public.a(int) (SFUNC = sf, STYPE = internal, INITCOND = '1');",
        b"CREATE FOREIGN TABLE ft (a d[] DEFAULT '{1}') SERVER s OPTIONS (filename 'x');",
        b'CREATE TYPE "x ( input =" AS (a int);',
        b"CREATE PUBLICATION p FOR TABLE t WHERE (a = '{1}'::d[]);",
    ],
)
def test_what_would_evaluate_something_is_not_the_superusers(text):
    work = filtered([text], policy=dump_rules.OWN)[1]
    assert work.asked == [] and work.collected.later == []


@pytest.mark.parametrize(
    "text",
    [
        b"ALTER TABLE public.t ADD COLUMN y int DEFAULT public.evil(), OWNER TO pg_monitor;",
        b"ALTER FUNCTION public.f() OWNER TO pg_execute_server_program;",
    ],
)
def test_owners_of_a_foreign_dump_are_nobodys(text):
    work = filtered([text])[1]
    assert work.asked == [] and work.collected.owners == [] and work.collected.left_out == {"owners": 1}


@pytest.mark.parametrize(
    "text, asked",
    [
        (b"f(a text DEFAULT 'x'::text, b int[] DEFAULT '{1}'::integer[], c int DEFAULT (1 + 2))", True),
        (b"f(a timestamp DEFAULT '2020-01-01'::timestamp without time zone, b \"char\" DEFAULT 'a'::\"char\")", True),
        (b"f(a text DEFAULT public.g('x'::text, 'y'::character varying))", True),
        (b"f(a d[] DEFAULT '{1}')", False),
        (b"f(a d[] DEFAULT '{1}'::public.d[])", False),
        (b"f(a d[] DEFAULT '{1}'::public . d[])", False),
        (b"f(a d[] DEFAULT '{1}'::\"d\"[])", False),
        (b"f(a d[] DEFAULT public.d '{1}'::text)", False),
        (b"f(a int /*) */ DEFAULT g())", False),
        (b"f(a int --)\n DEFAULT g())", False),
        (b"f(\"'::text, '\" d[] DEFAULT '{1}'::public.d[])", False),
    ],
)
def test_defaults_of_a_function_in_c(text, asked):
    """The superuser makes it where its defaults are nothing that the owner's code would look at."""
    for rest in (
        b"LANGUAGE c STRICT\n    AS '$libdir/x', 'y';",
        b"LANGUAGE plpython3u\n    SET search_path TO 'a', 'b'\n    AS $$ '; $$;",
    ):
        written = b"CREATE FUNCTION public." + text + b" RETURNS int\n    " + rest + b"\n"
        work = filtered([written], policy=dump_rules.OWN)[1]
        assert [one.kind for one in work.asked] == ["statement"] * asked


def test_what_only_a_superuser_may_give_a_function():
    text = b"""CREATE FUNCTION public.f(a int DEFAULT 1, "b(" text DEFAULT 'LANGUAGE '::text) RETURNS int
    LANGUAGE sql LEAKPROOF COST 5 SUPPORT public.s PARALLEL SAFE
    SET search_path TO 'a', 'it''s'
    SET log_statement TO 'all'
    BEGIN ATOMIC
 SELECT 1;
END;


ALTER FUNCTION public.f(a integer, "b(" text) OWNER TO someone;
CREATE FUNCTION public.g() RETURNS int LANGUAGE sql SET work_mem TO '1' AS 'SELECT 1';
ALTER FUNCTION public.g() OWNER TO someone;
"""
    passed, work = filtered([text], policy=dump_rules.OWN, parameters=lambda: frozenset({"log_statement"}))
    assert work.asked == []
    assert b"LANGUAGE sql COST 5 PARALLEL SAFE\n    SET search_path TO 'a', 'it''s'\n\n    BEGIN ATOMIC" in passed
    assert b"LANGUAGE sql SET work_mem TO '1' AS" in passed
    assert work.collected.given == [
        (
            'FUNCTION public.f(a integer, "b(" text)',
            "LEAKPROOF SUPPORT public.s RESET ALL SET search_path TO 'a', 'it''s' SET log_statement TO 'all'",
        )
    ]


def test_user_mappings_of_a_superusers_server_wait():
    text = b"""ALTER SERVER ours OWNER TO someone;
ALTER SERVER "the Boss's" OWNER TO postgres;
CREATE USER MAPPING FOR a SERVER ours OPTIONS (password 'x');
CREATE USER MAPPING FOR a SERVER ours OPTIONS (password_required 'false');
CREATE USER MAPPING FOR a SERVER "the Boss's" OPTIONS (
    password 'x'
);
"""
    passed, work = filtered([text], policy=dump_rules.OWN, superusers=frozenset({"postgres"}))
    assert passed.strip() == b"CREATE USER MAPPING FOR a SERVER ours OPTIONS (password 'x');"
    assert [one.split("SERVER ")[1].split(" OPT")[0] for one in work.collected.mappings] == ["ours", '"the Boss\'s"']


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


SUPERUSERS = rb"""CREATE TYPE public.label;
CREATE FUNCTION public.label_in(cstring) RETURNS public.label
    LANGUAGE internal IMMUTABLE STRICT
    AS $$textin$$;
CREATE TYPE public.label (
    INTERNALLENGTH = variable,
    INPUT = public.label_in
);
COMMENT ON TYPE public.label IS 'a type';
CREATE FUNCTION public.f(a integer, b integer DEFAULT 1) RETURNS anyelement
    LANGUAGE internal WINDOW IMMUTABLE STRICT
    AS $$window_nth_value$$;
CREATE AGGREGATE public.ranked(VARIADIC "any" ORDER BY VARIADIC "any") (
    SFUNC = ordered_set_transition_multi,
    STYPE = internal
);
COMMENT ON FUNCTION public.f(a integer, b integer) IS 'left out, too';
"""


def test_what_only_a_superuser_makes_goes_with_what_speaks_of_it():
    passed, work = filtered([SUPERUSERS + b"COMMENT ON FUNCTION public.f(a text) IS 'another';\n"])
    assert without_blank_lines(passed) == [b"COMMENT ON FUNCTION public.f(a text) IS 'another';"]
    assert work.collected.left_out["comments of others"] == 2
    assert work.collected.names["public.label"] == "types of their own"
    passed, work = filtered([SUPERUSERS], policy=dump_rules.OWN)
    assert len(work.asked) == 5 and {asked.kind for asked in work.asked} == {dump_filter.STATEMENT}
    assert [line[:10] for line in without_blank_lines(passed)] == [b"COMMENT ON", b"COMMENT ON"]


# What is called is stored, not called; a constant is read by its type at once.
@pytest.mark.parametrize("default", [b"'x'::public.d", b"public.g('{1}'::public.d[])", b"1 + public.g('x'::\"d\")"])
def test_a_default_that_would_be_evaluated_is_not_for_the_superuser(default):
    text = b"CREATE FUNCTION public.f(a integer DEFAULT %s) RETURNS integer\n    LANGUAGE c\n    AS $$x$$;\n" % default
    _passed, work = filtered([text], policy=dump_rules.OWN)
    assert work.asked == []


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


def test_what_only_a_superuser_makes_is_known_with_every_name_quoted():
    text = rb"""CREATE TYPE "public"."label";
CREATE FUNCTION "public"."label_in"("cstring") RETURNS "public"."label"
    LANGUAGE "internal" IMMUTABLE STRICT
    AS $$textin$$;
CREATE AGGREGATE "public"."ranked"(VARIADIC "any" ORDER BY VARIADIC "any") (
    SFUNC = "ordered_set_transition_multi",
    STYPE = "internal"
);
CREATE FOREIGN TABLE "public"."f" ("a" integer) SERVER "files" OPTIONS (
    "filename" '/etc/passwd'
);
ALTER USER MAPPING FOR "a" SERVER "b" OPTIONS (SET "password_required" 'false');
"""
    passed, work = filtered([text])
    assert without_blank_lines(passed) == []
    assert work.collected.names["public.label"] == "types of their own" and len(work.collected.left_out) == 5


def test_roles_that_privileges_are_of():
    statements = [
        "GRANT SELECT ON TABLE public.t TO reader;",
        "GRANT ALL ON TABLE public.t TO PUBLIC;",
        'REVOKE ALL ON SCHEMA public FROM "Odd ""one";',
        'GRANT SELECT(a) ON TABLE public."x TO y" TO writer WITH GRANT OPTION;',
        "ALTER DEFAULT PRIVILEGES FOR ROLE app IN SCHEMA public GRANT SELECT ON TABLES TO reader;",
        "ALTER DEFAULT PRIVILEGES FOR ROLE app REVOKE ALL ON FUNCTIONS FROM PUBLIC;",
        "COMMENT ON EVENT TRIGGER t IS 'GRANT x TO somebody;';",
        "CREATE PUBLICATION p FOR ALL TABLES;",
    ]
    assert dump_rules.roles_of(statements) == ["reader", 'Odd "one', "writer", "app"]


@pytest.mark.parametrize("codec", sorted({"utf-8", *dump_texts.CODECS.values()}))
def test_no_byte_hides_what_follows_it(codec):
    """A decoder may take a quote for the second half of a character: what is quoted would be a statement then."""
    ends, high = b"'\";\\\n)$-", range(0x80, 0x100)
    for first in high:
        for before in (bytes([first]), *(bytes([first, second]) for second in high)):
            shown = dump_texts.text(b"x" + before + ends + b"x", codec)
            assert shown.endswith(ends.decode() + "x") and not any(c < "\x80" for c in shown[1 : -len(ends) - 1]), (
                before
            )


def test_what_a_superuser_runs_of_korean_is_what_stands_there():
    """The filler of EUC_KR begins characters of eight bytes."""
    filtered = dump_filter.Filter(dump_rules.OWN, 15)
    given = b"SET client_encoding = 'EUC_KR';\nCOMMENT ON PUBLICATION p IS 'x\xa4\xd4';\n"
    assert list(filtered.pieces(given + b"COMMENT ON PUBLICATION q IS ';ALTER ROLE a SUPERUSER; --';\n", last=True))
    assert filtered.collected.later == [
        "COMMENT ON PUBLICATION p IS 'x\u3164';",
        "COMMENT ON PUBLICATION q IS ';ALTER ROLE a SUPERUSER; --';",
    ]

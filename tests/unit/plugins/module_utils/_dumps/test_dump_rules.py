# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a dump is a superuser's: what needs one, and whose it is then."""

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._dumps import dump_filter, dump_rules
from ansible_collections.vellaric.postgres.tests.unit.dumps_filtered import filtered, without_blank_lines


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

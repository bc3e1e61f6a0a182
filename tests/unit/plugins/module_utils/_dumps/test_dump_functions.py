# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which functions of a dump the superuser makes, and what it gives to others."""

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._dumps import dump_rules
from ansible_collections.vellaric.postgres.tests.unit.dumps_filtered import filtered


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


# What is called is stored, not called; a constant is read by its type at once.
@pytest.mark.parametrize("default", [b"'x'::public.d", b"public.g('{1}'::public.d[])", b"1 + public.g('x'::\"d\")"])
def test_a_default_that_would_be_evaluated_is_not_for_the_superuser(default):
    text = b"CREATE FUNCTION public.f(a integer DEFAULT %s) RETURNS integer\n    LANGUAGE c\n    AS $$x$$;\n" % default
    _passed, work = filtered([text], policy=dump_rules.OWN)
    assert work.asked == []

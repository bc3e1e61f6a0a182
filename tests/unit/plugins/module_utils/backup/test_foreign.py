# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a dump from elsewhere is passed on: the same, however it is cut into pieces."""

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils.backup import foreign
from ansible_collections.vellaric.postgres.plugins.module_utils.errors import Refused
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


def filtered(pieces, major=15):
    work = foreign.Filter(major)
    return b"".join([work.feed(piece) for piece in pieces] + [work.feed(b"", last=True)]), work


def test_what_only_a_superuser_may_do_is_left_out():
    passed, work = filtered([SQL])
    assert passed.rstrip() == PASSED.rstrip()
    assert work.left_out == {"owners": 1, "grants": 1, "publications": 1}
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
    with pytest.raises(Refused, match="Line %d " % (SQL.count(b"\n") + 1)):
        filtered([SQL, command + end])


def test_a_dump_that_is_cut_short_is_seen():
    assert not filtered([SQL[: SQL.index(b"-- PostgreSQL database dump complete")]])[1].complete


def test_the_list_of_an_archive():
    listing = (
        ";\n; Archive created\n;\n"
        "6; 2615 2200 SCHEMA - public postgres\n"
        "3410; 0 0 COMMENT - SCHEMA public postgres\n"
        "2; 3079 16400 EXTENSION - pg_trgm \n"
        "3411; 0 0 COMMENT - EXTENSION pg_trgm \n"
        "210; 1259 16500 TABLE public t owner\n"
        "3412; 0 0 ACL public TABLE t owner\n"
        "3413; 6104 16600 PUBLICATION - p owner\n"
        "3414; 3466 16700 EVENT TRIGGER - e owner\n"
    )
    kept, left_out = foreign.fitting_entries(listing)
    assert [line.split(" ", 3)[3] for line in kept.splitlines() if line[0] != ";"] == [
        "EXTENSION - pg_trgm ",
        "TABLE public t owner",
    ]
    assert left_out == {"comments of others": 1, "grants": 1, "publications": 1, "event triggers": 1}

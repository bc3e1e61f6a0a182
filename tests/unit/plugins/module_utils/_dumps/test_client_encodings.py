# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encodings of clients, in which the second byte of a character may be a backslash: read as psql reads them."""

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import Refused
from ansible_collections.vellaric.postgres.plugins.module_utils._dumps import dump_rules, dump_texts
from ansible_collections.vellaric.postgres.tests.unit.dumps_filtered import filtered, without_blank_lines

# By what the server calls each, and a character of it whose last byte is a backslash, or a letter where none has that.
ENCODINGS = {
    "SJIS": b"\x83\x5c",
    "SHIFT_JIS_2004": b"\x95\x5c",
    "BIG5": b"\xa5\x5c",
    "GBK": b"\x81\x5c",
    "UHC": b"\x81\x41",
    "JOHAB": b"\x89\x5c",
    "GB18030": b"\x81\x5c",
}
ALIASES = ("Shift_JIS", "mskanji", "WIN932", "Windows-936", "win950", "UHC", "gb18030")
END = b"CREATE TABLE after_it (a text);\n"


def dump(name: str, *lines: bytes) -> bytes:
    return b"\n".join([b"SET client_encoding = '" + name.encode() + b"';", *lines, END])


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize("name", ENCODINGS)
def test_a_backslash_of_a_character_escapes_nothing(name, size):
    """pg_dump writes E'..' where there is a backslash, and doubles that alone."""
    word = ENCODINGS[name]
    comment = b"COMMENT ON TABLE t IS E'\\\\" + word + b"'';\n CREATE EXTENSION dblink; --" + word + b"';"
    given = dump(name, comment, b'REFRESH MATERIALIZED VIEW "' + word + b'";')
    pieces = [given[i : i + size] for i in range(0, len(given), size)]
    passed, work = filtered(pieces, untrusted=frozenset({"dblink"}))
    assert without_blank_lines(passed) == [line for line in given.splitlines() if not line.startswith(b"REFRESH")]
    assert work.asked == []
    (view,) = work.collected.refreshes
    shown = view[len('REFRESH MATERIALIZED VIEW "') : -len('";')]
    assert len(shown) == 1 and "\x7f" < shown != "\ufffd", view


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("quote", [b"'", b'"', b"\\"])
def test_what_begins_a_character_takes_what_ends_a_text_with_it(name, quote):
    """As psql, which passes on all of it to a server that refuses such a character: nothing is cut out of that."""
    lead = ENCODINGS[name][:1]
    text = b"SELECT 'x" + lead + quote + b"; CREATE EXTENSION dblink; --';"
    passed, work = filtered([dump(name, text)], untrusted=frozenset({"dblink"}))
    assert text in passed and work.asked == []


@pytest.mark.parametrize("name", ENCODINGS)
def test_no_line_ends_within_a_character(name):
    lead = ENCODINGS[name][:1]
    with pytest.raises(Refused, match="a command to psql"):
        filtered([dump(name, b"-- " + lead, b"\\! touch /tmp/x")])


@pytest.mark.parametrize("name", [*ENCODINGS, *ALIASES])
def test_no_text_of_a_superusers_is_read_so(name):
    with pytest.raises(Refused, match="postgres_db_import"):
        filtered([dump(name)], policy=dump_rules.OWN)


def test_no_byte_of_ascii_comes_of_a_character():
    for name in ENCODINGS:
        encoding = dump_texts.encoding(name.encode())
        for lead in range(0x80, 0x100):
            for second in (*range(0x20, 0x80), 0x81, 0xFE):
                pair = bytes((lead, second))
                shown = encoding.text(b"x" + pair + b"'30';")
                masked = encoding.masked(b"x" + pair + b"'30';")
                kept = masked.decode("latin-1").translate(dict.fromkeys(range(128, 256)))
                assert [c for c in shown if c < "\x80"] == list(kept), (name, pair, shown)


def test_a_long_text_is_read_in_time():
    rows = b"INSERT INTO t VALUES (E'" + b"\x83\x5c" * 200_000 + b"\\\\');\n"
    passed, _work = filtered([dump("SJIS", b"", rows)[i : i + 4096] for i in range(0, len(rows) + 100, 4096)])
    assert rows.strip() in passed

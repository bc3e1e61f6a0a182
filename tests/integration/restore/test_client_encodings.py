# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps in encodings of clients alone, in which the second byte of a character may be a backslash or, where it is no
character, a quote: what is planted in them is text, and all of it comes in as it was."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from harness import THOROUGH, Failed
from restoring import dumped, in_container, nothing_left, psql, run, take

# By what the server calls each: what Python does, and what begins characters of several bytes there.
ENCODINGS = {
    "SJIS": ("cp932", 0x83),
    "BIG5": ("cp950", 0xA5),
    "GBK": ("gbk", 0x81),
    "UHC": ("cp949", 0xB0),
    "JOHAB": ("johab", 0x89),
    "GB18030": ("gb18030", 0x81),
    "SHIFT_JIS_2004": ("shift_jis_2004", 0x83),
}
OPTIONS = [(), ("--inserts",), ("--column-inserts", "--quote-all-identifiers")]
PLANTED = "'; CREATE TABLE public.pwned (a int); \\! touch /tmp/pwned\n--"
LATER = ("SHIFT_JIS_2004",)


def characters(client, encoding, codec):
    """Characters that end with a byte of ASCII, those first that end with a backslash, and that the server knows so."""
    found = {}
    for lead in range(0x81, 0xFF):
        for second in (*range(0x5B, 0x60), *range(0x7B, 0x7F), 0x41, 0x61):
            try:
                text = bytes((lead, second)).decode(codec)
            except UnicodeDecodeError:
                continue
            if len(text) == 1 and text.encode(codec) == bytes((lead, second)) and not 0xE000 <= ord(text) < 0xF900:
                if second not in found and is_known(client, encoding, text, bytes((lead, second))):
                    found[second] = text
    return "".join(text for _second, text in sorted(found.items(), key=lambda item: item[0] != 0x5C))


def is_known(client, encoding, text, code):
    asked = "SELECT convert_to(%s, %s) = %s AND convert_from(%s, %s) = %s"
    try:
        return client.execute(asked, [text, encoding, code, code, encoding, text]).fetchone() == (True,)
    except psycopg.Error:
        return False


def fill(host, encoding, codec):
    """A database with such characters wherever a dump has text, and what would run where one ended that text."""
    with host.connect("a") as client:
        word = characters(client, encoding, codec)
    if not word and encoding == "JOHAB":
        pytest.skip("the server takes no character whose last byte is one of ASCII")
    assert word
    each = [f"{before}{one}{PLANTED}" for one in word for before in ("", "\\", "\\\\")]
    values = ", ".join("($v$" + text + "$v$)" for text in each)
    name = word[:3].replace('"', '""')
    planted = f"$v$\\{word}{PLANTED}$v$"
    script = f"""CREATE TABLE words."{name}" (a text DEFAULT {planted} CHECK (a <> {planted}));
      INSERT INTO words."{name}" VALUES {values};
      COMMENT ON TABLE words."{name}" IS {planted};
      CREATE VIEW words."v{name}" AS SELECT a FROM words."{name}" WHERE a <> $v$\\{word}$v$;
      CREATE MATERIALIZED VIEW words."m{name}" AS SELECT a FROM words."{name}";
      CREATE FUNCTION words."f{name}"() RETURNS text LANGUAGE sql AS $f$SELECT {planted}::text$f$;
      CREATE FUNCTION words."g{name}"() RETURNS text LANGUAGE sql RETURN {planted}"""
    host.query("a", f"DROP SCHEMA IF EXISTS words CASCADE; CREATE SCHEMA words; {script}")


@pytest.fixture(scope="module")
def pair(shared):
    shared.run("a")
    shared.run("b")
    return shared


def imported(host, content):
    path = Path(host.root, "dump.sql")
    path.write_bytes(content)
    return run(host, "b", module="postgres_db_import", path=str(path), replace=True, backup_first=False, keep_old=0)


def nothing_ran(host):
    assert in_container(host.container("b"), "sh", "-c", "ls /tmp/pwned 2>/dev/null || :") == b""
    assert psql(host.container("b"), host.name("b"), "SELECT to_regclass('public.pwned')") == ""


@pytest.mark.skipif(not THOROUGH, reason="what it rests on has tests of its own: VELLARIC_TEST_THOROUGH=1")
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_all_comes_in_as_it_was_and_is_text(pair, encoding):
    if (
        encoding in LATER
        and psql(pair.container("a"), "postgres", "SELECT pg_char_to_encoding('SHIFT_JIS_2004')") == "-1"
    ):
        pytest.skip("no such encoding")
    fill(pair, encoding, ENCODINGS[encoding][0])
    for options in OPTIONS:
        text = in_container(pair.container("a"), "pg_dump", "-E", encoding, *options, "-d", pair.name("a"))
        assert f"SET client_encoding = '{encoding}'".encode() in text
        imported(pair, text)
        left, came = (dumped(pair, short, "--no-owner", "--no-acl").replace(pair.name(short), "") for short in "ab")
        assert came == left, options
        nothing_ran(pair)


@pytest.mark.skipif(not THOROUGH, reason="what it rests on has tests of its own: VELLARIC_TEST_THOROUGH=1")
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_is_no_character_hides_nothing(pair, encoding):
    """A byte that begins a character, before what ends a text: a quote, a backslash, the end of a line or of rows."""
    lead = bytes((ENCODINGS[encoding][1],))
    head = b"-- PostgreSQL database dump\nSET standard_conforming_strings = on;\nCREATE TABLE t (a text);\n"
    head += f"SET client_encoding = '{encoding}';\n".encode()
    runs = b"\\! touch /tmp/pwned\n"
    tried = [
        b"COMMENT ON TABLE t IS 'x" + lead + b"'; " + runs + b"--';\n",
        b"COMMENT ON TABLE t IS E'x" + lead + b"\\'; " + runs + b"--';\n",
        b"COMMENT ON TABLE t IS $x$" + lead + b"$x$;\n" + runs + b"--$x$;\n",
        b'COMMENT ON TABLE "t' + lead + b'" IS NULL;\n' + runs + b'--" IS NULL;\n',
        b"-- " + lead + b"\n" + runs,
        b"/* " + lead + b"*/ " + runs + b"*/\n",
        b"COPY t FROM stdin;\nx" + lead + b"\n\\.\n" + runs,
        b"COPY t FROM stdin;\n" + lead + b"\\.\n\\.\n" + runs,
        b"INSERT INTO t VALUES ('" + lead + b"');\n" + runs,
        b"ALTER TABLE t" + lead + b"; DISABLE TRIGGER ALL;\n" + runs,
    ]
    for attempt in tried:
        with pytest.raises(Failed) as failure:
            imported(pair, head + attempt + b"\n-- PostgreSQL database dump complete\n")
        assert "Traceback" not in failure.value.message, attempt
    nothing_ran(pair)
    nothing_left(pair, "b")


@pytest.mark.skipif(not THOROUGH, reason="what it rests on has tests of its own: VELLARIC_TEST_THOROUGH=1")
def test_settings_of_roles_in_bytes_of_no_encoding_run_nothing(pair):
    """What belongs to all databases is written in the encoding of each: pg_dumpall writes the bytes as they are."""
    container = pair.container("a")
    make = "CREATE DATABASE bytes ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
    psql(container, "postgres", make)
    leads, ends = (b"\xe3\x81", b"\xf0\x9f", b"\x83", b"\xff"), (b"''", b"\\\\", b'""')
    script = b"SET client_encoding = 'SQL_ASCII';\n"
    for number, (lead, end) in enumerate((lead, end) for lead in leads for end in ends):
        value = b'"x' + lead + end + b'; CREATE ROLE pwned SUPERUSER; --\n\\\\! touch /tmp/pwned\n"'
        script += b"CREATE ROLE r%d; ALTER ROLE r%d SET search_path TO E'%s';\n" % (number, number, value)
    in_container(container, "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", "bytes", text=script)
    take(pair, "a")
    source = {"source_name": pair.name("a"), "source_environment": pair.environment}
    run(pair, "b", allow_other_database=True, backup_first=False, keep_old=0, **source)
    target = pair.container("b")
    assert psql(target, "postgres", "SELECT string_agg(rolname, '') FROM pg_roles WHERE rolsuper") == "postgres"
    assert psql(target, "postgres", "SELECT count(*) FROM pg_roles WHERE rolname ~ '^(r[0-9]+|pwned)$'") == "12"
    assert in_container(target, "sh", "-c", "ls /tmp/pwned 2>/dev/null || :") == b""

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dump from elsewhere, made to fit a database of ours: what of it is left out, and what stops it. Pure.

Everything becomes the application's, so owners and grants are left out, and so is what only a superuser may make.
That a dump cannot do harm does not rest on this, but on who runs it: a role without privileges, by a psql that is told
to refuse its own commands (\\restrict), as a user of the operating system who owns nothing.
"""

from __future__ import annotations

import re

from ..errors import Refused
from ..server import statements

END_MARK = b"-- PostgreSQL database dump complete"

_COPY = re.compile(rb"COPY\s.*\sFROM\s+stdin\b", re.I | re.S)
_META = re.compile(rb"\\(\S*)[^\n]*\n?")

# Rows as pg_dump --inserts writes them, any number at once. One that has more in it, such as a backslash, is looked at
# like everything else.
_ROWS = re.compile(
    rb"""(?:INSERT\ INTO\ [^'"$\-/\\;]*(?:(?:-(?!-)|/(?!\*)|'[^'\\]*'|"[^"]*")[^'"$\-/\\;]*)*;\n)+""", re.X
)

# By the beginning of the statement: the words with which a report speaks of it.
_LEFT_OUT = (
    (rb"ALTER\s.*\sOWNER\s+TO\s+(\"(?:[^\"]|\"\")+\"|[\w$\x80-\xff]+)\s*;\s*$", "owners"),
    (rb"(GRANT|REVOKE|ALTER\s+DEFAULT\s+PRIVILEGES)\s", "grants"),
    (rb"SET\s+(SESSION\s+AUTHORIZATION|(SESSION\s+)?ROLE)\s", "owners"),
    (rb"COMMENT\s+ON\s+(EXTENSION|DATABASE|LANGUAGE|EVENT\s+TRIGGER|PUBLICATION|SUBSCRIPTION)\s", "comments of others"),
    (rb"(CREATE|ALTER)\s+EVENT\s+TRIGGER\s", "event triggers"),
    (rb"(CREATE|ALTER)\s+PUBLICATION\s", "publications"),
    (rb"(CREATE|ALTER)\s+SUBSCRIPTION\s", "subscriptions"),
    (rb"SECURITY\s+LABEL\s", "security labels"),
    (rb"(CREATE|ALTER|DROP)\s+(ROLE|USER|GROUP)\s(?!MAPPING)", "roles and their settings"),
    (rb"(CREATE|ALTER|DROP)\s+DATABASE\s", "the database itself and its settings"),
    (rb"CREATE\s+SCHEMA\s+(IF\s+NOT\s+EXISTS\s+)?\"?public\"?\s*;", None),
    (rb"CREATE\s+(OR\s+REPLACE\s+)?(TRUSTED\s+)?(PROCEDURAL\s+)?LANGUAGE\s+'?\"?plpgsql", None),
    (rb"SET\s+default_with_oids\s*=\s*false", None),
    (rb"SET\s+default_tablespace\s*=", None),
)
_LEFT_OUT = tuple((re.compile(pattern, re.I | re.S), words) for pattern, words in _LEFT_OUT)
# pg_dump --clean writes them before everything else; there is nothing yet to remove.
_CLEANING = re.compile(
    rb"DROP\s|ALTER\s+(TABLE|DOMAIN)\s.*\sDROP\s+(CONSTRAINT|DEFAULT|IDENTITY)|CREATE\s+OR\s+REPLACE\s+VIEW",
    re.I | re.S,
)
_CREATION = re.compile(rb"CREATE\s+(?!OR\s+REPLACE\s+VIEW)", re.I)
# Parameters that pg_dump sets, and the major version that first knows each.
_SINCE = ((re.compile(rb"SET\s+transaction_timeout\s", re.I), 17),)

# The same in the list of an archive's contents: https://www.postgresql.org/docs/current/app-pgrestore.html
_ENTRY = re.compile(r"^[0-9]+; [0-9]+ [0-9]+ (.*)$")
_ENTRIES_LEFT_OUT = (
    (r"EVENT TRIGGER |COMMENT - EVENT TRIGGER ", "event triggers"),
    (r"PUBLICATION |PUBLICATION TABLE|PUBLICATION TABLES", "publications"),
    (r"SUBSCRIPTION |SUBSCRIPTION TABLE ", "subscriptions"),
    (r"COMMENT - (EXTENSION|DATABASE|LANGUAGE|PUBLICATION|SUBSCRIPTION) ", "comments of others"),
    (r"COMMENT - SCHEMA public |SCHEMA - public ", None),
    (r"(PROCEDURAL )?LANGUAGE - plpgsql ", None),
    (r"(ACL|DEFAULT ACL) ", "grants"),
    (r"SECURITY LABEL ", "security labels"),
    (r"DATABASE ", "the database itself and its settings"),
)
_ENTRIES_LEFT_OUT = tuple((re.compile(pattern), words) for pattern, words in _ENTRIES_LEFT_OUT)


def fitting_entries(listing):
    """Return the list of an archive's contents without what is left out, and how often that was, by its words."""
    kept, left_out = [], {}
    for line in listing.splitlines():
        match = _ENTRY.match(line)
        entry = match.group(1) if match else ""
        words = [words for pattern, words in _ENTRIES_LEFT_OUT if pattern.match(entry)]
        if words:
            _count(left_out, words[0])
        else:
            kept.append(line)
    return "\n".join(kept) + "\n", left_out


def extensions_of(listing):
    """Return the names of the extensions in the list of an archive's contents."""
    return sorted(re.findall(r"^[0-9]+; [0-9]+ [0-9]+ EXTENSION - (\S+)", listing, re.M))


def _count(counts, words):
    if words is not None:
        counts[words] = counts.get(words, 0) + 1


class Filter:
    """Passes SQL through, statement by statement, in pieces of any size. major: of the server that is to run it.

    left_out: how often something was, by its words; complete: pg_dump's own last words have come by.
    """

    def __init__(self, major):
        self._major = major
        self._buffer = bytearray()
        self._position = 0
        self._line = 1
        self._copying = False
        self._creating = False
        self.left_out = {}
        self.complete = False

    def feed(self, data, last=False):
        """Take a piece and return what can be passed on by now. Raises Refused for a command of psql."""
        self._buffer += data
        passed = []
        while self._buffer:
            piece = self._copied(last) if self._copying else self._statement(last)
            if piece is None:
                break
            passed.append(piece)
        return b"".join(passed)

    def _take(self, end):
        piece = bytes(self._buffer[:end])
        del self._buffer[:end]
        self._line += piece.count(b"\n")
        self._position = 0
        return piece

    def _copied(self, last):
        end = self._end_of_copy()
        if end is not None:
            self._copying = False
            return self._take(end)
        if last:
            return self._take(len(self._buffer))
        # All but the last line, which the end may yet become.
        whole = self._buffer.rfind(b"\n") + 1
        return self._take(whole) if whole else None

    def _end_of_copy(self):
        buffer, position = self._buffer, self._buffer.find(b"\\.")
        while position >= 0:
            newline = buffer.find(b"\n", position)
            starts_line = position == 0 or buffer[position - 1 : position] == b"\n"
            if newline >= 0 and starts_line and buffer[position + 2 : newline] in (b"", b"\r"):
                return newline + 1
            position = buffer.find(b"\\.", position + 2)
        return None

    def _statement(self, last):
        rows = _ROWS.match(self._buffer) if self._position == 0 else None
        if rows:
            return self._take(rows.end())
        end, self._position = statements.end(self._buffer, self._position, last)
        if end is None:
            if not last:
                return None
            end = len(self._buffer)
        statement = self._take(end)
        if END_MARK in statement:
            self.complete = True
        start = statements.beginning(statement)
        if statement.startswith(b"\\", start):
            return self._meta(statement, start)
        return self._fitting(statement, start)

    def _fitting(self, statement, start):
        if statement[start : start + 1] in b"Ii":
            # Rows, by far the most of all statements, and never left out.
            return statement
        for pattern, words in _LEFT_OUT:
            if pattern.match(statement, start):
                _count(self.left_out, words)
                return b""
        if any(pattern.match(statement, start) and self._major < since for pattern, since in _SINCE):
            return b""
        if not self._creating:
            if _CLEANING.match(statement, start):
                return b""
            self._creating = bool(_CREATION.match(statement, start))
        self._copying = bool(_COPY.match(statement, start))
        return statement

    def _meta(self, statement, start):
        match = _META.match(statement, start)
        if match.group(1) in (b"restrict", b"unrestrict"):
            return b""
        if match.group(1) == b"connect":
            _count(self.left_out, "the database itself and its settings")
            return b""
        line = self._line - statement.count(b"\n", start)
        shown = match.group().decode("utf-8", "replace").strip()[:60]
        raise Refused(
            f"Line {line} of the dump has {shown!r}, a command to psql, which a dump of pg_dump does not have: it could"
            " run programs. Nothing was imported. Look at who made this dump, or take another with pg_dump"
        )

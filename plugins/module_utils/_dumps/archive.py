# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of an archive's contents, and which of its entries are loaded how. Pure.

https://www.postgresql.org/docs/current/app-pgrestore.html
"""

from __future__ import annotations

import re

from .._server import loader, statements

_ENTRY = re.compile(r"^[0-9]+; [0-9]+ [0-9]+ (.*)$")
# Large objects are made in the first section, and filled in the second.
_CONTENT = ("TABLE DATA", "SEQUENCE SET", "BLOBS")
_INDEXES = re.compile(r"(INDEX|INDEX ATTACH|CONSTRAINT|FK CONSTRAINT|CHECK CONSTRAINT|STATISTICS) (?!ON )")


_NAME = r'(?:"(?:[^"]|"")*"|[^".]+)'


def _plain(table: str) -> str:
    """Return a quoted and qualified name as a list has it: schema and name, without quotes, on one line."""
    parts = [part[1:-1].replace('""', '"') if part.startswith('"') else part for part in re.findall(_NAME, table)]
    # sanitize_line() in src/bin/pg_dump/dumputils.c
    return re.sub(r"[\r\n]", " ", " ".join(parts))


def _described(line: str) -> str:
    """Return what a line of the list says of its entry, behind its numbers."""
    match = _ENTRY.match(line)
    return match.group(1) if match else ""


class Listing:
    """What `pg_restore -l` prints."""

    def __init__(self, text: str) -> None:
        self._lines = [line for line in text.splitlines() if _ENTRY.match(line)]

    @property
    def extensions(self) -> frozenset[str]:
        found = (re.match(r"^[0-9]+; [0-9]+ [0-9]+ EXTENSION - (\S+)", line) for line in self._lines)
        return frozenset(match.group(1) for match in found if match)

    def data(self, tables: frozenset[str]) -> tuple[list[str], list[str]]:
        """Return the entries with rows and large objects: those that may be of extensions' tables, and the others.

        tables: quoted and qualified. What has blanks in its name may be taken for another: among the first, nothing is
        lost by that.
        """
        theirs: list[str] = []
        others: list[str] = []
        known = tuple(f"{_plain(table)} " for table in tables)
        for line in self._lines:
            entry = _described(line)
            kind = next((kind for kind in _CONTENT if entry.startswith(kind + " ")), None)
            if kind is None:
                continue
            # Behind it comes who owns it.
            (theirs if entry[len(kind) + 1 :].startswith(known) else others).append(line)
        return theirs, others

    def without(self, *known: list[str]) -> list[str]:
        """Return all entries but those."""
        chosen = {line for lines in known for line in lines}
        return [line for line in self._lines if line not in chosen]

    def indexes(self) -> tuple[list[str], list[str]]:
        """Return the entries of indexes and constraints, which several processes may make, and all others."""
        found = [line for line in self._lines if _INDEXES.match(_described(line))]
        chosen = set(found)
        return found, [line for line in self._lines if line not in chosen]


def queries(script: bytes) -> frozenset[str]:
    """Return the checksums of what pg_restore sends of the entries that it has written as a script.

    It sends each entry as one query. In the script a comment stands before each, and in between what it sets itself, so
    that all statements without a comment between them are taken together in each way.
    """
    buffer = bytearray(script)
    found: set[str] = set()
    group: list[bytes] = []
    while buffer:
        end = statements.Scanner().end(buffer) or len(buffer)
        statement = bytes(buffer[:end])
        del buffer[:end]
        start = statements.beginning(statement)
        if statement[:start].strip():
            group = []
        if not statement[start:].strip():
            continue
        group = [*(one + statement[:start] + statement[start:] for one in group), statement[start:]]
        found.update(loader.checksum(one) for one in group)
    return frozenset(found)

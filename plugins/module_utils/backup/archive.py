# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of an archive's contents, and which of its entries are loaded how. Pure.

https://www.postgresql.org/docs/current/app-pgrestore.html
"""

from __future__ import annotations

import re

_ENTRY = re.compile(r"^[0-9]+; [0-9]+ [0-9]+ (.*)$")
# Large objects are made in the first section, and filled in the second.
_CONTENT = ("TABLE DATA", "SEQUENCE SET", "BLOBS")
_INDEXES = re.compile(r"(INDEX|INDEX ATTACH|CONSTRAINT|FK CONSTRAINT|CHECK CONSTRAINT|STATISTICS) (?!ON )")


def _quoted(name: str) -> str:
    """Quote a name as quote_ident() does, but for keywords."""
    return name if re.fullmatch(r"[a-z_][a-z0-9_$]*", name) else '"' + name.replace('"', '""') + '"'


class Listing:
    """What `pg_restore -l` prints."""

    def __init__(self, text: str) -> None:
        self._lines = [line for line in text.splitlines() if _ENTRY.match(line)]

    @property
    def extensions(self) -> frozenset[str]:
        found = (re.match(r"^[0-9]+; [0-9]+ [0-9]+ EXTENSION - (\S+)", line) for line in self._lines)
        return frozenset(match.group(1) for match in found if match)

    def data(self, tables: frozenset[str]) -> tuple[list[str], list[str]]:
        """Return the entries with rows and large objects: those of extensions' tables, and the others."""
        theirs, others = [], []
        for line in self._lines:
            entry = _ENTRY.match(line).group(1)
            kind = next((kind for kind in _CONTENT if entry.startswith(kind + " ")), None)
            if kind is None:
                continue
            name = self._table(entry[len(kind) + 1 :])
            (theirs if name in tables else others).append(line)
        return theirs, others

    @staticmethod
    def _table(rest: str) -> str:
        """Return the qualified name of what an entry is of: schema, name and owner, without any quotes."""
        schema, _space, name = rest.partition(" ")
        return f"{_quoted(schema)}.{_quoted(name.rpartition(' ')[0])}"

    def without(self, *known: list[str]) -> list[str]:
        """Return all entries but those."""
        chosen = {line for lines in known for line in lines}
        return [line for line in self._lines if line not in chosen]

    def indexes(self) -> tuple[list[str], list[str]]:
        """Return the entries of indexes and constraints, which several processes may make, and all others."""
        found = [line for line in self._lines if _INDEXES.match(_ENTRY.match(line).group(1))]
        chosen = set(found)
        return found, [line for line in self._lines if line not in chosen]

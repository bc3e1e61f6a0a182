# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which columns masking SQL is to change, and whether they still hold values of the source. Pure text.

Triggers and functions of the database's owner run while it is masked, and may put back what was there. The check after
it cannot be reached by them: the values are copied out as they are, and compared in another database.
"""

from __future__ import annotations

import dataclasses
import json
import re

from .._server import statements
from .._server.loader import ALONE
from .._server.sql import literal

_NAME = r'(?:"(?:[^"]|"")+"|[A-Za-z_\x80-\U0010ffff][\w$]*)'
_UPDATE = re.compile(
    rf"UPDATE\s+(?:ONLY\s+)?(?P<table>{_NAME}(?:\s*\.\s*{_NAME})?)(?:\s*\*)?(?:\s+(?:AS\s+)?(?!SET\b){_NAME})?\s+SET\s",
    re.I,
)
_TARGET = re.compile(rf"\s*(?:\((?P<several>[^()]*)\)|(?P<one>{_NAME})(?:\s*\[[^]]*\]|\s*\.\s*{_NAME})*)\s*=", re.I)
_END = re.compile(r"(WHERE|FROM|RETURNING)\b", re.I)
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")


def columns(texts: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return the columns that UPDATE statements set, as (table, column) in the text's own spelling."""
    found: dict[tuple[str, str], None] = {}
    for text in texts:
        for statement in statements.split(text):
            match = _UPDATE.search(statement)
            if match:
                for column in _set_columns(statement[match.end() :]):
                    found[re.sub(r"\s*\.\s*", ".", match["table"]), column] = None
    return list(found)


def _set_columns(text: str) -> list[str]:
    """Return the columns in the list after SET: what stands before = at the beginning of each item."""
    found: list[str] = []
    position: int | None = 0
    while position is not None:
        match = _TARGET.match(text, position)
        if match is None:
            break
        found += [one.strip() for one in match["several"].split(",")] if match["several"] else [match["one"]]
        position = _next_item(text, match.end())
    return found


def _next_item(text: str, position: int) -> int | None:
    """Return where the next item begins, behind a comma outside of parentheses; None where there is none."""
    depth = 0
    while position < len(text):
        quoted = _QUOTED.match(text, position)
        if quoted:
            position = quoted.end()
            continue
        character = text[position]
        depth += (character in "([") - (character in ")]")
        if depth == 0 and character == ",":
            return position + 1
        if depth == 0 and _END.match(text, position) and not text[position - 1].isalnum():
            return None
        position += 1
    return None


@dataclasses.dataclass(frozen=True)
class Part:
    """A relation that holds values of a masked column: the table itself, a partition or a child of it.

    name and column: quoted, and qualified. why: why its values cannot be read without evaluating something; None where
    they can.
    """

    name: str
    column: str
    why: str | None


_WHY = {"v": "it is a view", "m": "it is a materialized view", "f": "it is a foreign table"}


def parts(wanted: list[tuple[str, str]]) -> str:
    """Return the question for the parts of each column, a line of JSON each, for `read_parts`."""
    return ALONE + "".join(_parts(table, column) for table, column in wanted)


def _parts(table: str, column: str) -> str:
    # As it is for the masking SQL: what is not qualified is in public.
    qualified = table if len(re.findall(_NAME, table)) > 1 else f"public.{table}"
    name = column[1:-1].replace('""', '"') if column.startswith('"') else _lower(column)
    return f"""WITH RECURSIVE tree (relation) AS (SELECT pg_catalog.to_regclass({literal(qualified)})::pg_catalog.oid
  UNION SELECT inhrelid FROM tree JOIN pg_catalog.pg_inherits ON inhparent = relation)
SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(pg_catalog.format('%I.%I', nspname, relname),
    pg_catalog.quote_ident(attname), relkind, attgenerated <> '') ORDER BY c.oid), '[]')::text
  FROM tree JOIN pg_catalog.pg_class AS c ON c.oid = relation
  JOIN pg_catalog.pg_namespace AS n ON n.oid = relnamespace
  JOIN pg_catalog.pg_attribute ON attrelid = c.oid AND attname = {literal(name)} AND attnum > 0 AND NOT attisdropped;
"""


def _lower(name: str) -> str:
    return "".join(letter.lower() if letter.isascii() else letter for letter in name)


def read_parts(line: str) -> list[Part]:
    """Read an answer to `parts`. Of a partitioned table, its partitions have the rows."""
    return [
        Part(name, column, "the server computes it" if generated else _WHY.get(kind))
        for name, column, kind, generated in json.loads(line)
        if kind != "p"
    ]


def copy_out(files: dict[str, Part]) -> str:
    """Return what writes the values of each part to a file of the server's, as they are; one that fails is left out.

    COPY of a relation evaluates nothing but the types' own functions; a query would be planned, which evaluates what is
    the owner's in indexes.
    """
    lines = [f"{ALONE}\\set ON_ERROR_STOP off"]
    lines += [
        f"COPY {part.name} ({part.column}) TO {literal(path)} (NULL '', FORMAT csv, FORCE_QUOTE *);"
        for path, part in files.items()
        if part.why is None
    ]
    return "\n".join([*lines, "\\set ON_ERROR_STOP on", ""])


def compare(before: list[str], after: list[str]) -> str:
    """Return what counts the rows whose value was there before, in a database that is not the owner's: two lists of
    files."""
    copies = [
        f"COPY pg_temp.{when} FROM {literal(path)} (NULL '', FORMAT csv);"
        for when, paths in (("before", before), ("after", after))
        for path in paths
    ]
    return "\n".join(
        [
            "BEGIN;",
            "CREATE TEMPORARY TABLE before (value text) ON COMMIT DROP;",
            "CREATE TEMPORARY TABLE after (value text) ON COMMIT DROP;",
            *copies,
            "SELECT count(*)::text FROM pg_temp.after"
            " WHERE value <> '' AND value IN (SELECT value FROM pg_temp.before);",
            "COMMIT;",
            "",
        ]
    )

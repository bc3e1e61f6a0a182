# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which columns masking SQL is to change, and whether they still hold values of the source. Pure text.

Triggers and functions of the database's owner run while it is masked, and may put back what was there. The check after
it cannot be reached by them: the values are copied out as they are, and compared in another database.
"""

from __future__ import annotations

import re

from ..server import statements
from ..server.sql import literal

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
    found, position = [], 0
    while True:
        match = _TARGET.match(text, position)
        if match is None:
            return found
        found += [one.strip() for one in match["several"].split(",")] if match["several"] else [match["one"]]
        position = _next_item(text, match.end())
        if position is None:
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


def copy_out(wanted: list[tuple[str, str]], directory: str, when: str, search_path: str) -> str:
    """Return what writes the values of each column to a file of the server's, as they are; one that fails is left out.

    COPY evaluates nothing but the types' own functions.
    """
    lines = [f"SET search_path = {search_path};", "\\set ON_ERROR_STOP off"]
    lines += [
        f"COPY {table} ({column}) TO {literal(f'{directory}/{number}.{when}')} (NULL '', FORMAT csv, FORCE_QUOTE *);"
        for number, (table, column) in enumerate(wanted)
    ]
    return "\n".join([*lines, "\\set ON_ERROR_STOP on", ""])


def compare(number: int, directory: str) -> str:
    """Return what counts the rows whose value was there before, in a database that is not the owner's."""
    before, after = (literal(f"{directory}/{number}.{when}") for when in ("before", "after"))
    form = "(NULL '', FORMAT csv)"
    return f"""BEGIN;
CREATE TEMPORARY TABLE before (value text) ON COMMIT DROP; CREATE TEMPORARY TABLE after (value text) ON COMMIT DROP;
COPY pg_temp.before FROM {before} {form}; COPY pg_temp.after FROM {after} {form};
SELECT count(*)::text FROM pg_temp.after WHERE value <> '' AND value IN (SELECT value FROM pg_temp.before);
COMMIT;
"""

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a function in a dump only a superuser may give it. Pure.

A function in an untrusted language is a superuser's to make: it is made without a look at its body, and evaluates
nothing where its defaults are constants of the server's own types. Of others, what only a superuser may give
(LEAKPROOF, SUPPORT, parameters of the server's) is taken out, and given once all is loaded: it changes no result.
"""

from __future__ import annotations

import dataclasses
import re

_NAME = rb"(?:\"(?:[^\"]|\"\")+\"|[\w$\x80-\xff]+)"
_QUALIFIED = rb"(?:" + _NAME + rb"\.)?" + _NAME
_STRING = rb"'(?:[^']|'')*'"
_ESCAPED = rb"[eE]'(?:[^'\\]|\\.|'')*'"
_CREATE = re.compile(
    rb"CREATE\s+(?:OR\s+REPLACE\s+)?(?P<kind>FUNCTION|PROCEDURE)\s+(?P<name>" + _QUALIFIED + rb")\s*(?=\()", re.I
)
# Outside of parentheses and quotes, LANGUAGE begins the clauses.
_TOKEN = re.compile(
    _ESCAPED + rb"|" + _STRING + rb"|\"(?:[^\"]|\"\")*\"|--|/\*|[()]|\\|\$|;|(?<![\w$\x80-\xff])LANGUAGE(?=\s)|.",
    re.I | re.S,
)
_CLAUSE = re.compile(
    rb"\s+(?:LANGUAGE\s+(?P<language>"
    + _NAME
    + rb"|'\w+')|TRANSFORM\s+FOR\s+TYPE\s+[\w\s.\",]+?(?=\s+(?:WINDOW|IMMUTABLE|STABLE|STRICT|SECURITY|LEAKPROOF"
    rb"|COST|ROWS|SUPPORT|PARALLEL|SET|AS|BEGIN|RETURN)\b)|WINDOW|IMMUTABLE|STABLE|VOLATILE|STRICT|SECURITY\s+DEFINER"
    rb"|(?P<leakproof>LEAKPROOF)|COST\s+[\d.e+]+|ROWS\s+[\d.e+]+|(?P<support>SUPPORT\s+"
    + _QUALIFIED
    + rb")|PARALLEL\s+\w+|(?P<set>SET\s+(?P<parameter>[\w.\"]+)\s+(?:TO|=)\s+"
    + _STRING
    + rb"(?:\s*,\s*"
    + _STRING
    + rb")*))(?=\s)",
    re.I,
)
_UNTRUSTED = re.compile(rb"['\"]?(?:c|internal|plsh|\w+u)['\"]?", re.I)
_LIBRARY = re.compile(rb"\s+AS\s+(?:" + _STRING + rb"(?:\s*,\s*" + _STRING + rb")?|(\$\w*\$).*\1)\s*;\s*$", re.I | re.S)
# Where the server writes a constant, and its type: without a schema, so that it is the catalog's.
_BEFORE_CONSTANT = re.compile(rb"(?:[(\[,=]|\bDEFAULT)\s*\Z", re.I)
_TYPE = re.compile(rb"::(?:\"char\"|[a-z][a-z\d_ ]*)(?![\w$\x80-\xff\"])(?!\s*\.)")


@dataclasses.dataclass(frozen=True)
class Function:
    """A function as pg_dump writes it. kind and name: as in the dump; head: all up to its clauses; rest: its body.

    clauses: each with the blanks before it; reserved: those of them that only a superuser may give.
    """

    kind: str
    name: bytes
    head: bytes
    language: bytes
    clauses: tuple[bytes, ...]
    reserved: tuple[bytes, ...]
    rest: bytes

    @property
    def signed(self) -> bytes:
        """Return what stands before its arguments in the statement that says whose it is."""
        return self.kind.encode("ascii") + b" " + self.name + b"("

    @property
    def untrusted(self) -> bool:
        return bool(_UNTRUSTED.fullmatch(self.language))

    @property
    def evaluates_nothing(self) -> bool:
        """Say whether a superuser may make it: what is quoted in its head is a name or a constant of the server's."""
        for match in _TOKEN.finditer(self.head):
            if match.group().endswith(b"'") and not (
                _BEFORE_CONSTANT.search(self.head[: match.start()]) and _TYPE.match(self.head, match.end())
            ):
                return False
        return bool(_LIBRARY.match(self.rest))

    @property
    def without_reserved(self) -> bytes:
        # On the same lines.
        kept = [one.count(b"\n") * b"\n" if one in self.reserved else one for one in self.clauses]
        return self.head + b"".join(kept) + self.rest

    @property
    def given(self) -> bytes:
        """Return what follows ALTER FUNCTION ... to give it what is reserved, its parameters in the same order."""
        parts = [one.strip() for one in self.reserved if not _is_set(one)]
        if any(map(_is_set, self.reserved)):
            parts += [b"RESET ALL", *(one.strip() for one in self.clauses if _is_set(one))]
        return b" ".join(parts)


def _is_set(clause: bytes) -> bool:
    return clause.lstrip()[:3].upper() == b"SET"


def parse(text: bytes, parameters: frozenset[str]) -> Function | None:
    """Return the function that a statement makes; None where it is no such statement, or none of pg_dump's.

    parameters: those that only a superuser may set.
    """
    created = _CREATE.match(text)
    if created is None:
        return None
    position = _clauses(text, created.end())
    if position is None:
        return None
    clauses, reserved, language = [], [], b""
    # The blanks before LANGUAGE are its own.
    start = position = len(text[:position].rstrip())
    while True:
        match = _CLAUSE.match(text, position)
        if match is None:
            break
        clauses.append(match.group())
        language = match["language"] or language
        parameter = (match["parameter"] or b"").decode("utf-8", "replace").strip('"').lower()
        if match["leakproof"] or match["support"] or parameter in parameters:
            reserved.append(match.group())
        position = match.end()
    return Function(
        created["kind"].decode("ascii").upper(),
        created["name"].strip(),
        text[:start],
        language,
        tuple(clauses),
        tuple(reserved),
        text[position:],
    )


def _clauses(text: bytes, position: int) -> int | None:
    """Return where the clauses begin; None for what pg_dump does not write before them."""
    depth = 0
    for match in _TOKEN.finditer(text, position):
        token = match.group()
        if token in (b"--", b"/*", b"\\", b"$", b";"):
            return None
        depth += (token == b"(") - (token == b")")
        if depth == 0 and token.upper() == b"LANGUAGE":
            return match.start()
    return None

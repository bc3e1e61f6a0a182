# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of each statement of a dump: who may run it, and when. Pure.

A dump is loaded by a role without privileges, whoever took it. What that role may not do is left out of a foreign dump
and counted. Of a backup of ours the superuser does it, one statement of a known kind at a time: none of these kinds
evaluates anything of the database's owner.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

# What is done with a statement.
PASS = "pass"
LEAVE_OUT = "leave out"
OWNER = "owner"
EXTENSION = "extension"
# By the superuser, in its place: others build on it.
SUPERUSER = "superuser"
# By the superuser, when all is loaded.
LATER = "later"
GRANT = "grant"
REFRESH = "refresh"
# What is mapped to users of foreign servers.
MAPPING = "mapping"


@dataclasses.dataclass(frozen=True)
class Decision:
    """what: one of the above; words: with which a report counts what was left out, None where nobody misses it."""

    what: str
    words: str | None = None


if TYPE_CHECKING:
    from collections.abc import Iterable

    # The first whose pattern fits says what becomes of a statement.
    Rules = tuple[tuple[re.Pattern[bytes], Decision], ...]


def _table(*rows: tuple[Any, ...]) -> Rules:
    return tuple((re.compile(pattern, re.I | re.S), Decision(*decision)) for pattern, *decision in rows)


NAME = rb"(?:\"(?:[^\"]|\"\")+\"|[\w$\x80-\xff]+)"
QUALIFIED = rb"(?:" + NAME + rb"\.)?" + NAME
# What the superuser runs of a backup has no literal in it that the server would evaluate (a default, a condition), and
# no quoted text in which a keyword could hide: what does not fit is the loading role's to run, and fails there.
# Functions: dump_functions.
_STRING = rb"'(?:[^'\\]|'')*'"
_ROLE_CHANGE = rb"\b(?:CREATE|ALTER|DROP)\s+(?:ROLE|USER|GROUP)\s(?!\s*MAPPING)"
# The triggers that keep foreign keys are a superuser's to turn off; nothing else is in it.
TRIGGERS = (
    rb"ALTER\s+TABLE\s+(?:ONLY\s+)?(?P<table>" + QUALIFIED + rb")\s+(?P<what>DISABLE|ENABLE)\s+TRIGGER\s+ALL\s*;\s*$"
)

# Nobody misses them: they are there already, or mean nothing in a database of ours.
_NOTHING_LOST = (
    (rb"CREATE\s+SCHEMA\s+(IF\s+NOT\s+EXISTS\s+)?\"?public\"?\s*(AUTHORIZATION\s[^;]*)?;", LEAVE_OUT),
    (rb"CREATE\s+(OR\s+REPLACE\s+)?(TRUSTED\s+)?(PROCEDURAL\s+)?LANGUAGE\s+'?\"?plpgsql", LEAVE_OUT),
    (rb"CREATE\s+EXTENSION\s+(IF\s+NOT\s+EXISTS\s+)?\"?plpgsql\"?[\s;]", LEAVE_OUT),
    (rb"COMMENT\s+ON\s+EXTENSION\s+\"?plpgsql\"?\s", LEAVE_OUT),
    (rb"SET\s+default_with_oids\s*=\s*false", LEAVE_OUT),
)
_OWNERS = (rb"ALTER\s.*\sOWNER\s+TO\s+" + NAME + rb"\s*;\s*$", OWNER)
_EXTENSIONS = (rb"CREATE\s+EXTENSION\s", EXTENSION)
_THE_DATABASE = (
    (rb"COMMENT\s+ON\s+DATABASE\s", LEAVE_OUT, "comments of others"),
    (rb"(CREATE|ALTER|DROP)\s+DATABASE\s", LEAVE_OUT, "the database itself and its settings"),
    (rb"(GRANT|REVOKE)\s[^;]*?\sON\s+DATABASE\s", LEAVE_OUT, "grants"),
)
# As pg_dump writes them of what only a superuser has made.
_SUPERUSERS = (
    (rb"CREATE\s+CAST\s[^'$;\\]*;\s*$", "casts"),
    (rb"(CREATE\s+OPERATOR\s+(CLASS|FAMILY)|ALTER\s+OPERATOR\s+FAMILY)\s[^'$;\\]*;\s*$", "operator classes"),
    (rb"CREATE\s+(OR\s+REPLACE\s+)?(TRUSTED\s+)?(PROCEDURAL\s+)?LANGUAGE\s", "languages"),
    (rb"CREATE\s+FOREIGN\s+DATA\s+WRAPPER\s", "foreign-data wrappers"),
    (
        rb"CREATE\s+FOREIGN\s+TABLE\s+"
        + QUALIFIED
        + rb"\s*\((?:(?!\b(DEFAULT|GENERATED|CHECK)\b)[^'\"$;\\=])*\)\s*SERVER\s+"
        + NAME
        + rb"\s+OPTIONS\s*\((?=[^;]*\b(?:filename|program)\s)(?:\s*\w+\s+"
        + _STRING
        + rb"\s*,?)+\)\s*;\s*$",
        "foreign tables that read files",
    ),
    (rb"CREATE\s+TRANSFORM\s", "transforms"),
    (rb"CREATE\s+ACCESS\s+METHOD\s", "access methods"),
    (rb"CREATE\s+TEXT\s+SEARCH\s+(PARSER|TEMPLATE)\s", "text search parsers and templates"),
    # The second is the name alone, for functions to speak of before the type is made.
    (rb"CREATE\s+TYPE\s+" + QUALIFIED + rb"\s*(\(\s*(INTERNALLENGTH|INPUT)\s*=|;\s*$)", "types of their own"),
    (
        rb"CREATE\s+AGGREGATE\s+"
        + QUALIFIED
        + rb"\s*\((?:[^'\"$;\\]|\"any\")*\)\s*\((?=[^'\"$;\\]*\bSTYPE\s*=\s*(pg_catalog\.)?internal\b)"
        rb"[^'\"$;\\]*\)\s*;\s*$",
        "aggregates with an internal state",
    ),
)
_SHARED = (
    (rb"(CREATE|ALTER)\s+EVENT\s+TRIGGER\s", "event triggers"),
    (
        # Others are the owner's to make: their conditions would be evaluated.
        rb"CREATE\s+PUBLICATION\s+" + NAME + rb"\s+FOR\s+ALL\s+TABLES\b"
        rb"|ALTER\s+PUBLICATION\s+" + NAME + rb"\s+(ADD\s+TABLES\s+IN\s+SCHEMA|OWNER\s+TO)\s",
        "publications",
    ),
    (rb"(CREATE|ALTER)\s+SUBSCRIPTION\s", "subscriptions"),
    (rb"SECURITY\s+LABEL\s", "security labels"),
    (rb"ALTER\s+DEFAULT\s+PRIVILEGES\s", "grants"),
    (
        rb"COMMENT\s+ON\s+(EXTENSION|(PROCEDURAL\s+)?LANGUAGE|EVENT\s+TRIGGER|PUBLICATION|SUBSCRIPTION|CAST"
        rb"|FOREIGN\s+DATA\s+WRAPPER|ACCESS\s+METHOD|TRANSFORM|TEXT\s+SEARCH\s+(PARSER|TEMPLATE))\s",
        "comments of others",
    ),
)

# A dump that this collection did not take: everything becomes the application's.
FOREIGN = _table(
    *_NOTHING_LOST,
    (_OWNERS[0], LEAVE_OUT, "owners"),
    *_THE_DATABASE,
    (rb"(CREATE|ALTER)\s+PUBLICATION\s", LEAVE_OUT, "publications"),
    (
        rb"CREATE\s+FOREIGN\s+TABLE\s.*\sOPTIONS\s*\([^)]*\b(filename|program)[\"\s]",
        LEAVE_OUT,
        "foreign tables that read files",
    ),
    (
        rb"CREATE\s+(OR\s+REPLACE\s+)?(FUNCTION|PROCEDURE)\s[^']*?\sLANGUAGE\s+"
        rb"['\"]?(c|internal|plpythonu|plpython[23]u|plperlu|pltclu)['\"]?[\s;]",
        LEAVE_OUT,
        "functions in C or an untrusted language",
    ),
    (
        rb"CREATE\s+(OR\s+REPLACE\s+)?(FUNCTION|PROCEDURE)\s[^$']*?\sLEAKPROOF\b",
        LEAVE_OUT,
        "functions that are LEAKPROOF",
    ),
    (
        rb"CREATE\s+AGGREGATE\s.*\bSTYPE\s*=\s*(\"?pg_catalog\"?\.)?\"?internal\b",
        LEAVE_OUT,
        "aggregates with an internal state",
    ),
    (rb"(CREATE|ALTER)\s+USER\s+MAPPING\s.*\bpassword_required[\"\s]", LEAVE_OUT, "user mappings without a password"),
    (rb"(GRANT|REVOKE)\s", LEAVE_OUT, "grants"),
    (rb"(SET|RESET)\s+(SESSION\s+AUTHORIZATION|(SESSION\s+)?ROLE)\b", LEAVE_OUT, "owners"),
    (rb"(CREATE|ALTER|DROP)\s+(ROLE|USER|GROUP)\s(?!\s*MAPPING)", LEAVE_OUT, "roles and their settings"),
    (rb"DO\s.*" + _ROLE_CHANGE, LEAVE_OUT, "roles and their settings"),
    (rb"ALTER\s+SYSTEM\s", LEAVE_OUT, "the server's settings"),
    (rb"(CREATE|ALTER|DROP)\s+TABLESPACE\s", LEAVE_OUT, "tablespaces"),
    (rb"SET\s+default_tablespace\s*=", LEAVE_OUT),
    (
        rb"(CREATE|ALTER)\s+USER\s+MAPPING\s.*\bpassword_required\s",
        LEAVE_OUT,
        "user mappings without a password",
    ),
    (TRIGGERS, SUPERUSER),
    _EXTENSIONS,
    *((pattern, LEAVE_OUT, words) for pattern, words in (*_SHARED, *_SUPERUSERS)),
    (rb"REFRESH\s+MATERIALIZED\s+VIEW\s", REFRESH),
)
# A backup: everything comes back as it was.
OWN = _table(
    *_NOTHING_LOST,
    # The superuser made them, or has to have made them.
    (
        rb"ALTER\s+(PUBLICATION|SUBSCRIPTION|EVENT\s+TRIGGER|(PROCEDURAL\s+)?LANGUAGE|FOREIGN\s+DATA\s+WRAPPER)\s+"
        + NAME
        + rb"\s+OWNER\s+TO\s+"
        + NAME
        + rb"\s*;\s*$",
        LATER,
    ),
    _OWNERS,
    *_THE_DATABASE,
    (rb"(GRANT|REVOKE)\s[^;]*?\sON\s", GRANT),
    (rb"(SET|RESET)\s+SESSION\s+AUTHORIZATION\b", LEAVE_OUT),
    (rb"CREATE\s+USER\s+MAPPING\s", MAPPING),
    (TRIGGERS, SUPERUSER),
    _EXTENSIONS,
    *((pattern, LATER) for pattern, _words in _SHARED),
    *((pattern, SUPERUSER) for pattern, _words in _SUPERUSERS),
    (rb"REFRESH\s+MATERIALIZED\s+VIEW\s", REFRESH),
)

_EVERYTHING_ELSE = Decision(PASS)
_LITERALS = re.compile(rb"\"(?:[^\"]|\"\")*\"|" + _STRING)
# Parameters that pg_dump sets, and the major version that first knows each.
_SINCE = (
    (re.compile(rb"SET\s+transaction_timeout\s", re.I), 17),
    (re.compile(rb"SET\s+default_toast_compression\s", re.I), 14),
)
_REPLICATION_ROLE = re.compile(rb"SET\s+(SESSION\s+)?session_replication_role\b", re.I)
# From here on a role can be allowed to set a parameter that is a superuser's.
GRANTS_PARAMETERS_SINCE = 15


def decide(rules: Rules, statement: bytes, start: int, major: int) -> Decision:
    """Return what becomes of the statement that begins at `start`, on a server of that major version."""
    for pattern, decision in rules:
        if pattern.match(statement, start):
            # pg_dump writes no comment into a statement: what stands in one could make another of it.
            if decision.what == SUPERUSER and re.search(rb"--|/\*", _LITERALS.sub(b"", statement[start:])):
                return _EVERYTHING_ELSE
            return decision
    if any(pattern.match(statement, start) and major < since for pattern, since in _SINCE):
        return Decision(LEAVE_OUT)
    if major < GRANTS_PARAMETERS_SINCE and _REPLICATION_ROLE.match(statement, start):
        return Decision(LEAVE_OUT, "session_replication_role")
    return _EVERYTHING_ELSE


def canonical(name: bytes) -> str:
    """Return a name as quote_ident() and format('%I.%I') would write it, but for keywords: pg_dump quotes these."""
    parts = re.findall(NAME, name)
    shown = []
    for part in parts:
        text = part.decode("utf-8", "replace")
        if text.startswith('"') and re.fullmatch(r'"[a-z_][a-z0-9_$]*"', text):
            text = text[1:-1]
        shown.append(text if text.startswith('"') else text.lower())
    return ".".join(shown)


# As pg_dump writes privileges, each of one role.
_ROLE = r'("(?:[^"]|"")+"|[\w$\x80-\U0010ffff]+)'
_FOR_ROLE = re.compile(r"ALTER DEFAULT PRIVILEGES FOR ROLE " + _ROLE)
_GRANTEE = re.compile(
    r"(?:GRANT|REVOKE|ALTER DEFAULT PRIVILEGES)\s.*\s(?:TO|FROM) " + _ROLE + r"(?: WITH GRANT OPTION)?;\s*\Z", re.S
)


def roles_of(privileges: Iterable[str]) -> list[str]:
    """Return the roles that statements on privileges are of."""
    found: dict[str, None] = {}
    for text in privileges:
        for match in (_FOR_ROLE.match(text), _GRANTEE.match(text)):
            if match and match.group(1) != "PUBLIC":
                name = match.group(1)
                found[name[1:-1].replace('""', '"') if name.startswith('"') else name] = None
    return list(found)

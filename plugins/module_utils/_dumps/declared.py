# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is declared for a database, given to what takes its place before clients are let in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from .._domain import extensions, users
from .._domain.record import Record
from .._server import replacement, roles, sql
from .._server.sql import identifier, literal

# How items of a list are stored: quoted, or plain.
_ITEM = re.compile(r'\s*("(?:[^"]|"")*"|[^",\s]+)\s*(?:,|$)')
# What is in the path without being named, and what is nobody's.
_IMPLIED = ("pg_catalog", "pg_temp")


def search_path(database: Mapping[str, Any], owner: str) -> str:
    """Return the search path of a database as a manifest has it, for SET: what its functions find things by.

    What the server looks at first by itself is left to it.
    """
    found = '"$user", public'
    for entry in sorted(database.get("settings") or [], key=lambda entry: entry["role"] is not None):
        if entry["role"] in (None, owner):
            for setting in entry["settings"]:
                name, _equals, value = setting.partition("=")
                found = value if name == "search_path" else found
    items = [replacement.unquoted(item) for item in _ITEM.findall(found)]
    named = [owner if item == "$user" else item for item in items if item and item not in _IMPLIED]
    return ", ".join(identifier(item) for item in named) or "pg_catalog"


def apply(run: Callable[..., str], database: str, record: Record, owner: str) -> None:
    """Give a fresh database the extensions and the users' privileges that the record has.

    run: runs SQL as the superuser, in a database (None: the one for maintenance).
    """
    wanted = extensions.from_option(record.declared.get("extensions"))
    run(_marks(sorted(wanted)), database)
    installed = sql.read(run(sql.OBSERVE_EXTENSIONS, database).splitlines())["extensions"]
    if extensions.changes(wanted, installed):
        run(sql.change_extensions(database, wanted, installed))
    declared = users.from_option(users.recorded(record.declared.get("users")), owner)
    if declared:
        run(roles.grants(database, declared, owner))


def _marks(wanted: list[str]) -> str:
    """What says that an extension was declared here came with a dump: it was declared there."""
    listed = ", ".join(literal(name) for name in wanted) or "''"
    return f"""SET search_path = '';
SELECT pg_catalog.format('COMMENT ON EXTENSION %I IS %L', extname,
    CASE WHEN extname IN ({listed}) THEN {literal(extensions.MARK)}
      ELSE (SELECT comment FROM pg_catalog.pg_available_extensions WHERE name = extname) END)
  FROM pg_catalog.pg_extension WHERE (extname IN ({listed})) <>
    (pg_catalog.obj_description(oid, 'pg_extension') IS NOT DISTINCT FROM {literal(extensions.MARK)}) \\gexec
"""

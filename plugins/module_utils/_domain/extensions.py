# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Extensions of a database: what is declared, the libraries it needs, and the SQL from what is there to it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:

    class Installed(TypedDict):
        """An extension of the database. declared: by us, and so dropped when it is not declared any more."""

        version: str
        declared: bool


PRELOAD = "shared_preload_libraries"
# Extensions whose library has to be there when the server starts, as each one's documentation says.
_LIBRARIES = {
    "citus": "citus",
    "pg_cron": "pg_cron",
    "pg_partman": "pg_partman_bgw",
    "pg_qualstats": "pg_qualstats",
    "pg_squeeze": "pg_squeeze",
    "pg_stat_kcache": "pg_stat_kcache",
    "pg_stat_statements": "pg_stat_statements",
    "pg_wait_sampling": "pg_wait_sampling",
    "pgaudit": "pgaudit",
    "set_user": "set_user",
    "timescaledb": "timescaledb",
}
# Tells what was declared from what somebody made by hand, which is never dropped.
MARK = "Declared in vellaric.postgres"

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,62}")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")


def from_option(items: Iterable[str] | None) -> dict[str, str | None]:
    """Return the versions (None: whatever the image has) by name, for items such as C(pg_trgm) and C(postgis=3.4.2).

    Raises ValueError.
    """
    found = {}
    for item in items or []:
        name, equals, version = str(item).partition("=")
        if not _NAME.fullmatch(name) or (equals and not _VERSION.fullmatch(version)):
            raise ValueError(
                f"extensions has {item!r}: an extension is its name, such as pg_trgm, or NAME=VERSION, such as"
                " postgis=3.4.2"
            )
        found[name] = version or None
    return dict(sorted(found.items()))


def to_option(extensions: Mapping[str, str | None]) -> list[str]:
    return [name if version is None else f"{name}={version}" for name, version in extensions.items()]


def preloaded(extensions: Iterable[str], declared: str | None) -> str | None:
    """Return the value of shared_preload_libraries, or None where nothing has to be said.

    declared: what the settings say of it, which comes first.
    """
    libraries = [part.strip() for part in (declared or "").split(",") if part.strip()]
    needed = [_LIBRARIES[name] for name in extensions if _LIBRARIES.get(name)]
    missing = [library for library in needed if library not in libraries]
    return ",".join([*libraries, *missing]) if missing else None


def changes(wanted: Mapping[str, str | None], installed: Mapping[str, Installed]) -> list[tuple[str | None, str]]:
    """Return the changes as (words, statement) pairs. installed: {name: {"version", "declared"}} of the database."""
    found: list[tuple[str | None, str]] = []
    for name, version in wanted.items():
        there = installed.get(name)
        if there is None:
            of_version = f" VERSION {_literal(version)}" if version else ""
            found.append((f"create {name}", f"CREATE EXTENSION IF NOT EXISTS {_identifier(name)}{of_version} CASCADE;"))
        elif version is not None and there["version"] != version:
            words = f"update {name} from {there['version']} to {version}"
            found.append((words, f"ALTER EXTENSION {_identifier(name)} UPDATE TO {_literal(version)};"))
        if there is None or not there["declared"]:
            mark = f"COMMENT ON EXTENSION {_identifier(name)} IS {_literal(MARK)};"
            found.append((None if there is None else f"take {name} over", mark))
    for name, there in sorted(installed.items()):
        if there["declared"] and name not in wanted:
            found.append((f"drop {name}", f"DROP EXTENSION {_identifier(name)};"))
    return found


def _identifier(name: str) -> str:
    return f'"{name}"'


def _literal(text: str) -> str:
    return f"'{text}'"

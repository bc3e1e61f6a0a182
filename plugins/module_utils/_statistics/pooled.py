# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a database's pooler tells of its clients, and of its connections to the server."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .._domain import pgbouncer
from .._domain.errors import DatabaseError
from .._domain.pooler import POOLER
from .._domain.pooler_container import GID, UID
from .._server import console, wire

if TYPE_CHECKING:
    from .._observing.listing import Database

    Rows = Sequence[Mapping[str, Any]]

_COMMANDS = ("SHOW VERSION", "SHOW DATABASES", "SHOW POOLS", "SHOW CONFIG")
# A console answers at once, or not at all.
_MOST_SECONDS = 5
_MOST_VERSION = 20
# The states of connections to the server that SHOW POOLS counts.
_CONNECTED = ("sv_active", "sv_idle", "sv_used", "sv_tested", "sv_login")


def gather(database: Database, limit: int, seconds: float) -> tuple[dict[str, Any] | None, str | None]:
    """Return what a database's pooler tells, or why it tells nothing; two times None where there is no pooler."""
    known = database.shown.get("pooler")
    if known is None:
        return None, None
    name, container = known["container_name"], database.containers.get(POOLER)
    if container is None:
        return None, f"container {name} is missing"
    if not container.running:
        return None, f"container {name} does not run ({container.status})"
    try:
        answers = console.run_all(container.pid, container.id, UID, GID, _COMMANDS, min(_MOST_SECONDS, seconds))
        return shaped(answers, limit), None
    except (DatabaseError, wire.Unreachable, socket.timeout) as error:
        why = "it did not answer in time" if isinstance(error, socket.timeout) else str(error)
        return None, f"the console of {name} does not answer: {why}"
    except (ValueError, KeyError, IndexError, TypeError) as error:
        return None, f"what {name} answered cannot be understood ({type(error).__name__}: {error})"


def shaped(answers: Sequence[Rows], limit: int) -> dict[str, Any]:
    """Return the answers to the commands as module postgres_db_info returns them. Pure."""
    version, databases, pools, config = answers
    databases = [row for row in databases if row["name"] != pgbouncer.CONSOLE]
    shown = [_pool(row) for row in pools if row["database"] != pgbouncer.CONSOLE]
    words = re.search(r"[0-9][0-9.]*", str(version[0]["version"]))
    most = next(row["value"] for row in config if row["key"] == "max_client_conn")
    return {
        "version": words.group()[:_MOST_VERSION] if words else None,
        "paused": sorted(str(row["name"]) for row in databases if row["paused"] == "1"),
        "clients_active": _sum(shown, "clients_active"),
        "clients_waiting": _sum(shown, "clients_waiting"),
        "clients_limit": _whole(most),
        "maxwait_seconds": max([pool["maxwait_seconds"] for pool in shown], default=0.0),
        "server_connections": _sum(shown, "server_connections"),
        "server_connections_limit": sum(_whole(row["max_connections"]) for row in databases),
        "pools": sorted(shown, key=_weight)[:limit],
    }


def _pool(row: Mapping[str, str | None]) -> dict[str, Any]:
    return {
        "database": str(row["database"]),
        "user": str(row["user"]),
        "mode": row["pool_mode"],
        "clients_active": _whole(row["cl_active"]),
        "clients_waiting": _whole(row["cl_waiting"]),
        "maxwait_seconds": round(_whole(row["maxwait"]) + _whole(row["maxwait_us"]) / 1e6, 3),
        "server_connections": sum(_whole(row[state]) for state in _CONNECTED),
        "server_connections_active": _whole(row["sv_active"]),
    }


def _weight(pool: Mapping[str, Any]) -> tuple[float, int, str, str]:
    """The pool first whose clients wait the longest, then the one with most of them."""
    return -pool["maxwait_seconds"], -pool["clients_active"], pool["database"], pool["user"]


def _whole(text: str | None) -> int:
    return int(text or 0)


def _sum(pools: Iterable[Mapping[str, Any]], key: str) -> int:
    return sum(pool[key] for pool in pools)

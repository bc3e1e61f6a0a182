# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running server, asked as its superuser over its own socket, whoever made it."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import Any

from .._domain.container import SERVER_PORT
from .._domain.errors import DatabaseError
from .._domain.facts import ContainerFacts
from .._host.engine import Engine
from .._server import adoption_sql, session, sql, wire
from .._server import answers as forms
from . import places, server_queries
from .nouns import ServerFacts, Subject

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_STARTING_UP, _TOO_MANY, _UNKNOWN_DATABASE, _SHUTTING_DOWN = "57P03", "53300", "3D000", "57P01"


# What starts a server, as the kernel names it: fifteen letters at most.
_STARTERS = {
    *("docker-entrypoi", "docker-ensure-i", "entrypoint.sh", "bash", "dash", "sh", "ash", "gosu", "su-exec", "setpriv"),
    *("initdb", "tini", "docker-init", "dumb-init", "catatonit", "s6-svscan", "supervisord", "patroni", "python3"),
}


class _Silent(Exception):
    """Nothing came back in time."""


def ask(
    engine: Engine, raw: dict[str, Any], container: ContainerFacts, subject: Subject, ours: bool, seconds: int
) -> ServerFacts:
    """Return what a server says of itself, of the database and of who logs in."""
    process = _process(container.pid)
    database, user = subject.database or "", subject.user or ""
    if process not in (None, session.SERVER_PROCESS) and not listens(container.ip_address):
        # The server that the entrypoint starts for itself answers on the socket, too.
        return ServerFacts("initialising" if ours or process in _STARTERS else "none", f"process 1 is {process}")
    try:
        lines = _lines(
            engine, raw, container, session.SUPERUSER, server_queries.of_server(database, user), ours, seconds
        )
        with forms.understood(container.name):
            answer = server_queries.read(lines)
    except _Silent:
        return ServerFacts("silent", f"the server did not answer within {seconds} s")
    except wire.Rejected as error:
        kinds = {_STARTING_UP: "starting", _TOO_MANY: "full", _SHUTTING_DOWN: "starting"}
        return ServerFacts(kinds.get(error.code, "refused"), error.text.rpartition(f"{container.name}: ")[2])
    except DatabaseError as error:
        return ServerFacts("refused", error.message.rpartition(f"{container.name}: ")[2])
    if answer["database"] is None or not answer["database"]["open"]:
        return ServerFacts("answers", answer=answer, outside="it cannot be entered")
    try:
        lines = _lines(engine, raw, container, database, server_queries.of_database(user), ours, seconds)
        with forms.understood(container.name):
            return ServerFacts("answers", answer=answer, inside=server_queries.read(lines, inside=True))
    except _Silent:
        return ServerFacts("answers", answer=answer, outside=f"no answer came from there within {seconds} s")
    except DatabaseError as error:
        return ServerFacts("answers", answer=answer, outside=error.message)


def _lines(
    engine: Engine, raw: dict[str, Any], container: ContainerFacts, database: str, text: str, ours: bool, seconds: float
) -> list[str]:
    """Ask a question. Raises _Silent, and DatabaseError: wire.Rejected where the server said no over its socket."""
    deadline = time.monotonic() + seconds
    superuser = session.SUPERUSER if ours else places.environment(raw).get("POSTGRES_USER") or session.SUPERUSER
    maintenance = database == session.SUPERUSER
    try:
        rows = wire.ask(container.pid, container.id, superuser, database, text, seconds, container.major)
        return [row[0] or "" for row in rows]
    except socket.timeout:
        raise _Silent() from None
    except wire.Rejected as error:
        if error.code not in ("28000", "28P01", _UNKNOWN_DATABASE) or (
            error.code == _UNKNOWN_DATABASE and not maintenance
        ):
            raise
    except wire.Unreachable:
        pass
    remaining = deadline - time.monotonic()
    if remaining <= 0.5:
        raise _Silent()
    script = text if maintenance else f"{sql.enter(database)}\n{text}"
    shield = session.environment(container.major) if ours else None
    command = ["sh", "-c", adoption_sql.LOG_IN]
    finished = engine.execute(container.name, command, session.SUPERUSER, script, remaining, shield)
    if finished.exit_code != 0:
        raise DatabaseError(session.first_error(finished.stderr))
    return finished.stdout.splitlines()


def _process(pid: int) -> str | None:
    """Return the name of a container's first process, None where it cannot be seen."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as stream:
        return stream.read().strip()
    return None


def listens(address: str | None) -> bool:
    """Say whether anything listens where a container's server does."""
    with contextlib.suppress(OSError):
        if address is not None:
            with socket.create_connection((address, SERVER_PORT), timeout=1):
                return True
    return False

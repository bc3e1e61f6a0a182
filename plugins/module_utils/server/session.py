# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running server, by way of psql in its container: is it ready, what does it say, can the application log in."""

from __future__ import annotations

import socket
import time

from ..container import SERVER_PORT, TLS_MOUNT, from_inspect
from ..errors import DatabaseError
from . import sql

SUPERUSER = "postgres"
QUERY_SECONDS = 60

# Every start has this order: the entrypoint's temporary server (socket only), then the server as process 1, which
# opens TCP when it has recovered. https://github.com/docker-library/postgres/issues/146
_READY = (
    '[ "$(cat /proc/1/comm)" = postgres ] && pg_isready -q -h 127.0.0.1 -p "$0" -U "$1" -d "$2"'
    ' && exec psql -XAtq -U postgres -d postgres -f -'
)
# The password comes as the first line of the input: not in an argument, nor in what the engine keeps of the command.
_LOGIN = 'IFS= read -r PGPASSWORD && export PGPASSWORD && exec psql -XAtqw "$0" -f -'


class NotReady(DatabaseError):
    """The server did not become ready; the details hold its last log lines."""


def psql(engine, container, script, seconds=QUERY_SECONDS):
    """Run SQL as the superuser and return what it printed. Raises DatabaseError with the server's first error."""
    command = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=terse"]
    command += ["-U", SUPERUSER, "-d", "postgres", "-f", "-"]
    finished = engine.execute(container, command, SUPERUSER, script, seconds)
    if finished.exit_code != 0:
        raise DatabaseError(f"{container}: the server refused: {_first_error(finished.stderr)}")
    return finished.stdout


def observe(engine, container, database, username):
    """Return the ServerFacts of a server that runs."""
    return sql.parse(psql(engine, container, sql.observe(database, username or "")))


def wait_until_ready(engine, container, database, username, seconds):
    """Wait until the server answers a query, and return the container's facts.

    Raises NotReady at once, with the last log lines, when the container ends or is restarted meanwhile.
    """
    deadline = time.monotonic() + seconds
    restarts = None
    while True:
        facts = from_inspect(engine.inspect(container) or _gone(container))
        restarts = facts.restart_count if restarts is None else restarts
        if facts.status in ("exited", "dead", "restarting") or facts.restart_count > restarts:
            raise _not_ready(engine, container, f"ended with exit code {facts.exit_code} instead of becoming ready")
        if facts.running and _listens(facts.ip_address) and _answers(engine, container, database, username, deadline):
            return facts
        if time.monotonic() >= deadline:
            raise _not_ready(engine, container, f"was not ready after {seconds} s (wait_timeout)")
        time.sleep(0.05)


def prove_login(engine, container, facts, database, username, password):
    """Log in as the application does: over TCP and TLS, from an address that is not the loopback.

    Inside the official image 127.0.0.1 is trusted, so that a login from there proves nothing.
    """
    address = facts.ip_address
    if address is None:
        raise DatabaseError(f"{container} has no address of its own: is it on a network?")
    target = (
        f"host={address} port={SERVER_PORT} dbname={database} user={username} connect_timeout=10"
        f" sslmode=verify-ca sslrootcert={TLS_MOUNT}/ca.crt"
    )
    command = ["sh", "-c", _LOGIN, target]
    finished = engine.execute(container, command, SUPERUSER, f"{password}\nSELECT 1;\n", QUERY_SECONDS)
    if finished.exit_code != 0 or finished.stdout.strip() != "1":
        raise DatabaseError(
            f"{container}: {username} cannot log in with the stored password: {_first_error(finished.stderr)}"
        )


def _listens(address):
    """Ask whether the server's port is open, which costs nothing; where there is no way to ask, assume that it is."""
    if address is None:
        return True
    try:
        with socket.create_connection((address, SERVER_PORT), timeout=1):
            return True
    except ConnectionRefusedError:
        return False
    except OSError:
        return True


def _answers(engine, container, database, username, deadline):
    command = ["sh", "-c", _READY, str(SERVER_PORT), username or SUPERUSER, database]
    seconds = max(1.0, deadline - time.monotonic())
    try:
        finished = engine.execute(container, command, SUPERUSER, "SELECT 1;\n", seconds)
    except DatabaseError:
        # It ended between the two questions: the next look at the container says why.
        return False
    return finished.exit_code == 0 and finished.stdout.strip() == "1"


def _not_ready(engine, container, what):
    lines = engine.logs(container)
    return NotReady(f"{container} {what}. Its last log lines:\n{lines}", log=lines.splitlines())


def _gone(container):
    raise DatabaseError(f"{container} was removed while it was waited for: run the task again")


def _first_error(stderr):
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    marked = [line for line in lines if "ERROR" in line or "FATAL" in line]
    return (marked or lines or ["nothing"])[0].replace("psql:<stdin>:", "line ")

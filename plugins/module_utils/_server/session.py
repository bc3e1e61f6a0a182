# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running server: is it ready, what does it say, can the application log in.

What only reads goes over the server's socket (wire); what changes, and all where the socket is out of reach (the engine
of another process namespace), goes through psql in the container.
"""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from .._domain import parameters, scram
from .._domain.container import SERVER_PORT, TLS_MOUNT, from_inspect
from .._domain.errors import DatabaseError
from .._domain.facts import ContainerFacts
from . import answers as forms
from . import privileges, roles, sql, wire

if TYPE_CHECKING:
    from .._domain.facts import ServerFacts
    from .._host.engine import Engine
    from .._host.execution import Finished

SUPERUSER = "postgres"
SERVER_PROCESS = "postgres"
QUERY_SECONDS = 60

# Every start has this order: the entrypoint's temporary server (socket only), then the server as process 1, which
# opens TCP when it has recovered. https://github.com/docker-library/postgres/issues/146
_READY = (
    '[ "$(cat /proc/1/comm)" = postgres ] && pg_isready -q -h 127.0.0.1 -p "$0" -U "$1" -d "$2"'
    " && exec psql -XAtq -U postgres -d postgres -f -"
)
_PSQL = "psql -XAtq -v ON_ERROR_STOP=1 -v VERBOSITY=terse -U postgres -f - -d"
# A killed run's psql goes on inside the container until its script ends, through all the databases that it enters: the
# next one's waits for that, by a lock that ends with the process. (BusyBox's flock knows no time limit.)
_ALONE = "flock /var/run/postgresql/.vellaric.lock"
# psql ends with 2 where it could not connect, and so does a server that is starting up let it; pg_isready says with 1
# that it is. No word of theirs is needed for that: those are in the server's language.
# https://www.postgresql.org/docs/current/app-pg-isready.html
_STARTING = 91
# Between the two questions it may have come up: what could not connect is tried once more then.
_CAME_UP = 92
WHEN_UP = (
    'up() { "$@"; code=$?; [ $code = 2 ] || return $code; pg_isready -q; case $? in'
    f" 0) exit {_CAME_UP};; 1) exit {_STARTING};; esac; return 2; }}\n"
)
_WITHIN_SCRIPT = "psql:<stdin>:"
# The password comes as the first line of the input: not in an argument, nor in what the engine keeps of the command.
# The superuser's SQL is the rest of the input.
_SQL_FAILED = 90
_LOGIN = (
    f"{WHEN_UP}IFS= read -r PGPASSWORD; up {_ALONE} {_PSQL} postgres || exit {_SQL_FAILED}; export PGPASSWORD;"
    ' export PGOPTIONS="$LOGIN_OPTIONS"; exec psql -XAtqw "$0" -c "SELECT \'logged in\'"'
)

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_STARTING_UP = "57P03"
_NOT_LET_IN = ("28000", "28P01")
# What the C library says of EROFS.
_READ_ONLY = "Read-only file system"
# What says that nobody else is let in any more. https://www.postgresql.org/docs/current/runtime-config-connection.html
_FULL = """SELECT json_build_object('verifier', rolpassword,
  'full', (SELECT count(*) >= current_setting('max_connections')::int
      - current_setting('superuser_reserved_connections')::int
      - coalesce(current_setting('reserved_connections', true), '0')::int
    OR count(*) FILTER (WHERE usesysid = r.oid) >= nullif(r.rolconnlimit, -1)
    OR count(*) FILTER (WHERE datname = {database}) >= (SELECT nullif(datconnlimit, -1) FROM pg_database
      WHERE datname = {database})
    FROM pg_stat_activity WHERE backend_type = 'client backend'))::text
  FROM pg_authid AS r WHERE rolname = {username};
"""
_CLOSED = "SELECT datallowconn::text FROM pg_database WHERE datname = {database};\n"


class NotReady(DatabaseError):
    """The server did not become ready; the details hold its last log lines."""


class Refused(DatabaseError):
    """psql in the container failed with what the server, or it, said."""


class Ended(NotReady):
    """It ended instead: to wait longer is of no use."""


def environment(major: int | None) -> dict[str, str]:
    """Return the environment of a superuser's clients in a container, for its server's major version.

    What the owner of a database has set for it is not for them, and they speak English.
    """
    return {"PGOPTIONS": parameters.as_options(parameters.superuser(major)), "LC_ALL": "C"}


def environment_of(engine: Engine, container: str) -> dict[str, str]:
    """Return that of a container, whatever image somebody made it from."""
    facts = _inspect(engine, container)
    return environment(_major(engine, facts))


def _major(engine: Engine, facts: ContainerFacts) -> int | None:
    if facts.major is not None or not facts.running:
        return facts.major
    said = engine.execute(facts.name, ["psql", "--version"], SUPERUSER, "", QUERY_SECONDS).stdout
    match = re.search(r"\(PostgreSQL\) (\d{1,3})", said)
    return int(match.group(1)) if match else None


def psql(
    engine: Engine,
    container: str,
    script: str,
    seconds: float = QUERY_SECONDS,
    database: str = SUPERUSER,
    role: str = SUPERUSER,
    alone: bool = False,
) -> str:
    """Run SQL as the superuser and return what it printed. Raises DatabaseError with the server's first error.

    alone: wait for what a killed run has left to run, and keep the next one waiting.
    """
    command = [*(_ALONE.split() if alone else []), *_PSQL.split(), database, "-U", role]
    command = ["sh", "-c", f'{WHEN_UP}up "$@"', "sh", *command]
    given = environment_of(engine, container)
    finished = execute_when_up(engine, container, command, script, seconds, given)
    if finished.exit_code != 0:
        raise Refused(f"{container}: the server refused: {first_error(finished.stderr)}")
    return finished.stdout


def execute_when_up(
    engine: Engine,
    container: str,
    command: list[str],
    script: str,
    seconds: float,
    given: Mapping[str, str],
    user: str = SUPERUSER,
) -> Finished:
    """Run a command that asks the server; again while that is still starting up. It begins with WHEN_UP."""
    deadline = time.monotonic() + seconds
    repeated: tuple[int, ...] = (_STARTING, _CAME_UP)
    while True:
        remaining = max(1.0, deadline - time.monotonic())
        finished = engine.execute(container, command, user, script, remaining, given)
        begun = finished.exit_code not in repeated or _WITHIN_SCRIPT in finished.stderr
        if begun or time.monotonic() > deadline:
            return finished
        if finished.exit_code == _CAME_UP:
            repeated = (_STARTING,)
        time.sleep(0.05)


def ask(
    engine: Engine,
    facts: ContainerFacts,
    database: str,
    question: str,
    seconds: float = QUERY_SECONDS,
    patient: bool = True,
) -> list[str]:
    """Ask a running server as the superuser, and return the answer's lines.

    facts: its container's. question: one or more SELECT of one column, whose values have no line breaks.
    patient: whether to wait for a server that is starting up.
    Raises DatabaseError: wire.Rejected where the server said no over its socket.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            remaining = max(1.0, deadline - time.monotonic())
            rows = wire.ask(facts.pid, facts.id, SUPERUSER, database, question, remaining, facts.major)
            return [row[0] or "" for row in rows]
        except wire.Garbled as error:
            raise DatabaseError(f"{facts.name}: {error.message}") from error
        except wire.Rejected as error:
            if error.code in _NOT_LET_IN:
                break
            if error.code != _STARTING_UP or not patient or time.monotonic() > deadline:
                raise wire.Rejected(error.code, error.severity, f"{facts.name}: {error.text}") from error
            time.sleep(0.02)
        except wire.Unreachable:
            break
        except socket.timeout:
            raise DatabaseError(
                f"{facts.name} did not answer within {seconds:g} s: it may be hung or overloaded"
            ) from None
    script = f"SET search_path = {sql.CATALOG};\n{question}"
    return psql(engine, facts.name, script, seconds, database).splitlines()


def observe(
    engine: Engine, facts: ContainerFacts, database: str, username: str | None, seconds: float, declares_users: bool
) -> ServerFacts:
    """Return the ServerFacts of a server that runs. One that hangs costs no more than the seconds given.

    declares_users: whether further roles matter, even where none has been declared so far.
    """
    with forms.understood(facts.name):
        return _observe(engine, facts, database, username, min(seconds, QUERY_SECONDS), declares_users)


def _observe(
    engine: Engine, facts: ContainerFacts, database: str, username: str | None, seconds: float, declares_users: bool
) -> ServerFacts:
    first = sql.observe(database, username or "")
    # What all databases share is to be seen from each.
    within = sql.OBSERVE_EXTENSIONS + privileges.suspects(username or "")
    within += roles.OBSERVE if declares_users else ""
    try:
        answers = sql.read(ask(engine, facts, database, first + within, seconds))
    except (wire.Rejected, Refused) as error:
        if isinstance(error, wire.Rejected) and error.severity != "FATAL":
            raise
        # Whether one cannot enter the database, and why, is to be seen from another one.
        closed = ask(engine, facts, SUPERUSER, _CLOSED.format(database=sql.literal(database)), seconds)
        if closed == ["false"]:
            raise DatabaseError(
                f"Database {database} of {facts.name} accepts no connections (ALLOW_CONNECTIONS false). To allow them:"
                f' ALTER DATABASE "{database}" ALLOW_CONNECTIONS true'
                f" (docker exec -it {facts.name} psql -U {SUPERUSER})"
            ) from None
        if closed:
            raise
        database, within = SUPERUSER, ""
        answers = sql.read(ask(engine, facts, database, first + sql.OBSERVE_OTHERS, seconds))
    further = sql.OBSERVE_FILES if answers["suspects_files"] else ""
    if answers["has_users"] and within and not declares_users:
        further += roles.OBSERVE
    if answers["altered"]:
        further += sql.OBSERVE_APPLIED
    if answers.get("suspects_privileges"):
        further += privileges.observe(username or "", sql.major(answers))
    if further:
        answers.update(sql.read(ask(engine, facts, database, further, seconds)))
    return sql.facts(sql.checked(answers))


def wait_until_ready(
    engine: Engine, container: str, database: str, username: str | None, seconds: float
) -> ContainerFacts:
    """Wait until the server answers a query, and return the container's facts. Raises NotReady."""

    def answers(facts: ContainerFacts, deadline: float) -> bool:
        return _listens(facts.ip_address) and _answers(engine, facts, database, username, deadline)

    return _wait(engine, container, seconds, answers)


def wait_until_initialised(
    engine: Engine, container: str, database: str, username: str | None, seconds: float
) -> ContainerFacts:
    """Wait until the entrypoint has made way for the server, which ends the initialisation. Raises NotReady.

    This host's own process table and a look at the port say so, which costs less than to ask in the container.
    """

    def made_way(facts: ContainerFacts, deadline: float) -> bool:
        while _process_name(facts.pid) not in (None, SERVER_PROCESS) and time.monotonic() < deadline:
            time.sleep(0.02)
        if _process_name(facts.pid) is None:
            # It has ended, or is not to be seen from here: ask in the container.
            return _listens(facts.ip_address) and _answers(engine, facts, database, username, deadline)
        return _listens(facts.ip_address)

    return _wait(engine, container, seconds, made_way)


def _wait(
    engine: Engine, container: str, seconds: float, ready: Callable[[ContainerFacts, float], bool]
) -> ContainerFacts:
    """Wait until `ready` of the container's facts and the deadline, and return the facts.

    Raises NotReady at once, with the last log lines, when the container ends or is restarted meanwhile.
    """
    deadline = time.monotonic() + seconds
    restarts = since = None
    while True:
        facts = _inspect(engine, container)
        restarts = facts.restart_count if restarts is None else restarts
        since = facts.started_at if since is None else since
        if facts.status in ("exited", "dead", "restarting") or facts.restart_count > restarts:
            what = f"exited with code {facts.exit_code} instead of becoming ready"
            raise _not_ready(engine, container, since, what, Ended)
        if facts.running and ready(facts, deadline):
            return facts
        if time.monotonic() >= deadline:
            raise _not_ready(engine, container, since, f"was not ready after {seconds} s (wait_timeout)")
        time.sleep(0.05)


def prove_login(
    engine: Engine,
    container: str,
    facts: ContainerFacts,
    database: str,
    username: str,
    password: str,
    script: str = "SELECT 1;",
    verify: bool = True,
) -> None:
    """Run SQL as the superuser, then log in as the application does: over TCP and TLS, not from the loopback.

    Inside the official image 127.0.0.1 is trusted, so that a login from there proves nothing. verify: whether ca.crt
    can verify the server; a certificate of one's own may be verified with what only clients have.
    """
    address = facts.ip_address
    if address is None:
        raise DatabaseError(f"{container} has no address of its own: is it on a network?")
    target = f"host={address} port={SERVER_PORT} dbname={database} user={username} connect_timeout=10" + (
        f" sslmode=verify-ca sslrootcert={TLS_MOUNT}/ca.crt" if verify else " sslmode=require"
    )
    command = ["sh", "-c", _LOGIN, target]
    major = _major(engine, facts)
    given = {**environment(major), "LOGIN_OPTIONS": parameters.as_options(parameters.login(major))}
    finished = execute_when_up(engine, container, command, f"{password}\n{script}\n", QUERY_SECONDS, given)
    if finished.exit_code in (_SQL_FAILED, _STARTING, _CAME_UP):
        raise DatabaseError(f"{container}: the server refused: {first_error(finished.stderr)}")
    if finished.exit_code == 0 and finished.stdout.endswith("logged in\n"):
        return
    right, full = _login_state(engine, facts, database, username, password)
    # The server says that there are no more connections to be had after it has taken the password.
    if not (right and full):
        rest = ". It has that password: fix what it says, and run the same again" if right else ""
        raise DatabaseError(
            f"{container}: {username} cannot log in with the stored password: {first_error(finished.stderr)}{rest}"
        )


def _login_state(
    engine: Engine, facts: ContainerFacts, database: str, username: str, password: str
) -> tuple[bool, bool]:
    """Say whether the server has just that password of a role, and whether there is no free connection for it."""
    question = _FULL.format(database=sql.literal(database), username=sql.literal(username))
    try:
        found = json.loads("".join(ask(engine, facts, SUPERUSER, question)) or "{}")
        return scram.matches(password, found.get("verifier")), bool(found.get("full"))
    except (DatabaseError, ValueError, TypeError, AttributeError):
        return False, False


def _process_name(pid: int) -> str | None:
    """Return the name of a process of this host, or None where it cannot be seen."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8") as stream:
            return stream.read().strip()
    except OSError:
        return None


def _listens(address: str | None) -> bool:
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


def _answers(engine: Engine, facts: ContainerFacts, database: str, username: str | None, deadline: float) -> bool:
    seconds = max(1.0, deadline - time.monotonic())
    try:
        if _process_name(facts.pid) == SERVER_PROCESS:
            rows = wire.ask(facts.pid, facts.id, SUPERUSER, SUPERUSER, "SELECT 1", seconds, facts.major)
            return rows == [["1"]]
    except (DatabaseError, socket.timeout):
        return False
    except wire.Unreachable:
        # Not from here: ask in the container.
        pass
    command = ["sh", "-c", _READY, str(SERVER_PORT), username or SUPERUSER, database]
    try:
        finished = engine.execute(facts.name, command, SUPERUSER, "SELECT 1;\n", seconds)
    except DatabaseError:
        # It ended between the two questions: the next look at the container says why.
        return False
    return finished.exit_code == 0 and finished.stdout.strip() == "1"


def _not_ready(engine: Engine, container: str, since: str, what: str, kind: type[NotReady] = NotReady) -> NotReady:
    # Of the start that was waited for, not of those before it.
    lines = engine.logs(container, since=since) or engine.logs(container)
    if _READ_ONLY in lines:
        what += " (its root file system is read-only: for an image that has to write there, declare read_only: false)"
    return kind(f"{container} {what}. Its last log lines:\n{lines}", log=lines.splitlines())


def _inspect(engine: Engine, container: str) -> ContainerFacts:
    answer = engine.inspect(container)
    if answer is None:
        raise DatabaseError(f"{container} was removed while it was waited for: run the task again")
    return from_inspect(answer)


def first_error(stderr: str) -> str:
    """Return the line that says why psql failed, of what it wrote to its standard error."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    marked = [line for line in lines if "ERROR" in line or "FATAL" in line]
    return (marked or lines or ["nothing"])[0].replace("psql:<stdin>:", "line ")

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's SQL, run by psql in the container: as a role that logs in with its password, or as the superuser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from .._domain import show
from .._domain.container import SERVER_PORT
from .._domain.errors import DatabaseError
from .._domain.facts import ContainerFacts
from . import session, statements

if TYPE_CHECKING:
    from .._host.engine import Engine

# What is shown of a statement, and of what psql printed.
_WIDTH = 160
MOST_LINES = 2000
# What ends a transaction, or begins one: within one of ours, what comes after would be on its own.
_TRANSACTION = re.compile(
    r"(?:BEGIN|START\s+TRANSACTION|COMMIT|END|ROLLBACK(?!\s+TO\b|\s+WORK\s+TO\b|\s+TRANSACTION\s+TO\b)|ABORT"
    r"|PREPARE\s+TRANSACTION)\b",
    re.IGNORECASE,
)
_PLACE = re.compile(r"psql:<stdin>:(\d+): ")
# Whoever logs in with a password has no more in the container than that: not the server's user, who need not log in.
_NOBODY = "65534:65534"
_PSQL = "psql -X -w -v ON_ERROR_STOP=1 -f -"
# The password is the first line of the input: not in an argument, nor in what the engine keeps of the command.
_AS_ROLE = f'{session.WHEN_UP}IFS= read -r PGPASSWORD; export PGPASSWORD; up {_PSQL} "$@"'
_AS_SUPERUSER = f'{session.WHEN_UP}IFS= read -r nothing; up {_PSQL} "$@"'


class Script(NamedTuple):
    """name: what its lines are named by, such as that of a file."""

    name: str
    sql: str


class Login(NamedTuple):
    """Whose session it is; without a user, the superuser's."""

    database: str
    username: str | None
    password: str | None


def shown(scripts: list[Script]) -> list[str]:
    """Return a line for each statement, without passwords."""
    found = []
    for script in scripts:
        for statement in statements.split(script.sql):
            line = " ".join(show.without_secrets(statement).split())
            found.append(line if len(line) <= _WIDTH else f"{line[: _WIDTH - 3]}...")
    return found


def check(scripts: list[Script], atomic: bool) -> None:
    """Raise DatabaseError where a script cannot be run as it is asked for."""
    for script in scripts:
        if "\0" in script.sql:
            raise DatabaseError(f"{script.name} is no text: it has a zero byte")
        found = next((one for one in statements.split(script.sql) if _TRANSACTION.match(one)), None) if atomic else None
        if found:
            raise DatabaseError(
                f"{script.name} has {' '.join(found.split())[:40]}, and all of it is one transaction already. Take that"
                " out, or run it as it stands (exec_atomic=false, atomic: false of the module). Nothing was changed"
            )
    if not shown(scripts):
        raise DatabaseError("There is no statement to be run")


def run(
    engine: Engine, facts: ContainerFacts, login: Login, scripts: list[Script], atomic: bool, seconds: int
) -> list[str]:
    """Run scripts one after the other in one session, and return what they printed. Raises DatabaseError."""
    where = ["-d", login.database]
    given = {"PGCLIENTENCODING": "UTF8", "LC_ALL": "C"}
    if login.username is None:
        command, user = _AS_SUPERUSER, session.SUPERUSER
        where += ["-U", session.SUPERUSER]
        given.update(session.environment(facts.major))
    else:
        if facts.ip_address is None:
            raise DatabaseError(f"{facts.name} has no address of its own: is it on a network?")
        command, user = _AS_ROLE, _NOBODY
        # 127.0.0.1 may be trusted inside an image: a login from there is not one with a password.
        where += ["-h", facts.ip_address, "-p", str(SERVER_PORT), "-U", login.username]
    if atomic:
        where.append("-1")
    text_of_all = "".join(script.sql if script.sql.endswith("\n") else f"{script.sql}\n" for script in scripts)
    sent = f"{login.password or ''}\n{text_of_all}"
    whole = ["sh", "-c", command, "sh", *where]
    finished = session.execute_when_up(engine, facts.name, whole, sent, seconds, given, user)
    printed = [*finished.stdout.splitlines(), *_notices(finished.stderr, scripts)]
    if finished.exit_code != 0:
        undone = "Nothing was changed" if atomic else "What comes before it was done"
        printed = _bounded(finished.stdout.splitlines())
        raise DatabaseError(f"{facts.name}: {_failure(finished.stderr, scripts)}. {undone}", output=printed)
    return _bounded(printed)


def _bounded(lines: list[str]) -> list[str]:
    clean = [show.without_secrets(line) for line in lines[:MOST_LINES]]
    return clean + [f"... and {len(lines) - MOST_LINES} more lines"] * (len(lines) > MOST_LINES)


def _notices(stderr: str, scripts: list[Script]) -> list[str]:
    return [_placed(line, scripts) for line in stderr.splitlines() if line.strip()]


def _failure(stderr: str, scripts: list[Script]) -> str:
    lines = [line for line in stderr.splitlines() if line.strip()]
    # The first error, with what the server says besides, but not the statement: it may have a secret.
    first = next((at for at, line in enumerate(lines) if "ERROR:" in line or "FATAL:" in line or "error:" in line), 0)
    told = [line for line in lines[first:] if not line.startswith(("LINE ", "    ", "STATEMENT"))][:4]
    hint = ""
    if "cannot run inside a transaction block" in stderr:
        hint = " (that takes exec_atomic=false, atomic: false of the module)"
    words = "; ".join(show.without_secrets(_placed(line, scripts)) for line in told) or "psql said nothing"
    return f"{words}{hint}"


def _placed(line: str, scripts: list[Script]) -> str:
    """Return a line of psql's with the name and the line of the script that it is about."""
    match = _PLACE.match(line)
    if not match:
        return line
    number = int(match.group(1))
    for script in scripts:
        count = script.sql.count("\n") + (not script.sql.endswith("\n"))
        if number <= count:
            return f"{script.name}, line {number}: {line[match.end() :]}"
        number -= count
    return line[match.end() :]

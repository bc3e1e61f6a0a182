# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pooler that runs: is it ready, let its clients wait while something is done to the server, let them go on.

A PAUSE outlives whoever has asked for it (src/admin.c), so that whatever is done in between, a RESUME comes after it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .._domain import pgbouncer, pooler
from .._domain.container import from_inspect
from .._domain.errors import DatabaseError
from .._domain.pooler_container import GID, UID
from . import console, session, sql, wire

if TYPE_CHECKING:
    from .._domain.facts import ContainerFacts
    from .._domain.record import Record
    from .._host.engine import Engine

_SECONDS = 5
# In pools of sessions, a connection to the server belongs to a client for as long as that stays.
_OF_SESSIONS = "session"
# Who has a transaction open by way of the pooler, for the longest time first.
_HOLDERS = """SELECT format('%s (process %s%s), for %s s', usename, pid,
    nullif(', ' || application_name, ', '), extract(epoch FROM now() - xact_start)::int)
FROM pg_catalog.pg_stat_activity
WHERE datname = {database} AND xact_start IS NOT NULL AND client_addr IN ({addresses}) ORDER BY xact_start LIMIT 3;
"""


class Held(DatabaseError):
    """A transaction did not end in time; clients go on, and nothing was done."""


@dataclasses.dataclass
class Wait:
    """What clients of a pooler had of an operation. seconds: for which they waited; ended: sessions that were cut."""

    seconds: float = 0.0
    ended: int = 0
    warnings: list[str] = dataclasses.field(default_factory=list)


def command(container: ContainerFacts, text: str, seconds: float = _SECONDS) -> list[dict[str, str | None]]:
    """Run a command of the console's. Raises as console.run does."""
    return console.run(container.pid, container.id, UID, GID, text, seconds)


def paused(container: ContainerFacts) -> tuple[str, ...]:
    """Return the names by which clients wait. Raises as console.run does."""
    return tuple(str(row["name"]) for row in command(container, "SHOW DATABASES") if row.get("paused") == "1")


def reload(engine: Engine, container: ContainerFacts, reconnect: bool = False) -> None:
    """Let it read its files again. reconnect: and use no connection to the server any more that it has now."""
    try:
        command(container, "RELOAD")
        if reconnect:
            command(container, "RECONNECT")
    except (wire.Unreachable, socket.timeout):
        # Of an engine in another process namespace, the console is out of reach.
        engine.signal(container.name, "SIGHUP")


def resume(container: ContainerFacts, names: tuple[str, ...]) -> None:
    """Let clients go on. Raises as console.run does."""
    for name in names:
        with contextlib.suppress(wire.Rejected):
            # It is not paused any more.
            command(container, f"RESUME {sql.identifier(name)}")


def wait_until_ready(engine: Engine, name: str, seconds: float) -> ContainerFacts:
    """Wait until it serves, and return its container's facts. Raises session.NotReady."""
    deadline = time.monotonic() + seconds
    while True:
        answer = engine.inspect(name)
        facts = from_inspect(answer) if answer is not None else None
        if facts is None or facts.status in ("exited", "dead", "restarting"):
            raise _not_ready(engine, name, "ended instead of becoming ready")
        if facts.running and _serves(facts):
            return facts
        if time.monotonic() >= deadline:
            raise _not_ready(engine, name, f"was not ready after {seconds} s (wait_timeout)")
        time.sleep(0.05)


def _not_ready(engine: Engine, name: str, what: str) -> session.NotReady:
    lines = engine.logs(name)
    return session.NotReady(f"{name} {what}. Its last log lines:\n{lines}", log=lines.splitlines())


def _serves(facts: ContainerFacts) -> bool:
    try:
        command(facts, "SHOW VERSION")
        return True
    except (wire.Unreachable, socket.timeout):
        pass
    except DatabaseError:
        return False
    try:
        # Of an engine in another process namespace, the console is out of reach.
        with socket.create_connection((facts.ip_address or "", pgbouncer.PORT), timeout=1):
            return True
    except OSError:
        return False


def recorded(engine: Engine, record: Record | None) -> ContainerFacts | None:
    """Return the facts of the container of a database's pooler, None where it has none."""
    known = [one.container for one in record.others if one.role == pooler.POOLER] if record is not None else []
    answer = engine.inspect(known[0]) if known else None
    return from_inspect(answer) if answer is not None else None


def resume_recorded(engine: Engine, record: Record | None) -> None:
    """Let the clients of a database's pooler go on, where a run that was killed has left them waiting."""
    container = recorded(engine, record)
    if container is not None and container.running:
        # A console that does not answer is a matter of what comes later.
        with contextlib.suppress(DatabaseError, wire.Unreachable, socket.timeout):
            resume(container, paused(container))


def pause_timeout(record: Record | None) -> int:
    """Return the seconds for which transactions may go on, as declared."""
    declared = pooler.from_option(record.declared.get("pooler")) if record is not None else None
    return (declared or pooler.DEFAULTS).pause_timeout


@contextlib.contextmanager
def waiting(
    engine: Engine,
    container: ContainerFacts | None,
    server: ContainerFacts | None,
    name: str,
    seconds: int,
    ends: bool = False,
) -> Iterator[Wait]:
    """Let the clients of a pooler wait while the caller interrupts its server, and let them go on whatever comes of it.

    container: the pooler's; name: of the database; seconds: for which transactions may go on. Where one does, raises
    Held, with nothing done; ends: the caller ends it itself, and the others wait.
    """
    wait = Wait()
    if container is None or not container.running:
        yield wait
        return
    began = time.monotonic()
    held = False
    try:
        held = _hold(engine, container, server, name, seconds, ends, wait)
        yield wait
    finally:
        if held:
            _let_go(container, name, wait)
            wait.seconds += time.monotonic() - began


def pause(engine: Engine, container: ContainerFacts, server: ContainerFacts | None, name: str, seconds: int) -> None:
    """Let the clients of a pooler wait until somebody lets them go on. Arguments as of `waiting`. Raises Held."""
    wait = Wait()
    if not _hold(engine, container, server, name, seconds or pooler.DEFAULT_PAUSE, False, wait):
        raise DatabaseError("; ".join(wait.warnings) or f"clients of {container.name} cannot wait: they have sessions")


def _hold(
    engine: Engine,
    container: ContainerFacts,
    server: ContainerFacts | None,
    name: str,
    seconds: int,
    ends: bool,
    wait: Wait,
) -> bool:
    """Let clients wait; False where that cannot be. Counts those whose session ends."""
    try:
        modes = {str(row["name"]): row for row in command(container, "SHOW DATABASES")}
        pools = [row for row in command(container, "SHOW POOLS") if row.get("pool_mode") == _OF_SESSIONS]
        wait.ended = sum(int(row.get("sv_active") or 0) for row in pools)
        if not seconds or modes[name].get("pool_mode") == _OF_SESSIONS:
            # Of sessions, a PAUSE waits until the last client has left.
            return False
        command(container, f"PAUSE {sql.identifier(name)}", seconds)
    except wire.Rejected as error:
        # Somebody has paused it before: they wait already, and go on with the others.
        if "already" in error.text:
            return True
        wait.warnings.append(f"clients of {container.name} do not wait: {error.message}")
        return False
    except socket.timeout:
        if ends:
            wait.warnings.append(f"a transaction was ended: that of {_holders(engine, container, server, name)}")
            return True
        _let_go(container, name, wait)
        holders = _holders(engine, container, server, name)
        raise Held(
            f"Clients of {container.name} cannot wait: a transaction goes on after {seconds} s (pause_timeout) of"
            f" {holders or 'somebody'}. Nothing was changed, and they go on. End that transaction, or declare another"
            " pooler.pause_timeout (0: do not wait for transactions)"
        ) from None
    except (wire.Unreachable, wire.Garbled, KeyError) as error:
        wait.warnings.append(f"clients of {container.name} do not wait: its console does not answer ({error})")
        return False
    return True


def _let_go(container: ContainerFacts, name: str, wait: Wait) -> None:
    for turn in (1, 2, 3):
        try:
            resume(container, (name,))
            return
        except (DatabaseError, wire.Unreachable, socket.timeout) as error:
            if turn == 3:
                wait.warnings.append(
                    f"clients of {container.name} still wait, since its console does not answer ({error}): run this"
                    " again, which lets them go on"
                )
            time.sleep(0.2)


def _holders(engine: Engine, container: ContainerFacts, server: ContainerFacts | None, name: str) -> str:
    addresses = [sql.literal(one.address) + "::inet" for one in container.networks.values() if one.address]
    if server is None or not addresses:
        return ""
    question = _HOLDERS.format(database=sql.literal(name), addresses=", ".join(addresses))
    with contextlib.suppress(DatabaseError):
        return "; ".join(session.ask(engine, server, session.SUPERUSER, question, _SECONDS))
    return ""

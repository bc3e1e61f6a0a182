# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A script put to a server that may hang: whatever becomes of it, the answer comes in time, and nothing is left behind."""

from __future__ import annotations

from ..errors import DatabaseError
from ..host import namespaces
from . import statistics
from .session import SUPERUSER, first_error

_KILLED = 128 + 9


def sections(engine, container, database, names, options, more=""):
    """Ask a server for sections (see server.statistics). Returns (answers by section, other lines, reason by section).

    container: its ContainerFacts. options: limit and timeout. more: SQL for the end, which prints the other lines.
    """
    script = statistics.sections(names, options.limit, options.timeout / 2) + more
    finished = _psql(engine, container, database, script, options.timeout)
    answers, rest = statistics.parse(finished.stdout)
    if finished.exit_code is None:
        why = f"{container.name} did not answer within {options.timeout} s: it may be hung or overloaded"
    else:
        why = f"{container.name}: the server refused: {first_error(finished.stderr)}"
    against = statistics.errors(finished.stderr)
    reasons = {name: _reason(container.name, against.get(name), why) for name in names if name not in answers}
    return answers, rest, reasons


def _reason(container, error, why):
    return why if error is None else f"{container}: the server refused: {error}"


def _psql(engine, container, database, script, seconds):
    quoted = database.replace("\\", "\\\\").replace("'", "\\'")
    target = f"user={SUPERUSER} dbname='{quoted}' client_encoding=UTF8 connect_timeout={max(2, seconds)}"
    command = ["psql", "-XAtq", "-v", "VERBOSITY=terse", "-d", target, "-f", "-"]
    if namespaces.can_enter(container.pid, container.id):
        try:
            return namespaces.execute(container.pid, command, script, seconds)
        except OSError as error:
            raise DatabaseError(f"{container.name} ended while it was asked: {error.strerror}") from error
    # Ended from within: the engine only stops listening to what it has started.
    bounded = ["timeout", "-s", "KILL", str(seconds), *command]
    finished = engine.execute(container.name, bounded, SUPERUSER, script, seconds + 2)
    return finished if finished.exit_code != _KILLED else type(finished)(None, finished.stdout, finished.stderr)

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Statistics asked of a server that may hang, lock or refuse a part of them: what can be had comes, in time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .._domain.errors import DatabaseError
from . import answers as forms
from . import session, statistics, wire

if TYPE_CHECKING:
    from .._domain.facts import ContainerFacts
    from .._host.engine import Engine

# What one of many questions may take of the time of all: where one holds, the others can still be asked alone.
_SHARE = 3
_LEAST = 0.1
_DECLARE = "declare it (extensions: [pg_stat_statements]), which takes a restart"
_NO_STATEMENTS = f"the extension pg_stat_statements is not in the database: {_DECLARE}"
# As after a clone of a database that has it: the dump brings the extension, and not what the server has to load for it.
_NOT_LOADED = f"the extension pg_stat_statements is in the database, but the server has not loaded it: {_DECLARE}"
# SQLSTATE object_not_in_prerequisite_state.
_PREREQUISITE = "55000"


def answers(
    engine: Engine, facts: ContainerFacts, database: str, names: Sequence[str], limit: int, seconds: float
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return (answers, reasons), each by the name of a section (see `statistics`).

    facts: of the server's container. All are asked at once; where the server does not give one of them, each alone.
    """
    deadline = time.monotonic() + seconds
    try:
        found = _ask(engine, facts, database, names, limit, deadline)
        return found, {name: _NO_STATEMENTS for name in names if name not in found}
    except DatabaseError as error:
        if isinstance(error, wire.Rejected) and error.severity in ("FATAL", "PANIC"):
            return {}, dict.fromkeys(names, _words(error, facts))
    found, reasons = {}, {}
    for name in names:
        if deadline - time.monotonic() < _LEAST:
            reasons[name] = f"it did not answer within {seconds:g} s: it may be hung or overloaded"
            continue
        try:
            found.update(_ask(engine, facts, database, [name], limit, deadline))
            if name not in found:
                reasons[name] = _NO_STATEMENTS
        except DatabaseError as error:
            unloaded = name == "queries" and isinstance(error, wire.Rejected) and error.code == _PREREQUISITE
            reasons[name] = _NOT_LOADED if unloaded else _words(error, facts)
    return found, reasons


def _ask(
    engine: Engine, facts: ContainerFacts, database: str, names: Sequence[str], limit: int, deadline: float
) -> dict[str, Any]:
    with forms.understood(facts.name):
        return _asked(engine, facts, database, names, limit, deadline)


def _asked(
    engine: Engine, facts: ContainerFacts, database: str, names: Sequence[str], limit: int, deadline: float
) -> dict[str, Any]:
    about = None
    if statistics.needs_about(names):
        about = forms.load(_lines(engine, facts, database, statistics.ABOUT, deadline)[0])
        forms.check(about, {"version": forms.NUMBER, "statements": forms.OPTIONAL_TEXT})
    seconds = max(_LEAST, (deadline - time.monotonic()) / _SHARE)
    return statistics.parse(_lines(engine, facts, database, statistics.script(names, limit, seconds, about), deadline))


def _lines(engine: Engine, facts: ContainerFacts, database: str, question: str, deadline: float) -> list[str]:
    seconds = max(_LEAST, deadline - time.monotonic())
    return session.ask(engine, facts, database, question, seconds, patient=False)


def _words(error: DatabaseError, facts: ContainerFacts) -> str:
    """The reader knows which database it is of."""
    message = error.message.rpartition(f"{facts.name}: ")[2]
    return f"the server said {message}" if isinstance(error, wire.Rejected) else message

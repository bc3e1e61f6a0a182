# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Statistics asked of a server that may hang, lock or refuse a part of them: what can be had comes, in time."""

from __future__ import annotations

import json
import time

from ..errors import DatabaseError
from . import session, statistics, wire

# What one of many questions may take of the time of all: where one holds, the others can still be asked alone.
_SHARE = 3
_LEAST = 0.1
_NO_STATEMENTS = (
    "the extension pg_stat_statements is not in the database: declare it (extensions: [pg_stat_statements]),"
    " which takes a restart"
)


def answers(engine, facts, database, names, limit, seconds):
    """Return (answers, reasons), each by the name of a section (see `statistics`).

    facts: of the server's container. All are asked at once; where the server does not give one of them, each alone.
    """
    deadline = time.monotonic() + seconds
    found, reasons = {}, {}
    try:
        about = _about(engine, facts, database, seconds) if statistics.needs_about(names) else None
        if about is not None and about["statements"] is None and "queries" in names:
            names, reasons = [name for name in names if name != "queries"], {"queries": _NO_STATEMENTS}
        if not names:
            return {}, reasons
        question = statistics.script(names, limit, seconds / _SHARE, about)
        return _ask(engine, facts, database, question, deadline), reasons
    except DatabaseError as error:
        if deadline - time.monotonic() < _LEAST:
            message = f"{facts.name} did not answer within {seconds:g} s: it may be hung or overloaded"
            return {}, {**dict.fromkeys(names, message), **reasons}
        if isinstance(error, wire.Rejected) and error.severity in ("FATAL", "PANIC"):
            return {}, {**dict.fromkeys(names, error.message), **reasons}
    for name in names:
        remaining = deadline - time.monotonic()
        try:
            question = statistics.script([name], limit, max(_LEAST, remaining / _SHARE), about)
            found.update(_ask(engine, facts, database, question, deadline))
        except DatabaseError as error:
            reasons[name] = error.message
    return found, reasons


def _about(engine, facts, database, seconds):
    return json.loads(session.ask(engine, facts, database, statistics.ABOUT, seconds, patient=False)[0])


def _ask(engine, facts, database, question, deadline):
    seconds = max(_LEAST, deadline - time.monotonic())
    return statistics.parse(session.ask(engine, facts, database, question, seconds, patient=False))

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of declared databases on all hosts, in text for a terminal. Pure.

What hosts have answered is taken for what it is: a text where there is a text, and nothing where there is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from .tables import Cell, plain, printable, table

_UNKNOWN = "-"
_COLOURS = {"failed": "critical", "nothing": None}
# What a plan has done, by a step that no other kind of plan has; the first that is there tells.
_KINDS = (
    ("undelete", "brought back"),
    ("adopt", "adopted"),
    ("trash", "deleted"),
    ("purge", "deleted"),
)


_NAME = re.compile(r"[a-z0-9-]+")


def lines(answers: Mapping[str, Any], check_mode: bool, paint: Callable[[str, str], str] = plain) -> list[str]:
    """Return the table of all databases, and below it what was done to each, and what is pending, in words."""
    known = {host: databases_of(answer) for host, answer in answers.items()}
    several = len(answers) > 1
    place = ["DATABASE", "DOCKER HOST"] if several else ["DATABASE"]
    heading = [*place, "ADDRESS", "WOULD BE" if check_mode else "DONE", "PENDING"]
    rows: list[list[Cell | str]] = []
    told: list[str] = []
    for host, databases in known.items():
        for one in databases:
            name, done = _text(one.get("container_name")), _done(one)
            own = [name, host] if several else [name]
            rows.append([*own, _address(one), Cell(done, colour=_colour(done)), _held(one)])
            told += [f"{printable(' on '.join(own))}: {words}" for words in _words(one, check_mode)]
    found = [*table(heading, rows, paint), *([""] if told else []), *told] if rows else ["No database is declared."]
    for host, answer in answers.items():
        # Names of containers of ours, whatever the host says.
        names = [name for name in map(_text, _list(answer, "undeclared")) if _NAME.fullmatch(name)]
        where = f" on {host}" if several else ""
        if names:
            found.append(
                f"Not declared{where}, and left alone: {', '.join(names)}. Add what is to stay to"
                " postgres_databases; delete what is not with state absent there, or with playbook"
                " vellaric.postgres.delete."
            )
        elif not known[host] and "databases" not in answer:
            found.append(f"{printable(host)}: nothing was done there, see above.")
    return found


def failures(answer: Any) -> dict[str, str]:
    """Return what was wrong with each database of a host that failed."""
    return {_text(one.get("container_name")): _text(one["error"]) for one in databases_of(answer) if one.get("error")}


def to_commit(stored: Mapping[str, Any]) -> list[str]:
    """Return the files that have new credentials. stored: by host, what postgres_db_credentials returned."""
    found = {
        _text(answer.get("path"))
        for answer in stored.values()
        # On another host it is in nobody's repository: what is read then is a copy.
        if isinstance(answer, Mapping) and answer.get("changed") and answer.get("file") == (answer.get("path") or "")
    }
    return sorted(found)


def _list(answer: Any, key: str) -> list[Any]:
    value = answer.get(key) if isinstance(answer, Mapping) else None
    return list(value) if isinstance(value, (list, tuple)) else []


def databases_of(answer: Any) -> list[Mapping[str, Any]]:
    return [one for one in _list(answer, "databases") if isinstance(one, Mapping)]


def _text(value: Any) -> str:
    return printable(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else _UNKNOWN


def _summaries(one: Mapping[str, Any], key: str) -> list[str]:
    return [_text(step.get("summary")) for step in _list(one, key) if isinstance(step, Mapping)]


def _address(one: Mapping[str, Any]) -> str:
    database = one.get("database")
    if not isinstance(database, Mapping) or not database.get("host") or not database.get("port"):
        return _UNKNOWN
    host = _text(database["host"])
    return f"{f'[{host}]' if ':' in host else host}:{_text(database['port'])}"


def _done(one: Mapping[str, Any]) -> str:
    if one.get("error"):
        return "failed"
    verbs = {step.get("verb") for step in _list(one, "actions") if isinstance(step, Mapping)}
    if not verbs:
        return "nothing"
    # A later start makes a container, too, but no role.
    if "role" in verbs and verbs & {"create", "initialise"} and not verbs & {"adopt", "undelete"}:
        return "created"
    return next((word for verb, word in _KINDS if verb in verbs), "changed")


def _colour(done: str) -> str | None:
    return _COLOURS.get(done, "warning")


def _held(one: Mapping[str, Any]) -> str:
    impacts = {_text(step.get("impact")) for step in _list(one, "pending") if isinstance(step, Mapping)}
    return ", ".join(sorted(impacts)) or _UNKNOWN


def _words(one: Mapping[str, Any], check_mode: bool) -> list[str]:
    done, held = ", ".join(_summaries(one, "actions")), ", ".join(_summaries(one, "pending"))
    found = [f"failed: {_text(one['error'])}"] if one.get("error") else []
    found += [("would " if check_mode else "") + done] if done else []
    found += [f"held back: {held}"] if held else []
    return ["; ".join(found)] if found else []

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the hosts answered, as one fleet. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...module_utils._domain.names import ENVIRONMENTS
from .. import answers as known
from ..answers import SEVERITIES

if TYPE_CHECKING:
    # A database as postgres_db_info describes it, with inventory_host.
    Shown = dict[str, Any]

STATUSES = known.STATUSES


@dataclass(frozen=True)
class Host:
    """A Docker host of the inventory: its databases, or why there is nothing of it to be shown.

    odd: what was left out of its answer, since no answer of ours has it.
    """

    name: str
    databases: tuple[Shown, ...] = ()
    error: str | None = None
    odd: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fleet:
    """All hosts. at: when they were asked, in seconds since 1970."""

    hosts: tuple[Host, ...]
    at: float

    @property
    def databases(self) -> list[Shown]:
        """Every database as postgres_db_info gives it, with `inventory_host`, sorted by name."""
        found = [{**shown, "inventory_host": host.name} for host in self.hosts for shown in host.databases]
        return sorted(found, key=_place)

    @property
    def silent(self) -> list[Host]:
        """The hosts of which nothing is shown."""
        return [host for host in self.hosts if host.error]

    @property
    def odd(self) -> list[tuple[str, str]]:
        """What is odd of the hosts that are shown: [(host, text)]."""
        return [(host.name, text) for host in self.hosts for text in host.odd]

    @property
    def findings(self) -> list[dict[str, Any]]:
        """The findings of all databases, the worst first, each with the database's name, environment and host."""
        found = []
        for database in self.databases:
            place = {key: database[key] for key in ("environment", "container_name", "inventory_host")}
            found += [{**finding, **place, "database": database["name"]} for finding in findings(database)]
        return sorted(found, key=lambda finding: _rank(SEVERITIES, finding["severity"]))


def from_answers(answers: object, at: float) -> Fleet:
    """Return the Fleet of {host: what postgres_db_info returned there}. Raises ValueError for anything else."""
    if not isinstance(answers, dict):
        raise ValueError("answers: a mapping of hosts to what postgres_db_info returned there is needed")
    return Fleet(tuple(_host(str(name), answers[name]) for name in sorted(answers, key=str)), at)


def _host(name: str, answer: object) -> Host:
    if isinstance(answer, dict) and answer.get("databases") is not None:
        try:
            databases, odd = known.read(answer)
        except known.Odd as error:
            return Host(name, error=f"its answer is odd: {error}")
        return Host(name, tuple(databases), odd=tuple(odd))
    message = known.message(answer)
    reached = isinstance(answer, dict) and not answer.get("unreachable")
    return Host(name, error=message if reached else f"it cannot be reached: {message}")


def _place(one: Shown) -> tuple[str, int, str]:
    return one["name"], _rank(ENVIRONMENTS, one["environment"]), one["inventory_host"]


def _rank(order: Sequence[str], value: str) -> int:
    return order.index(value) if value in order else len(order)


def label(database: Shown) -> str:
    return f"{database['name']} ({database['environment']})"


def address(database: Shown) -> str:
    return f"{database['host']}:{database['port']}"


def statistics(database: Shown) -> dict[str, Any]:
    return database.get("statistics") or {}


def pooled_clients(known: dict[str, Any]) -> str:
    """Say how many clients a pooler has, from its statistics: C(12 / 1000), C(12 / 1000, 3 wait (4.2 s), paused)."""
    active, waiting = known.get("clients_active") or 0, known.get("clients_waiting") or 0
    words = [f"{active + waiting} / {known.get('clients_limit')}"]
    words += [f"{waiting} wait ({known.get('maxwait_seconds') or 0:.1f} s)"] if waiting else []
    words += ["paused"] if known.get("paused") else []
    return ", ".join(words)


def pooled_connections(known: dict[str, Any]) -> str:
    """Say how many connections to the server a pooler has: C(5 of at most 30)."""
    return f"{known.get('server_connections')} of at most {known.get('server_connections_limit')}"


def findings(database: Shown) -> list[dict[str, Any]]:
    """Return the findings of a database, the worst first."""
    return sorted(database.get("findings") or [], key=lambda finding: _rank(SEVERITIES, finding["severity"]))


def reasons(database: Shown) -> list[tuple[str, str]]:
    """Return what could not be had, and why: [("statistics, queries", "it is stopped")]."""
    found: dict[str, list[str]] = {}
    for name, reason in (database.get("missing") or {}).items():
        found.setdefault(reason, []).append(name)
    return [(", ".join(names), reason) for reason, names in found.items()]


def counted(values: Iterable[str], order: Sequence[str]) -> dict[str, int]:
    """Count values, in an order that is given: {value: count}, without those that do not occur."""
    values = list(values)
    return {value: values.count(value) for value in sorted(set(values), key=lambda one: (_rank(order, one), str(one)))}


def transactions(database: Shown) -> int | None:
    """Return the transactions since the counters began, or None."""
    counted = statistics(database).get("transactions") or {}
    parts = [counted.get("committed"), counted.get("rolled_back")]
    done = [part for part in parts if part is not None]
    return sum(done) if len(done) == len(parts) else None

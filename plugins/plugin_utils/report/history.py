# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history of a fleet: what its databases used, run after run. Pure.

Lines of JSON, one for each host and run, the oldest first:

    {"at": 1767225600, "host": "docker1", "databases": {"shop-production-postgres": {"id": "db-...", "size_bytes": 1}}}

A line that is not whole, such as the last one of a writer that was killed, is passed over, and so is one with figures
that are no numbers. What is old is kept at
longer intervals, so that the file stays small however often a report is made.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from . import figures
from . import fleet as fleets

# What is kept of a database at each time, beside its transactions since the counters began.
FIELDS = (
    "size_bytes",
    "connections",
    "cpu_percent",
    "memory_bytes",
    "disk_used_bytes",
    "disk_free_bytes",
    "disk_total_bytes",
)
# What of the disks is given to the findings: as far back as they look, and not more than they need.
_DISK_DAYS = 30
_DISK_SAMPLES = 60
DAY = 86400
# Up to this age (in seconds), one sample in so many seconds is kept. Older ones: the last entry.
_KEPT = ((3600, 0), (6 * 3600, 60), (7 * DAY, 900))
_KEPT_OLDER = 7200
# The ranges of time that charts are drawn for, in seconds, and how many points each has.
_RANGES = (3600, DAY, 7 * DAY, None)
_POINTS = 120
# Sums and rates of such figures are finite, and times are of the calendar.
_MOST = 2**63
_LAST = 253402300799


if TYPE_CHECKING:
    from .fleet import Fleet, Shown

    class HistoryEntry(TypedDict):
        """What a run adds for a host. at: in seconds since 1970; databases: samples by container."""

        at: float
        host: str
        databases: dict[str, Any]


def lines(fleet: Fleet) -> str:
    """Return the lines that a run adds, as text: one for each host that answered."""
    written = []
    for host in fleet.hosts:
        if not host.error:
            databases = {one["container_name"]: _sample(one) for one in host.databases}
            entry = {"at": round(fleet.at, 1), "host": host.name, "databases": databases}
            written.append(json.dumps(entry, separators=(",", ":"), sort_keys=True) + "\n")
    return "".join(written)


def _sample(database: Shown) -> dict[str, Any]:
    statistics = fleets.statistics(database)
    measured = {**{field: statistics.get(field) for field in FIELDS}, "transactions": fleets.transactions(database)}
    known = {field: value for field, value in measured.items() if value is not None}
    return {"id": database.get("id"), "status": database.get("status"), **known}


def parse(text: str) -> list[HistoryEntry]:
    """Return the entries of a history, by time. What is not one of ours is passed over."""
    entries: list[HistoryEntry] = []
    for line in text.splitlines():
        try:
            entry = json.loads(line, parse_constant=_figure, parse_float=_figure, parse_int=_figure)
        except (ValueError, RecursionError):
            continue
        if (
            isinstance(entry, dict)
            and isinstance(entry.get("at"), (int, float))
            and 0 <= entry["at"] <= _LAST
            and isinstance(entry.get("host"), str)
            and isinstance(entry.get("databases"), dict)
        ):
            databases = {container: _sound(sample) for container, sample in entry["databases"].items()}
            entries.append({"at": entry["at"], "host": entry["host"], "databases": databases})
    return sorted(entries, key=lambda entry: entry["at"])


def _figure(text: str) -> float:
    """Return the number that a text of JSON stands for. Raises ValueError where charts cannot be drawn from it."""
    value = float(text)
    if not -_MOST <= value <= _MOST:
        raise ValueError(text)
    return int(text) if text.lstrip("-").isdigit() else value


def _sound(sample: object) -> dict[str, Any]:
    """Return a sample with nothing among its figures that is none; what is no sample at all is an empty one."""
    known = sample if isinstance(sample, dict) else {}
    return {
        name: value
        for name, value in known.items()
        if name in ("id", "status") or (isinstance(value, (int, float)) and not isinstance(value, bool))
    }


def write(entries: Iterable[HistoryEntry]) -> str:
    return "".join(json.dumps(entry, separators=(",", ":"), sort_keys=True) + "\n" for entry in entries)


def thinned(entries: Sequence[HistoryEntry], now: float, days: float) -> list[HistoryEntry]:
    """Return what is worth keeping: nothing older than so many days, and of what is older fewer and fewer."""
    kept = []
    last: dict[str, tuple[float, float] | None] = {}
    for entry in reversed(entries):
        age = now - entry["at"]
        if age > days * DAY:
            break
        apart = next((seconds for limit, seconds in _KEPT if age <= limit), _KEPT_OLDER)
        # Slots of the clock, not distances: what is kept today is what was kept yesterday.
        slot = (apart, entry["at"] // apart) if apart else None
        if slot is None or last.get(entry["host"]) != slot:
            kept.append(entry)
            last[entry["host"]] = slot
    return kept[::-1]


def samples(entries: Iterable[HistoryEntry], container: str, identity: str | None = None) -> list[dict[str, Any]]:
    """Return the samples of one database, by time: [{"at": ..., "size_bytes": ..., ...}].

    entries: those of its host. identity: only those of the database with this id, not of an earlier one of its name.
    """
    found = []
    for entry in entries:
        sample = entry["databases"].get(container)
        if isinstance(sample, dict) and (identity is None or sample.get("id") in (None, identity)):
            found.append({"at": entry["at"], **sample})
    return found


def series(taken: Iterable[dict[str, Any]], now: float) -> dict[str, list[Any]]:
    """Return what charts are drawn from: columns of the same length, with None where nothing is known.

    Of each of the last hour, day, week and all, so many points at most. Transactions become those in a second, from one
    sample to the next.
    """
    taken = _derived(taken)
    chosen = {}
    for length in _RANGES:
        within = [sample for sample in taken if length is None or sample["at"] >= now - length]
        chosen.update({sample["at"]: sample for sample in _spread(within, _POINTS)})
    times = sorted(chosen)
    names = ("size_bytes", "connections", "cpu_percent", "memory_bytes", "disk_percent", "transactions_per_second")
    columns = {name: [_short(chosen[at].get(name)) for at in times] for name in names}
    return {"at": [round(at) for at in times], **columns}


def _derived(taken: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    before: dict[str, Any] = {}
    found = []
    for sample in taken:
        rate = None
        if None not in (before.get("transactions"), sample.get("transactions")):
            passed, done = sample["at"] - before["at"], sample["transactions"] - before["transactions"]
            # Counted anew after a crash or a reset of the statistics: what lies between is not known.
            rate = done / passed if passed > 0 and done >= 0 else None
        part = figures.filled(sample.get("disk_used_bytes"), sample.get("disk_free_bytes"))
        disk = None if part is None else 100 * part
        found.append({**sample, "transactions_per_second": rate, "disk_percent": disk})
        before = sample
    return found


def _short(value: float | None) -> float | None:
    return value if value is None or isinstance(value, int) else float(f"{value:.4g}")


def disks(entries: Sequence[HistoryEntry], host: str) -> dict[str, list[dict[str, Any]]]:
    """Return what option C(history) of postgres_db_info takes, for a host: how full its disks were.

    {container: [{"gathered_at": "2026-01-24T14:22:50Z", "disk_used_bytes": 1, "disk_total_bytes": 2}, ...]}, the oldest
    first, a limited number of each, spread over the last month.
    """
    keys = ("disk_used_bytes", "disk_total_bytes")
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in entries:
        wanted = entry["host"] == host and entry["at"] >= entries[-1]["at"] - _DISK_DAYS * DAY
        for container, sample in entry["databases"].items() if wanted else ():
            if isinstance(sample, dict) and all(isinstance(sample.get(key), int) for key in keys):
                shown = {"gathered_at": figures.moment(entry["at"]), **{key: sample[key] for key in keys}}
                found.setdefault(container, []).append(shown)
    return {container: _spread(taken, _DISK_SAMPLES) for container, taken in found.items()}


def _spread(items: Sequence[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """Return so many of the items at most, the first and the last among them."""
    if len(items) <= count:
        return list(items)
    return [items[round(turn * (len(items) - 1) / (count - 1))] for turn in range(count)]


def outgrown(before: int, after: int) -> bool:
    """Say whether it is time to write the file anew: seldom, since adding to it is a fraction of the work."""
    return before - after > max(20, before // 4)

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the parts of the page say: figures with their words, their share of a limit, and how bad that is. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import details, figures
from . import fleet as fleets

if TYPE_CHECKING:
    from .fleet import Fleet, Shown
    from .tables import Fact

_SPARKS = 40


def level(part: float | None, warning: float = 0.8, critical: float = 0.95) -> str:
    """Say how bad it is that such a part of a limit is used."""
    return "" if part is None or part < warning else "warning" if part < critical else "critical"


def tiles(fleet: Fleet) -> list[dict[str, Any]]:
    """Return the figures of the whole fleet: what, how much, and a few more words."""
    databases = fleet.databases
    known = [fleets.statistics(one) for one in databases]
    states = fleets.counted((one["status"] for one in databases), fleets.STATUSES)
    found = fleets.counted((finding["severity"] for finding in fleet.findings), fleets.SEVERITIES)
    acute = {severity: count for severity, count in found.items() if severity != "info"}
    backed = [one["backups"] for one in databases if one.get("backups") is not None]
    with_backup = [one for one in backed if one.get("last")]
    verified = [one for one in backed if one.get("last_verified")]
    return [
        _tile("Databases", len(databases), _words(states), "critical" if states.get("error") else ""),
        _tile("Findings", sum(found.values()), _words(found) or "nothing to act on", next(iter(acute), "")),
        _tile("Size", figures.size(_sum(known, "size_bytes")), f"on {figures.plural(_hosts(fleet), 'host')}"),
        _tile("Connections", _count(_sum(known, "connections")), f"of {_count(_sum(known, 'connections_limit'))}"),
        _tile("CPU", figures.percent(_sum(known, "cpu_percent")), "100% is one processor"),
        _tile("Memory", figures.size(_sum(known, "memory_bytes")), "in use"),
        *([_tile("Backed up", f"{len(with_backup)} of {len(backed)}", f"{len(verified)} verified")] if backed else []),
    ]


def _tile(name: str, value: str | int, words: str, bad: str = "") -> dict[str, Any]:
    return {"name": name, "value": value, "words": words, "level": bad}


def _hosts(fleet: Fleet) -> int:
    return len(fleet.hosts) - len(fleet.silent)


def _sum(known: Iterable[Mapping[str, Any]], key: str) -> float | None:
    values = [each[key] for each in known if each.get(key) is not None]
    return sum(values) if values else None


def _count(value: float | None) -> str:
    return figures.number(value)


def _words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {word}" for word, count in counts.items())


def cells(one: Shown, now: float) -> dict[str, dict[str, Any]]:
    """Return the columns of the overview: {column: its text, a figure to sort by, and what part of a limit it is}."""
    known = fleets.statistics(one)
    taken, limit = known.get("connections"), known.get("connections_limit")
    memory = figures.ratio(known.get("memory_bytes"), known.get("memory_limit_bytes"))
    connections = figures.ratio(taken, limit)
    return {
        "size": _cell(known.get("size"), known.get("size_bytes")),
        "connections": _cell(
            None if taken is None else f"{taken} / {limit}" if limit else taken, taken, connections, level(connections)
        ),
        "cpu": _cell(known.get("cpu"), known.get("cpu_percent")),
        "memory": _cell(known.get("memory"), known.get("memory_bytes"), memory, level(memory, 0.9, 0.98)),
        "uptime": _cell(known.get("uptime"), known.get("uptime_seconds")),
        "backup": _backup_cell(one, now),
    }


def _cell(text: str | int | None, value: float | None, part: float | None = None, bad: str = "") -> dict[str, Any]:
    return {
        "text": figures.UNKNOWN if text is None else str(text),
        "value": -1 if value is None else value,
        "percent": None if part is None else round(100 * part, 1),
        "level": bad,
    }


def _backup_cell(one: Shown, now: float) -> dict[str, Any]:
    held = one.get("backups")
    if held is None:
        return {**_cell(None, None), "verified": None}
    last = held.get("last")
    if not last:
        # Sorted as the oldest of all.
        return {**_cell("none", 1e15, bad=_backup_level(one)), "verified": None}
    passed = figures.age(last["created_at"], now)
    return {**_cell(figures.span(passed), passed, bad=_backup_level(one)), "verified": bool(held.get("last_verified"))}


def _backup_level(one: Shown) -> str:
    """How bad the findings say that it is: they know what the environment asks for."""
    found = [finding["severity"] for finding in fleets.findings(one) if str(finding["code"]).startswith("backup")]
    return found[0] if found else ""


def gauges(one: Shown) -> list[dict[str, Any]]:
    """Return what of its limits a database uses: the ones that are known."""
    known = fleets.statistics(one)
    connections = figures.ratio(known.get("connections"), known.get("connections_limit"))
    memory = figures.ratio(known.get("memory_bytes"), known.get("memory_limit_bytes"))
    disk = figures.filled(known.get("disk_used_bytes"), known.get("disk_free_bytes"))
    cpu, cpus = known.get("cpu_percent"), one.get("cpus")
    hits = known.get("cache_hit_ratio")
    found = [
        _gauge("Connections", connections, known.get("connections"), f"of {known.get('connections_limit')}"),
        _gauge("Memory", memory, known.get("memory"), "", 0.9, 0.98),
        _gauge("CPU", figures.ratio(cpu, 100 * (cpus or 1)), known.get("cpu"), _processors(cpus)),
        _gauge("Disk", disk, figures.size(known.get("disk_free_bytes")), "free", 0.8, 0.9),
        # A high one is the good one.
        {**_gauge("Cache hits", hits, figures.percent(None if hits is None else 100 * hits), "", 2, 2), "good": True},
    ]
    return [gauge for gauge in found if gauge["percent"] is not None]


def _gauge(
    name: str, part: float | None, value: str | float | None, words: str, warning: float = 0.8, critical: float = 0.95
) -> dict[str, Any]:
    return {
        "name": name,
        "percent": None if part is None else round(100 * part, 1),
        "value": value,
        "words": words,
        "level": level(part, warning, critical),
        "good": False,
    }


def _processors(cpus: float | None) -> str:
    return "of one processor" if not cpus or cpus == 1 else f"of {cpus:g} processors"


def facts(one: Shown) -> list[Fact]:
    """Return what a person looks up: [(name, value)]."""
    settings = one.get("server_settings") or {}
    known = fleets.statistics(one)
    states = known.get("connections_by_state") or {}
    told = [
        ("Address", fleets.address(one)),
        *_pooler(one),
        ("User", one.get("username")),
        ("sslmode", one.get("sslmode")),
        ("Docker host", one["inventory_host"]),
        ("Container", one["container_name"]),
        ("Image", one.get("image")),
        ("Server", settings.get("version")),
        ("Uptime", known.get("uptime")),
        ("Connections", ", ".join(f"{count} {state}" for state, count in states.items())),
        ("Waiting for a restart", ", ".join(settings.get("pending_restart") or [])),
        ("Deadlocks", known.get("deadlocks") or None),
        ("Certificate", _certificate(one.get("tls") or {})),
        ("Created", figures.minute(one.get("created_at"))),
        ("Id", one.get("id")),
        ("Data", one.get("data_directory")),
    ]
    return [(name, value) for name, value in told if value not in (None, "", figures.UNKNOWN)]


def _pooler(one: Shown) -> list[Fact]:
    declared, known = one.get("pooler"), one.get("pooler_statistics")
    if declared is None:
        return []
    told: list[Fact] = [("Pooler", f"{declared.get('host')}:{declared.get('port')}")]
    if known is not None:
        told += [
            ("Clients of the pooler", fleets.pooled_clients(known)),
            ("Its connections", fleets.pooled_connections(known)),
        ]
    return told


def _certificate(tls: Mapping[str, Any]) -> str | None:
    return f"{tls['days_left']:.0f} days left" if tls.get("days_left") is not None else None


def backups(one: Shown, now: float) -> list[tuple[str, str, bool]] | None:
    """Return what is said of the backups: [(name, value, is it bad)], or None where they were not asked for."""
    if one.get("backups") is None:
        return None
    # Without backups where none is expected, there is nothing wrong: the findings know.
    bad = _backup_level(one) in ("critical", "warning")
    told = details.backups(one["backups"], now)
    return [(name, value, name == "damaged" or (bad and value == "none")) for name, value in told]


def recent(one: Shown, now: float) -> list[dict[str, str | None]]:
    """Return the newest backups: when they were taken, their age and size, and when they were verified."""
    return [
        {
            "taken": figures.minute(each["created_at"]),
            "age": figures.span(figures.age(each["created_at"], now)),
            "size": figures.size(each["size_bytes"]),
            "verified": figures.minute(each["verified_at"]) if each.get("verified_at") else None,
        }
        for each in (one.get("backups") or {}).get("recent") or []
    ]


def query(known: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "text": known["query"],
        "mean": figures.milliseconds(known["mean_ms"]),
        "max": figures.milliseconds(known["max_ms"]),
        "calls": figures.number(known["calls"]),
        "percent": figures.percent(known["percent"]),
        "share": max(0.0, min(100.0, known["percent"] or 0.0)),
    }


def spark(values: Sequence[float | None]) -> list[str]:
    """Return the points of a small line, in a box of 100 by 24: one list for each stretch that is known."""
    values = values[-_SPARKS:]
    top = max([value for value in values if value is not None], default=0) or 1
    step = 100 / max(1, len(values) - 1)
    lines, line = [], []
    for place, value in enumerate([*values, None]):
        if value is not None:
            line.append(f"{place * step:.1f},{22 - 20 * max(0, value) / top:.1f}")
        elif line:
            lines.append(" ".join(line))
            line = []
    return [line for line in lines if " " in line]

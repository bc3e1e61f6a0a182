# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet in text, for a terminal: one function for each view, which returns lines. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from . import details, figures
from . import fleet as fleets
from .tables import STATUS_COLOURS, Cell, plain, printable, right, shortened, table

if TYPE_CHECKING:
    from .fleet import Fleet, Shown
    from .tables import Paint


def listing(fleet: Fleet, paint: Paint = plain, width: int | None = None) -> list[str]:
    heading = [*_place_heading(fleet), "STATUS", "ADDRESS", "IMAGE", "CREATED"]
    rows = [
        [*_place(fleet, one), _status(one), fleets.address(one), one.get("image") or figures.UNKNOWN]
        + [figures.minute(one["created_at"])]
        for one in fleet.databases
    ]
    return [*table(heading, rows, paint), *_reasons(fleet, paint)] if rows else _nothing(fleet, paint)


def statistics(fleet: Fleet, paint: Paint = plain, width: int | None = None) -> list[str]:
    heading = [*_place_heading(fleet), "STATUS", "SIZE", "CONNECTIONS", "CPU", "MEMORY", "UPTIME", "CACHE HITS"]
    pooled = any(one.get("pooler") for one in fleet.databases)
    heading += ["POOLED CLIENTS"] if pooled else []
    rows: list[list[Cell | str]] = []
    for one in fleet.databases:
        known = fleets.statistics(one)
        taken, limit = known.get("connections"), known.get("connections_limit")
        connections = figures.UNKNOWN if taken is None else f"{taken} / {limit}" if limit else str(taken)
        hits = known.get("cache_hit_ratio")
        row: list[Cell | str] = [*_place(fleet, one), _status(one, known.get("status"))]
        row += [right(_known(known, "size")), right(connections, _warned(figures.ratio(taken, limit)))]
        row += [right(_known(known, "cpu"))]
        row += [right(_known(known, "memory"), _warned(figures.ratio(known.get("memory_percent"), 100), 0.9, 0.98))]
        row += [right(_known(known, "uptime")), right(figures.percent(None if hits is None else 100 * hits))]
        rows.append([*row, *([_pooled(one)] if pooled else [])])
    return [*table(heading, rows, paint), *_reasons(fleet, paint)] if rows else _nothing(fleet, paint)


def queries(fleet: Fleet, paint: Paint = plain, width: int | None = None) -> list[str]:
    lines = []
    for one in fleet.databases:
        lines += ["", paint(printable(_title(fleet, one)), "title")]
        if one.get("queries"):
            rows = [_query(query, max(40, (width or 140) - 55)) for query in one["queries"]]
            lines += table(["MEAN", "MAX", "CALLS", "TIME", "ROWS", "QUERY"], rows, paint, "  ")
        elif one.get("queries") is not None:
            lines.append("  No statement has been run yet.")
        lines += [f"  {printable(reason)}" for names, reason in fleets.reasons(one)]
    return [*lines[1:], *_reasons(fleet, paint)] if lines else _nothing(fleet, paint)


def findings(fleet: Fleet, paint: Paint = plain, width: int | None = None) -> list[str]:
    lines = []
    for finding in fleet.findings:
        place = f"{finding['database']} ({finding['environment']})"
        place += f" on {finding['inventory_host']}" if len(fleet.hosts) > 1 else ""
        severity = f"{finding['severity'].upper():<8}"
        lines.append(f"{paint(severity, finding['severity'])}  {printable(place)}: {printable(finding['message'])}")
        lines += [" " * 10 + printable(finding["advice"])] if finding.get("advice") else []
    for one in fleet.databases:
        for names, reason in fleets.reasons(one):
            lines.append(f"{'UNKNOWN':<8}  {printable(_title(fleet, one))}: {printable(names)}: {printable(reason)}")
    if not fleet.databases:
        return _nothing(fleet, paint)
    return [*lines, *([""] if lines else []), _verdict(fleet, paint), *_silent(fleet, paint)]


def every_detail(fleet: Fleet, paint: Paint = plain, width: int | None = None) -> list[str]:
    lines = []
    for one in fleet.databases:
        lines += ["", paint(printable(_title(fleet, one)), "title"), *details.lines(one, fleet.at, paint, width)]
    return [*lines[1:], *_silent(fleet, paint)] if lines else _nothing(fleet, paint)


VIEWS = {
    "list": listing,
    "details": every_detail,
    "statistics": statistics,
    "queries": queries,
    "findings": findings,
}


def document(fleet: Fleet) -> dict[str, Any]:
    """Return what `output=json` shows: all that is known, for a machine."""
    return {
        "generated_at": figures.moment(fleet.at),
        "hosts": [{"name": host.name, "error": host.error, "odd": list(host.odd)} for host in fleet.hosts],
        "databases": fleet.databases,
    }


def summary(fleet: Fleet) -> str:
    """Return one sentence: C(3 databases on 2 hosts: 2 active, 1 stopped.)"""
    states = fleets.counted((one["status"] for one in fleet.databases), fleets.STATUSES)
    hosts = len(fleet.hosts) - len(fleet.silent)
    text = f"{figures.plural(len(fleet.databases), 'database')} on {figures.plural(hosts, 'host')}"
    return f"{text}: {', '.join(f'{count} {state}' for state, count in states.items())}."


def _verdict(fleet: Fleet, paint: Paint) -> str:
    counts = fleets.counted((finding["severity"] for finding in fleet.findings), fleets.SEVERITIES)
    words = ", ".join(paint(f"{count} {severity}", severity) for severity, count in counts.items())
    unknown = any("findings" in (one.get("missing") or {}) for one in fleet.databases)
    nothing = "Nothing to act on of what is known" if unknown else paint("Nothing to act on", "good")
    return f"{words or nothing}. {summary(fleet)}"


def _nothing(fleet: Fleet, paint: Paint) -> list[str]:
    return ["There is no database."] * (len(fleet.silent) < len(fleet.hosts)) + _silent(fleet, paint)


def _reasons(fleet: Fleet, paint: Paint) -> list[str]:
    """The lines below a table: how many there are, and what is wrong."""
    lines = ["", summary(fleet)]
    for one in fleet.databases:
        if one.get("status_reason"):
            lines.append(f"{printable(_title(fleet, one))}: {printable(one['status_reason'])}")
    return lines + _silent(fleet, paint)


def _silent(fleet: Fleet, paint: Paint) -> list[str]:
    named = [(host.name, host.error) for host in fleet.silent]
    named += [(host, f"its answer is odd: {text}") for host, text in fleet.odd]
    return [f"{paint(printable(host), 'critical')}: {printable(text)}" for host, text in named]


def _place_heading(fleet: Fleet) -> list[str]:
    return ["DATABASE", "ENVIRONMENT"] + (["DOCKER HOST"] if len(fleet.hosts) > 1 else [])


def _place(fleet: Fleet, one: Shown) -> list[str]:
    return [one["name"], one["environment"]] + ([one["inventory_host"]] if len(fleet.hosts) > 1 else [])


def _title(fleet: Fleet, one: Shown) -> str:
    return fleets.label(one) + (f" on {one['inventory_host']}" if len(fleet.hosts) > 1 else "")


def _status(one: Shown, word: str | None = None) -> Cell:
    return Cell(word or one["status"], colour=STATUS_COLOURS.get(one["status"]))


def _known(known: Mapping[str, Any], key: str) -> str:
    return known.get(key) or figures.UNKNOWN


def _warned(part: float | None, warning: float = 0.8, critical: float = 0.95) -> str | None:
    return None if part is None or part < warning else "warning" if part < critical else "critical"


def _pooled(one: Shown) -> Cell:
    known = one.get("pooler_statistics")
    if known is None:
        return right(figures.UNKNOWN)
    waits = known.get("clients_waiting") or known.get("paused")
    return right(fleets.pooled_clients(known), "warning" if waits else None)


def _query(query: Mapping[str, Any], width: int) -> list[Cell | str]:
    return [
        right(figures.milliseconds(query["mean_ms"])),
        right(figures.milliseconds(query["max_ms"])),
        right(figures.number(query["calls"])),
        right(figures.percent(query["percent"])),
        right(figures.number(query["rows"])),
        shortened(query["query"], width),
    ]

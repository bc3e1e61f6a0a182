# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One database in text: all that is known of it, in sections. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from . import figures
from . import fleet as fleets
from .tables import STATUS_COLOURS, Cell, pairs, plain, printable, right, shortened, table

if TYPE_CHECKING:
    from .fleet import Shown
    from .tables import Fact, Paint


def lines(database: Shown, now: float, paint: Paint = plain, width: int | None = None) -> list[str]:
    """Return the lines of a database, without its title."""
    shown: list[str] = []
    for title, body in _sections(database, now, paint, width or 120):
        if body:
            shown += [*([""] if shown else []), f"  {paint(title, 'heading')}", *body]
    return shown


def _sections(one: Shown, now: float, paint: Paint, width: int) -> Iterator[tuple[str, list[str]]]:
    known = fleets.statistics(one)
    yield "Connection", pairs(_connection(one), paint, "    ")
    yield "Pooler", pairs(_pooler(one), paint, "    ")
    yield "Container", pairs(_container(one), paint, "    ")
    yield "Limits and parameters", pairs(_limits(one), paint, "    ")
    yield "Figures", pairs(_figures(known), paint, "    ") if known else []
    yield "Server", pairs(_server(one.get("server_settings") or {}), paint, "    ")
    yield "Largest tables", _tables(one.get("sizes") or {}, paint)
    yield "Open transactions", _transactions(one.get("activity") or {}, paint, width)
    yield "Certificate", pairs(_certificate(one.get("tls") or {}), paint, "    ")
    yield "Backups", pairs(backups(one.get("backups"), now), paint, "    ")
    yield "Findings", _findings(one, paint)
    yield "Not known", [f"    {printable(name)}: {printable(reason)}" for name, reason in fleets.reasons(one)]


def _connection(one: Shown) -> list[Fact]:
    return [
        ("host", one["host"]),
        ("port", one["port"]),
        ("user", one["username"]),
        ("database", one["database"]),
        ("sslmode", one["sslmode"]),
        ("published at", one.get("bind_address")),
        ("trusted sources", _list(one.get("trusted_sources"))),
        ("authority", one.get("ca_file")),
    ]


def _pooler(one: Shown) -> list[Fact]:
    declared, known = one.get("pooler"), one.get("pooler_statistics")
    if declared is None:
        return []
    told: list[Fact] = [
        ("host", declared.get("host")),
        ("port", declared.get("port")),
        ("database", f"{declared.get('database')}, for sessions {declared.get('session_database')}"),
        ("status", declared.get("container_status")),
    ]
    if known is not None:
        told += [
            ("PgBouncer", known.get("version")),
            ("clients", fleets.pooled_clients(known)),
            ("connections to the server", fleets.pooled_connections(known)),
        ]
        told += [(f"{pool['user']} in {pool['database']}", _pool(pool)) for pool in known.get("pools") or []]
    return told


def _pool(pool: Mapping[str, Any]) -> str:
    waiting = pool.get("clients_waiting")
    waits = f" and {waiting} that wait ({pool.get('maxwait_seconds')} s)" if waiting else ""
    return f"{pool.get('clients_active')} clients{waits}, {pool.get('server_connections')} connections"


def _container(one: Shown) -> list[Fact]:
    status = one["status"] + (f": {one['status_reason']}" if one.get("status_reason") else "")
    return [
        ("status", Cell(status, colour=STATUS_COLOURS.get(one["status"]))),
        ("name", one["container_name"]),
        ("id", one["id"]),
        ("image", one.get("image")),
        ("health", one.get("health")),
        ("created", figures.minute(one["created_at"])),
        ("started", figures.minute(one["started_at"]) if one.get("started_at") else None),
        ("restarts", one.get("restart_count") or None),
        ("data", one.get("data_directory")),
        ("backups", one.get("backup_directory")),
    ]


def _limits(one: Shown) -> list[Fact]:
    memory = one.get("memory_limit_bytes")
    return [
        ("memory", figures.size(memory) if memory else "no limit"),
        ("processors", one.get("cpus") or "no limit"),
        ("protected", "from deletion" if one.get("deletion_protection") else "no"),
        ("extensions", _list(one.get("extensions") or None)),
        *((name, value) for name, value in sorted((one.get("parameters") or {}).items())),
    ]


def _figures(known: Mapping[str, Any]) -> list[Fact]:
    taken, limit = known.get("connections"), known.get("connections_limit")
    hits, done = known.get("cache_hit_ratio"), known.get("transactions") or {}
    free, whole = known.get("disk_free_bytes"), known.get("disk_total_bytes")
    states = ", ".join(f"{count} {state}" for state, count in (known.get("connections_by_state") or {}).items())
    return [
        ("size", known.get("size")),
        ("disk", f"{figures.size(free)} of {figures.size(whole)} free" if whole else None),
        ("connections", None if taken is None else f"{taken} of {limit}" + (f" ({states})" if states else "")),
        ("cpu", known.get("cpu")),
        ("memory", known.get("memory")),
        ("uptime", known.get("uptime")),
        ("cache hits", None if hits is None else figures.percent(100 * hits, 2)),
        ("transactions", figures.number(done["committed"]) if done.get("committed") is not None else None),
        ("rolled back", figures.number(done["rolled_back"]) if done.get("rolled_back") else None),
        ("deadlocks", known.get("deadlocks") or None),
        ("temporary files", _temporary(known)),
    ]


def _temporary(known: Mapping[str, Any]) -> str | None:
    files = known.get("temporary_files")
    return f"{figures.number(files)}, {figures.size(known.get('temporary_bytes'))} written" if files else None


def _server(settings: Mapping[str, Any]) -> list[Fact]:
    extensions = [f"{each['name']} {each['version']}" for each in settings.get("extensions") or []]
    return [
        ("version", settings.get("version")),
        ("extensions", _list(extensions or None)),
        ("waiting for a restart", _list(settings.get("pending_restart") or None)),
    ]


def _tables(sizes: Mapping[str, Any], paint: Paint) -> list[str]:
    rows: list[list[Cell | str]] = [
        [
            f"{each['schema']}.{each['name']}",
            right(figures.size(each["size_bytes"])),
            right(figures.number(each["rows"])),
            right(figures.number(each["dead_rows"])),
        ]
        for each in sizes.get("tables") or []
    ]
    return table(["TABLE", "SIZE", "ROWS", "DEAD ROWS"], rows, paint, "    ") if rows else []


def _transactions(activity: Mapping[str, Any], paint: Paint, width: int) -> list[str]:
    rows = [
        [right(figures.span(each["seconds"])), each["user"], each["address"], each["state"]]
        + [each.get("wait") or figures.UNKNOWN, shortened(each["query"] or "", max(30, width - 80))]
        for each in activity.get("transactions") or []
    ]
    return table(["OPEN", "USER", "FROM", "STATE", "WAITS FOR", "QUERY"], rows, paint, "    ") if rows else []


def _certificate(tls: Mapping[str, Any]) -> list[Fact]:
    left = tls.get("days_left")
    return [
        ("valid until", None if left is None else f"{figures.minute(tls['not_after'])} ({left:.0f} days)"),
        ("names", _list(tls.get("names"))),
        ("protocol", tls.get("protocol")),
    ]


def backups(held: Mapping[str, Any] | None, now: float) -> list[tuple[str, str]]:
    """Return what is said of backups: [(name, value)]."""
    if held is None:
        return []
    last, verified = held.get("last"), held.get("last_verified")
    told = [
        ("last", f"{figures.ago(last['created_at'], now)}, {figures.size(last['size_bytes'])}" if last else "none"),
        ("last verified", figures.ago(verified["created_at"], now) if verified else "none"),
        ("kept", f"{held['count']}, {figures.size(held['size_bytes'])}" if held.get("count") else None),
        ("damaged", _list([each["path"] for each in held.get("damaged") or []] or None)),
    ]
    return [(name, value) for name, value in told if value is not None]


def _findings(one: Shown, paint: Paint) -> list[str]:
    return [
        f"    {paint(finding['severity'].upper(), finding['severity'])}  {printable(finding['message'])}"
        f" {printable(finding.get('advice') or '')}".rstrip()
        for finding in fleets.findings(one)
    ]


def _list(values: Iterable[object] | None) -> str | None:
    return None if values is None else ", ".join(map(str, values)) or "none"

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ails a pooler: it is gone, its clients wait, or it may open more than the server has. Pure rules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .._domain import pgbouncer, pooler
from .._domain.errors import DatabaseError
from .finding import CRITICAL, WARNING, Finding, above, listed

if TYPE_CHECKING:
    from .finding import Facts
    from .thresholds import Limits


def not_running(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    declared, silent = facts["shown"].get("pooler"), facts.get("pooler_silent")
    if declared is None or facts["shown"]["status"] == "stopped":
        return
    name, status = declared["container_name"], declared["container_status"]
    if status != "running":
        what = "is missing" if status == "absent" else f"does not run ({status})"
        yield Finding(
            CRITICAL,
            "pooler_not_running",
            f"Its pooler {name} {what}: clients that connect by way of it are refused.",
            "Start it (playbook start, which also creates one that is missing)."
            + ("" if status == "absent" else f" If it ends again, see why: docker logs {name}."),
        )
    elif silent and declared["health"] == "unhealthy":
        yield Finding(
            CRITICAL,
            "pooler_not_answering",
            f"Its pooler {name} runs, but does not answer: {silent}.",
            f"See why (docker logs {name}), and restart it: docker restart {name}.",
        )


def paused(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    known = facts.get("pooler_statistics") or {}
    if known.get("paused"):
        waiting, seconds = known["clients_waiting"], known["maxwait_seconds"]
        # A run that interrupts the server pauses it for a few seconds.
        acute = waiting and seconds >= limits["pooler_wait_warning_seconds"]
        waits = f"{_clients(waiting)} for {seconds:.0f} s" if waiting else "so far none does"
        yield Finding(
            CRITICAL if acute else WARNING,
            "pooler_paused",
            f"Its pooler is paused ({listed(known['paused'])}): clients wait until it is resumed, {waits}.",
            "Where no run and nobody else has paused it on purpose, let them go on: playbook resume. Any run on the"
            " database does so, too.",
        )


def clients_waiting(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    known = facts.get("pooler_statistics") or {}
    if known.get("paused") or facts.get("silent") or not known.get("clients_waiting"):
        return
    limit = limits["pooler_wait_warning_seconds"], limits["pooler_wait_critical_seconds"]
    severity = above(known["maxwait_seconds"], *limit)
    if severity is not None:
        full = [pool for pool in known["pools"] if pool["clients_waiting"]]
        where = [
            f"{pool['user']} in {pool['database']} ({pool['server_connections']} connections,"
            f" {pool['server_connections_active']} in use)"
            for pool in full
        ]
        yield Finding(
            severity,
            "pooler_clients_waiting",
            f"{_clients(known['clients_waiting'])} for a connection to the server, one of them for"
            f" {known['maxwait_seconds']:.1f} s" + (f": {listed(where)}." if where else "."),
            "See what keeps the connections (gather: [activity]): long or idle transactions. Where all are at work and"
            " the server has processors to spare, raise pooler.pool_size.",
        )


def clients_near_limit(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    known = facts.get("pooler_statistics") or {}
    most = known.get("clients_limit")
    if most:
        count = known["clients_active"] + known["clients_waiting"]
        severity = above(100 * count / most, limits["connections_warning"], limits["connections_critical"])
        if severity is not None:
            yield Finding(
                severity,
                "pooler_clients_near_limit",
                f"{count} of at most {most} clients are connected to its pooler ({100 * count / most:.0f} %).",
                "Raise pooler.max_clients, or let the application open fewer connections.",
            )


def too_large(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    wanted = (facts.get("pooler_statistics") or {}).get("server_connections_limit")
    given = (facts.get("statistics") or {}).get("connections_limit")
    if wanted and given is not None and wanted + pooler.OWN_CONNECTIONS > given:
        yield Finding(
            WARNING,
            "pooler_too_large",
            f"Its pooler may open {wanted} connections, but the server gives its users {given}, of which"
            f" {pooler.OWN_CONNECTIONS} are kept for backups, statistics and runs: clients may be refused.",
            "Declare fewer (pooler.server_connections, session_connections), or a larger max_connections in settings.",
        )


def version(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    known = (facts.get("pooler_statistics") or {}).get("version")
    if known is not None:
        try:
            pgbouncer.version(known, "Its pooler")
        except DatabaseError as error:
            advice = "Declare another image (pooler.image), and run the task that declares the database again."
            yield Finding(WARNING, "pooler_version", f"{error.message}.", advice)


def _clients(count: int) -> str:
    return f"{count} client{' waits' if count == 1 else 's wait'}"


RULES = (not_running, paused, clients_waiting, clients_near_limit, too_large, version)

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was found, as module postgres_db_info returns it. Pure."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .._backups import catalog
from .._domain import show
from .._domain.units import format_cpus

if TYPE_CHECKING:
    from .._backups.catalog import Backup
    from .._domain.facts import ContainerFacts
    from .._host.cgroups import Sample

STATUS = {"active": "running"}
# What a server says of itself, and what stands in its place while it says nothing.
_OF_SERVER = (
    "connections",
    "database_bytes",
    "connections_limit",
    "connections_by_state",
    "connections_by_user",
    "connections_by_address",
    "cache_hit_ratio",
    "transactions",
    "rows",
    "deadlocks",
    "temporary_files",
    "temporary_bytes",
    "checksum_failures",
    "statistics_since",
    "live_rows",
    "dead_rows",
    "oldest_transaction_age",
    "oldest_multixact_age",
)

_OF_CERTIFICATE = ("subject", "issuer", "names", "not_before", "not_after", "fingerprint", "authority_not_after")


def statistics(
    status: str,
    server: Mapping[str, Any] | None,
    lying: Mapping[str, Any],
    cpu: float | None,
    sample: Sample | None,
    memory_limit: int | None,
    uptime: int | None,
    now: str,
) -> dict[str, Any]:
    """Return the figures of the dashboard. server: the section's answer; sample: cgroups.Sample; any may be None."""
    size, space = lying.get("directory_bytes"), lying.get("disk") or {}
    answer = server or {}
    return {
        "status": STATUS.get(status, status),
        "size": None if size is None else show.size(size),
        "cpu": None if cpu is None else show.percent(cpu),
        "memory": None if sample is None or memory_limit is None else show.memory(sample.memory, memory_limit),
        "uptime": None if uptime is None else show.duration(uptime),
        "gathered_at": now,
        "size_bytes": size,
        "cpu_percent": cpu,
        "memory_bytes": sample.memory if sample else None,
        "memory_limit_bytes": memory_limit,
        "memory_percent": round(100 * sample.memory / memory_limit, 1) if sample and memory_limit else None,
        "uptime_seconds": uptime,
        "disk_total_bytes": space.get("total_bytes"),
        "disk_used_bytes": space.get("used_bytes"),
        "disk_free_bytes": space.get("free_bytes"),
        **{name: answer.get(name) for name in _OF_SERVER},
    }


def container(facts: ContainerFacts, sample: Sample | None) -> dict[str, Any]:
    config = facts.config
    return {
        "id": facts.id,
        "image_id": config.image_id if config else None,
        "status": facts.status,
        "exit_code": facts.exit_code,
        "health": facts.health,
        "created_at": facts.created_at,
        "restart_count": facts.restart_count,
        "restart_policy": config.restart_policy if config else None,
        "oom_killed": facts.oom_killed,
        "oom_kills": sample.oom_kills if sample else None,
        "address": facts.ip_address,
        "pid": facts.pid or None,
        "processes": sample.processes if sample else None,
        "cpus": format_cpus(config.nano_cpus) if config else None,
        "memory_limit_bytes": config.memory if config else None,
    }


def settings(answer: Mapping[str, Any]) -> dict[str, Any]:
    parameters = {
        name: {**known, "value": show.without_secrets(known["value"])}
        for name, known in sorted(answer["parameters"].items(), key=lambda item: item[0].lower())
    }
    # Distributions put their own version behind it, in parentheses.
    return {**answer, "version": answer["version"].split()[0], "parameters": parameters}


def sizes(answer: Mapping[str, Any] | None, lying: Mapping[str, Any]) -> dict[str, Any]:
    """answer: the section's, None where the server gave none; lying: what was found on the disk, in bytes."""
    server = answer or {}
    return {
        "directory_bytes": lying.get("directory_bytes"),
        "backups_bytes": lying.get("backups_bytes"),
        "wal_bytes": server.get("wal_bytes"),
        "disk": lying.get("disk"),
        "backup_disk": lying.get("backup_disk"),
        "databases": server.get("databases"),
        "tables": server.get("tables"),
        "indexes": server.get("indexes"),
    }


def queries(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [_readable(query) for query in answer["queries"]]


def activity(answer: Mapping[str, Any]) -> dict[str, Any]:
    blocked = [
        {**_readable(one), "blocked_by": [_readable(other) for other in one["blocked_by"]]} for one in answer["blocked"]
    ]
    return {**answer, "transactions": [_readable(one) for one in answer["transactions"]], "blocked": blocked}


def backups(directory: str, found: Sequence[Backup], limit: int, schedule: Mapping[str, Any] | None) -> dict[str, Any]:
    """found: as Place.backups gives them, newest last; schedule: as timetable.Timetable.of gives it."""
    good = [backup for backup in found if backup.good]
    verified = [backup for backup in good if backup.verified]
    return {
        "directory": directory,
        "count": len(good),
        "size_bytes": sum(backup.size_bytes for backup in found),
        "last": catalog.describe(good[-1]) if good else None,
        "last_verified": catalog.describe(verified[-1]) if verified else None,
        "recent": [catalog.describe(backup) for backup in reversed(good[-limit:])],
        "damaged": [catalog.describe(backup) for backup in found if not backup.good],
        "schedule": schedule,
    }


def tls(certificate: Mapping[str, Any], served: tuple[bytes | None, str | None] | None, now: str) -> dict[str, Any]:
    """certificate: as host.tls.facts gives it, with the authority's end; served: as host.served has it, or None."""
    shown, protocol = served or (None, None)
    left = datetime.datetime.fromisoformat(certificate["not_after"][:19]) - datetime.datetime.fromisoformat(now[:19])
    return {
        **{name: certificate.get(name) for name in _OF_CERTIFICATE},
        "days_left": round(left.total_seconds() / 86400, 1),
        "served": None if shown is None else hashlib.sha256(shown).hexdigest() == certificate["fingerprint"],
        "protocol": protocol,
    }


def _readable(item: Mapping[str, Any]) -> dict[str, Any]:
    return {**item, "query": show.without_secrets(item["query"] or "")}

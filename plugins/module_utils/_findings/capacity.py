# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs out: connections, disk, memory, transaction numbers. Pure rules over gathered facts."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .._domain import show
from .finding import CRITICAL, WARNING, Finding, above, days
from .forecast import days_until_full

if TYPE_CHECKING:
    from .finding import Facts
    from .thresholds import Limits

# https://www.postgresql.org/docs/current/routine-vacuuming.html#VACUUM-FOR-WRAPAROUND
_WRAPAROUND = 1 << 31


def connections_near_limit(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    known = facts.get("statistics") or {}
    taken, limit = known.get("connections"), known.get("connections_limit")
    if taken is None or not limit:
        return
    percent = 100 * taken / limit
    severity = above(percent, limits["connections_warning"], limits["connections_critical"])
    if severity:
        yield Finding(
            severity,
            "connections_near_limit",
            f"{taken} of {limit} connections are in use ({percent:.0f} %).",
            "See who uses them (gather: [statistics]: connections_by_user, connections_by_address), use a connection"
            " pooler, or raise max_connections.",
        )


def disk_filling(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    data, backups = facts.get("disk"), facts.get("backup_disk")
    places = [("the data", data)]
    if backups and data and backups["total_bytes"] != data["total_bytes"]:
        places.append(("the backups", backups))
    for what, space in places:
        if not space:
            continue
        severity = above(space["used_percent"], limits["disk_warning"], limits["disk_critical"])
        if severity:
            yield Finding(
                severity,
                "disk_filling",
                f"The disk of {what} is {space['used_percent']:.0f} % full: {show.size(space['free_bytes'])} of"
                f" {show.size(space['total_bytes'])} are left.",
                "Free space or enlarge the disk: the server stops without free space. gather: [sizes] shows what is"
                " large.",
            )


def disk_full_soon(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    space = facts.get("disk")
    if not space:
        return
    left = days_until_full(facts.get("samples") or [], space["free_bytes"], now)
    if left is None or left > limits["disk_full_warning_days"]:
        return
    when = datetime.datetime.fromisoformat(now[:19]) + datetime.timedelta(days=left)
    yield Finding(
        CRITICAL if left <= limits["disk_full_critical_days"] else WARNING,
        "disk_full_soon",
        f"At the present growth, the disk of the data will be full on {when.date()}, in {days(left)}:"
        f" {show.size(space['free_bytes'])} are left.",
        "Free space or enlarge the disk before then. gather: [sizes] shows what is large.",
    )


def out_of_memory(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    known = facts.get("container") or {}
    kills = known.get("oom_kills") or 0
    if known.get("oom_killed") and facts["shown"]["container_status"] != "running":
        yield Finding(
            CRITICAL,
            "out_of_memory",
            "The OOM killer killed it: it needed more memory than its limit.",
            "Raise memory, or lower work_mem, max_connections or shared_buffers; tune: true derives them.",
        )
    elif kills:
        yield Finding(
            WARNING,
            "out_of_memory",
            f"Since it started, the OOM killer has killed {kills} of its processes.",
            "Each such kill restarts the server and ends all connections. Raise memory, or lower work_mem or"
            " max_connections; tune: true derives them.",
        )


def wraparound(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    known = facts.get("statistics") or {}
    for key, what in (("oldest_transaction_age", "transactions"), ("oldest_multixact_age", "multixacts")):
        if known.get(key) is None:
            continue
        percent = 100 * known[key] / _WRAPAROUND
        severity = above(percent, limits["wraparound_warning"], limits["wraparound_critical"])
        if severity:
            yield Finding(
                severity,
                "wraparound",
                f"The oldest unfrozen row is {known[key]} {what} old, {percent:.0f} % of the limit (wraparound): at"
                " 100 %"
                " the server accepts no more writes.",
                "Find what blocks vacuum (gather: [activity]: vacuum_held_by), end it, and run VACUUM FREEZE.",
            )


def retained_wal(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    for slot in (facts.get("replication") or {}).get("slots") or []:
        if slot["retained_bytes"] >= limits["retained_wal_bytes"]:
            reader = "has no consumer" if not slot["active"] else "is behind"
            yield Finding(
                WARNING,
                "retained_wal",
                f"Replication slot {slot['name']} {reader} and retains {show.size(slot['retained_bytes'])} of WAL.",
                "Restart its consumer, or drop the slot (pg_drop_replication_slot), or set max_slot_wal_keep_size.",
            )


RULES = (connections_near_limit, disk_filling, disk_full_soon, out_of_memory, wraparound, retained_wal)

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What module postgres_db_info returned on a host, checked once, where it comes in. Pure.

A host is trusted with its own databases and nothing else: what it answers is read here into plain values of the types
that the module documents. What follows (inventory, report, history) relies on these types and on nothing that a host
says beyond them.
"""

from __future__ import annotations

import re
from typing import Any

from ..module_utils._domain.names import ENVIRONMENTS, InvalidName, container_name
from . import typed
from .typed import ListOf, MappingOf, Odd, Record, amount, flag, moment, number, one_of, text

STATUSES = ("active", "stopped", "error")
SEVERITIES = ("critical", "warning", "info")

_IDENTITY = re.compile(r"db-[0-9a-f]{24}")


def read(answer: Any) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the databases of an answer of postgres_db_info as plain values, and what was odd of what was gathered.

    What is odd of what was gathered of a database is left out, and in `missing` of that database: its owner has a part
    in it, and shall not hide the others of the host. Raises Odd where a database itself is odd.
    """
    if not isinstance(answer, dict) or not isinstance(answer.get("databases"), (list, tuple)):
        raise Odd("there is no list of databases in it")
    found, odd, containers = [], [], set()
    for place, given in enumerate(answer["databases"]):
        where = f"databases[{place}]"
        shown, complaints = _database(given, where)
        if shown["container_name"] in containers:
            raise typed.odd(f"{where}.container_name", "that of another one, too")
        containers.add(shown["container_name"])
        found.append(shown)
        odd += [f"{shown['container_name']}: {complaint}" for complaint in complaints]
    return found, odd


def message(answer: Any) -> str:
    """Return why a host gave no databases, in the words of whoever says so."""
    told = answer.get("msg") if isinstance(answer, dict) else None
    if not isinstance(told, str) or not told.strip():
        return "it gave no answer"
    return typed.clean(told).strip()


def _database(given: Any, where: str) -> tuple[dict[str, Any], list[str]]:
    """Return a database, and what was odd of what was gathered of it. Its names belong together: others follow them."""
    if not isinstance(given, dict):
        raise typed.odd(where, "no mapping")
    shown = _DATABASE({key: value for key, value in given.items() if key not in _GATHERED}, where)
    try:
        container = container_name(shown["name"], shown["environment"])
    except InvalidName:
        raise typed.odd(typed.below(where, "name"), "no name of a database") from None
    if shown["container_name"] != container:
        raise typed.odd(typed.below(where, "container_name"), "not that of its name and environment")
    odd = {}
    for key, of in _GATHERED.items():
        if key in given:
            try:
                shown[key] = None if given[key] is None else of(given[key], key)
            except Odd as error:
                shown[key], odd[_GATHERED_AS.get(key, key)] = None, str(error)
    if odd:
        shown["missing"] = {**(shown.get("missing") or {}), **{key: f"the answer is odd: {odd[key]}" for key in odd}}
    return shown, list(odd.values())


def _identity(value: Any, where: str) -> str:
    if not isinstance(value, str) or not _IDENTITY.fullmatch(value):
        raise typed.odd(where, "no identity of a database")
    return str.__str__(value)


_TEXTS = ListOf(text)
_FINDING = Record(
    "severity",
    "code",
    "message",
    severity=one_of(*SEVERITIES),
    code=text,
    database=text,
    message=text,
    advice=text,
)
_STEP = Record(verb=text, summary=text, impact=text, reason=text)
_DISK = Record(total_bytes=amount, used_bytes=amount, free_bytes=amount, used_percent=amount)
_BACKUP = Record(
    "path",
    "created_at",
    "size_bytes",
    name=text,
    path=text,
    created_at=moment,
    age_seconds=number,
    size_bytes=amount,
    format=text,
    good=flag,
    damage=text,
    checked_at=moment,
    verified_at=moment,
    server_version=text,
    taken_by=text,
)
# What is known of a damaged one may be little.
_DAMAGED = Record("path", path=text, created_at=moment, size_bytes=amount, damage=text)
_SCHEDULED = {
    "calendar": text,
    "unit": text,
    "active": flag,
    "next_run_at": moment,
    "last_run_at": moment,
    "last_outcome": text,
    "last_reason": text,
    "last_success_at": moment,
    "notification_error": text,
}
_STATISTICS = Record(
    status=text,
    size=text,
    connections=amount,
    cpu=text,
    memory=text,
    uptime=text,
    gathered_at=moment,
    size_bytes=amount,
    database_bytes=amount,
    connections_limit=amount,
    connections_by_state=MappingOf(amount),
    connections_by_user=MappingOf(amount),
    connections_by_address=MappingOf(amount),
    cpu_percent=amount,
    memory_bytes=amount,
    memory_limit_bytes=amount,
    memory_percent=amount,
    uptime_seconds=number,
    cache_hit_ratio=amount,
    transactions=Record(committed=amount, rolled_back=amount),
    rows=MappingOf(amount),
    deadlocks=amount,
    temporary_files=amount,
    temporary_bytes=amount,
    checksum_failures=amount,
    statistics_since=moment,
    live_rows=amount,
    dead_rows=amount,
    oldest_transaction_age=number,
    oldest_multixact_age=number,
    disk_total_bytes=amount,
    disk_used_bytes=amount,
    disk_free_bytes=amount,
)
_SETTINGS = Record(
    version=text,
    parameters=MappingOf(Record(value=text, source=text, pending_restart=flag)),
    pending_restart=_TEXTS,
    extensions=ListOf(Record("name", name=text, version=text, available=text)),
)
_SIZES = Record(
    directory_bytes=amount,
    backups_bytes=amount,
    wal_bytes=amount,
    disk=_DISK,
    backup_disk=_DISK,
    databases=ListOf(Record("name", name=text, size_bytes=amount)),
    tables=ListOf(
        Record(
            "schema",
            "name",
            schema=text,
            name=text,
            size_bytes=amount,
            table_bytes=amount,
            index_bytes=amount,
            rows=number,
            dead_rows=number,
            last_vacuum=moment,
            last_analyze=moment,
            locked=flag,
        )
    ),
    indexes=ListOf(
        Record(
            "schema",
            "name",
            schema=text,
            table=text,
            name=text,
            size_bytes=amount,
            scans=amount,
            unique=flag,
            valid=flag,
        )
    ),
)
_QUERY = Record(
    "query",
    query=text,
    user=text,
    calls=amount,
    mean_ms=amount,
    max_ms=amount,
    total_ms=amount,
    percent=amount,
    rows=amount,
    cache_hit_ratio=amount,
    temporary_bytes=amount,
)
_ACTIVITY = Record(
    transactions=ListOf(
        Record(
            pid=amount,
            user=text,
            database=text,
            application=text,
            address=text,
            state=text,
            seconds=number,
            state_seconds=number,
            wait=text,
            query=text,
        )
    ),
    blocked=ListOf(
        Record(
            pid=amount,
            user=text,
            database=text,
            query=text,
            seconds=number,
            lock=text,
            blocked_by=ListOf(Record(pid=amount, user=text, state=text, query=text)),
        )
    ),
    vacuum_held_by=ListOf(Record(kind=text, name=text, age=number)),
)
_REPLICATION = Record(
    role=text,
    lsn=text,
    wal_bytes=amount,
    wal_level=text,
    archiving=Record(
        enabled=flag,
        archived=amount,
        failed=amount,
        last_archived_at=moment,
        last_failed_at=moment,
        last_failed=text,
    ),
    standbys=ListOf(
        Record(name=text, address=text, state=text, synchronous=text, lag_bytes=number, lag_seconds=number)
    ),
    slots=ListOf(Record(name=text, kind=text, active=flag, retained_bytes=number, wal_status=text)),
    replay_lag_seconds=number,
)
_BACKUPS = Record(
    directory=text,
    count=amount,
    size_bytes=amount,
    last=_BACKUP,
    last_verified=_BACKUP,
    recent=ListOf(_BACKUP),
    damaged=ListOf(_DAMAGED),
    schedule=Record(**_SCHEDULED, verify=Record(**_SCHEDULED)),
)
_CONTAINER = Record(
    id=text,
    image_id=text,
    status=text,
    exit_code=number,
    health=text,
    created_at=moment,
    restart_count=amount,
    restart_policy=text,
    oom_killed=flag,
    oom_kills=amount,
    address=text,
    pid=amount,
    processes=amount,
    cpus=amount,
    memory_limit_bytes=amount,
)
_TLS = Record(
    subject=text,
    issuer=text,
    names=_TEXTS,
    not_before=moment,
    not_after=moment,
    days_left=number,
    fingerprint=text,
    authority_not_after=moment,
    served=flag,
    protocol=text,
)
_DATABASE = Record(
    "name",
    "environment",
    "container_name",
    "host",
    "status",
    id=_identity,
    name=text,
    environment=one_of(*ENVIRONMENTS),
    container_name=text,
    host=text,
    port=typed.port,
    username=text,
    owner=text,
    database=text,
    sslmode=text,
    status=one_of(*STATUSES),
    status_reason=text,
    created_at=moment,
    pending=ListOf(_STEP),
    adopted=Record(at=moment, image=text, method=text, data=text, volume=text),
    image=text,
    bind_address=text,
    trusted_sources=_TEXTS,
    networks=_TEXTS,
    settings=MappingOf(typed.anything),
    read_only=flag,
    tune=flag,
    parameters=MappingOf(typed.anything),
    extensions=ListOf(typed.anything),
    users=ListOf(Record("name", name=text, role=text)),
    personal_settings=MappingOf(typed.anything),
    memory_limit_bytes=amount,
    cpus=amount,
    shm_size_bytes=amount,
    deletion_protection=flag,
    data_directory=text,
    backup_directory=text,
    ca_file=text,
    ca_certificate=text,
    certificate=Record(own=flag, subject=text, issuer=text, names=_TEXTS, not_after=moment, fingerprint=text),
    container_status=text,
    health=text,
    started_at=moment,
    restart_count=amount,
    pooler=Record(
        *("container_name", "host", "port", "database", "session_database", "bind_address"),
        container_name=text,
        host=text,
        port=typed.port,
        database=text,
        session_database=text,
        bind_address=text,
        mode=text,
        prepared_statements=flag,
        image=text,
        container_status=text,
        health=text,
    ),
    missing=MappingOf(text),
)
_POOLER = Record(
    version=text,
    paused=_TEXTS,
    clients_active=amount,
    clients_waiting=amount,
    clients_limit=amount,
    maxwait_seconds=amount,
    server_connections=amount,
    server_connections_limit=amount,
    pools=ListOf(
        Record(
            "database",
            "user",
            database=text,
            user=text,
            mode=text,
            clients_active=amount,
            clients_waiting=amount,
            maxwait_seconds=amount,
            server_connections=amount,
            server_connections_active=amount,
        )
    ),
)
# What there is on request.
_GATHERED: dict[str, typed.Type] = {
    "container": _CONTAINER,
    "statistics": _STATISTICS,
    "server_settings": _SETTINGS,
    "sizes": _SIZES,
    "queries": ListOf(_QUERY),
    "activity": _ACTIVITY,
    "replication": _REPLICATION,
    "backups": _BACKUPS,
    "tls": _TLS,
    "pooler_statistics": _POOLER,
    "findings": ListOf(_FINDING),
    "logs": _TEXTS,
}
# Keys that are not called as what is gathered.
_GATHERED_AS = {"server_settings": "settings", "pooler_statistics": "pooler"}

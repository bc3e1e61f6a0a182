# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fleets made up in the shape that postgres_db_info returns: twenty databases on three hosts, and their history."""

from __future__ import annotations

import json
import math

NOW = 1767225600.0  # 2026-01-01T00:00:00Z
HOSTILE = "SELECT '</script><script>window.hostile = 1</script><img src=x onerror='window.hostile = 2'>{{ 7 * 7 }}'"
HOSTS = ("docker1.example.com", "docker2.example.com", "docker3.example.com")
NAMES = (
    "shop billing crm forum search analytics mail wiki tickets inventory "
    "payments sessions catalog reviews loyalty reports audit chat media geo"
).split()
ENVIRONMENTS = ("production", "staging", "development")
MB = 1 << 20


def database(number=0, at=NOW, **more):
    """One database. What it uses follows from its number."""
    name = more.pop("name", NAMES[number % len(NAMES)])
    environment = more.pop("environment", ENVIRONMENTS[0 if number % 5 < 3 else number % 5 - 2])
    container = f"{name}-{environment}-postgres"
    return {
        "id": f"db-{number:024x}",
        "name": name,
        "environment": environment,
        "container_name": container,
        "host": f"{container}.db.example.com",
        "port": 5432 + number,
        "username": f"db_user_{number:012x}",
        "database": name,
        "sslmode": "require",
        "status": "active",
        "status_reason": None,
        "created_at": "2025-12-24T14:22:50.000Z",
        "image": "postgres:15-alpine",
        "bind_address": "127.0.0.1",
        "trusted_sources": ["10.0.0.0/8"],
        "parameters": {"work_mem": "64MB"},
        "extensions": ["pg_stat_statements"],
        "memory_limit_bytes": 512 * MB,
        "cpus": 2.0,
        "deletion_protection": environment == "production",
        "data_directory": f"/var/vellaric/postgres/{container}",
        "backup_directory": f"/var/vellaric/backups/{container}",
        "ca_file": f"/var/vellaric/postgres/{container}/tls/ca.crt",
        "container_status": "running",
        "health": "healthy",
        "started_at": "2025-12-29T19:00:00.123456789Z",
        "restart_count": 0,
        "statistics": statistics(number, at),
        "server_settings": {
            "version": "15.20",
            "parameters": {},
            "pending_restart": [],
            "extensions": [{"name": "pg_stat_statements", "version": "1.10", "available": "1.10"}],
        },
        "queries": queries(number),
        "backups": backups(container, at, 3600.0 * (2 + number)),
        "tls": {
            "not_after": "2027-01-25T14:22:50Z",
            "days_left": 389.6,
            "names": [container, "127.0.0.1"],
            "served": True,
            "protocol": "TLSv1.3",
        },
        "findings": [],
        "missing": {},
        **more,
    }


def statistics(number, at=NOW):
    connections = 3 + number * 4 % 90
    memory = (96 + number * 17 % 380) * MB
    cpu = round(2.5 + number * 7.3 % 60 + 2 * math.sin(at / 7000 + number), 1)
    size = 42 * MB * (1 + number * 3 % 11) + int((at - NOW) / 60) * 20000
    return {
        "status": "running",
        "size": f"{size // MB} MB",
        "size_bytes": size,
        "connections": connections,
        "connections_limit": 97,
        "connections_by_state": {"active": 1, "idle": connections - 1},
        "cpu": f"{cpu}%",
        "cpu_percent": cpu,
        "memory": f"{memory // MB}MB / 512MB",
        "memory_bytes": memory,
        "memory_limit_bytes": 512 * MB,
        "memory_percent": round(memory / MB / 5.12, 1),
        "uptime": "2d 5h",
        "uptime_seconds": 190800,
        "cache_hit_ratio": 0.9991,
        "transactions": {"committed": int(at - NOW + 10**7) * (1 + number), "rolled_back": 12},
        "deadlocks": 0,
        "temporary_files": 2,
        "temporary_bytes": 8 * MB,
        "disk_total_bytes": 100 << 30,
        "disk_used_bytes": 50 << 30,
        "disk_free_bytes": 50 << 30,
    }


def queries(number):
    texts = ("SELECT * FROM orders WHERE customer = $1", "UPDATE stock SET level = level - $1 WHERE id = $2", HOSTILE)
    return [
        {
            "query": text,
            "user": "db_user_0123456789ab",
            "calls": 1234 * (place + 1),
            "mean_ms": round(250.1 / (place + 1) ** 2, 2),
            "max_ms": 2500.0,
            "total_ms": 15425.0,
            "percent": round(41.2 / (place + 1), 1),
            "rows": 1234 + number,
        }
        for place, text in enumerate(texts)
    ]


def backups(container, at, age, verified=True):
    last = {
        "path": f"/var/vellaric/backups/{container}/{container}-20251231-220000.sql.gz",
        "created_at": at - age,
        "age_seconds": int(age),
        "size_bytes": 12 * MB,
        "format": "plain",
        "checked_at": at - age + 10,
        "verified_at": at - age + 60 if verified else None,
    }
    return {
        "count": 7,
        "size_bytes": 84 * MB,
        "last": last,
        "last_verified": last if verified else None,
        "recent": [last],
        "damaged": [],
    }


def stopped(number, **more):
    nothing = dict.fromkeys(statistics(number)) | {"status": "stopped", "size": "42 MB", "size_bytes": 42 * MB}
    reasons = {"queries": "the database is stopped", "statistics": "the database is stopped"}
    started = {"container_status": "exited", "health": None, "started_at": None, "queries": None}
    return database(number, status="stopped", statistics=nothing, missing=reasons, **started, **more)


def broken(number, **more):
    reason = 'the container ends at its start: could not open file "postgresql.conf". Look at docker logs.'
    return {**stopped(number), "status": "error", "status_reason": reason, "restart_count": 17, **more}


def finding(severity, code="connections_near_limit", container="shop-production-postgres", message=None):
    return {
        "severity": severity,
        "code": code,
        "database": container,
        "message": message or "92 of 97 connections are in use (95 %).",
        "advice": "Put a connection pooler in front, or raise max_connections.",
    }


def answers(at=NOW):
    """Twenty databases on three hosts: what the hosts answered, by their names."""
    databases = [database(number, at) for number in range(20)]
    databases[4] = stopped(4)
    databases[9] = stopped(9)
    databases[13] = broken(13, findings=[finding("critical", "restart_loop", message="Restarted 17 times in a day.")])
    databases[0]["findings"] = [finding("critical"), finding("info", "minor_behind", message="15.20 is out: 15.21.")]
    databases[7]["findings"] = [
        finding("warning", "backup_never_verified", message=f"No backup was ever restored. {HOSTILE}")
    ]
    databases[7]["backups"] = backups(databases[7]["container_name"], at, 9 * 86400.0, verified=False)
    databases[11]["findings"] = [finding("warning", "disk_full_soon", message="The disk will be full on 2026-01-09.")]
    databases[11]["backups"] = {"count": 0, "size_bytes": 0, "last": None, "last_verified": None, "damaged": []}
    return {host: {"databases": databases[place::3], "changed": False} for place, host in enumerate(HOSTS)}


def history(days=8, step=900, now=NOW):
    """The text of a history that was kept over so many days."""
    lines = []
    for turn in range(int(days * 86400 / step), 0, -1):
        at = now - turn * step
        for host, answer in answers(at).items():
            samples = {one["container_name"]: sample(one) for one in answer["databases"]}
            lines.append(json.dumps({"at": at, "host": host, "databases": samples}) + "\n")
    return "".join(lines)


def sample(one):
    known = one["statistics"]
    keys = ("size_bytes", "connections", "cpu_percent", "memory_bytes", "disk_used_bytes", "disk_free_bytes")
    done = (known.get("transactions") or {}).get("committed")
    figures = {**{key: known[key] for key in keys}, "transactions": done}
    return {
        "id": one["id"],
        "status": one["status"],
        **{key: value for key, value in figures.items() if value is not None},
    }

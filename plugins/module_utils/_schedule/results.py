# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of scheduled runs: the status file of each schedule, and the metrics made of them.

A status is a mapping: schedule, action, started_at, finished_at, outcome, error, pid, notification_error, and
databases, by container a mapping of name, environment, outcome, reason, started_at, duration_seconds, backup,
size_bytes, removed, warnings and last_success_at.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypedDict

from .._host import files

OK, FAILED, SKIPPED, RUNNING = "ok", "failed", "skipped", "running"
_STATUS = "status"
_SCHEMA = 1
METRICS_FILE = "vellaric_backup.prom"
_INTERRUPTED = "it was interrupted: the host was shut down, or the run was killed"
_METRICS = (
    ("last_run_timestamp_seconds", "When the last scheduled run started with the database."),
    ("last_success_timestamp_seconds", "When the last scheduled run of the database succeeded."),
    ("last_run_failed", "Whether the last scheduled run of the database failed."),
    ("duration_seconds", "How long the last scheduled run took for the database."),
    ("size_bytes", "Size of the backup that the last scheduled run took or verified."),
)


if TYPE_CHECKING:

    class DatabaseStatus(TypedDict, total=False):
        """What became of one database in a run; empty where there was none."""

        name: str
        environment: str
        outcome: str
        reason: str | None
        started_at: str
        duration_seconds: float
        backup: str | None
        size_bytes: int | None
        removed: list[str]
        warnings: list[str]
        last_success_at: str | None

    class Status(TypedDict, total=False):
        """What became of a run, by container; empty where there was none."""

        schedule: str
        action: str
        started_at: str
        finished_at: str | None
        outcome: str
        error: str | None
        notification_error: str | None
        pid: int
        databases: dict[str, DatabaseStatus]


def path(directory: str, schedule_name: str) -> str:
    """Return where the status of a schedule's last run is. directory: layout.schedule."""
    return os.path.join(directory, _STATUS, f"{schedule_name}.json")


def read(directory: str, schedule_name: str) -> Status:
    """Return the status that a schedule's last run has left; an empty one where there is none that can be read."""
    found = files.read(path(directory, schedule_name))
    try:
        status: Status = json.loads(found.content) if found is not None else {}
        return status if status.get("schema") == _SCHEMA and isinstance(status["databases"], dict) else {}
    except (ValueError, AttributeError, KeyError):
        return {}


def write(directory: str, status: Status) -> None:
    """Write the status of a run, for everybody to read. Raises DatabaseError."""
    target = path(directory, status["schedule"])
    files.make_directory(os.path.dirname(target), 0o755)
    content = json.dumps({**status, "schema": _SCHEMA}, indent=2, sort_keys=True) + "\n"
    files.write(target, content.encode("utf-8"), 0o644)


def settled(status: Status, is_alive: Callable[[int | None], bool]) -> Status:
    """Return a status in which a run that was killed is one that failed. is_alive: tells it of a process id."""
    if status.get("outcome") != RUNNING or is_alive(status.get("pid")):
        return status
    databases: dict[str, DatabaseStatus] = {
        container: {**one, "outcome": FAILED, "reason": _INTERRUPTED} if one["outcome"] == RUNNING else one
        for container, one in status["databases"].items()
    }
    return {**status, "outcome": FAILED, "error": status.get("error") or _INTERRUPTED, "databases": databases}


def unreached(before: Status, containers: Iterable[str], status: Status) -> dict[str, DatabaseStatus]:
    """Return what to say of databases that a run with an error did not come to. before: the last status."""
    failure: DatabaseStatus = {
        "duration_seconds": 0.0,
        "backup": None,
        "size_bytes": None,
        "removed": [],
        "warnings": [],
        "outcome": FAILED,
        "reason": status["error"],
        "started_at": status["started_at"],
    }
    return {container: {**before["databases"][container], **failure} for container in containers}


def is_alive(pid: int | None) -> bool:
    """Say whether a process is a run of ours: process ids come again."""
    try:
        with open(f"/proc/{int(pid or '')}/cmdline", "rb") as stream:
            return b"backup" in stream.read()
    except (OSError, ValueError, TypeError):
        return False


def failed(status: Status) -> list[str]:
    """Return the containers of the databases that failed."""
    return [name for name, one in sorted(status["databases"].items()) if one["outcome"] == FAILED]


def metrics(statuses: Iterable[Status], seconds_of: Callable[[str], int]) -> str:
    """Return the text that a node_exporter's textfile collector reads. seconds_of: of a time, since 1970."""
    series: dict[str, list[str]] = {name: [] for name, what in _METRICS}
    for status in statuses:
        for container, one in sorted(status["databases"].items()):
            labels = {
                "container": container,
                "action": status["action"],
                "name": one["name"],
                "environment": one["environment"],
            }
            shown = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
            values = {
                "last_run_timestamp_seconds": one["started_at"] and seconds_of(one["started_at"]),
                "last_success_timestamp_seconds": one["last_success_at"] and seconds_of(one["last_success_at"]),
                "last_run_failed": int(one["outcome"] == FAILED),
                "duration_seconds": one["duration_seconds"],
                "size_bytes": one["size_bytes"],
            }
            for name, value in values.items():
                if value is not None:
                    series[name].append(f"vellaric_backup_{name}{{{shown}}} {value}")
    lines = []
    for name, what in _METRICS:
        if series[name]:
            lines += [f"# HELP vellaric_backup_{name} {what}", f"# TYPE vellaric_backup_{name} gauge", *series[name]]
    return "\n".join(lines) + "\n" if lines else ""

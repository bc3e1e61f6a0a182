# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is scheduled on this host, when it comes round next, and what became of it last. Reads only."""

from __future__ import annotations

import dataclasses
import datetime
import os
import re
import subprocess
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .._domain import clock, names
from .._domain.errors import DatabaseError
from .._host import files
from . import cron, results, schedule

if TYPE_CHECKING:
    from .schedule import Schedule

CONFIGURATION = "schedule.json"
_SECONDS = 5


@dataclasses.dataclass(frozen=True)
class Timetable:
    """settings: None where nothing is scheduled; statuses and next_runs (ISO 8601, UTC) by the name of the schedule.

    A schedule that is not in next_runs does not come round by itself: its timer is not active. next_runs is None where
    systemd cannot be asked.
    """

    settings: schedule.Settings | None
    statuses: dict[str, results.Status]
    next_runs: dict[str, str] | None

    def next_run(self, own: Schedule) -> str | None:
        return (self.next_runs or {}).get(own.name)

    def of(self, name: str, environment: str) -> dict[str, Any] | None:
        """Return what is scheduled for a database, as postgres_db_info returns it; None where nothing is."""
        if self.settings is None:
            return None
        covering = self.settings.covering
        backup = self._part(covering(schedule.BACKUP, name, environment), name, environment)
        return {**backup, "verify": self._part(covering(schedule.VERIFY, name, environment), name, environment)}

    def _part(self, own: Schedule | None, name: str, environment: str) -> dict[str, Any]:
        systemd = self.settings is not None and self.settings.scheduler == "systemd"
        status: results.Status = self.statuses.get(own.name, {}) if own else {}
        last: results.DatabaseStatus = status.get("databases", {}).get(names.container_name(name, environment), {})
        started = last.get("started_at")
        if not last and status.get("error"):
            # The run came to nothing before it had taken the database in hand.
            last, started = {"outcome": results.FAILED}, status.get("started_at")
        failed = last.get("outcome") == results.FAILED
        return {
            "calendar": own.calendar if own else None,
            "unit": own.timer if own and systemd else None,
            "active": own.name in self.next_runs if own and self.next_runs is not None else None,
            "next_run_at": self.next_run(own) if own else None,
            "last_run_at": started,
            "last_outcome": last.get("outcome"),
            "last_reason": last.get("reason") or (status.get("error") if failed else None),
            "last_success_at": last.get("last_success_at"),
            "notification_error": status.get("notification_error"),
        }


def read_settings(directory: str) -> schedule.Settings:
    """Return the Settings of a directory (layout.schedule). Raises DatabaseError where there are none, or damaged."""
    path = os.path.join(directory, CONFIGURATION)
    found = files.read(path)
    if found is None:
        raise DatabaseError(f"There is no {path}: nothing is scheduled on this host. Run role vellaric.postgres.backup")
    return schedule.from_json(found.content, path)


def observe(directory: str) -> Timetable:
    """Return the Timetable of a directory. Raises DatabaseError where what is there is damaged."""
    if not os.path.exists(os.path.join(directory, CONFIGURATION)):
        return Timetable(None, {}, {})
    settings = read_settings(directory)
    known = settings.schedules()
    statuses = {own.name: results.settled(results.read(directory, own.name), results.is_alive) for own in known}
    ask = _ask_systemd if settings.scheduler == "systemd" else _reckon
    return Timetable(settings, statuses, ask(known) if known else {})


def lines(timetable: Timetable) -> list[str]:
    """Return a table for a person."""
    if timetable.settings is None or not timetable.settings.schedules():
        return ["Nothing is scheduled."]
    rows = [("SCHEDULE", "CALENDAR", "NEXT", "LAST", "OUTCOME")]
    details = []
    for own in timetable.settings.schedules():
        status = timetable.statuses.get(own.name) or {}
        rows.append(
            (
                own.name,
                own.calendar,
                timetable.next_run(own) or ("unknown" if timetable.next_runs is None else "not active"),
                status.get("started_at") or "never",
                status.get("outcome") or "-",
            )
        )
        if status.get("error"):
            details.append(f"{own.name}: {status['error']}")
        for container, one in sorted(status.get("databases", {}).items()):
            if one["reason"]:
                details.append(f"{own.name}: {container}: {one['outcome']}: {one['reason']}")
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    return table + ([""] + details if details else [])


def _ask_systemd(known: Sequence[Schedule]) -> dict[str, str] | None:
    """Ask for all timers at once; None where systemd cannot be asked."""
    command = ["systemctl", "show", "--property=Id,NextElapseUSecRealtime,ActiveState", *(own.timer for own in known)]
    try:
        finished = subprocess.run(
            command,
            env={**os.environ, "TZ": "UTC", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    if finished.returncode != 0:
        return None
    by_timer = {own.timer: own.name for own in known}
    found = {}
    for block in finished.stdout.split("\n\n"):
        properties = dict(line.partition("=")[::2] for line in block.splitlines())
        name, moment = by_timer.get(properties.get("Id", "")), _moment(properties.get("NextElapseUSecRealtime", ""))
        if name is not None and moment is not None and properties.get("ActiveState") == "active":
            found[name] = moment
    return found


def _moment(text: str) -> str | None:
    """Return what systemd prints (C(Tue 2026-11-24 00:00:00 UTC)) in ISO 8601; None for none."""
    match = re.search(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)", text)
    return f"{match.group(1)}T{match.group(2)}Z" if match else None


def _reckon(known: Sequence[Schedule]) -> dict[str, str]:
    now = datetime.datetime.now()
    found = {}
    for own in known:
        moment = cron.parse(own.calendar).following(now)
        if moment is not None:
            found[own.name] = clock.iso(moment.astimezone(datetime.timezone.utc).replace(tzinfo=None))
    return found

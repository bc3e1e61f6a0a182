# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A scheduled run on a host: what the timer starts, without Ansible.

One database after the other; one that fails does not keep the others back, and the run then ends with exit code 1.
"""

from __future__ import annotations

import dataclasses
import datetime
import os
import signal
import socket
import time
import traceback
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .._backups import catalog
from .._backups.target import place_of
from .._domain import clock, layout, names, show
from .._domain.errors import DatabaseError
from .._dumps import operations
from .._host import files, locks
from .._host.engine import Engine
from .._observing import listing
from . import notify, recipients, results, schedule, timetable
from .log import ERROR, NOTICE, WARNING, Standard, System

if TYPE_CHECKING:
    from types import FrameType

    from .._domain.record import Record

# May hold a secret, and is root's alone.
RECEIVER = "notify.json"


class Ended(BaseException):
    """The run was told to end, and ends whatever it has begun: no `except Exception` may keep it from that."""


def read_receiver(directory: str) -> recipients.Receiver:
    """Return who is told; one that tells nobody where nothing is declared. Raises DatabaseError."""
    path = os.path.join(directory, RECEIVER)
    found = files.read(path)
    return recipients.from_json(found.content, path) if found is not None else recipients.Receiver()


class Run:
    """One run of a schedule. journal: says a line at a level."""

    def __init__(self, directory: str, name: str, journal: Standard | System) -> None:
        self._directory, self._journal = directory, journal
        self._settings = timetable.read_settings(directory)
        self._schedule = self._settings.find(name)
        self._engine = Engine(self._settings.docker_host)
        self._before = self._last()
        self._status: results.Status = {
            "schedule": name,
            "action": self._schedule.action,
            "started_at": _now(),
            "finished_at": None,
            "outcome": results.RUNNING,
            "error": None,
            "notification_error": None,
            "pid": os.getpid(),
            "databases": {},
        }

    def _last(self) -> results.Status:
        return results.settled(results.read(self._directory, self._schedule.name), results.is_alive)

    def is_missed(self) -> bool:
        """Say whether it should have come round while the host was off, for cron, which does not catch up."""
        last = self._before.get("started_at")
        if last:
            since = _local(last)
        else:
            declared = os.path.join(self._directory, timetable.CONFIGURATION)
            since = datetime.datetime.fromtimestamp(os.path.getmtime(declared))
        return schedule.is_missed(self._schedule, since, datetime.datetime.now())

    def run(self) -> int:
        """Do everything and return the exit code."""
        status, settings = self._status, self._settings
        try:
            lock = layout.schedule_lock(settings.data_root)
            with locks.exclusive(lock, settings.wait_timeout, "the scheduled backups of this host"):
                # Whoever held the lock may have been a run of the same schedule.
                self._before = self._last()
                self._one_after_the_other()
        except DatabaseError as error:
            status["error"] = error.message
        except Ended as end:
            status["error"] = str(end)
        except Exception as error:
            self._unforeseen(error)
            status["error"] = f"{type(error).__name__}: {error}"
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if status["error"]:
            # Those that the run did not come to are not well either.
            left = [name for name in self._before.get("databases", {}) if os.path.isdir(self._directory_of(name))]
            status["databases"] = {**results.unreached(self._before, left, status), **status["databases"]}
        bad = results.failed(status)
        status["outcome"] = results.FAILED if bad or status["error"] else results.OK
        status["finished_at"] = _now()
        self._conclude(bad)
        return 0 if status["outcome"] == results.OK else 1

    def _one_after_the_other(self) -> None:
        self._engine.connect()
        self._engine.get_ready()
        own = self._schedule
        found = listing.databases(self._engine, self._settings.data_root, own.database, own.environment)
        records = {database.shown["container_name"]: database.record for database in found}
        chosen = schedule.select(self._settings, own, [database.shown for database in found])
        if not chosen:
            self._say(f"{own.what}: {self._why_none()}", NOTICE)
        elif own.database is None:
            self._say(f"{own.what}: {len(chosen)} database{'s' if len(chosen) > 1 else ''}")
        for shown in chosen:
            container = shown["container_name"]
            one = self._begin(container, shown)
            began = time.monotonic()
            try:
                self._handle(shown, records[container], one)
            except DatabaseError as error:
                self._failed(container, one, error.message)
            except Ended as end:
                self._failed(container, one, str(end))
                raise
            except Exception as error:
                self._unforeseen(error)
                self._failed(container, one, f"{type(error).__name__}: {error}")
            finally:
                one["duration_seconds"] = round(time.monotonic() - began, 1)

    def _why_none(self) -> str:
        own, settings = self._schedule, self._settings
        if own.database is None:
            return "this host has none of them: nothing to do"
        container = names.container_name(own.database, own.environment)
        deleted = listing.deleted(settings.data_root, own.database, own.environment)
        when = f" (deleted at {deleted[-1]['deleted_at']})" if deleted else ""
        return (
            f"there is no database {container} on this host{when}, so there is nothing to do. Remove it from"
            " backup_databases, or create it"
        )

    def _begin(self, container: str, shown: Mapping[str, Any]) -> results.DatabaseStatus:
        """Write down that a database is in hand: what becomes of a run that is killed is known by that."""
        before: results.DatabaseStatus = self._before.get("databases", {}).get(container, {})
        one: results.DatabaseStatus = {
            "name": shown["name"],
            "environment": shown["environment"],
            "outcome": results.RUNNING,
            "reason": None,
            "started_at": _now(),
            "duration_seconds": 0.0,
            "backup": None,
            "size_bytes": None,
            "removed": [],
            "warnings": [],
            "last_success_at": before.get("last_success_at"),
        }
        self._status["databases"][container] = one
        results.write(self._directory, self._status)
        return one

    def _handle(self, shown: Mapping[str, Any], record: Record | None, one: results.DatabaseStatus) -> None:
        own, settings, name, environment = self._schedule, self._settings, shown["name"], shown["environment"]
        container = shown["container_name"]
        options = settings.dump_options(name, environment)
        request = operations.Request(
            name=name,
            environment=environment,
            data_root=settings.data_root,
            options=options,
            wait_timeout=settings.wait_timeout,
        )
        if own.action == schedule.BACKUP:
            against = schedule.why_not(shown, record)
            if against is not None:
                harmless, reason = against
                return self._skipped(container, one, reason) if harmless else self._failed(container, one, reason)
            request = dataclasses.replace(request, retention=settings.retention(name, environment))
        else:
            if not any(backup.good for backup in place_of(shown["backup_directory"]).backups()):
                return self._skipped(container, one, "it has no backup to verify yet")
            request = dataclasses.replace(request, state="verified")
        try:
            result = operations.run(self._engine, request, progress=self._say)
        except locks.Busy as error:
            if own.action == schedule.BACKUP:
                raise
            # Somebody verifies by hand, which may take hours: what comes of it is written down as ours would be.
            return self._skipped(container, one, error.message)
        one["warnings"], one["removed"] = list(result.warnings), list(result.removed)
        backup = result.backup
        if backup is None:
            return self._failed(container, one, result.failure or "there is no backup")
        one["backup"], one["size_bytes"] = backup.file_name, backup.size_bytes
        for warning in result.warnings:
            self._say(f"{container}: {warning}", WARNING)
        if result.failure is not None:
            return self._failed(container, one, f"{backup.file_name} failed verification: {result.failure}")
        one["outcome"], one["last_success_at"] = results.OK, _now()
        return self._say(f"{container}: {self._success(result, backup)}")

    def _success(self, result: operations.Outcome, backup: catalog.Backup) -> str:
        known = backup.manifest
        if known is None:
            return backup.file_name
        if self._schedule.action == schedule.VERIFY:
            if not result.actions:
                return f"{backup.file_name} was verified at {known.verified_at} already"
            how = known.verified_how or {}
            return f"{backup.file_name} was restored and compared: {how['tables']} tables, {how['rows']} rows"
        said = f"{backup.file_name}, {show.size(backup.size_bytes)}, in {known.duration_seconds:.1f} s"
        if result.removed:
            said += f"; {len(result.removed)} removed by retention ({', '.join(result.removed)})"
        return said

    def _skipped(self, container: str, one: results.DatabaseStatus, reason: str) -> None:
        one["outcome"], one["reason"] = results.SKIPPED, reason
        self._say(f"{container}: skipped: {reason}", NOTICE)

    def _failed(self, container: str, one: results.DatabaseStatus, reason: str) -> None:
        if self._is_gone(container):
            self._skipped(container, one, f"it is no longer there ({reason})")
        else:
            one["outcome"], one["reason"] = results.FAILED, reason
            self._say(f"{container}: FAILED: {reason}", ERROR)

    def _is_gone(self, container: str) -> bool:
        """Say whether somebody has deleted a database since the run began."""
        try:
            return not os.path.exists(self._directory_of(container)) and self._engine.inspect(container) is None
        except DatabaseError:
            return False

    def _directory_of(self, container: str) -> str:
        return os.path.join(self._settings.data_root, container)

    def _unforeseen(self, error: BaseException) -> None:
        for line in traceback.format_exception(type(error), error, error.__traceback__):
            self._say(line.rstrip(), ERROR)

    def _conclude(self, bad: Sequence[str]) -> None:
        """Tell everybody. What cannot be told to one is no reason not to tell the others."""
        status, own = self._status, self._schedule
        if status["error"]:
            self._say(f"{own.what} FAILED: {status['error']}", ERROR)
        elif bad and own.database is None:
            self._say(f"{own.what}: {len(bad)} of {len(status['databases'])} FAILED: {', '.join(bad)}", ERROR)
        for tell in (self._write_status, self._notify, self._write_metrics):
            try:
                tell()
            except (DatabaseError, OSError) as error:
                self._say(f"{error}", ERROR)

    def _write_status(self) -> None:
        results.write(self._directory, self._status)

    def _notify(self) -> None:
        content = notify.payload(self._status, self._before, socket.gethostname(), self._schedule.what)
        troubles = notify.send(read_receiver(self._directory), content)
        for trouble in troubles:
            self._say(trouble, ERROR)
        if troubles:
            self._status["notification_error"] = "; ".join(troubles)
            self._write_status()

    def _write_metrics(self) -> None:
        if self._settings.textfile_directory:
            statuses = [results.read(self._directory, known.name) for known in self._settings.schedules()]
            content = results.metrics([status for status in statuses if status], _seconds)
            path = os.path.join(self._settings.textfile_directory, results.METRICS_FILE)
            files.write(path, content.encode("utf-8"), 0o644)

    def _say(self, line: str, level: int | None = None) -> None:
        self._journal.say(line, level)


def end_on_signals() -> None:
    """Let the signals by which a run is ended pass through everything that has to clear up."""

    def handle(number: int, frame: FrameType | None) -> None:
        for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(one, signal.SIG_IGN)
        raise Ended(
            f"it was terminated by {signal.Signals(number).name}: it was stopped, the host was shut down, or it"
            " took longer than backup_run_timeout"
        )

    for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(one, handle)


def _now() -> str:
    return clock.iso(clock.utc_now())


def _seconds(moment: str) -> int:
    """Return a time of ours (ISO 8601, UTC) in seconds since 1970."""
    return int(datetime.datetime.fromisoformat(moment[:19]).replace(tzinfo=datetime.timezone.utc).timestamp())


def _local(moment: str) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(_seconds(moment))

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is backed up and verified when, and what of it is kept. Pure.

What a user declares is what the host keeps (`schedule.json`): the role, the run on the host and postgres_db_info all
read it here. There is one schedule for each environment, which covers the databases that the host has when it comes
round, and one for each database that has a calendar of its own.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .._backups import dump_options, naming, retention
from .._domain import names, texts
from .._domain.errors import DatabaseError
from . import cron

if TYPE_CHECKING:
    from .._domain.record import Record

SCHEMA = 1
SCHEDULERS = ("systemd", "cron")
UNIT = "vellaric-backup"
BACKUP, VERIFY = ACTIONS = ("backup", "verify")
# What each environment has unless something else is declared.
DEFAULTS: dict[str, dict[str, Any]] = {
    "production": {"calendar": "daily", "verify": "weekly", "retention": {"daily": 7, "weekly": 4, "monthly": 6}},
    "staging": {"calendar": "weekly", "verify": "monthly", "retention": {"last": 4}},
    "development": {"calendar": None, "verify": None, "retention": {"last": 4}},
}
CALENDARS = {BACKUP: "calendar", VERIFY: "verify"}
_DUMP = ("format", "compression", "compression_level", "jobs", "row_counts", "timeout", "lock_timeout")
_KNOWN = ("calendar", "verify", "retention", *_DUMP)
_NEVER = ("never", "off", "none", "no", "false", "")
_TYPES = {"format": str, "compression": str, "row_counts": bool}
# What needs no quotes in a unit file, in cron's table, and for the shell behind that.
_PLAIN = "_@%+=,./-"
_PLAIN_PATH = re.compile(rf"/[A-Za-z0-9{re.escape(_PLAIN)}]*")
# Of what systemd.time(7) knows; it goes into a unit file.
_CALENDAR = re.compile(r"[A-Za-z0-9 *,./:~_+-]+")


@dataclasses.dataclass(frozen=True)
class Schedule:
    """Something that comes round. name: of its timer; environment: whose databases; database: only that one of it."""

    name: str
    action: str
    calendar: str
    environment: str
    database: str | None = None

    @property
    def timer(self) -> str:
        """The name of its timer, where the scheduler is systemd."""
        return f"{UNIT}@{self.name}.timer"

    @property
    def what(self) -> str:
        whose = names.container_name(self.database, self.environment) if self.database else self.environment
        return f"{'Verification' if self.action == VERIFY else 'Backup'} of {whose}"


@dataclasses.dataclass(frozen=True)
class Settings:
    """What was declared, and where it applies.

    environments: options by environment; databases: by (name, environment), only those that were given. wait_timeout:
    seconds that a run waits for another one. textfile_directory: of the node_exporter, or None.
    """

    environments: dict[str, dict[str, Any]]
    databases: dict[tuple[str, str], dict[str, Any]]
    data_root: str
    docker_host: str
    scheduler: str
    wait_timeout: int
    textfile_directory: str | None
    declared: dict[str, Any]

    def options(self, name: str, environment: str) -> dict[str, Any]:
        """Return the options of a database: its own, then those of its environment."""
        return {**self.environments[environment], **self.databases.get((name, environment), {})}

    def dump_options(self, name: str, environment: str) -> dump_options.Options:
        """Return how a database is dumped on schedule."""
        return _dump_options(self.options(name, environment))

    def retention(self, name: str, environment: str) -> retention.Retention | None:
        """Return the Retention of a database; None where everything is kept."""
        given = self.options(name, environment)["retention"]
        return None if given is None else retention.from_option(given)

    def schedules(self) -> list[Schedule]:
        """Return all Schedules: the environments', then those of databases with a calendar of their own."""
        found = []
        for action, prefix in ((BACKUP, ""), (VERIFY, "verify-")):
            option = CALENDARS[action]
            for environment, options in self.environments.items():
                found.append(Schedule(prefix + environment, action, options[option], environment))
            for (name, environment), options in self.databases.items():
                if option in options:
                    own = prefix + names.container_name(name, environment)
                    found.append(Schedule(own, action, options[option], environment, name))
        return [schedule for schedule in found if schedule.calendar is not None]

    def find(self, name: str) -> Schedule:
        """Return the Schedule of that name. Raises DatabaseError where there is none."""
        for schedule in self.schedules():
            if schedule.name == name:
                return schedule
        known = ", ".join(schedule.name for schedule in self.schedules()) or "none at all"
        raise DatabaseError(f"There is no schedule {name}; there are: {known}. Run role vellaric.postgres.backup again")

    def covering(self, action: str, name: str, environment: str) -> Schedule | None:
        """Return the Schedule that covers a database, or None."""
        for schedule in self.schedules():
            if schedule.action == action and schedule.environment == environment and self.covers(schedule, name):
                return schedule
        return None

    def covers(self, schedule: Schedule, name: str) -> bool:
        """Say whether a schedule takes care of a database of its environment."""
        if schedule.database is not None:
            return schedule.database == name
        return CALENDARS[schedule.action] not in self.databases.get((name, schedule.environment), {})


def from_declaration(declared: Any) -> Settings:
    """Return the Settings of what was declared. Raises DatabaseError, naming the variable of role `backup`."""
    if not isinstance(declared, dict) or declared.get("schema", SCHEMA) != SCHEMA:
        raise DatabaseError("The schedule is of another version of this collection: run role vellaric.postgres.backup")
    scheduler = declared.get("scheduler")
    if scheduler not in SCHEDULERS:
        raise DatabaseError(f"backup_scheduler is {scheduler!r}: one of {', '.join(SCHEDULERS)}")
    environments = declared.get("environments") or {}
    if not isinstance(environments, dict):
        raise DatabaseError("backup_environments is not a mapping such as {production: {calendar: daily}}")
    unknown = sorted(str(name) for name in environments if name not in names.ENVIRONMENTS)
    if unknown:
        raise DatabaseError(
            f"backup_environments has {unknown[0]}, which is no environment: {', '.join(names.ENVIRONMENTS)}"
        )
    effective = {}
    for name in names.ENVIRONMENTS:
        where = f"backup_environments.{name}"
        effective[name] = {**DEFAULTS[name], **_options(environments.get(name), where, scheduler)}
        _refuse(effective[name], where)
    return Settings(
        environments=effective,
        databases=_databases(declared.get("databases") or [], effective, scheduler),
        data_root=_place("backup_data_root", declared["data_root"]),
        docker_host=_text("backup_docker_host", declared["docker_host"]),
        scheduler=scheduler,
        wait_timeout=_whole("backup_wait_timeout", declared["wait_timeout"]),
        textfile_directory=_optional_place("backup_textfile_directory", declared.get("textfile_directory")),
        declared=declared,
    )


def from_json(text: str | bytes, path: str) -> Settings:
    """Return the Settings that role `backup` has written. path: for the words. Raises DatabaseError."""
    try:
        declared = json.loads(text)
        return from_declaration(declared)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatabaseError(
            f"{path} is damaged ({error}): run role vellaric.postgres.backup, which writes it"
        ) from None


def select(settings: Settings, schedule: Schedule, databases: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return those of the databases of the host, as postgres_db_info describes them, that a schedule covers."""
    return [
        shown
        for shown in databases
        if shown["environment"] == schedule.environment and settings.covers(schedule, shown["name"])
    ]


def is_missed(schedule: Schedule, since: datetime.datetime, now: datetime.datetime) -> bool:
    """Say whether a schedule of cron's should have come round since it ran, or was declared. Naive, local times."""
    due = cron.parse(schedule.calendar).previous(now)
    return due is not None and since < due


def why_not(shown: Mapping[str, Any], record: Record | None) -> tuple[bool, str] | None:
    """Return why no backup of a database can be taken: (True where that is nothing to worry about, reason), or None.

    shown: as postgres_db_info describes it; record: its Record, or None.
    """
    if record is not None and not record.initialised and not record.adopted:
        return True, "it is still being created, and has no data yet"
    if shown["container_status"] in ("running", "paused", "restarting"):
        return None
    if shown["status"] == "stopped":
        return True, "it is stopped, and does not change"
    return False, shown["status_reason"] or f"its status is {shown['status']}"


def _databases(
    given: object, environments: Mapping[str, Mapping[str, Any]], scheduler: str
) -> dict[tuple[str, str], dict[str, Any]]:
    found = {}
    if not isinstance(given, (list, tuple)):
        raise DatabaseError("backup_databases is not a list")
    for number, entry in enumerate(given):
        where = f"backup_databases[{number}]"
        if not isinstance(entry, dict):
            raise DatabaseError(f"{where} is not a mapping such as {{name: shop, environment: production, ...}}")
        try:
            name = names.check_database_name(entry.get("name"))
            environment = names.check_environment(entry.get("environment"))
            names.container_name(name, environment)
        except names.InvalidName as error:
            raise DatabaseError(f"{where}: {error}") from None
        if (name, environment) in found:
            raise DatabaseError(f"{where}: {name} in {environment} is there twice")
        options = {key: value for key, value in entry.items() if key not in ("name", "environment")}
        found[(name, environment)] = _options(options, where, scheduler)
        _refuse({**environments[environment], **found[(name, environment)]}, where)
    return found


def _options(given: object, where: str, scheduler: str) -> dict[str, Any]:
    if given is not None and not isinstance(given, dict):
        raise DatabaseError(f"{where} is not a mapping such as {{calendar: daily}}")
    options = dict(given or {})
    for key in options:
        if key not in _KNOWN:
            raise DatabaseError(f"{where}.{key} is not known: {', '.join(_KNOWN)}")
    for key in CALENDARS.values():
        if key in options:
            options[key] = _calendar(options[key], f"{where}.{key}", scheduler)
    for key in _DUMP:
        if options.get(key) is None:
            options.pop(key, None)
        elif key not in _TYPES:
            options[key] = _whole(f"{where}.{key}", options[key])
        elif not isinstance(options[key], _TYPES[key]):
            raise DatabaseError(f"{where}.{key} is {options[key]!r}, which is of the wrong kind")
    if options.get("retention") is not None:
        try:
            options["retention"] = _retention(options["retention"])
        except DatabaseError as error:
            raise DatabaseError(f"{where}: {error.message}") from None
    return options


def _refuse(options: Mapping[str, Any], where: str) -> None:
    """Raise DatabaseError for what does not go together, the options of an environment with those of a database."""
    try:
        for key, choices in (("format", naming.FORMATS), ("compression", naming.COMPRESSIONS)):
            if key in options and options[key] not in choices:
                raise DatabaseError(f"{key} is {options[key]!r}: one of {', '.join(choices)}")
        dump_options.refuse(_dump_options(options), None)
    except DatabaseError as error:
        raise DatabaseError(f"{where}: {error.message}") from None


def _dump_options(options: Mapping[str, Any]) -> dump_options.Options:
    chosen = {"level" if key == "compression_level" else key: options[key] for key in _DUMP if key in options}
    return dump_options.Options(**chosen, taken_by="schedule")


def _retention(given: object) -> dict[str, int]:
    if not isinstance(given, dict):
        raise DatabaseError(f"retention is {given!r}: a mapping such as {{daily: 7, weekly: 4}}, or null to keep all")
    rules = [field.name for field in dataclasses.fields(retention.Retention)]
    rules_given = {}
    for key, value in given.items():
        if key not in rules:
            raise DatabaseError(f"retention.{key} is not known: {', '.join(rules)}")
        if value is not None:
            rules_given[key] = _whole(f"retention.{key}", value)
    retention.from_option(rules_given)
    return rules_given


def _calendar(given: object, where: str, scheduler: str) -> str | None:
    if given is None or given is False or str(given).strip().lower() in _NEVER:
        return None
    text = str(given).strip()
    if given is True or not isinstance(given, str) or not _CALENDAR.fullmatch(text):
        raise DatabaseError(
            f"{where} is {given!r}: give a name such as daily or weekly, a calendar expression such as"
            " 'Mon..Fri *-*-* 02:30' (with cron '30 2 * * 1-5'), or never"
        )
    if scheduler == "cron":
        text = cron.translated(text)
        try:
            cron.parse(text)
        except DatabaseError as error:
            raise DatabaseError(f"{where}: {error.message}") from None
    return text


def _whole(what: str, value: object) -> int:
    # A template gives a number as text.
    if isinstance(value, str) and re.fullmatch("[0-9]{1,10}", value.strip(" \n")):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise DatabaseError(f"{what} is {value!r}: a whole number")
    return texts.number(value, what, 0)


def _text(what: str, value: object) -> str:
    if not isinstance(value, str):
        raise DatabaseError(f"{what} is {value!r}: a text")
    return texts.line(value, what)


def _place(what: str, value: object) -> str:
    return texts.directory(_text(what, value), what)


def _optional_place(what: str, value: object) -> str | None:
    return _place(what, value) if value else None


def refuse_program(given: Mapping[str, Any]) -> None:
    """Raise DatabaseError for what cannot be in a unit of systemd's or a table of cron's as it is.

    given: what role `backup` writes there beside the schedules, by variable; a value of None is not looked at.
    """
    for what in ("backup_archive", "backup_python", "backup_data_root"):
        value = given.get(what)
        if value is not None and not _PLAIN_PATH.fullmatch(_text(what, value)):
            raise DatabaseError(
                f"{what} is {value!r}: a whole path of letters, digits and {_PLAIN} for what runs on schedule"
            )
    for what in ("backup_delay", "backup_run_timeout"):
        if given.get(what) is not None:
            texts.number(_whole(what, given[what]), what, 0, texts.MOST_SECONDS)

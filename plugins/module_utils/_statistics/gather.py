# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of all databases of a host at once: the kernel, the disk, the servers, their poolers and the backups.

A database that hangs or is broken costs its own time and nothing else: what could not be had of it is missing, with the
reason, and the others have long been answered.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import datetime
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .._backups.target import place_of
from .._domain import clock, layout, show
from .._domain.container import SERVER_PORT
from .._domain.errors import DatabaseError
from .._findings import evaluate
from .._host import cgroups, disk, files, mounts, peer_certificate, roots, tls
from .._observing import observe
from .._schedule import timetable
from .._server import queries
from . import drift, pooled, shape

# What a processor does in less says little. Databases are asked nothing meanwhile: that would be measured too.
_MEASURED_SECONDS = 0.5
# One thread mostly waits for its server. With as many that hang, the others wait for the time-out once.
_MOST_THREADS = 32

# What is asked of a server for each gathered name, and what of the rest of the host.
_SECTIONS = {
    "statistics": ("statistics",),
    "settings": ("settings",),
    "sizes": ("sizes",),
    "queries": ("queries",),
    "activity": ("activity",),
    "replication": ("replication",),
    "findings": ("statistics", "settings", "activity", "replication", "checks", "trust"),
}
# Keys of the result that are not called as what is gathered.
_GATHERED_AS = {"server_settings": "settings", "pooler_statistics": "pooler"}
_FOR_FINDINGS = ("container", "statistics", "settings", "activity", "replication", "backups", "tls", "pooler")


@dataclasses.dataclass(frozen=True)
class Options:
    """gather: names; timeout: of one database, in seconds; limit: of each list; history, thresholds: for findings."""

    gather: tuple[str, ...]
    timeout: int
    limit: int
    log_lines: int
    history: Mapping[str, list[dict[str, Any]]]
    thresholds: Mapping[str, float | None]
    # As the engine stamps the lines; nothing for all of them.
    log_since: str = ""


class Missing(dict[str, str]):
    """Why something could not be had, by what is gathered. The first reason counts."""

    def note(self, name: str, reason: str) -> None:
        self.setdefault(name, reason)


if TYPE_CHECKING:
    from .._domain.facts import ContainerFacts
    from .._domain.spec import DatabaseSpec
    from .._host.engine import Engine
    from .._observing.listing import Database

    # What was found, and what is missing of it.
    Part = tuple[dict[str, Any], Missing]


def gather(engine: Engine, data_root: str, databases: Sequence[Database], options: Options) -> list[dict[str, Any]]:
    """Return, for each fleet.Database, its description with what was gathered and what is missing of it."""
    wanted = set(options.gather)
    measured = "statistics" in wanted
    started = time.monotonic()
    before = [_sample(database) for database in databases]
    schedules = _schedules(data_root) if _needs(wanted, "backups") else None
    with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, min(len(databases), _MOST_THREADS))) as pool:
        lying = list(pool.map(lambda database: _lying(database, wanted, options), databases))
        if measured:
            time.sleep(max(0.0, started + _MEASURED_SECONDS - time.monotonic()))
        after = [_sample(database) for database in databases] if measured else before
        answering = list(pool.map(lambda database: _answering(engine, data_root, database, wanted, options), databases))
    now = clock.iso_milliseconds(clock.utc_now())
    parts = zip(databases, lying, answering, before, after)
    return [_understood(*part, schedules, wanted, options, now) for part in parts]


def _understood(database: Database, lying: Part, answering: Part, *rest: Any) -> dict[str, Any]:
    """Describe a database, whatever its server answered: what cannot be understood is missing, with the reason."""
    try:
        return _described(database, lying, answering, *rest)
    except Exception as error:  # One database with odd answers is not to keep the others from being shown.
        found, missing = answering
        if not found.get("answers"):
            raise
        reason = f"what its server answered cannot be understood ({type(error).__name__}: {error})"
        silenced = Missing(missing)
        for name in (*_SECTIONS, "tls"):
            silenced.note(name, reason)
        return _described(database, lying, ({**found, "answers": {}}, silenced), *rest)


def _schedules(data_root: str) -> timetable.Timetable | str:
    """Return the Timetable of the host, or why there is none."""
    try:
        found: timetable.Timetable = timetable.observe(layout.schedule(data_root))
        return found
    except DatabaseError as error:
        return error.message


def _sample(database: Database) -> cgroups.Sample | None:
    container = database.container
    return cgroups.sample(container.pid) if container is not None and container.running else None


def _needs(wanted: set[str], name: str) -> bool:
    return name in wanted or ("findings" in wanted and name in _FOR_FINDINGS)


def _lying(database: Database, wanted: set[str], options: Options) -> Part:
    """Look at what lies on the disk, while the processors are measured. Returns (found, missing)."""
    found: dict[str, Any] = {}
    missing = Missing()
    data = os.path.join(database.spec.directory, "pgdata")
    backups = database.spec.backup_directory

    def note(names: tuple[str, ...], key: str, look: Callable[[], object]) -> None:
        if not any(_needs(wanted, name) for name in names):
            return
        try:
            found[key] = look()
        except DatabaseError as error:
            for name in (*names, "findings") if set(names).intersection(_FOR_FINDINGS) else names:
                missing.note(name, error.message)

    if wanted.intersection(("statistics", "sizes")):
        note(("statistics", "sizes"), "directory_bytes", lambda: disk.usage(data, options.timeout))
    note(("statistics", "sizes"), "disk", lambda: disk.space(data))
    if "sizes" in wanted:
        note(("sizes",), "backups_bytes", lambda: disk.usage(backups, options.timeout))
    note(("sizes", "backups"), "backup_disk", lambda: disk.space(backups))
    note(("backups",), "backups", lambda: place_of(backups).backups())
    note(("findings",), "strays", lambda: observe.strays(database.spec.directory))
    note(("findings",), "opened", lambda: _opened(database.spec))
    note(("findings",), "replaced", lambda: _replaced(database))
    note(("tls",), "certificate", lambda: _certificate(database.spec.directory))
    return found, missing


def _replaced(database: Database) -> tuple[str, ...]:
    container = database.container
    if container is None or not container.running or container.config is None:
        return ()
    return mounts.replaced(container.pid, [(source, inside) for source, inside, _mode in container.config.mounts])


def _opened(spec: DatabaseSpec) -> list[roots.Open]:
    found = [spec.data_root, spec.backup_root]
    return roots.opened(found, found)


def _certificate(directory: str) -> dict[str, Any]:
    found = [files.read(os.path.join(directory, "tls", name)) for name in ("server.crt", "ca.crt")]
    if found[0] is None:
        raise DatabaseError(f"there is no certificate in {directory}/tls")
    try:
        authority = tls.facts(found[1].content)["not_after"] if found[1] else None
        return {**tls.facts(found[0].content), "authority_not_after": authority}
    except tls.Unreadable as error:
        raise DatabaseError(f"{directory}/tls holds no readable certificate: {error}") from None


def _answering(engine: Engine, data_root: str, database: Database, wanted: set[str], options: Options) -> Part:
    """Ask what runs. Returns (found, missing)."""
    found: dict[str, Any] = {}
    missing = Missing()
    container = database.container
    if "logs" in wanted:
        if container is None:
            missing.note("logs", drift.why_silent(database) or "")
        else:
            found["logs"] = engine.logs(container.name, options.log_lines, options.log_since).splitlines()
    if _needs(wanted, "pooler"):
        found["pooler"], found["pooler_silent"] = pooled.gather(database, options.limit, options.timeout)
        if found["pooler_silent"] is not None:
            missing.note("pooler", found["pooler_silent"])
    if "findings" in wanted:
        found["newer_image"] = drift.newer_image(engine, data_root, database)
    silent = drift.why_silent(database)
    names = sorted({section for name in wanted for section in _SECTIONS.get(name, ())})
    if silent is not None or container is None:
        for name in wanted.union(("tls",)):
            if name in _SECTIONS or name == "tls":
                missing.note(name, silent or "")
        return found, missing
    deadline = time.monotonic() + options.timeout
    _ask_server(engine, database, container, names, wanted, options, found, missing)
    address, answers = container.ip_address, found.get("answers")
    if _needs(wanted, "tls") and address is not None and (answers or not names):
        found["served"] = peer_certificate.certificate(address, SERVER_PORT, max(1.0, deadline - time.monotonic()))
    if "findings" in wanted and answers:
        try:
            found["drift"] = drift.drift(engine, database, max(1.0, deadline - time.monotonic()))
        except DatabaseError as error:
            missing.note("findings", f"whether it is as declared could not be told: {error.message}")
    return found, missing


def _ask_server(
    engine: Engine,
    database: Database,
    container: ContainerFacts,
    names: Sequence[str],
    wanted: set[str],
    options: Options,
    found: dict[str, Any],
    missing: Missing,
) -> None:
    if not names:
        return
    try:
        answers, reasons = queries.answers(engine, container, database.spec.name, names, options.limit, options.timeout)
    except DatabaseError as error:
        answers, reasons = {}, dict.fromkeys(names, error.message)
    found.update(answers=answers)
    for name in wanted:
        for section in _SECTIONS.get(name, ()):
            if section in reasons:
                missing.note(name, reasons[section])


def _described(
    database: Database,
    lying: Part,
    answering: Part,
    before: cgroups.Sample | None,
    after: cgroups.Sample | None,
    schedules: timetable.Timetable | str | None,
    wanted: set[str],
    options: Options,
    now: str,
) -> dict[str, Any]:
    found = {**lying[0], **answering[0]}
    missing = Missing(answering[1])
    for name, reason in lying[1].items():
        missing.note(name, reason)
    answers = found.get("answers") or {}
    full = _shaped(answers, found)
    container = database.container
    running = container if container is not None and container.running else None
    if container is None:
        missing.note("container", drift.why_silent(database) or "")
    else:
        full["container"] = shape.container(container, after)
    if _needs(wanted, "statistics"):
        percent = cgroups.cpu_percent(before, after) if before and after and "statistics" in wanted else None
        limit = None if after is None else after.memory_limit or cgroups.host_memory()
        seconds = _age(running.started_at, now) if running else None
        status = database.shown["status"]
        full["statistics"] = shape.statistics(
            status, answers.get("statistics"), found, percent, after, limit, seconds, now
        )
        if running and after is None:
            missing.note("statistics", f"the kernel's figures for process {running.pid} cannot be read on this host")
    if found.get("pooler") is not None:
        full["pooler_statistics"] = found["pooler"]
    if "sizes" in wanted:
        full["sizes"] = shape.sizes(answers.get("sizes"), found)
    if "backups" in found:
        schedule = None
        if isinstance(schedules, str):
            missing.note("backups", schedules)
        elif schedules is not None:
            schedule = schedules.of(database.shown["name"], database.shown["environment"])
        full["backups"] = shape.backups(database.spec.backup_directory, found["backups"], options.limit, schedule)
    if "certificate" in found:
        full["tls"] = shape.tls(found["certificate"], found.get("served"), now)
    if "findings" in wanted:
        config = container.config if container is not None else None
        found["unconfined"] = config is not None and not config.read_only and database.spec.read_only is None
        full["findings"] = _findings(database.shown, full, found, missing, options, now)
    kept = {key: value for key, value in full.items() if _asked_for(key) in wanted}
    return {**database.shown, **kept, "missing": {name: missing[name] for name in sorted(missing) if name in wanted}}


def _shaped(answers: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what needs nothing but the server's own answers, and the log."""
    full = {}
    for name, key in (("settings", "server_settings"), ("activity", "activity"), ("queries", "queries")):
        if name in answers:
            full[key] = getattr(shape, name)(answers[name])
    if "replication" in answers:
        full["replication"] = answers["replication"]
    if "logs" in found:
        full["logs"] = [show.without_secrets(line) for line in found["logs"]]
    return full


def _findings(
    shown: Mapping[str, Any],
    full: Mapping[str, Any],
    found: Mapping[str, Any],
    missing: Missing,
    options: Options,
    now: str,
) -> list[dict[str, str]]:
    answers = found.get("answers") or {}
    facts = {
        **full,
        "shown": shown,
        "silent": None if answers else missing.get("findings"),
        "checks": answers.get("checks"),
        "trust": answers.get("trust"),
        "samples": options.history.get(shown["container_name"]) or [],
        **{
            name: found.get(name)
            for name in (
                *("disk", "backup_disk", "newer_image", "opened", "replaced", "unconfined", "strays", "drift"),
                "pooler_silent",
            )
        },
    }
    return evaluate.findings(facts, options.thresholds, now)


def _asked_for(key: str) -> str:
    return _GATHERED_AS.get(key, key)


def _age(moment: str, now: str) -> int:
    began = datetime.datetime.fromisoformat(moment[:19])
    return max(0, int((datetime.datetime.fromisoformat(now[:19]) - began).total_seconds()))

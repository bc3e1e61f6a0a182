# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a database that serves is to be looked after for: what is slow, backups, schedules, drift. Pure."""

from __future__ import annotations

from typing import Any

from .._domain import show
from . import logs
from .client_checks import sql
from .judgement import Check, Outcome, holds, unknown, warns
from .nouns import Facts

# From when on somebody waits, or a transaction does nothing, so that others notice.
_WAITS_SECONDS = 1
_IDLE_SECONDS = 60
_LONG_SECONDS = 3600
_LEAST_HITS = 0.9
_BUSY = 0.95
# What checks of their own look at.
_ELSEWHERE = {
    *(
        "not_serving",
        "stopped",
        "not_answering",
        "restart_loop",
        "connections_near_limit",
        "disk_filling",
        "out_of_memory",
    ),
    *(
        "idle_transaction",
        "long_transaction",
        "restart_pending",
        "backup_overdue",
        "backup_damaged",
        "backup_undecided",
    ),
    *("backup_unverified", "certificate_ending", "certificate_not_served", "drift", "outranked", "schedule_not_active"),
    "directory_replaced",
    *("scheduled_backup_failed", "scheduled_verification_failed", "connection_limit"),
}


def _findings(facts: Facts, *codes: str) -> list[dict[str, Any]]:
    return [found for found in (facts.shown or {}).get("findings") or [] if found["code"] in codes]


def _told(facts: Facts, *codes: str) -> Outcome | None:
    """Return what is found of some kinds: a finding says it all already."""
    found = _findings(facts, *codes)
    if not found:
        return None
    return warns(" ".join(one["message"] for one in found[1:]), found[0]["message"], found[0]["advice"])


def _not_known(facts: Facts, name: str) -> Outcome:
    if facts.shown is None:
        return unknown("it is not managed by this collection" if not facts.ours else "it could not be asked")
    return unknown((facts.shown.get("missing") or {}).get(name) or "it could not be asked")


def _locks(facts: Facts) -> Outcome | None:
    activity = (facts.shown or {}).get("activity")
    if activity is None:
        return _not_known(facts, "activity")
    waiting = [one for one in activity["blocked"] if one["seconds"] >= _WAITS_SECONDS and one["blocked_by"]]
    if not waiting:
        return holds("no session waits for a lock")
    first = waiting[0]
    holder = first["blocked_by"][0]
    seen = (
        f"{len(waiting)} wait; process {first['pid']} ({first['user']}) for {show.duration(first['seconds'])}"
        f" for {first['lock']}, held by process {holder['pid']} ({holder['user']}, {holder['state']})"
    )
    cause = f"Sessions wait for a lock that process {holder['pid']} of {holder['user']} holds ({holder['state']})."
    return warns(seen, cause, sql(facts, f"SELECT pg_terminate_backend({int(holder['pid'])})"))


def _transactions(facts: Facts) -> Outcome | None:
    activity = (facts.shown or {}).get("activity")
    if activity is None:
        return _not_known(facts, "activity")
    for one in activity["transactions"]:
        idle = str(one["state"]).startswith("idle in transaction") and one["state_seconds"] >= _IDLE_SECONDS
        if not idle and one["seconds"] < _LONG_SECONDS:
            continue
        what = (
            f"idle for {show.duration(one['state_seconds'])}"
            if idle
            else f"running for {show.duration(one['seconds'])}"
        )
        cause = f"A transaction has been {what}: it keeps its locks, and vacuum cannot remove dead rows."
        seen = f"process {one['pid']} of {one['user']} from {one['address']}, {one['state']}"
        end = "pg_terminate_backend" if idle else "pg_cancel_backend"
        return warns(seen, cause, sql(facts, f"SELECT {end}({int(one['pid'])})"))
    return holds("none has been open for a long time")


def _maintenance(facts: Facts) -> Outcome | None:
    server = facts.server
    inside = server.inside if server is not None else None
    if inside is None:
        return unknown(server.outside if server is not None else "")
    where = f"docker exec -u postgres {facts.subject.container} vacuumdb --analyze -d {facts.subject.database}"
    if inside["unanalyzed"]:
        cause = "Large tables have no statistics: the planner guesses, and chooses bad plans."
        return warns(", ".join(inside["unanalyzed"]), cause, f"{where}; check that autovacuum is on")
    if inside["dead"]:
        cause = "Tables have many dead rows, which queries have to read: vacuum does not keep up, or is blocked."
        return warns(
            "; ".join(inside["dead"]),
            cause,
            f"{where}; check that autovacuum is on, and that no transaction stays open",
        )
    return holds("tables have statistics, and few dead rows")


def _load(facts: Facts) -> Outcome | None:
    known = (facts.shown or {}).get("statistics") or {}
    if not known:
        return _not_known(facts, "statistics")
    hits, size = known.get("cache_hit_ratio"), known.get("database_bytes")
    cpus, used = (facts.shown or {}).get("cpus"), known.get("cpu_percent")
    seen = f"processors {known.get('cpu') or 'unknown'}, memory {known.get('memory') or 'unknown'}" + (
        f", {100 * hits:.1f} % of blocks from the cache" if hits is not None else ""
    )
    if cpus and used is not None and used >= _BUSY * 100 * float(cpus):
        more = facts.subject.play("resize", database_cpus=f"{2 * float(cpus):g}")
        return warns(seen, f"It uses all of its processors ({cpus}).", more)
    if hits is not None and hits < _LEAST_HITS and size and facts.shared_buffers and size > facts.shared_buffers:
        cause = "Many blocks are read from disk: the database is larger than its cache (shared_buffers)."
        limit = 2 * (facts.memory_limit or 512 << 20)
        return warns(seen, cause, facts.subject.play("resize", database_memory=f"{limit >> 20}m"))
    return holds(seen)


def _log(facts: Facts) -> Outcome | None:
    if facts.container is None or not facts.container.running:
        return None
    lines = logs.trouble(facts.log)
    if lines:
        cause = "Its log shows problems with the host: the disk, memory, or a killed process."
        command = facts.subject.play("logs") if facts.ours else f"docker logs {facts.subject.container}"
        return warns(lines[-1].strip(), cause, command, lines)
    return holds(f"in its last {len(facts.log)} lines")


def _backups(facts: Facts) -> Outcome | None:
    known = (facts.shown or {}).get("backups")
    if known is None:
        return _not_known(facts, "backups")
    told = _told(facts, "backup_overdue", "backup_damaged", "backup_undecided", "backup_unverified")
    subject = facts.subject
    if told is not None:
        code = _findings(facts, "backup_overdue", "backup_damaged", "backup_undecided", "backup_unverified")[0]["code"]
        fix = subject.play("verify") if code == "backup_unverified" else subject.play("backup", backup_verify="true")
        return warns(told.evidence, told.cause, fix)
    damaged = known["damaged"]
    if damaged and not (facts.shown or {}).get("findings"):
        return warns(
            damaged[-1]["path"],
            f"A backup is damaged: {damaged[-1]['damage']}.",
            subject.play("backup", backup_verify="true"),
        )
    last, verified = known["last"], known["last_verified"]
    if last is None:
        return holds("there is none, and none is expected in this environment")
    return holds(
        f"{known['count']} good; the last of {last['created_at'][:16]}Z,"
        f" the last verified {'of ' + verified['verified_at'][:16] + 'Z' if verified else 'none'}"
    )


def _schedule(facts: Facts) -> Outcome | None:
    known = (facts.shown or {}).get("backups")
    if known is None:
        return _not_known(facts, "backups")
    schedule, subject = known["schedule"], facts.subject
    fix = "ansible-playbook vellaric.postgres.schedule"
    if schedule is None or schedule["calendar"] is None:
        if subject.environment == "development" or not _findings(facts, "backup_overdue"):
            return holds("none is on this host, and nothing is overdue")
        return warns("no calendar", "No backups of it are scheduled on this host, and one is overdue.", fix)
    last = f"{schedule['last_run_at'] or 'never'} ({schedule['last_outcome'] or 'nothing known'})"
    seen = f"{schedule['calendar']}, last run {last}"
    for part, what in ((schedule, "backup"), (schedule["verify"], "verification")):
        if part["calendar"] is not None and part["active"] is False:
            return warns(
                seen, f"Its {what} is scheduled, but {part['unit'] or 'its timer'} is not active: nothing runs.", fix
            )
    told = _told(facts, "scheduled_backup_failed", "scheduled_verification_failed")
    if told is not None:
        return warns(seen, told.cause, told.fix)
    if _findings(facts, "backup_overdue"):
        cause = "A scheduled backup was not taken: the host was off, or its scheduler did not run."
        return warns(seen, cause, f"systemctl list-timers 'vellaric-*' (or systemctl status cron); then: {fix}")
    return holds(seen)


def _keepers(facts: Facts) -> Outcome | None:
    container = facts.container
    if container is None or container.config is None:
        return None
    if facts.manager is not None:
        cause = f"{facts.manager} also manages the container, and restores its own configuration of it."
        return warns(facts.manager, cause, "remove the service there, so that only one of the two manages the database")
    if facts.watchers:
        cause = f"{facts.watchers[0]} replaces containers automatically when their image changes."
        return warns(
            ", ".join(facts.watchers),
            cause,
            f"exclude containers with the label io.vellaric.postgres.id from it, or docker stop {facts.watchers[0]}",
        )
    return holds("no other tool is known to")


def _drift(facts: Facts) -> Outcome | None:
    shown = facts.shown
    if shown is None or (facts.container is not None and facts.container.config is None):
        return None
    outranked, drifted = _findings(facts, "outranked"), _findings(facts, "drift")
    fix = facts.create() + " --check --diff"
    if outranked:
        who = "who runs ALTER SYSTEM, ALTER DATABASE or ALTER ROLE, or it comes back"
        return warns(
            " ".join(one["message"] for one in drifted),
            f"{outranked[0]['message']}",
            f"{fix}, then without; and find out {who}",
        )
    if drifted:
        return warns("", drifted[0]["message"], f"{fix}, then without")
    if "findings" in (shown.get("missing") or {}):
        return _not_known(facts, "findings")
    return holds("it is")


def _rest(facts: Facts) -> Outcome | None:
    if facts.shown is None or facts.shown.get("findings") is None:
        return None
    found = [one for one in facts.shown["findings"] if one["code"] not in _ELSEWHERE and one["severity"] != "info"]
    if not found:
        return holds("as playbook check has it")
    return warns(" ".join(one["message"] for one in found[1:]), found[0]["message"], found[0]["advice"])


_SERVES = ("container", "answers")
CHECKS = (
    Check("locks", "No session waits for a lock", _locks, needs=_SERVES),
    Check("transactions", "No transaction is left open", _transactions, needs=_SERVES),
    Check("maintenance", "Tables have statistics, and few dead rows", _maintenance, needs=(*_SERVES, "database")),
    Check("load", "It has enough processors and cache", _load, needs=_SERVES),
    Check("log", "Its log shows no problems", _log, needs=("engine",)),
    Check("schedule", "Backups run on schedule", _schedule, needs=("engine", "known")),
    Check("backups", "There is a good backup of it", _backups, needs=("engine", "known")),
    Check("keepers", "Nothing else manages its container", _keepers, needs=("engine",)),
    Check("drift", "It is as declared", _drift, needs=("engine", "known", *_SERVES)),
    Check("rest", "There are no other findings", _rest, needs=("engine", "known", *_SERVES)),
)

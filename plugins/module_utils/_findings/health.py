# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ails a server: it does not answer, restarts, is held back, sorts otherwise. Pure rules over gathered facts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .._domain import show
from .finding import CRITICAL, INFO, WARNING, Finding, listed, seconds_between

if TYPE_CHECKING:
    from .finding import Facts
    from .thresholds import Limits

_DAY = 86400


def not_serving(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    shown, silent = facts["shown"], facts.get("silent")
    if shown["container_status"] == "restarting":
        return
    if shown["status"] == "error":
        advice = "See why (gather: [logs]), fix the cause, and run the task that declares it again."
        yield Finding(CRITICAL, "not_serving", _sentence(shown["status_reason"]), advice)
    elif shown["status"] == "active" and silent:
        yield Finding(
            CRITICAL,
            "not_answering",
            _sentence(silent),
            "See what it does (gather: [logs], docker top). If it hangs, restart it: playbook restart.",
        )


def stopped(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    shown = facts["shown"]
    if shown["status"] == "stopped":
        # Whether a run stopped it or somebody by hand is not known: in production nobody does it for long.
        yield Finding(
            CRITICAL if shown["environment"] == "production" else INFO,
            "stopped",
            "It is stopped: it serves no clients, and is not backed up.",
            "Start it (playbook start), or delete it if it is no longer needed.",
        )


def restart_loop(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    shown, known = facts["shown"], facts.get("container") or {}
    count = known.get("restart_count") or 0
    advice = "See why it exits (gather: [logs]): an invalid parameter, a full disk, too little memory."
    if shown["container_status"] == "restarting":
        yield Finding(
            CRITICAL,
            "restart_loop",
            f"It exits again and again, with exit code {known.get('exit_code')}: the engine has restarted it {count}"
            " times.",
            advice,
        )
    elif count >= limits["restarts"] and shown["started_at"]:
        if seconds_between(shown["started_at"], now) < _DAY:
            yield Finding(
                WARNING,
                "restart_loop",
                f"The engine has restarted it {count} times because it exited, the last time on"
                f" {shown['started_at'][:16].replace('T', ' at ')} UTC.",
                advice,
            )


def idle_transaction(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    for one in (facts.get("activity") or {}).get("transactions") or []:
        if str(one["state"]).startswith("idle in transaction"):
            if one["state_seconds"] >= limits["idle_transaction_seconds"]:
                yield Finding(
                    WARNING,
                    "idle_transaction",
                    f"{one['user']} from {one['address']} (process {one['pid']}) has left a transaction open and done"
                    f" nothing for {show.duration(one['state_seconds'])}.",
                    "It keeps its locks, and blocks vacuum. Fix the application, terminate it with"
                    f" pg_terminate_backend({one['pid']}), or set idle_in_transaction_session_timeout.",
                )
        elif one["seconds"] >= limits["long_transaction_seconds"]:
            yield Finding(
                WARNING,
                "long_transaction",
                f"{one['user']} from {one['address']} (process {one['pid']}) has had a transaction open for"
                f" {show.duration(one['seconds'])}.",
                f"Check whether that is intended. pg_cancel_backend({one['pid']}) ends its statement.",
            )


def vacuum_blocked(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    for holder in ((facts.get("activity") or {}).get("vacuum_held_by") or [])[:1]:
        if holder["age"] >= limits["vacuum_blocked_transactions"]:
            yield Finding(
                WARNING,
                "vacuum_blocked",
                f"{holder['kind'].capitalize()} {holder['name']} has kept vacuum from removing dead rows for"
                f" {holder['age']} transactions.",
                _RELEASE[holder["kind"]] % holder["name"],
            )


_RELEASE = {
    "transaction": "Wait for it, or terminate it with pg_terminate_backend(%s): tables grow until then.",
    "slot": "Restart its consumer, or drop it with pg_drop_replication_slot('%s'): tables grow until then.",
    "prepared transaction": "Finish it with COMMIT PREPARED '%s' or ROLLBACK PREPARED: tables grow until then.",
    "standby": "A query on the standby behind process %s holds it (hot_standby_feedback): cancel it there.",
}


def invalid_index(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    names = (facts.get("checks") or {}).get("invalid_indexes") or []
    if names:
        one = len(names) == 1
        yield Finding(
            WARNING,
            "invalid_index",
            f"{'Index' if one else 'Indexes'} {listed(names)} {'is' if one else 'are'} invalid: writes maintain"
            " it, but no query uses it, and it does not enforce uniqueness.",
            "Rebuild it with REINDEX INDEX CONCURRENTLY, or drop it.",
        )


def collation_mismatch(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    known = (facts.get("checks") or {}).get("collations") or []
    if known:
        names = [f"{one['name']} (built with {one['recorded']}, now {one['actual']})" for one in known]
        yield Finding(
            CRITICAL,
            "collation_mismatch",
            f"Text sorts differently than when indexes were built: {listed(names)}. Indexes may miss rows, and unique"
            " ones may admit duplicates.",
            "Rebuild the affected indexes: playbook vellaric.postgres.collations (--check lists them). Or go back to"
            " the image with the previous C library.",
        )


def archiving_fails(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    known = (facts.get("replication") or {}).get("archiving") or {}
    failed, archived = known.get("last_failed_at"), known.get("last_archived_at")
    if known.get("enabled") and failed and (archived is None or failed > archived):
        yield Finding(
            CRITICAL,
            "archiving_fails",
            f"WAL archiving fails: {known['last_failed']} failed on {failed[:16].replace('T', ' at ')} UTC.",
            "See why (gather: [logs]) and fix archive_command: WAL fills the disk until then.",
        )


def checksum_failures(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    count = (facts.get("statistics") or {}).get("checksum_failures") or 0
    if count:
        yield Finding(
            CRITICAL,
            "checksum_failures",
            f"{count} damaged {'block was' if count == 1 else 'blocks were'} read: the disk does not return what was"
            " written.",
            "Take a backup to another disk at once, check the disk, and restore the last verified backup.",
        )


def restart_pending(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    names = (facts.get("server_settings") or {}).get("pending_restart") or []
    if names:
        yield Finding(
            WARNING,
            "restart_pending",
            f"{listed(names)} {'waits' if len(names) == 1 else 'wait'} for a restart: the server runs with the"
            " previous values.",
            "Restart it at a suitable time (playbook restart).",
        )


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:] + ("" if words.endswith(".") else ".")


RULES = (
    not_serving,
    stopped,
    restart_loop,
    idle_transaction,
    vacuum_blocked,
    invalid_index,
    collation_mismatch,
    archiving_fails,
    checksum_failures,
    restart_pending,
)

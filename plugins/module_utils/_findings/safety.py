# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What would hurt one day: backups, certificates, versions, open doors, drift. Pure rules over gathered facts."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from .._domain import show
from .finding import CRITICAL, INFO, WARNING, Finding, days, listed, seconds_between
from .releases import END_OF_LIFE, parts

if TYPE_CHECKING:
    from .finding import Facts
    from .thresholds import Limits

# Daily in production and weekly in staging, with the time that a backup takes.
_BACKUP_HOURS = {"production": 26, "staging": 8 * 24, "development": 0}
_TAKE_ONE = "Take one (playbook backup), and check its schedule (playbook schedule)."


def backup_overdue(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    known, shown = facts.get("backups"), facts["shown"]
    hours = _expected_hours(facts, limits)
    if known is None or not hours:
        return
    severity = CRITICAL if shown["environment"] == "production" else WARNING
    last = known["last"]
    if last is not None:
        age = seconds_between(last["created_at"], now)
        if age > hours * 3600:
            yield Finding(
                severity,
                "backup_overdue",
                f"The last good backup is {show.duration(age)} old; one is expected every {_hours(hours)}.",
                _TAKE_ONE,
            )
    elif shown["created_at"] is None or seconds_between(shown["created_at"], now) > hours * 3600:
        yield Finding(severity, "backup_overdue", "There is no good backup.", _TAKE_ONE)


def backup_unverified(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    known = facts.get("backups")
    if known is None or known["last"] is None or not _expected_hours(facts, limits) or not limits["verified_days"]:
        return
    advice = "Verify one (playbook verify): it is restored into a temporary container and compared."
    last = known["last_verified"]
    if last is None:
        yield Finding(WARNING, "backup_unverified", "No backup has ever been verified by restoring it.", advice)
        return
    age = seconds_between(last["verified_at"] or last["created_at"], now)
    if age > limits["verified_days"] * 86400:
        message = f"The last backup was verified {days(age / 86400)} ago."
        yield Finding(WARNING, "backup_unverified", message, advice)


def _not_good(facts: Facts, decided: bool) -> list[dict[str, Any]]:
    """Return the last backup that is damaged, or of which nobody can say here whether it is."""
    held = (facts.get("backups") or {}).get("damaged") or []
    return [backup for backup in held if decided is (backup.get("undecided") is None)][-1:]


def backup_undecided(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    for backup in _not_good(facts, decided=False):
        yield Finding(
            WARNING,
            "backup_undecided",
            f"{backup['name']} cannot be checked here: {backup['undecided']}.",
            "Keep it, and fix the cause.",
        )


def backup_damaged(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    for damaged in _not_good(facts, decided=True):
        yield Finding(
            WARNING,
            "backup_damaged",
            f"{damaged['name']} is not a good backup: {damaged['damage']}.",
            "Remove it once there is a good one; find out why it is damaged.",
        )


def schedule_failed(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    known = facts.get("backups") or {}
    scheduled = known.get("schedule")
    if scheduled is None:
        return
    parts = (
        ("backup", scheduled, known["last"] and known["last"]["created_at"]),
        ("verification", scheduled["verify"], known["last_verified"] and known["last_verified"]["verified_at"]),
    )
    for what, part, done_at in parts:
        # What somebody has repaired by hand since is right.
        if part["last_outcome"] == "failed" and (done_at is None or done_at < part["last_run_at"]):
            critical = facts["shown"]["environment"] == "production"
            playbook = "playbook backup" if what == "backup" else "playbook verify"
            again = f"systemctl start {part['unit'].replace('.timer', '.service')}" if part["unit"] else playbook
            yield Finding(
                CRITICAL if critical else WARNING,
                f"scheduled_{what}_failed",
                f"Its scheduled {what} failed at {part['last_run_at']}: {part['last_reason']}.",
                f"Fix that, then do it again ({again}).",
            )
        if part["calendar"] is not None and part["active"] is False:
            yield Finding(
                WARNING,
                "schedule_not_active",
                f"Its {what} is scheduled ({part['calendar']}), but {part['unit']} is not active: it will not run.",
                "Run role vellaric.postgres.backup (playbook schedule), which activates it.",
            )
        if part["notification_error"]:
            yield Finding(
                WARNING,
                "notification_failed",
                f"The notification about its last scheduled {what} failed: {part['notification_error']}.",
                "Fix it, or declare another backup_notify_command or backup_notify_url.",
            )


def certificate_ending(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    known = facts.get("tls")
    if known is None:
        return
    left = seconds_between(now, known["not_after"]) / 86400
    if known["served"] is False:
        yield Finding(
            WARNING,
            "certificate_not_served",
            "The server presents another certificate than the one in its directory.",
            "Run the task that declares it, which reloads its configuration.",
        )
    if left > limits["certificate_warning_days"]:
        return
    yield Finding(
        CRITICAL if left <= limits["certificate_critical_days"] else WARNING,
        "certificate_ending",
        f"Its certificate {'expires' if left > 0 else 'expired'} on {known['not_after'][:10]}"
        f" ({days(abs(left))} {'from now' if left > 0 else 'ago'}).",
        "Run the task that declares it, which renews the certificate.",
    )


def open_without_tls(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    shown = facts["shown"]
    insists = shown["sslmode"] in ("require", "verify-full")
    if insists or not _reaches_the_world(shown["bind_address"]) or not _admits_the_world(shown["trusted_sources"]):
        return
    yield Finding(
        CRITICAL,
        "open_without_tls",
        f"Port {shown['port']} is published on {shown['bind_address']} for any address (trusted_sources), and does not"
        " require TLS.",
        "Set sslmode: require, declare the networks of the application as trusted_sources, or bind to a private address"
        " (bind_address).",
    )


def minor_version_behind(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    newer, running = facts.get("newer_image"), (facts.get("server_settings") or {}).get("version")
    if not newer or not running or parts(newer["version"])[0] != parts(running)[0]:
        return
    if parts(newer["version"]) > parts(running):
        yield Finding(
            WARNING,
            "minor_version_behind",
            f"It runs PostgreSQL {running}; image {newer['reference']} on this host is {newer['version']}.",
            "Update with pull: always, which takes a restart: minor versions fix security holes and data loss.",
        )


def major_version_end_of_life(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    running = (facts.get("server_settings") or {}).get("version")
    if not running:
        return
    end = END_OF_LIFE.get(parts(running)[0])
    if end is None:
        return
    left = seconds_between(now, end + "T00:00:00") / 86400
    major = parts(running)[0]
    advice = "Plan the upgrade to a later major version."
    if left <= 0:
        message = f"PostgreSQL {major} has had no updates since {end}, not even security fixes."
        yield Finding(WARNING, "major_version_end_of_life", message, advice)
    elif left <= limits["end_of_life_days"]:
        message = f"PostgreSQL {major} will have no more updates from {end} on, in {days(left)}."
        yield Finding(INFO, "major_version_end_of_life", message, advice)


def open_to_host(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    for root in facts.get("opened") or ():
        yield Finding(
            WARNING,
            "open_to_host",
            f"All users of the host have access to {root.path} (mode {root.mode:04o}). Its files belong to user ids of"
            " the image, which may be those of other users there.",
            f"Give its databases and backups a directory of their own, or close that one (chmod o-rwx {root.path})."
            if root.strangers
            else "Run the task that declares it, which closes the directory.",
        )


def directory_replaced(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    known = facts.get("replaced")
    if known:
        yield Finding(
            CRITICAL,
            "directory_replaced",
            f"{listed(known)} was removed, replaced or mounted over while it ran: it still has the old one, and"
            " what it writes there is lost.",
            "Take a backup and put the old directory back: its data would be lost at a restart (playbook diagnose)."
            if any(path.startswith(facts["shown"]["data_directory"]) for path in known)
            else "Restart it (playbook restart), which gives it the present one.",
        )


def data_in_container(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    if facts.get("strays"):
        yield Finding(
            CRITICAL,
            "data_in_container",
            f"Part of its data is inside the container, and would be lost with it: {listed(facts['strays'])}.",
            "Stop it, copy that with docker cp to the place of the link in its data directory, and start it again.",
        )


def sql_ascii(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    if (facts.get("checks") or {}).get("encoding") == "SQL_ASCII":
        yield Finding(
            WARNING,
            "sql_ascii",
            "Its encoding is SQL_ASCII: it accepts any bytes, and sorts and compares them as bytes.",
            "Create another database (UTF8 by default), and import a dump of this one there.",
        )


def not_confined(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    if facts.get("unconfined"):
        yield Finding(
            INFO,
            "not_confined",
            "Its container was created by an earlier version of this collection, and can write to its root file"
            " system.",
            "The next change that replaces the container makes it read-only; declare read_only: true to have it now.",
        )


def drift(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    steps = facts.get("drift")
    if steps:
        yield Finding(
            WARNING,
            "drift",
            f"It is not as declared. A run would: {listed(steps)}.",
            "Run the task that declares it; with --check --diff it shows what it would change.",
        )


def _expected_hours(facts: Facts, limits: Limits) -> float:
    given = limits["backup_hours"]
    return _BACKUP_HOURS.get(facts["shown"]["environment"], 0) if given is None else given


def _hours(number: float) -> str:
    return f"{number / 24:g} days" if number >= 48 and number % 24 == 0 else f"{number:g} hours"


def _reaches_the_world(address: str) -> bool:
    """Whether an address at which a port is published may be reached from other networks than private ones."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return False
    return known.is_unspecified or known.is_global


def _admits_the_world(sources: Iterable[str] | None) -> bool:
    if sources is None:
        return True
    return any(ipaddress.ip_network(source, strict=False).prefixlen == 0 for source in sources)


RULES = (
    backup_overdue,
    backup_unverified,
    backup_damaged,
    backup_undecided,
    schedule_failed,
    certificate_ending,
    open_without_tls,
    minor_version_behind,
    major_version_end_of_life,
    open_to_host,
    directory_replaced,
    not_confined,
    data_in_container,
    sql_ascii,
    drift,
)

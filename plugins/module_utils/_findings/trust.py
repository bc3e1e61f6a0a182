# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do more than was declared, and what outranks a declaration. Pure rules over gathered facts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .._domain import configuration, privileges
from .._domain.settings import MANAGED_SETTINGS
from .._server.replacement import kept
from .finding import CRITICAL, INFO, WARNING, Finding, listed

if TYPE_CHECKING:
    from .._domain.privileges import ObservedPrivileges
    from .finding import Facts
    from .thresholds import Limits

_RUN = "Run the task that declares it, which puts that right; with --check --diff it shows what it would change."


def _observed(facts: Facts) -> ObservedPrivileges:
    return {**privileges.NOTHING, **((facts.get("trust") or {}).get("privileges") or {})}


def excess_privileges(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    held = privileges.held(_observed(facts))
    if held:
        yield Finding(
            CRITICAL, "excess_privileges", f"Somebody may do more than the database is for: {listed(held)}.", _RUN
        )


def event_triggers(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    observed = _observed(facts)
    for name, why in privileges.armed(observed).items():
        yield Finding(
            CRITICAL, "event_trigger", f"Event trigger {name} fires in superusers' sessions, and {why}.", _RUN
        )
    others = [one for one in observed["triggers"] if one["enabled"] and not one["unsafe"]]
    if others:
        names = listed([f"{one['name']} ({one['function']})" for one in others])
        yield Finding(
            INFO,
            "event_trigger",
            f"Event triggers fire in superusers' sessions, too: {names}.",
            "See that their functions call and write to nothing that belongs to the application's role.",
        )
    off = [one["name"] for one in observed["triggers"] if not one["enabled"] and not one["owner_is_superuser"]]
    if off:
        yield Finding(
            INFO,
            "event_trigger",
            f"Event triggers are disabled, as their functions belong to somebody who is no superuser: {listed(off)}.",
            "Drop them, or give their functions to the superuser once you have read them, and enable them then.",
        )


def odd_privileges(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    observed, words = _observed(facts), []
    for membership in observed["memberships"]:
        if not membership["gives"] and not membership["owns"]:
            words.append(f"{membership['member']} is a member of {membership['role']}")
    words += [f"{one['grantee']} may call {one['function']}" for one in observed["functions"] if not one["dangerous"]]
    for granted in observed["parameters"]:
        if granted["privilege"] != "ALTER SYSTEM":
            words.append(f"{granted['grantee']} may set {granted['parameter']}")
    for default in observed["defaults"]:
        words.append(f"what {default['superuser']} will make is granted to {default['grantee']} (default privileges)")
    if words:
        yield Finding(
            WARNING,
            "odd_privileges",
            f"Somebody may do what nobody has declared: {listed(words)}.",
            "Revoke what nobody needs. A run leaves it as it is.",
        )


def superuser_functions(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    observed = _observed(facts)
    if observed["definers"]:
        yield Finding(
            WARNING,
            "superuser_functions",
            "Functions of a superuser's run as that superuser, whoever calls them (SECURITY DEFINER):"
            f" {listed(observed['definers'])}.",
            "Give them to the application's role (ALTER FUNCTION ... OWNER TO), or let only those call them who must.",
        )
    if observed["untrusted"]:
        names = listed([f"{one['function']} ({one['language']})" for one in observed["untrusted"]])
        yield Finding(
            WARNING,
            "untrusted_functions",
            f"Functions in a language that reaches outside of the database may be called by the application: {names}.",
            "They run as the user of the server, with its files and network. Drop those that nobody needs.",
        )


def owns_elsewhere(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    found = {one["database"]: one for one in _observed(facts)["elsewhere"]}
    for name in [old for old, _when in kept(facts["shown"].get("name") or "", found)]:
        del found[name]
    # What a restore is filling, or has left.
    names = [name for name in found if "." not in name]
    if names:
        yield Finding(
            WARNING,
            "owns_elsewhere",
            f"The application's role owns other databases of the server, or something in them: {listed(names)}.",
            "Give that to somebody else (ALTER DATABASE ... OWNER TO, REASSIGN OWNED), or drop it.",
        )


def outranked(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    trust, shown = facts.get("trust"), facts["shown"]
    if trust is None:
        return
    contract = {*configuration.CONTRACT, *MANAGED_SETTINGS}
    declared, derived = set(shown.get("settings") or {}), set(shown.get("parameters") or {})
    altered = trust.get("altered") or []
    entries = [(one["name"], privileges.override_words(one)) for one in _observed(facts)["overrides"]]
    words = [(name, f"ALTER SYSTEM SET {name}") for name in altered if name in contract | declared | derived]
    words += [(name, text) for name, text in entries if name in contract | declared]
    if words:
        yield Finding(
            CRITICAL if any(name in contract for name, _text in words) else WARNING,
            "outranked",
            f"It does not run with what is declared, but with what somebody has set: {listed([t for _n, t in words])}.",
            _RUN,
        )
    others = [f"ALTER SYSTEM SET {name}" for name in altered if name not in contract | declared | derived]
    others += [text for name, text in entries if name in derived - declared]
    if others:
        yield Finding(
            INFO,
            "set_by_hand",
            f"Parameters are set by hand, not by a declaration: {listed(others)}.",
            "Declare them (settings), so that they are there where the database is made anew, or take them back.",
        )


def connection_limit(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    words = [f"{one['what']} has {one['limit']}" for one in _observed(facts)["connection_limits"]]
    if words:
        yield Finding(
            WARNING,
            "connection_limit",
            f"Fewer connections are let in than the server has, by a limit that somebody has set: {listed(words)}.",
            "Where nobody wants it: ALTER ROLE, or ALTER DATABASE, ... CONNECTION LIMIT -1.",
        )


RULES = (
    excess_privileges,
    event_triggers,
    odd_privileges,
    superuser_functions,
    owns_elsewhere,
    outranked,
    connection_limit,
)

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

_RUN = "Run the task that declares it, which corrects this; with --check --diff it shows what it would change."


def _observed(facts: Facts) -> ObservedPrivileges:
    return {**privileges.NOTHING, **((facts.get("trust") or {}).get("privileges") or {})}


def excess_privileges(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    held = privileges.held(_observed(facts))
    if held:
        yield Finding(CRITICAL, "excess_privileges", f"There are privileges beyond the database: {listed(held)}.", _RUN)


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
            f"Event triggers also fire in superusers' sessions: {names}.",
            "Check that their functions neither call nor write to objects of the application's role.",
        )
    off = [one["name"] for one in observed["triggers"] if not one["enabled"] and not one["owner_is_superuser"]]
    if off:
        yield Finding(
            INFO,
            "event_trigger",
            f"Event triggers are disabled, because their functions do not belong to a superuser: {listed(off)}.",
            "Drop them, or review their functions, give them to the superuser, and enable them.",
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
        words.append(
            f"future objects of {default['superuser']} are granted to {default['grantee']} (default privileges)"
        )
    if words:
        yield Finding(
            WARNING,
            "odd_privileges",
            f"There are undeclared privileges: {listed(words)}.",
            "Revoke what is not needed. A run does not change them.",
        )


def superuser_functions(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    observed = _observed(facts)
    if observed["definers"]:
        yield Finding(
            WARNING,
            "superuser_functions",
            f"Functions run as a superuser, whoever calls them (SECURITY DEFINER): {listed(observed['definers'])}.",
            "Give them to the application's role (ALTER FUNCTION ... OWNER TO), or revoke EXECUTE from who does not"
            " need them.",
        )
    if observed["untrusted"]:
        names = listed([f"{one['function']} ({one['language']})" for one in observed["untrusted"]])
        yield Finding(
            WARNING,
            "untrusted_functions",
            f"The application's role may call functions in untrusted languages: {names}.",
            "They run as the server's OS user, with access to its files and network. Drop those that are not needed.",
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
            f"The application's role owns other databases of the server, or objects in them: {listed(names)}.",
            "Give them to another role (ALTER DATABASE ... OWNER TO, REASSIGN OWNED), or drop them.",
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
            f"It does not run with what is declared, because of: {listed([t for _n, t in words])}.",
            _RUN,
        )
    others = [f"ALTER SYSTEM SET {name}" for name in altered if name not in contract | declared | derived]
    others += [text for name, text in entries if name in derived - declared]
    if others:
        yield Finding(
            INFO,
            "set_by_hand",
            f"Parameters are set by hand, and not declared: {listed(others)}.",
            "Declare them (settings), so that they are kept when the database is recreated, or reset them.",
        )


def connection_limit(facts: Facts, limits: Limits, now: str) -> Iterator[Finding]:
    words = [f"{one['what']} has {one['limit']}" for one in _observed(facts)["connection_limits"]]
    if words:
        yield Finding(
            WARNING,
            "connection_limit",
            f"A connection limit that is not declared is set: {listed(words)}.",
            "If it is not wanted: ALTER ROLE, or ALTER DATABASE, ... CONNECTION LIMIT -1.",
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

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An ordered list of checks over gathered facts, and what it comes to. Pure.

What fails first is the cause. A check that cannot be looked at without another one that does not hold (`needs`), or
that fails for the reason that has been found already (`follows`), is a consequence, and is said to be one.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Callable

from .._domain import show

# Of what is shown of anything.
_LONGEST = 1000

HOLDS, WARNS, FAILS, UNKNOWN = STATES = ("holds", "warns", "fails", "unknown")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """state: one of STATES. evidence: what was seen. cause: why, in a sentence. fix: the command; log: its lines.

    Of what is unknown, cause says why it could not be looked at.
    """

    state: str
    evidence: str = ""
    cause: str = ""
    fix: str = ""
    log: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Check:
    """name: what is to hold, in plain words. judge: returns an Outcome; None where there is nothing to be looked at."""

    code: str
    name: str
    judge: Callable[[Any], Outcome | None]
    needs: tuple[str, ...] = ()
    follows: tuple[str, ...] = ()


def holds(evidence: str = "") -> Outcome:
    return Outcome(HOLDS, evidence)


def warns(evidence: str, cause: str, fix: str, log: tuple[str, ...] = ()) -> Outcome:
    return Outcome(WARNS, evidence, cause, fix, log)


def fails(evidence: str, cause: str, fix: str, log: tuple[str, ...] = ()) -> Outcome:
    return Outcome(FAILS, evidence, cause, fix, log)


def unknown(reason: str) -> Outcome:
    return Outcome(UNKNOWN, cause=reason)


def judge(checks: tuple[Check, ...], facts: Any) -> list[dict[str, Any]]:
    """Return what each check came to, in order, as module postgres_db_diagnosis returns it."""
    found: dict[str, dict[str, Any]] = {}
    for check in checks:
        outcome, because = _outcome(check, facts, found)
        if outcome is not None:
            found[check.code] = {
                "check": check.code,
                "name": check.name,
                "state": outcome.state,
                "evidence": outcome.evidence,
                "cause": outcome.cause,
                "fix": outcome.fix,
                "because": because,
                "log": list(outcome.log),
            }
    return list(found.values())


def _outcome(check: Check, facts: Any, found: dict[str, dict[str, Any]]) -> tuple[Outcome | None, str | None]:
    root = _first_broken(check.needs, found)
    if root is not None:
        return unknown(f"not checked, because this failed: {found[root]['name']}"), root
    outcome = _judged(check, facts)
    root = _first_broken(check.follows, found)
    if outcome is not None and outcome.state == FAILS and root is not None:
        reason = f"follows from the failure above: {found[root]['name']}"
        return dataclasses.replace(outcome, state=UNKNOWN, cause=reason, fix=""), root
    return outcome, None


def _judged(check: Check, facts: Any) -> Outcome | None:
    """Judge; whoever is in a container may let its server answer anything, which is to keep nothing else from it."""
    try:
        outcome = check.judge(facts)
        if outcome is None:
            return None
        return dataclasses.replace(
            outcome,
            evidence=_plain(outcome.evidence),
            cause=_plain(outcome.cause),
            log=tuple(_plain(line) for line in outcome.log),
        )
    except Exception as error:  # One odd answer is not to keep the other checks from being shown.
        return unknown(f"what was answered cannot be understood ({type(error).__name__})")


def _first_broken(codes: tuple[str, ...], found: dict[str, dict[str, Any]]) -> str | None:
    """Return the code of what is at the bottom of it where one of the checks does not hold."""
    for code in codes:
        there = found.get(code)
        if there is not None and there["state"] == FAILS:
            return code
        if there is not None and there["state"] == UNKNOWN and there["because"] is not None:
            root: str = there["because"]
            return root
    return None


def cause(judged: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the check that is to be fixed first, None where all is well: nothing but what fails keeps clients off."""
    for state in (FAILS, WARNS):
        for check in judged:
            if check["state"] == state:
                return check
    return None


def verdict(judged: list[dict[str, Any]]) -> str:
    """Say in a sentence what it comes to."""
    first = cause(judged)
    if first is None:
        seen = sum(check["state"] == HOLDS for check in judged)
        return f"All checks passed ({seen})."
    return f"{'' if first['state'] == FAILS else 'It serves, but: '}{first['cause']}"


def _plain(words: str) -> str:
    shown = show.without_secrets(words)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]} ..."

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What module postgres_db_diagnosis answered on a host, and on the controller, as one diagnosis and as text. Pure."""

from __future__ import annotations

import textwrap
from typing import Any

from ..module_utils._diagnosis.judgement import FAILS, STATES, cause, verdict
from .typed import ListOf, Record, flag, moment, one_of, text

_CHECK = Record(
    "check",
    "name",
    "state",
    check=text,
    name=text,
    state=one_of(*STATES),
    evidence=text,
    cause=text,
    fix=text,
    because=text,
    log=ListOf(text),
)
_ANSWER = Record("checks", container_name=text, managed=flag, diagnosed_at=moment, checks=ListOf(_CHECK))
_KEYS = ("check", "name", "state", "evidence", "cause", "fix", "because", "log")
_WIDTH = 110
_WORDS = {"holds": "holds", "warns": "WARNS", "fails": "FAILS", "unknown": "unknown"}


def diagnosis(answers: list[Any]) -> dict[str, Any]:
    """Return one diagnosis of what a host answered, and where it was asked the controller, each held to its types.

    Raises Odd where an answer is none. What is said of it as a whole is told anew from its checks.
    """
    read = [_ANSWER(answer, "the diagnosis") for answer in answers if answer]
    checks = [
        {**{key: check[key] for key in _KEYS}, "log": check["log"] or []}
        for answer in read
        for check in answer["checks"]
    ]
    for check in checks:
        check.update({key: check[key] or "" for key in ("evidence", "cause", "fix")})
    first, container = cause(checks), next((answer["container_name"] for answer in read), None)
    return {
        "container_name": container or "",
        "managed": next((answer["managed"] for answer in read), None),
        "diagnosed_at": next((answer["diagnosed_at"] for answer in read), None),
        "serves": not any(check["state"] == FAILS for check in checks),
        "cause": first["check"] if first else None,
        "verdict": verdict(checks),
        "fix": first["fix"] if first else "",
        "checks": checks,
    }


def lines(told: dict[str, Any], host: str = "") -> list[str]:
    """Return a diagnosis as a person reads it, for a terminal or a ticket."""
    place = f" on {host}" if host else ""
    found = [f"{told['container_name']}{place}, {told['diagnosed_at']}", *_wrapped(told["verdict"], "")]
    if told["fix"]:
        found += _wrapped(told["fix"], "fix:  ")
    found.append("")
    for check in told["checks"]:
        evidence = f": {check['evidence']}" if check["evidence"] else ""
        found += _wrapped(f"{check['name']}{evidence}", f"{_WORDS[check['state']]:<9}")
        if check["state"] != "holds":
            found += _wrapped(check["cause"], " " * 9)
        if check["fix"]:
            found += _wrapped(check["fix"], " " * 9 + "fix:  ")
        found += [f"{' ' * 9}log:  {' '.join(line.split())}" for line in check["log"]]
    return found


def _wrapped(words: str, before: str) -> list[str]:
    """Return words in lines, without breaking a word, such as a path."""
    if not words:
        return []
    return textwrap.wrap(
        " ".join(words.split()),
        width=_WIDTH,
        initial_indent=before,
        subsequent_indent=" " * len(before),
        break_long_words=False,
        break_on_hyphens=False,
    )

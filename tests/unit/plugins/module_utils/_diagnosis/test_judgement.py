# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of checks that need each other: what fails first is the cause, the rest follows."""

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._diagnosis import checks
from ansible_collections.vellaric.postgres.plugins.module_utils._diagnosis.judgement import (
    Check,
    cause,
    fails,
    holds,
    judge,
    unknown,
    verdict,
    warns,
)


def check(code, outcome, needs=(), follows=()):
    return Check(code, f"{code} holds", lambda facts: outcome, needs, follows)


def states(judged):
    return {one["check"]: (one["state"], one["because"]) for one in judged}


BROKEN = fails("seen", "Why.", "fix it")


def test_what_needs_what_fails_is_not_looked_at_down_to_the_end():
    found = judge(
        (check("a", BROKEN), check("b", holds(), ("a",)), check("c", BROKEN, ("b",)), check("d", holds())), None
    )
    assert states(found) == {
        "a": ("fails", None),
        "b": ("unknown", "a"),
        "c": ("unknown", "a"),
        "d": ("holds", None),
    }
    assert "a holds" in found[2]["cause"] and found[2]["fix"] == ""
    assert cause(found)["check"] == "a" and verdict(found) == "Why."


def test_what_fails_for_a_reason_that_is_known_follows_from_it_and_what_holds_all_the_same_does():
    found = judge((check("a", BROKEN), check("b", BROKEN, (), ("a",)), check("c", holds(), (), ("a",))), None)
    assert states(found) == {"a": ("fails", None), "b": ("unknown", "a"), "c": ("holds", None)}
    assert found[1]["evidence"] == "seen"


def test_what_could_not_be_looked_at_breaks_nothing():
    found = judge((check("a", unknown("no way")), check("b", holds(), ("a",))), None)
    assert states(found) == {"a": ("unknown", None), "b": ("holds", None)}
    assert cause(found) is None and verdict(found).startswith("All checks passed")


def test_what_is_to_be_acted_on_keeps_nobody_off():
    found = judge((check("a", warns("", "Soon.", "fix")), check("b", holds(), ("a",))), None)
    assert states(found)["b"] == ("holds", None)
    assert cause(found)["check"] == "a" and verdict(found) == "It serves, but: Soon."
    assert cause([*found, *judge((check("c", BROKEN),), None)])["check"] == "c"


def test_an_odd_answer_keeps_the_other_checks_from_nothing():
    def odd(facts):
        return holds(facts["nothing"])

    found = judge((Check("a", "a", odd), check("b", holds())), {})
    assert states(found) == {"a": ("unknown", None), "b": ("holds", None)} and "KeyError" in found[0]["cause"]


def test_nothing_secret_is_shown_and_nothing_endless():
    told = fails("ALTER ROLE a PASSWORD 'secret'", "x" * 5000, "", ("postgresql://a:secret@b/c",))
    (found,) = judge((check("a", told),), None)
    assert "secret" not in str(found) and len(found["cause"]) < 1100


@pytest.mark.parametrize("known", [checks.CHECKS, checks.CLIENT_CHECKS], ids=["host", "client"])
def test_each_check_is_called_once_and_stands_behind_what_it_needs(known):
    codes = [one.code for one in known]
    assert len(set(codes)) == len(codes) and len({one.name for one in known}) == len(codes)
    for number, one in enumerate(known):
        for other in (*one.needs, *one.follows):
            assert other in codes[:number], (one.code, other)

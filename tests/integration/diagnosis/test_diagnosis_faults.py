# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each fault, caused on a real database: the diagnosis names it, and nothing before it; then all holds again."""

from __future__ import annotations

import faults
import harness
import pytest


@pytest.fixture(scope="module")
def place():
    host = harness.Host()
    try:
        there = faults.Place(host, "shop")
        there.declare()
        yield there
    finally:
        host.close()


def named(place, answer):
    """Return the state and the words of what is named, without what is this run's own."""
    return next(check for check in answer["checks"] if check["check"] == answer["cause"])


def test_nothing_is_the_matter(place):
    answer = place.diagnose()
    assert answer["cause"] is None and answer["serves"], [c for c in answer["checks"] if c["state"] != "holds"]
    assert not [check for check in answer["checks"] if check["state"] == "unknown"], answer["checks"]
    assert harness.PASSWORD not in str(answer)


@pytest.mark.parametrize("name", faults.FAULTS)
def test_a_fault_is_named(place, name):
    fault = faults.FAULTS[name]
    if not (fault.often or harness.THOROUGH):
        pytest.skip("one of many: VELLARIC_TEST_THOROUGH=1")
    place.ask = {}
    try:
        with fault.cause(place):
            answer = place.diagnose()
    finally:
        place.ask = {}
        faults.up(place)
    assert harness.PASSWORD not in str(answer)
    assert answer["cause"] == fault.check, (answer["verdict"], answer["checks"])
    check = named(place, answer)
    assert check["state"] == fault.state and fault.mend in check["mend"], check

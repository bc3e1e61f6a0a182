# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each fault, caused on a real database: the diagnosis names it, and nothing before it; then all holds again."""

from __future__ import annotations

import re

import faults
import harness
import pytest
import table

ORDER = [(fault.symptom, fault.caused) for fault in (*faults.FAULTS.values(), *faults.ON_HOSTS)]


@pytest.fixture(scope="module")
def place():
    host = harness.Host()
    try:
        there = faults.Place(host, "shop")
        there.declare()
        yield there
    finally:
        host.close()


@pytest.fixture(scope="module")
def caused():
    """What was said of what was caused, by symptom and by what was done; written where all of it was caused."""
    found = {}
    yield found
    if harness.THOROUGH:
        table.write(found, ORDER)


def named(answer):
    """Return the check that is named."""
    return next(check for check in answer["checks"] if check["check"] == answer["cause"])


def test_the_guide_has_all_symptoms():
    text = (table.FILE.parent / "troubleshooting.md").read_text()
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == list(dict.fromkeys(table.SYMPTOMS))
    assert {symptom for symptom, _caused in ORDER} == set(table.SYMPTOMS)


def test_the_table_has_all_faults_and_what_they_are_to_be_mended_with():
    known = table.rows()
    # Those of hosts of their own are caused elsewhere.
    there = [key for key in ORDER if key in known]
    assert list(known) == sorted(there, key=lambda key: table.SYMPTOMS.index(key[0]))
    for fault in faults.FAULTS.values():
        assert fault.fix in known[(fault.symptom, fault.caused)]


def test_nothing_is_the_matter(place):
    answer = place.diagnose()
    assert answer["cause"] is None and answer["serves"], [c for c in answer["checks"] if c["state"] != "holds"]
    assert not [check for check in answer["checks"] if check["state"] == "unknown"], answer["checks"]
    assert harness.PASSWORD not in str(answer)


def test_a_container_says_itself_where_its_database_is(place):
    answer = place.diagnose(name=None, environment=None, container=place.container, data_root=None)
    assert answer["managed"] and answer["serves"] and answer["cause"] is None, answer["verdict"]


@pytest.mark.parametrize("name", faults.FAULTS)
def test_a_fault_is_named(place, caused, name):
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
    check = named(answer)
    assert check["state"] == fault.state and fault.fix in check["fix"], check
    key = (fault.symptom, fault.caused)
    caused[key] = table.row(*key, answer)
    if not harness.THOROUGH:
        assert caused[key] == table.rows()[key], "THOROUGH writes docs/faults.md"

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a fleet with a host that answers nonsense: made all the same, and nothing in it acts on a terminal."""

from __future__ import annotations

import json
import re

import pytest
from ansible_collections.vellaric.postgres.plugins.plugin_utils.plain import plain
from ansible_collections.vellaric.postgres.plugins.plugin_utils.report import fleet, history, page, views
from ansible_collections.vellaric.postgres.tests.unit import fleets, mutated

NOW = fleets.NOW
GOOD = {"databases": [fleets.database(0, findings=[fleets.finding("warning")])]}
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
# The page has line ends and tabs.
CONTROL_IN_PAGE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def refuse(word):
    raise AssertionError(word)


def checked(answer):
    """Show a fleet of three hosts, one of which gave this answer."""
    # As the action plugins take it.
    answers = plain({"docker1": GOOD, "docker2": answer, "docker3": GOOD}, str)
    shown = fleet.from_answers(answers, NOW)
    assert {host.name for host in shown.hosts if not host.error} >= {"docker1", "docker3"}
    for name, view in views.VIEWS.items():
        text = "\n".join(view(shown, width=150))
        assert not CONTROL.search(text), name
        assert "docker2" in text or not shown.silent
    document = json.dumps(views.document(shown), indent=2, allow_nan=False)
    assert not CONTROL.search(document)
    added = history.lines(shown)
    entries = history.parse(added.replace('"at":1767225600.0', '"at":1767225000.0') + added)
    json.dumps(entries, allow_nan=False)
    assert len(entries) == 2 * (len(shown.hosts) - len(shown.silent))
    text = page.render(shown, history.thinned(entries, NOW, 90), "Databases")
    text.encode("utf-8")
    assert not CONTROL_IN_PAGE.search(text)
    (data,) = re.findall('id="data">(.*?)</script>', text)
    json.loads(data, parse_constant=refuse)
    assert not re.search('(data-sort|points|width)="[^"]*(nan|inf)[^"]*"', text, re.IGNORECASE)
    assert text.count("<script") == 4 and "<img" not in text


def test_mutated_answers():
    for number, answer in enumerate(mutated.answers(seed="report")):
        try:
            checked(answer)
        except Exception as error:
            raise AssertionError(f"answer {number}") from error


@pytest.mark.parametrize("figure", ["NaN", "Infinity", "1e999", "1" + "0" * 400, "-1e400"])
def test_a_history_with_what_is_no_number_is_passed_over(figure):
    good = '{"at":1767225000.0,"host":"docker1","databases":{"shop-production-postgres":{"cpu_percent":1}}}\n'
    entries = history.parse(good + good.replace('"cpu_percent":1', f'"cpu_percent":{figure}'))
    assert len(entries) == 1
    assert len(history.parse(good + good.replace("1767225000.0", figure))) == 1


def test_of_a_sample_only_figures_are_charted():
    line = (
        '{"at":1767225000.0,"host":"docker1","databases":{"a":{"id":"db-1","cpu_percent":"x","size_bytes":5},"b":[]}}\n'
    )
    (entry,) = history.parse(line)
    assert entry["databases"] == {"a": {"id": "db-1", "size_bytes": 5}, "b": {}}
    history.series(history.samples([entry], "a"), NOW)

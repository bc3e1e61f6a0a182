# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page as text: whole, self-contained, and nothing of a database's in it that is more than text."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest
from ansible_collections.vellaric.postgres.plugins.plugin_utils.report import fleet, history, page, panels
from ansible_collections.vellaric.postgres.tests.unit import fleets

NOW = fleets.NOW
# Elements without an end tag, and those of SVG, which the browser's own test looks at.
VOID = {"meta", "link", "input", "wbr"}


class Page(HTMLParser):
    """The elements of a page, with their attributes and texts. Raises where they do not nest."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.open = [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        element = {"tag": tag, "text": "", **dict(attrs)}
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag):
        assert self.open.pop()["tag"] == tag

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def all(self, tag, **attributes):
        return [
            each
            for each in self.elements
            if each["tag"] == tag and all(value in (each.get(key) or "").split() for key, value in attributes.items())
        ]


def rendered(answers=None, entries=(), **more):
    return page.render(fleet.from_answers(answers or fleets.answers(), NOW), list(entries), "Databases", **more)


def parsed(*arguments, **more):
    return Page(rendered(*arguments, **more))


def test_every_database_has_a_row_and_a_section():
    shown = parsed()
    (overview,) = [each for each in shown.all("table") if each.get("id") == "overview"]
    sections = shown.all("details")
    assert len([each for each in sections if "database" in each["class"].split()]) == 20
    for answer in fleets.answers().values():
        for database in answer["databases"]:
            assert database["name"] in overview["text"]
            assert any(database["container_name"] in each["text"] for each in sections)


def test_nothing_is_loaded_from_elsewhere():
    text = rendered()
    shown = Page(text)
    for element in shown.elements:
        for attribute in ("src", "href", "action", "data", "poster", "srcset"):
            value = element.get(attribute)
            assert value is None or value.startswith(("#", "data:image/svg+xml,")), (element["tag"], value)
    assert not re.search(r"@import|url\(", text)
    assert not {"iframe", "object", "embed", "img", "base"} & {each["tag"] for each in shown.elements}


def test_the_policy_allows_what_is_there_and_nothing_else():
    shown = parsed()
    (policy,) = [each["content"] for each in shown.all("meta") if each.get("http-equiv")]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    scripts = [each for each in shown.all("script") if each.get("type") != "application/json"]
    assert len(scripts) == 3
    for element in (*scripts, *shown.all("style")):
        digest = base64.b64encode(hashlib.sha256(element["text"].encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    # What the policy forbids would not work: styles and handlers as attributes.
    assert not [each for each in shown.elements if "style" in each or any(key.startswith("on") for key in each)]


@pytest.mark.parametrize(
    "hostile", [fleets.HOSTILE, "</style><script>", '"><svg onload=x>', "]]>", "<!--", "\u2028&lt;"]
)
def test_what_comes_from_databases_and_hosts_is_text(hostile):
    database = fleets.database(
        0,
        status="error",
        status_reason=f"reason {hostile}",
        host=f"host {hostile}",
        image=f"image {hostile}",
        queries=[{**fleets.queries(0)[0], "query": f"query {hostile}"}],
        findings=[{**fleets.finding("warning", message=f"message {hostile}"), "code": f"code {hostile}"}],
        missing={"queries": f"missing {hostile}"},
        extensions=[hostile],
    )
    answers = {f"docker {hostile}": {"databases": [database]}, f"other {hostile}": {"msg": f"failure {hostile}"}}
    entries = [
        {"at": NOW - 5, "host": f"docker {hostile}", "databases": {database["container_name"]: {"cpu_percent": 1}}}
    ]
    shown = parsed(answers, entries)
    plain = parsed({"docker.example": {"databases": [{**fleets.database(0), "status": "error"}]}})
    assert {each["tag"] for each in shown.elements} <= {each["tag"] for each in plain.elements} | {
        "li",
        "ul",
        "code",
        "b",
    }
    assert len(shown.all("script")) == 4
    body = shown.all("body")[0]["text"]
    for what in ("reason", "query", "message", "missing", "failure", "docker"):
        assert f"{what} {hostile}" in body, what


def test_the_data_are_json_that_cannot_end_their_element():
    hostile = "docker</script><script>"
    database = fleets.database(0)
    entries = [{"at": NOW - 5, "host": hostile, "databases": {database["container_name"]: {"cpu_percent": 12.5}}}]
    shown = parsed({hostile: {"databases": [database]}}, entries, refresh=10)
    (data,) = [each for each in shown.all("script") if each.get("type") == "application/json"]
    known = json.loads(data["text"])
    assert (known["at"], known["refresh"]) == (NOW, 10)
    assert known["series"]["database-1"]["cpu_percent"] == [12.5]


def test_a_title_is_text():
    shown = Page(page.render(fleet.from_answers({}, NOW), [], "<b>Ours</b> & theirs"))
    assert shown.all("h1")[0]["text"] == "<b>Ours</b> & theirs"


@pytest.mark.parametrize("answers", [{}, {"docker1": {"databases": []}}, {"docker1": {"msg": "no engine"}}])
def test_an_empty_fleet(answers):
    shown = parsed(answers or {"docker1": {"databases": []}})
    body = shown.all("body")[0]["text"]
    assert "No databases yet" in body
    assert not shown.all("table")
    assert ("no engine" in body) is ("msg" in answers.get("docker1", {}))


def test_what_was_only_listed_can_be_shown():
    gathered = ("statistics", "server_settings", "queries", "backups", "tls", "findings", "missing")
    database = {key: value for key, value in fleets.database(0).items() if key not in gathered}
    assert "Nothing to act on" in parsed({"docker1": {"databases": [database]}}).all("body")[0]["text"]


def test_controls_have_names_and_figures_have_labels():
    shown = parsed(refresh=10)
    labels = " ".join(each["text"] for each in shown.all("label"))
    assert all(word in labels for word in ("Search", "Environment", "Docker host", "Status", "Findings", "Sort by"))
    assert len(shown.all("label")) == len(shown.all("select")) + len(shown.all("input"))
    assert all(each["text"].strip() for each in shown.all("button"))
    for svg in shown.all("svg"):
        assert svg.get("aria-hidden") == "true" or svg.get("aria-label")
    for heading in shown.all("th"):
        assert heading.get("scope") in ("col", "row")
    assert shown.all("html")[0]["lang"] == "en"


def test_sizes_stay_reasonable():
    entries = history.thinned(history.parse(fleets.history(days=3)), NOW, 90)
    text = rendered(entries=entries)
    assert len(text) < 700_000


@pytest.mark.parametrize(
    "part, expected", [(None, ""), (0, ""), (0.79, ""), (0.8, "warning"), (0.95, "critical"), (1, "critical")]
)
def test_levels(part, expected):
    assert panels.level(part) == expected


def test_a_gauge_for_each_limit_that_is_known():
    names = {gauge["name"]: gauge for gauge in panels.gauges(fleets.database(3))}
    assert list(names) == ["Connections", "Memory", "CPU", "Disk", "Cache hits"]
    assert names["Connections"]["percent"] == round(100 * 15 / 97, 1)
    assert names["Disk"]["percent"] == 50
    assert names["CPU"]["words"] == "of 2 processors"
    assert panels.gauges(fleets.stopped(3)) == []


def test_a_small_line_is_broken_where_nothing_is_known():
    assert panels.spark([1, 2, None, 2, 4]) == ["0.0,17.0 25.0,12.0", "75.0,12.0 100.0,2.0"]
    assert panels.spark([]) == panels.spark([None]) == panels.spark([3]) == []


def test_backups_by_age_and_by_what_the_findings_say():
    cell = panels.cells(fleets.answers()[fleets.HOSTS[1]]["databases"][2], NOW)["backup"]
    assert (cell["text"], cell["verified"], cell["level"]) == ("9 d", False, "warning")
    none = fleets.database(0, backups={"count": 0, "size_bytes": 0, "last": None, "last_verified": None})
    assert panels.cells(none, NOW)["backup"]["text"] == "none"

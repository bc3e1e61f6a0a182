# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fleets in a terminal: tables that are aligned, figures that can be read, nothing that moves the cursor."""

from __future__ import annotations

import json

import pytest
from ansible_collections.vellaric.postgres.plugins.plugin_utils.report import figures, fleet, tables, views
from ansible_collections.vellaric.postgres.tests.unit import fleets, mutated

NOW = fleets.NOW
SILENT = {"docker4": {"unreachable": True, "msg": "Connection refused"}, "docker5": {"msg": "no engine"}, "docker6": {}}


def shown(view, answers=None, **more):
    return views.VIEWS[view](fleet.from_answers(answers or fleets.answers(), NOW), **more)


def one(database):
    return {"docker1": {"databases": [database]}}


@pytest.mark.parametrize(
    "value, text", [(None, "-"), (0, "0 B"), (1023, "1023 B"), (1024, "1.0 kB"), (42 << 20, "42 MB")]
)
def test_sizes(value, text):
    assert figures.size(value) == text


@pytest.mark.parametrize("value, text", [(0, "0 B"), (10235, "10 kB"), ((1 << 20) - 1, "1.0 MB"), (5 << 50, "5.0 PB")])
def test_sizes_at_the_ends_of_units(value, text):
    assert figures.size(value) == text


@pytest.mark.parametrize(
    "value, text", [(None, "-"), (-3, "0 s"), (59, "59 s"), (60, "1 min"), (7300, "2 h"), (90000, "1 d")]
)
def test_spans(value, text):
    assert figures.span(value) == text


@pytest.mark.parametrize(
    "value, text", [(None, "-"), (0.424, "0.42 ms"), (18, "18 ms"), (2400, "2.4 s"), (180000, "3 min")]
)
def test_milliseconds(value, text):
    assert figures.milliseconds(value) == text


@pytest.mark.parametrize(
    "text", ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.123456789Z", "2026-01-01 00:00:00+00:00", NOW]
)
def test_times_are_read_however_they_are_written(text):
    assert figures.seconds_of(text) == NOW
    assert figures.minute(text) == "2026-01-01 00:00"


@pytest.mark.parametrize("text", [None, "yesterday", True, "", []])
def test_what_is_no_time_is_not_known(text):
    assert figures.seconds_of(text) is None
    assert figures.ago(text, NOW) == "-"


def test_columns_are_aligned():
    lines = tables.table(["NAME", "SIZE"], [["a", tables.right("1 B")], ["long name", tables.right("42 MB")]])
    assert lines == ["NAME        SIZE", "a            1 B", "long name  42 MB"]


def test_colours_do_not_count_as_width():
    rows = [[tables.Cell("up", colour="good"), "x"], ["down", "y"]]
    painted = tables.table(["A", "B"], rows, lambda text, colour: f"<{colour}>{text}</>")
    assert painted == ["<heading>A</>     <heading>B</>", "<good>up</>    x", "down  y"]


def test_wide_letters_count_twice():
    assert tables.columns("データ") == 6
    assert tables.table(["A", "B"], [["データ", "x"], ["abc", "y"]])[1:] == ["データ  x", "abc     y"]
    assert tables.shortened("データベース", 9) == "データ..."


def test_a_text_cannot_move_the_cursor():
    hostile = "\x1b[2J\x1b]0;owned\x07 SELECT\n\t1\r\u202e\u200b"
    assert tables.printable(hostile) == "\ufffd[2J\ufffd]0;owned\ufffd SELECT 1 \ufffd\ufffd"
    answers = one(fleets.database(0, queries=[{**fleets.queries(0)[0], "query": hostile}], status_reason=hostile))
    for view in views.VIEWS:
        assert not {"\x1b", "\x07", "\r", "\u202e"} & set("\n".join(shown(view, answers)))


@pytest.mark.parametrize("view", views.VIEWS)
def test_every_view_names_every_database(view):
    text = "\n".join(shown(view, {**fleets.answers(), **SILENT}))
    for host, answer in fleets.answers().items():
        for database in answer["databases"]:
            if view != "findings" or database["findings"]:
                assert database["name"] in text
    assert "docker4: it cannot be reached: Connection refused" in text
    assert "docker5: no engine" in text
    assert "docker6: it gave no answer" in text


@pytest.mark.parametrize("view", views.VIEWS)
@pytest.mark.parametrize("answers", [{}, {"docker1": {"databases": []}}, {"docker1": {}}, one(fleets.broken(3))])
def test_every_view_of_little(view, answers):
    lines = shown(view, answers)
    assert all(line == line.rstrip() for line in lines)
    assert (lines == ["There is no database."]) is (answers == {"docker1": {"databases": []}})


@pytest.mark.parametrize("view", views.VIEWS)
def test_every_view_of_what_was_only_listed(view):
    """Nothing was gathered: what a view would show of it is not known."""
    gathered = ("statistics", "server_settings", "queries", "backups", "tls", "findings", "missing")
    database = {key: value for key, value in fleets.database(0).items() if key not in gathered}
    assert any("shop" in line for line in shown(view, one(database))) or view == "findings"


def test_the_list():
    address = "shop-production-postgres.db.example.com:5432"
    assert shown("list", one(fleets.database(0))) == [
        f"DATABASE  ENVIRONMENT  STATUS  {'ADDRESS':<{len(address)}}  IMAGE               CREATED",
        f"shop      production   active  {address}  postgres:15-alpine  2025-12-24 14:22",
        "",
        "1 database on 1 host: 1 active.",
    ]


def test_the_statistics_are_the_seed_s():
    lines = shown("statistics", one(fleets.database(0)))
    assert lines[0].split() == "DATABASE ENVIRONMENT STATUS SIZE CONNECTIONS CPU MEMORY UPTIME CACHE HITS".split()
    known = fleets.statistics(0)
    figures_of_it = f"shop production running 42 MB 3 / 97 {known['cpu']} 96MB / 512MB 2d 5h 99.9%"
    assert lines[1].split() == figures_of_it.split()
    stopped = shown("statistics", one(fleets.stopped(4)))[1].split()
    assert stopped == "search development stopped 42 MB - - - - -".split()


def test_the_worst_findings_come_first():
    lines = shown("findings")
    severities = [line.split()[0] for line in lines if line.startswith(("CRITICAL", "WARNING", "INFO"))]
    assert severities == ["CRITICAL"] * 2 + ["WARNING"] * 2 + ["INFO"]
    assert "2 critical, 2 warning, 1 info. 20 databases on 3 hosts: 17 active, 2 stopped, 1 error." in lines


def test_nothing_to_act_on():
    assert shown("findings", one(fleets.database(0))) == ["Nothing to act on. 1 database on 1 host: 1 active."]


def test_what_could_not_be_judged_is_not_said_to_be_good():
    stopped = {**fleets.stopped(4), "missing": {"findings": "it is stopped"}}
    lines = shown("findings", one(stopped))
    assert lines[0].startswith("UNKNOWN") and lines[-1].startswith("Nothing to act on of what is known. ")


def test_long_statements_are_cut_to_the_width_of_the_terminal():
    query = {**fleets.queries(0)[0], "query": "SELECT " + ", ".join(f"column_{place}" for place in range(100))}
    for width in (100, 200):
        lines = shown("queries", one(fleets.database(0, queries=[query])), width=width)
        assert max(map(len, lines)) <= width
        assert any(line.endswith("...") for line in lines)


def test_the_document_is_all_that_is_known():
    document = views.document(fleet.from_answers({**fleets.answers(), **SILENT}, NOW))
    assert json.loads(json.dumps(document)) == document
    assert document["generated_at"] == "2026-01-01T00:00:00Z"
    assert len(document["databases"]) == 20
    assert document["databases"][0]["statistics"].items() >= fleets.statistics(5).items()
    assert document["hosts"][-1] == {"name": "docker6", "error": "it gave no answer", "odd": []}
    (real,) = views.document(fleet.from_answers({"docker1": mutated.recorded()}, NOW))["databases"]
    assert real == {**mutated.recorded()["databases"][0], "inventory_host": "docker1"}


def test_answers_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="answers: a mapping of hosts"):
        fleet.from_answers(["docker1"], NOW)


@pytest.mark.parametrize("view", views.VIEWS)
def test_a_host_whose_answer_is_odd_is_named_and_the_others_are_shown(view):
    odd = {**fleets.database(3), "container_name": "localhost"}
    partly = {**fleets.database(5), "statistics": {"size_bytes": float("nan")}}
    found = [fleets.finding("warning")]
    answers = {**one({**fleets.database(0), "findings": found}), "docker2": {"databases": [odd]}}
    lines = shown(view, {**answers, "docker3": {"databases": [partly]}})
    assert "docker2: its answer is odd: databases[0].container_name is not that of its name and environment" in lines
    complaint = "docker3: its answer is odd: mail-production-postgres: statistics.size_bytes is out of range"
    assert complaint.replace("mail", fleets.database(5)["name"]) in lines
    assert any("shop" in line for line in lines)


def test_a_pooler_is_shown_where_there_is_one():
    database = mutated.recorded()["databases"][0]
    table = shown("statistics", one(database))
    assert table[0].endswith("POOLED CLIENTS") and table[1].rstrip().endswith("4 / 1000, 1 wait (0.2 s)")
    assert "POOLED CLIENTS" not in shown("statistics")[0]
    text = "\n".join(shown("details", one(database)))
    assert "shop, for sessions shop_session" in text and "2 of at most 30" in text
    paused = {**database["pooler_statistics"], "paused": ["shop"]}
    assert "paused" in shown("statistics", one({**database, "pooler_statistics": paused}))[1]

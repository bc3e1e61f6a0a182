# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host answers, checked where it comes in."""

from __future__ import annotations

import json
import math
import sys

import pytest
import yaml
from ansible_collections.vellaric.postgres.plugins.modules import postgres_db_info
from ansible_collections.vellaric.postgres.plugins.plugin_utils import answers, typed
from ansible_collections.vellaric.postgres.tests.unit import fleets, mutated

TYPES = {
    "str": (typed.text, typed.moment, answers._identity),
    "int": (typed.amount, typed.number, typed.port),
    "float": (typed.amount, typed.number),
    "bool": (typed.flag,),
}


def answer(**changed):
    return {"databases": [{**mutated.recorded()["databases"][0], **changed}]}


def odd(given):
    with pytest.raises(answers.Odd) as caught:
        answers.read(given)
    return str(caught.value)


def test_a_real_answer_stays_as_it_is():
    recorded = mutated.recorded()
    assert answers.read(recorded) == (recorded["databases"], [])


def test_made_up_fleets_are_answers():
    for given in fleets.answers().values():
        assert answers.read(given)[1] == []


def documented(contains, of, where=""):
    """Yield what differs between the documentation of the module's results and what they are held to."""
    for name, entry in contains.items():
        place, held = f"{where}.{name}", of.get(name)
        if held is None:
            yield f"{place} is not known"
        elif entry["type"] == "list":
            if not isinstance(held, typed.ListOf):
                yield f"{place} is no list"
            elif isinstance(held.of, typed.Record):
                yield from documented(entry.get("contains", {}), held.of.fields, place)
        elif entry["type"] == "dict":
            if isinstance(held, typed.Record):
                yield from documented(entry.get("contains", {}), held.fields, place)
            elif not isinstance(held, typed.MappingOf):
                yield f"{place} is no mapping"
        elif held not in TYPES[entry["type"]] and held.__qualname__ != "one_of.<locals>.read_word":
            yield f"{place} is no {entry['type']}"


def test_what_answers_are_held_to_is_what_the_module_documents():
    returned = yaml.safe_load(postgres_db_info.RETURN)["databases"]["contains"]
    assert list(documented(returned, {**answers._DATABASE.fields, **answers._GATHERED})) == []


@pytest.mark.parametrize(
    "changed, said",
    [
        ({"name": "../x"}, "databases[0].name is no name of a database"),
        ({"name": "x\n"}, "databases[0].name is no name of a database"),
        ({"container_name": "localhost"}, "databases[0].container_name is not that of its name and environment"),
        ({"environment": "all"}, "databases[0].environment is none of production, staging, development"),
        ({"status": "\x1b[2J"}, "databases[0].status is none of active, stopped, error"),
        ({"host": None}, "databases[0].host is missing"),
        ({"port": "5432"}, "databases[0].port is no port"),
        ({"cpus": float("nan")}, "databases[0].cpus is out of range"),
        ({"memory_limit_bytes": 10**400}, "databases[0].memory_limit_bytes is out of range"),
        ({"trusted_sources": "10.0.0.0/8"}, "databases[0].trusted_sources is no list"),
        ({"settings": {"\x1b[2J": {1: 2}}}, "databases[0].settings.* is a mapping with keys that are no text"),
        ({"id": "db-1"}, "databases[0].id is no identity of a database"),
        ({"created_at": 1e300}, "databases[0].created_at is out of range"),
    ],
)
def test_an_odd_database_is_told_without_what_the_host_said(changed, said):
    assert odd(answer(**changed)) == said


@pytest.mark.parametrize("given", [None, [], "x", {}, {"databases": None}, {"databases": "x"}, {"databases": {}}])
def test_what_is_no_answer(given):
    assert odd(given) == "there is no list of databases in it"


def test_two_databases_of_one_name():
    assert odd({"databases": answer()["databases"] * 2}) == "databases[1].container_name is that of another one, too"


def test_what_is_odd_of_what_was_gathered_hides_nothing_else():
    """The owner of a database has a part in its figures, and none in the other databases of the host."""
    statistics = {**mutated.recorded()["databases"][0]["statistics"], "size_bytes": -1}
    databases, told = answers.read(answer(statistics=statistics, findings=[{"severity": "fatal"}]))
    assert told == [
        "shop-development-postgres: statistics.size_bytes is negative",
        "shop-development-postgres: findings[0].code is missing",
    ]
    assert databases[0]["statistics"] is None and databases[0]["findings"] is None
    assert databases[0]["missing"]["statistics"] == "the answer is odd: statistics.size_bytes is negative"
    assert databases[0]["queries"] and databases[0]["tls"]


def test_what_is_left_out_is_null():
    databases = answers.read(answer(statistics={}))[0]
    assert set(databases[0]["statistics"].values()) == {None}
    assert databases[0]["port"] == 5432
    del databases[0]["port"]
    assert answers.read({"databases": databases})[0][0]["port"] is None


def test_texts_have_nothing_that_acts_on_a_terminal():
    text = "a\x1b[2Jb\x00c\x9bd\re\r\nf\tg\u202eh\ud800i \u200d é データ"
    expected = "a\ufffd[2Jb\ufffdc\ufffdd\ufffde\nf\tg\ufffdh\ufffdi \u200d é データ"
    databases = answers.read(answer(image=text, settings={text: [text]}, more={text: text}))[0]
    assert databases[0]["image"] == expected
    assert databases[0]["settings"] == {expected: [expected]} and databases[0]["more"] == {expected: expected}


def test_depth_is_bounded():
    deep = []
    for turn in range(sys.getrecursionlimit() // 4):
        deep = [deep]
    assert odd(answer(settings={"x": deep})) == "databases[0].settings.x is nested too deeply"


def test_messages_of_hosts():
    assert answers.message({"msg": " \x1b[2Jno engine\n"}) == "\ufffd[2Jno engine"
    for nothing in (None, {}, {"msg": None}, {"msg": ["x"]}, {"msg": "  "}):
        assert answers.message(nothing) == "it gave no answer"


def numbers(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for item in value for number in numbers(item)]
    return [value] if isinstance(value, (int, float)) else []


def test_of_mutated_answers_nothing_odd_comes_through():
    kinds = {"refused": 0, "partly": 0, "whole": 0}
    for given in mutated.answers():
        try:
            databases, told = answers.read(given)
        except answers.Odd as error:
            kinds["refused"] += 1
            assert str(error).isprintable()
            continue
        kinds["partly" if told else "whole"] += 1
        assert all(text.isprintable() for text in told)
        json.dumps(databases, allow_nan=False, ensure_ascii=False).encode("utf-8")
        assert all(math.isfinite(number) for number in numbers(databases))
    assert min(kinds.values()) > mutated.COUNT / 20, kinds

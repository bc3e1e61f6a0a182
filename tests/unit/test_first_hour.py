# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The transcript of the first hour is of the page as it is, and of the playbooks as they are."""

from __future__ import annotations

import re

import yaml
from ansible_collections.vellaric.postgres.tests import first_hour

TEXT = first_hour.TRANSCRIPT.read_text(encoding="utf-8")


def names(value: object) -> set[str]:
    """The names of all plays and tasks in a piece of YAML."""
    if isinstance(value, list):
        return {name for item in value for name in names(item)}
    if not isinstance(value, dict):
        return set()
    return (
        {value["name"], *names(list(value.values()))}
        if isinstance(value.get("name"), str)
        else names([*value.values()])
    )


def test_its_commands_are_those_of_the_page():
    """Where it fails: make it again, with tests/first_hour.py."""
    assert re.findall(r"^```console\n\$ (.*)$", TEXT, re.MULTILINE) == first_hour.blocks()


def test_what_it_shows_is_what_there_is():
    files = [*first_hour.PROJECT.glob("playbooks/**/*.yml"), *first_hour.PROJECT.glob("roles/*/tasks/*.yml")]
    there = {name for path in files for name in names(yaml.safe_load(path.read_text(encoding="utf-8")))}
    shown = re.findall(r"^(?:TASK|PLAY) \[(?:[\w.]+ : )?(.*)\] \**$", TEXT, re.MULTILINE)
    assert len(shown) > 10 and set(shown) - there == set()


def test_psql_is_reached_in_three_commands_and_25_lines():
    commands, lines = map(int, re.search(r"So far (\d+) commands, and (\d+) lines of output", TEXT).groups())
    assert commands <= first_hour.COMMANDS == 3 and lines <= first_hour.LINES == 25

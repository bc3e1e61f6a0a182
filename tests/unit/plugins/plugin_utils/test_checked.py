# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.plugin_utils.checked import Invalid, checked

SPEC = {
    "name": {"type": "str", "required": True},
    "days": {"type": "int", "default": 7},
    "parts": {"type": "list", "elements": "dict", "options": {"size": {"type": "int"}}},
}


def test_options_come_complete_and_of_their_types():
    assert checked(SPEC, {"name": "shop", "days": "3"}) == {"name": "shop", "days": 3, "parts": None}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "missing required arguments: name"),
        ({"name": "shop", "day": 1}, "^Unsupported parameters: day. Supported parameters include: days, name, parts.$"),
        ({"name": ["shop"]}, "a list or a mapping, not a text"),
        ({"name": "shop", "days": "soon"}, "a whole number is needed"),
        ({"name": 7, "days": 1.5}, "(?s)name is 7.*\\n.*days is 1.5"),
    ],
)
def test_what_is_wrong_is_said_one_to_a_line(given, said):
    with pytest.raises(Invalid, match=said):
        checked(SPEC, given)


def test_values_that_are_looked_at_elsewhere_are_left_alone():
    with pytest.raises(Invalid, match="parts"):
        checked(SPEC, {"name": "shop", "parts": [{"size": "x"}]})
    spec = {**SPEC, "parts": {"type": "list", "elements": "raw"}}
    odd = [{"size": 1.5}]
    assert checked(spec, {"name": "shop", "parts": odd}, ("parts",))["parts"] == odd


def test_no_host_answers_for_the_inventory():
    there = {"inventory_hostname": "evil", "ansible_facts": {"distribution": "Debian", "database_name": "x"}}
    with pytest.raises(Invalid, match="^database_name was set by an answer of host evil "):
        checked(SPEC, {"name": "shop"}, task_vars=there)
    assert checked(SPEC, {"name": "shop"}, task_vars={**there, "ansible_facts": {"distribution": "Debian"}})

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RETURN takes no fragments, so that two modules document a database each: they have to say the same, and all of it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml
from ansible_collections.vellaric.postgres.plugins.module_utils._planning import view
from ansible_collections.vellaric.postgres.tests.unit import builders

MODULES = Path(__file__).resolve().parents[3] / "plugins" / "modules"
# Words of one module alone: what check mode leaves open, and an option that the other one lacks.
OWN_WORDS = {("id", "description"), ("deletion_protection", "description")}


def returned(module):
    tree = ast.parse((MODULES / f"{module}.py").read_text(encoding="utf-8"))
    texts = {node.targets[0].id: node.value for node in tree.body if isinstance(node, ast.Assign)}
    return yaml.safe_load(texts["RETURN"].value)


CHANGED = returned("postgres_db")["database"]["contains"]
SHOWN = returned("postgres_db_info")["databases"]["contains"]


@pytest.mark.parametrize("key", CHANGED)
def test_both_modules_say_the_same_of_a_database(key):
    def words(documented):
        return {field: value for field, value in documented[key].items() if (key, field) not in OWN_WORDS}

    assert words(SHOWN) == words(CHANGED)


def test_every_key_that_is_returned_is_documented_and_the_other_way_round():
    spec = builders.declared()
    found = view.database(spec, builders.record_of(spec), builders.settled(spec).container)
    assert set(found) == set(CHANGED)

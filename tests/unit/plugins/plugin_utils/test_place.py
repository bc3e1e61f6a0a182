# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of several hosts, the one that a playbook about one database is meant for."""

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.plugin_utils import place

NOWHERE = {"container_name": "shop-production-postgres"}
NOWHERE.update(dict.fromkeys(("database", "container", "backups", "deleted"), False))
HERE = {**NOWHERE, "database": True, "container": True}
BACKUPS = {**NOWHERE, "backups": True}
DELETED = {**NOWHERE, "deleted": True}
FOREIGN = {**NOWHERE, "container": True}
SILENT = {"msg": "no route", "unreachable": True}


@pytest.mark.parametrize(
    ("sought", "answers", "on_all", "hosts", "said"),
    [
        ("database", [NOWHERE, HERE, NOWHERE], False, ["b"], ""),
        ("database", [SILENT, HERE, BACKUPS], False, ["b"], ""),
        ("database", [HERE, NOWHERE, HERE], False, ["a", "c"], "Each of a, c has shop-production-postgres"),
        ("database", [HERE, NOWHERE, HERE], True, ["a", "c"], ""),
        ("database", [NOWHERE, NOWHERE, NOWHERE], True, [], "None of a, b, c has shop-production-postgres."),
        (
            "database",
            [NOWHERE, SILENT, {}],
            False,
            [],
            "None of a has .* Could not be asked: b .no route., c .no answer",
        ),
        ("new", [NOWHERE, NOWHERE, NOWHERE], False, [], "database_on_all_hosts=true"),
        ("new", [NOWHERE, NOWHERE, NOWHERE], True, ["a", "b", "c"], ""),
        ("new", [NOWHERE, NOWHERE, HERE], False, ["c"], ""),
        ("new", [NOWHERE, NOWHERE, HERE], True, ["a", "b", "c"], ""),
        ("gone", [NOWHERE, HERE, NOWHERE], False, ["b"], ""),
        ("gone", [NOWHERE, NOWHERE, NOWHERE], False, ["a", "b", "c"], ""),
        ("gone", [NOWHERE, SILENT, NOWHERE], False, [], "Could not be asked: b"),
        ("backups", [BACKUPS, HERE, NOWHERE], False, ["b"], ""),
        ("backups", [BACKUPS, NOWHERE, NOWHERE], False, ["a"], ""),
        ("backups", [NOWHERE, NOWHERE, NOWHERE], False, [], "has backups of"),
        ("container", [FOREIGN, NOWHERE, {**NOWHERE, "container": None}], False, ["a"], ""),
        ("deleted", [NOWHERE, DELETED, HERE], False, ["b"], ""),
        ("deleted", [DELETED, DELETED, HERE], False, ["a", "b"], "in its trash"),
        ("database", [SILENT, SILENT, SILENT], False, [], "^Could not be asked: a"),
    ],
)
def test_places(sought, answers, on_all, hosts, said):
    found = place.place(dict(zip("abc", answers)), sought, on_all)
    assert found["hosts"] == hosts
    assert bool(found["error"]) is bool(said)
    if said:
        with pytest.raises(ValueError, match=said):
            raise ValueError(found["error"])

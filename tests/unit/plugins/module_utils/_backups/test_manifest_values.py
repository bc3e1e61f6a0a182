# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A manifest with values of another kind is damaged: nothing of it is rendered, compared or sorted."""

from __future__ import annotations

import dataclasses
import json
import random

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._backups import catalog
from ansible_collections.vellaric.postgres.plugins.module_utils._backups import manifest as manifests
from ansible_collections.vellaric.postgres.plugins.module_utils._backups.local_directory import LocalDirectory
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import DatabaseError
from ansible_collections.vellaric.postgres.tests.unit import backup_builders as build

FIELDS = sorted({field.name for field in dataclasses.fields(manifests.Manifest)} - {"extra"})
ODD = [None, True, 1, -1, 1.5, 1 << 70, float("inf"), float("nan"), "", "x", "\0", "\ud800", [], [[]], {}, {"a": {}}]
INJECTED = "CREATE ON DATABASE postgres TO x; COPY (SELECT 1) TO PROGRAM 'id'; --"
HOSTILE = {
    "sha256": ["0" * 63, "0" * 64 + "\n", "Z" * 64],
    "server_version": ["", "x", "0", "15\n", "15.2\x1b[2J", "99999"],
    "created_at": ["", "yesterday", "2026-13-45T00:00:00Z", "2026-06-15T12:00:00Z\n"],
    "container": ["../../etc", "a/b", "A", "a\n"],
    "file_name": ["../x", "a/b.sql", ".x", "a\n"],
    "database": [
        {"grants": [{"role": "x", "privilege": INJECTED, "grantable": False}]},
        {"grants": [{"role": "x", "privilege": "CREATE"}]},
        {"settings": [{"role": None, "settings": "work_mem=1"}]},
        {"settings": [{"settings": ["work_mem=1"]}]},
        {"owner": None},
        {"connection_limit": "1; DROP"},
        {"encoding": "UTF8'; DROP"},
        {"locale": {"provider": ["b"]}},
    ],
    "row_counts": [{"t": "1"}, {"t": -1}],
    "files": [{"a": {}}, {"a": {"size_bytes": 1, "sha256": "x"}}],
}


def written(**changes):
    """A manifest as somebody writes it who knows how its checksum is made."""
    content = json.loads(manifests.to_json(build.manifest()))
    content.pop("checksum")
    content.update(changes)
    return json.dumps({**content, "checksum": manifests._checksum(content)})


@pytest.mark.parametrize("name, value", [(name, value) for name in HOSTILE for value in HOSTILE[name]])
def test_hostile_values_are_damage(name, value):
    with pytest.raises(DatabaseError, match=f"damaged: {name} "):
        manifests.from_json(written(**{name: value}), "x.json")


def test_a_manifest_that_nobody_can_read_to_its_end_is_damaged():
    for text in ("[" * 100_000, "{}", "[]", "1", '{"a": ' * 50_000, '{"checksum": 1e999}'):
        with pytest.raises(DatabaseError, match="damaged"):
            manifests.from_json(text, "x.json")


def test_whatever_is_read_can_be_listed_and_described(tmp_path):
    """Values of every kind for every key: a look at the backups names the damage, and shows the others."""
    directory, chance = tmp_path / build.CONTAINER, random.Random(15)
    good = build.put(directory, build.NOW.replace(day=1))
    odd = build.put(directory)
    beside = directory / f"{odd.file_name}.json"
    for name in FIELDS:
        for value in [*ODD, *HOSTILE.get(name, [])]:
            others = {other: chance.choice(ODD) for other in chance.sample(FIELDS, 1)} if chance.random() < 0.3 else {}
            beside.write_text(written(**{**others, name: value}), encoding="utf-8", errors="surrogatepass")
            found = LocalDirectory(str(directory)).backups(build.NOW)
            assert good.file_name in [backup.file_name for backup in found if backup.good]
            json.dumps([catalog.describe(backup) for backup in found], allow_nan=False)
            LocalDirectory(str(directory)).read_roles(found[0])

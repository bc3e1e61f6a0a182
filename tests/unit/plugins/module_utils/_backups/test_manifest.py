# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import json

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._backups import manifest as manifests
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import DatabaseError
from ansible_collections.vellaric.postgres.tests.unit import backup_builders as build


def test_what_is_written_is_read():
    written = build.manifest(verified_how={"image": "postgres:15"}, row_counts=None)
    assert manifests.from_json(manifests.to_json(written), "x.json") == written


def test_keys_of_a_later_version_are_kept():
    later = dataclasses.replace(build.manifest(), extra={"encryption": {"key": "k1"}, "wal": ["0/1"]})
    text = manifests.to_json(later)
    assert json.loads(text)["encryption"] == {"key": "k1"}
    assert manifests.from_json(text, "x.json") == later


def test_every_flipped_byte_is_found():
    text = manifests.to_json(build.manifest()).encode()
    original = manifests.from_json(text.decode(), "x.json")
    for place in range(len(text)):
        flipped = bytearray(text)
        flipped[place] ^= 1
        try:
            read = manifests.from_json(flipped.decode("utf-8", "replace"), "x.json")
        except DatabaseError as error:
            assert "damaged" in error.message or "update" in error.message
        else:
            assert read == original


def test_a_later_schema_is_named():
    content = json.loads(manifests.to_json(build.manifest()))
    content["schema"] = 2
    content.pop("checksum")
    content["checksum"] = manifests._checksum(content)
    with pytest.raises(DatabaseError, match="schema 2"):
        manifests.from_json(json.dumps(content), "x.json")


@pytest.mark.parametrize(("version", "major"), [("15.20 (Debian)", 15), ("18beta1", 18), ("17.2", 17)])
def test_the_major_version_is_read_from_the_servers(version, major):
    assert build.manifest(server_version=version).major == major


def test_a_directory_has_the_sum_of_its_files_in_the_order_of_their_names():
    files = {"b": {"sha256": "2"}, "a": {"sha256": "1"}}
    assert manifests.files_sum(files) == manifests.files_sum(dict(reversed(files.items())))
    assert manifests.files_sum(files) != manifests.files_sum({"a": {"sha256": "2"}, "b": {"sha256": "1"}})

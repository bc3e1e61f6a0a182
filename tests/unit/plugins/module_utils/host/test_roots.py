# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils import layout
from ansible_collections.vellaric.postgres.plugins.module_utils.facts import LABEL
from ansible_collections.vellaric.postgres.plugins.module_utils.host import roots


@pytest.fixture(autouse=True)
def shared(tmp_path, monkeypatch):
    # As the lock under which a root is remembered leaves it.
    (tmp_path / "shared").mkdir()
    monkeypatch.setattr(layout, "SHARED", str(tmp_path / "shared"))


def listed(source, target="/var/lib/postgresql", managed=True):
    labels = {LABEL + "managed-by": "vellaric.postgres"} if managed else {}
    return {"Names": ["/x"], "Labels": labels, "Mounts": [{"Source": source, "Destination": target}]}


def test_containers_of_this_collection_say_where_their_data_root_is():
    entries = [
        listed("/other/app-production-postgres/pgdata"),
        listed("/own/app-production-postgres/pgdata"),
        listed("/foreign/app-production-postgres/pgdata", managed=False),
        listed("/backups/app-production-postgres", target="/var/lib/vellaric/backups"),
    ]
    assert roots.others("/own", entries) == ["/other"]


def test_what_was_remembered_is_known_to_runs_below_other_roots(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    roots.remember(str(one))
    roots.remember(str(one))
    roots.remember(str(two))
    assert roots.others(str(two), []) == [str(one)]
    assert roots.others(str(one), []) == [str(two)]


def test_what_is_gone_is_forgotten_when_another_comes(tmp_path):
    for name in ("one", "two"):
        roots.remember(str(tmp_path / name))
    (tmp_path / "two").mkdir()
    roots.remember(str(tmp_path / "three"))
    assert roots.others("/", []) == [str(tmp_path / "three"), str(tmp_path / "two")]


def test_a_root_that_is_reached_by_two_paths_is_one(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    roots.remember(str(tmp_path / "real"))
    assert roots.others(str(tmp_path / "link"), []) == []

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os

from ansible_collections.vellaric.postgres.plugins.module_utils._dumps import compare, strangers
from ansible_collections.vellaric.postgres.plugins.module_utils._host import roots


def test_of_a_strangers_settings_those_come_that_an_owner_sets():
    database = {
        "owner": "theirs",
        "comment": "kept",
        "connection_limit": 0,
        "grants": [{"role": "x", "privilege": "CREATE", "grantable": True}],
        "settings": [
            {"role": None, "settings": ["Work_Mem=1MB", "session_preload_libraries=/tmp/evil", "app.x=1"]},
            {"role": "theirs", "settings": ["work_mem=2MB"]},
            {"role": "postgres", "settings": ["work_mem=3MB"]},
        ],
    }
    assert strangers.settings(database, "theirs", ["work_mem"]) == {
        "comment": "kept",
        "settings": [{"role": None, "settings": ["Work_Mem=1MB"]}, {"role": "theirs", "settings": ["work_mem=2MB"]}],
    }


def test_less_is_expected_by_what_was_left_out():
    objects = {"functions": 5, "foreign_tables": 1, "event_triggers": 2, "comments": 7, "tables": 3}
    left_out = {"functions that are LEAKPROOF": 1, "foreign tables that read files": 1, "grants": 4}
    assert compare.without_left_out(objects, left_out) == {"functions": 4, "foreign_tables": 0, "tables": 3}


def test_what_others_can_replace_is_not_roots_alone(tmp_path):
    backup = tmp_path / "mine" / "x.sql"
    backup.parent.mkdir(mode=0o755)
    backup.write_text("")
    backup.chmod(0o640)
    assert roots.is_roots_alone(str(backup))
    for path, change in ((backup, 0o666), (backup.parent, 0o777)):
        kept = path.stat().st_mode
        path.chmod(change)
        assert not roots.is_roots_alone(str(backup))
        path.chmod(kept)
    for path in (backup, backup.parent):
        os.chown(path, 1234, -1)
        assert not roots.is_roots_alone(str(backup))
        os.chown(path, 0, -1)
    # By another name, it is what it leads to that counts.
    link = tmp_path / "link"
    link.symlink_to(backup.parent)
    os.chown(backup.parent, 1234, -1)
    assert not roots.is_roots_alone(str(link / "x.sql"))
    # What lies in another place than this host, such as an object store.
    assert not roots.is_roots_alone("elsewhere:x.sql")

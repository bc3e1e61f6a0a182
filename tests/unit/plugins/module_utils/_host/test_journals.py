# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import journal as journals
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import DatabaseError
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.journal import ADOPTION, RESTORE, Journal
from ansible_collections.vellaric.postgres.plugins.module_utils._host import journals as kept

BEGUN = Journal(ADOPTION, "2026-06-15T12:00:00Z", {"container": "f0e1gn", "owner": [999, 999]})


def test_an_operation_is_known_from_its_beginning_to_its_end(tmp_path):
    directory = str(tmp_path)
    assert kept.read(directory, ADOPTION) is None
    kept.write(directory, BEGUN)
    assert kept.read(directory, ADOPTION) == BEGUN and BEGUN.may_return
    kept.write(directory, BEGUN.past_return())
    assert not kept.read(directory, ADOPTION).may_return and kept.read(directory, ADOPTION).before == BEGUN.before
    # Another operation is none of its.
    assert kept.read(directory, RESTORE) is None
    kept.end(directory, ADOPTION)
    kept.end(directory, ADOPTION)
    assert os.listdir(directory) == []


def test_what_is_written_is_on_the_disk_before_anything_follows(tmp_path, monkeypatch):
    synchronised = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synchronised.append(os.readlink(f"/proc/self/fd/{descriptor}")))
    kept.write(str(tmp_path), BEGUN)
    # The file, before it has its name, and the directory after that.
    assert len(synchronised) == 2 and synchronised[1] == str(tmp_path)
    assert os.path.dirname(synchronised[0]) == str(tmp_path)
    assert os.stat(tmp_path / "adoption.journal").st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", ["{", "[]", "{}", json.dumps({"schema": 2, "operation": ADOPTION})])
def test_one_that_cannot_be_read_stops_whoever_would_resume_it(tmp_path, content):
    (tmp_path / "adoption.journal").write_text(content)
    with pytest.raises(DatabaseError, match="is not a readable journal"):
        kept.read(str(tmp_path), ADOPTION)


def test_one_of_a_later_version_is_not_guessed_at(tmp_path):
    later = {**json.loads(journals.to_json(BEGUN)), "schema": 2}
    (tmp_path / "adoption.journal").write_text(json.dumps(later))
    with pytest.raises(DatabaseError, match="update the collection"):
        kept.read(str(tmp_path), ADOPTION)


def test_one_that_somebody_removed_is_missed():
    with pytest.raises(DatabaseError, match="adoption.journal is missing .* was in /srv/data"):
        journals.of_record({"at": "2026-06-15T12:00:00Z", "container": "f0e1gn", "method": "move", "data": "/srv/data"})


@pytest.mark.parametrize(
    ("method", "changed", "may_return"), [("copy", False, True), ("copy", True, True), ("move", True, False)]
)
def test_what_the_version_before_kept_in_the_record_is_taken_on(method, changed, may_return):
    adopted = {"at": "2026-06-15T12:00:00Z", "container": "f0e1gn", "method": method, "roles_changed": changed}
    found = journals.of_record(adopted)
    assert (found.operation, found.before, found.may_return) == (ADOPTION, adopted, may_return)

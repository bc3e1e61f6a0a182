# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Data directories on a real file system: measured, moved and copied, also after an attempt that was interrupted."""

from __future__ import annotations

import os

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import DatabaseError
from ansible_collections.vellaric.postgres.plugins.module_utils._host import cluster

OWNER = (os.getuid(), os.getgid())


@pytest.fixture
def source(tmp_path):
    data = tmp_path / "source"
    (data / "base/1").mkdir(parents=True)
    (data / "PG_VERSION").write_text("15\n")
    (data / "base/1/1234").write_bytes(b"page" * 3000)
    (data / "base/1/empty").write_bytes(b"")
    (data / "postgresql.conf").write_text("# as initdb wrote it\n")
    data.chmod(0o700)
    return data


@pytest.fixture
def target(tmp_path):
    return tmp_path / "ours/pgdata/15/docker"


def tree(directory):
    return {path.relative_to(directory): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_a_directory_says_its_version_its_size_and_what_leads_out_of_it(source):
    (source / "pg_wal").symlink_to("/elsewhere")
    assert cluster.major(str(source)) == 15
    assert cluster.major(str(source / "base")) is None
    assert cluster.measure(str(source)) == cluster.Measure(3 + 12000 + 21, ("pg_wal",))


def test_a_copy_is_the_same_and_leaves_the_original(source, target):
    before = tree(source)
    cluster.copy(str(source), str(target), *OWNER, lambda copied: None)
    assert tree(target) == before == tree(source)
    assert target.stat().st_mode & 0o777 == 0o700
    assert not os.path.exists(cluster.incomplete(str(target)))


def test_a_copy_begins_anew_where_one_was_interrupted(source, target):
    left = target.parent.parent / ".incomplete"
    (left / "base").mkdir(parents=True)
    (left / "base/stale").write_text("of an earlier attempt")
    cluster.copy(str(source), str(target), *OWNER, lambda copied: None)
    assert tree(target) == tree(source)


def test_a_copy_that_fails_leaves_nothing(source, target, monkeypatch):
    monkeypatch.setattr(cluster, "_checksum", lambda path: -1)
    with pytest.raises(DatabaseError, match="is not what was written"):
        cluster.copy(str(source), str(target), *OWNER, lambda copied: None)
    assert not target.exists() and not os.path.exists(cluster.incomplete(str(target)))


def test_a_copy_tells_how_far_it_is(source, target, monkeypatch):
    monkeypatch.setattr(cluster, "_REPORT_SECONDS", -1)
    told = []
    cluster.copy(str(source), str(target), *OWNER, told.append)
    assert told == sorted(told) and told[-1] == 12024


@pytest.mark.parametrize("most", range(3))
def test_a_move_that_was_interrupted_is_finished_or_undone(source, target, monkeypatch, most):
    before, rename = tree(source), os.rename
    target.mkdir(parents=True)
    done = []

    def failing(*arguments):
        if len(done) == most:
            raise OSError(5, "Input/output error")
        done.append(arguments)
        rename(*arguments)

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(DatabaseError, match="Input/output error"):
        cluster.move(str(source), str(target))
    # What is half there is not taken for a database.
    assert cluster.major(str(target)) is None
    monkeypatch.setattr(os, "rename", rename)
    cluster.move(str(source), str(target))
    assert tree(target) == before and tree(source) == {}
    cluster.move(str(target), str(source))
    assert tree(source) == before and tree(target) == {}


def test_a_move_within_our_own_directory_leaves_what_is_ours(source):
    target = source / "pgdata/15/docker"
    target.mkdir(parents=True)
    (source / "database.json").write_text("{}")
    cluster.move(str(source), str(target), ("database.json", "pgdata"))
    assert sorted(os.listdir(source)) == ["database.json", "pgdata"]
    assert cluster.major(str(target)) == 15


def test_a_rename_leads_nowhere_else_than_within_a_mount(source, target):
    assert cluster.can_move(str(source), str(target))
    assert not cluster.can_move(str(source), "/proc/self")


def test_what_of_the_data_lies_in_the_container(tmp_path):
    assert cluster.strays(str(tmp_path)) == ()
    (tmp_path / "pg_tblspc").mkdir()
    for name, target in (("1", "/srv/fast"), ("2", "/var/lib/postgresql/tablespaces/0"), ("3", "../../x")):
        (tmp_path / "pg_tblspc" / name).symlink_to(target)
    (tmp_path / "pg_wal").mkdir()
    assert cluster.strays(str(tmp_path)) == ("pg_tblspc/1 -> /srv/fast",)
    (tmp_path / "pg_wal").rmdir()
    (tmp_path / "pg_wal").symlink_to("/wal")
    assert cluster.strays(str(tmp_path)) == ("pg_wal -> /wal", "pg_tblspc/1 -> /srv/fast")

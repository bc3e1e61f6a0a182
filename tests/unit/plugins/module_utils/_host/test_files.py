# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import stat
import threading

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import DatabaseError
from ansible_collections.vellaric.postgres.plugins.module_utils._host import cluster, files


def test_a_file_is_read_back_with_its_mode_and_owner(tmp_path):
    path = str(tmp_path / "conf")
    files.write(path, b"one", 0o640)
    facts = files.read(path)
    assert (facts.content, facts.mode, facts.uid) == (b"one", 0o640, os.getuid())


@pytest.mark.parametrize("mode", [0o600, 0o644])
@pytest.mark.parametrize("umask", [0o077, 0o000])
def test_the_mode_is_the_one_given_whatever_the_umask(tmp_path, mode, umask):
    before = os.umask(umask)
    try:
        files.write(str(tmp_path / "key"), b"x", mode)
        files.make_directory(str(tmp_path / "new"), 0o755)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == mode
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o755


def test_writing_again_changes_content_and_mode_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "conf"
    files.write(str(path), b"a longer first content", 0o644)
    files.write(str(path), b"short", 0o600)
    assert path.read_bytes() == b"short"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["conf"]


@pytest.mark.skipif(os.getuid() != 0, reason="to give a file away takes root")
def test_a_file_and_a_directory_are_given_to_their_owner(tmp_path):
    files.write(str(tmp_path / "key"), b"x", 0o600, 999, 998)
    files.make_directory(str(tmp_path / "data"), 0o700, 999, 998)
    for name in ("key", "data"):
        status = (tmp_path / name).stat()
        assert (status.st_uid, status.st_gid) == (999, 998)
    assert files.read(str(tmp_path / "key")).uid == 999


def test_readers_see_the_old_content_or_the_new_and_nothing_between(tmp_path):
    path = str(tmp_path / "conf")
    contents = [bytes([letter]) * 200_000 for letter in b"ab"]
    files.write(path, contents[0], 0o644)
    seen, done = set(), threading.Event()

    def read():
        while not done.is_set():
            seen.add(files.read(path).content)

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(20):
        files.write(path, contents[turn % 2], 0o644)
    done.set()
    reader.join()
    assert seen <= set(contents)


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "conf"
    path.write_bytes(b"old")
    with pytest.raises(TypeError):
        files.write(str(path), "text is no content", 0o644)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["conf"]


def test_errors_name_the_path(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for attempt in (
        lambda path: files.write(path, b"", 0o644),
        lambda path: files.make_directory(path, 0o755),
        lambda path: files.move(str(tmp_path / "file"), path),
    ):
        path = str(tmp_path / "file" / "below")
        with pytest.raises(DatabaseError, match=str(tmp_path)):
            attempt(path)
    with pytest.raises(DatabaseError, match=rf"Could not read {tmp_path}"):
        files.read(str(tmp_path))


def test_what_is_not_there_reads_as_nothing(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    assert files.read(str(tmp_path / "missing")) is None
    assert files.read(str(tmp_path / "missing" / "below")) is None
    assert files.read(str(tmp_path / "file" / "below")) is None


def test_a_directory_that_is_there_is_kept_with_what_it_holds(tmp_path):
    (tmp_path / "data").mkdir(mode=0o755)
    (tmp_path / "data" / "base").write_bytes(b"x")
    files.make_directory(str(tmp_path / "data"), 0o700)
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert (tmp_path / "data" / "base").read_bytes() == b"x"


def test_a_move_makes_the_place_that_it_goes_to(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "base").write_bytes(b"x")
    target = tmp_path / ".trash" / "data-1"
    files.move(str(tmp_path / "data"), str(target))
    assert (target / "base").read_bytes() == b"x"
    assert not (tmp_path / "data").exists()
    # The trash holds data that belong to nobody else.
    assert stat.S_IMODE(target.parent.stat().st_mode) == 0o700


def test_a_move_overwrites_no_data(tmp_path):
    for name in ("data", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "base").write_bytes(name.encode("ascii"))
    with pytest.raises(DatabaseError, match="Could not move"):
        files.move(str(tmp_path / "data"), str(tmp_path / "other"))
    assert (tmp_path / "data" / "base").read_bytes() == b"data"
    assert (tmp_path / "other" / "base").read_bytes() == b"other"


def test_trees_are_removed_and_what_links_point_to_is_not(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "precious").write_bytes(b"x")
    tree = tmp_path / "data"
    (tree / "base").mkdir(parents=True)
    (tree / "tablespace").symlink_to(tmp_path / "elsewhere")
    files.remove_tree(str(tree))
    assert not tree.exists()
    assert (tmp_path / "elsewhere" / "precious").exists()
    files.remove_tree(str(tree))
    # A data directory that is itself a link: somebody wanted it elsewhere, and says so before it goes.
    tree.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DatabaseError, match="Could not remove"):
        files.remove_tree(str(tree))
    assert (tmp_path / "elsewhere" / "precious").exists()


def test_only_empty_directories_are_removed_on_the_quiet(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "backup.sql.gz").write_bytes(b"x")
    for name in ("empty", "full", "missing"):
        files.remove_if_empty(str(tmp_path / name))
    assert sorted(os.listdir(tmp_path)) == ["full"]
    assert os.listdir(tmp_path / "full") == ["backup.sql.gz"]


def test_what_killed_writers_left_is_swept_away(tmp_path):
    (tmp_path / "conf").mkdir()
    (tmp_path / "pgdata" / "15").mkdir(parents=True)
    left = [tmp_path / ".abc.partial", tmp_path / "conf" / ".x.conf.partial"]
    kept = [tmp_path / "database.json", tmp_path / "conf" / "own.partial", tmp_path / "pgdata" / "15" / ".deep.partial"]
    for path in (*left, *kept):
        path.write_text("x")
    files.sweep(str(tmp_path))
    assert not [path for path in left if path.exists()]
    assert all(path.exists() for path in kept)
    files.sweep(str(tmp_path / "nowhere"))


def test_a_pipe_or_a_device_in_a_files_place_keeps_nobody_waiting(tmp_path):
    os.mkfifo(tmp_path / "PG_VERSION")
    os.symlink("/dev/zero", tmp_path / "postgresql.conf")
    for name in ("PG_VERSION", "postgresql.conf"):
        with pytest.raises(DatabaseError, match=f"{name}: it is no regular file"):
            files.read(str(tmp_path / name))


def test_a_file_that_is_larger_than_it_may_be_is_refused(tmp_path):
    path = tmp_path / "PG_VERSION"
    path.write_bytes(b"1" * 64)
    assert files.read(str(path), 64).content == b"1" * 64
    path.write_bytes(b"1" * 65)
    with pytest.raises(DatabaseError, match="more than 64 bytes"):
        files.read(str(path), 64)


def test_directories_in_each_other_by_the_thousand_are_removed_and_nothing_beside_them(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    tree = tmp_path / "tree"
    tree.mkdir()
    here = os.open(tree, os.O_RDONLY)
    os.symlink(outside, "link", dir_fd=here)
    for _turn in range(5000):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.symlink(outside, "link", dir_fd=here)
    os.close(here)
    files.remove_tree(str(tree))
    assert sorted(os.listdir(tmp_path)) == ["outside"]
    assert (outside / "kept").read_text() == "kept"


@pytest.mark.skipif(os.geteuid() != 0, reason="makes links of others'")
def test_no_directory_is_made_through_a_link_of_somebody_elses(tmp_path):
    """In a directory of the server's user's, a name is a link to the host's own directories the moment it is free."""
    victim, theirs = tmp_path / "victim", tmp_path / "theirs"
    victim.mkdir(mode=0o755)
    theirs.mkdir()
    link = theirs / "new"
    link.symlink_to(victim)
    os.lchown(link, 999, 999)
    with pytest.raises(DatabaseError, match="symbolic link that is not root's"):
        files.make_directory(str(link), 0o700, 999, 999)
    assert (victim.stat().st_mode & 0o777, victim.stat().st_uid) == (0o755, 0)
    # One of the operator's leads to another disk.
    os.lchown(link, 0, 0)
    files.make_directory(str(link), 0o700, 999, 998)
    assert (victim.stat().st_mode & 0o777, victim.stat().st_uid, victim.stat().st_gid) == (0o700, 999, 998)


def test_nothing_is_opened_that_a_server_has_a_link_lead_to(tmp_path):
    """A device may do something where root opens it."""
    (tmp_path / "there").write_text("15\n")
    (tmp_path / "PG_VERSION").symlink_to(tmp_path / "there")
    assert files.read(str(tmp_path / "PG_VERSION")).content == b"15\n"
    for look in (lambda: files.read(str(tmp_path / "PG_VERSION"), follow=False), lambda: cluster.major(str(tmp_path))):
        with pytest.raises(DatabaseError, match="PG_VERSION"):
            look()

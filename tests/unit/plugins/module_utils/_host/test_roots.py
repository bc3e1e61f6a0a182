# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import stat

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import labels, layout
from ansible_collections.vellaric.postgres.plugins.module_utils._host import roots

# What is on a host is root's, and given to root.
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to root, or away")


@pytest.fixture(autouse=True)
def shared(tmp_path, monkeypatch):
    # As the lock under which a root is remembered leaves it.
    (tmp_path / "shared").mkdir()
    monkeypatch.setattr(layout, "SHARED", str(tmp_path / "shared"))


def listed(source, target="/var/lib/postgresql", managed=True):
    given = {labels.PREFIX + "managed-by": labels.MANAGED_BY} if managed else {}
    return {"Names": ["/x"], "Labels": given, "Mounts": [{"Source": source, "Destination": target}]}


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


@pytest.fixture
def reached(tmp_path, monkeypatch):
    """A directory that others get to, as far as the test may say so."""
    monkeypatch.setattr(roots, "_reached_by_others", lambda path: True)
    return tmp_path / "root"


def of_mode(path, mode):
    path.mkdir()
    path.chmod(mode)
    return str(path)


@as_root
@pytest.mark.parametrize("before, after", [(0o755, 0o700), (0o711, 0o700), (0o1777, 0o1700), (0o701, 0o700)])
def test_a_root_that_others_get_into_is_closed(reached, before, after):
    path = of_mode(reached, before)
    for name in (".tls", "lost+found", "app-production-postgres"):
        os.mkdir(os.path.join(path, name))
    (found,) = roots.opened([path, path], [path])
    assert (found.mode, found.wanted, found.strangers) == (before, after, ())
    roots.close(found)
    assert stat.S_IMODE(os.stat(path).st_mode) == after
    assert roots.opened([path], [path]) == []


@pytest.mark.parametrize("mode", [0o700, 0o750, 0o770])
def test_a_mode_that_keeps_others_out_is_left_as_it_is(reached, mode):
    assert roots.opened([of_mode(reached, mode)], []) == []


@as_root
def test_a_group_that_somebody_gave_keeps_what_it_may(reached):
    path = of_mode(reached, 0o755)
    os.chown(path, 0, 12345)
    os.chmod(path, 0o2775)
    assert [found.wanted for found in roots.opened([path], [])] == [0o2770]


def test_what_holds_other_things_is_not_ours_to_close(reached):
    path = of_mode(reached, 0o755)
    os.mkdir(os.path.join(path, "www"))
    os.makedirs(os.path.join(path, "databases/backups"))
    (found,) = roots.opened([path], [path, os.path.join(path, "databases/backups")])
    assert found.strangers == ("www",)
    assert "'www'" in found.why_not and f"chmod o-rwx {path}" in found.why_not


def test_what_holds_other_things_behind_a_closed_door_is_closed(tmp_path):
    (tmp_path / "door").mkdir(mode=0o700)
    path = of_mode(tmp_path / "door" / "root", 0o755)
    os.mkdir(os.path.join(path, "www"))
    assert roots.opened([path], [path]) == []


@as_root
def test_a_root_that_is_made_is_closed(tmp_path):
    roots.make(str(tmp_path / "a" / "b"))
    assert stat.S_IMODE(os.stat(tmp_path / "a" / "b").st_mode) == 0o700
    assert stat.S_IMODE(os.stat(tmp_path / "a").st_mode) == 0o755
    assert roots.opened([str(tmp_path / "none")], []) == []

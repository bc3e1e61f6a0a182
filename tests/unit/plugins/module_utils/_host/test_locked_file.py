# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
import time

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._host import locked_file
from ansible_collections.vellaric.postgres.plugins.module_utils._host.locked_file import FileError, locked, unlocked


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def write(path, content=b"new"):
    with locked(path) as file:
        file.write(content)


def test_new_file_in_new_directories(tmp_path):
    path = tmp_path / "a" / "b" / "c.yml"
    with locked(path) as file:
        assert file.content is None and file.mode is None
        file.write(b"new")
    assert path.read_bytes() == b"new"
    assert [mode(part) for part in (path, path.parent, path.parent.parent)] == [0o600, 0o700, 0o700]
    assert os.listdir(path.parent) == ["c.yml"]


@pytest.mark.parametrize("before", [0o644, 0o600, 0o777, 0o400])
def test_mode_after_writing(tmp_path, before):
    path = tmp_path / "c.yml"
    path.write_bytes(b"old")
    path.chmod(before)
    with locked(path) as file:
        assert file.too_open == (before not in (0o600, 0o400))
        file.write(b"new")
    assert mode(path) == 0o600


def test_narrow_and_remove(tmp_path):
    path = tmp_path / "c.yml"
    path.write_bytes(b"old")
    with locked(path) as file:
        file.narrow()
        assert mode(path) == 0o600 and path.read_bytes() == b"old"
        file.remove()
    assert os.listdir(tmp_path) == []


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "c.yml").write_bytes(b"old")
    (tmp_path / "c.yml").symlink_to("real/c.yml")
    write(tmp_path / "c.yml")
    assert (tmp_path / "c.yml").is_symlink()
    assert (tmp_path / "real" / "c.yml").read_bytes() == b"new"


def test_what_a_killed_run_left_is_taken_away(tmp_path):
    (tmp_path / ".c.yml.vellaric-new").write_bytes(b"half")
    write(tmp_path / "c.yml")
    assert os.listdir(tmp_path) == ["c.yml"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_owner_is_kept_by_root(tmp_path):
    path = tmp_path / "c.yml"
    path.write_bytes(b"old")
    os.chown(path, 12345, 12346)
    write(path)
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 12346)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_files_of_others_and_closed_directories(tmp_path):
    # In a process of its own, as a user who may write to one directory and not to the other.
    for directory in (tmp_path, *tmp_path.parents):
        if directory.stat().st_uid == 0 and directory != directory.parent:
            directory.chmod(directory.stat().st_mode | 0o011)
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "open" / "c.yml").write_bytes(b"old")
    (tmp_path / "open" / "c.yml").chmod(0o644)
    (tmp_path / "closed").mkdir()
    os.chmod(tmp_path / "closed", 0o755)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgid(12345)
            os.setuid(12345)
            for name, message in (("open", "belongs to another user"), ("closed", "Permission denied: run as a user")):
                for action in ("write", "check"):
                    with pytest.raises(FileError, match=message):
                        with locked(tmp_path / name / "c.yml") as file:
                            file.write(b"new") if action == "write" else file.check_writable()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (tmp_path / "open" / "c.yml").read_bytes() == b"old"


@pytest.mark.parametrize("opened", [locked, unlocked])
def test_paths_refused(tmp_path, opened):
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    for name, message in (
        ("file/c.yml", "a part of the path is a file"),
        ("file/a/c.yml", "a part of the path is a file"),
        ("loop", "symbolic links"),
        (".", "not a regular file"),
        ("pipe", "not a regular file"),
        ("x" * 300, "File name too long"),
    ):
        with pytest.raises(FileError, match=message):
            with opened(tmp_path / name):
                raise AssertionError(name)


def test_check_writable(tmp_path):
    with unlocked(tmp_path / "a" / "b" / "c.yml") as file:
        file.check_writable()
    assert os.listdir(tmp_path) == []
    with unlocked("/proc/none/c.yml") as file, pytest.raises(FileError):
        file.write(b"x")


def test_full_disk(tmp_path):
    if (
        os.geteuid() != 0
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "vellaric-test", str(tmp_path)], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("a small file system cannot be mounted here")
    try:
        write(tmp_path / "c.yml", b"old")
        with pytest.raises(FileError, match="No space left on device: free some space"):
            write(tmp_path / "c.yml", b"x" * 200000)
        assert (tmp_path / "c.yml").read_bytes() == b"old"
        assert os.listdir(tmp_path) == ["c.yml"]
        subprocess.run(["mount", "-o", "remount,ro", str(tmp_path)], check=True)
        with pytest.raises(FileError, match="Read-only file system: choose a path"):
            write(tmp_path / "c.yml")
        with unlocked(tmp_path / "c.yml") as file, pytest.raises(FileError, match="Read-only file system"):
            file.check_writable()
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_waits_for_the_lock_and_gives_up(tmp_path):
    holder = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(holder, fcntl.LOCK_EX)
        started = time.monotonic()
        with pytest.raises(FileError, match="waited 1 seconds for another run"):
            with locked(tmp_path / "c.yml", timeout=1):
                raise AssertionError("not locked")
        assert 1 <= time.monotonic() - started < 5
        with unlocked(tmp_path / "c.yml"):
            pass
    finally:
        os.close(holder)
    write(tmp_path / "c.yml")


LOOP = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("locked_file", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
number = 0
while True:
    number += 1
    with module.locked(sys.argv[2]) as file:
        file.write(b"%08d" % number * 20000)
"""


def test_killed_at_any_moment_leaves_a_whole_file(tmp_path):
    path = tmp_path / "c.yml"
    for attempt in range(15):
        process = subprocess.Popen([sys.executable, "-c", LOOP, locked_file.__file__, str(path)])
        while not path.exists():
            time.sleep(0.01)
        time.sleep(0.05 + attempt * 0.013)
        process.kill()
        process.wait()
        content = path.read_bytes()
        assert len(content) == 160000 and content == content[:8] * 20000
    write(path)
    assert os.listdir(tmp_path) == ["c.yml"]

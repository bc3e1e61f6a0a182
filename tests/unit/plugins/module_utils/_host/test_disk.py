# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import DatabaseError, Refused
from ansible_collections.vellaric.postgres.plugins.module_utils._host import disk


def du(path):
    return int(subprocess.run(["du", "-s", "-B1", path], capture_output=True, text=True, check=True).stdout.split()[0])


def test_a_directory_takes_what_du_says(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "large").write_bytes(b"x" * 300000)
    (tmp_path / "small").write_bytes(b"x")
    with open(tmp_path / "sparse", "wb") as stream:
        stream.truncate(10 << 20)
    os.link(tmp_path / "a" / "large", tmp_path / "linked")
    os.symlink("/usr", tmp_path / "elsewhere")
    assert disk.usage(str(tmp_path), 10) == du(tmp_path)


def test_none_where_there_is_no_directory(tmp_path):
    assert disk.usage(str(tmp_path / "none"), 10) is None


def test_a_directory_that_takes_too_long(tmp_path):
    with pytest.raises(DatabaseError, match="within 0 s"):
        disk.usage(str(tmp_path), 0)


def test_the_space_of_a_file_system(tmp_path):
    words = ["df", "-B1", "--output=size,used,avail,pcent", tmp_path]
    line = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()[1]
    size, used, free, percent = (int(word.rstrip("%")) for word in line.split())
    found = disk.space(str(tmp_path))
    assert found["total_bytes"] == size
    # Others write meanwhile; df rounds up.
    assert abs(found["used_bytes"] - used) < 1 << 30 and abs(found["free_bytes"] - free) < 1 << 30
    assert percent - 1.5 <= found["used_percent"] <= percent + 0.5


def test_the_space_for_a_directory_that_has_yet_to_be_made(tmp_path):
    assert disk.space(str(tmp_path / "none" / "at" / "all"))["total_bytes"] == disk.space(str(tmp_path))["total_bytes"]


def test_what_does_not_fit_is_refused_with_what_mends_it(tmp_path):
    disk.refuse_without_space(str(tmp_path), 0, "The backup", "Make room")
    with pytest.raises(Refused, match=r"The backup may need .* are left to the server\. Make room"):
        disk.refuse_without_space(str(tmp_path), 1 << 60, "The backup", "Make room")

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the report writes on the controller: added to whole or not at all, by one writer at a time."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._host.locked_file import FileError, locked

LINE = b'{"at":1}\n'


def add(path, count):
    for turn in range(count):
        with locked(path) as file:
            file.append(LINE)


def test_what_is_added_is_at_the_end_and_for_the_owner_alone(tmp_path):
    path = tmp_path / "new/history.jsonl"
    add(path, 2)
    assert path.read_bytes() == LINE * 2
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(path.parent) == ["history.jsonl"]


def test_two_writers_lose_nothing(tmp_path):
    path = tmp_path / "history.jsonl"
    writers = [multiprocessing.Process(target=add, args=(path, 50)) for turn in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert path.read_bytes() == LINE * 200


def _out_of_space(path, answer):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    # The first bytes still fit, as on a disk that has a little space left.
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(LINE) + 3, resource.RLIM_INFINITY))
    try:
        add(path, 1)
    except FileError as error:
        answer.put(str(error))


def test_without_space_nothing_is_added(tmp_path):
    path = tmp_path / "history.jsonl"
    add(path, 1)
    answer = multiprocessing.Queue()
    writer = multiprocessing.Process(target=_out_of_space, args=(path, answer))
    writer.start()
    assert "cannot write" in answer.get(timeout=30)
    writer.join()
    assert path.read_bytes() == LINE


def test_a_link_is_not_followed_when_adding(tmp_path):
    other = tmp_path / "other"
    other.write_bytes(b"")
    with locked(tmp_path / "history.jsonl") as file:
        # Put there after the path was resolved.
        (tmp_path / "history.jsonl").symlink_to(other)
        with pytest.raises(FileError):
            file.append(LINE)
    assert other.read_bytes() == b""


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_page_has_the_mode_that_is_asked_for(tmp_path, mode):
    path = tmp_path / "index.html"
    for content in (b"one", b"two"):
        with locked(path) as file:
            file.write(content, mode)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"two", mode)

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import DatabaseError
from ansible_collections.vellaric.postgres.plugins.module_utils._host import locks

# Takes the lock in a process of its own, says so, and holds it until its input ends.
_HOLDER = """
import sys
sys.path[:0] = {path!r}
import ansible_collections
ansible_collections.__path__[:0] = {packages!r}
from ansible_collections.vellaric.postgres.plugins.module_utils._host import locks
with locks.exclusive({lock!r}, 5, "x"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / ".locks" / "app-development-postgres")


@pytest.fixture
def holder(path):
    import ansible_collections

    code = _HOLDER.format(path=sys.path, packages=list(ansible_collections.__path__), lock=path)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], text=True, **pipes) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_lock_of_another_process_is_respected_and_named(path, holder):
    before = time.monotonic()
    with pytest.raises(DatabaseError, match=r"Another run has been working on app .* raise wait_timeout"):
        with locks.exclusive(path, 0.1, "app"):
            pytest.fail("two hold one lock")
    assert 0.1 <= time.monotonic() - before < 2


def test_a_lock_is_waited_for(path, holder):
    threading.Timer(0.2, holder.stdin.close).start()
    with locks.exclusive(path, 10, "app"):
        assert holder.wait(5) == 0


def test_the_lock_of_a_killed_process_is_free(path, holder):
    holder.send_signal(signal.SIGKILL)
    with locks.exclusive(path, 5, "app"):
        pass


def test_threads_exclude_each_other(path):
    held, order = threading.Event(), []

    def other():
        held.wait(5)
        with locks.exclusive(path, 5, "app"):
            order.append("second")

    thread = threading.Thread(target=other)
    thread.start()
    with locks.exclusive(path, 5, "app"):
        held.set()
        time.sleep(0.1)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_a_lock_is_free_after_an_error(path):
    with pytest.raises(RuntimeError):
        with locks.exclusive(path, 1, "app"):
            raise RuntimeError
    with locks.exclusive(path, 0, "app"):
        pass


def test_locks_of_different_databases_have_nothing_to_do_with_each_other(path):
    with locks.exclusive(path, 0, "app"), locks.exclusive(path + "-2", 0, "other"):
        assert sorted(os.listdir(os.path.dirname(path))) == ["app-development-postgres", "app-development-postgres-2"]


def test_a_lock_that_cannot_be_opened_is_named(path):
    os.makedirs(path)
    with pytest.raises(DatabaseError, match="Could not open the lock"):
        with locks.exclusive(path, 1, "app"):
            pass

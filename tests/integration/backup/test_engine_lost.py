# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands whose end the engine does not learn, as when containerd dies: the run fails soon, in words."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import harness
import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._host import execution
from backups import Backups
from lab import Machine

NAME = "vellaric-lab-engine-lost"


def parent(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def command_lines(shim):
    """The processes that a shim has started, by number, with their arguments."""
    found = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            if parent(entry) == shim:
                found[int(entry)] = Path(f"/proc/{entry}/cmdline").read_bytes().decode("utf-8", "replace")
        except OSError:
            continue
    return found


@pytest.mark.parametrize("options", [{}, {"format": "custom"}] if harness.THOROUGH else [{}])
def test_a_command_that_ends_while_nobody_tells_the_engine(shared, monkeypatch, options):
    """The shim of the container is what tells containerd, and that the engine: it is stopped."""
    monkeypatch.setattr(execution, "LOOK_SECONDS", 0.5)
    monkeypatch.setattr(execution, "GRACE_SECONDS", 2.0)
    shared.run("a")
    shared.query("a", "CREATE TABLE IF NOT EXISTS held (id int)")
    backups = Backups(shared, "a")
    shim = parent(shared.inspect("a")["State"]["Pid"])
    with backups.locked("held"):
        process = backups.start(**options)
        harness.eventually(backups.waits_for_lock)
        os.kill(shim, signal.SIGSTOP)
        try:
            dump = [pid for pid, arguments in command_lines(shim).items() if "pg_dump" in arguments]
            assert len(dump) == 1
            started = time.monotonic()
            os.kill(dump[0], signal.SIGKILL)
            with pytest.raises(harness.Failed, match="The engine has lost a command.*containerd"):
                harness.result(process)
            assert time.monotonic() - started < 60
        finally:
            os.kill(shim, signal.SIGCONT)
    # Both locks are free again, and so is the way for the next one.
    harness.eventually(lambda: not backups.at_work(), 60)
    assert backups.take(**options)["good"]


@pytest.mark.skipif(
    not harness.THOROUGH, reason="needs a host with an engine of its own, which takes minutes to be made"
)
def test_containerd_dies_while_a_backup_is_taken(tmp_path):
    machine = Machine(NAME, tmp_path, "--release", "bookworm", "--engine", "--image", harness.IMAGE)
    try:
        options = {"name": "shop", "environment": "development"}
        given = {"image": harness.IMAGE, "pull": "never", "username": harness.USERNAME, "password": harness.PASSWORD}
        machine.module("postgres_db", **options, **given)
        inside = ["docker", "exec", "-u", "postgres", "shop-development-postgres", "psql", "-XAtqd", "shop", "-c"]
        machine.run(*inside, "CREATE TABLE held (id int)")
        machine.run("sh", "-c", '"$@" >/dev/null 2>&1 &', "sh", *inside, "BEGIN; LOCK held; SELECT pg_sleep(3600)")
        said = []

        def back_up():
            try:
                said.append(machine.module("postgres_db_backup", **options, lock_timeout=1800, timeout=7200))
            except AssertionError as error:
                said.append(str(error))

        run = threading.Thread(target=back_up)
        run.start()
        harness.eventually(lambda: "pg_dump" in machine.run("ps", "-eo", "args"), 120)
        time.sleep(2)
        # It hangs, and then dies, which systemd fixes: the engine hears nothing of what ended meanwhile.
        machine.run("sh", "-c", "pkill -STOP -x containerd; pkill -KILL -x pg_dump")
        run.join(240)
        assert not run.is_alive() and len(said) == 1
        assert "The engine has lost a command" in said[0], said[0]
        machine.run("sh", "-c", "pkill -KILL -x containerd; sleep 5")
        holder = "FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()"
        machine.run(*inside, f"SELECT pg_terminate_backend(pid) {holder}")
        assert machine.module("postgres_db_backup", **options)["backup"]["good"]
    finally:
        machine.stop()

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was backed up here under load, restored on another host that Ansible reaches over SSH."""

from __future__ import annotations

import gzip
import os
import re
import threading
import time
from pathlib import Path

import pytest
from harness import IMAGE, PASSWORD, USERNAME, docker
from lab import Machine
from restoring import in_container, psql, take

CONTAINER = "elsewhere-staging-postgres"
NAMED = {"database_name": "elsewhere", "database_environment": "staging"}
OTHERS = {"restore_allow_other_database": True, "restore_backup_first": False, "restore_keep_old": 0}
SUMS = (
    "SELECT count(*), sum(delta), (SELECT sum(abalance) FROM pgbench_accounts),"
    " (SELECT sum(tbalance) FROM pgbench_tellers), (SELECT sum(bbalance) FROM pgbench_branches) FROM pgbench_history"
)


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    given = os.environ.get("VELLARIC_LAB_ENGINE_HOST")
    name, options = given or f"vellaric-test-restore-{os.getpid()}", ("--engine", "--image", IMAGE)
    machine = Machine(name, tmp_path_factory.mktemp("machine"), *options)
    try:
        login = {"username": USERNAME, "password": PASSWORD}
        machine.module("postgres_db", name="elsewhere", environment="staging", image=IMAGE, pull="never", **login)
        yield machine
    finally:
        if given is None:
            machine.stop()


def found(machine):
    """Rows and sums on the other host, all of which pgbench changes in one transaction."""
    command = ["docker", "exec", "-u", "postgres", CONTAINER, "psql", "-XAtq", "-d", "elsewhere", "-c", SUMS]
    return [int(number) for number in machine.run(*command).strip().split("|")]


def history(backup):
    """The rows of the history in a backup, as nobody but its text says."""
    text = gzip.decompress(Path(backup.path).read_bytes()).decode()
    return re.search(r"^COPY public\.pgbench_history .*?;\n(.*?)^\\\.$", text, re.S | re.M).group(1).splitlines()


def test_sums_agree_with_those_at_the_snapshot(shared, machine):
    shared.run("a")
    container, name = shared.container("a"), shared.name("a")
    in_container(container, "pgbench", "-i", "-q", "-s", "2", name)
    writers = threading.Thread(
        target=in_container, args=(container, "pgbench", "-n", "-c", "4", "-R", "200", "-T", "8", name)
    )
    writers.start()
    time.sleep(1)
    plain = take(shared, "a")
    archive = take(shared, "a", format="directory", jobs=2)
    writers.join()
    after = int(psql(container, name, "SELECT count(*) FROM pgbench_history"))

    # From the controller.
    output = machine.play("vellaric.postgres.restore", restore_file=plain.path, **OTHERS, **NAMED)
    assert plain.file_name in output
    rows, *sums = found(machine)
    assert 0 < rows == plain.manifest.row_counts["public.pgbench_history"] < after
    assert len(set(sums)) == 1
    assert (rows, sums[0]) == (len(history(plain)), sum(int(line.split("\t")[3]) for line in history(plain)))

    # A file on that host, in parallel.
    machine.run("mkdir", "-p", "/srv/brought")
    for path in Path(archive.path).parent.glob(f"{archive.file_name}*"):
        docker("cp", str(path), f"{machine.name}:/srv/brought/")
    given = {"restore_backup": f"/srv/brought/{archive.file_name}", "restore_jobs": 2}
    machine.play("vellaric.postgres.restore", **given, **OTHERS, **NAMED)
    rows, *sums = found(machine)
    assert 0 < rows == archive.manifest.row_counts["public.pgbench_history"] <= after
    assert len(set(sums)) == 1
    # The same sums as in the database that goes on, up to the rows of that moment; nothing is left on the way.
    assert machine.run("sh", "-c", "ls -d /tmp/vellaric-copy-* 2> /dev/null", code=None) == ""

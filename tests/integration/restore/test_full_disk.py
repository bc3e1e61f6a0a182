# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that is full before a load is over: the database that is there goes on, and the room comes back."""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest
from harness import Failed, Host, eventually
from restoring import databases, nothing_left, psql, run, take

# Little room for the log, so that the tables are what fills the disk.
SETTINGS = {"max_wal_size": "64MB", "min_wal_size": "32MB"}
ROLES = "SELECT count(*) FROM pg_roles WHERE rolname = 'vellaric_loader'"


@pytest.fixture
def small():
    """A host whose databases have 300 MB in all."""
    root = tempfile.mkdtemp(prefix="vellaric-test-")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300m,mode=0755", "vellaric-test", root], check=True)
    host = Host(root=root)
    yield host
    host.close()
    subprocess.run(["umount", root], check=True)
    os.rmdir(root)


@pytest.fixture
def bomb(small):
    """What compresses a thousand times, so that it cannot be known to need so much."""
    path = Path(small.root, "bomb.sql.gz")
    with gzip.open(path, "wb", compresslevel=1) as stream:
        stream.write(b"-- PostgreSQL database dump\nCREATE TABLE big (a text);\nCOPY big FROM stdin;\n")
        for piece in range(400):
            stream.write((b"x" * 1000 + b"\n") * 1000)
        stream.write(b"\\.\n-- PostgreSQL database dump complete\n")
    small.run("a", settings=SETTINGS)
    small.query("a", "CREATE TABLE present AS SELECT 42 AS a")
    return {"module": "postgres_db_import", "path": str(path), "replace": True, "backup_first": False}


def as_before(host, free):
    assert host.query("a", "TABLE present") == [(42,)]
    nothing_left(host, "a")
    assert psql(host.container("a"), "postgres", ROLES) == "0"
    assert "vellaric_loader" not in (host.directory("a") / "conf/pg_hba.conf").read_text()
    assert host.run("a", settings=SETTINGS)["actions"] == []
    # The log takes some, the tables nothing.
    assert free - shutil.disk_usage(host.root).free < 100 << 20


def test_an_import_fills_the_disk(small, bomb):
    """The server finds out; all is as before at the end of the run, not only of the next."""
    free = shutil.disk_usage(small.root).free
    with pytest.raises(Failed) as failure:
        run(small, "a", **bomb)
    assert "No space left on device" in failure.value.message
    as_before(small, free)


def test_somebody_else_fills_it_during_a_restore(small):
    """Of the room that was found at first nothing is left before the load is over."""
    small.run("a", settings=SETTINGS)
    small.query("a", "CREATE TABLE present AS SELECT 42 AS a")
    small.query("a", "CREATE TABLE big AS SELECT md5(n::text) AS a FROM generate_series(1, 500000) AS n")
    backup = take(small, "a")
    filler, free = Path(small.root, "filler"), shutil.disk_usage(small.root).free

    def fill():
        with contextlib.suppress(OSError), open(filler, "wb") as stream:
            eventually(lambda: "a.restoring" in str(databases(small, "a")), 60)
            while True:
                stream.write(bytes(1 << 20))

    other = threading.Thread(target=fill)
    other.start()
    with pytest.raises(Failed) as failure:
        run(small, "a", backup=backup.file_name, backup_first=False)
    other.join()
    assert "No space left on device" in failure.value.message
    filler.unlink()
    as_before(small, free)


def test_the_server_crashes_over_it(small, bomb):
    """Where not even its log finds room, it ends, and is started again by the engine until there is some.

    Which of its processes is the first without room is not for the test to say, so that it may take some attempts.
    """
    container = small.container("a")
    for _attempt in range(6):
        free = shutil.disk_usage(small.root).free
        fill_to_the_last(small, container, bomb)
        as_before(small, free)
        log = subprocess.run(["docker", "logs", container], capture_output=True, text=True, check=True)
        if "PANIC" in log.stdout + log.stderr:
            return
    raise AssertionError("the server never crashed, so that this test says nothing")


def fill_to_the_last(small, container, bomb):
    """Import what fills the disk, while clients have the server begin one segment of its log after another."""
    ended = threading.Event()

    def crash():
        while not ended.wait(0.01) and shutil.disk_usage(small.root).free > 20 << 20:
            continue
        for turn in range(4):
            with contextlib.suppress(RuntimeError):
                psql(container, "postgres", "SELECT pg_switch_wal() FROM (SELECT txid_current()) AS a")

    clients = threading.Thread(target=crash)
    clients.start()
    with pytest.raises(Failed) as failure:
        run(small, "a", **bomb)
    ended.set()
    clients.join()
    assert failure.value.message

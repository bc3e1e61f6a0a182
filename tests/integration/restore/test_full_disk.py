# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that is full before a load is over: the database that is there goes on, and the room comes back."""

from __future__ import annotations

import gzip
import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from harness import Failed, Host
from restoring import nothing_left, run


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


def test_an_import_fills_the_disk(small):
    """What compresses a thousand times cannot be known to need so much: the server finds out."""
    small.run("a", settings={"max_wal_size": "64MB", "min_wal_size": "32MB"})
    small.query("a", "CREATE TABLE present AS SELECT 42 AS a")
    path = Path(small.root, "bomb.sql.gz")
    with gzip.open(path, "wb", compresslevel=1) as stream:
        stream.write(b"-- PostgreSQL database dump\nCREATE TABLE big (a text);\nCOPY big FROM stdin;\n")
        for piece in range(400):
            stream.write((b"x" * 1000 + b"\n") * 1000)
        stream.write(b"\\.\n-- PostgreSQL database dump complete\n")
    with pytest.raises(Failed) as failure:
        run(small, "a", module="postgres_db_import", path=str(path), replace=True, backup_first=False)
    assert "No space left on device" in failure.value.message
    path.unlink()
    assert small.query("a", "TABLE present") == [(42,)]
    # Who has made room lets the next import see to what could not be seen to on a full disk.
    subprocess.run(["mount", "-o", "remount,size=600m", small.root], check=True)
    small.run("a", settings={"max_wal_size": "64MB", "min_wal_size": "32MB"})
    path = Path(small.root, "dump.sql")
    path.write_text("-- PostgreSQL database dump\nCREATE TABLE come (a int);\n-- PostgreSQL database dump complete\n")
    run(small, "a", module="postgres_db_import", path=str(path), replace=True, backup_first=False, keep_old=0)
    assert small.query("a", "TABLE come") == []
    nothing_left(small, "a")

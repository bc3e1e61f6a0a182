# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports that are killed before each thing that they do: the database stays, and no way in is left open for long."""

from __future__ import annotations

import importlib
import itertools
import json
import signal
import subprocess
import sys
from pathlib import Path

from harness import THOROUGH, environment
from restoring import PACKAGE, arguments, nothing_left, psql

loader = importlib.import_module(PACKAGE + "_server.loader")
KILLED = Path(__file__).parent.parent / "postgres_db/killed.py"
MODULE = "postgres_db_import"
DUMP = "-- PostgreSQL database dump\nCREATE TABLE come AS SELECT 1 AS a;\n-- PostgreSQL database dump complete\n"


def test_killed_before_each_thing_that_it_does(shared):
    shared.run("a")
    shared.query("a", "CREATE TABLE present AS SELECT 42 AS a")
    container, hba = shared.container("a"), shared.directory("a") / "conf/pg_hba.conf"
    path = Path(shared.root, "dump.sql")
    path.write_text(DUMP)
    given = {"path": str(path), "replace": True, "backup_first": False, "keep_old": 0}
    seen, journalled = [], []
    # The next run clears up what this one leaves, so that some of them will do where time is short.
    for moment in itertools.count(2, 1 if THOROUGH else 5):
        file = shared.written(arguments(shared, "a", **given))
        process = subprocess.run(
            [sys.executable, str(KILLED), str(moment), file, MODULE],
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        tables = psql(container, shared.name("a"), "SELECT relname FROM pg_class WHERE relname IN ('present', 'come')")
        assert tables in ("present", "come")
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, process.stdout + process.stderr
        seen.append((process.stderr.split()[-1], "vellaric_loader" in hba.read_text()))
        journalled.append((hba.parent.parent / "restore.journal").exists())
    assert moment > 12 and ("open", True) in seen
    assert shared.query("a", "TABLE come") == [(1,)]
    # From the first thing that it did on, the journal tells the next run; none is left when one has come to its end.
    assert True in journalled and not (hba.parent.parent / "restore.journal").exists()
    assert ("was interrupted" in str(json.loads(process.stdout).get("warnings"))) == journalled[-1]
    nothing_left(shared, "a")
    assert "vellaric_loader" not in hba.read_text()
    assert psql(container, "postgres", "SELECT count(*) FROM pg_roles WHERE rolname = 'vellaric_loader'") == "0"
    assert shared.run("a")["actions"] == []


def test_a_way_in_that_was_left_is_closed_by_any_run(shared):
    """Also by one that imports nothing."""
    shared.run("b")
    hba = shared.directory("b") / "conf/pg_hba.conf"
    before = hba.read_text()
    hba.write_text(loader.with_way_in(before, shared.name("b") + ".restoring"))
    assert "vellaric_loader" in hba.read_text()
    assert shared.run("b")["changed"]
    assert hba.read_text() == before

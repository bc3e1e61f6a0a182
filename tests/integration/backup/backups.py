# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of backups share: the module on one database, and a look at what it may not leave behind."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

import harness
from ansible_collections.vellaric.postgres.plugins.module_utils._backups.local_directory import LocalDirectory


class Backups:
    """The backups of one database of a test's host."""

    def __init__(self, host, short):
        self.host, self.short = host, short
        self.container = host.container(short)
        self.directory = Path(host.root, "backups", self.container)
        self.place = LocalDirectory(str(self.directory))

    def arguments(self, check=False, **options):
        named = {"name": self.host.name(self.short), "environment": self.host.environment}
        common = {"data_root": self.host.data_root, "_ansible_check_mode": check, "_ansible_diff": True}
        return {**named, **common, **options}

    def run(self, check=False, **options):
        return self.host._result("postgres_db_backup", self.arguments(check, **options))

    def start(self, **options):
        return harness.Fork("postgres_db_backup", self.host.written(self.arguments(**options)))

    def refused(self, **options):
        try:
            answer = self.run(**options)
        except harness.Failed as failure:
            return failure.message
        raise AssertionError(f"not refused: {answer}")

    def take(self, **options):
        return self.run(**options)["backup"]

    def files(self):
        return sorted(os.listdir(self.directory)) if self.directory.is_dir() else []

    def forget(self):
        """Begin without what earlier tests have left."""
        for name in self.files():
            subprocess.run(["rm", "-rf", str(self.directory / name)], check=True)

    def at_work(self):
        """What is at work for a backup in the container: processes, and sessions of the server."""
        processes = harness.docker("top", self.container, "-eo", "pid,args", check=False)
        found = [line for line in processes.splitlines() if "pg_dump" in line]
        sessions = self.host.psql(
            self.short, "SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'vellaric backup%'"
        )
        return found + sessions.split()

    def assert_clean(self, backups):
        """Nothing is left but that many whole backups, and the server has not noticed anything."""
        harness.eventually(lambda: not self.at_work())
        names = self.files()
        assert [name for name in names if name.startswith(".")] == []
        whole = [name for name in names if name.endswith(".json")]
        assert len(whole) == backups and len(names) == 3 * backups, names
        log = subprocess.run(["docker", "logs", self.container], capture_output=True, text=True, check=True)
        assert "terminated by signal" not in log.stdout + log.stderr

    @contextlib.contextmanager
    def locked(self, table):
        """Have a table for oneself, as somebody does who changes it."""
        connection = self.host.connect(self.short, autocommit=False)
        try:
            connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield connection
        finally:
            # Also one whose server is gone.
            connection.close()

    def waits_for_lock(self, application="vellaric backup"):
        """Whether a dump, or another client, waits for a table's lock."""
        waiting = self.host.psql(
            self.short,
            f"SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '{application}%'"
            " AND wait_event_type = 'Lock'",
        )
        return waiting != "0"

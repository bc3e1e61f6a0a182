# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scheduled runs, as a timer starts them: the packed program in a process of its own, on the real engine."""

from __future__ import annotations

import gzip
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import harness
import pytest
from ansible_collections.vellaric.postgres.plugins.plugin_utils import archive


class Scheduled:
    """A host with the program and its settings."""

    def __init__(self, host):
        self.host = host
        self.root = Path(host.root)
        self.directory = Path(host.data_root, ".schedule")
        self.program = self.root / "backup.pyz"
        self.program.write_bytes(archive.pack(str(harness.REPOSITORY / "plugins/module_utils")))
        self.declare()

    def declare(self, receiver=None, **declared):
        settings = {
            "schema": 1,
            "scheduler": "cron",
            "data_root": self.host.data_root,
            "docker_host": "unix:///var/run/docker.sock",
            "wait_timeout": 60,
            "environments": {},
            "databases": [],
            **declared,
        }
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "schedule.json").write_text(json.dumps(settings))
        (self.directory / "notify.json").write_text(json.dumps(receiver or {}))

    @property
    def command(self):
        return [sys.executable, "-I", str(self.program), "--directory", str(self.directory)]

    def start(self, schedule, *options, **environment):
        environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **environment}
        command = [*self.command, "run", schedule, *options]
        return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)

    def run(self, schedule, *options, code=0, **environment):
        """Run a schedule and return what it said."""
        process = self.start(schedule, *options, **environment)
        said = process.communicate()[1]
        assert process.returncode == code, said
        assert "Traceback" not in said
        return said

    def status(self, schedule):
        return json.loads((self.directory / "status" / f"{schedule}.json").read_text())

    def backups(self, short):
        directory = Path(self.host.defaults["backup_root"], self.host.container(short))
        return sorted(path.name for path in directory.glob("*.sql.gz"))

    def backup(self, short):
        return Path(self.host.defaults["backup_root"], self.host.container(short), self.backups(short)[-1])

    def forget_backups(self, short):
        for path in Path(self.host.defaults["backup_root"], self.host.container(short)).glob("*"):
            path.unlink()


@pytest.fixture(scope="module")
def scheduled():
    host = harness.Host(environment="production")
    host.run(databases=[{"name": host.name("shop")}, {"name": host.name("forum")}], name=None)
    host.query("shop", "CREATE TABLE orders AS SELECT generate_series(1, 1000) AS id")
    yield Scheduled(host)
    host.close()


def test_backs_up_and_verifies_all_databases_of_an_environment(scheduled):
    host = scheduled.host
    scheduled.declare()
    said = scheduled.run("production")
    assert "Backup of production: 2 databases" in said
    for short in ("shop", "forum"):
        assert scheduled.backups(short)[-1] in said
    assert b"PostgreSQL database dump complete" in gzip.decompress(scheduled.backup("shop").read_bytes())[-200:]
    manifest = json.loads(Path(f"{scheduled.backup('shop')}.json").read_text())
    assert manifest["taken_by"] == "schedule" and manifest["checked_at"]
    status = scheduled.status("production")
    assert status["outcome"] == "ok" and status["finished_at"]
    one = status["databases"][host.container("shop")]
    assert (one["outcome"], one["backup"]) == ("ok", scheduled.backups("shop")[-1])
    assert one["size_bytes"] == scheduled.backup("shop").stat().st_size

    said = scheduled.run("verify-production")
    assert "restored and compared: 1 tables, 1000 rows" in said
    manifest = json.loads(Path(f"{scheduled.backup('shop')}.json").read_text())
    assert manifest["verified_at"]
    assert "was verified at" in scheduled.run("verify-production")

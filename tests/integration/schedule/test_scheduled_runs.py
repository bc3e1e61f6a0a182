# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scheduled runs, as a timer starts them: the packed program in a process of its own, on the real engine."""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
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

    def backup_directory(self, short):
        return Path(self.host.defaults["backup_root"], self.host.container(short))

    def backups(self, short):
        return sorted(path.name for path in self.backup_directory(short).glob("*.sql.gz"))

    def backup(self, short):
        return self.backup_directory(short) / self.backups(short)[-1]


@pytest.fixture(scope="module")
def scheduled():
    host = harness.Host(environment="production")
    try:
        host.run(databases=[{"name": host.name("shop")}, {"name": host.name("forum")}], name=None, wait_timeout=300)
        host.query("shop", "CREATE TABLE orders AS SELECT generate_series(1, 1000) AS id")
        yield Scheduled(host)
    finally:
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


def test_one_that_meets_a_verification_by_hand_is_no_failure(scheduled):
    scheduled.declare(wait_timeout=1)
    scheduled.run("production")
    lock = Path(scheduled.host.data_root, ".locks", f"{scheduled.host.container('shop')}.verify")
    lock.parent.mkdir(exist_ok=True)
    with lock.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        said = scheduled.run("verify-production")
    assert "skipped: Another run has been working on a verification" in said
    status = scheduled.status("verify-production")
    assert status["outcome"] == "ok"
    assert status["databases"][scheduled.host.container("shop")]["outcome"] == "skipped"


def test_retention_keeps_the_newest(scheduled):
    scheduled.declare(environments={"production": {"retention": {"last": 1}}})
    scheduled.run("production")
    kept = scheduled.backups("shop")[-1]
    said = scheduled.run("production")
    assert f"removed by retention ({kept}" in said or kept in said
    # What was verified last stays too.
    assert kept not in scheduled.backups("shop") and len(scheduled.backups("shop")) <= 2


def test_what_stands_still_and_what_is_broken(scheduled):
    """A stopped database is passed over; one without its container fails, and does not keep the others back."""
    host = scheduled.host
    told = scheduled.root / "told.json"
    command = [sys.executable, "-c", "import sys; open(sys.argv[1], 'a').write(sys.stdin.read())", str(told)]
    own = {"name": host.name("shop"), "environment": "production", "calendar": "hourly", "compression_level": 9}
    gone = {"name": host.name("gone"), "environment": "production", "calendar": "daily"}
    metrics = scheduled.root / "metrics"
    metrics.mkdir()
    scheduled.declare({"command": command}, databases=[own, gone], textfile_directory=str(metrics))
    host.run("forum", state="stopped")
    said = scheduled.run("production")
    assert f"{host.container('forum')}: skipped: it is stopped" in said
    assert host.container("shop") not in said
    assert scheduled.status("production")["databases"][host.container("forum")]["outcome"] == "skipped"
    said = scheduled.run(host.container("gone"))
    assert "there is no database" in said and "backup_databases" in said
    assert not told.exists()

    before = scheduled.backups("shop")
    harness.docker("rm", "-f", host.container("forum"))
    scheduled.declare({"command": command}, textfile_directory=str(metrics))
    said = scheduled.run("production", code=1)
    assert f"{host.container('forum')}: FAILED: its container is missing" in said
    assert "1 of 2 FAILED" in said
    assert len(set(scheduled.backups("shop")) - set(before)) == 1
    payload = json.loads(told.read_text())
    assert (payload["event"], payload["failed"]) == ("failed", [host.container("forum")])
    labels = f'action="backup",container="{host.container("forum")}",environment="production"'
    assert (
        f'vellaric_backup_last_run_failed{{{labels},name="{host.name("forum")}"}} 1'
        in (metrics / "vellaric_backup.prom").read_text()
    )
    forum = host.info(name=host.name("forum"), gather=["findings", "backups"])[0]
    assert forum["backups"]["schedule"]["last_outcome"] == "failed"
    assert forum["backups"]["schedule"]["calendar"] == "daily"
    assert "scheduled_backup_failed" in [finding["code"] for finding in forum["findings"]]

    host.run("forum")
    told.unlink()
    scheduled.run("production")
    assert json.loads(told.read_text())["event"] == "recovered"
    forum = host.info(name=host.name("forum"), gather=["findings"])[0]
    assert "scheduled_backup_failed" not in [finding["code"] for finding in forum["findings"]]
    scheduled.run("production")
    assert len(told.read_text().splitlines()) == 1, "a success that is no news is not told"


class Hook(http.server.BaseHTTPRequestHandler):
    answer = 200

    def do_POST(self):
        self.server.told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.answer)
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.mark.parametrize("answer", [200, 500])
def test_a_url_is_told(scheduled, answer):
    server = http.server.HTTPServer(("127.0.0.1", 0), type("", (Hook,), {"answer": answer}))
    server.told = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    scheduled.declare(
        {"url": f"http://127.0.0.1:{server.server_port}/hooks/s3cret", "when": "always"},
        environments={"production": {"compression": "zstd"}},
    )
    said = scheduled.run("production", code=1)
    server.shutdown()
    server.server_close()
    assert "which pg_dump has from PostgreSQL 16 on" in said, "the backup's own failure is said first"
    assert server.told[0]["event"] == "failed" and "PostgreSQL 16" in server.told[0]["text"]
    assert "s3cret" not in said + json.dumps(scheduled.status("production"))
    assert ("could not be notified: it answered 500" in said) is (answer == 500)
    assert (scheduled.status("production")["notification_error"] is None) is (answer == 200)


def processes(host, short):
    return harness.docker("top", host.container(short), "-eo", "pid,args")


@contextlib.contextmanager
def held_up(scheduled):
    """A run of database shop's own schedule whose pg_dump waits for a table; yields the process."""
    host = scheduled.host
    own = {"name": host.name("shop"), "environment": "production", "calendar": "hourly"}
    scheduled.declare(databases=[own])
    with host.connect("shop", autocommit=False) as connection:
        connection.execute("LOCK TABLE orders")
        run = scheduled.start(host.container("shop"))
        harness.eventually(lambda: "pg_dump" in processes(host, "shop") or run.poll() is not None, 60)
        assert run.poll() is None, run.communicate()[1]
        yield run


def test_a_run_that_is_ended_leaves_nothing(scheduled):
    host = scheduled.host
    before = scheduled.backups("shop")
    with held_up(scheduled) as run:
        # Another one waits for its turn.
        scheduled.declare(wait_timeout=1)
        said = scheduled.run("verify-production", code=1)
        assert "Another run has been working on the scheduled backups of this host for 1 s" in said
        run.send_signal(signal.SIGTERM)
        said = run.communicate(timeout=60)[1]
        assert run.returncode == 1 and "terminated by SIGTERM" in said and "Traceback" not in said
        assert "pg_dump" not in processes(host, "shop")
    assert scheduled.backups("shop") == before
    assert not [name for name in os.listdir(scheduled.backup_directory("shop")) if name.startswith(".")]
    status = scheduled.status(host.container("shop"))
    assert status["outcome"] == "failed" and status["finished_at"]


def test_a_run_that_is_killed_is_known_as_such(scheduled):
    host = scheduled.host
    with held_up(scheduled) as run:
        run.kill()
        run.communicate()
    shop = host.info(name=host.name("shop"), gather=["backups"])[0]["backups"]["schedule"]
    assert shop["last_outcome"] == "failed" and "interrupted" in shop["last_reason"]
    scheduled.run(host.container("shop"))
    shop = host.info(name=host.name("shop"), gather=["backups"])[0]["backups"]["schedule"]
    assert (shop["last_outcome"], shop["last_reason"]) == ("ok", None)


def test_under_cron(scheduled):
    """Nothing is printed, and so mailed, but failures; what was not missed is not run again."""
    scheduled.declare(environments={"production": {"calendar": "yearly"}})
    assert scheduled.run("production", "--cron") == ""
    before = scheduled.backups("shop")
    assert scheduled.run("production", "--cron", "--missed") == ""
    assert scheduled.backups("shop") == before
    scheduled.declare(docker_host="unix:///nowhere/docker.sock")
    said = scheduled.run("production", "--cron", code=1)
    assert "No Docker Engine answers on /nowhere/docker.sock" in said
    status = scheduled.status("production")
    assert "No Docker Engine" in status["error"]
    shop = status["databases"][scheduled.host.container("shop")]
    assert shop["outcome"] == "failed" and shop["last_success_at"], "it is known when it was well"


def test_refuses_what_it_cannot_read(scheduled):
    scheduled.declare()
    assert "There is no schedule nightly; there are: production, staging" in scheduled.run("nightly", code=2)
    (scheduled.directory / "schedule.json").write_text("{")
    assert "run role vellaric.postgres.backup" in scheduled.run("production", code=2)
    assert "is damaged" in scheduled.host.info(gather=["backups"])[0]["missing"]["backups"]

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role backup over SSH, on a machine with systemd and nothing but its distribution's packages.

VELLARIC_LAB_HOST names a lab host that is used as it is, and kept: making one takes most of the time.
"""

from __future__ import annotations

import json
import os
import re

import harness
import pytest
from harness import eventually
from lab import Machine

from playbooks import changes

BACKUPS = "/var/vellaric/backups/shop-production-postgres"
DATABASES = [{"name": "shop", "environment": "production"}, {"name": "crm", "environment": "staging"}]


class Scheduling(Machine):
    def schedule(self, *options, **more):
        return self.play("vellaric.postgres.schedule", *options, **more)

    def timers(self):
        listed = self.run("systemctl", "list-timers", "--all", "--no-pager", "--no-legend", "vellaric-backup@*")
        return sorted(re.findall(r"vellaric-backup@(\S+)\.timer", listed))

    def traces(self):
        """What is there of the role."""
        return self.run(
            "sh",
            "-c",
            "ls -d /etc/systemd/system/vellaric* /etc/systemd/system/timers.target.wants/vellaric*"
            " /usr/local/lib/vellaric* /etc/cron.d/vellaric* /var/vellaric/postgres/.schedule 2> /dev/null",
            code=None,
        ).split()


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    given = os.environ.get("VELLARIC_LAB_HOST")
    machine = Scheduling(given or f"vellaric-test-schedule-{os.getpid()}", tmp_path_factory.mktemp("machine"))
    yield machine
    if given is None:
        machine.stop()


def test_check_mode_on_a_bare_host(machine):
    if machine.traces():
        machine.schedule(backup_state="absent")
    output = machine.schedule("--check", "--diff")
    assert changes(output) > 0 and "Would start vellaric-backup@production.timer" in output
    assert machine.traces() == []


def test_refuses_a_calendar_before_anything_is_changed(machine):
    output = machine.schedule(backup_environments={"staging": {"calendar": "0 2 * * *"}}, succeeds=False)
    assert "systemd does not know a calendar" in output and "man systemd.time" in output
    output = machine.schedule(backup_notify_command=["page"], succeeds=False)
    assert "backup_notify_command is a list" in output
    assert machine.traces() == []


def test_backs_up_what_is_there_when_it_comes_round(machine):
    machine.play("vellaric.postgres.prepare")
    assert changes(machine.schedule()) > 0
    assert changes(machine.schedule()) == 0
    assert machine.timers() == ["production", "staging", "verify-production", "verify-staging"]
    # The databases come later than the schedule.
    machine.load(harness.IMAGE)
    machine.module(
        "postgres_db",
        databases=DATABASES,
        image=harness.IMAGE,
        pull="never",
        username=harness.USERNAME,
        password=harness.PASSWORD,
    )
    machine.run("systemctl", "start", "vellaric-backup@production.service")
    assert "PostgreSQL database dump complete" in machine.run("sh", "-c", f"zcat {BACKUPS}/*.sql.gz")
    said = machine.run("journalctl", "-u", "vellaric-backup@production", "--no-pager", "-o", "cat")
    assert "Backup of production: 1 database" in said and re.search(r"shop-production-postgres-.*\.sql\.gz, ", said)
    machine.run("systemctl", "start", "vellaric-backup@verify-production.service")
    manifest = json.loads(machine.run("sh", "-c", f"ls {BACKUPS}/*.sql.gz.json | tail -n 1 | xargs cat"))
    assert manifest["checked_at"] and manifest["verified_at"] and manifest["taken_by"] == "schedule"
    known = machine.module("postgres_db_info", gather=["backups"])["databases"]
    shop = next(one["backups"]["schedule"] for one in known if one["name"] == "shop")
    assert (shop["active"], shop["last_outcome"], shop["verify"]["last_outcome"]) == (True, "ok", "ok")
    assert shop["next_run_at"] > shop["last_run_at"]
    assert re.search(r"production +daily .* ok", machine.run("/usr/local/lib/vellaric/backup.pyz", "list"))
    assert "vellaric" not in machine.run("systemctl", "--failed", "--no-legend")


def test_the_timer_starts_what_was_missed(machine):
    """Nobody but systemd starts it, since it should have come round while the host was off."""

    def manifests():
        return [name for name in machine.run("ls", BACKUPS).split() if name.endswith(".json")]

    before = manifests()
    timer = "vellaric-backup@production.timer"
    own = f"/etc/systemd/system/{timer}.d"
    machine.run("systemctl", "stop", timer)
    machine.run(
        "sh", "-c", f"mkdir {own}; printf '[Timer]\\nRandomizedDelaySec=0\\nAccuracySec=1s\\n' > {own}/now.conf"
    )
    machine.run("touch", "-d", "3 days ago", f"/var/lib/systemd/timers/stamp-{timer}")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", timer)
    # Retention may remove as many as come.
    eventually(lambda: [name for name in manifests() if name not in before], 90)
    shown = machine.run("systemctl", "show", timer, "-p", "LastTriggerUSec")
    assert re.search(r"LastTriggerUSec=\w+ 20\d\d-", shown)
    said = machine.run("journalctl", "-u", "vellaric-backup@production", "--no-pager", "-o", "cat")
    assert said.count("Backup of production: 1 database") >= 2
    machine.run("rm", "-r", own)
    machine.run("systemctl", "daemon-reload")


def test_a_failure_is_seen(machine):
    machine.run("docker", "rm", "-f", "crm-staging-postgres")
    machine.run("systemctl", "start", "vellaric-backup@staging.service", code=None)
    assert "vellaric-backup@staging.service" in machine.run("systemctl", "--failed", "--no-legend")
    said = machine.run("journalctl", "-u", "vellaric-backup@staging", "-p", "err", "--no-pager", "-o", "cat")
    assert "crm-staging-postgres: FAILED: its container is missing" in said
    machine.run("systemctl", "stop", "vellaric-backup@production.timer")
    codes = [finding["code"] for finding in machine.module("postgres_db_info", gather=["findings"])["findings"]]
    assert "scheduled_backup_failed" in codes and "schedule_not_active" in codes
    assert changes(machine.schedule()) > 0
    assert "production" in machine.timers()


def test_what_is_scheduled_changes(machine):
    environments = {"staging": {"calendar": "never", "verify": "off"}, "production": {"calendar": "Mon *-*-* 03:15"}}
    own = [{"name": "shop", "environment": "production", "calendar": "hourly"}]
    declared = {"backup_environments": environments, "backup_databases": own, "backup_notify_url": "https://x/s3cret"}
    output = machine.schedule("--diff", "-vvv", **declared)
    assert "s3cret" not in output.replace(json.dumps(declared)[1:-1], "")
    assert machine.timers() == ["production", "shop-production-postgres", "verify-production"]
    shown = machine.run("systemctl", "show", "vellaric-backup@production.timer", "-p", "TimersCalendar")
    assert "Mon *-*-* 03:15:00" in shown
    assert machine.run("stat", "-c", "%a %U", "/var/vellaric/postgres/.schedule/notify.json").split() == ["600", "root"]


def test_absent_leaves_the_backups(machine):
    before = machine.run("ls", BACKUPS)
    assert changes(machine.schedule(backup_state="absent")) > 0
    assert changes(machine.schedule(backup_state="absent")) == 0
    assert machine.traces() == [] and machine.timers() == []
    assert "vellaric" not in machine.run("systemctl", "--failed", "--no-legend")
    assert machine.run("ls", BACKUPS) == before

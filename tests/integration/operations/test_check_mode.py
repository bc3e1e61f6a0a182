# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every playbook in check mode, on a database that is there: nothing of it changes."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import harness
import pytest
from harness import docker, inspect

from playbooks import Fleet

PLAYBOOKS = harness.REPOSITORY / "playbooks"
# awx declares things in AWX, schedule needs a machine with systemd or cron (test_schedule_role.py), adopt a container
# that nobody manages (test_adopt_playbook.py), and undelete one that is deleted.
# `url` shows the password, which is what it is asked for.
# `pause` and `resume` are of a database with a pooler (test_pooler_playbooks.py).
OTHERS = {"awx", "schedule", "adopt", "undelete", "url", "pause", "resume"}
OPTIONS = {
    "database_memory": "300m",
    "database_connection_format": "env",
    "database_deletion_protection": False,
    "database_purge": True,
    "database_forget_credentials": True,
    "backup_verify": True,
    "backup_retention": {"last": 0},
    "clone_mask": "DELETE FROM kept",
    "exec_sql": "DELETE FROM kept",
    "import_replace": True,
    "fail_on": "never",
}


@pytest.fixture
def fleet(host):
    fleet = Fleet(host)
    fleet.play("create")
    fleet.play("create", short="gone")
    host.run("copy")
    user = host.record("shop")["username"]
    host.query("shop", "CREATE TABLE kept AS SELECT 42 AS answer", user=user, password=fleet.password())
    for _time in range(2):
        fleet.play("backup")
    fleet.play("delete", short="gone")
    dump = docker("exec", "-u", "postgres", host.container("shop"), "pg_dump", host.name("shop"))
    (fleet.root / "dump.sql").write_text(dump + "\n")
    return fleet


def state(fleet):
    """All that a run could change: containers as the engine has them, and every file but what the server writes."""
    files = {}
    for path in sorted(Path(fleet.root).rglob("*")):
        inside = path.relative_to(fleet.root)
        if path.is_file() and "pgdata" not in inside.parts and "data" not in inside.parts[2:]:
            files[str(inside)] = (path.stat().st_mode, hashlib.sha256(path.read_bytes()).hexdigest())
    containers = {
        name: (inspect(name)["Id"], inspect(name)["State"]["StartedAt"], inspect(name)["HostConfig"])
        for name in docker("ps", "-a", "--format", "{{.Names}}", "--filter", f"name={fleet.host.prefix}").split()
    }
    return files, containers


def test_nothing_changes(fleet):
    before = state(fleet)
    assert any("backups" in path for path in before[0]) and before[1]
    # A database cannot be cloned into itself: that one comes on its own.
    names = sorted(path.stem for path in PLAYBOOKS.glob("*.yml") if path.stem not in (*OTHERS, "clone"))
    first, *others = names
    options = {
        **OPTIONS,
        "database_connection_path": str(fleet.root / "told.env"),
        "report_path": str(fleet.root / "report.html"),
        "clone_from_name": fleet.host.name("shop"),
        "clone_from_environment": "development",
        "import_path": str(fleet.root / "dump.sql"),
    }
    output = fleet.play(
        first, *[f"vellaric.postgres.{name}" for name in others], "--check", "--diff", "-vvv", **options
    )
    assert output.count("\nPLAY [") == len(names)
    assert fleet.password() not in output
    assert "would be removed: " in output and not re.search(r"^removed: ", output, re.MULTILINE)
    fleet.play("clone", "--check", "--diff", short="copy", **options)
    fleet.play("undelete", "--check", "--diff", short="gone")
    assert state(fleet) == before
    login = {"user": fleet.host.record("shop")["username"], "password": fleet.password()}
    assert fleet.host.query("shop", "TABLE kept", **login) == [(42,)]

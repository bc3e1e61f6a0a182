# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks by their names, as a user runs them: from an inventory, with a vault password, on the real engine."""

from __future__ import annotations

import json
import re

import psycopg
import pytest

from playbooks import Fleet, changes


@pytest.fixture(scope="module")
def fleet(shared):
    return Fleet(shared)


def test_check_mode_before_anything_is_there(fleet):
    output = fleet.play("create", "--check", "--diff", short="nothing-yet")
    assert changes(output) >= 2
    assert "would     create container" in output
    assert fleet.host.untouched()
    assert not fleet.credentials.exists()


def test_create_then_use(fleet):
    output = fleet.play("create", "-vvv", database_sslmode="require")
    assert f"commit    {fleet.credentials}" in output
    # What is skipped leaves no line where display_skipped_hosts is off, as docs/first-hour.md has it.
    assert len(re.findall(r"^TASK ", output, re.MULTILINE)) - output.count("skipping: [local]") <= 15
    password = fleet.password()
    assert len(password) == 24
    assert password not in output
    record = fleet.host.record("shop")
    with fleet.host.connect("shop", user=record["username"], password=password, sslmode="require") as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError):
        fleet.host.connect("shop", user=record["username"], password=password, sslmode="disable")
    assert password not in fleet.credentials.read_text()
    assert fleet.credentials.stat().st_mode & 0o777 == 0o600
    assert password not in json.dumps(fleet.host.inspect("shop"))

    stored = fleet.credentials.read_bytes()
    again = fleet.play("create", database_sslmode="require")
    assert changes(again) == 0 and "commit " not in again
    assert changes(fleet.play("create", "--check", "--diff", database_sslmode="require")) == 0
    assert fleet.credentials.read_bytes() == stored


def test_short_names(fleet):
    fleet.play("create", database_sslmode="require")
    names = {"database_name": None, "database_environment": None}
    output = fleet.play("show", name=fleet.host.name("shop"), environment="development", **names)
    assert fleet.host.record("shop")["id"] in output
    output = fleet.play("show", succeeds=False, **names)
    assert "say which database" in output


def test_stop_start_restart(fleet):
    fleet.play("create", database_sslmode="require")
    assert changes(fleet.play("stop")) == 1
    assert changes(fleet.play("stop")) == 0
    # What a run does, or would do, is said without asking for more.
    start = f"start container {fleet.host.container('shop')}"
    assert f"would     {start}" in fleet.play("create", "--check", database_sslmode="require")
    output = fleet.play("create", database_sslmode="require")
    assert f"done      {start}" in output and "would " not in output
    assert "done " not in fleet.play("create", database_sslmode="require")
    fleet.play("stop")
    assert fleet.host.one("shop")["status"] == "stopped"
    assert changes(fleet.play("start")) == 1
    assert changes(fleet.play("start")) == 0
    assert changes(fleet.play("restart")) == 1
    assert changes(fleet.play("collations")) == 0
    # Nothing else about it has changed.
    assert fleet.host.one("shop")["sslmode"] == "require"
    assert changes(fleet.play("create", database_sslmode="require")) == 0
    assert "there is no such database" in fleet.play("stop", short="unknown", succeeds=False)
    assert "Create it first" in fleet.play("start", short="unknown", succeeds=False)


def test_list_and_show(fleet):
    fleet.play("create", database_sslmode="require")
    output = fleet.play("list", database_name=None, database_environment=None)
    row = next(line for line in output.splitlines() if fleet.host.name("shop") in line)
    assert "active" in row
    assert f"127.0.0.1:{fleet.host.record('shop')['port']}" in row
    assert fleet.host.name("shop") not in fleet.play("list", database_environment="production")
    assert "There is no database" in fleet.play("show", short="unknown", succeeds=False)


def test_no_vault_secret(fleet):
    output = fleet.play("create", short="secretless", vault=False, succeeds=False)
    assert "vault" in output
    assert not fleet.host.directory("secretless").exists()
    assert fleet.host.inspect("secretless") is None


def test_delete(fleet):
    fleet.play("create", short="doomed")
    credentials = fleet.credentials.read_text()
    output = fleet.play("delete", short="doomed", database_deletion_protection=True, succeeds=False)
    assert "protected" in output
    # As the header of the playbook has them: on the command line every value is text.
    options = ["-e", "database_purge=true", "-e", "database_forget_credentials=true"]
    options += ["-e", "database_deletion_protection=false"]
    assert changes(fleet.play("delete", *options, short="doomed")) == 2
    assert changes(fleet.play("delete", *options, short="doomed")) == 0
    assert not fleet.host.directory("doomed").exists()
    assert fleet.host.container("doomed") in credentials
    assert fleet.host.container("doomed") not in fleet.credentials.read_text()

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks of one database on a fleet: the host that has it is found, and the others are left alone."""

from __future__ import annotations

import os
import re

import harness
import pytest
import yaml

from playbooks import Fleet, changes


@pytest.fixture(scope="module")
def fleet(shared):
    """Three hosts on one engine, each with directories of its own, and one that cannot be reached."""
    fleet = Fleet(shared)
    file = fleet.root / "inventory/hosts.yml"
    inventory = yaml.safe_load(file.read_text())
    hosts = inventory["postgres_hosts"]["hosts"]
    for name in ("two", "three"):
        roots = {f"database_{kind}_root": f"{fleet.root}/{name}/{kind}" for kind in ("data", "backup")}
        hosts[name] = {**hosts["local"], **roots}
    hosts["away"] = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_connection": "ssh"}
    file.write_text(yaml.safe_dump(inventory))
    return fleet


def recap(output):
    """Return the number of tasks that each host has carried out."""
    return {host: int(ok) for host, ok in re.findall(r"^(\w+) +: ok=(\d+)", output, re.MULTILINE)}


def test_a_new_one_wants_a_host(fleet):
    output = fleet.play("create", succeeds=False, database_image=harness.IMAGE)
    assert "database_on_all_hosts=true" in output and output.count("Say on which it is to be") <= 8
    assert fleet.host.untouched() and not os.path.exists(fleet.root / "inventory/host_vars")


def test_what_one_host_declares_is_asked_for_on_no_other(fleet):
    file = fleet.root / "inventory/hosts.yml"
    before = file.read_text()
    inventory = yaml.safe_load(before)
    declared = [{"name": fleet.host.name("shop"), "environment": fleet.host.environment}]
    inventory["postgres_hosts"]["hosts"]["two"]["postgres_databases"] = declared
    file.write_text(yaml.safe_dump(inventory))
    output = fleet.play("create", succeeds=False, database_image=harness.IMAGE)
    file.write_text(before)
    assert "is declared in postgres_databases" in output and "Say on which it is to be" not in output


def test_the_host_that_has_it_is_found(fleet):
    fleet.play("create", "--limit", "two", database_image=harness.IMAGE)
    container = fleet.host.container("shop")
    started = harness.inspect(container)["State"]["StartedAt"]
    output = fleet.play("restart")
    assert changes(output) == 1 and harness.inspect(container)["State"]["StartedAt"] != started
    assert recap(output)["two"] > recap(output)["local"]
    fleet.play("backup")
    assert os.listdir(fleet.root / "two/backup" / container)
    # What is changed is what is there.
    assert changes(fleet.play("create", database_image=harness.IMAGE, database_users=[])) == 0
    connection = {"database_connection_format": "url", "database_connection_path": f"{fleet.root}/url"}
    fleet.play("connection", **connection)
    assert (fleet.root / "url").read_text().startswith("postgresql://db_user_")
    assert "None of" in fleet.play("restart", short="none", succeeds=False)
    assert "away" in fleet.play("restart", short="none", succeeds=False)


def test_several_are_refused(fleet):
    short = "twice"
    for name in ("local", "three"):
        directory = fleet.host.data_root if name == "local" else f"{fleet.root}/three/data"
        os.makedirs(f"{directory}/{fleet.host.container(short)}", exist_ok=True)
        with open(f"{directory}/{fleet.host.container(short)}/database.json", "w", encoding="utf-8") as stream:
            stream.write("{}")
    assert "Each of local, three has" in " ".join(fleet.play("stop", short=short, succeeds=False).split())

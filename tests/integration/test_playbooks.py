# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks by their names, as a user runs them: from an inventory, with a vault password, on the real engine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import harness
import psycopg
import pytest
import yaml

BIN = Path(sys.executable).parent


class Fleet:
    """An inventory in a directory of its own, whose one host is this machine."""

    def __init__(self, host):
        self.host = host
        self.root = Path(host.root)
        self.credentials = self.root / "inventory/host_vars/local/postgres_credentials.yml"
        (self.root / "inventory").mkdir()
        local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        local.update({f"database_{name}": host.defaults[name] for name in ("data_root", "backup_root", "port_range")})
        inventory = {"postgres_hosts": {"hosts": {"local": local}}}
        (self.root / "inventory/hosts.yml").write_text(yaml.safe_dump(inventory))
        (self.root / "vault-password").write_text("a vault password of the tests")
        (self.root / "ansible.cfg").write_text(f"[defaults]\ncollections_path = {harness.COLLECTIONS}\n")

    def play(self, playbook, /, *options, short="shop", succeeds=True, vault=True, **variables):
        """Run a playbook of the collection; returns its output."""
        variables = {"database_name": self.host.name(short), "database_environment": "development", **variables}
        command = [str(BIN / "ansible-playbook"), f"vellaric.postgres.{playbook}", "-i", "inventory", *options]
        command += ["-e", json.dumps({key: value for key, value in variables.items() if value is not None})]
        if vault:
            command += ["--vault-password-file", "vault-password"]
        environment = {**os.environ, "ANSIBLE_CONFIG": str(self.root / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
        finished = subprocess.run(command, env=environment, cwd=self.root, capture_output=True, text=True, check=False)
        output = finished.stdout + finished.stderr
        assert (finished.returncode == 0) is succeeds, output
        return output

    def password(self, short="shop"):
        """Read a stored password with Ansible's own tools."""
        container = self.host.container(short)
        command = [str(BIN / "ansible"), "local", "-i", "inventory", "--vault-password-file", "vault-password", "-o"]
        command += ["-m", "ansible.builtin.debug", "-a", f"msg={{{{ postgres_credentials['{container}'].password }}}}"]
        environment = {**os.environ, "ANSIBLE_CONFIG": str(self.root / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
        output = subprocess.run(command, env=environment, cwd=self.root, capture_output=True, text=True, check=True)
        return re.search(r'"msg": "([^"]+)"', output.stdout).group(1)


@pytest.fixture(scope="module")
def fleet(shared):
    return Fleet(shared)


def changes(output):
    return sum(map(int, re.findall(r"changed=(\d+)", output)))


def test_check_mode_before_anything_is_there(fleet):
    output = fleet.play("create", "--check", "--diff", short="nothing-yet")
    assert changes(output) >= 2
    assert fleet.host.untouched()
    assert not fleet.credentials.exists()


def test_create_then_use(fleet):
    output = fleet.play("create", "-vvv", database_sslmode="require")
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
    assert changes(fleet.play("create", database_sslmode="require")) == 0
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
    assert fleet.host.one("shop")["status"] == "stopped"
    assert changes(fleet.play("start")) == 1
    assert changes(fleet.play("start")) == 0
    assert changes(fleet.play("restart")) == 1
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
    assert changes(fleet.play("delete", short="doomed", database_purge=True, database_forget_credentials=True)) == 2
    assert changes(fleet.play("delete", short="doomed", database_purge=True, database_forget_credentials=True)) == 0
    assert not fleet.host.directory("doomed").exists()
    assert fleet.host.container("doomed") in credentials
    assert fleet.host.container("doomed") not in fleet.credentials.read_text()

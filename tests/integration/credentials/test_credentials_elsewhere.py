# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials in a file on a host of choice: a lab host over SSH, to which the playbooks delegate."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import harness
import pytest
import yaml
from harness import docker

from playbooks import BIN, Fleet, changes

LAB = harness.REPOSITORY / "tests/lab/host"
FILE = "/etc/vellaric/credentials.yml"


class Keeper:
    """The host that keeps the file."""

    def __init__(self):
        self.name = f"vt-keeper-{os.getpid()}"
        line = subprocess.run([str(LAB), "start", self.name], stdout=subprocess.PIPE, text=True, check=True).stdout
        words = [word.partition("=") for word in line.split() if word.startswith("ansible_")]
        self.variables = {key: value for key, _separator, value in words if key != "ansible_ssh_common_args"}
        self.variables["ansible_ssh_common_args"] = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"

    def run(self, *command, check=True):
        return docker("exec", self.name, *command, check=check)

    def content(self):
        return self.run("cat", FILE, check=False)

    def stop(self):
        subprocess.run([str(LAB), "stop", self.name], check=True, capture_output=True)


class Elsewhere(Fleet):
    """A fleet whose databases are on this machine, and whose credentials are on another one."""

    def __init__(self, host, keeper):
        super().__init__(host)
        self.keeper = keeper
        path = self.root / "inventory/hosts.yml"
        inventory = yaml.safe_load(path.read_text())
        inventory["keepers"] = {"hosts": {"keeper": keeper.variables}}
        inventory["postgres_hosts"]["vars"] = {
            "database_credentials_on": "keeper",
            "database_credentials_file": FILE,
        }
        path.write_text(yaml.safe_dump(inventory))

    def password(self, short="shop", key="password", user=None):
        self.credentials = Path(self.root, "fetched.yml")
        self.credentials.write_text(self.keeper.content())
        return super().password(short, key, user)


@pytest.fixture(scope="module")
def keeper():
    keeper = Keeper()
    yield keeper
    keeper.stop()


@pytest.fixture(scope="module")
def fleet(shared, keeper):
    return Elsewhere(shared, keeper)


def logs_in(fleet, short="shop"):
    login = {"user": fleet.host.record(short)["username"], "password": fleet.password(short)}
    return fleet.host.query(short, "SELECT 1", **login) == [(1,)]


def test_check_mode(fleet, keeper):
    assert changes(fleet.play("create", "--check", "--diff")) >= 2
    assert keeper.run("ls", "/etc/vellaric", check=False) == "" and fleet.host.untouched()


def test_created_rotated_and_told(fleet, keeper):
    output = fleet.play("create", "-vvv", "--diff", show_credentials=True)
    password = fleet.password()
    # Shown where it was asked for, and nowhere else.
    assert output.count(password) == 1 and f"postgresql://{fleet.host.record('shop')['username']}:{password}@" in output
    assert logs_in(fleet) and password not in keeper.content()
    assert keeper.run("stat", "-c", "%a %U", FILE) == "600 root"
    assert not (fleet.root / "inventory/host_vars").exists()
    assert changes(fleet.play("create")) == 0
    assert changes(fleet.play("create", "--check", "--diff")) == 0

    before = keeper.content()
    assert changes(fleet.play("rotate", "--check")) == 2 and keeper.content() == before
    output = fleet.play("rotate", "-vvv", "--diff")
    assert fleet.password() != password and logs_in(fleet) and "next_password" not in keeper.content()
    assert fleet.password() not in output and password not in output
    told = {"database_connection_format": "url", "database_connection_path": str(fleet.root / "url")}
    fleet.play("connection", **told)
    assert fleet.password() in (fleet.root / "url").read_text()


def test_what_others_have_in_the_file_stays(fleet, keeper):
    keeper.run("sh", "-c", f"printf '# Mine.\\nregion: eu-1\\n' >> {FILE}; chmod 644 {FILE}")
    item = {"name": fleet.host.name("forum"), "environment": "development", "image": harness.IMAGE}
    item.update({key: fleet.host.defaults[key] for key in ("backup_root", "port_range")})
    assert changes(fleet.run("site", postgres_databases=[item])) == 2
    assert logs_in(fleet, "forum") and logs_in(fleet)
    assert "# Mine.\nregion: eu-1" in keeper.content() and keeper.run("stat", "-c", "%a", FILE) == "600"
    assert changes(fleet.run("site", postgres_databases=[item])) == 0
    fleet.play("delete", short="forum", database_purge=True, database_forget_credentials=True)
    assert "forum" not in keeper.content() and fleet.host.container("shop") in keeper.content()


def test_nothing_that_cannot_be_read_is_overwritten(fleet, keeper):
    stored = keeper.content()
    for spoil, words in (
        ("sed -i 's/;AES256/;AES257/'", "cannot be read"),
        ("sed -i '1s/.*/postgres_credentials: [/'", "is not valid YAML"),
        ("truncate -s 200", "cannot be read"),
    ):
        keeper.run("sh", "-c", f"cp {FILE} /root/kept; {spoil} {FILE}")
        spoilt = keeper.content()
        assert words in fleet.play("create", succeeds=False)
        assert keeper.content() == spoilt
        keeper.run("cp", "/root/kept", FILE)
    # A file that is a directory, and a path that is no absolute one.
    assert "not a regular file" in fleet.play("create", database_credentials_file="/etc/ssh", succeeds=False)
    assert "absolute path" in fleet.play("create", database_credentials_file="here.yml", succeeds=False)
    assert keeper.content() == stored


def test_two_runs_at_once(fleet, keeper):
    """Neither loses what the other has stored."""
    module = """
- hosts: local
  gather_facts: false
  tasks:
    - vellaric.postgres.postgres_db_credentials:
        path: /etc/vellaric/many.yml
        name: "many-{{ who }}-{{ item }}"
        environment: staging
      delegate_to: keeper
      loop: "{{ range(4) | list }}"
"""
    (fleet.root / "many.yml").write_text(module)

    command = [str(BIN / "ansible-playbook"), "many.yml", "-i", "inventory", "--vault-password-file", "vault-password"]
    options = {"cwd": fleet.root, "env": fleet.environment, "stdout": subprocess.PIPE, "text": True}
    runs = [subprocess.Popen([*command, "-e", f"who={who}"], **options) for who in "ab"]
    for run in runs:
        output = run.communicate()[0]
        assert run.returncode == 0, output
    stored = keeper.run("cat", "/etc/vellaric/many.yml")
    assert all(f"  many-{who}-{number}-staging-postgres:\n" in stored for who in "ab" for number in range(4))
    assert keeper.run("ls", "-A", "/etc/vellaric").split() == ["credentials.yml", "many.yml"]

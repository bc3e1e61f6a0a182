# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example fleet as it stands, copied by a person: two machines over SSH, with a user that may become root."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import harness
import pytest
import yaml
from harness import docker

from playbooks import READ, changes

BIN = Path(sys.executable).parent
LAB = harness.REPOSITORY / "tests/lab/host"
EXAMPLE = harness.REPOSITORY / "inventory/example"
FIRST, SECOND = "docker1.example.com", "docker2.example.com"
# Without what is to be gone.
EXPECTED = {
    FIRST: ["forum-production-postgres", "shop-production-postgres"],
    SECOND: ["forum-staging-postgres", "shop-staging-postgres", "trial-development-postgres"],
}
SSH = "ansible_ssh_private_key_file=(\\S+)"
USER = """
useradd --create-home --shell /bin/bash ansible
echo 'ansible ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/ansible
cp -r /root/.ssh /home/ansible/ && chown -R ansible /home/ansible/.ssh
"""


class Example:
    """The fleet's two lab hosts, and a copy of the example in a repository of its own."""

    def __init__(self, root):
        self.root = root
        self.machines = {name: f"vt-example-{os.getpid()}-{number}" for number, name in enumerate((FIRST, SECOND))}
        shutil.copytree(EXAMPLE, root / "inventory/example")
        (root / "vault-password").write_text("a vault password of the tests")
        (root / "ansible.cfg").write_text(f"[defaults]\ncollections_path = {harness.COLLECTIONS}\n")

    def start(self, *options):
        hosts = {}
        for name, machine in self.machines.items():
            command = [str(LAB), "start", machine, *options]
            line = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
            docker("exec", machine, "sh", "-ec", USER)
            # What a person has in ~/.ssh/config. The user is the example's.
            hosts[name] = {
                "ansible_host": re.search(r"ansible_host=(\S+)", line).group(1),
                "ansible_ssh_private_key_file": re.search(SSH, line).group(1),
                "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
            }
        (self.root / "where.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))

    def stop(self):
        subprocess.run([str(LAB), "stop", *self.machines.values()], check=True, capture_output=True)

    def site(self, *options):
        command = [
            str(BIN / "ansible-playbook"),
            "vellaric.postgres.site",
            "-i",
            "inventory/example",
            "-i",
            "where.yml",
        ]
        command += ["--vault-id", "fleet@vault-password", *options]
        environment = {**os.environ, "ANSIBLE_CONFIG": str(self.root / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
        finished = subprocess.run(command, env=environment, cwd=self.root, capture_output=True, text=True, check=False)
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return finished.stdout + finished.stderr

    def on(self, name, *command):
        return docker("exec", self.machines[name], *command)

    def of_ours(self, name):
        """What a machine has of ours."""
        found = self.on(name, "sh", "-c", "ls -A /var/vellaric/postgres 2> /dev/null || :").split()
        engine = self.on(name, "sh", "-c", "docker ps -aq 2> /dev/null || :").split()
        return found + engine

    def credentials(self, name):
        return self.root / f"inventory/example/host_vars/{name}/postgres_credentials.yml"

    def password(self, name, entry):
        command = [sys.executable, "-c", READ, str(self.credentials(name)), str(self.root / "vault-password"), entry]
        return subprocess.run([*command, "password"], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def example(tmp_path):
    example = Example(tmp_path)
    yield example
    example.stop()


def test_check_mode_on_machines_with_nothing(example):
    """Neither an engine nor a library: what is to come is shown all the same."""
    example.start()
    output = example.site("--check", "--diff")
    assert changes(output) >= 4
    for name in (FIRST, SECOND):
        for container in EXPECTED[name]:
            assert f"{container} on {name}: would reserve port" in output
    assert example.of_ours(FIRST) == example.of_ours(SECOND) == []


def test_the_example_as_it_stands(example):
    # What a registry would be asked for is there.
    example.start("--engine", "--image", harness.IMAGE)
    output = example.site("--check", "--diff")
    assert changes(output) >= 4 and "reporting" in output
    assert example.of_ours(FIRST) == example.of_ours(SECOND) == []
    assert not example.credentials(FIRST).exists()

    output = example.site("--diff")
    for name, containers in EXPECTED.items():
        assert sorted(example.on(name, "docker", "ps", "--format", "{{.Names}}").split()) == containers
        # Committed with the inventory: who may log in can be read, with what only with the vault password.
        stored = example.credentials(name).read_text()
        assert all(
            f"  {container}:\n" in stored and "$ANSIBLE_VAULT;1.2;AES256;fleet" in stored for container in containers
        )
    limits = example.on(FIRST, "docker", "inspect", "-f", "{{.HostConfig.Memory}}", "shop-production-postgres")
    assert int(limits) == 2**30
    password = example.password(FIRST, "shop-production-postgres/reporting")
    assert password not in output
    # Over TCP and TLS, as the declared user.
    login = 'exec psql -XAtqc "SELECT session_user, count(*) FROM pg_stat_ssl WHERE ssl AND pid = pg_backend_pid()" '
    login += '"host=$(hostname -i) dbname=shop user=reporting sslmode=require"'
    inside = ["docker", "exec", "-e", f"PGPASSWORD={password}", "shop-production-postgres", "sh", "-c", login]
    assert example.on(FIRST, *inside) == "reporting|1"

    assert changes(example.site("--check", "--diff")) == 0
    assert changes(example.site()) == 0

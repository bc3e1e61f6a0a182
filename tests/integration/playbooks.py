# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks by their names, as a user runs them: what their tests share."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import harness
import psycopg
import yaml

BIN = Path(sys.executable).parent
# In a process of its own: imported by the tests, it makes a controller of the process that they fork modules from.
READ = """
import sys, yaml
from pathlib import Path
from ansible.parsing.vault import VaultLib, VaultSecret
path, secret, entry, key = sys.argv[1:]
yaml.SafeLoader.add_constructor("!vault", lambda loader, node: node.value)
value = yaml.safe_load(Path(path).read_text())["postgres_credentials"][entry][key]
vault = VaultLib([("default", VaultSecret(Path(secret).read_bytes().strip()))])
print(vault.decrypt(value).decode() if value.startswith("$ANSIBLE_VAULT") else value, end="")
"""


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

    def play(self, playbook, /, *options, short="shop", **more):
        """Run a playbook that is about one database; returns its output."""
        named = {"database_name": self.host.name(short), "database_environment": "development"}
        return self.run(playbook, *options, **{**named, **more})

    def run(self, playbook, /, *options, succeeds=True, vault=True, **variables):
        """Run a playbook of the collection; returns its output."""
        finished = self._finished(playbook, *options, vault=vault, **variables)
        output = finished.stdout + finished.stderr
        assert (finished.returncode == 0) is succeeds, output
        return output

    def moments(self, playbook, first, short="shop", **variables):
        """Return the numbers of a playbook's tasks from the first of that name on, as a callback plugin counts them."""
        output = self.play(playbook, "--check", short=short, **variables)
        titles = re.findall(r"^TASK \[(.*)\]", output, re.MULTILINE)
        begin = next(number for number, title in enumerate(titles, 1) if first in title)
        return range(begin, len(titles) + 1)

    def let_kill(self):
        """Let runs be killed before a task that the environment names (kill_before_task); returns the fleet."""
        plugins = self.root / "callback_plugins"
        plugins.mkdir()
        shutil.copy(Path(__file__).parent / "credentials" / "kill_before_task.py", plugins)
        with (self.root / "ansible.cfg").open("a") as stream:
            stream.write("callback_plugins = callback_plugins\n")
        return self

    def killed(self, playbook, short="shop", variables=None, **environment):
        """Run a playbook that the environment lets be killed; returns the exit code, 0 where it came to its end."""
        named = {"database_name": self.host.name(short), "database_environment": "development", **(variables or {})}
        finished = self._finished(playbook, process=environment, **named)
        assert finished.returncode in (0, -signal.SIGKILL), finished.stdout + finished.stderr
        return finished.returncode

    def _finished(self, playbook, /, *options, vault=True, process=None, **variables):
        # process: more for its environment. A variable of the play may be called environment.
        command = [str(BIN / "ansible-playbook"), f"vellaric.postgres.{playbook}", *options, "-i", "inventory"]
        command += ["-e", json.dumps({key: value for key, value in variables.items() if value is not None})]
        if vault:
            command += ["--vault-password-file", "vault-password"]
        environment = {**self.environment, **(process or {})}
        return subprocess.run(command, env=environment, cwd=self.root, capture_output=True, text=True, check=False)

    @property
    def environment(self):
        return {**os.environ, "ANSIBLE_CONFIG": str(self.root / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}

    def password(self, short="shop", key="password", user=None):
        """Read a stored password with Ansible's own code."""
        entry = self.host.container(short) + (f"/{user}" if user else "")
        command = [sys.executable, "-c", READ, str(self.credentials), str(self.root / "vault-password"), entry, key]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def logs_in(self, password, short="shop", user=None):
        """Say whether the application, or a user, logs in with a password."""
        user = user or self.host.record(short)["username"]
        try:
            return self.host.query(short, "SELECT current_user", user=user, password=password) == [(user,)]
        except psycopg.OperationalError as error:
            assert "password authentication failed" in str(error)
            return False


def changes(output):
    return sum(map(int, re.findall(r"changed=(\d+)", output)))

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller with Docker hosts that answer what they like. No engine is needed; any release of ansible-core does."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

BIN = Path(sys.executable).parent
REPOSITORY = Path(__file__).resolve().parents[3]
ANSWER = json.loads((REPOSITORY / "tests/unit/fixtures/answer.json").read_text())
CONFIGURATION = f"""[defaults]
collections_path = {REPOSITORY / ".venv/collections"}
localhost_warning = false
show_custom_stats = true
"""
# What a terminal would act on. Line ends are what a text has.
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class Controller:
    """A directory with an inventory, and Ansible run in it."""

    def __init__(self, root):
        self.root = root
        (root / "inventory").mkdir()
        # There where something that a host answered was evaluated.
        self.owned = root / "owned"
        (root / "ansible.cfg").write_text(CONFIGURATION)
        (root / "vault-password").write_text("a vault password of the tests")
        self.hosts, self.variables = {}, {}

    def answering(self, **answers):
        """Add Docker hosts, each with what all modules return there: its Python prints that, whatever it is to run."""
        for name, answer in answers.items():
            (self.root / f"{name}.json").write_text(json.dumps(answer))
            program = self.root / f"python-of-{name}"
            program.write_text(f"#!/bin/sh\ncat {self.root}/{name}.json\n")
            program.chmod(0o755)
            self.hosts[name] = {"ansible_connection": "local", "ansible_python_interpreter": str(program)}
        return self.write()

    def write(self):
        groups = {"postgres_hosts": {"hosts": self.hosts, "vars": self.variables}}
        groups["elsewhere"] = {"hosts": {"bastion": {"ansible_host": "192.0.2.1", "ansible_connection": "ssh"}}}
        (self.root / "inventory/hosts.yml").write_text(yaml.safe_dump(groups))
        return self

    def run(self, command, *arguments, succeeds=True, **environment):
        finished = subprocess.run(
            [str(BIN / command), *arguments, "-i", "inventory", "--vault-password-file", "vault-password"],
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(self.root / "ansible.cfg"),
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_LOCAL_TEMP": str(self.root / "tmp"),
                **environment,
            },
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
        )
        output = finished.stdout + finished.stderr
        assert succeeds is None or (finished.returncode == 0) is succeeds, output
        assert not CONTROL.search(output), output
        assert not self.owned.exists(), output
        return finished.stdout if succeeds else output

    def listed(self):
        """The inventory, as ansible-inventory lists it."""

        def plain(known):
            """From ansible-core 2.19 on, text that is no template is marked in the list."""
            return known["__ansible_unsafe"] if set(known) == {"__ansible_unsafe"} else known

        return json.loads(self.run("ansible-inventory", "--list"), object_hook=plain)


def answer(**changed):
    """A recorded answer with a database that is another one."""
    database = {**ANSWER["databases"][0], **changed}
    return {**ANSWER, "databases": [database]}

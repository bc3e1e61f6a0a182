# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab host, as tests reach one: over SSH, as the only host of an inventory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import harness
import yaml

BIN = Path(sys.executable).parent
LAB = harness.REPOSITORY / "tests/lab/host"


class Machine:
    """options: of tests/lab/host start. One that runs already is used as it is."""

    def __init__(self, name, root, *options):
        self.name, self.root = name, root
        line = subprocess.run([str(LAB), "start", name, *options], stdout=subprocess.PIPE, text=True, check=True).stdout
        (root / "hosts.ini").write_text(f"[postgres_hosts]\n{line}")
        (root / "ansible.cfg").write_text(f"[defaults]\ncollections_path = {harness.COLLECTIONS}\n")

    def stop(self):
        subprocess.run([str(LAB), "stop", self.name], check=True, capture_output=True)

    def play(self, playbook, *options, succeeds=True, **variables):
        command = [str(BIN / "ansible-playbook"), "-i", "hosts.ini", playbook, *options, "-e", json.dumps(variables)]
        environment = {**os.environ, "ANSIBLE_CONFIG": str(self.root / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
        environment["ANSIBLE_PIPELINING"] = "1"
        finished = subprocess.run(command, env=environment, cwd=self.root, capture_output=True, text=True, check=False)
        output = finished.stdout + finished.stderr
        assert (finished.returncode == 0) is succeeds, output
        return output

    def module(self, module, **arguments):
        """Run a module on it and return what it said."""
        task = {"name": "Run the module", f"vellaric.postgres.{module}": arguments, "register": "answer"}
        keep = {"content": "{{ answer | to_json }}", "dest": str(self.root / "answer.json"), "mode": "0600"}
        copy = {"name": "Keep it", "ansible.builtin.copy": keep, "delegate_to": "localhost"}
        play = {"name": "Test", "hosts": "postgres_hosts", "gather_facts": False, "tasks": [task, copy]}
        (self.root / "play.yml").write_text(yaml.safe_dump([play]))
        self.play("play.yml")
        return json.loads((self.root / "answer.json").read_text())

    def run(self, *command, code=0):
        finished = subprocess.run(["docker", "exec", self.name, *command], capture_output=True, text=True, check=False)
        assert code is None or finished.returncode == code, finished.stdout + finished.stderr
        return finished.stdout + finished.stderr

    def load(self, image):
        """Bring an image of this machine's engine to its own."""
        saved = subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE)
        subprocess.run(["docker", "exec", "-i", self.name, "docker", "load"], stdin=saved.stdout, check=True)
        saved.stdout.close()
        assert saved.wait() == 0

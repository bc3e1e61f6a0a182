# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs as AWX runs them: ansible-runner on a private data directory that is made for one job and removed after it."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import harness
import yaml

BIN = Path(sys.executable).parent
DECLARED = yaml.safe_load((harness.REPOSITORY / "playbooks/vars/awx.yml").read_text())
TEMPLATES = {template["name"]: template for template in DECLARED["awx_templates"]}
QUESTIONS = {question["variable"]: question for question in DECLARED["awx_questions"]}
PLAYBOOK = yaml.safe_load((harness.REPOSITORY / "playbooks/awx.yml").read_text())[0]
VAULT_ID = PLAYBOOK["vars"]["awx_vault_id"]
VAULT_PASSWORD = "the-vault-password-of-AWX"
# As the guide has it in the repository of a fleet.
PROJECT = re.search(r"```yaml\n(---\n.*?)```", (harness.REPOSITORY / "docs/awx.md").read_text(), re.DOTALL).group(1)
# In a process of its own: imported by the tests, it makes a controller of the process that they fork modules from.
DECRYPT = """
import sys
from ansible.parsing.vault import VaultLib, VaultSecret
vault = VaultLib([(sys.argv[1], VaultSecret(sys.argv[2].encode()))])
print(vault.decrypt(sys.stdin.read()).decode(), end="")
"""


class _Unsafe(str):
    """Text in which AWX lets nobody evaluate a template: survey answers and artifacts."""


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True


_Dumper.add_representer(_Unsafe, lambda dumper, text: dumper.represent_scalar("!unsafe", str(text), style='"'))


def _unsafe(value):
    if isinstance(value, dict):
        return {_unsafe(key): _unsafe(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_unsafe(item) for item in value]
    return _Unsafe(value) if isinstance(value, str) else value


@dataclasses.dataclass
class Job:
    """What is left of a job: the answer, the events that AWX stores, and all that ansible-runner has written."""

    status: str
    events: list
    written: str

    @property
    def artifacts(self):
        (stats,) = [event for event in self.events if event["event"] == "playbook_on_stats"]
        return stats["event_data"].get("artifact_data", {})

    @property
    def changes(self):
        (stats,) = [event for event in self.events if event["event"] == "playbook_on_stats"]
        return sum(stats["event_data"]["changed"].values())


class Controller:
    """An organization's AWX: an inventory, a vault credential, and launches of the job templates."""

    def __init__(self, root, hosts, variables, ssh_key=None):
        self.root, self.hosts, self.variables, self.ssh_key = Path(root), hosts, variables, ssh_key
        self.secrets = {VAULT_PASSWORD}
        self._known = {}

    def launch(self, template, artifacts=None, check=False, credentials_artifact=True, **answers):
        """Launch a job template with answers to its survey; artifacts: of the job before it in a workflow."""
        asked = [QUESTIONS[variable] for variable in TEMPLATES[template]["questions"]]
        assert set(answers) <= {question["variable"] for question in asked}
        given = {question["variable"]: question["default"] for question in asked if "default" in question}
        given = {**given, **answers}
        for question in asked:
            _valid(question, given[question["variable"]])
        directory = Path(tempfile.mkdtemp(prefix="awx_42_", dir=self.root))
        try:
            self._fill(directory, template, {**given, **(artifacts or {})}, check, credentials_artifact)
            return self._run(directory)
        finally:
            shutil.rmtree(directory)

    def _fill(self, directory, template, variables, check, credentials_artifact):
        for name in ("env", "inventory", "project"):
            (directory / name).mkdir()
        # The project is a fresh checkout.
        (directory / "project/postgres.yml").write_text(PROJECT)
        file = directory / "project/inventory/host_vars/{{ inventory_hostname }}/postgres_credentials.yml"
        storage = {"database_credentials_file": str(file), "database_credentials_artifact": credentials_artifact}
        inventory = {
            "all": {"children": ["postgres_hosts"], "vars": {**storage, **self.variables}},
            "postgres_hosts": {"hosts": list(self.hosts)},
            "_meta": {"hostvars": self.hosts},
        }
        script = directory / "inventory/hosts"
        script.write_text(f"#!/bin/sh\ncat <<'EOF'\n{json.dumps(inventory)}\nEOF\n")
        script.chmod(0o700)
        declared = TEMPLATES[template]
        own = {"postgres_operation": declared.get("playbook", template), **declared.get("variables", {})}
        # What is not the template's own is marked as unsafe.
        extra = {**own, **_unsafe(variables), "awx_job_id": 42, "awx_job_template_name": f"postgres-{template}"}
        _private(directory / "env/extravars", yaml.dump(extra, Dumper=_Dumper))
        # As verbose as somebody may want it who looks for an error: no secret is to be seen then, either.
        line = f"--vault-id {VAULT_ID}@prompt -vvv" + (" --check" if check else "")
        _private(directory / "env/cmdline", line)
        prompt = {rf"Vault password \({VAULT_ID}\):\s*?$": VAULT_PASSWORD}
        _private(directory / "env/passwords", yaml.safe_dump(prompt))
        _private(directory / "env/settings", json.dumps({"job_timeout": 300, "idle_timeout": 240}))
        if self.ssh_key:
            _private(directory / "env/ssh_key", Path(self.ssh_key).read_text())

    def _run(self, directory):
        # Nothing of the user's, nor the repository's configuration: that names a vault password file of its own.
        kept = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
        environment = {
            **kept,
            "PATH": f"{BIN}{os.pathsep}{kept['PATH']}",
            "AWX_PRIVATE_DATA_DIR": str(directory),
            "ANSIBLE_COLLECTIONS_PATH": str(harness.COLLECTIONS),
            "ANSIBLE_HOST_KEY_CHECKING": "False",
            "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
        }
        command = [str(BIN / "ansible-runner"), "run", str(directory), "-p", "postgres.yml", "--ident", "42", "-q"]
        done = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, check=False)
        artifacts = directory / "artifacts/42"
        assert (artifacts / "status").exists(), done.stdout + done.stderr
        events = [json.loads(path.read_text()) for path in artifacts.glob("job_events/*-*.json")]
        written = [path.read_text(errors="replace") for path in artifacts.rglob("*") if path.is_file()]
        return Job(
            status=(artifacts / "status").read_text(),
            events=sorted(events, key=lambda event: event["counter"]),
            written="\n".join([done.stdout, done.stderr, *written]),
        )

    def decrypted(self, ciphertext):
        """Return what an artifact has encrypted, with Ansible's own code. From now on it is looked for everywhere."""
        if ciphertext not in self._known:
            command = [sys.executable, "-c", DECRYPT, VAULT_ID, VAULT_PASSWORD]
            plain = subprocess.run(command, input=ciphertext, capture_output=True, text=True, check=True).stdout
            self._known[ciphertext] = plain
            self.secrets.add(plain)
        return self._known[ciphertext]


def _valid(question, answer):
    """Check an answer as AWX does before it launches a job."""
    if question["type"] == "integer":
        assert question["min"] <= answer <= question["max"]
    elif question["type"] == "multiplechoice":
        assert answer in question["choices"]
    else:
        assert isinstance(answer, str) and question["min"] <= len(answer) <= question["max"]


def _private(path, content):
    path.write_text(content)
    path.chmod(0o600)

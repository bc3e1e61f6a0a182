# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of postgres_db_credentials share: runs of ansible-playbook with vault password files."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[3]
PASSWORD = "Given-by-the-user-1"
DATABASE = {"name": "shop", "environment": "production"}

DECRYPT = """
import json, sys
from ansible.parsing.vault import VaultLib, VaultSecret
secrets, values = json.load(sys.stdin)
vault = VaultLib([(name, VaultSecret(secret.encode())) for name, secret in secrets.items()])
print(json.dumps([vault.decrypt(value).decode() for value in values]))
"""


class Project:
    """A directory with a playbook, and runs of it."""

    def __init__(self, root):
        self.root = root
        self.file = root / "credentials.yml"
        for vault_id in ("prod", "dev", "wrong"):
            (root / ("vault-" + vault_id)).write_text("the vault password of " + vault_id)

    def play(self, tasks, name="play.yml"):
        play = [{"hosts": "all", "gather_facts": False, "tasks": tasks}]
        (self.root / name).write_text(yaml.safe_dump(play, sort_keys=False))
        return name

    def command(self, play, *arguments, vaults=("prod",)):
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-c", "local"]
        command += ["-e", f"ansible_python_interpreter={sys.executable}"]
        for vault_id in vaults:
            command += ["--vault-id", "{}@{}".format(vault_id, self.root / ("vault-" + vault_id))]
        return command + [*arguments, str(self.root / play)]

    def environment(self, **variables):
        # Nothing of the user's, nor the repository's configuration: that names a vault password file of its own.
        (self.root / "ansible.cfg").write_text("[defaults]\nretry_files_enabled = false\n")
        kept = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
        return dict(
            kept,
            ANSIBLE_CONFIG=str(self.root / "ansible.cfg"),
            ANSIBLE_COLLECTIONS_PATH=str(REPOSITORY / ".venv" / "collections"),
            ANSIBLE_LOCAL_TEMP=str(self.root / "tmp"),
            ANSIBLE_NOCOLOR="1",
            **variables,
        )

    def run(self, tasks, *arguments, vaults=("prod",), **variables):
        return subprocess.run(
            self.command(self.play(tasks), *arguments, vaults=vaults),
            cwd="/",
            env=self.environment(**variables),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def results(self, tasks, *arguments, **keywords):
        """The results of tasks, each of which may fail."""
        for task in tasks:
            task.setdefault("register", f"result_{tasks.index(task)}")
            task["ignore_errors"] = True
        names = ", ".join(task["register"] for task in tasks)
        # Encoded, so that no callback plugin can shorten, wrap or quote it.
        show = {"ansible.builtin.debug": {"msg": f"RESULTS:{{{{ [{names}] | to_json | b64encode }}}}:"}}
        done = self.run([*tasks, show], *arguments, **keywords)
        shown = re.search(r"RESULTS:([A-Za-z0-9+/=]+):", done.stdout)
        assert done.returncode == 0 and shown, done.stdout + done.stderr
        return json.loads(base64.b64decode(shown[1]))

    def result(self, options=None, *arguments, **keywords):
        return self.results([credentials(**(options or {}))], *arguments, **keywords)[0]

    def stored(self):
        """What is in the file, decrypted: {container: (username, password)}."""

        class Loader(yaml.SafeLoader):
            pass

        Loader.add_constructor("!vault", lambda loader, node: node.value)
        section = yaml.load(self.file.read_text(), Loader)["postgres_credentials"]
        passwords = self._decrypted([entry["password"] for entry in section.values()])
        return {key: (entry["username"], password) for (key, entry), password in zip(section.items(), passwords)}

    def _decrypted(self, values):
        """Decrypt with Ansible's own code, in a process of its own: imported here, it makes a controller of the process
        that the other tests fork their modules from."""
        secrets = {name: (self.root / ("vault-" + name)).read_text() for name in ("prod", "dev")}
        done = subprocess.run(
            [sys.executable, "-c", DECRYPT],
            input=json.dumps([secrets, values]),
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)


def credentials(**options):
    defaults = {"path": "credentials.yml"}
    if "databases" not in options:
        defaults.update(DATABASE)
    arguments = {key: value for key, value in {**defaults, **options}.items() if value is not None}
    return {"vellaric.postgres.postgres_db_credentials": arguments}

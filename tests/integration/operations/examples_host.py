# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with all that examples speak of: databases, containers of others, and the files of a reader."""

from __future__ import annotations

import json
import os
import subprocess

from harness import IMAGE, OTHER_MAJOR_IMAGE, THOROUGH
from lab import BIN, Machine

# Which databases they speak of.
SPOKEN_OF = (
    ("my-database", "production"),
    ("my-database", "development"),
    ("my-database", "staging"),
    ("shop", "production"),
)
ORDERS = "CREATE TABLE IF NOT EXISTS orders (id int)"


class Example(Machine):
    """One host, with all that the examples speak of."""

    made = False

    def prepare(self) -> None:
        for tag in ("15", "15-alpine"):
            self.run("docker", "tag", IMAGE, f"postgres:{tag}")
        if THOROUGH:
            self.load(OTHER_MAJOR_IMAGE)
            for tag in ("17-bookworm", "17-alpine"):
                self.run("docker", "tag", OTHER_MAJOR_IMAGE, f"postgres:{tag}")
        line = (self.root / "hosts.ini").read_text().splitlines()[1].partition(" ")[2]
        (self.root / "inventory").mkdir()
        (self.root / "inventory/hosts.ini").write_text(
            f"[postgres_hosts]\ndocker1 {line}\n[apps]\napp1 {line}\n[vaults]\nvault.example.com {line}\n"
        )
        (self.root / "vault-password").write_text("a vault password of the tests")
        (self.root / "mask.sql").write_text("SELECT 1;\n")
        (self.root / "migration.sql").write_text("CREATE TABLE migrated (id int);\n")
        for place in ("shop", "reports"):
            (self.root / "srv" / place).mkdir(parents=True)
            self.run("mkdir", "-p", f"{self.root}/srv/{place}")

    def foreign(self, name: str) -> None:
        given = ("-e", "POSTGRES_PASSWORD=of-another", "-e", "POSTGRES_DB=my-database")
        self.run("docker", "run", "-d", "--name", name, *given, IMAGE)

    def have_databases(self) -> None:
        """Have those that the examples speak of, once, with their default image's tag."""
        if self.made:
            return
        self.made = True
        self.run("docker", "rm", "-f", "-v", "my-database-production-postgres")
        fleet = [{"name": name, "environment": environment} for name, environment in SPOKEN_OF]
        fleet[-1]["users"] = [{"name": "report", "role": "readonly"}]
        made = self.command(
            "ansible-playbook", "vellaric.postgres.site", "-e", json.dumps({"postgres_databases": fleet})
        )
        assert made.returncode == 0, made.stdout + made.stderr
        self.foreign("wiki-db-1")
        for name, environment in SPOKEN_OF:
            psql = ("exec", "-u", "postgres", f"{name}-{environment}-postgres", "psql", "-qd", name, "-c", ORDERS)
            self.run("docker", *psql)

    def command(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "ANSIBLE_CONFIG": str(self.root / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
        environment.update(ANSIBLE_INVENTORY=str(self.root / "inventory"), ANSIBLE_PIPELINING="1")
        environment["ANSIBLE_VAULT_PASSWORD_FILE"] = str(self.root / "vault-password")
        environment["PATH"] = f"{BIN}:{environment['PATH']}"
        environment.update(more)
        return subprocess.run(words, env=environment, cwd=self.root, capture_output=True, text=True, check=False)

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands and the plays of the guides and of the heads of playbooks run as they are written, over SSH.

All of them in thorough runs, a few in each. What needs what one host has not (AWX, another server, a registry) is run
by tests of its own, or checked against the code (tests/unit/test_examples.py).
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.vellaric.postgres.tests.unit.examples import commands, sources
from harness import IMAGE, OTHER_MAJOR_IMAGE, REPOSITORY, THOROUGH
from lab import BIN, Machine

# What is run in each run of the tests.
FEW = ("create", "list")
# What has to be before what; the plays, and then what is run on the host itself, are between the two.
FIRST = ("adopt", "prepare", "create", "schedule", "backup", "backups", "verify")
LAST = ("rotate", "site", "delete", "undelete")
WITHOUT = ("vellaric.postgres.awx", "vellaric.postgres.import", "vaulted-certificate.yml", "inventory/example")
# Guides whose commands are for the Docker host.
ON_HOST = ("roles/backup/README.md", "docs/restoring.md")
HOST_PROGRAMS = ("systemctl", "journalctl", "docker", "/usr/local/lib/vellaric/backup.pyz")
# Which databases they speak of.
SPOKEN_OF = (
    ("my-database", "production"),
    ("my-database", "development"),
    ("my-database", "staging"),
    ("shop", "production"),
)
ORDERS = "CREATE TABLE IF NOT EXISTS orders (id int)"


@dataclasses.dataclass(frozen=True)
class Spoken:
    """What somebody may copy. play: the text of a playbook, of what is none the empty one."""

    where: str
    words: tuple[str, ...]
    on_host: bool = False
    play: str = ""

    def __str__(self) -> str:
        return f"{self.where} {shlex.join(self.words)}"

    @property
    def playbook(self) -> str:
        return next((word.rpartition(".")[2] for word in self.words if word.startswith("vellaric.postgres.")), "")

    @property
    def order(self) -> int:
        # A person takes the schedule away again when all is seen.
        if self.on_host:
            # The one that closes a database comes last.
            return 90 if self.where.startswith("roles/") else 110
        if "backup_state=absent" in self.words:
            return 91
        if self.playbook in FIRST:
            return FIRST.index(self.playbook)
        return 100 + LAST.index(self.playbook) if self.playbook in LAST else 60 if self.play else 50


def spoken() -> list[Spoken]:
    """Return each of them once, in an order in which they can run."""
    found: dict[str, Spoken] = {}
    for example in sources.everything():
        plugin = example.where.startswith("plugins/")
        if example.kind == "yaml" and re.search(r"^- (?:name: .*\n  )?hosts:", example.text) and not plugin:
            found[example.text] = Spoken(example.where, ("ansible-playbook", "play.yml"), play=example.text)
        for words in commands.split(example.text) if example.kind == "sh" else ():
            line = shlex.join(words)
            on_host = example.where.startswith(ON_HOST) and words[0] in HOST_PROGRAMS
            ours = words[0] == "ansible-playbook" and any(word.startswith("vellaric.postgres.") for word in words)
            if (on_host or ours) and not any(part in line for part in WITHOUT):
                found.setdefault(line, Spoken(example.where, tuple(words), on_host=on_host))
    return sorted(found.values(), key=lambda one: one.order)


def plain(one: Spoken, root: Path) -> list[str]:
    """Leave out what a person would be asked; what is in /srv goes into the test's own directory."""
    kept: list[str] = []
    words = iter(one.words)
    for word in words:
        if word == "--vault-id":
            next(words)
        elif not word.startswith("--ask-vault"):
            kept.append(word.replace("/srv/", f"{root}/srv/"))
    return [*kept, "-e", "watch_count=1"] if one.playbook == "report" else kept


class Example(Machine):
    """One host, with all that the examples speak of."""

    made = False

    def prepare(self) -> None:
        for tag in ("15", "15-alpine"):
            self.run("docker", "tag", IMAGE, f"postgres:{tag}")
        if THOROUGH:
            self.load(OTHER_MAJOR_IMAGE)
            self.run("docker", "tag", OTHER_MAJOR_IMAGE, "postgres:17-bookworm")
            self.foreign("my-database-production-postgres")
        line = (self.root / "hosts.ini").read_text().splitlines()[1].partition(" ")[2]
        (self.root / "inventory").mkdir()
        (self.root / "inventory/hosts.ini").write_text(f"[postgres_hosts]\ndocker1 {line}\n[apps]\napp1 {line}\n")
        (self.root / "vault-password").write_text("a vault password of the tests")
        (self.root / "mask.sql").write_text("SELECT 1;\n")
        (self.root / "migration.sql").write_text("CREATE TABLE migrated (id int);\n")
        for place in ("shop", "reports"):
            (self.root / "srv" / place).mkdir(parents=True)
            self.run("mkdir", "-p", f"{self.root}/srv/{place}")

    def foreign(self, name: str) -> None:
        self.run("docker", "run", "-d", "--name", name, "-e", "POSTGRES_PASSWORD=of-another", IMAGE)

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

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "ANSIBLE_CONFIG": str(self.root / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
        environment.update(ANSIBLE_INVENTORY=str(self.root / "inventory"), ANSIBLE_PIPELINING="1")
        environment["ANSIBLE_VAULT_PASSWORD_FILE"] = str(self.root / "vault-password")
        environment["PATH"] = f"{BIN}:{environment['PATH']}"
        return subprocess.run(words, env=environment, cwd=self.root, capture_output=True, text=True, check=False)

    def fails(self, one: Spoken) -> str:
        """Return what it said where it failed."""
        if one.on_host:
            words = [word for word in one.words if word != "-it"]
            finished = subprocess.run(
                ["docker", "exec", self.name, *words], capture_output=True, text=True, check=False
            )
        else:
            (self.root / "play.yml").write_text(one.play.replace("/srv/", f"{self.root}/srv/"))
            finished = self.command(*plain(one, self.root))
        # There is something to act on: that is what it says, and what it is run for.
        found = one.playbook == "check" and "fail_on" in finished.stdout
        if not finished.returncode or found:
            return ""
        return f"{one.where}: {shlex.join(one.words)}\n{finished.stdout[-1500:]}{finished.stderr[-500:]}"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    options = ("--engine", "--image", IMAGE)
    machine = Example(f"vellaric-test-examples-{os.getpid()}", tmp_path_factory.mktemp("examples"), *options)
    try:
        machine.prepare()
        yield machine
    finally:
        machine.stop()


def chosen() -> list[Spoken]:
    """All of them in thorough runs, which take ten minutes; else a few."""
    if THOROUGH:
        return spoken()
    few = {one.playbook: one for one in spoken() if one.playbook in FEW and "--check" not in one.words}
    return [few[playbook] for playbook in FEW]


@pytest.mark.parametrize("one", chosen(), ids=str)
def test_it_runs_as_it_is_written(machine: Example, one: Spoken) -> None:
    if THOROUGH and one.playbook not in ("adopt", "prepare"):
        machine.have_databases()
    assert machine.fails(one) == ""


@pytest.mark.skipif(not THOROUGH, reason="takes two minutes: VELLARIC_TEST_THOROUGH=1")
def test_the_first_hour_is_as_it_is_written() -> None:
    """Writes docs/transcripts/first-hour.md, too."""
    finished = subprocess.run([sys.executable, "tests/first_hour.py"], cwd=REPOSITORY, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stdout + finished.stderr

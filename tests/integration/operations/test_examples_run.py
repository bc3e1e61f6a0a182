# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands and the plays of the guides and of the heads of playbooks run as they are written, over SSH.

All of them in thorough runs, a few in each. What needs what one host has not (AWX, another server, a registry) is run
by tests of its own, or checked against the code (tests/unit/test_examples.py).
"""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.vellaric.postgres.tests.unit.examples import commands, sources
from examples_host import Example
from harness import IMAGE, REPOSITORY, THOROUGH

# What is run in each run of the tests.
FEW = ("create", "list")
# What has to be before what; the plays, and then what is run on the host itself, are between the two.
FIRST = ("adopt", "prepare", "create", "schedule", "backup", "backups", "verify")
LAST = ("rotate", "site", "delete", "undelete")
WITHOUT = ("vellaric.postgres.awx", "vellaric.postgres.import", "vaulted-certificate.yml", "inventory/example", "db1")
# Guides whose commands are for the Docker host.
ON_HOST = ("roles/backup/README.md", "docs/restoring.md")
HOST_PROGRAMS = ("systemctl", "journalctl", "docker", "/usr/local/lib/vellaric/backup.pyz")


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


def fails(machine: Example, one: Spoken) -> str:
    """Return what it said where it failed."""
    if one.on_host:
        for kept in re.findall(r'(?<=ALTER DATABASE ")shop\.\d+(?=" RENAME)', shlex.join(one.words)):
            # What a restore has kept.
            machine.run("docker", "exec", "-u", "postgres", "shop-production-postgres", "createdb", kept)
        words = [word for word in one.words if word != "-it"]
        finished = subprocess.run(["docker", "exec", machine.name, *words], capture_output=True, text=True, check=False)
    else:
        (machine.root / "play.yml").write_text(one.play.replace("/srv/", f"{machine.root}/srv/"))
        finished = machine.command(*plain(one, machine.root))
    # There is something to act on: that is what it says, and what it is run for.
    found = one.playbook == "check" and "There are findings" in finished.stdout
    if not finished.returncode or found:
        return ""
    return f"{one.where}: {shlex.join(one.words)}\n{finished.stdout[-1500:]}{finished.stderr[-500:]}"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    options = ("--engine", "--image", IMAGE)
    machine = Example(f"vellaric-test-examples-{os.getpid()}", tmp_path_factory.mktemp("examples"), *options)
    try:
        machine.prepare()
        if THOROUGH:
            machine.foreign("my-database-production-postgres")
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
    said = fails(machine, one)
    if said:
        pytest.fail(said, pytrace=False)


@pytest.mark.skipif(not THOROUGH, reason="takes two minutes: VELLARIC_TEST_THOROUGH=1")
def test_the_first_hour_is_as_it_is_written() -> None:
    """Writes docs/transcripts/first-hour.md, too."""
    finished = subprocess.run(
        [sys.executable, "tests/first_hour.py"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`kill -9` of a run that makes, changes or removes a pooler, or lets its clients wait: the next run puts it right."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from harness import THOROUGH, environment, verbs
from pooled import Pooled

DRIVER = [sys.executable, str(Path(__file__).parents[1] / "postgres_db" / "killed.py")]


@pytest.fixture(scope="module")
def pooled(shared):
    pooled = Pooled(shared, "shop")
    pooled.run()
    return pooled


def killed(pooled, moment, **options):
    """Run the module until a moment. Returns what it did until then; None where it came to its end first."""
    arguments = pooled.host.arguments(pooled.short, **options)
    process = pooled.host.start(arguments=arguments, command=[*DRIVER, str(moment)])
    stdout, stderr = process.communicate()
    if process.returncode == -signal.SIGKILL:
        return stderr.split()
    assert process.returncode == 0, stdout + stderr
    return None


def test_clients_that_a_killed_run_left_waiting_go_on_with_the_next_one(pooled):
    with pooled.clients() as told:
        assert killed(pooled, "restart:1", state="restarted") is not None
        assert pooled.paused() == [pooled.name]
        assert verbs(pooled.run()) == ["pooler_resume"] and pooled.paused() == []
    assert told["errors"] == []


@pytest.mark.skipif(not THOROUGH, reason="two restores take half a minute")
@pytest.mark.parametrize("then", ["postgres_db", "postgres_db_restore"])
def test_clients_that_a_killed_restore_left_waiting_go_on_with_the_next_run(pooled, then):
    """Killed when the fresh database is in its place, and its clients still wait."""
    host = pooled.host
    given = {key: host.defaults[key] for key in ("data_root", "backup_root", "environment")}
    given = {**given, "name": pooled.name}
    host._result("postgres_db_backup", given)
    restore = {**given, "backup": "latest", "backup_first": False}
    with pooled.clients() as told:
        # What it asks of the console before are whether it is paused, the names, the pools, and the PAUSE.
        command = [*DRIVER, "run:5", host.written(restore), "postgres_db_restore"]
        finished = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
        assert finished.returncode == -signal.SIGKILL, finished
        assert pooled.paused() == [pooled.name]
        if then == "postgres_db":
            assert verbs(pooled.run()) == ["pooler_resume"]
        else:
            host._result(then, restore)
        assert pooled.paused() == []
    assert told["errors"] == []


MORE = {"port": 0, "settings": {"listen_backlog": 100}}
# What was declared before, what is declared then, and what is done by way of that, among others.
CHANGES = {
    "declared no longer": ({"pooler": True}, {"pooler": None}, {"leave", "remove_network", "remove_tree"}),
    "declared": ({"pooler": None}, {"pooler": True}, {"create_network", "create", "join", "start", "write"}),
    "otherwise": ({"pooler": True}, {"pooler": MORE}, {"rename", "create", "start", "remove"}),
    "a password": ({"pooler": True}, {"pooler": True, "password": "another-password-9"}, {"run", "write"}),
    "a restart": ({"pooler": True}, {"pooler": True, "settings": {"max_connections": 70}}, {"run", "restart"}),
}


@pytest.mark.skipif(not THOROUGH, reason="every moment of each change takes minutes")
@pytest.mark.parametrize("change", CHANGES)
def test_at_every_moment(pooled, change):
    before, options, expected = CHANGES[change]
    if options["pooler"] is MORE:
        # The port stays where none is declared.
        before = {"pooler": {"port": pooled.host.ports[1] - 1}}
        options = {"pooler": {**MORE, "port": pooled.host.ports[1]}}
    seen = set()
    for moment in itertools.count(1):
        pooled.host.run(pooled.short, **before)
        reached = killed(pooled, moment, **options)
        pooled.host.run(pooled.short, **options)
        again = pooled.host.run(pooled.short, **options)
        assert again["actions"] == [], (reached, again["actions"])
        if options["pooler"]:
            assert pooled.answers(password=options.get("password", pooled.password)), reached
            assert pooled.paused() == []
        else:
            assert pooled.facts() is None and not pooled.network()
        if reached is None:
            break
        seen.update(reached)
    assert seen >= expected
    pooled.host.run(pooled.short, pooler=True)

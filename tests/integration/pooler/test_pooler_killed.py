# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`kill -9` of a run that makes, changes or removes a pooler, or lets its clients wait: the next run puts it right."""

from __future__ import annotations

import itertools
import signal
import sys
from pathlib import Path

import pytest
from harness import THOROUGH, verbs
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


@pytest.mark.skipif(not THOROUGH, reason="every moment of each change takes minutes")
def test_at_every_moment(pooled):
    """Also at those at which clients wait: what interrupts the server costs those of its pooler no error."""
    seen = set()
    turns = (
        {"pooler": {"port": pooled.host.ports[1], "settings": {"listen_backlog": 100}}},
        {"pooler": True, "password": "another-password-9"},
        {"pooler": None},
        {"pooler": True, "settings": {"max_connections": 70}},
        {"pooler": True},
    )
    for before, options in zip(({"pooler": True}, *turns), turns):
        for moment in itertools.count(1):
            reached = killed(pooled, moment, **options)
            pooled.host.run(pooled.short, **options)
            again = pooled.host.run(pooled.short, **options)
            assert again["actions"] == [], (options, reached, again["actions"])
            if options["pooler"]:
                assert pooled.answers(password=options.get("password", pooled.password)), (options, reached)
                assert pooled.paused() == []
            else:
                assert pooled.facts() is None and not pooled.network()
            if reached is None:
                break
            seen.update(reached)
            # From the same place once more.
            pooled.host.run(
                pooled.short, **turns[turns.index(options) - 1] if options != turns[0] else {"pooler": True}
            )
    assert seen >= {"create", "start", "run", "create_network", "remove_network", "join", "leave", "restart", "write"}

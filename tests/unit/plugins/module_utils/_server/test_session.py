# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What could not connect to a server that is starting up is tried again, and nothing else is."""

from __future__ import annotations

import subprocess

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._host.execution import Finished
from ansible_collections.vellaric.postgres.plugins.module_utils._server import session

STARTING = "psql: error: connection to server on socket failed: FATAL:  the database system is starting up"
LOST = "psql:<stdin>:3: error: server closed the connection unexpectedly"
FULL = "psql: error: connection to server on socket failed: FATAL:  sorry, too many clients already"


class Answers:
    """An engine that gives recorded answers, in turn."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def execute(self, *arguments):
        return self.answers.pop(0)


def execute(*answers):
    engine = Answers(*answers)
    finished = session.execute_when_up(engine, "c", ["psql"], "SELECT 1;", 60, {})
    return finished, len(engine.answers)


@pytest.mark.parametrize("refused", [91, 92])
def test_a_server_that_starts_is_waited_for(refused):
    up = Finished(0, "1\n", "")
    assert execute(Finished(refused, "", STARTING), up) == (up, 0)
    assert execute(Finished(91, "", STARTING), Finished(refused, "", STARTING), up) == (up, 0)


def test_one_that_runs_and_lets_nobody_in_is_asked_once_more():
    full = Finished(92, "", FULL)
    assert execute(full, full, Finished(0, "", "")) == (full, 1)


@pytest.mark.parametrize("code", [91, 92])
def test_no_script_that_has_begun_is_run_again(code):
    lost = Finished(code, "", LOST)
    assert execute(lost, Finished(0, "", "")) == (lost, 1)


@pytest.mark.parametrize("ready, code", [(0, 92), (1, 91), (2, 2), (3, 2)])
def test_what_the_shell_says_of_a_client_that_could_not_connect(ready, code):
    """With the exit codes that psql and pg_isready document."""
    script = f"psql() {{ return 2; }}; pg_isready() {{ return {ready}; }}; {session.WHEN_UP} up psql"
    assert subprocess.run(["sh", "-c", script], check=False).returncode == code

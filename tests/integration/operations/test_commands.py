# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person asks for during the day: the connection string, the log, psql."""

from __future__ import annotations

import os
import re
import subprocess

import harness
import psycopg
import pytest

from playbooks import Fleet, changes

PASSWORD = "p%a*s/w:o@r+d=1"


@pytest.fixture(scope="module")
def fleet(shared):
    fleet = Fleet(shared)
    output = fleet.play("create", database_image=harness.IMAGE, database_password=PASSWORD)
    assert "next " in output and "playbooks url" in output and PASSWORD not in output
    return fleet


def test_the_connection_string_is_shown_when_asked_for(fleet):
    output = fleet.play("url")
    url = re.search(r"postgresql://[^ \"]*", output).group(0)
    assert psycopg.connect(url).execute("SELECT 1").fetchone() == (1,)
    assert changes(output) == 0
    assert "no stored credentials" in " ".join(
        fleet.play("url", database_connection_user="nobody", succeeds=False).split()
    )


def test_the_log_is_shown(fleet):
    with pytest.raises(psycopg.Error):
        fleet.host.query("shop", "SELECT no_such_column", user=fleet.host.record("shop")["username"], password=PASSWORD)
    output = fleet.play("logs", logs_lines=500, logs_grep="no_such_(column|table)")
    shown = output[output.index("Show the lines") :]
    assert "no_such_column" in shown and "ready to accept" not in shown
    assert "there are no such lines" in fleet.play("logs", logs_grep="nothing like this")


def test_the_command_that_is_shown_opens_psql(fleet):
    output = fleet.play("connect")
    command = re.search(r'"postgres_connect": "(.*)"', output).group(1).replace(" -it ", " -i ").replace("sudo ", "")
    asked = {"input": "SELECT user, current_database()", "env": os.environ}
    done = subprocess.run(["sh", "-c", command], **asked, capture_output=True, text=True, check=False)
    assert "postgres" in done.stdout and fleet.host.name("shop") in done.stdout, done

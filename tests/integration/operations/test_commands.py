# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person asks for during the day: the connection string, the log, psql."""

from __future__ import annotations

import os
import re
import signal
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
    url = re.search(r"postgresql://\S+", output).group(0)
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
    assert "there are no such lines" in fleet.play(
        "logs", logs_grep="no_such_column", logs_since="2126-11-30T07:00:00Z"
    )
    assert "no_such_column" in fleet.play("logs", logs_grep="no_such_column", logs_since="1h")
    assert "how long ago, such as 10m" in fleet.play("logs", logs_since="yesterday", succeeds=False)
    assert "did you mean logs_since" in fleet.play("logs", logs_sinc="1h", succeeds=False)


def test_the_log_is_followed_by_the_command_that_is_shown(fleet):
    output = fleet.play("logs", logs_follow=True, logs_since="1m", logs_grep="it's_(new|not)|no_such")
    command = re.search(r"^(?:sudo )?(docker logs -f .*)$", output, re.MULTILINE).group(1)
    with subprocess.Popen(["sh", "-c", command], stdout=subprocess.PIPE, text=True, start_new_session=True) as follows:
        try:
            with pytest.raises(psycopg.Error):
                fleet.host.query(
                    "shop", """SELECT "it's_new" """, user=fleet.host.record("shop")["username"], password=PASSWORD
                )
            shown = next(line for line in follows.stdout if "it's_new" in line)
            assert "ERROR" in shown
        finally:
            os.killpg(follows.pid, signal.SIGKILL)


def test_the_command_that_is_shown_opens_psql(fleet):
    output = fleet.play("connect")
    command = re.search(r"^(?:sudo )?(docker exec .*)$", output, re.MULTILINE).group(1).replace(" -it ", " -i ")
    asked = {"input": "SELECT user, current_database()", "env": os.environ}
    done = subprocess.run(["sh", "-c", command], **asked, capture_output=True, text=True, check=False)
    assert "postgres" in done.stdout and fleet.host.name("shop") in done.stdout, done
    # As people type it, which is as root.
    typed = ["exec", fleet.host.container("shop"), "psql", "-U", "postgres", "-XAtc", "SELECT user"]
    assert harness.docker(*typed) == "postgres"


def test_psql_is_opened_as_the_application_without_a_password(fleet):
    """Which is no way back to the superuser."""
    user = fleet.host.record("shop")["username"]
    output = fleet.play("connect", connect_as="application")
    command = re.search(r"^(?:sudo )?(docker exec .*)$", output, re.MULTILINE).group(1).replace(" -it ", " -i ")
    asked = {"input": "RESET SESSION AUTHORIZATION; SELECT session_user; SET ROLE postgres;", "text": True}
    done = subprocess.run(["sh", "-c", command], **asked, capture_output=True, check=False)
    assert user in done.stdout and "permission denied to set role" in done.stderr, done
    assert PASSWORD not in output and "assword" not in done.stderr
    assert "connect_as is nobody: say superuser, application" in fleet.play(
        "connect", connect_as="nobody", succeeds=False
    )


def test_sql_is_run_as_who_is_said(fleet):
    """Check mode says what would be run; then it is, and nothing of it where one statement fails. Secrets stay out."""
    secret = "Not-To-Be-Shown-7"
    (fleet.root / "one.sql").write_text("CREATE TABLE notes (id int PRIMARY KEY);\nINSERT INTO notes VALUES (1);\n")
    (fleet.root / "two.sql").write_text("SELECT current_user AS who, count(*) FROM notes;")
    files = {"exec_files": ["one.sql", str(fleet.root / "two.sql")]}
    user = fleet.host.record("shop")["username"]

    output = fleet.play("exec", "--check", **files)
    assert f"as {user} in " in output and "in one transaction" in output and "INSERT INTO notes VALUES (1);" in output
    assert fleet.host.query("shop", "SELECT to_regclass('notes')::text", user=user, password=PASSWORD) == [(None,)]

    output = fleet.play("exec", "-vvv", **files, exec_sql=f"CREATE ROLE nobody PASSWORD '{secret}'", succeeds=False)
    assert "exec_sql, line 1: ERROR:  permission denied to create role" in output and "Nothing was changed" in output
    assert secret not in output and PASSWORD not in output
    assert fleet.host.query("shop", "SELECT to_regclass('notes')::text", user=user, password=PASSWORD) == [(None,)]

    output = fleet.play("exec", "-vvv", **files)
    assert "INSERT 0 1" in output and re.search(rf"{user} +\| +1", output) and PASSWORD not in output
    output = fleet.play("exec", exec_sql=f"SELECT current_user; CREATE ROLE x PASSWORD '{secret}'", exec_as="superuser")
    assert "postgres" in output and secret not in output

    # What is called of the database's own cannot become more than who has logged in, and reaches no program.
    output = fleet.play("exec", exec_sql="RESET SESSION AUTHORIZATION; SELECT current_user AS who; \\! id -un")
    assert user in output and "nobody" in output and "postgres\n" not in output
    assert "exec_atomic=false" in fleet.play("exec", exec_sql="VACUUM notes", succeeds=False)
    assert "VACUUM" in fleet.play("exec", exec_sql="VACUUM notes", exec_atomic=False)
    assert "has COMMIT;" in fleet.play("exec", exec_sql="SELECT 1; COMMIT;", succeeds=False)
    assert "Say what is to be run" in fleet.play("exec", succeeds=False)
    assert "no stored credentials" in " ".join(
        fleet.play("exec", exec_sql="SELECT 1", exec_as="x", succeeds=False).split()
    )

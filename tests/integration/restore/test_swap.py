# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The moment in which one database takes the place of another: whatever ends it, clients find one of the two."""

from __future__ import annotations

import importlib
import subprocess
import threading
import time

import psycopg
import pytest
from harness import USERNAME, docker
from restoring import PACKAGE, databases, psql

replacement = importlib.import_module(PACKAGE + "_server.replacement")
WORD = "SELECT word FROM state"


@pytest.fixture
def swapping(shared):
    """A database with the word `present`, and beside it the one with which it is to be replaced."""
    shared.run("a")
    name, container = shared.name("a"), shared.container("a")
    for other in databases(shared, "a"):
        if other != name:
            psql(container, "postgres", replacement.drop(other))
    psql(container, "postgres", f'CREATE DATABASE "{name}.restoring" OWNER "{USERNAME}"')
    for where, word in ((name, "present"), (f"{name}.restoring", "restored")):
        text = f"DROP TABLE IF EXISTS state; CREATE TABLE state AS SELECT '{word}' AS word;"
        psql(container, where, f'SET ROLE "{USERNAME}"; {text}')
    return shared


def statements(script):
    """The statements of a script, of which each ends at the end of a line."""
    found, statement = [], ""
    for line in script.splitlines(keepends=True):
        statement += line
        if line.endswith(";\n") and statement.count("$$") % 2 == 0:
            found.append(statement)
            statement = ""
    return found


def script(host, old="old"):
    name = host.name("a")
    return replacement.swap(name, f"{name}.restoring", f"{name}.{old}")


def test_a_server_that_is_killed_between_any_two_steps(swapping):
    container, name = swapping.container("a"), swapping.name("a")
    steps = statements(script(swapping))
    assert len(steps) > 5 and steps[0] == "BEGIN;\n" and steps[-1] == "COMMIT;\n"
    # Before the names change, and when only the COMMIT is left; the steps between are alike for the server.
    for done in (2, len(steps) - 3, len(steps) - 1):
        text = "".join(steps[:done]) + "SELECT 'here'; SELECT pg_sleep(60);\n"
        command = ["docker", "exec", "-i", "-u", "postgres", container, "psql", "-XAtq", "-d", "postgres"]
        session = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        session.stdin.write(text.encode())
        session.stdin.flush()
        assert any(line == b"here\n" for line in session.stdout)
        docker("kill", container)
        session.communicate()
        swapping.run("a")
        assert swapping.query("a", WORD) == [("present",)]
        assert databases(swapping, "a") == [name, f"{name}.restoring"]
    psql(container, "postgres", script(swapping))
    docker("kill", container)
    swapping.run("a")
    assert swapping.query("a", WORD) == [("restored",)]


def test_clients_that_come_and_go(swapping):
    """Nobody is told that there is no such database, or that it lets nobody in: who comes meanwhile waits."""
    container, name = swapping.container("a"), swapping.name("a")
    seen, errors, stop = [], [], threading.Event()

    def come_and_go():
        while not stop.is_set():
            try:
                seen.append(swapping.query("a", WORD)[0][0])
            except psycopg.OperationalError as error:
                errors.append(str(error))

    def stay():
        with swapping.connect("a", autocommit=False) as connection:
            connection.execute("SELECT count(*) FROM pg_database")
            stop.wait()

    clients = [threading.Thread(target=come_and_go) for turn in range(4)]
    clients.append(threading.Thread(target=lambda: pytest.raises(psycopg.OperationalError, stay)))
    for thread in clients:
        thread.start()
    # Somebody looks on in a transaction that stays open.
    watching = swapping.connect("a", dbname=name, autocommit=False)
    watching.execute("SELECT count(*) FROM pg_stat_activity")
    turns = 6
    longest = 0
    for turn in range(turns):
        time.sleep(0.3)
        began = time.monotonic()
        psql(container, "postgres", script(swapping, str(turn)))
        longest = max(longest, time.monotonic() - began)
        psql(container, "postgres", replacement.rename(f"{name}.{turn}", f"{name}.restoring"))
    stop.set()
    for thread in clients:
        thread.join()
    watching.close()
    assert set(seen) == {"present", "restored"}
    unexpected = [error for error in errors if "administrator command" not in error and "deadlock" not in error]
    assert not unexpected, set(unexpected)
    assert longest < 4, longest

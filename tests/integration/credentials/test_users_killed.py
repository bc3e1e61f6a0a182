# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`kill -9` in the middle of what makes, changes and removes declared users: the next run converges."""

from __future__ import annotations

import itertools
import re
import signal
import sys
from pathlib import Path

import psycopg
import pytest
from harness import THOROUGH, USERNAME

DRIVER = [sys.executable, str(Path(__file__).with_name("killed_within_users.py"))]
SECRETS = ("The-password_of-a.user1", "Another-password_of.it2")


def user(name, role, secret=SECRETS[0], **more):
    # As a stored password is given: not forced upon a server that has another one.
    return {"name": name, "role": role, "password": secret, "update_password": "on_create", **more}


FIRST = [user("admin", "owner"), user("app", "readwrite"), user("report", "readonly", connection_limit=2)]
# Two are removed, one is another kind of user with another password that was rotated, and one is new.
SECOND = [user("late", "readonly"), user("report", "readwrite", SECRETS[1], update_password="always")]
BACK = [*FIRST[:2], {**FIRST[2], "update_password": "always"}]


def cut_short(host, moment, **options):
    """Run the module until the n-th statement. Returns of how many, or None where the script was not needed."""
    process = host.start(arguments=host.arguments("a", **options), command=[*DRIVER, str(moment)])
    stdout, stderr = process.communicate()
    if process.returncode == -signal.SIGKILL:
        return int(stderr.split()[-1])
    assert process.returncode == 0, re.findall('"msg": "[^"]*"', stdout) + [stderr]
    return None


@pytest.fixture(scope="module")
def database(shared):
    shared.run("a")
    shared.query("a", "CREATE TABLE kept AS SELECT 42 AS answer")
    return shared


def agree(host, declared, removed):
    """Each declared user logs in with its password and does what it may; the others are gone, and nothing is lost."""
    for each in declared:
        assert host.query("a", "TABLE kept", user=each["name"], password=each["password"]) == [(42,)]
    for name in removed:
        assert host.psql("a", f"SELECT count(*) FROM pg_roles WHERE rolname = '{name}'") == "0"
    owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
    assert host.query("a", owners) in ([(USERNAME,)], [(USERNAME,), ("app",)], [("app",), (USERNAME,)])


def names_of(declared):
    return {each["name"] for each in declared}


def test_users_interrupted(database):
    """From none to three, to two others, and back: before each statement in turn."""
    turns = itertools.chain([FIRST], itertools.cycle([SECOND, BACK]))
    wanted, before, cut = next(turns), [], 0
    longest = 1
    for moment in itertools.count(0, 1 if THOROUGH else 3):
        if moment > longest:
            break
        length = cut_short(database, moment, users=wanted)
        assert length is not None
        longest, cut = max(longest, length), cut + 1
        # What was there and stays can log in at any time, with the old password or the new one.
        for name in names_of(before) & names_of(wanted):
            assert logs_in(database, name)
        database.run("a", users=wanted)
        assert database.run("a", users=wanted)["actions"] == []
        agree(database, wanted, names_of(before) - names_of(wanted))
        if "app" in names_of(wanted):
            # To be reassigned when it goes.
            database.psql_in(
                "a", f"GRANT CREATE ON SCHEMA public TO app; SET ROLE app; CREATE TABLE made_{cut} (i int)"
            )
            assert database.check("a", users=wanted)["actions"] == []
        before, wanted = wanted, next(turns)
    assert cut > 8 and longest > 25
    made = database.query("a", "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'made%'")
    assert made[0][0] >= cut // 2


def logs_in(host, name):
    for secret in SECRETS:
        try:
            return host.query("a", "SELECT 1", user=name, password=secret) == [(1,)]
        except psycopg.OperationalError as error:
            assert "password authentication failed" in str(error)
    return False

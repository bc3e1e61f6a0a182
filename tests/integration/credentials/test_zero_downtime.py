# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotation without a login refused: two logins take turns, under a client that opens a connection every 20 ms."""

from __future__ import annotations

import threading
import time

import psycopg
import pytest
from harness import PASSWORD, USERNAME, verbs

from playbooks import Fleet, changes

A, B = f"{USERNAME}_a", f"{USERNAME}_b"
NEW, NEWER = "The-new_password.1", "The-newer_password2"


class Client(threading.Thread):
    """Opens a connection every 20 ms with the credentials that are stored, until it is stopped."""

    def __init__(self, fleet):
        super().__init__(daemon=True)
        self.fleet, self.port = fleet, fleet.host.record("shop")["port"]
        self.stopped, self.refused, self.users = threading.Event(), [], {}
        self.read()

    def read(self):
        self.seen = self.fleet.credentials.stat().st_mtime_ns
        keys = ("username", "password")
        self.login = dict(zip(("user", "password"), (self.fleet.password(key=key) for key in keys)))

    def run(self):
        reader = threading.Thread(target=self.follow, daemon=True)
        reader.start()
        while not self.stopped.wait(0.02):
            login = self.login
            try:
                self.fleet.host.connect("shop", port=self.port, **login).close()
                self.users[login["user"]] = self.users.get(login["user"], 0) + 1
            except psycopg.OperationalError as error:
                self.refused.append(str(error))
        reader.join()

    def follow(self):
        """As an application that reads the stored credentials again when they have changed."""
        while not self.stopped.wait(0.1):
            if self.fleet.credentials.stat().st_mtime_ns != self.seen:
                self.read()


def test_no_login_is_refused(host):
    fleet = Fleet(host)
    fleet.play("create")
    owner = fleet.host.record("shop")["username"]
    client = Client(fleet)
    client.start()
    passwords = [fleet.password()]
    for turn in ("_a", "_b"):
        # The grace is long enough for a client, and over before the next turn but one.
        output = fleet.play("rotate", "-vvv", database_rotation_grace=8)
        passwords.append(fleet.password())
        assert fleet.password(key="username") == owner + turn and "next_" not in fleet.credentials.read_text()
        assert not [password for password in passwords if password in output]
    time.sleep(8)
    fleet.play("rotate", database_rotation_grace=3600)
    assert fleet.password(key="username") == owner + "_a"
    # In the grace of the one whose turn would come, nothing is done.
    assert "may still be used with its old password" in fleet.play("rotate", succeeds=False)
    assert changes(fleet.play("create")) == 0
    client.stopped.set()
    client.join()
    assert client.refused == [] and sum(client.users.values()) > 50
    assert list(client.users)[:2] == [owner, owner + "_a"]
    query = "SELECT session_user, current_user"
    login = {"user": owner + "_a", "password": fleet.password()}
    assert fleet.host.query("shop", query, **login) == [(owner + "_a", owner)]
    # The owner's own login has ended.
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        fleet.host.query("shop", query, user=owner, password=passwords[0])


def logs_in(shared, user, password):
    try:
        return shared.query("a", "SELECT current_user", user=user, password=password) == [(USERNAME,)]
    except psycopg.OperationalError as error:
        assert "password authentication failed" in str(error)
        return False


def test_turns(shared):
    """The module alone: the turn, the end, the refusals, the way back to a single login."""
    shared.run("a")
    shared.query("a", "CREATE TABLE first (i int)")
    answer = shared.converge("a", username=A, password=NEW)
    assert verbs(answer) == ["write_record", "write_files", "reload", "users"]
    assert (answer["database"]["username"], answer["database"]["owner"]) == (A, USERNAME)
    assert logs_in(shared, A, NEW) and logs_in(shared, USERNAME, PASSWORD)
    assert verbs(shared.converge("a", username=A, password=NEW, login_grace=2)) == ["end_logins"]
    assert logs_in(shared, USERNAME, PASSWORD)
    time.sleep(2.1)
    assert logs_in(shared, A, NEW) and not logs_in(shared, USERNAME, PASSWORD)
    # What a login makes is the application's role's, so that the next one has it, too.
    shared.query("a", "CREATE TABLE second (i int)", user=A, password=NEW)
    # What knows nothing of logins leaves them alone.
    assert shared.run("a", partial=True, username=None, password=None)["actions"] == []
    shared.run("a", username=B, password=NEWER, login_grace=3600)
    assert logs_in(shared, A, NEW) and logs_in(shared, B, NEWER)
    shared.query("a", "ALTER TABLE second ADD j int; DROP TABLE first", user=B, password=NEWER)
    message = shared.refused("a", username=A, password="Another-password_4")
    assert "may still be used with its old password, for another 3" in message
    assert "is a login of the application's own role" in shared.refused(
        "a", username=B, password=NEWER, users=[{"name": A, "role": "owner", "password": NEW}]
    )
    # Back again with the same password, as after a rotation that was interrupted: it does not end then.
    shared.run("a", username=A, password=NEW)
    assert shared.psql("a", f"SELECT rolvaliduntil FROM pg_roles WHERE rolname = '{A}'") == "infinity"
    shared.converge("a")
    assert logs_in(shared, USERNAME, PASSWORD)
    assert shared.psql("a", f"SELECT count(*) FROM pg_roles WHERE rolname IN ('{A}', '{B}')") == "0"

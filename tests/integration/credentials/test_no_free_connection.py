# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application that holds all connections keeps nobody from giving it another password."""

from __future__ import annotations

import contextlib

import psycopg
import pytest
from harness import PASSWORD, USERNAME, Failed, verbs

CONNECTIONS = 8
OPTIONS = {"settings": {"max_connections": CONNECTIONS}, "update_password": "always"}
READER = [{"name": "reader", "role": "readonly", "password": PASSWORD}]
# By what a new connection is refused: the server, the role, the database.
LIMITS = ("SELECT 1", 'ALTER ROLE "{user}" CONNECTION LIMIT 2', 'ALTER DATABASE "{database}" CONNECTION LIMIT 2')


@contextlib.contextmanager
def all_held(host, password):
    with contextlib.ExitStack() as stack:
        held = []
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                held.append(stack.enter_context(contextlib.closing(host.connect("a", password=password))))
        assert 2 <= len(held) <= CONNECTIONS - 3
        yield held


def test_a_password_is_changed_and_the_sessions_are_ended(shared):
    host, password = shared, PASSWORD
    host.run("a", **OPTIONS)
    for turn, limit in enumerate(LIMITS):
        host.psql("a", limit.format(user=USERNAME, database=host.name("a")))
        with all_held(host, password) as held:
            password = f"Another-Horse_Battery{turn}"
            answer = host.run("a", **OPTIONS, password=password)
            assert verbs(answer)[-2:] == ["role", "prove_login"] and held[0].execute("SELECT 1").fetchone() == (1,)
        host.connect("a", password=password).close()
    host.psql("a", f'ALTER DATABASE "{host.name("a")}" CONNECTION LIMIT -1')
    host.psql("a", f'ALTER ROLE "{USERNAME}" CONNECTION LIMIT -1')
    with all_held(host, password) as held:
        old, password = password, "Yet-Another_Battery9"
        predicted = host.check("a", **OPTIONS, password=password, users=READER, end_sessions=True)
        answer = host.run("a", **OPTIONS, password=password, users=READER, end_sessions=True)
        assert verbs(predicted) == verbs(answer) and verbs(answer)[-2:] == ["end_sessions", "prove_login"]
        for one in held:
            with pytest.raises(psycopg.OperationalError):
                one.execute("SELECT 1")
    host.connect("a", password=password).close()
    with pytest.raises(psycopg.OperationalError, match="authentication"):
        host.connect("a", password=old)


def test_what_else_keeps_a_login_off_is_told_with_what_to_do(shared):
    host = shared
    host.run("a", **OPTIONS, users=READER, password="Yet-Another_Battery9")
    host.psql("a", f'REVOKE CONNECT ON DATABASE "{host.name("a")}" FROM "{USERNAME}"')
    host.psql("a", f'REVOKE CONNECT ON DATABASE "{host.name("a")}" FROM PUBLIC')
    with pytest.raises(Failed) as failure:
        host.run("a", **OPTIONS, users=READER, password="Fourth-Horse_Battery1")
    assert (
        "permission denied" in failure.value.message and "fix what it says, and run the same" in failure.value.message
    )

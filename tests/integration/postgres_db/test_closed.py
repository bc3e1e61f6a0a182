# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database that somebody has closed to its clients: what a run puts right, and what it leaves to a person."""

from __future__ import annotations

import psycopg
import pytest
from harness import verbs


@pytest.mark.parametrize(("verb", "of"), [("role", 'ROLE "{user}"'), ("database", 'DATABASE "{database}"')])
def test_a_connection_limit_of_nought_is_taken_away_and_another_one_is_left(host, verb, of):
    host.run("a")
    altered = "ALTER " + of.format(user=host.defaults["username"], database=host.name("a"))
    host.psql("a", f"{altered} CONNECTION LIMIT 0")
    with pytest.raises(psycopg.OperationalError, match="too many connections"):
        host.connect("a")
    answer = host.converge("a")
    assert verb in verbs(answer) and "connection limit is 0" in str(answer["actions"])
    host.connect("a").close()
    host.psql("a", f"{altered} CONNECTION LIMIT 5")
    assert host.run("a")["actions"] == []


def test_a_database_that_accepts_no_connections_is_named_with_what_opens_it(host):
    host.run("a")
    name = host.name("a")
    host.psql("a", f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    message = host.refused("a")
    assert f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true' in message and "FATAL" not in message
    host.psql("a", f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    assert host.run("a")["actions"] == []

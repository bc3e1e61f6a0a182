# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database, or its owner, that somebody has renamed is not replaced by an empty one; one that is gone is."""

from __future__ import annotations

from harness import verbs


def test_a_renamed_database_is_not_replaced_by_an_empty_one(host):
    host.run("a")
    host.query("a", "CREATE TABLE kept AS SELECT 42 AS answer")
    name = host.name("a")
    host.psql("a", f'ALTER DATABASE "{name}" RENAME TO before_the_move')
    for check in (True, False):
        message = host.refused("a", check=check)
        assert f'ALTER DATABASE "before_the_move" RENAME TO "{name}"' in message
    host.psql("a", f'ALTER DATABASE before_the_move RENAME TO "{name}"')
    assert host.run("a")["actions"] == []
    assert host.query("a", "SELECT answer FROM kept") == [(42,)]


def test_a_renamed_owner_is_not_replaced_by_one_that_owns_nothing(host):
    host.run("a")
    owner = host.defaults["username"]
    host.psql("a", f'ALTER ROLE "{owner}" RENAME TO former')
    message = host.refused("a")
    assert f'ALTER ROLE "former" RENAME TO "{owner}"' in message
    # SCRAM's salt is not the name, so that the password is still good.
    host.psql("a", f'ALTER ROLE former RENAME TO "{owner}"')
    assert host.run("a")["actions"] == []
    assert host.query("a", "SELECT current_user") == [(owner,)]


def test_a_database_that_is_gone_is_made_anew_beside_one_of_somebody_else(host):
    host.run("a")
    host.psql("a", f'DROP DATABASE "{host.name("a")}"')
    host.psql("a", "CREATE DATABASE elsewhere")
    actions = host.run("a")["actions"]
    assert "database" in verbs({"actions": actions})
    assert f"create database {host.name('a')}, which is missing" in str(actions)
    assert host.run("a")["actions"] == []

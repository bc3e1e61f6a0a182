# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restores of what users have made of their own accord: it gives them no rights, and keeps no backup from use."""

from __future__ import annotations

import dataclasses
import importlib

import pytest
from restoring import PACKAGE, nothing_left, psql, run, take

differences = importlib.import_module(PACKAGE + "_dumps.compare").differences

READER = {"user": "reader", "password": "reader-Password-1"}


@pytest.fixture(scope="module")
def database(shared):
    shared.run("a", users=[{"name": "reader", "role": "readonly", "password": READER["password"]}])
    return shared


def restored(host, backup):
    answer = run(host, "a", backup=backup.file_name, backup_first=False, keep_old=0)
    nothing_left(host, "a")
    return answer


def roles(host):
    return psql(host.container("a"), "postgres", "SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1")


@pytest.mark.parametrize("before", ["", "\\"], ids=["plain", "escaped"])
def test_a_setting_of_a_user_is_not_run(database, before):
    """The server writes a backslash as E'..'."""
    value = f"x{before}\nCREATE ROLE evil;\nGRANT postgres TO evil;\nGRANT evil TO reader;\n"
    database.query("a", f"ALTER ROLE CURRENT_USER SET application_name = '{value}'", **READER)
    there = roles(database)
    restored(database, take(database, "a"))
    assert roles(database) == there
    member = "SELECT count(*) FROM pg_auth_members WHERE roleid = 'postgres'::regrole"
    assert psql(database.container("a"), "postgres", member) == "0"
    database.query("a", "ALTER ROLE CURRENT_USER RESET application_name", **READER)


def test_a_role_that_comes_back_does_not_get_the_rights_of_others(database):
    make = "CREATE ROLE staff; CREATE ROLE clerk IN ROLE staff, pg_monitor, postgres"
    psql(database.container("a"), "postgres", make)
    backup = take(database, "a")
    psql(database.container("a"), "postgres", "DROP ROLE clerk; DROP ROLE staff")
    answer = restored(database, backup)
    of = "SELECT string_agg(roleid::regrole::text, ',') FROM pg_auth_members WHERE member = 'clerk'::regrole"
    assert psql(database.container("a"), "postgres", of) == "staff"
    assert "clerk in pg_monitor" in str(answer["warnings"]) and "clerk in postgres" in str(answer["warnings"])
    psql(database.container("a"), "postgres", "DROP ROLE clerk; DROP ROLE staff")


@pytest.mark.parametrize("change", ["DROP SCHEMA public", "ALTER SCHEMA public RENAME TO formerly_public"])
def test_a_database_need_not_have_a_schema_public(database, change):
    database.run("bare")
    psql(database.container("bare"), database.name("bare"), change)
    schemas = "SELECT string_agg(nspname, ',') FROM pg_namespace WHERE nspname !~ '^pg_|^info|^public$'"
    before = psql(database.container("bare"), database.name("bare"), schemas)
    backup = take(database, "bare")
    # As an earlier version wrote it.
    assert differences(dataclasses.replace(backup.manifest, objects={"schemas": 1}), vars(backup.manifest), {}) == (
        [],
        [],
    )
    run(database, "bare", backup=backup.file_name, backup_first=False, keep_old=0)
    assert psql(database.container("bare"), database.name("bare"), schemas) == before
    database.forget("bare")


def test_an_operator_that_is_only_named_is_not_counted(database):
    script = """CREATE FUNCTION same(int, int) RETURNS bool LANGUAGE sql AS 'SELECT $1 = $2';
      CREATE OPERATOR === (FUNCTION = same, LEFTARG = int, RIGHTARG = int, COMMUTATOR = ====);
      DROP OPERATOR === (int, int)"""
    database.query("a", script)
    assert database.query("a", "SELECT oprname FROM pg_operator WHERE oprcode = 0") == [("====",)]
    backup = take(database, "a")
    assert backup.manifest.objects["operators"] == 0
    restored(database, backup)

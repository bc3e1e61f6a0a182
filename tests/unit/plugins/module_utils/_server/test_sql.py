# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import users
from ansible_collections.vellaric.postgres.plugins.module_utils._server import sql
from hypothesis import given
from hypothesis import strategies as st

VERIFIER = "SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy"


@given(st.text(st.characters(blacklist_characters="\0")))
def test_quoting_leaves_no_quote_open(text):
    for quoted, mark in ((sql.identifier(text), '"'), (sql.literal(text), "'")):
        assert quoted[0] == quoted[-1] == mark
        inner = quoted[1:-1]
        assert inner.replace(mark * 2, "").count(mark) == 0
        assert inner.replace(mark * 2, mark) == text


def test_a_role_is_an_ordinary_one_with_a_verifier():
    text = sql.ensure_role("app", VERIFIER)
    assert "SELECT 'CREATE ROLE \"app\"' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'app') \\gexec" in text
    for word in ("LOGIN", "NOSUPERUSER", "NOCREATEROLE", "NOCREATEDB", "NOREPLICATION", "NOBYPASSRLS"):
        assert f" {word}" in text
    assert text.rstrip().endswith(f"PASSWORD '{VERIFIER}';")


def test_without_a_verifier_the_password_is_left():
    assert "PASSWORD" not in sql.ensure_role("app", None)


def test_names_are_quoted_also_within_the_statement_that_is_made():
    text = sql.ensure_role("o'ne\"x", None)
    assert "SELECT 'CREATE ROLE \"o''ne\"\"x\"' WHERE" in text
    text = sql.ensure_database("my-database", "o'ne")
    assert "SELECT 'CREATE DATABASE \"my-database\" OWNER \"o''ne\"' WHERE" in text
    assert 'ALTER DATABASE "my-database" OWNER TO "o\'ne";' in text


@pytest.mark.parametrize("major", [13, 14])
def test_public_creates_nothing_in_old_versions(major):
    text = sql.restrict_database("app-db", "app", major)
    assert 'REVOKE ALL ON DATABASE "app-db" FROM PUBLIC;' in text
    assert '\\connect "app-db"' in text
    assert "REVOKE CREATE ON SCHEMA public FROM PUBLIC;" in text
    assert 'ALTER SCHEMA public OWNER TO "app";' in text
    # The database comes last, once the schema is closed, and from where what follows is meant to run.
    assert text.index("ALTER SCHEMA") < text.index("\\connect postgres") < text.index("REVOKE ALL ON DATABASE")


@pytest.mark.parametrize("major", [15, 16, 17, 18])
def test_newer_versions_closed_the_schema_themselves(major):
    assert sql.restrict_database("app-db", "app", major) == 'REVOKE ALL ON DATABASE "app-db" FROM PUBLIC;\n'


def test_statements_that_hold_a_verifier_go_into_no_log():
    for parameter in (
        "('log_statement', 'none')",
        "('log_min_duration_statement', '-1')",
        "('log_min_error_statement', 'panic')",
        "('pg_stat_statements.track_utility', 'off')",
        "('debug_print_parse', 'off')",
    ):
        assert parameter in sql.UNLOGGED


def answer(**changed):
    known = {
        "version": "15.20",
        "loaded_at": 1768478400.5,
        "superuser_has_password": False,
        "role": {"verifier": VERIFIER, "login": True, "privileged": False},
        "database": {"owner": "app", "public": False},
        "pending_restart": [],
        "withdrawn": [],
    }
    return json.dumps({**known, **changed})


def facts(*lines):
    return sql.facts(sql.read(lines))


def test_the_answer_of_the_server_is_read():
    found = facts(answer(pending_restart=["max_connections", "wal_level"]))
    assert found.role == {"verifier": VERIFIER, "login": True, "privileged": False}
    assert found.database == {"owner": "app", "public": False}
    assert found.pending_restart == ("max_connections", "wal_level")
    assert (found.superuser_has_password, found.version) == (False, "15.20")


def test_what_is_not_there_is_none():
    found = facts(answer(role=None, database=None, superuser_has_password=True))
    assert (found.role, found.database, found.superuser_has_password) == (None, None, True)


def test_what_was_not_asked_is_nothing():
    found = facts(answer())
    assert (found.file_errors, found.extensions, found.users) == ((), {}, users.NOTHING)


def test_further_answers_are_read_in_any_order():
    further = ({"users": {"roles": {}}}, {"file_errors": ["line 1"]}, {"extensions": {"hstore": {"version": "1.8"}}})
    found = facts(answer(), *map(json.dumps, further))
    assert (found.file_errors, found.users) == (("line 1",), {"roles": {}})
    assert found.extensions == {"hstore": {"version": "1.8"}}


def test_observation_quotes_what_it_asks_for():
    text = sql.observe("it's", "o'ne")
    assert "datname = 'it''s'" in text
    assert "rolname = 'o''ne'" in text

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Declared users of a database: what they may do, how they come, change and go, and that nobody else gets in."""

from __future__ import annotations

import importlib

import psycopg
import pytest
from harness import PASSWORD, USERNAME, verbs

from playbooks import Fleet, changes

users = importlib.import_module("ansible_collections.vellaric.postgres.plugins.module_utils._domain.users")

SECRET = "The-password_of-a.user1"
DENIED = psycopg.errors.InsufficientPrivilege


def user(name, role, **more):
    return {"name": name, "role": role, "password": SECRET, **more}


ALL = [user("admin", "owner"), user("app", "readwrite"), user("report", "readonly", connection_limit=2)]


@pytest.fixture(scope="module")
def database(shared):
    shared.run("a")
    shared.query("a", "CREATE TABLE before AS SELECT 1 AS i; CREATE SEQUENCE counter; CREATE SCHEMA more")
    shared.query("a", "CREATE TABLE more.before AS SELECT 1 AS i; CREATE VIEW seen AS TABLE before")
    answer = shared.converge("a", users=ALL)
    assert verbs(answer) == ["write_record", "write_files", "reload", "users"]
    assert SECRET not in str(answer) and "SCRAM" not in str(answer)
    assert answer["database"]["users"] == users.to_option(users.from_option(ALL, None))
    return "a"


def by(shared, name, sql):
    return shared.query("a", sql, user=name, password=SECRET)


def test_what_belongs_to_an_extension_is_left_to_it(host):
    """Its tables may decide what a superuser does. It comes with the run after the users, or in the same one."""
    host.run("a", users=ALL)
    host.converge("a", users=ALL, extensions=["pg_stat_statements"])
    may = "SELECT relacl::text LIKE '%vellaric%' FROM pg_class WHERE relname = 'pg_stat_statements'"
    assert host.query("a", may) == [(False,)]
    # As everybody, by its own word.
    assert by(host, "app", "SELECT count(*) > 0 FROM pg_stat_statements") == [(True,)]
    host.psql_in("a", "GRANT INSERT ON pg_stat_statements TO vellaric_readwrite")
    assert verbs(host.converge("a", users=ALL, extensions=["pg_stat_statements"])) == ["users"]
    assert host.query("a", may) == [(False,)]
    host.query("a", 'CREATE TABLE "it\'s ""quoted""" (i int)')
    assert by(host, "app", 'INSERT INTO "it\'s ""quoted""" VALUES (1) RETURNING i') == [(1,)]
    host.query("a", 'REVOKE ALL ON "it\'s ""quoted""" FROM vellaric_readwrite')
    assert verbs(host.converge("a", users=ALL, extensions=["pg_stat_statements"])) == ["users"]
    assert by(host, "app", 'INSERT INTO "it\'s ""quoted""" VALUES (1) RETURNING i') == [(1,)]


def test_what_each_may_do(shared, database):
    by(shared, "admin", "CREATE TABLE later (i int); INSERT INTO later VALUES (7)")
    shared.query("a", "CREATE SCHEMA newest; CREATE TABLE newest.later AS SELECT 8 AS i")
    owner = "SELECT DISTINCT tableowner FROM pg_tables WHERE tablename IN ('before', 'later')"
    assert shared.query("a", owner) == [(USERNAME,)]
    for table in ("before", "more.before", "seen", "later", "newest.later"):
        assert len(by(shared, "report", f"TABLE {table}")) == len(by(shared, "app", f"TABLE {table}")) == 1
        with pytest.raises(DENIED):
            by(shared, "report", f"INSERT INTO {table} VALUES (9)")
    for table in ("before", "more.before", "later", "newest.later"):
        by(shared, "app", f"INSERT INTO {table} VALUES (9); UPDATE {table} SET i = 10 WHERE i = 9")
        by(shared, "app", f"DELETE FROM {table} WHERE i = 10")
        with pytest.raises(DENIED):
            by(shared, "app", f"TRUNCATE {table}")
    assert by(shared, "app", "SELECT nextval('counter')") == [(1,)]
    for statement in ("SELECT nextval('counter')", "CREATE TABLE mine (i int)", "CREATE TEMPORARY TABLE mine (i int)"):
        with pytest.raises(DENIED):
            by(shared, "report", statement)
    for statement in ("CREATE TABLE mine (i int)", "SELECT rolpassword FROM pg_authid", "SET ROLE postgres"):
        with pytest.raises(DENIED):
            by(shared, "app", statement)
    assert shared.converge(database, users=ALL)["actions"] == []


def test_the_limit_of_connections(shared, database):
    with shared.connect("a", user="report", password=SECRET), shared.connect("a", user="report", password=SECRET):
        with pytest.raises(psycopg.OperationalError, match="too many connections for role"):
            shared.connect("a", user="report", password=SECRET)
        # A pool that has all of them does not keep the password from being changed and proved.
        other = [*ALL[:2], {**ALL[2], "password": "Another-password_5"}]
        assert verbs(shared.run(database, users=other)) == ["users"]
    shared.run(database, users=ALL)


def test_nobody_else_gets_in(shared, database):
    shared.psql("a", f"CREATE ROLE stranger LOGIN PASSWORD '{SECRET}'; GRANT vellaric_readwrite TO stranger")
    with pytest.raises(psycopg.OperationalError, match="no pg_hba.conf entry"):
        by(shared, "stranger", "SELECT 1")
    for group in users.GROUPS.values():
        with pytest.raises(psycopg.OperationalError, match="no pg_hba.conf entry"):
            by(shared, group, "SELECT 1")
    # One that somebody made by hand is left alone.
    assert shared.converge(database, users=ALL)["actions"] == []
    assert shared.psql("a", "SELECT count(*) FROM pg_roles WHERE rolname = 'stranger'") == "1"


DRIFT = [
    ("ALTER ROLE report SUPERUSER", "make report an ordinary readonly user"),
    ("ALTER ROLE report NOLOGIN", "make report an ordinary readonly user"),
    ("GRANT vellaric_readwrite TO report", "make report an ordinary readonly user"),
    ("ALTER ROLE report CONNECTION LIMIT 50", "limit report to 2 connections"),
    ("ALTER ROLE report PASSWORD 'another-password'", "set the password of report"),
    ("COMMENT ON ROLE report IS NULL", "take report over"),
    ("ALTER ROLE admin RESET role", "let admin work as"),
    ("DROP ROLE report", "create report (readonly)"),
    ("REVOKE SELECT ON before FROM vellaric_readonly", "grant missing privileges to readonly users"),
    ("GRANT INSERT ON before TO vellaric_readonly", "grant missing privileges to readonly users"),
    ("REVOKE USAGE ON SCHEMA more FROM vellaric_readwrite", "grant missing privileges to readwrite users"),
    ("REVOKE UPDATE ON before FROM vellaric_readwrite", "grant missing privileges to readwrite users"),
    (
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {USERNAME} REVOKE SELECT ON TABLES FROM vellaric_readonly",
        "grant missing privileges to readonly users",
    ),
]


@pytest.mark.parametrize(("by_hand", "words"), DRIFT)
def test_what_was_changed_by_hand_is_put_right(shared, database, by_hand, words):
    shared.psql_in("a", by_hand)
    answer = shared.run(database, users=ALL)
    assert words in answer["actions"][0]["summary"], answer["actions"]
    assert shared.check(database, users=ALL)["actions"] == []
    assert by(shared, "report", "TABLE before") == [(1,)]


def test_a_stored_password_is_not_forced_upon_a_user(shared, database):
    shared.psql("a", "ALTER ROLE report PASSWORD 'another-password'")
    stored = [{**each, "update_password": "on_create"} for each in ALL]
    assert "password of report is not the one" in shared.refused(database, users=stored)
    shared.run(database, users=ALL)


def test_change_and_removal(shared, database):
    shared.run(database, users=ALL)
    shared.psql_in("a", "GRANT CREATE ON SCHEMA public TO app")
    by(shared, "app", "CREATE TABLE made_by_app AS SELECT 5 AS i")
    assert by(shared, "report", "TABLE made_by_app") == [(5,)]
    with shared.connect("a", user="app", password=SECRET) as session:
        answer = shared.converge(database, users=[user("report", "readwrite")])
        assert verbs(answer) == ["write_record", "write_files", "reload", "users"]
        summary = answer["actions"][-1]["summary"]
        assert "remove admin, remove app" in summary and "make report an ordinary readwrite user" in summary
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    assert shared.query("a", "TABLE made_by_app") == [(5,)]
    assert shared.query("a", "SELECT tableowner FROM pg_tables WHERE tablename = 'made_by_app'") == [(USERNAME,)]
    by(shared, "report", "INSERT INTO made_by_app VALUES (6)")
    roles = (
        "SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles WHERE oid >= 16384 AND rolname <> 'stranger'"
    )
    assert shared.psql("a", roles) == f"{USERNAME} report vellaric_readwrite"
    shared.converge(database)
    assert shared.psql("a", roles) == USERNAME
    for name in ("report", "app", "admin"):
        with pytest.raises(psycopg.OperationalError, match="no pg_hba.conf entry"):
            by(shared, name, "SELECT 1")


def test_declarations_that_are_refused(shared, database):
    without = {"name": "fresh", "role": "readonly"}
    assert "fresh of" in shared.refused(database, users=[without]) and "needs a password" in shared.refused(
        database, users=[without]
    )
    for declared, words in (
        ([user("a", "readonly"), user("a", "owner")], "declared twice"),
        ([user(USERNAME, "owner")], "application's own role"),
        ([user("vellaric_readonly", "owner")], "choose another name"),
        ([user("Report", "owner")], "users: username: 'Report' is not a user name"),
        ([user("a", "owner", connection_limit=0)], "connection_limit of a is 0"),
        ([{"name": "a", "role": "owner", "password": "short"}], "users: a: password"),
        ([{"name": "a", "role": "king", "password": SECRET}], "king"),
    ):
        message = shared.refused(database, users=declared)
        assert words in message and SECRET not in message


def test_from_nothing_with_playbooks(host):
    """Stored before anything is created; each of them logs in; -vvv shows none of their passwords."""
    fleet = Fleet(host)
    declared = [{"name": "report", "role": "readonly"}, {"name": "own", "role": "owner", "password": SECRET}]
    options = ["--check", "--diff", "-vvv"]
    assert changes(fleet.play("create", *options, database_users=declared)) >= 2 and not fleet.credentials.exists()
    output = fleet.play("create", "-vvv", "--diff", database_users=declared)
    passwords = [fleet.password(user=name) for name in ("report", "own")]
    assert passwords[1] == SECRET and len(passwords[0]) == 24
    for name, password in zip(("report", "own"), passwords):
        assert password not in output
        assert fleet.host.query("shop", "SELECT session_user", user=name, password=password) == [(name,)]
    assert changes(fleet.play("create", database_users=declared)) == 0
    assert changes(fleet.play("create", "--check", database_users=declared)) == 0
    # What knows nothing of them leaves them alone.
    assert changes(fleet.play("stop")) == changes(fleet.play("start")) == 1
    assert fleet.host.query("shop", "SELECT 1", user="report", password=passwords[0]) == [(1,)]
    # Declared for a fleet, they are the same.
    item = {"name": host.name("shop"), "environment": "development", "users": declared}
    item.update({key: host.defaults[key] for key in ("backup_root", "port_range")})
    fleet.run("site", postgres_databases=[item])
    assert changes(fleet.run("site", "--check", postgres_databases=[item])) == 0
    assert fleet.host.query("shop", "SELECT 1", user="report", password=passwords[0]) == [(1,)]
    item["users"] = [*declared[:1], {"name": "late", "role": "readwrite"}]
    output = fleet.run("site", "-vvv", postgres_databases=[item])
    assert "remove own" in output and fleet.password(user="late") not in output
    assert fleet.host.query("shop", "SELECT 1", user="late", password=fleet.password(user="late")) == [(1,)]
    output = fleet.play("delete", database_forget_credentials=True, database_purge=True)
    assert not fleet.credentials.exists() and PASSWORD not in output

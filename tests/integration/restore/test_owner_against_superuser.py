# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever owns a database cannot have the superuser's sessions there run what is theirs, nor shut them out."""

from __future__ import annotations

import importlib
import threading

import pytest
from harness import PASSWORD, USERNAME, eventually, verbs
from restoring import PACKAGE, in_container, psql, run, take

# Whoever runs it as the superuser leaves a file in the container: that a read only transaction does not prevent.
TRAPPED = "/tmp/trapped"
TRAP = f"""CREATE FUNCTION public.trap() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
  IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) current_user) THEN
    COPY (SELECT 1) TO PROGRAM 'touch {TRAPPED}'; END IF; RETURN true; END $$"""
OPERATORS = "".join(
    f"""CREATE FUNCTION public.{function}(name, name) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
  PERFORM public.trap(); RETURN $1 OPERATOR(pg_catalog.{operator}) $2; END $$;
  CREATE OPERATOR public.{operator} (LEFTARG = name, RIGHTARG = name, FUNCTION = public.{function});"""
    for function, operator in (("differs", "<>"), ("equals", "="))
)
READER = [{"name": "reader", "role": "readonly", "password": PASSWORD}]


@pytest.fixture
def trap(host):
    host.run("a", extensions=["pg_stat_statements"])
    host.query("a", TRAP)
    yield
    assert in_container(host.container("a"), "sh", "-c", f"ls {TRAPPED} || :") == b""


def path_of_theirs(host):
    host.query("a", OPERATORS)
    host.query("a", f'ALTER DATABASE "{host.name("a")}" SET search_path = public, pg_catalog')


def test_a_view_in_the_place_of_a_table_that_is_counted(host, trap):
    host.query("a", "CREATE TABLE b AS SELECT 1 AS i; CREATE TABLE c (i int)")
    with host.connect("a", autocommit=False) as client:
        client.execute("ALTER TABLE b RENAME TO b2")
        client.execute("CREATE VIEW b AS SELECT b2.i FROM b2 WHERE trap()")
        waits = "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted"

        def swap():
            eventually(lambda: host.query("a", waits) == [(True,)], 60)
            client.commit()

        swapping = threading.Thread(target=swap)
        swapping.start()
        # pg_dump refuses what it does not know.
        with pytest.raises(Exception, match="pg_dump"):
            take(host, "a")
        swapping.join()


def test_operators_before_those_of_the_server(host, trap, tmp_path):
    path_of_theirs(host)
    path = tmp_path / "dump.sql"
    path.write_text("SELECT 1;\n")
    run(host, "a", check=True, module="postgres_db_import", path=str(path), backup_root=None, replace=True)
    adoption_sql = importlib.import_module(PACKAGE + "_server.adoption_sql")
    arranging = adoption_sql.put_roles_in_order("postgres", USERNAME, host.name("a"), True)
    psql(host.container("a"), host.name("a"), arranging)


def test_a_view_in_the_place_of_an_extension(host, trap):
    """The schema was renamed after it had been asked for."""
    statistics = importlib.import_module(PACKAGE + "_server.statistics")
    question = statistics.script(["queries"], 10, 10, {"version": 150000, "statements": "public"})
    host.query("a", "ALTER SCHEMA public RENAME TO real; CREATE SCHEMA public")
    host.query("a", "CREATE VIEW public.pg_stat_statements AS SELECT * FROM real.pg_stat_statements WHERE real.trap()")
    with pytest.raises(Exception, match="division by zero"):
        psql(host.container("a"), host.name("a"), question)
    assert host.info(name=host.name("a"), gather=["queries"])[0]["queries"] is not None


@pytest.mark.parametrize(
    "setting", [f"role = '{USERNAME}'", "statement_timeout = '1ms'", "default_transaction_read_only = on"]
)
def test_settings_of_the_database(host, setting):
    host.run("a")
    host.query("a", f'ALTER DATABASE "{host.name("a")}" SET {setting}')
    assert verbs(host.converge("a", users=READER))[-1] == "users"
    assert take(host, "a").file_name
    run(host, "a", backup="latest", backup_first=False, keep_old=0)
    assert verbs(host.converge("a"))[-1] == "users"


def test_what_is_kept_of_a_replaced_database_stands_in_no_way(host):
    """A user that only that one still speaks of is gone as far as the server lets it, and comes back when declared."""
    host.run("a", users=READER)
    host.query("a", f'ALTER DATABASE "{host.name("a")}" IS_TEMPLATE true')
    take(host, "a")
    run(host, "a", backup="latest", backup_first=False)
    assert verbs(host.converge("a"))[-1] == "users"
    assert host.psql("a", "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'reader'") in ("f", "")
    assert verbs(host.converge("a", users=READER))[-1] == "users"
    assert host.query("a", "SELECT 1", user="reader", password=PASSWORD) == [(1,)]
    run(host, "a", backup="latest", backup_first=False, keep_old=0)
    assert host.query("a", "SELECT datistemplate FROM pg_database WHERE datname LIKE '%.%'") == []

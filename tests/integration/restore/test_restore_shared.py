# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a database shares with others, or has elsewhere: tablespaces, subscriptions, other things of its owner's."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import USERNAME, Failed, docker
from restoring import nothing_left, psql, run, take

PLACE = "/var/lib/postgresql/elsewhere"


def make_tablespace(host, short):
    docker("exec", "-u", "postgres", host.container(short), "mkdir", PLACE)
    host.psql(short, f"CREATE TABLESPACE \"El se\" LOCATION '{PLACE}'")
    host.psql(short, f'GRANT CREATE ON TABLESPACE "El se" TO "{USERNAME}"')


@pytest.mark.parametrize("options", [{}, {"format": "custom"}])
def test_a_backup_with_tablespaces_is_verified_and_restored(host, options):
    host.run("a")
    make_tablespace(host, "a")
    host.query("a", 'CREATE TABLE far (id int PRIMARY KEY USING INDEX TABLESPACE "El se") TABLESPACE "El se"')
    host.query("a", "INSERT INTO far SELECT generate_series(1, 9)")
    take(host, "a", **options)
    backup = run(host, "a", module="postgres_db_backup", state="verified", **options)["backup"]
    assert backup["verified"] and backup["verified_how"]["rows"] == 9, backup
    run(host, "a", backup_first=False, keep_old=0)
    where = "SELECT spcname FROM pg_class JOIN pg_tablespace AS t ON t.oid = reltablespace WHERE relname = 'far'"
    assert host.query("a", where) == [("El se",)]
    # Another server does not have it.
    host.run("b")
    source = {"source_name": host.name("a"), "source_environment": "development", "allow_other_database": True}
    with pytest.raises(Failed) as failure:
        run(host, "b", backup_first=False, **source)
    assert "El se" in failure.value.message and "CREATE TABLESPACE" in failure.value.message
    nothing_left(host, "b")


def test_a_database_that_subscribes_is_replaced_and_removed(host):
    host.run("a")
    host.query("a", "CREATE TABLE followed (id int PRIMARY KEY)")
    subscribe = "CREATE SUBSCRIPTION \"Follow er\" CONNECTION 'host=192.0.2.1 dbname=x' PUBLICATION p"
    host.psql_in("a", f"{subscribe} WITH (connect = false, slot_name = 'follower')")
    take(host, "a")
    for _turn in range(2):
        run(host, "a", backup_first=False, keep_old=0)
    assert host.psql("a", "SELECT count(*) FROM pg_subscription") == "1"
    assert host.psql("a", "SELECT count(*) FROM pg_database WHERE datname LIKE '%.%'") == "0"
    assert host.query("a", "SELECT count(*) FROM followed") == [(0,)]


def test_of_what_is_kept_no_subscription_goes_on(host):
    host.run("a")
    subscribe = "CREATE SUBSCRIPTION \"Follow er\" CONNECTION 'host=192.0.2.1 dbname=x' PUBLICATION p"
    host.psql_in("a", f"{subscribe} WITH (connect = false, slot_name = 'follower')")
    take(host, "a")
    host.psql_in("a", 'ALTER SUBSCRIPTION "Follow er" ENABLE')
    kept = run(host, "a", backup_first=False)["old_database"]
    there = "SELECT datname || ' ' || subenabled FROM pg_subscription JOIN pg_database AS d ON d.oid = subdbid"
    assert sorted(host.psql("a", there).splitlines()) == [f"{host.name('a')} false", f"{kept} false"]


def test_prepared_transactions_are_named_before_anything_is_done(host):
    host.run("a", settings={"max_prepared_transactions": 5})
    host.query("a", "CREATE TABLE kept (id int)")
    take(host, "a")
    for gid in ("first", "second"):
        host.psql_in("a", f"BEGIN; INSERT INTO kept VALUES (1); PREPARE TRANSACTION '{gid}'")
    for check in (True, False):
        with pytest.raises(Failed) as failure:
            run(host, "a", check=check)
        assert "'first' and 1 more" in failure.value.message
        assert "COMMIT PREPARED" in failure.value.message
    assert len(list(Path(host.defaults["backup_root"], host.container("a")).glob("*.json"))) == 1
    nothing_left(host, "a")
    host.psql_in("a", "COMMIT PREPARED 'first'")
    host.psql_in("a", "ROLLBACK PREPARED 'second'")
    assert host.query("a", "SELECT count(*) FROM kept") == [(1,)]
    run(host, "a", backup_first=False)
    assert host.query("a", "SELECT count(*) FROM kept") == [(0,)]


def test_what_else_a_former_owner_has_on_the_server_stays_its_own(host):
    host.run("a")
    host.query("a", "CREATE TABLE belongings AS SELECT 1 AS id")
    take(host, "a")
    host.run("c", username="db_user_ffffffffffff")
    host.psql("c", f'CREATE ROLE "{USERNAME}"')
    host.psql("c", f'CREATE DATABASE unrelated OWNER "{USERNAME}"')
    make_tablespace(host, "c")
    host.psql("c", f'ALTER TABLESPACE "El se" OWNER TO "{USERNAME}"')
    source = {"source_name": host.name("a"), "source_environment": "development", "allow_other_database": True}
    run(host, "c", backup_first=False, **source)
    owners = "SELECT pg_get_userbyid({}) FROM {} WHERE {} = '{}'"
    for what in (("datdba", "pg_database", "datname", "unrelated"), ("spcowner", "pg_tablespace", "spcname", "El se")):
        assert psql(host.container("c"), "postgres", owners.format(*what)).strip() == USERNAME
    assert host.query("c", "SELECT id FROM belongings", user="db_user_ffffffffffff") == [(1,)]

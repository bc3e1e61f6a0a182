# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server whose C library is another than the one that its indexes were made under is brought over."""

from __future__ import annotations

import json

import pytest
from harness import USERNAME, Failed, Host, verbs
from restoring import psql

# What the owner's functions find of a session that can become a superuser, whoever they act as at that moment.
TRAP = """CREATE TABLE caught (who text);
CREATE FUNCTION leave() RETURNS void LANGUAGE sql AS 'INSERT INTO public.caught VALUES (session_user)';
CREATE FUNCTION trap(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN
  IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = session_user) THEN PERFORM public.leave(); END IF;
  RETURN lower($1); END $$;"""
THEIRS = f"""{TRAP}
CREATE FUNCTION by_path(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT trap($1)';
CREATE TABLE t (id int PRIMARY KEY, name text, other text COLLATE "C", data jsonb, span int4range);
INSERT INTO t SELECT i, 'name ' || i, i::text, to_jsonb(i), int4range(i, i + 1) FROM generate_series(1, 1000) AS i;
CREATE UNIQUE INDEX by_name ON t (name); CREATE INDEX by_trap ON t (trap(other));
CREATE INDEX by_path ON t (by_path(name));
CREATE INDEX by_json ON t (data); CREATE INDEX in_part ON t (id) WHERE name > 'a'; CREATE INDEX span ON t (span);
CREATE INDEX by_c ON t (other); CREATE INDEX by_gin ON t USING gin (data);
CREATE TABLE booked (room text, at int4range, EXCLUDE USING gist (room WITH =, at WITH &&));
CREATE TABLE parts (name text) PARTITION BY RANGE (name);
CREATE TABLE part PARTITION OF parts FOR VALUES FROM ('a') TO ('b');
CREATE INDEX by_part ON parts (name);"""
REBUILT = {"by_name", "by_trap", "by_path", "by_json", "in_part", "booked_room_at_excl", "part_name_idx"}
SUPERUSERS = """CREATE TABLE mine (name text PRIMARY KEY); CREATE TABLE odd (name text);
CREATE INDEX odd_trap ON odd (trap(name)); INSERT INTO mine VALUES ('a'); INSERT INTO odd VALUES ('a');
DELETE FROM caught"""
FILES = "SELECT json_object_agg(relname, relfilenode) FROM pg_class WHERE relkind = 'i' AND relnamespace = 2200"


def superuser(host: Host, script: str) -> str:
    return psql(host.container("a"), host.name("a"), script)


def bring_over(host: Host, check: bool = False, **options) -> dict:
    given = {"data_root": host.data_root, "environment": host.environment, "name": host.name("a"), **options}
    return host._result("postgres_db_collations", {**given, "_ansible_check_mode": check, "_ansible_diff": True})


def age(host: Host) -> None:
    superuser(host, "UPDATE pg_database SET datcollversion = '2.28'")
    superuser(host, "UPDATE pg_collation SET collversion = '2.28' WHERE collname = 'en_US.utf8'")


def rebuilt(host: Host, before: str) -> set[str]:
    old, new = json.loads(before), json.loads(superuser(host, FILES))
    return {name for name in new if new[name] != old.get(name)}


def test_a_server_is_brought_over(host):
    host.run("a", extensions=["btree_gist"])
    host.query("a", THEIRS)
    superuser(host, SUPERUSERS)
    assert not bring_over(host)["changed"]
    age(host)
    files = superuser(host, FILES)
    predicted = bring_over(host, check=True)
    assert rebuilt(host, files) == set() and predicted["changed"]
    ours = next(one for one in predicted["databases"] if one["name"] == host.name("a"))
    listed = {index["name"].removeprefix("public."): index["run_as"] for index in ours["indexes"]}
    assert listed == {**dict.fromkeys(REBUILT, USERNAME), "mine_pkey": "postgres", "odd_trap": None}
    assert {one["name"] for one in predicted["databases"]} == {host.name("a"), "postgres", "template0", "template1"}
    assert "rebuild index public.by_name" in str(predicted["actions"]) and "odd_trap" in predicted["left"][0]
    assert predicted["databases"][0]["recorded"] == "2.28" and "public.parts" in str(predicted["warnings"])

    # What cannot be done is named; the rest is, and the versions stay.
    body = "CREATE OR REPLACE FUNCTION by_path(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT %s'"
    host.query("a", body % "(1 / (length($1) - length($1)))::text")
    with pytest.raises(Failed) as failure:
        bring_over(host)
    assert "index public.by_path" in failure.value.message and "odd_trap" in failure.value.message
    assert rebuilt(host, files) == (REBUILT - {"by_path"}) | {"mine_pkey"}
    assert superuser(host, "SELECT count(*) FROM pg_index WHERE NOT indisvalid") == "0"
    version = "SELECT DISTINCT datcollversion FROM pg_database WHERE datname %s current_database()"
    assert superuser(host, version % "=") == "2.28" and superuser(host, version % "<>") != "2.28"
    finding = host.info(name=host.name("a"), gather=["findings"])[0]["findings"]
    assert "vellaric.postgres.collations" in str(finding)

    host.query("a", body % "trap($1)")
    superuser(host, f'ALTER TABLE odd OWNER TO "{USERNAME}"')
    predicted, answer = bring_over(host, check=True), bring_over(host)
    assert verbs(predicted) == verbs(answer) and predicted["diff"] == answer["diff"]
    assert rebuilt(host, files) == REBUILT | {"mine_pkey", "odd_trap"}
    assert superuser(host, "SELECT count(*) FROM pg_database WHERE datcollversion = '2.28'") == "0"
    assert not bring_over(host)["changed"] and not host.run("a", extensions=["btree_gist"])["changed"]
    assert superuser(host, "SELECT count(*) FROM pg_roles WHERE rolname = 'vellaric_loader'") == "0"
    # Nobody's session had more rights than the owner of what it ran.
    assert host.query("a", "TABLE caught") == []
    superuser(host, "REINDEX TABLE t")
    assert host.query("a", "SELECT DISTINCT who FROM caught") == [("postgres",)]
    host.run("a", state="stopped")
    with pytest.raises(Failed, match="its container is exited"):
        bring_over(host)


def test_what_is_not_there_is_refused(host):
    with pytest.raises(Failed, match="there is no such database"):
        bring_over(host)

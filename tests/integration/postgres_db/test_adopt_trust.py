# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container is taken over with gives its new owner no more than a database."""

from __future__ import annotations

import psycopg
import pytest
from adopted import DATA, OLD_PASSWORD, Foreign
from harness import IMAGE, OTHER_MAJOR_IMAGE, PASSWORD, verbs
from test_adopt import check_settled, summary

IMAGES = {"15": IMAGE, "17": OTHER_MAJOR_IMAGE, "18": "vellaric/postgres:18-forky"}
ATTACK = """BEGIN IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) current_user)
  THEN COPY (SELECT 1) TO PROGRAM 'touch /tmp/trapped'; END IF; END"""
# The application's role has been a superuser, beside the one that initdb made. By the name of who owns the function.
FOUND = """CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER watch ON ddl_command_start EXECUTE FUNCTION watch();
CREATE FUNCTION definer() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN END';
CREATE EVENT TRIGGER definer ON ddl_command_start EXECUTE FUNCTION definer();
CREATE ROLE shop SUPERUSER LOGIN; CREATE ROLE former LOGIN; CREATE ROLE maker CREATEROLE;
CREATE TABLE kept (i int); ALTER TABLE kept OWNER TO former;
CREATE TABLE made (i int); ALTER TABLE made OWNER TO maker;
CREATE FUNCTION theirs() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
ALTER FUNCTION theirs() OWNER TO former;
CREATE EVENT TRIGGER theirs ON ddl_command_start EXECUTE FUNCTION theirs();
CREATE FUNCTION own() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER own ON ddl_command_start EXECUTE FUNCTION own();
ALTER FUNCTION own() OWNER TO shop; ALTER EVENT TRIGGER own OWNER TO shop;
GRANT pg_execute_server_program TO shop; GRANT postgres TO shop WITH ADMIN OPTION;
GRANT EXECUTE ON FUNCTION pg_read_file(text) TO PUBLIC;
ALTER SYSTEM SET ssl = off"""


@pytest.mark.parametrize("version", IMAGES)
def test_the_new_owner_is_no_superuser_and_nothing_of_theirs_runs_as_one(host, version):
    image = IMAGES[version]
    host.defaults.update(image=image, username="shop")
    # From 18 on the images have their volume one directory further up.
    place = DATA if version != "18" else "/var/lib/postgresql"
    options = ["-v", f"{host.root}/srv:{place}", "-e", f"PGDATA={place}/below"]
    foreign = Foreign(host, "a", *options, image=image, database=host.name("a"))
    foreign.psql(FOUND.replace(";\n", "; "))
    if version != "15":
        foreign.psql("CREATE EVENT TRIGGER entering ON login EXECUTE FUNCTION theirs()")
    users = [{"name": "former", "role": "owner", "password": PASSWORD}]
    # What an owner has set for the database is not for the sessions that look at it.
    foreign.psql(f'ALTER DATABASE "{host.name("a")}" SET statement_timeout = 1')
    host.check("a", adopt=True, users=users)
    foreign.psql(f'ALTER DATABASE "{host.name("a")}" RESET statement_timeout', database="postgres")
    answer = host.converge("a", adopt=True, users=users)
    words = summary(answer, "arrange")
    for expected in ("member of postgres", "event trigger definer", "event trigger theirs", "(watch)", "ssl"):
        assert expected in words, (expected, words)
    check_settled(host, "a", users=users)
    armed = "SELECT array_agg(evtname ORDER BY evtname), bool_and(evtowner = 10) FROM pg_event_trigger"
    assert host.query("a", f"{armed} WHERE evtenabled <> 'D'", user="shop") == [(["watch"], True)]
    for function in ("watch", "theirs", "own", "definer"):
        attack = f"CREATE OR REPLACE FUNCTION {function}() RETURNS event_trigger LANGUAGE plpgsql AS $${ATTACK}$$"
        if function == "watch":
            with pytest.raises(psycopg.Error, match="must be owner"):
                host.query("a", attack, user="shop")
        else:
            host.query("a", attack, user="shop")
    for attack in ("SET ROLE postgres", "SELECT pg_read_file('/etc/passwd')", "ALTER EVENT TRIGGER own ENABLE"):
        with pytest.raises(psycopg.Error, match="permission denied|must be owner"):
            host.query("a", attack, user="shop")
    # The former owner is a user who works as the new one, and what belonged to either belongs to that.
    owners = "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relname IN ('kept', 'made')"
    assert host.query("a", owners, user="former") == [("shop",)]
    host.query("a", "CREATE TABLE later (i int); DROP TABLE kept", user="former")
    assert verbs(host.converge("a", users=users, extensions=["pgcrypto"])) == ["write_record", "extensions"]
    assert host.psql("a", "SELECT count(*) FROM pg_ls_dir('/tmp') AS f WHERE f = 'trapped'") == "0"
    assert OLD_PASSWORD not in words

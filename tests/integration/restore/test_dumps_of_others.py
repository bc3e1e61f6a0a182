# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps as other people's tools and servers write them: each comes in, or is refused in words, never half."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from harness import IMAGE, PASSWORD, USERNAME, Failed, docker
from restoring import in_container, psql, run, take

HEAD = "-- PostgreSQL database dump\n--\n\nSELECT pg_catalog.set_config('search_path', '', false);\n"
TAIL = "--\n-- PostgreSQL database dump complete\n--\n"
# One that moves, with a type and a table whose rows are dumped, and one with a schema of its own.
EXTENSIONS = {
    "geo.control": "default_version = '1.0'\nrelocatable = true\nsuperuser = true\n",
    "geo--1.0.sql": "CREATE DOMAIN point_of AS point;\nCREATE TABLE ref_sys (srid integer PRIMARY KEY, def text);\n"
    "SELECT pg_extension_config_dump('ref_sys', '');\n",
    "topo.control": "default_version = '1.0'\nschema = 'topo'\nrelocatable = false\nsuperuser = true\n",
    "topo--1.0.sql": "CREATE TABLE systems (srid integer PRIMARY KEY, def text);\n"
    "INSERT INTO systems VALUES (1, 'built in');\n"
    "CREATE SEQUENCE counted; SELECT pg_extension_config_dump('counted', '');\n"
    "SELECT pg_extension_config_dump('systems', 'WHERE srid > 1000');\n",
}


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """The image with two extensions more."""
    files = tmp_path_factory.mktemp("extensions")
    for name, text in EXTENSIONS.items():
        (files / name).write_text(text)
    container = docker("create", IMAGE)
    where = "/usr/share/postgresql/15/extension/"
    subprocess.run(["docker", "cp", f"{files}/.", f"{container}:{where}"], check=True, capture_output=True)
    tag = "vellaric-test/extensions:1"
    docker("commit", container, tag)
    docker("rm", container)
    yield tag
    docker("rmi", "-f", tag, check=False)


@pytest.fixture(scope="module")
def target(shared, image):
    shared.run("a", image=image, extensions=["geo", "topo", "citext", "postgres_fdw", "unaccent"])
    return shared


def bring(host, text, name="dump.sql", short="a", **options):
    path = Path(host.root, name)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    given = {"replace": True, "backup_first": False, "keep_old": 0, **options}
    return run(host, short, module="postgres_db_import", path=str(path), **given)


def refusal(host, text, **options):
    with pytest.raises(Failed) as failure:
        bring(host, text, **options)
    return failure.value.message


def test_extensions_are_made_where_the_dump_has_them(target):
    # Heroku leaves its own schema out: here of extensions that anybody may make, and that only a superuser may.
    text = f"""{HEAD}CREATE SCHEMA topo;
ALTER SCHEMA topo OWNER TO postgres;
CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA heroku_ext;
CREATE EXTENSION IF NOT EXISTS geo WITH SCHEMA public;
COMMENT ON EXTENSION geo IS 'somebody''s';
CREATE EXTENSION IF NOT EXISTS topo WITH SCHEMA topo;
CREATE EXTENSION IF NOT EXISTS postgres_fdw WITH SCHEMA left_out;
CREATE SERVER old_shop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '10.1.2.3', dbname 'shop');
ALTER SERVER old_shop OWNER TO shopkeeper;
CREATE USER MAPPING FOR PUBLIC SERVER old_shop OPTIONS (user 'reader', password 'secret');
CREATE FOREIGN TABLE public.old_orders (id integer) SERVER old_shop OPTIONS (table_name 'orders');
CREATE TABLE public.places (id integer, at public.point_of, mail heroku_ext.citext);
COPY public.places (id, at, mail) FROM stdin;
1\t(1,2)\tAnn@Example.com
\\.
COPY public.ref_sys (srid, def) FROM stdin;
4326\twgs
\\.
COPY topo.systems (srid, def) FROM stdin;
2000\tours
\\.
SELECT pg_catalog.setval('topo.counted', 7, true);
SELECT pg_catalog.setval('public.nonsuch', 7, true);
{TAIL}"""
    # The server counts the lines as the file has them.
    assert f"line {text[: text.index('nonsuch')].count(chr(10)) + 1}: " in refusal(target, text)
    bring(target, text.replace("SELECT pg_catalog.setval('public.nonsuch', 7, true);\n", ""))
    same = "SELECT heroku_ext.citext_eq(mail, 'ann@example.com') FROM places"
    assert target.query("a", same) == [(True,)]
    assert (
        target.psql_in("a", "SELECT string_agg(srid || def, ',' ORDER BY srid) FROM topo.systems")
        == "1built in,2000ours"
    )
    assert target.psql_in("a", "TABLE ref_sys") == "4326|wgs"
    assert target.psql_in("a", "SELECT last_value FROM topo.counted") == "7"
    owned = "SELECT DISTINCT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname IN ('left_out', 'heroku_ext')"
    assert target.query("a", owned) == [(USERNAME,)]
    # It serves as it was declared: nothing is left to do.
    options = {"image": target.inspect("a")["Config"]["Image"]}
    declared = ["geo", "topo", "citext", "postgres_fdw", "unaccent"]
    assert not target.run("a", extensions=declared, **options)["changed"]
    kinds = "SELECT relname FROM pg_class WHERE relowner = 10 AND oid >= 16384 AND relkind = 'r' AND NOT EXISTS"
    assert target.psql_in("a", f"{kinds} (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e')") == ""


def test_what_goes_out_comes_back(target):
    """Functions that find names by a path, rows of extensions, in each format."""
    script = """CREATE SCHEMA IF NOT EXISTS own;
      CREATE FUNCTION plain(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower(unaccent($1))';
      CREATE TABLE people (name text, slug text GENERATED ALWAYS AS (plain(name)) STORED);
      INSERT INTO people VALUES ('Ärger'); CREATE INDEX ON people (plain(name));
      CREATE MATERIALIZED VIEW slugs AS SELECT plain(name) FROM people"""
    target.query("a", script)
    target.psql_in("a", "INSERT INTO topo.systems VALUES (3000, 'of mine')")
    for form, jobs in (("plain", 1), ("custom", 1), ("directory", 2)):
        backup = take(target, "a", format=form)
        of = {"data_root": target.data_root, "backup_root": target.defaults["backup_root"]}
        of = {**of, "environment": target.environment, "name": target.name("a"), "backup": backup.file_name}
        if form != "custom":
            verified = target._result("postgres_db_backup", {**of, "state": "verified"})
            assert verified["backup"]["good"], verified
        run(target, "a", backup=backup.file_name, backup_first=False, keep_old=0, jobs=jobs)
        assert target.query("a", "SELECT slug FROM people") == [("arger",)]
        assert target.query("a", "SELECT count(*) FROM slugs") == [(1,)]
        assert target.psql_in("a", "SELECT def FROM topo.systems WHERE srid = 3000") == "of mine"


SUPERUSER = {
    "triggers": """CREATE TABLE public.parents (id integer PRIMARY KEY);
CREATE TABLE public.children (id integer PRIMARY KEY, parent integer REFERENCES public.parents);
ALTER TABLE public.children DISABLE TRIGGER ALL;
COPY public.children (id, parent) FROM stdin;
10\t1
\\.
ALTER TABLE public.children ENABLE TRIGGER ALL;
COPY public.parents (id) FROM stdin;
1
\\.
""",
    "replication role": """CREATE TABLE public.parents (id integer PRIMARY KEY);
CREATE TABLE public.children (id integer PRIMARY KEY, parent integer REFERENCES public.parents);
SET session_replication_role = replica;
INSERT INTO public.children VALUES (10, 1);
INSERT INTO public.parents VALUES (1);
RESET ALL;
""",
    "casts and the like": """CREATE FUNCTION public.as_flag(bigint) RETURNS boolean
  LANGUAGE sql IMMUTABLE LEAKPROOF AS 'SELECT $1 <> 0';
CREATE CAST (bigint AS boolean) WITH FUNCTION public.as_flag(bigint) AS IMPLICIT;
CREATE FUNCTION public.c() RETURNS integer LANGUAGE c AS '$libdir/x', 'x';
CREATE OPERATOR CLASS public.o FOR TYPE integer USING btree AS OPERATOR 1 <;
DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'webuser') THEN CREATE ROLE webuser; END IF; END $$;
ALTER SYSTEM SET work_mem = '1MB';
CREATE TABLE public.children (a integer);
""",
    "large objects": """DROP TABLE public.photos;
SELECT pg_catalog.lo_unlink('24680');
CREATE TABLE public.children (id integer, data oid);
SELECT pg_catalog.lo_create('24680');
BEGIN;
SELECT pg_catalog.lo_open('24680', 131072);
SELECT pg_catalog.lowrite(0, '\\x00ff');
SELECT pg_catalog.lo_close(0);
COMMIT;
""",
    "of a database with a hyphen": """CREATE DATABASE "my-database" WITH TEMPLATE = template0 ENCODING = 'UTF8';
\\unrestrict x
\\encoding SQL_ASCII
\\connect -reuse-previous=on "dbname='my-database'"
\\restrict x
SET client_encoding = 'UTF8';
REVOKE CONNECT,TEMPORARY ON DATABASE "my-database" FROM PUBLIC;
CREATE TABLE public.children (a integer);
""",
    "of other tools": """CREATE SCHEMA public AUTHORIZATION pg_database_owner;
CREATE SCHEMA app AUTHORIZATION shopowner;
SET standard_conforming_strings = off;
SET escape_string_warning = off;
CREATE TABLE app.thing (name text);
INSERT INTO app.thing VALUES ('it\\'s; here');
INSERT INTO app.thing VALUES ('C:\\\\dir\\\\');
CREATE TABLE public.children (a integer);
""",
}


@pytest.mark.parametrize("what", SUPERUSER)
def test_what_only_a_superuser_may_do(shared, what):
    if not shared.directory("plain").exists():
        shared.run("plain")
    answer = bring(shared, HEAD + SUPERUSER[what] + TAIL, short="plain")
    assert "public.children" in answer["report"]["row_counts"]
    if what == "casts and the like":
        left_out = answer["report"]["left_out"]
        assert left_out["casts"] == 1 and left_out["roles and their settings"] == 1 and len(left_out) == 6, left_out


# What pg_dumps write that Debian no longer has, with -C each: from before names were qualified, then with properties of
# the database, then with --clean.
OLDER = {
    "9.6.0": r"""SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SET check_function_bodies = false;
SET client_min_messages = warning;
SET row_security = off;

CREATE DATABASE "my shop" WITH TEMPLATE = template0 ENCODING = 'UTF8' LC_COLLATE = 'de_DE.utf8' LC_CTYPE = 'de_DE.utf8';


ALTER DATABASE "my shop" OWNER TO shopkeeper;

\connect -reuse-previous=on "dbname='my shop'"

SET row_security = off;

--
-- Name: plpgsql; Type: EXTENSION; Schema: -; Owner:
--

CREATE EXTENSION IF NOT EXISTS plpgsql WITH SCHEMA pg_catalog;

COMMENT ON EXTENSION plpgsql IS 'PL/pgSQL procedural language';

SET search_path = public, pg_catalog;

CREATE FUNCTION doubled(integer) RETURNS integer
    LANGUAGE sql IMMUTABLE
    AS $_$SELECT 2 * $1$_$;

ALTER FUNCTION public.doubled(integer) OWNER TO shopkeeper;

SET default_tablespace = '';

SET default_with_oids = false;
""",
    "11.22": r"""SET statement_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);
CREATE DATABASE "my-shop" WITH TEMPLATE = template0 ENCODING = 'UTF8' LC_COLLATE = 'en_US.utf8' LC_CTYPE = 'en_US.utf8';
ALTER DATABASE "my-shop" OWNER TO shopkeeper;
\connect -reuse-previous=on "dbname='my-shop'"
SELECT pg_catalog.set_config('search_path', '', false);
COMMENT ON DATABASE "my-shop" IS 'of the shop';
ALTER DATABASE "my-shop" SET "TimeZone" TO 'UTC';
ALTER ROLE shopkeeper IN DATABASE "my-shop" SET work_mem TO '8MB';
\connect -reuse-previous=on "dbname='my-shop'"
SET search_path = public;
CREATE FUNCTION public.doubled(integer) RETURNS integer
    LANGUAGE sql IMMUTABLE
    AS $_$SELECT 2 * $1$_$;
SET default_with_oids = false;
""",
    "13.23": r"""SET xmloption = content;
SELECT pg_catalog.set_config('search_path', '', false);
DROP DATABASE IF EXISTS shop;
CREATE DATABASE shop WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE = 'C.UTF-8';
ALTER DATABASE shop OWNER TO shopkeeper;
\connect shop
SELECT pg_catalog.set_config('search_path', '', false);
CREATE PROCEDURE public.nothing()
    LANGUAGE sql
    AS $$SELECT 1$$;
SET search_path = public;
CREATE FUNCTION public.doubled(integer) RETURNS integer
    LANGUAGE sql IMMUTABLE
    AS $_$SELECT 2 * $1$_$;
SET default_tablespace = '';
SET default_table_access_method = heap;
""",
}
GOODS = r"""
CREATE TABLE goods (
    id integer NOT NULL,
    name text
);


ALTER TABLE goods OWNER TO shopkeeper;

CREATE SEQUENCE goods_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER TABLE goods_id_seq OWNER TO shopkeeper;

ALTER SEQUENCE goods_id_seq OWNED BY goods.id;

ALTER TABLE ONLY goods ALTER COLUMN id SET DEFAULT nextval('goods_id_seq'::regclass);

COPY goods (id, name) FROM stdin;
1	Kühlschrank
\.

SELECT pg_catalog.setval('goods_id_seq', 1, true);

ALTER TABLE ONLY goods
    ADD CONSTRAINT goods_pkey PRIMARY KEY (id);

CREATE INDEX goods_doubled ON goods USING btree (doubled(id));

REVOKE ALL ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM postgres;
GRANT ALL ON SCHEMA public TO postgres;
GRANT ALL ON SCHEMA public TO PUBLIC;
GRANT SELECT ON TABLE goods TO reader;
"""


@pytest.mark.parametrize("version", OLDER)
def test_what_older_pg_dumps_write(shared, version):
    if not shared.directory("plain").exists():
        shared.run("plain")
    head = f"--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version {version}\n"
    head += f"-- Dumped by pg_dump version {version}\n\n"
    bring(shared, head + OLDER[version] + GOODS + TAIL, short="plain")
    found = "INSERT INTO goods (name) VALUES ('x') RETURNING doubled(id), (SELECT name FROM goods)"
    assert shared.query("plain", found) == [(4, "Kühlschrank")]


@pytest.mark.parametrize(
    "text, words",
    [
        ("CREATE TABLE public.a (id int);\nCOPY public.a (id) FROM stdin;\n1\n", "truncated"),
        ("BEGIN;\nCREATE TABLE public.thing (id int);\nINSERT INTO public.thing VALUES (1);\n", "truncated"),
        ("SELECT 1;\n", "nothing in it"),
        (
            "CREATE DATABASE one;\n\\connect one\nCREATE TABLE public.a (x int);\nCREATE DATABASE two;\n",
            "more than one",
        ),
        ("pg_dump: reading extensions\n--\nCREATE TABLE public.thing (name text);\n", "messages"),
        ("\\pset pager off\nCREATE TABLE public.thing (name text);\n", "pg_dump does not write it"),
    ],
)
def test_what_is_not_whole_takes_no_place(shared, text, words):
    if not shared.directory("plain").exists():
        shared.run("plain")
    shared.query("plain", "DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT 1 AS a")
    assert words in refusal(shared, text, short="plain")
    assert shared.query("plain", "TABLE kept") == [(1,)]


def test_a_newer_client_of_an_older_server(shared):
    if not shared.directory("plain").exists():
        shared.run("plain")
    versions = "-- Dumped from database version 15.20\n-- Dumped by pg_dump version 17.12\n"
    text = f"{HEAD}{versions}SET transaction_timeout = 0;\nCREATE TABLE public.children (a integer);\n{TAIL}"
    bring(shared, text, short="plain")
    newer = in_newer_archive(shared)
    message = refusal(shared, newer, name="newer.dump", short="plain")
    assert "pg_dump 17" in message and "pg_restore" in message


def in_newer_archive(host):
    """An archive of the pg_dump of 17, of its own server."""
    host.run("newer", image="vellaric/postgres:17-trixie")
    archive = in_container(host.container("newer"), "pg_dump", "-Fc", "-d", host.name("newer"))
    # As it would be of an older server: that is what it says of it.
    position = archive.index(b"17.")
    found = archive[:position] + b"15." + archive[position + 3 :]
    host.forget("newer")
    return found


def test_declared_users_may_connect_at_once(host):
    users = [
        {"name": "rep", "role": "readonly", "password": PASSWORD},
        {"name": "wri", "role": "readwrite", "password": PASSWORD},
    ]
    host.run("a", users=users, extensions=["citext"])
    bring(
        host,
        HEAD + "CREATE SCHEMA extra;\nCREATE TABLE public.t (id serial, a int);\nCREATE TABLE extra.t2 (a int);\n"
        "INSERT INTO public.t (a) VALUES (1);\n" + TAIL,
    )
    assert host.query("a", "SELECT a FROM t", user="rep", password=PASSWORD) == [(1,)]
    host.query("a", "INSERT INTO t (a) VALUES (2); INSERT INTO extra.t2 VALUES (1)", user="wri", password=PASSWORD)
    assert host.run("a", users=users, extensions=["citext"])["changed"] is False
    # What was declared for another database is not declared here.
    take(host, "a")
    host.run("b")
    given = {"source_name": host.name("a"), "source_environment": host.environment, "allow_other_database": True}
    run(host, "b", backup_first=False, keep_old=0, **given)
    assert host.run("b")["changed"] is False
    assert psql(host.container("b"), host.name("b"), "SELECT extname FROM pg_extension ORDER BY 1") == "citext\nplpgsql"


def test_what_is_outside_does_not_decide_over_a_backup(shared):
    """A view over a file that is gone, and a partition that is another server's."""
    shared.run("out")
    in_container(shared.container("out"), "sh", "-c", "echo 1 >/var/lib/postgresql/outside.csv")
    script = """CREATE EXTENSION file_fdw; CREATE EXTENSION postgres_fdw;
      CREATE SERVER files FOREIGN DATA WRAPPER file_fdw; CREATE SERVER away FOREIGN DATA WRAPPER postgres_fdw
        OPTIONS (host '127.0.0.1', port '1');
      CREATE USER MAPPING FOR CURRENT_USER SERVER away OPTIONS (password_required 'false');
      CREATE FOREIGN TABLE outside (a int) SERVER files OPTIONS (filename '/var/lib/postgresql/outside.csv');
      CREATE MATERIALIZED VIEW seen AS SELECT a FROM outside;
      CREATE TABLE parts (a int) PARTITION BY LIST (a); CREATE TABLE near PARTITION OF parts FOR VALUES IN (1);
      CREATE FOREIGN TABLE far PARTITION OF parts FOR VALUES IN (2) SERVER away;
      CREATE TABLE kept AS SELECT 42 AS a"""
    psql(shared.container("out"), shared.name("out"), script)
    backup = take(shared, "out")
    in_container(shared.container("out"), "rm", "/var/lib/postgresql/outside.csv")
    of = {"data_root": shared.data_root, "backup_root": shared.defaults["backup_root"]}
    of = {**of, "environment": shared.environment, "name": shared.name("out"), "backup": backup.file_name}
    verified = shared._result("postgres_db_backup", {**of, "state": "verified"})
    assert verified["backup"]["good"] and "seen" in str(verified), verified
    answer = run(shared, "out", backup=backup.file_name, backup_first=False, keep_old=0)
    said = str(answer["warnings"])
    assert "public.seen could not be filled" in said and "public.parts could not be analysed" in said
    assert psql(shared.container("out"), shared.name("out"), "TABLE kept") == "42"
    shared.forget("out")


def test_another_c_library_under_the_same_major(shared):
    """The template says that another one made it."""
    shared.run("glibc")
    shared.query("glibc", "CREATE TABLE kept AS SELECT 42 AS a")
    backup = take(shared, "glibc")
    psql(
        shared.container("glibc"), "postgres", "UPDATE pg_database SET datcollversion = '1' WHERE datname = 'template0'"
    )
    run(shared, "glibc", backup=backup.file_name, backup_first=False, keep_old=0)
    assert shared.query("glibc", "TABLE kept") == [(42,)]
    shared.forget("glibc")

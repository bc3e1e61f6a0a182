# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The owner of a database has planted code wherever PostgreSQL lets one: no operation runs it as a superuser."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.vellaric.postgres.plugins.plugin_utils import archive
from harness import (
    IMAGE,
    OTHER_MAJOR_IMAGE,
    PASSWORD,
    REPOSITORY,
    THOROUGH,
    USERNAME,
    Failed,
    docker,
    eventually,
)
from restoring import in_container, psql, run, take

PLANTED = Path(__file__).with_name("planted.sql").read_text()
READER = [{"name": "reader", "role": "readonly", "password": PASSWORD}]
GATHERED = ["container", "statistics", "settings", "sizes", "queries", "activity", "replication", "backups", "findings"]
IMAGES = [IMAGE, OTHER_MAJOR_IMAGE, os.environ.get("VELLARIC_TEST_NEWEST_IMAGE", "vellaric/postgres:18-forky")]


def plant(host, short):
    host.query(short, PLANTED)
    host.query(short, f'ALTER DATABASE "{host.name(short)}" SET search_path = app, public, pg_catalog')


@pytest.mark.parametrize("image", IMAGES if THOROUGH else IMAGES[::2])
def test_every_operation(host, image):
    """What fails fails because the planted code says that it was caught; what only warns would say so, too."""
    answers = []
    host.defaults["image"] = image
    host.run("a")
    plant(host, "a")
    answers.append(host.converge("a", users=READER, extensions=["pg_trgm"], settings={"work_mem": "8MB"}))
    answers.append(host.run("a", users=READER, extensions=[], password=PASSWORD + "x", update_password="always"))
    host.defaults["password"] = PASSWORD + "x"
    answers.append(host.info(name=host.name("a"), gather=GATHERED))
    backup = take(host, "a")
    of = {"data_root": host.data_root, "backup_root": host.defaults["backup_root"], "environment": host.environment}
    for state in ("checked", "verified"):
        answers.append(host._result("postgres_db_backup", {**of, "name": host.name("a"), "state": state}))
    assert backup.manifest.row_counts["app.t"] == 200
    answers.append(run(host, "a", backup="latest", backup_first=False, keep_old=0))
    assert len(host.query("a", "SELECT id FROM app.m", password=PASSWORD + "x")) == 200
    assert host.query("a", "SELECT current_setting('search_path')", password=PASSWORD + "x") == [
        ("app, public, pg_catalog",)
    ]
    answers += imported_and_cloned(host)
    if THOROUGH:
        answers.append(scheduled(host))
    answers.append(host.run("a", state="absent", final_backup=False))
    answers.append(host.run("a", state="undeleted"))
    if THOROUGH:
        answers.append(adopted(host, image))
    assert "caught" not in str(answers)
    superusers = psql(host.container("a"), "postgres", "SELECT rolname FROM pg_roles WHERE rolsuper")
    assert superusers == "postgres"


def imported_and_cloned(host):
    """The dump as a file, and the backup into another database, masked."""
    text = in_container(host.container("a"), "pg_dump", "-d", host.name("a"))
    path = Path(host.root, "planted.sql")
    path.write_bytes(text)
    given = {"replace": True, "backup_first": False, "keep_old": 0}
    imported = run(host, "a", module="postgres_db_import", path=str(path), **given)
    host.run("b", username=USERNAME)
    mask = "UPDATE customers SET email = 'masked-' || id; UPDATE app.t SET name = md5(name)"
    cloned = run(
        host,
        "b",
        source_name=host.name("a"),
        source_environment=host.environment,
        allow_other_database=True,
        backup_first=False,
        keep_old=0,
        mask=[mask],
    )
    assert cloned["unmasked"] == []
    rows = host.query("b", "SELECT email FROM public.customers ORDER BY 1", password=PASSWORD + "x")
    assert rows == [("masked-1",), ("masked-2",)]
    assert len(host.query("b", "SELECT name FROM app.t GROUP BY name", password=PASSWORD + "x")) == 200
    return [imported, cloned]


def scheduled(host):
    """What a timer starts: a backup of each database, and its verification."""
    program = Path(host.root, "backup.pyz")
    program.write_bytes(archive.pack(str(REPOSITORY / "plugins/module_utils")))
    directory = Path(host.data_root, ".schedule")
    directory.mkdir(parents=True, exist_ok=True)
    settings = {"schema": 1, "scheduler": "cron", "data_root": host.data_root, "wait_timeout": 60, "databases": []}
    settings["environments"] = {host.environment: {"calendar": "daily", "verify": "weekly"}}
    settings["docker_host"] = "unix:///var/run/docker.sock"
    (directory / "schedule.json").write_text(json.dumps(settings))
    (directory / "notify.json").write_text("{}")
    said = ""
    for schedule in (host.environment, f"verify-{host.environment}"):
        command = [sys.executable, "-I", str(program), "--directory", str(directory), "run", schedule]
        finished = subprocess.run(command, capture_output=True, text=True, check=False)
        assert finished.returncode == 0, finished.stderr
        said += finished.stderr
    assert "restored and compared" in said
    return said


def adopted(host, image):
    """A container of somebody else's, with a database whose owner has planted the same."""
    name, database = host.container("c"), host.name("c")
    place = "/var/lib/postgresql/data" if "18" not in image else "/var/lib/postgresql"
    given = ["-v", f"{host.root}/srv:{place}", "-e", f"PGDATA={place}/below", "-e", f"POSTGRES_DB={database}"]
    docker("run", "-d", "--name", name, *given, "-e", "POSTGRES_PASSWORD=x", image)
    asked = ["exec", "-u", "postgres", name, "psql", "-h", "127.0.0.1", "-XAtqc", "SELECT 1", "-d", database]
    eventually(lambda: docker(*asked, check=False) == "1", 180)
    psql(name, database, f'CREATE ROLE "{USERNAME}"; ALTER DATABASE "{database}" OWNER TO "{USERNAME}"')
    psql(name, database, f'SET ROLE "{USERNAME}";\n{PLANTED}')
    psql(name, database, f'ALTER DATABASE "{database}" SET search_path = app, public, pg_catalog')
    answer = host.run("c", adopt=True, extensions=["pg_trgm"], users=READER)
    assert len(host.query("c", "SELECT id FROM app.t", password=PASSWORD + "x")) == 200
    return [answer, host.info(name=database, gather=GATHERED)]


def test_a_mask_that_is_put_back_is_told(host):
    """The owner's trigger writes what was there before."""
    host.run("a")
    host.query(
        "a",
        """CREATE TABLE customers (id int PRIMARY KEY, email text, "Phone" text);
        INSERT INTO customers VALUES (1, 'a@example.com', '1'), (2, 'b@example.com', '2'), (3, NULL, '3');
        CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.email := OLD.email; RETURN NEW; END $$;
        CREATE TRIGGER keep BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION keep()""",
    )
    take(host, "a")
    mask = """UPDATE customers SET email = 'x' || id, "Phone" = md5("Phone")"""
    answer = run(host, "a", backup="latest", backup_first=False, keep_old=0, mask=[mask])
    assert answer["unmasked"] == [{"table": "customers", "column": "email", "rows": 2}]
    assert "still hold a value of the source" in str(answer["warnings"])
    assert not (host.directory("a") / "pgdata/.vellaric-masking").exists()


def test_the_owner_is_no_superuser_after_a_restore(host):
    """A check that makes its owner a superuser, where it can."""
    host.run("a")
    host.query(
        "a",
        """CREATE FUNCTION public.chk(t text) RETURNS boolean LANGUAGE plpgsql AS $f$ BEGIN
          IF current_setting('is_superuser') = 'on' THEN
            EXECUTE format('ALTER ROLE %I SUPERUSER', (SELECT rolname FROM pg_roles WHERE rolname LIKE 'db_user_%'));
            EXECUTE 'COPY (SELECT 1) TO PROGRAM ''touch /tmp/pwned''';
          END IF; RETURN true; END $f$;
        CREATE TABLE public.innocent(t text CHECK (public.chk(t))); INSERT INTO public.innocent VALUES ('x')""",
    )
    take(host, "a")
    run(host, "a", backup="latest", backup_first=False, keep_old=0)
    assert host.query("a", "TABLE innocent") == [("x",)]
    assert host.psql("a", f"SELECT rolsuper FROM pg_roles WHERE rolname = '{USERNAME}'") == "f"
    assert in_container(host.container("a"), "sh", "-c", "ls /tmp/pwned 2>/dev/null || :") == b""


# What has been tried to have a superuser, or the operating system's user of the server, run something.
FOREIGN = {
    "a default beside the triggers": "ALTER TABLE public.t ADD COLUMN y int DEFAULT public.evil(),"
    " DISABLE TRIGGER ALL;",
    "a default beside the owner": "ALTER TABLE public.t ADD COLUMN y int DEFAULT public.evil(), OWNER TO pg_monitor;",
    "a command behind a comment": "ALTER TABLE public.t --\r\\! touch /tmp/pwned #\n OWNER TO pg_monitor;",
    "an owner who runs programs": "CREATE FUNCTION public.run() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$"
    " BEGIN COPY (SELECT 1) TO PROGRAM 'touch /tmp/pwned'; END $$;\n"
    "ALTER FUNCTION public.run() OWNER TO pg_execute_server_program;",
    "a transaction": "BEGIN;\nINSERT INTO public.t VALUES (1);\nALTER TABLE public.t DISABLE TRIGGER ALL;\nCOMMIT;",
}
EVIL = """-- PostgreSQL database dump
CREATE TABLE public.t (a integer);
CREATE FUNCTION public.evil() RETURNS integer LANGUAGE plpgsql AS $$ BEGIN
  IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN CREATE ROLE pwned; END IF;
  RETURN 1; END $$;
INSERT INTO public.t VALUES (1);
"""


@pytest.mark.parametrize("what", FOREIGN)
def test_who_wrote_a_dump_runs_nothing(shared, what):
    if not shared.directory("foreign").exists():
        shared.run("foreign")
    path = Path(shared.root, "foreign.sql")
    path.write_text(EVIL + FOREIGN[what] + "\n-- PostgreSQL database dump complete\n")
    given = {"replace": True, "backup_first": False, "keep_old": 0, "timeout": 60}
    with contextlib.suppress(Failed):
        run(shared, "foreign", module="postgres_db_import", path=str(path), **given)
    with contextlib.suppress(Exception):
        shared.query("foreign", "SELECT public.run()")
    container = shared.container("foreign")
    assert (
        psql(container, "postgres", "SELECT count(*) FROM pg_roles WHERE rolname IN ('pwned', 'vellaric_loader')")
        == "0"
    )
    assert in_container(container, "sh", "-c", "ls /tmp/pwned 2>/dev/null || :") == b""


def test_what_was_a_superusers_comes_back_with_nothing_of_the_owners(host):
    """The owner of the database writes a rule for a superuser's table, and another body for what fires for him."""
    host.run("a")
    script = f"""CREATE TABLE public.audit (a text); GRANT INSERT ON public.audit TO "{USERNAME}";
      CREATE TABLE public.plain (a text);
      CREATE FUNCTION public.et() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
      CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION public.et();
      CREATE FUNCTION public.kept() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'"""
    host.psql_in("a", script)
    host.query(
        "a",
        f"""CREATE FUNCTION public.plant() RETURNS void LANGUAGE plpgsql AS $f$ BEGIN
          EXECUTE 'CREATE RULE r AS ON INSERT TO public.audit DO ALSO'
            ' UPDATE pg_catalog.pg_authid SET rolsuper = true WHERE rolname = ''{USERNAME}''';
          EXECUTE 'CREATE OR REPLACE FUNCTION public.et() RETURNS event_trigger LANGUAGE plpgsql AS'
            ' ''BEGIN EXECUTE ''''ALTER ROLE "{USERNAME}" SUPERUSER''''; END''';
        EXCEPTION WHEN others THEN NULL; END $f$;
        CREATE FUNCTION public.chk(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
          $f$ BEGIN PERFORM public.plant(); RETURN i; END $f$;
        CREATE TABLE public.zz (i int); INSERT INTO public.zz VALUES (1); CREATE INDEX ON public.zz (public.chk(i))""",
    )
    take(host, "a")
    run(host, "a", backup="latest", backup_first=False, keep_old=0)
    host.query("a", "INSERT INTO public.audit VALUES ('x')")
    host.psql_in("a", "CREATE TABLE public.later (a int)")
    assert host.psql_in("a", "SELECT count(*) FROM pg_rules WHERE rulename = 'r'") == "0"
    assert host.psql("a", f"SELECT rolsuper FROM pg_roles WHERE rolname = '{USERNAME}'") == "f"
    owners = "SELECT relname || ' ' || pg_get_userbyid(relowner) FROM pg_class"
    assert host.psql_in("a", f"{owners} WHERE relname IN ('audit', 'plain') ORDER BY 1") == (
        "audit postgres\nplain postgres"
    )
    assert host.psql_in("a", "SELECT pg_get_userbyid(proowner) FROM pg_proc WHERE proname = 'kept'") == "postgres"
    assert host.psql_in("a", "SELECT evtenabled FROM pg_event_trigger WHERE evtname = 'e'") == "O"


def test_the_owner_bars_no_restore_with_a_grant_to_the_loading_role(host):
    host.run("a")
    host.query(
        "a",
        """CREATE TABLE g (a int);
        CREATE FUNCTION give() RETURNS int LANGUAGE plpgsql AS $f$ BEGIN
          GRANT SELECT ON g TO vellaric_loader; RETURN 1; EXCEPTION WHEN undefined_object THEN RETURN 1; END $f$;
        CREATE MATERIALIZED VIEW m AS SELECT give()""",
    )
    take(host, "a")
    psql(host.container("a"), "postgres", "CREATE ROLE vellaric_loader")
    host.query("a", "GRANT SELECT ON g TO vellaric_loader")
    for turn in range(2):
        run(host, "a", backup="latest", backup_first=False, keep_old=0)
    assert host.psql("a", "SELECT count(*) FROM pg_roles WHERE rolname = 'vellaric_loader'") == "0"

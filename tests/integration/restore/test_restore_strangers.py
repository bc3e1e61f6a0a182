# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups that another host took, whose root writes into them whatever he likes: nothing of it is a superuser's here.

Two data roots stand for two hosts: each has a key of its own.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._backups import manifest as manifests
from harness import THOROUGH, USERNAME, Failed, Host
from restoring import in_container, nothing_left, psql, run, take

# What the superuser of the other host makes there, all of which comes back where its backup is believed.
THEIRS = rf"""CREATE FUNCTION public.evil() RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
  COPY (SELECT 1) TO PROGRAM 'touch /tmp/pwned'; RETURN current_user; END $$;
CREATE FUNCTION public.fires() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
  IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
    COPY (SELECT 1) TO PROGRAM 'touch /tmp/pwned'; END IF; END $$;
CREATE EVENT TRIGGER fires ON ddl_command_end EXECUTE FUNCTION public.fires();
ALTER EVENT TRIGGER fires ENABLE ALWAYS;
CREATE FUNCTION public.system(cstring) RETURNS int LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';
CREATE FUNCTION public.leaks(int) RETURNS int LANGUAGE sql LEAKPROOF AS 'SELECT 1';
CREATE CAST (int AS point) WITH INOUT AS ASSIGNMENT;
CREATE PUBLICATION everything FOR ALL TABLES;
CREATE TABLE public.kept AS SELECT n AS id, 'row ' || n AS name FROM generate_series(1, 50) AS n;
ALTER TABLE public.kept OWNER TO "{USERNAME}"; ALTER TABLE public.kept ADD PRIMARY KEY (id);
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE public.runs (a text) SERVER files OPTIONS (program 'touch /tmp/pwned');
ALTER FOREIGN TABLE public.runs OWNER TO "{USERNAME}";
CREATE ROLE boss SUPERUSER LOGIN PASSWORD 'x'; CREATE ROLE middle CREATEROLE; CREATE ROLE clerk;
GRANT middle TO "{USERNAME}"; GRANT boss TO clerk;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_file(text) TO PUBLIC;
GRANT SELECT ON public.kept TO clerk; ALTER TABLE public.kept ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON public.kept TO "{USERNAME}", clerk USING (true);
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO clerk;
"""
# What there is of it.
FOUND = """SELECT json_build_object(
  'supers', (SELECT json_agg(rolname ORDER BY rolname) FROM pg_roles WHERE rolsuper),
  'makers', (SELECT count(*) FROM pg_roles WHERE rolcreaterole AND NOT rolsuper),
  'members', (SELECT count(*) FROM pg_auth_members WHERE roleid >= 16384),
  'functions', (SELECT json_object_agg(proname, proowner::regrole::text) FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace AND proname !~ '^file_fdw'),
  'leakproof', (SELECT count(*) FROM pg_proc WHERE proleakproof AND oid >= 16384),
  'triggers', (SELECT count(*) FROM pg_event_trigger), 'casts', (SELECT count(*) FROM pg_cast WHERE oid >= 16384),
  'publications', (SELECT count(*) FROM pg_publication), 'foreign', (SELECT count(*) FROM pg_foreign_table),
  'extensions', (SELECT count(*) FROM pg_extension WHERE extname = 'file_fdw'),
  'read_file', has_function_privilege('public', 'pg_catalog.pg_read_file(text)', 'EXECUTE'),
  'tables', (SELECT json_object_agg(relname, relowner::regrole::text) FROM pg_class WHERE relname = 'kept'),
  'policy', (SELECT polroles::regrole[]::text FROM pg_policy),
  'settings', (SELECT json_agg(setconfig) FROM pg_db_role_setting JOIN pg_database AS d ON d.oid = setdatabase
    WHERE datname = current_database()),
  'defaults', (SELECT count(*) FROM pg_default_acl))::text"""


@pytest.fixture(scope="module")
def elsewhere():
    """Another host, and a backup of a database of its."""
    host = Host()
    try:
        host.run("a", extensions=["file_fdw"])
        host.psql_in("a", THEIRS)
        database = host.name("a")
        host.psql_in("a", f"ALTER DATABASE \"{database}\" SET session_preload_libraries = 'auto_explain'")
        host.psql_in("a", f"ALTER DATABASE \"{database}\" SET work_mem = '7MB'")
        host.psql_in("a", f'GRANT CREATE ON DATABASE "{database}" TO clerk')
        yield host, take(host, "a")
    finally:
        host.close()


@pytest.fixture(scope="module")
def here(shared):
    """A database of this host."""
    shared.run("b", extensions=["file_fdw"])
    return shared


@pytest.fixture
def brought(here, elsewhere, tmp_path):
    """The backup of the other host, with its files beside it."""
    directory = tmp_path / "brought"
    directory.mkdir(mode=0o700)
    for path in Path(elsewhere[1].path).parent.glob(f"{elsewhere[1].file_name}*"):
        shutil.copy(path, directory)
    return directory / elsewhere[1].file_name


def restored(host, brought, **options):
    given = {"allow_other_database": True, "backup_first": False, "keep_old": 0, **options}
    return run(host, "b", backup=str(brought), **given)


def found(host):
    return json.loads(psql(host.container("b"), host.name("b"), FOUND))


def forge(brought, **changes):
    """Write a manifest as whoever knows how its checksum is made."""
    path = Path(f"{brought}.json")
    content = {**json.loads(path.read_text()), **changes}
    content.pop("checksum")
    path.write_text(json.dumps({**content, "checksum": manifests._checksum(content)}))


def nothing_ran(host):
    assert in_container(host.container("b"), "sh", "-c", "ls /tmp/pwned 2>/dev/null || :") == b""


def test_what_another_host_took_is_the_applications_alone(here, elsewhere, brought):
    host = here
    answer = restored(host, brought)
    there = found(host)
    owned = {"evil": USERNAME, "leaks": USERNAME, "fires": USERNAME}
    assert there.pop("functions") == owned and there.pop("tables") == {"kept": USERNAME}, there
    assert there.pop("settings") == [["work_mem=7MB"]]
    assert sorted(there.pop("policy")[1:-1].split(",")) == sorted(["clerk", USERNAME])
    assert there == {
        "supers": ["postgres"],
        "makers": 0,
        "members": 0,
        "leakproof": 0,
        "triggers": 0,
        "casts": 0,
        "publications": 0,
        "foreign": 0,
        "extensions": 1,
        "read_file": False,
        "defaults": 0,
    }
    assert answer["restored"]["rows"] == 50 and len(host.query("b", "TABLE kept")) == 50
    warnings = str(answer["warnings"])
    assert "was not taken by this host" in warnings and "event triggers (2)" in warnings, warnings
    assert "clone_trust_source" in warnings
    host.psql_in("b", "CREATE TABLE by_the_superuser (a int)")
    with pytest.raises(Exception, match="permission denied|must be superuser"):
        host.query("b", "SELECT evil()")
    nothing_ran(host)
    nothing_left(host, "b")
    if not THOROUGH:
        return
    # What its own host took, be it by the same words, is believed there, and here where that is said.
    assert "not taken by this host" not in str(run(elsewhere[0], "a", backup_first=False, keep_old=0).get("warnings"))
    believed = restored(host, brought, trust_source=True)
    there = found(host)
    assert there["functions"]["evil"] == "postgres" and there["triggers"] == 1 and there["casts"] == 1
    assert "not taken by this host" not in str(believed.get("warnings"))


def test_no_word_of_a_forged_manifest_makes_it_ones_own(here, brought):
    """As if it was of this very database, with roles that may log in, and SQL where a word is expected."""
    host = here
    forge(brought, database_id=host.record("b")["id"])
    restored(host, brought, allow_other_database=False)
    there = found(host)
    assert there["supers"] == ["postgres"] and there["makers"] == 0 and there["triggers"] == 0
    assert host.psql(
        "b", "SELECT count(*) FROM pg_authid WHERE rolname IN ('boss', 'middle') AND rolpassword <> ''"
    ) == ("0")
    for seal in [None, "0" * 64, "é"] if THOROUGH else []:
        forge(brought, seal=seal)
        restored(host, brought)
        assert found(host)["functions"]["evil"] == USERNAME
    content = json.loads(Path(f"{brought}.json").read_text())["database"]
    runs = "CREATE ON DATABASE postgres TO clerk; COPY (SELECT 1) TO PROGRAM 'touch /tmp/pwned'; --"
    grants = [{"role": "clerk", "privilege": runs, "grantable": False}]
    forge(brought, database={**content, "grants": grants})
    with pytest.raises(Failed) as failure:
        restored(host, brought, trust_source=True)
    assert "damaged: database" in failure.value.message
    if THOROUGH:
        # A user who exists gets nothing, and loses nothing.
        forge(brought, database={**content, "owner": "postgres"})
        restored(host, brought)
        assert found(host)["functions"]["evil"] == USERNAME
    nothing_ran(host)


@pytest.mark.skipif(not THOROUGH, reason="takes 15 s, and the parts have tests of their own: VELLARIC_TEST_THOROUGH=1")
def test_a_seal_counts_where_nobody_else_has_the_backup_in_hand(host):
    host.run("b")
    host.psql_in("b", "CREATE FUNCTION public.kept() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    backup = take(host, "b")
    directory = Path(host.root, "downloaded")
    directory.mkdir()
    for path in Path(backup.path).parent.glob(f"{backup.file_name}*"):
        shutil.copy(path, directory)
    path = directory / backup.file_name
    owner = "SELECT proowner::regrole::text FROM pg_proc WHERE proname = 'kept'"
    for uid, expected in ((0, "postgres"), (1234, USERNAME)):
        os.chown(directory, uid, -1)
        planned = run(host, "b", check=False, backup=str(path), backup_first=False, keep_old=0)
        assert host.psql_in("b", owner) == expected
        assert ("as an import is" in planned["actions"][1]["summary"]) is (uid != 0), planned["actions"]


def test_extensions_that_only_a_superuser_makes_are_declared_first(here, brought):
    host = here
    host.psql_in("b", "DROP SERVER IF EXISTS files CASCADE")
    host.run("b", extensions=[])
    with pytest.raises(Failed) as failure:
        restored(host, brought)
    assert "extensions: [file_fdw]" in failure.value.message and "trust_source" in failure.value.message
    nothing_left(host, "b")

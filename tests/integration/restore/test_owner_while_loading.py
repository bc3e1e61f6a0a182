# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the owner of a database has run while it is loaded, when all is the loading role's, changes nothing of others'.

And what is others' comes back, with what only a superuser may give it.
"""

from __future__ import annotations

import json
import os

import pytest
from harness import IMAGE, OTHER_MAJOR_IMAGE, THOROUGH, USERNAME
from restoring import run, take

IMAGES = [IMAGE, OTHER_MAJOR_IMAGE, os.environ.get("VELLARIC_TEST_NEWEST_IMAGE", "vellaric/postgres:18-forky")]
OTHERS = f"""CREATE ROLE "a maker" CREATEROLE;
CREATE FUNCTION public.made() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT current_user::text';
ALTER FUNCTION public.made() OWNER TO "a maker";
CREATE FUNCTION public.watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER w ON ddl_command_start EXECUTE FUNCTION public.watch();
CREATE EVENT TRIGGER x ON ddl_command_start EXECUTE FUNCTION public.watch();
ALTER EVENT TRIGGER w ENABLE ALWAYS; ALTER EVENT TRIGGER x ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER x IS 'watches';
CREATE PUBLICATION p FOR ALL TABLES; COMMENT ON PUBLICATION p IS 'all';
CREATE SUBSCRIPTION s CONNECTION 'dbname=elsewhere' PUBLICATION p WITH (connect = false, slot_name = NONE);
CREATE SCHEMA admin; GRANT USAGE ON SCHEMA admin TO PUBLIC;
CREATE FUNCTION admin.helper(bigint) RETURNS text LANGUAGE sql AS 'SELECT current_user::text';
CREATE FUNCTION admin.calls() RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = admin, pg_temp
  AS 'BEGIN RETURN helper(1); END';
CREATE TABLE public.audit (a text);
CREATE VIEW public.seen WITH (security_barrier = true) AS SELECT a FROM public.audit;
CREATE EXTENSION postgres_fdw; CREATE EXTENSION dblink;
CREATE SERVER boss FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '192.0.2.1');
CREATE SERVER theirs FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '192.0.2.2');
ALTER SERVER theirs OWNER TO "{USERNAME}"; GRANT USAGE ON FOREIGN SERVER boss TO "{USERNAME}";
CREATE USER MAPPING FOR "{USERNAME}" SERVER boss OPTIONS (password_required 'false');
CREATE USER MAPPING FOR PUBLIC SERVER theirs OPTIONS (password_required 'false');
CREATE USER MAPPING FOR "{USERNAME}" SERVER theirs OPTIONS (password 'it''s', user 'x');
CREATE FUNCTION public.small(a text DEFAULT 'X'::text) RETURNS int LANGUAGE internal STRICT AS 'textlen';
CREATE FUNCTION public.logged(a int DEFAULT 1) RETURNS int LANGUAGE sql LEAKPROOF SET log_statement = 'all'
  SET work_mem = '5MB' BEGIN ATOMIC SELECT CASE WHEN a > 0 THEN 1 END; SELECT 2; END;
ALTER FUNCTION public.small(text) OWNER TO "{USERNAME}"; ALTER FUNCTION public.logged(int) OWNER TO "{USERNAME}";
ALTER SCHEMA public OWNER TO postgres; GRANT CREATE ON SCHEMA public TO PUBLIC;
"""
# Each for itself: what one of them is told changes nothing for the next.
ATTACKS = (
    "CREATE OR REPLACE FUNCTION public.made() RETURNS text LANGUAGE sql SECURITY DEFINER AS $$SELECT ''evil''$$",
    "CREATE OR REPLACE FUNCTION public.watch() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN IF (SELECT rolsuper"
    " FROM pg_roles WHERE rolname = current_user) THEN CREATE ROLE pwned; END IF; END $$",
    "CREATE FUNCTION admin.helper(int) RETURNS text LANGUAGE sql AS $$SELECT ''evil''$$",
    "ALTER TABLE public.audit ALTER a TYPE public.d",
    "ALTER VIEW public.seen RESET (security_barrier)",
    "ALTER SERVER boss OPTIONS (SET host ''/var/run/postgresql'')",
    "DO $$ BEGIN CREATE FUNCTION admin.helper(int) RETURNS text LANGUAGE sql AS ''SELECT 1''; END $$",
)
PLANTED = (
    "CREATE DOMAIN public.d AS text CHECK (value <> 'x');"
    "CREATE FUNCTION public.plant(i int) RETURNS int LANGUAGE plpgsql AS $plant$ BEGIN "
    + "".join(f"BEGIN EXECUTE '{attack}'; EXCEPTION WHEN others THEN NULL; END; " for attack in ATTACKS)
    + "BEGIN EXECUTE format('ALTER DATABASE %I SET session_replication_role = replica', current_database());"
    " EXCEPTION WHEN others THEN NULL; END;"
    " BEGIN ALTER ROLE vellaric_loader PASSWORD 'x'; ALTER ROLE vellaric_loader SET statement_timeout = 1;"
    " PERFORM public.dblink_connect('host=/var/run/postgresql user=vellaric_loader password=x"
    " options=-cstatement_timeout=0 dbname=' || current_database());"
    " PERFORM public.dblink_exec('COMMENT ON TABLE public.zz IS $$came in$$');"
    " EXCEPTION WHEN others THEN NULL; END;"
    # What goes on when the session that has begun it is gone.
    " FOR late IN 1..3 LOOP BEGIN PERFORM public.dblink_connect('late' || late, 'host=/var/run/postgresql"
    " user=vellaric_loader password=x options=-cstatement_timeout=0 dbname=' || current_database());"
    " PERFORM public.dblink_send_query('late' || late, format('SELECT pg_sleep(%s);"
    " COMMENT ON TABLE public.zz IS $$came in$$', late * 0.4)); EXCEPTION WHEN others THEN NULL; END; END LOOP;"
    " BEGIN IF current_database() ~ 'restoring' THEN EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT 0',"
    " current_database()); END IF; EXCEPTION WHEN others THEN NULL; END; RETURN i; END $plant$;"
    "CREATE TABLE public.zz (i int CHECK (public.plant(i) = i)); INSERT INTO public.zz VALUES (1);"
    # What is immutable itself may change nothing.
    "CREATE FUNCTION public.same(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS"
    " 'BEGIN RETURN public.plant(i); END';"
    "CREATE INDEX ON public.zz (public.same(i));"
    "CREATE RULE twice AS ON INSERT TO public.zz DO ALSO (SELECT 1; SELECT 2)"
)
FOUND = """SELECT json_build_object(
  'made', (SELECT proowner::regrole::text || ' ' || prosrc FROM pg_proc WHERE proname = 'made'),
  'watch', (SELECT proowner::regrole::text || ' ' || prosrc FROM pg_proc WHERE proname = 'watch'),
  'triggers', (SELECT string_agg(evtname || evtenabled::text, ' ' ORDER BY evtname) FROM pg_event_trigger),
  'helpers', (SELECT count(*) FROM pg_proc WHERE proname = 'helper'),
  'guards', (SELECT count(*) FROM pg_proc WHERE proname ~ 'vellaric'),
  'calls', (SELECT proowner::regrole::text FROM pg_proc WHERE proname = 'calls'),
  'audit', (SELECT relowner::regrole::text || ' ' || atttypid::regtype FROM pg_class JOIN pg_attribute
    ON attrelid = pg_class.oid WHERE relname = 'audit' AND attname = 'a'),
  'seen', (SELECT relowner::regrole::text || ' ' || reloptions::text FROM pg_class WHERE relname = 'seen'),
  'servers', (SELECT json_object_agg(srvname, srvowner::regrole::text || ' ' || srvoptions::text)
    FROM pg_foreign_server),
  'mappings', (SELECT json_agg(concat_ws(' ', srvname, usename, umoptions::text) ORDER BY srvname, usename)
    FROM pg_user_mappings),
  'small', (SELECT proowner::regrole::text || ' ' || public.small() FROM pg_proc WHERE proname = 'small'),
  'logged', (SELECT proleakproof::text || ' ' || proconfig::text FROM pg_proc WHERE proname = 'logged'),
  'public', (SELECT nspowner::regrole::text || ' ' || has_schema_privilege('a maker', oid, 'CREATE')
    FROM pg_namespace WHERE nspname = 'public'),
  'subscription', (SELECT subowner::regrole::text || ' ' || subenabled FROM pg_subscription),
  'settings', (SELECT json_agg(setconfig) FROM pg_db_role_setting JOIN pg_database AS d ON d.oid = setdatabase
    WHERE datname = current_database()),
  'limit', (SELECT datconnlimit FROM pg_database WHERE datname = current_database()),
  'comments', (SELECT count(*) FROM pg_description WHERE description = 'came in'),
  'pwned', (SELECT count(*) FROM pg_roles WHERE rolname = 'pwned'))::text"""


@pytest.mark.parametrize("jobs", [1, 3] if THOROUGH else [1])
@pytest.mark.parametrize("image", IMAGES if THOROUGH else IMAGES[:1])
def test_what_is_others_stays_as_it_is(host, image, jobs):
    """Loaded by one session, and by several at once: these are locked out, so that one does it in the end."""
    host.defaults["image"] = image
    host.run("a")
    host.psql_in("a", OTHERS)
    host.query("a", PLANTED)
    before = json.loads(host.psql_in("a", FOUND))
    assert before["made"].startswith('"a maker" SELECT') and "log_statement=all" in before["logged"], before
    take(host, "a", format="plain" if jobs == 1 else "custom")
    of = {"data_root": host.data_root, "backup_root": host.defaults["backup_root"], "environment": host.environment}
    verified = host._result("postgres_db_backup", {**of, "name": host.name("a"), "state": "verified"})
    assert not verified.get("failed"), verified
    answer = run(host, "a", backup="latest", backup_first=False, keep_old=0, jobs=jobs)
    after = json.loads(host.psql_in("a", FOUND))
    # Whoever owns a server says where it is.
    before["mappings"].remove("theirs public {password_required=false}")
    different = {key: (before[key], after[key]) for key in before if before[key] != after[key]}
    assert not different, different
    warnings = str(answer["warnings"])
    assert "PUBLIC at theirs" in warnings or "public at theirs" in warnings
    assert "subscriptions s came back disabled" in warnings
    assert ("by one process" in warnings) is (jobs > 1)
    assert host.query("a", "SELECT public.made(), admin.calls()") == [("a maker", "postgres")]

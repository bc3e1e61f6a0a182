# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a database holds: the objects by kind, the rows by table, and what pg_dump says nothing of. Pure text."""

from __future__ import annotations

import json
import re

# As pg_dump: what is read must not depend on how the role or the database is set up, and no function of a user be taken
# for one of the server's. Parameters differ by version.
_PREPARE = """SET search_path = '';
SELECT count(set_config(name, value, false)) FROM pg_settings JOIN (VALUES
  ('statement_timeout', '0'), ('lock_timeout', '200ms'),
  ('idle_in_transaction_session_timeout', '0'), ('idle_session_timeout', '0'), ('transaction_timeout', '0'),
  ('default_transaction_deferrable', 'off'), ('row_security', 'off'), ('client_encoding', 'UTF8'),
  ('restrict_nonsystem_relation_kind', 'view, foreign-table'))
  AS wanted(name, value) USING (name) \\gset prepared_
"""
_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;\nSELECT pg_export_snapshot();\n"

# Schemas of the server's own begin with pg_. What belongs to an extension comes with it.
_USER_SCHEMA = "nspname !~ '^pg_' AND nspname <> 'information_schema'"
_NOT_OF_EXTENSION = (
    "NOT EXISTS (SELECT FROM pg_catalog.pg_depend WHERE classid = '{catalog}'::regclass AND objid = {oid}"
    " AND deptype = 'e')"
)


def _in_schemas(catalog, schema, condition="true"):
    not_of_extension = _NOT_OF_EXTENSION.format(catalog=catalog, oid="object.oid")
    return (
        f"SELECT count(*) FROM {catalog} AS object JOIN pg_catalog.pg_namespace AS n ON n.oid = object.{schema}"
        f" WHERE {_USER_SCHEMA} AND {condition} AND {not_of_extension}"
    )


def _relations(kinds):
    return _in_schemas("pg_catalog.pg_class", "relnamespace", f"relkind IN ({kinds})")


def _of_relation(catalog, relation, condition="true"):
    """Count what hangs on relations; those of an extension have theirs from it."""
    not_of_extension = _NOT_OF_EXTENSION.format(catalog="pg_catalog.pg_class", oid="c.oid")
    return (
        f"SELECT count(*) FROM {catalog} AS object JOIN pg_catalog.pg_class AS c ON c.oid = object.{relation}"
        " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
        f" WHERE {_USER_SCHEMA} AND {condition} AND {not_of_extension}"
    )


_OBJECTS = {
    # A fresh database has a schema public, which pg_dump does not remove where there is none. Manifests that have
    # "schemas" counted it.
    "schemas_besides_public": "SELECT count(*) FROM pg_catalog.pg_namespace AS object WHERE "
    + _USER_SCHEMA
    + " AND nspname <> 'public' AND "
    + _NOT_OF_EXTENSION.format(catalog="pg_catalog.pg_namespace", oid="object.oid"),
    "tables": _relations("'r'"),
    "partitioned_tables": _relations("'p'"),
    "views": _relations("'v'"),
    "materialized_views": _relations("'m'"),
    "foreign_tables": _relations("'f'"),
    "sequences": _relations("'S'"),
    "composite_types": _relations("'c'"),
    # pg_dump leaves out those that a failed CREATE INDEX CONCURRENTLY has left.
    "indexes": _of_relation("pg_catalog.pg_index", "indrelid", "(indisvalid OR c.relkind = 'p') AND indisready"),
    # From 18 on NOT NULL is a constraint too.
    "constraints": _of_relation("pg_catalog.pg_constraint", "conrelid", "contype <> 'n'"),
    "triggers": _of_relation("pg_catalog.pg_trigger", "tgrelid", "NOT tgisinternal"),
    "rules": _of_relation("pg_catalog.pg_rewrite", "ev_class", "rulename <> '_RETURN'"),
    "policies": _of_relation("pg_catalog.pg_policy", "polrelid"),
    "types": _in_schemas("pg_catalog.pg_type", "typnamespace", "typtype IN ('d', 'e', 'r')"),
    "functions": _in_schemas("pg_catalog.pg_proc", "pronamespace"),
    # One that is only named as another's commutator or negator has no function, and pg_dump may leave it out.
    "operators": _in_schemas("pg_catalog.pg_operator", "oprnamespace", "oprcode <> 0"),
    "collations": _in_schemas("pg_catalog.pg_collation", "collnamespace"),
    "text_search_configurations": _in_schemas("pg_catalog.pg_ts_config", "cfgnamespace"),
    "extended_statistics": _in_schemas("pg_catalog.pg_statistic_ext", "stxnamespace"),
    "event_triggers": "SELECT count(*) FROM pg_catalog.pg_event_trigger AS object WHERE "
    + _NOT_OF_EXTENSION.format(catalog="pg_catalog.pg_event_trigger", oid="object.oid"),
    "publications": "SELECT count(*) FROM pg_catalog.pg_publication",
    "foreign_servers": "SELECT count(*) FROM pg_catalog.pg_foreign_server",
    "default_privileges": "SELECT count(*) FROM pg_catalog.pg_default_acl",
    "large_objects": "SELECT count(*) FROM pg_catalog.pg_largeobject_metadata",
}

_OBJECTS_JSON = (
    "json_build_object(" + ",\n  ".join(f"'{kind}', ({query})" for kind, query in sorted(_OBJECTS.items())) + ")"
)

# datlocprovider came with 15, daticulocale became datlocale with 17: a row as JSON has what there is.
# To one who is not a superuser, as on another server, pg_settings does not show what is preloaded. It is sent as
# one line, and has no comments for that.
_FACTS = f"""SELECT json_build_object(
  'server_version', current_setting('server_version'),
  'preload', coalesce((SELECT setting FROM pg_settings WHERE name = 'shared_preload_libraries'), ''),
  'database_size_bytes', pg_database_size(datname),
  'database', json_build_object(
    'owner', pg_get_userbyid(datdba),
    'encoding', pg_encoding_to_char(encoding),
    'locale', json_strip_nulls(json_build_object(
      'provider', coalesce(to_json(d)->>'datlocprovider', 'c'),
      'collate', datcollate,
      'ctype', datctype,
      'icu_locale', coalesce(to_json(d)->>'datlocale', to_json(d)->>'daticulocale'),
      'icu_rules', to_json(d)->>'daticurules')),
    'connection_limit', datconnlimit,
    'comment', shobj_description(oid, 'pg_database'),
    'settings', (SELECT coalesce(json_agg(json_build_object('role', rolname, 'settings', setconfig)
        ORDER BY rolname NULLS FIRST), '[]')
      FROM pg_db_role_setting LEFT JOIN pg_roles ON pg_roles.oid = setrole WHERE setdatabase = d.oid),
    'grants', (SELECT coalesce(json_agg(json_build_object('role', rolname, 'privilege', privilege_type,
        'grantable', is_grantable) ORDER BY rolname NULLS FIRST, privilege_type), '[]')
      FROM aclexplode(coalesce(datacl, acldefault('d', datdba))) LEFT JOIN pg_roles ON pg_roles.oid = grantee)),
  'extensions', (SELECT coalesce(json_object_agg(extname, extversion ORDER BY extname), '{{}}') FROM pg_extension),
  'objects', {_OBJECTS_JSON}
) FROM pg_database AS d WHERE datname = current_database();
"""

_COUNTED = f"""FROM pg_class AS object JOIN pg_namespace AS n ON n.oid = relnamespace
  WHERE relkind = 'r' AND {_USER_SCHEMA} AND relpersistence <> 't'
  AND {_NOT_OF_EXTENSION.format(catalog="pg_catalog.pg_class", oid="object.oid")}"""
_TABLE = "format('%I.%I', nspname, relname)"
# Names are looked up as they are now, not as they were at the snapshot: what has a table's name by now may be a view of
# somebody's, over that same table. What is locked keeps its name.
# https://www.postgresql.org/support/security/CVE-2024-7348/
_LOCKED = (
    "AND object.oid IN (SELECT relation FROM pg_locks WHERE pid = pg_backend_pid() AND granted)"
    f" AND to_regclass({_TABLE}) = object.oid"
)


def snapshot():
    """Return the script that begins a transaction and prints the name of its snapshot, as one line."""
    return _PREPARE + _SNAPSHOT


def facts():
    """Return the script that prints one line of JSON for `parse`. Of the snapshot, in a transaction that has one."""
    return "".join(line.strip() + " " for line in _FACTS.splitlines()) + "\n"


def prepare():
    """Return the script to begin with where there is no snapshot to share."""
    return _PREPARE


def row_counts(end, shared=False):
    """Return the script that prints a line of JSON, [table, rows], for each table, and `end` as the last.

    A table that somebody waits to have for himself is left out: behind him, to count its rows could wait for the end
    of the dump, after which they might be gone. The locks are therefore all taken first, and none is waited for.
    shared: others may have an index for themselves too (REINDEX), whose table is then left out; what else fails is for
    `failure` to find in what psql said.
    """
    lock = f"format('LOCK TABLE ONLY %s IN ACCESS SHARE MODE NOWAIT', {_TABLE})"
    count = f"format('SELECT json_build_array(%L, count(*)) FROM ONLY %s', {_TABLE}, {_TABLE})"
    return (
        "\\set ON_ERROR_ROLLBACK on\n"
        f"\\set ON_ERROR_STOP off\nSELECT {lock} {_COUNTED} \\gexec\n\\set ON_ERROR_STOP on\n"
        + ("\\set ON_ERROR_STOP off\n\\set VERBOSITY verbose\n" if shared else "")
        + f"SELECT {count} {_COUNTED} {_LOCKED} ORDER BY relpages DESC \\gexec\n"
        + f"\\set ON_ERROR_STOP on\n\\set VERBOSITY terse\n\\echo '{end}'\n"
    )


# As psql says it when it is verbose: where it comes from, how bad it is, its code. Others are notices and warnings.
_FAILURE = re.compile(r"^psql:\S+ \S+:\s+(?!55P03|0[012])([0-9A-Z]{5}): .*", re.M)


def failure(said):
    """Return what went wrong in counting other than that somebody has a lock, or None."""
    match = _FAILURE.search(said)
    return match.group() if match else None


def parse(line):
    return json.loads(line)


def parse_row_count(line):
    table, rows = json.loads(line)
    return table, rows

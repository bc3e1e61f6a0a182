# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a database holds: the objects by kind, the rows by table, and what pg_dump says nothing of. Pure text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from .loader import GUARD_NAME
from .sql import identity

# As pg_dump: what is read must not depend on how the role or the database is set up, and no function of a user be taken
# for one of the server's. Parameters differ by version.
_PREPARE = """SET search_path = '';
SELECT count(set_config(name, value, false)) FROM pg_settings JOIN (VALUES
  ('statement_timeout', '0'), ('lock_timeout', '200ms'),
  ('idle_in_transaction_session_timeout', '0'), ('idle_session_timeout', '0'), ('transaction_timeout', '0'),
  ('default_transaction_deferrable', 'off'), ('row_security', 'off'), ('constraint_exclusion', 'off'),
  ('client_encoding', 'UTF8'),
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


def _in_schemas(catalog: str, schema: str, condition: str = "true", wanted: str = "count(*)") -> str:
    not_of_extension = _NOT_OF_EXTENSION.format(catalog=catalog, oid="object.oid")
    return (
        f"SELECT {wanted} FROM {catalog} AS object JOIN pg_catalog.pg_namespace AS n ON n.oid = object.{schema}"
        f" WHERE {_USER_SCHEMA} AND {condition} AND {not_of_extension}"
    )


def _relations(kinds: str) -> str:
    return _in_schemas("pg_catalog.pg_class", "relnamespace", f"relkind IN ({kinds})")


def _of_relation(catalog: str, relation: str, condition: str = "true", wanted: str = "count(*)") -> str:
    """Count what hangs on relations; those of an extension have theirs from it."""
    not_of_extension = _NOT_OF_EXTENSION.format(catalog="pg_catalog.pg_class", oid="c.oid")
    return (
        f"SELECT {wanted} FROM {catalog} AS object JOIN pg_catalog.pg_class AS c ON c.oid = object.{relation}"
        " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
        f" WHERE {_USER_SCHEMA} AND {condition} AND {not_of_extension}"
    )


# pg_dump leaves out those that a failed CREATE INDEX CONCURRENTLY has left.
_DUMPED_INDEXES = "(indisvalid OR c.relkind = 'p') AND indisready"


def _comments() -> str:
    """Count the comments that pg_dump takes: what it dumps with another thing has none of its own there.

    Of what only a superuser makes, and of casts and the like, comments are not counted.
    """

    def one(catalog: str, oid: str = "oid") -> str:
        return f"'{catalog}'::regclass::oid, object.{oid}"

    def schemas(catalog: str, schema: str, condition: str = "true") -> str:
        return _in_schemas(f"pg_catalog.{catalog}", schema, condition, one(catalog))

    def relation(catalog: str, column: str, condition: str) -> str:
        return _of_relation(f"pg_catalog.{catalog}", column, condition, one(catalog))

    row_type = "(SELECT relkind FROM pg_catalog.pg_class WHERE oid = object.typrelid)"
    composite = f"typtype = 'c' AND {row_type} = 'c'"
    # What a type brings with it, such as the functions that make a range.
    own = "NOT EXISTS (SELECT FROM pg_catalog.pg_depend WHERE classid = '{}'::regclass AND objid = object.oid"
    own += " AND deptype = 'i')"
    # Those of the columns are with their relation.
    commented = (
        schemas("pg_class", "relnamespace", "relkind IN ('r', 'p', 'v', 'm', 'f', 'S')"),
        _in_schemas("pg_catalog.pg_type", "typnamespace", composite, one("pg_class", "typrelid")),
        _of_relation("pg_catalog.pg_index", "indrelid", _DUMPED_INDEXES, one("pg_class", "indexrelid")),
        # Partitions have theirs from what they are a part of. Columns came with 11 and 13.
        relation(
            "pg_constraint",
            "conrelid",
            "contype IN ('c', 'f', 'p', 'u', 'x') AND conislocal"
            " AND coalesce(to_jsonb(object)->>'conparentid', '0') = '0'",
        ),
        schemas(
            "pg_constraint",
            "connamespace",
            "contype = 'c' AND contypid <> 0 AND "
            + _NOT_OF_EXTENSION.format(catalog="pg_catalog.pg_type", oid="object.contypid"),
        ),
        relation("pg_trigger", "tgrelid", "NOT tgisinternal AND coalesce(to_jsonb(object)->>'tgparentid', '0') = '0'"),
        relation("pg_rewrite", "ev_class", "rulename <> '_RETURN'"),
        relation("pg_policy", "polrelid", "true"),
        schemas("pg_proc", "pronamespace", own.format("pg_proc")),
        schemas("pg_type", "typnamespace", f"(typtype IN ('d', 'e', 'r') OR {composite})"),
        schemas("pg_operator", "oprnamespace", "oprcode <> 0"),
        schemas("pg_collation", "collnamespace"),
        schemas("pg_ts_config", "cfgnamespace"),
        schemas("pg_ts_dict", "dictnamespace"),
        schemas("pg_statistic_ext", "stxnamespace"),
        "SELECT 'pg_namespace'::regclass::oid, object.oid FROM pg_catalog.pg_namespace AS object"
        f" WHERE {_USER_SCHEMA} AND nspname <> 'public' AND "
        + _NOT_OF_EXTENSION.format(catalog="pg_catalog.pg_namespace", oid="object.oid"),
        "SELECT 'pg_largeobject'::regclass::oid, object.oid FROM pg_catalog.pg_largeobject_metadata AS object",
    )
    return (
        "SELECT count(*) FROM pg_catalog.pg_description"
        # Schema public, which has a number of the system's, may have another name by now.
        " WHERE (objoid >= 16384 OR classoid IN ('pg_largeobject'::regclass, 'pg_namespace'::regclass))"
        f" AND (classoid, objoid) IN ({' UNION ALL '.join(commented)})"
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
    "indexes": _of_relation("pg_catalog.pg_index", "indrelid", _DUMPED_INDEXES),
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
    + _NOT_OF_EXTENSION.format(catalog="pg_catalog.pg_event_trigger", oid="object.oid")
    # Ours, while a backup is loaded.
    + f" AND evtname <> '{GUARD_NAME}'",
    "publications": "SELECT count(*) FROM pg_catalog.pg_publication",
    "foreign_servers": "SELECT count(*) FROM pg_catalog.pg_foreign_server",
    "default_privileges": "SELECT count(*) FROM pg_catalog.pg_default_acl",
    "large_objects": "SELECT count(*) FROM pg_catalog.pg_largeobject_metadata",
    "comments": _comments(),
}

_OBJECTS_JSON = (
    "json_build_object(" + ",\n  ".join(f"'{kind}', ({query})" for kind, query in sorted(_OBJECTS.items())) + ")"
)

# What somebody has made in the database, as (catalog, oid, owner, what ALTER calls it, schema).
_OWNED = """
  SELECT 'pg_class'::regclass AS catalog, c.oid, relowner AS owner, CASE relkind WHEN 'v' THEN 'VIEW'
      WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END AS kind,
    relnamespace AS schema
    FROM pg_class AS c WHERE relkind IN ('r', 'p', 'v', 'm', 'f')
      OR relkind = 'S' AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid
        AND deptype IN ('a', 'i') AND refclassid = 'pg_class'::regclass)
  UNION ALL SELECT 'pg_proc'::regclass, oid, proowner, CASE prokind WHEN 'p' THEN 'PROCEDURE' WHEN 'a' THEN 'AGGREGATE'
    ELSE 'FUNCTION' END, pronamespace FROM pg_proc
  UNION ALL SELECT 'pg_type'::regclass, t.oid, typowner, CASE typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END,
    typnamespace
    FROM pg_type AS t WHERE typtype IN ('d', 'e', 'r', 'b') AND typelem = 0
      OR typtype = 'c' AND (SELECT relkind FROM pg_class WHERE oid = typrelid) = 'c'
  UNION ALL SELECT 'pg_namespace'::regclass, oid, nspowner, 'SCHEMA', oid FROM pg_namespace
  UNION ALL SELECT 'pg_operator'::regclass, oid, oprowner, 'OPERATOR', oprnamespace FROM pg_operator
  UNION ALL SELECT 'pg_opclass'::regclass, oid, opcowner, 'OPERATOR CLASS', opcnamespace FROM pg_opclass
  UNION ALL SELECT 'pg_opfamily'::regclass, oid, opfowner, 'OPERATOR FAMILY', opfnamespace FROM pg_opfamily
  UNION ALL SELECT 'pg_collation'::regclass, oid, collowner, 'COLLATION', collnamespace FROM pg_collation
  UNION ALL SELECT 'pg_conversion'::regclass, oid, conowner, 'CONVERSION', connamespace FROM pg_conversion
  UNION ALL SELECT 'pg_ts_dict'::regclass, oid, dictowner, 'TEXT SEARCH DICTIONARY', dictnamespace FROM pg_ts_dict
  UNION ALL SELECT 'pg_ts_config'::regclass, oid, cfgowner, 'TEXT SEARCH CONFIGURATION', cfgnamespace
    FROM pg_ts_config
  UNION ALL SELECT 'pg_statistic_ext'::regclass, oid, stxowner, 'STATISTICS', stxnamespace FROM pg_statistic_ext
  UNION ALL SELECT 'pg_foreign_server'::regclass, oid, srvowner, 'SERVER', 0::oid FROM pg_foreign_server"""
_OF_USERS = f"""FROM ({_OWNED}) AS object LEFT JOIN pg_namespace AS n ON n.oid = schema
  WHERE (schema = 0 OR {_USER_SCHEMA}) AND object.oid >= 16384
  AND NOT EXISTS (SELECT FROM pg_depend AS e WHERE e.classid = catalog AND e.objid = object.oid AND e.deptype = 'e')"""
# Of a definition where that runs with the rights of its owner.
_FINGERPRINT = """md5(concat_ws(' ', kind, (pg_identify_object(catalog, object.oid, 0)).identity,
    CASE WHEN kind IN ('VIEW', 'MATERIALIZED VIEW') THEN concat_ws(' ', pg_get_viewdef(object.oid),
        (SELECT reloptions::text FROM pg_class WHERE oid = object.oid))
      WHEN kind IN ('FUNCTION', 'PROCEDURE') THEN pg_get_functiondef(object.oid)
      WHEN kind = 'SERVER' THEN (SELECT concat_ws(' ', fdwname, srvtype, srvversion,
          (SELECT string_agg(one, ',' ORDER BY one) FROM unnest(srvoptions) AS one))
        FROM pg_foreign_server JOIN pg_foreign_data_wrapper AS w ON w.oid = srvfdw
        WHERE pg_foreign_server.oid = object.oid)
      WHEN kind = 'FOREIGN TABLE' THEN (SELECT concat_ws(' ', srvname,
          (SELECT string_agg(one, ',' ORDER BY one) FROM unnest(ftoptions) AS one))
        FROM pg_foreign_table JOIN pg_foreign_server AS s ON s.oid = ftserver WHERE ftrelid = object.oid) END))"""


# What is exactly as it was where it was a superuser's, and holds nothing that would run with his rights. Materialized
# views do, and so do tables and views with rules, triggers, policies, and expressions of any kind.
_HOLDS_NOTHING = """kind NOT IN
    ('MATERIALIZED VIEW', 'AGGREGATE', 'DOMAIN', 'OPERATOR CLASS', 'OPERATOR FAMILY')
  AND (catalog <> 'pg_class'::regclass OR NOT (
    EXISTS (SELECT FROM pg_trigger WHERE tgrelid = object.oid AND NOT tgisinternal)
    OR EXISTS (SELECT FROM pg_rewrite WHERE ev_class = object.oid AND rulename <> '_RETURN')
    OR EXISTS (SELECT FROM pg_policy WHERE polrelid = object.oid)
    OR EXISTS (SELECT FROM pg_index WHERE indrelid = object.oid AND (indexprs IS NOT NULL OR indpred IS NOT NULL))
    OR EXISTS (SELECT FROM pg_constraint WHERE conrelid = object.oid AND contype IN ('c', 'x'))
    OR EXISTS (SELECT FROM pg_statistic_ext WHERE stxrelid = object.oid)
    OR EXISTS (SELECT FROM pg_partitioned_table WHERE partrelid = object.oid)
    OR EXISTS (SELECT FROM pg_inherits WHERE object.oid IN (inhrelid, inhparent))
    OR EXISTS (SELECT FROM pg_attribute JOIN pg_type AS t ON t.oid = atttypid WHERE attrelid = object.oid AND attnum > 0
      AND kind <> 'VIEW' AND (t.typtype = 'd' OR t.typelem <> 0 AND t.oid >= 16384 OR t.typtype IN ('c', 'r', 'm')
        AND t.oid >= 16384))
    OR EXISTS (SELECT FROM pg_attrdef AS d WHERE adrelid = object.oid
      AND pg_get_expr(adbin, adrelid) !~ '^nextval\\(''[^'']*''::regclass\\)$')))"""


def give_to_superuser(fingerprints: Iterable[str], role: str) -> str:
    """Return what gives to a superuser, of all that belongs to a role, what is defined as it was where it was his."""
    known = ", ".join(f"'{re.sub('[^0-9a-f]', '', one)}'" for one in fingerprints)
    return f"""SET search_path = '';
SELECT format('ALTER %s %s OWNER TO postgres', kind, {identity("catalog", "object.oid")})
  {_OF_USERS} AND owner = '{role}'::regrole AND {_HOLDS_NOTHING}
  AND {_FINGERPRINT} IN ({known}) \\gexec
"""


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
_SUPERUSERS_OWN = f"""SELECT coalesce(json_agg({_FINGERPRINT} ORDER BY kind, object.oid), '[]') {_OF_USERS}
  AND owner IN (SELECT oid FROM pg_roles WHERE rolsuper);
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


def snapshot() -> str:
    """Return the script that begins a transaction and prints the name of its snapshot, as one line."""
    return _PREPARE + _SNAPSHOT


def facts() -> str:
    """Return the script that prints one line of JSON for `parse`. Of the snapshot, in a transaction that has one."""
    return _in_one_line(_FACTS)


def superusers_own() -> str:
    """Return the script that prints the fingerprints of what a superuser owns, as one line of JSON."""
    return _in_one_line(_SUPERUSERS_OWN)


def _in_one_line(script: str) -> str:
    return "".join(line.strip() + " " for line in script.splitlines()) + "\n"


def prepare() -> str:
    """Return the script to begin with where there is no snapshot to share."""
    return _PREPARE


# What the planner evaluates of a table when its rows are counted: constant parts of what is an index's, and of
# statistics. Constraints and partitions it is told to leave alone.
_EVALUATED = """(EXISTS (SELECT FROM pg_index WHERE indrelid = object.oid
    AND (indexprs IS NOT NULL OR indpred IS NOT NULL))
  OR EXISTS (SELECT FROM pg_statistic_ext AS x WHERE stxrelid = object.oid AND to_jsonb(x)->>'stxexprs' IS NOT NULL))"""
# The column that is the quickest to print, by one of the server's own functions.
_PRINTED = """(SELECT format(' (%I)', attname) FROM pg_attribute JOIN pg_type AS t ON t.oid = atttypid
  WHERE attrelid = object.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '' AND typtype IN ('b', 'e', 'd')
  ORDER BY t.oid < 16384 DESC, t.typlen > 0 DESC, t.typlen, attnum LIMIT 1)"""


def row_counts(end: str, shared: bool = False, trusted: bool = False) -> str:
    """Return the script that prints the rows of each table (`read_row_counts`), and `end` as the last line.

    A table that somebody waits to lock exclusively is left out: behind him, to count its rows could wait for the end
    of the dump, after which they might be gone. The locks are therefore all taken first, and none is waited for.
    Where the planner would evaluate what is the owner's, rows are counted by COPY, which plans nothing. trusted: the
    session has no rights that matter, and may not write to a file of the server's.
    shared: others may have an index for themselves too (REINDEX), whose table is then left out; what else fails is for
    `failure` to find in what psql said.
    """
    lock = f"format('LOCK TABLE ONLY %s IN ACCESS SHARE MODE NOWAIT', {_TABLE})"
    name = f"format('SELECT %L', to_json({_TABLE}))"
    count = f"format('SELECT json_build_array(%L, count(*)) FROM ONLY %s', {_TABLE}, {_TABLE})"
    if not trusted:
        copy = f"format('COPY %s%s TO ''/dev/null''', {_TABLE}, {_PRINTED})"
        count = f"CASE WHEN {_EVALUATED} THEN {name} END, CASE WHEN {_EVALUATED} THEN {copy} ELSE {count} END"
    return (
        "\\set ON_ERROR_ROLLBACK on\n"
        f"\\set ON_ERROR_STOP off\nSELECT {lock} {_COUNTED} \\gexec\n\\set ON_ERROR_STOP on\n"
        + ("\\set ON_ERROR_STOP off\n\\set VERBOSITY verbose\n" if shared else "")
        + f"\\set QUIET off\nSELECT {count} {_COUNTED} {_LOCKED} ORDER BY relpages DESC \\gexec\n\\set QUIET on\n"
        + f"\\set ON_ERROR_STOP on\n\\set VERBOSITY terse\n\\echo '{end}'\n"
    )


# As psql says it when it is verbose: where it comes from, how bad it is, its code. Others are notices and warnings.
_FAILURE = re.compile(r"^psql:\S+ \S+:\s+(?!55P03|0[012])([0-9A-Z]{5}): .*", re.M)


def failure(said: str) -> str | None:
    """Return what went wrong in counting other than that somebody has a lock, or None."""
    match = _FAILURE.search(said)
    return match.group() if match else None


def parse(line: str) -> Any:
    """Return what a line of JSON stands for. Raises ValueError."""
    return json.loads(line)


def read_row_counts(lines: Iterable[str], end: str) -> dict[str, int]:
    """Return the rows of each table, of the lines that `row_counts` has printed, up to `end`."""
    counts: dict[str, int] = {}
    table: str | None = None
    for line in lines:
        if line == end:
            return counts
        if line.startswith("["):
            name, rows = json.loads(line)
            counts[name] = rows
        elif line.startswith('"'):
            table = json.loads(line)
        elif line.startswith("COPY ") and table is not None:
            counts[table] = int(line[5:])
            table = None
    raise ValueError("the rows were not counted to the end")

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SQL that finds what was sorted under another C library or ICU, rebuilds it and notes the versions. Pure text.

https://www.postgresql.org/docs/current/sql-altercollation.html#SQL-ALTERCOLLATION-NOTES
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .loader import ALONE, FIRST_NORMAL_OID, LOADER
from .sql import identifier, literal

# From here on a server knows under which version the default of a database was made.
DATABASES_KNOW_SINCE = 15
# Of pg_collation: the default of the database.
_DEFAULT = 100
# What compares by the default whatever the column says: texts in jsonb, and in what extensions bring.
_JSONB = 3802


def databases(major: int) -> str:
    """Ask for all databases, with the version that each was made under and that of the library as it is."""
    known = "datcollversion, pg_database_collation_actual_version(oid)"
    recorded = known if major >= DATABASES_KNOW_SINCE else "NULL::text, NULL::text"
    return (
        "SELECT coalesce(json_agg(json_build_object('name', datname, 'open', datallowconn, 'recorded', recorded,"
        " 'actual', actual) ORDER BY datistemplate, datname), '[]')::text"
        f" FROM (SELECT datname, datallowconn, datistemplate, {recorded} FROM pg_database WHERE datconnlimit <> -2)"
        " AS d (datname, datallowconn, datistemplate, recorded, actual);\n"
    )


def _changed(major: int, everything: bool) -> str:
    """Return the collations by which something may be sorted otherwise now; everything: whatever has a version."""
    if everything:
        return (
            "SELECT oid FROM pg_collation WHERE collversion IS NOT NULL"
            f" UNION ALL SELECT {_DEFAULT}::oid FROM pg_database WHERE datname = current_database()"
            " AND (datcollate NOT IN ('C', 'POSIX') OR datctype NOT IN ('C', 'POSIX')"
            " OR coalesce(to_jsonb(pg_database)->>'datlocprovider', 'c') <> 'c')"
        )
    default = (
        f" UNION ALL SELECT {_DEFAULT}::oid FROM pg_database WHERE datname = current_database()"
        " AND datcollversion <> pg_database_collation_actual_version(oid)"
    )
    return (
        "SELECT oid FROM pg_collation WHERE collversion <> pg_collation_actual_version(oid)"
        f"{default if major >= DATABASES_KNOW_SINCE else ''}"
    )


def _servers_own(catalog: str, reference: str, owner: str) -> str:
    """What belongs to a superuser, and is the server's or an extension's."""
    member = f"SELECT FROM pg_depend AS e WHERE e.classid = '{catalog}'::regclass AND e.objid = o.oid"
    return (
        f"EXISTS (SELECT FROM {catalog} AS o JOIN pg_roles AS r ON r.oid = {owner} AND rolsuper"
        f" WHERE o.oid = {reference} AND (o.oid < {FIRST_NORMAL_OID} OR EXISTS ({member} AND e.deptype = 'e')))"
    )


# What an index evaluates belongs to the server: functions and operators, and the types of all that is in the table.
_TRUSTED = f"""NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
    AND (d.refclassid = 'pg_proc'::regclass AND NOT {_servers_own("pg_proc", "d.refobjid", "proowner")}
      OR d.refclassid = 'pg_operator'::regclass AND NOT {_servers_own("pg_operator", "d.refobjid", "oprowner")}
      OR d.refclassid = 'pg_type'::regclass AND NOT {_servers_own("pg_type", "d.refobjid", "typowner")}))
  AND NOT EXISTS (SELECT FROM unnest(i.indclass) AS one WHERE NOT {_servers_own("pg_opclass", "one", "opcowner")})
  AND NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid IN (i.indexrelid, i.indrelid) AND NOT a.attisdropped
    AND NOT {_servers_own("pg_type", "a.atttypid", "typowner")})"""

# What the keys of an index are made of: what a domain is of, an array or a range.
_KEY_TYPES = """WITH RECURSIVE kinds AS (SELECT atttypid AS type FROM pg_attribute
      WHERE attrelid = i.indexrelid AND attnum <= i.indnkeyatts
    UNION SELECT unnest(ARRAY[typbasetype, typelem, (SELECT rngsubtype FROM pg_range WHERE rngtypid = kinds.type)])
      FROM kinds JOIN pg_type ON pg_type.oid = kinds.type)
    SELECT FROM kinds JOIN pg_type ON pg_type.oid = kinds.type LEFT JOIN pg_range ON rngtypid = kinds.type"""


def found(major: int, everything: bool) -> str:
    """Ask the database connected to for its collations, and for the indexes and tables that depend on them.

    An index does so by its columns' collations, by what its expressions name, and, where the default has changed, by
    what may compare texts without saying so. In doubt it does.
    """
    return f"""{ALONE}SET search_path = pg_catalog;
WITH changed AS MATERIALIZED ({_changed(major, everything)}),
usual AS MATERIALIZED (SELECT FROM changed WHERE oid = {_DEFAULT}),
affected AS (SELECT i.*, c.relname, n.nspname, t.relname AS table_name, t.relowner, tn.nspname AS table_schema
  FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_class AS t ON t.oid = i.indrelid JOIN pg_namespace AS tn ON tn.oid = t.relnamespace
  WHERE c.relkind = 'i' AND i.indisvalid AND c.relpersistence <> 't' AND (
    EXISTS (SELECT FROM unnest(i.indcollation) AS one WHERE one IN (SELECT oid FROM changed))
    OR EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
      AND d.refclassid = 'pg_collation'::regclass AND d.refobjid IN (SELECT oid FROM changed))
    OR EXISTS ({_KEY_TYPES}
      WHERE typtype IN ('c', 'm') AND EXISTS (SELECT FROM changed) OR rngcollation IN (SELECT oid FROM changed)
        OR kinds.type = {_JSONB} AND EXISTS (SELECT FROM usual)
          AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'btree'))
    OR EXISTS (SELECT FROM usual) AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL
      OR c.relam IN (SELECT oid FROM pg_am WHERE amname IN ('btree', 'gin'))
        AND EXISTS (SELECT FROM unnest(i.indclass) AS one WHERE one >= {FIRST_NORMAL_OID}))))
SELECT json_build_object(
  'collations', (SELECT coalesce(json_agg(json_build_object('name', format('%I.%I', nspname, collname),
      'recorded', collversion, 'actual', pg_collation_actual_version(c.oid)) ORDER BY nspname, collname), '[]')
    FROM pg_collation AS c JOIN pg_namespace AS n ON n.oid = collnamespace
    WHERE collversion <> pg_collation_actual_version(c.oid)),
  'indexes', (SELECT coalesce(json_agg(json_build_object('name', format('%I.%I', nspname, relname),
      'oid', indexrelid::bigint, 'table', format('%I.%I', table_schema, table_name), 'table_oid', indrelid::bigint,
      'size_bytes', pg_relation_size(indexrelid), 'owner', rolname, 'superuser', rolsuper,
      'exclusion', indisexclusion, 'trusted', {_TRUSTED})
      ORDER BY pg_relation_size(indexrelid), nspname, relname), '[]')
    FROM affected AS i JOIN pg_roles AS owner ON owner.oid = relowner),
  'partitioned', (SELECT coalesce(json_agg(format('%I.%I', nspname, relname) ORDER BY nspname, relname), '[]')
    FROM pg_partitioned_table AS p JOIN pg_class AS c ON c.oid = partrelid
    JOIN pg_namespace AS n ON n.oid = relnamespace WHERE partstrat = 'r'
    AND EXISTS (SELECT FROM unnest(partcollation) AS one WHERE one IN (SELECT oid FROM changed)))
)::text;
"""


# Those that are not valid, which a build beside them leaves where it fails.
INVALID = f"""{ALONE}SELECT coalesce(json_agg(json_build_array(format('%I.%I', nspname, c.relname), r.rolname)),
    '[]')::text
  FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS c ON c.oid = indexrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace JOIN pg_catalog.pg_roles AS r ON r.oid = c.relowner
  WHERE NOT indisvalid AND c.relkind = 'i' AND c.relname ~ '_ccnew[0-9]*$' AND NOT rolsuper;
"""


def begin(verifier: str) -> str:
    """Make a role that may do nothing by itself: it acts as the owners of tables, one after the other."""
    return (
        f"DROP ROLE IF EXISTS {LOADER};\n"
        f"CREATE ROLE {LOADER} LOGIN NOINHERIT NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS"
        f" CONNECTION LIMIT 2 PASSWORD {literal(verifier)};\n"
        # What is told of failures is read.
        f"ALTER ROLE {LOADER} SET lc_messages = 'C';\n"
    )


def let_in(database: str) -> str:
    return f"GRANT CONNECT ON DATABASE {identifier(database)} TO {LOADER};\n"


def act_as(owner: str, act: bool) -> str:
    """Let the role act as an owner, who is no superuser; or not any more."""
    name = literal(owner)
    what = f"GRANT %I TO {LOADER}" if act else f"REVOKE %I FROM {LOADER}"
    return (
        f"SELECT pg_catalog.format({literal(what)}, rolname) FROM pg_catalog.pg_roles WHERE rolname = {name}"
        " AND NOT rolsuper \\gexec\n"
    )


def rebuild(index: Mapping[str, Any], concurrently: bool) -> str:
    """Return what rebuilds an index, as its owner. What excludes by an operator cannot be rebuilt beside itself."""
    beside = " CONCURRENTLY" if concurrently and not index["exclusion"] else ""
    return f"REINDEX INDEX{beside} {index['name']};"


def rebuild_own(index: Mapping[str, Any]) -> str:
    """Return what rebuilds an index of a superuser's, once it is certain that its name is still that index's.

    Nobody can give the name to another one meanwhile; where somebody has, it is an error.
    """
    held = f"to_regclass({literal(index['name'])}) = {int(index['oid'])}"
    table = f"to_regclass({literal(index['table'])}) = {int(index['table_oid'])}"
    return f"""SET search_path = pg_catalog;
BEGIN;
LOCK TABLE pg_catalog.pg_namespace IN SHARE MODE;
LOCK TABLE ONLY {index["table"]} IN SHARE MODE;
SELECT 1 / count(*) FROM pg_index AS i JOIN pg_class AS t ON t.oid = indrelid JOIN pg_roles AS r ON r.oid = relowner
  WHERE indexrelid = {int(index["oid"])} AND {held} AND {table} AND rolsuper AND {_TRUSTED};
REINDEX INDEX {index["name"]};
COMMIT;
"""


def refresh(database: str, collations: list[str], default: bool) -> str:
    """Return what notes, in the database connected to, the versions as they are. It evaluates nothing."""
    lines = [ALONE, *(f"ALTER COLLATION {name} REFRESH VERSION;" for name in collations)]
    if default:
        lines.append(f"ALTER DATABASE {identifier(database)} REFRESH COLLATION VERSION;")
    return "\n".join([*lines, ""])

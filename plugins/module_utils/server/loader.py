# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role that loads dumps, and what the superuser does for it. Pure text.

Whatever a dump would have the server evaluate is evaluated in that role's session. It owns the fresh database and has
no part in anything else; it is there, and with a password, only while a dump is loaded. The superuser's statements are
those here, each of a kind that evaluates nothing of a database's owner.
"""

from __future__ import annotations

import re

from ..errors import Refused
from .sql import identifier, literal

LOADER = "vellaric_loader"
_WAY_IN = "# While a dump is loaded\n"
# As earlier versions of this collection wrote it.
_WAYS_IN = (_WAY_IN, "# While a dump from elsewhere is loaded\n")
FIRST_NORMAL_OID = 16384
# From here on a role can be allowed to set a parameter that is a superuser's.
_GRANTS_PARAMETERS_SINCE = 15

# In a database that somebody else filled, no function of theirs is to be taken for one of the server's.
# https://wiki.postgresql.org/wiki/A_Guide_to_CVE-2018-1058
ALONE = "SET search_path = '';\n"


def way_in(database: str) -> str:
    """Return the line of pg_hba.conf that lets the role into one database, over the socket, and nowhere else."""
    return f'local "{database}" {LOADER} scram-sha-256\n'


def with_way_in(hba: str, database: str) -> str:
    return f"{without_way_in(hba)}{_WAY_IN}{way_in(database)}"


def without_way_in(hba: str) -> str:
    for words in _WAYS_IN:
        hba = hba.partition(words)[0]
    return hba


def begin(verifier: str, sessions: int, major: int) -> str:
    """Make the role: it has no part in anything that is there.

    It passes row security, as pg_dump's own row_security = off wants it; it sees no rows but those that it loads. Dumps
    may want foreign keys checked only at the end (session_replication_role).
    """
    statements = [
        f"DROP ROLE IF EXISTS {LOADER};",
        f"CREATE ROLE {LOADER} LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION BYPASSRLS"
        f" CONNECTION LIMIT {int(sessions)} PASSWORD {literal(verifier)};",
    ]
    # What is told of failures is read.
    statements.append(f"ALTER ROLE {LOADER} SET lc_messages = 'C';")
    if major >= _GRANTS_PARAMETERS_SINCE:
        statements.append(f"GRANT SET ON PARAMETER session_replication_role TO {LOADER};")
    return "\n".join([*statements, ""])


def end() -> str:
    """Take the role away: what it owned is another's by now, or gone with its database."""
    return (
        f"SELECT 'DROP OWNED BY {LOADER}' FROM pg_roles WHERE rolname = '{LOADER}' \\gexec\n"
        f"DROP ROLE IF EXISTS {LOADER};\n"
    )


# A backup's tables go back to where they were.
ALLOW_TABLESPACES = (
    f"SELECT format('GRANT CREATE ON TABLESPACE %I TO {LOADER}', spcname) FROM pg_tablespace"
    " WHERE spcname !~ '^pg_' \\gexec\n"
)

_NOT_OF_EXTENSION = (
    "NOT EXISTS (SELECT FROM pg_catalog.pg_depend WHERE classid = '{catalog}'::pg_catalog.regclass AND objid = {oid}"
    " AND deptype = 'e')"
)
# Kinds of objects that are made by the superuser in the midst of a load, and belong to the database's owner.
_HANDED = (
    ("pg_proc", "proowner", "CASE prokind WHEN 'p' THEN 'PROCEDURE' WHEN 'a' THEN 'AGGREGATE' ELSE 'FUNCTION' END"),
    ("pg_opclass", "opcowner", "'OPERATOR CLASS'"),
    ("pg_opfamily", "opfowner", "'OPERATOR FAMILY'"),
    ("pg_type", "typowner", "'TYPE'"),
    ("pg_class", "relowner", "'FOREIGN TABLE'"),
)
# Others of these catalogs go with what they belong to.
_ONLY = {"pg_type": " AND typtype IN ('b', 'r') AND typelem = 0", "pg_class": " AND relkind = 'f'"}


def hand_over() -> str:
    """Let the loading role own what the superuser has made for it: it goes on to comment on that, and to change it."""
    parts = [
        f"SELECT pg_catalog.format('ALTER %s %s OWNER TO {LOADER}', {kind},"
        f" (pg_catalog.pg_identify_object('{catalog}'::pg_catalog.regclass, oid, 0)).identity)"
        f" FROM pg_catalog.{catalog} AS object WHERE {owner} = 10 AND oid >= {FIRST_NORMAL_OID}"
        + _ONLY.get(catalog, "")
        + " AND "
        + _NOT_OF_EXTENSION.format(catalog=f"pg_catalog.{catalog}", oid="object.oid")
        for catalog, owner, kind in _HANDED
    ]
    return "\n".join(f"{part} \\gexec" for part in parts) + "\n" + ALLOW_WRAPPERS


# Servers are the owner's; who made the wrapper is not.
ALLOW_WRAPPERS = (
    f"SELECT pg_catalog.format('GRANT USAGE ON FOREIGN DATA WRAPPER %I TO {LOADER}', fdwname)"
    " FROM pg_catalog.pg_foreign_data_wrapper \\gexec\n"
)

# Before an extension's script runs: what it calls could be the owner's.
_THEIRS = " OR ".join(
    f"EXISTS (SELECT FROM pg_catalog.{catalog} AS object WHERE oid >= {FIRST_NORMAL_OID} AND "
    # What belongs to an extension's table is there through that.
    + ("relkind IN ('r', 'p', 'v', 'm', 'f') AND " if catalog == "pg_class" else "")
    + _NOT_OF_EXTENSION.format(catalog=f"pg_catalog.{catalog}", oid="object.oid")
    + ")"
    for catalog in ("pg_proc", "pg_operator", "pg_cast", "pg_class")
)
THEIRS = f"{ALONE}SELECT ({_THEIRS})::text;\n"


def create_extension(name: str, schema: str | None) -> str:
    """Make an extension that only a superuser may make, while the database is still empty."""
    where = f" SCHEMA {identifier(schema)}" if schema else ""
    return (
        f"{ALONE}SET search_path = public;\n"
        f"CREATE EXTENSION IF NOT EXISTS {identifier(name)}{where} CASCADE;\n{ALONE}{ALLOW_WRAPPERS}"
    )


# The tables and sequences of extensions that a dump has rows of, and whether their rows are guarded.
# https://www.postgresql.org/docs/current/extend-extensions.html#EXTEND-EXTENSIONS-CONFIG-TABLES
EXTENSION_TABLES = f"""{ALONE}SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(
    pg_catalog.format('%I.%I', nspname, relname), relrowsecurity)), '[]')::text
  FROM pg_catalog.pg_extension, pg_catalog.unnest(extconfig) AS one
  JOIN pg_catalog.pg_class AS c ON c.oid = one JOIN pg_catalog.pg_namespace AS n ON n.oid = relnamespace;
"""


def rows(table: str, columns: str) -> str:
    """Return what copies rows into an extension's table; they follow, up to the line that ends them."""
    return f"{ALONE}COPY {table}{columns} FROM stdin;\n"


_TRIGGERS = re.compile(
    r"ALTER\s+TABLE\s+(?:ONLY\s+)?(?P<table>\S+)\s+(?P<what>DISABLE|ENABLE)\s+TRIGGER\s+ALL\s*;\s*", re.I
)
_WRAPPER = re.compile(r"CREATE\s+FOREIGN\s+DATA\s+WRAPPER\s.*?\sVALIDATOR\s+(?P<validator>\S+?)[\s;]", re.I | re.S)


def statement(text: str) -> str:
    """Return what the superuser runs of a statement of a known kind, and what comes after it."""
    triggers = _TRIGGERS.fullmatch(text)
    if triggers:
        # Of the loading role's own tables, also those that keep foreign keys.
        return (
            "SET search_path = public;\n"
            f"SELECT pg_catalog.format('ALTER TABLE %s {triggers['what'].upper()} TRIGGER ALL', oid::regclass)"
            f" FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass({literal(triggers['table'])})"
            f" AND relowner = '{LOADER}'::pg_catalog.regrole \\gexec\n"
        )
    before = ""
    wrapper = _WRAPPER.match(text)
    if wrapper:
        # It is called with the options of the wrapper, by whoever makes that.
        before = (
            f"SELECT 1 / pg_catalog.count(*) AS trusted FROM pg_catalog.pg_proc"
            f" WHERE oid = pg_catalog.to_regproc({literal(wrapper['validator'])})::pg_catalog.oid"
            " AND prolang IN (12, 13);\n"
        )
    return f"{ALONE}SET check_function_bodies = off;\n{before}{text.rstrip().rstrip(';')};\n{hand_over()}"


def set_owners(owners: list[tuple[str, str]]) -> str:
    """Give objects of the loading role's to their owners: pairs of what ALTER ... OWNER TO is said of, and a role.

    All or nothing: where anything but an object of the loading role's would get another owner, nothing does.
    """
    if not owners:
        return ""
    roles = ", ".join(sorted({literal(_unquoted(role)) for _what, role in owners}))
    statements = "".join(f"ALTER {_one_line(what)} OWNER TO {role};\n" for what, role in owners)
    dependencies = (
        "SELECT dbid, classid, objid, refobjid FROM pg_catalog.pg_shdepend WHERE deptype = 'o'"
        " AND refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND refobjid IN"
        f" (SELECT oid FROM pg_catalog.pg_roles WHERE rolname IN ({roles}, '{LOADER}'))"
    )
    return f"""{ALONE}BEGIN;
CREATE TEMPORARY TABLE vellaric_before ON COMMIT DROP AS {dependencies};
{statements}SELECT 1 / (CASE WHEN EXISTS (SELECT FROM ({dependencies}) AS now WHERE NOT EXISTS (
    SELECT FROM pg_temp.vellaric_before AS before
    WHERE (before.dbid, before.classid, before.objid) = (now.dbid, now.classid, now.objid)
    AND before.refobjid IN (now.refobjid, '{LOADER}'::pg_catalog.regrole))) THEN 0 ELSE 1 END) AS only_of_the_loader;
COMMIT;
"""


def _one_line(what: str) -> str:
    if ";" in re.sub(r'"(?:[^"]|"")*"', "", what):
        raise Refused(f"The dump gives an owner to {what!r}, which is no object. Nothing was changed")
    return what


def _unquoted(shown: str) -> str:
    return shown[1:-1].replace('""', '"') if shown.startswith('"') else shown


def allow_as_owner(owner: str) -> str:
    """Let the loading role act as the owner, to whom everything belongs by then."""
    return f"GRANT {identifier(owner)} TO {LOADER};\n"


def refresh(statements: list[str]) -> dict[str, list[str]]:
    """Return what refreshes materialized views, by the view: each may fail, and is named then."""
    found = {}
    for one in statements:
        text = re.sub(r"\s+", " ", one).rstrip("; ")
        view = re.sub(r"^REFRESH MATERIALIZED VIEW (CONCURRENTLY )?", "", text, flags=re.I)
        view = re.sub(r" WITH (NO )?DATA$", "", view, flags=re.I)
        found[view] = [f"{text};", f"ANALYZE {view};"]
    return found


# Asked one by one: a table whose partition is out of reach does not keep the others from it.
ANALYZED = f"""{ALONE}SELECT coalesce(pg_catalog.json_agg(pg_catalog.format('%I.%I', nspname, relname)
    ORDER BY relkind, relpages), '[]')::text
  FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = relnamespace
  WHERE relkind IN ('r', 'p', 'm') AND relowner = '{LOADER}'::pg_catalog.regrole;
"""

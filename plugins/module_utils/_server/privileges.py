# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SQL of what the application's role and declared users must not have (see module privileges). Pure text, for
PostgreSQL 13 to 18.

Each statement finds itself what it is about, so that it can be repeated, and be run where nothing has been observed.
"""

from __future__ import annotations

from collections.abc import Iterable

from .._domain import privileges, users
from .sql import BOOTSTRAP_SUPERUSER_OID, enter, literal

# pg_parameter_acl came with 15; its oid is in src/include/catalog/pg_parameter_acl.h.
_PARAMETER_ACL = 6243
_PARAMETER_ACL_SINCE = 15


def _names(names: Iterable[str]) -> str:
    return "(" + ", ".join(literal(name) for name in names) + ")"


def _dangerous(role: str) -> str:
    """Return the condition that a role (alias of pg_roles) gives its members more than a database."""
    attributes = ("rolsuper", "rolcreaterole", "rolcreatedb", "rolreplication", "rolbypassrls")
    conditions = [f"{role}.{attribute}" for attribute in attributes]
    return "(" + " OR ".join([*conditions, f"{role}.rolname IN {_names(privileges.DANGEROUS_ROLES)}"]) + ")"


def _reach(role: str) -> str:
    """Return the WITH that finds the application's role (an expression of its oid) and declared users, and to which
    roles each of their memberships leads. One that leads through another of them is that one's."""
    return f"""WITH RECURSIVE subjects AS MATERIALIZED (
  SELECT r.oid, r.rolname FROM pg_roles AS r
  WHERE r.oid = {role} OR shobj_description(r.oid, 'pg_authid') IS NOT DISTINCT FROM {literal(users.MARK)}),
reach (member, first, role) AS (
  SELECT m.member, m.roleid, m.roleid FROM pg_auth_members AS m JOIN subjects AS s ON s.oid = m.member
  WHERE m.roleid NOT IN (SELECT oid FROM subjects)
  UNION SELECT reach.member, reach.first, m.roleid FROM reach JOIN pg_auth_members AS m ON m.member = reach.role)"""


_OF_EXTENSION = (
    "EXISTS (SELECT FROM pg_depend AS e WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid AND e.deptype = 'e')"
)

# Functions of the server's own that somebody was let in to, though initdb reserves them to superusers.
_GRANTED_FUNCTIONS = """pg_proc AS p JOIN pg_init_privs AS i
    ON i.classoid = 'pg_proc'::regclass AND i.objoid = p.oid AND i.objsubid = 0,
    aclexplode(p.proacl) AS a
  WHERE p.pronamespace = 'pg_catalog'::regnamespace
    AND (a.grantee = 0 OR a.grantee IN (SELECT oid FROM subjects))
    AND NOT EXISTS (SELECT FROM aclexplode(i.initprivs) AS b WHERE b.grantee = a.grantee)"""
_SECRETS = ", ".join(f"'pg_catalog.{name}'::regclass" for name in privileges.SECRET_CATALOGS)
# Of a table or one of its columns.
_GRANTED_CATALOGS = f"""(SELECT c.oid, c.relname, c.relacl AS acl FROM pg_class AS c
    UNION ALL SELECT c.oid, c.relname, t.attacl FROM pg_class AS c JOIN pg_attribute AS t ON t.attrelid = c.oid) AS c,
    aclexplode(c.acl) AS a
  WHERE c.oid IN ({_SECRETS})
    AND (a.grantee = 0 OR a.grantee IN (SELECT oid FROM subjects))"""
_GRANTED_PARAMETERS = """pg_parameter_acl AS p, aclexplode(p.paracl) AS a
  WHERE (a.grantee = 0 OR a.grantee IN (SELECT oid FROM subjects))"""

# An event trigger fires for whoever does what it waits for, the superuser too. It is safe where only a superuser may
# replace its function, and where that runs as whoever is logged in, or finds things where its own search path says.
# The owner of an extension may add functions of their own to it.
_TRIGGERS = f"""pg_event_trigger AS t JOIN pg_proc AS p ON p.oid = t.evtfoid JOIN pg_roles AS o ON o.oid = p.proowner
  JOIN pg_roles AS w ON w.oid = t.evtowner
  WHERE NOT (o.rolsuper AND {_OF_EXTENSION})"""
_UNSAFE = """(t.evtenabled <> 'D' AND (NOT o.rolsuper OR p.prosecdef AND NOT EXISTS (
    SELECT FROM unnest(p.proconfig) AS c WHERE starts_with(c, 'search_path='))))"""

_GRANTEE = "CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee) END"
_FUNCTION = "quote_ident(n.nspname) || '.' || quote_ident(p.proname)"


def question(role: str, version: int) -> str:
    """Return the SELECT of one JSON object, to be asked in the database itself. role: an expression of the oid of the
    application's role; version: the major version of the server."""
    parameters = "SELECT NULL::json WHERE false"
    if version >= _PARAMETER_ACL_SINCE:
        parameters = (
            f"SELECT json_build_object('grantee', {_GRANTEE}, 'parameter', p.parname, 'privilege', a.privilege_type)"
            f" FROM {_GRANTED_PARAMETERS} ORDER BY p.parname, a.grantee, a.privilege_type"
        )
    lists = {
        "memberships": f"""SELECT json_build_object(
    'member', pg_get_userbyid(member), 'role', pg_get_userbyid(first),
    'gives', (SELECT coalesce(json_agg(r.rolname ORDER BY r.rolname), '[]') FROM pg_roles AS r
      WHERE r.oid = ANY (array_agg(reach.role)) AND {_dangerous("r")}),
    'owns', EXISTS (SELECT FROM pg_shdepend AS d WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = first
      AND d.deptype = 'o' AND d.dbid = here.oid))
  FROM reach, here GROUP BY member, first, here.oid ORDER BY member, first""",
        "functions": f"""SELECT json_build_object('grantee', {_GRANTEE}, 'function', p.oid::regprocedure::text,
    'dangerous', p.proname IN {_names(privileges.FILE_FUNCTIONS)})
  FROM {_GRANTED_FUNCTIONS} ORDER BY p.oid, a.grantee""",
        "catalogs": f"""SELECT DISTINCT jsonb_build_object('grantee', {_GRANTEE}, 'catalog', c.relname)
  FROM {_GRANTED_CATALOGS}""",
        "parameters": parameters,
        "maintenance": f"""SELECT json_build_object('database', datname, 'owner', rolname)
  FROM pg_database JOIN subjects ON subjects.oid = datdba
  WHERE datname IN {_names(privileges.MAINTENANCE)} ORDER BY datname""",
        "triggers": f"""SELECT json_build_object('name', t.evtname, 'event', t.evtevent, 'enabled', t.evtenabled <> 'D',
    'function', (SELECT {_FUNCTION} FROM pg_namespace AS n WHERE n.oid = p.pronamespace),
    'function_of', o.rolname, 'owner_is_superuser', o.rolsuper, 'unsafe', {_UNSAFE}, 'owner', w.rolname,
    'superuser', w.rolsuper)
  FROM {_TRIGGERS} ORDER BY t.evtname""",
        "overrides": """SELECT json_build_object('database', d.datname, 'role', r.rolname,
    'name', lower(split_part(c, '=', 1)))
  FROM here, pg_db_role_setting AS s LEFT JOIN pg_database AS d ON d.oid = s.setdatabase
    LEFT JOIN subjects AS r ON r.oid = s.setrole, unnest(s.setconfig) AS c
  WHERE s.setdatabase IN (0, here.oid) AND (s.setrole = 0 OR r.oid IS NOT NULL)
  ORDER BY d.datname, r.rolname, c""",
        "definers": f"""SELECT to_json({_FUNCTION})
  FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace JOIN pg_roles AS o ON o.oid = p.proowner
  WHERE p.prosecdef AND o.rolsuper AND NOT {_OF_EXTENSION} AND n.nspname <> 'pg_catalog'
    AND p.prorettype <> 'event_trigger'::regtype
    AND has_function_privilege((SELECT oid FROM subjects WHERE oid = {role}), p.oid, 'EXECUTE')
  ORDER BY n.nspname, p.proname""",
        "untrusted": f"""SELECT json_build_object('function', {_FUNCTION}, 'language', l.lanname)
  FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang JOIN pg_namespace AS n ON n.oid = p.pronamespace
  WHERE NOT l.lanpltrusted AND NOT {_OF_EXTENSION} AND n.nspname <> 'pg_catalog'
    AND has_function_privilege((SELECT oid FROM subjects WHERE oid = {role}), p.oid, 'EXECUTE')
  ORDER BY n.nspname, p.proname""",
        "defaults": f"""SELECT DISTINCT jsonb_build_object('superuser', r.rolname, 'grantee', {_GRANTEE})
  FROM pg_default_acl AS d JOIN pg_roles AS r ON r.oid = d.defaclrole, aclexplode(d.defaclacl) AS a
  WHERE r.rolsuper AND a.grantee = {role}""",
        "elsewhere": f"""SELECT json_build_object('database', d.datname, 'owned', d.datdba = {role}, 'objects', (
      SELECT count(*) FROM pg_shdepend AS s WHERE s.dbid = d.oid AND s.refclassid = 'pg_authid'::regclass
      AND s.refobjid = {role} AND s.deptype = 'o'))
  FROM pg_database AS d, here WHERE d.oid <> here.oid AND d.datname NOT IN {_names(privileges.MAINTENANCE)}
    AND (d.datdba = {role} OR EXISTS (SELECT FROM pg_shdepend AS s WHERE s.dbid = d.oid
      AND s.refclassid = 'pg_authid'::regclass AND s.refobjid = {role} AND s.deptype = 'o'))
  ORDER BY d.datname""",
        "connection_limits": f"""SELECT json_build_object('what', what, 'limit', most) FROM (
    SELECT 'role ' || rolname, rolconnlimit FROM pg_roles WHERE oid = {role}
    UNION ALL SELECT 'database ' || datname, datconnlimit FROM pg_database, here WHERE pg_database.oid = here.oid
  ) AS known (what, most) WHERE most >= 0""",
    }
    fields = ", ".join(
        f"{literal(name)}, (SELECT coalesce(json_agg(one), '[]') FROM ({text}) AS found (one))"
        for name, text in lists.items()
    )
    return f"""{_reach(role)},
here AS MATERIALIZED (SELECT oid FROM pg_database WHERE datname = current_database())
SELECT json_build_object({fields})"""


def observe(username: str, version: int) -> str:
    """Return the question to a server whose first answer gave reason for it: one line of JSON."""
    role = f"(SELECT oid FROM pg_roles WHERE rolname = {literal(username)})"
    return f"SELECT json_build_object('privileges', answer)::text FROM ({question(role, version)}) AS asked (answer);\n"


def suspects(username: str) -> str:
    """Return the question, cheap to answer, whether `observe` may find anything. In the database itself."""
    return f"""SELECT json_build_object('suspects_privileges',
  EXISTS (SELECT FROM pg_event_trigger)
  OR EXISTS (SELECT FROM pg_auth_members AS m JOIN pg_roles AS r ON r.oid = m.member
    WHERE r.rolname = {literal(username)})
  OR EXISTS (SELECT FROM pg_db_role_setting WHERE array_length(setconfig, 1) > 1 OR NOT setconfig[1] ^@ 'role=')
  OR EXISTS (SELECT FROM pg_database AS d JOIN pg_roles AS r ON r.oid = d.datdba
    WHERE r.rolname = {literal(username)} AND d.datname IN {_names(privileges.MAINTENANCE)})
  OR EXISTS (SELECT FROM pg_class AS c, aclexplode(c.relacl) AS a
    WHERE c.oid IN ({_SECRETS}) AND a.grantee <> c.relowner)
  OR EXISTS (SELECT FROM pg_attribute WHERE attrelid IN ({_SECRETS}) AND attacl IS NOT NULL)
  OR coalesce(pg_relation_size({_PARAMETER_ACL}), 0) > 0
  OR EXISTS (SELECT FROM pg_proc AS p, aclexplode(p.proacl) AS a WHERE p.proname IN {_names(privileges.FILE_FUNCTIONS)}
    AND p.pronamespace = 'pg_catalog'::regnamespace AND a.grantee <> p.proowner))::text;
"""


def dangerous_roles() -> str:
    """Return the SELECT of the oids of all roles that have more than a database, or may come to it."""
    return (
        f"WITH RECURSIVE up (role) AS (SELECT r.oid FROM pg_roles AS r WHERE {_dangerous('r')}"
        " UNION SELECT m.member FROM up JOIN pg_auth_members AS m ON m.roleid = up.role) SELECT role FROM up"
    )


def restrict(username: str) -> str:
    """Return the statements that take from a role and the declared users what they must not have.

    For psql, in the database itself, with the search path of the catalog.
    """
    role = f"(SELECT oid FROM pg_roles WHERE rolname = {literal(username)})"
    reach = _reach(role)
    superuser = f"(SELECT rolname FROM pg_roles WHERE oid = {BOOTSTRAP_SUPERUSER_OID})"
    grantee = "CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END"
    return f"""SELECT format('ALTER EVENT TRIGGER %I OWNER TO %I', t.evtname, {superuser})
  FROM {_TRIGGERS} AND NOT w.rolsuper \\gexec
SELECT format('ALTER EVENT TRIGGER %I DISABLE', t.evtname) FROM {_TRIGGERS} AND {_UNSAFE} \\gexec
{reach}
SELECT {_revoke("m")} FROM pg_auth_members AS m
  WHERE (m.member, m.roleid) IN (SELECT reach.member, reach.first FROM reach JOIN pg_roles AS r ON r.oid = reach.role
    WHERE {_dangerous("r")}) \\gexec
{reach}
SELECT format('REVOKE ALL ON FUNCTION %s FROM %s CASCADE', p.oid::regprocedure, {grantee})
  FROM {_GRANTED_FUNCTIONS} AND p.proname IN {_names(privileges.FILE_FUNCTIONS)} \\gexec
{reach}
SELECT DISTINCT format('REVOKE ALL ON %s FROM %s CASCADE', c.oid::regclass, {grantee})
  FROM {_GRANTED_CATALOGS} \\gexec
SELECT current_setting('server_version_num')::int >= {_PARAMETER_ACL_SINCE * 10000} AS has_parameters \\gset
\\if :has_parameters
{reach}
SELECT format('REVOKE ALTER SYSTEM ON PARAMETER %I FROM %s CASCADE', p.parname, {grantee})
  FROM {_GRANTED_PARAMETERS} AND a.privilege_type = 'ALTER SYSTEM' \\gexec
\\endif
{reach}
SELECT format('ALTER DATABASE %I OWNER TO %I', datname, {superuser})
  FROM pg_database WHERE datdba IN (SELECT oid FROM subjects) AND datname IN {_names(privileges.MAINTENANCE)} \\gexec
"""


def _revoke(membership: str) -> str:
    """Return the expression of the statement that ends a membership (alias of pg_auth_members), whoever granted it.

    From 16 on each grantor's grant is one of its own, and a superuser's REVOKE ends those of the bootstrap superuser.
    https://www.postgresql.org/docs/16/release-16.html
    """
    return (
        f"format('REVOKE %I FROM %I%s CASCADE', pg_get_userbyid({membership}.roleid),"
        f" pg_get_userbyid({membership}.member), CASE WHEN current_setting('server_version_num')::int >= 160000"
        f" THEN ' GRANTED BY ' || quote_ident(pg_get_userbyid({membership}.grantor)) ELSE '' END)"
    )


def end_memberships(member: str, kept: str | None = None, leading_to: str | None = None) -> str:
    """Return the statement, for psql, that ends memberships of a role: all but one, or those that lead to another."""
    condition = ""
    if kept is not None:
        condition = f" AND m.roleid <> coalesce((SELECT oid FROM pg_roles WHERE rolname = {literal(kept)}), 0)"
    if leading_to is not None:
        condition = (
            f" AND EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = {literal(leading_to)}"
            " AND pg_has_role(m.roleid, r.oid, 'MEMBER'))"
        )
    return (
        f"SELECT {_revoke('m')} FROM pg_auth_members AS m"
        f" WHERE m.member = (SELECT oid FROM pg_roles WHERE rolname = {literal(member)}){condition} \\gexec"
    )


def script(database: str, username: str) -> str:
    """Return the script of the step."""
    return "\n".join([enter(database), restrict(username), "\\connect postgres", ""])


def reset_overrides(database: str, username: str, names: Iterable[str]) -> str:
    """Return the script that takes back what ALTER DATABASE ... SET and ALTER ROLE ... SET have set of those names."""
    role = f"(SELECT oid FROM pg_roles WHERE rolname = {literal(username)})"
    return f"""{_reach(role)}
SELECT format('ALTER %s RESET %I', CASE
    WHEN s.setrole = 0 AND s.setdatabase = 0 THEN 'ROLE ALL'
    WHEN s.setrole = 0 THEN format('DATABASE %I', d.datname)
    WHEN s.setdatabase = 0 THEN format('ROLE %I', r.rolname)
    ELSE format('ROLE %I IN DATABASE %I', r.rolname, d.datname) END, split_part(c, '=', 1))
  FROM pg_db_role_setting AS s LEFT JOIN pg_database AS d ON d.oid = s.setdatabase
    LEFT JOIN subjects AS r ON r.oid = s.setrole, unnest(s.setconfig) AS c
  WHERE (s.setdatabase = 0 OR d.datname = {literal(database)}) AND (s.setrole = 0 OR r.oid IS NOT NULL)
    AND lower(split_part(c, '=', 1)) IN {_names(tuple(sorted(names)))} \\gexec
"""


def reset_altered(names: Iterable[str]) -> str:
    """Return the script that takes back what ALTER SYSTEM has set of those names; each is a transaction of its own."""
    return f"""SELECT DISTINCT format('ALTER SYSTEM RESET %I', name) FROM pg_file_settings
  WHERE sourcefile ~ '/postgresql[.]auto[.]conf$' AND lower(name) IN {_names(tuple(sorted(names)))} \\gexec
"""

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SQL of declared users (see module users): the question after them, and the way to what is declared. Pure text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from .._domain import scram, users
from . import privileges
from .sql import ORDINARY, UNLOGGED, enter, identifier, literal

if TYPE_CHECKING:
    from .._domain.users import Change, ObservedRoles, User

# What initdb made has a lower oid (src/include/access/transam.h).
FIRST_NORMAL_OID = 16384

_OBJECTS = {"r": "TABLES", "S": "SEQUENCES", "n": "SCHEMAS"}
_SINGULAR = {"r": "TABLE", "S": "SEQUENCE"}


def _of_extension(catalog: str, oid: str) -> str:
    """Return the condition that an object belongs to an extension, which says itself what everybody may do with it."""
    return (
        f"EXISTS (SELECT FROM pg_depend AS e WHERE e.classid = '{catalog}'::regclass AND e.objid = {oid}"
        " AND e.deptype = 'e')"
    )


_SCHEMAS = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
_OWN_SCHEMAS = f"{_SCHEMAS} AND NOT {_of_extension('pg_namespace', 'n.oid')}"
_RELATIONS = "('r', 'p', 'v', 'm', 'f', 'S')"
_KINDS = {"r": "c.relkind <> 'S'", "S": "c.relkind = 'S'"}


def _differs() -> str:
    """Return what says of a group (g) and a relation (c) that it gives other privileges than it is to have.

    One subquery for all groups and kinds: what costs here is to plan it.
    """
    cases = [
        f"WHEN g.rolname = {literal(users.GROUPS[kind])} AND {condition}"
        f" THEN {literal('{' + ','.join(privileges[objects]) + '}')}::text[]"
        for kind, privileges in users.PRIVILEGES.items()
        for objects, condition in _KINDS.items()
    ]
    return (
        f"pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        f" WHERE {_SCHEMAS} AND c.relkind IN {_RELATIONS} AND"
        ' (SELECT array_agg(DISTINCT a.privilege_type COLLATE "C" ORDER BY a.privilege_type COLLATE "C")'
        " FROM aclexplode(c.relacl) AS a WHERE a.grantee = g.oid) IS DISTINCT FROM"
        f" CASE WHEN {_of_extension('pg_class', 'c.oid')} THEN NULL {' '.join(cases)} END"
    )


# In the database itself. One line: the roles that somebody made, and what the groups of ours may do.
OBSERVE = f"""SELECT json_build_object('users', json_build_object(
  'roles', (SELECT coalesce(json_object_agg(r.rolname, json_build_object(
      'verifier', r.rolpassword,
      'login', r.rolcanlogin,
      'privileged', r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls,
      'connection_limit', r.rolconnlimit,
      'ends_in', CASE WHEN isfinite(r.rolvaliduntil) THEN extract(epoch FROM r.rolvaliduntil - now()) END,
      'marked', shobj_description(r.oid, 'pg_authid') IS NOT DISTINCT FROM {literal(users.MARK)},
      'member_of', (SELECT coalesce(json_agg(DISTINCT b.rolname ORDER BY b.rolname), '[]')
        FROM pg_auth_members AS m JOIN pg_roles AS b ON b.oid = m.roleid WHERE m.member = r.oid),
      'works_as', (SELECT substr(c, 6) FROM pg_db_role_setting AS s, unnest(s.setconfig) AS c
        WHERE s.setrole = r.oid AND s.setdatabase = 0 AND starts_with(c, 'role=')))), '{{}}')
    FROM pg_authid AS r WHERE r.oid >= {FIRST_NORMAL_OID}),
  'database', (SELECT coalesce(json_agg(json_build_array(pg_get_userbyid(a.grantee), a.privilege_type)), '[]')
    FROM pg_database AS d, aclexplode(d.datacl) AS a WHERE d.datname = current_database() AND a.grantee <> 0),
  'defaults', (SELECT coalesce(json_agg(json_build_array(
      pg_get_userbyid(a.grantee), pg_get_userbyid(d.defaclrole), d.defaclobjtype, a.privilege_type)), '[]')
    FROM pg_default_acl AS d, aclexplode(d.defaclacl) AS a WHERE d.defaclnamespace = 0 AND a.grantee <> 0),
  'ungranted', (SELECT coalesce(json_agg(g.rolname), '[]') FROM pg_roles AS g
    WHERE g.rolname IN ({", ".join(literal(group) for group in users.GROUPS.values())}) AND (
      EXISTS (SELECT FROM pg_namespace AS n WHERE {_OWN_SCHEMAS} AND NOT has_schema_privilege(g.oid, n.oid, 'USAGE'))
      OR EXISTS (SELECT FROM {_differs()})))
))::text;
"""


def script(database: str, declared: Sequence[User], owner: str, observed: ObservedRoles) -> str:
    """Return the script from what the server has to the declared users. Run again after a crash, it does the same."""
    changes = {change.name: change for change in users.changes(declared, owner, observed)}
    groups = [users.GROUPS[kind] for kind in users.groups(declared)]
    owners = [user.name for user in declared if user.role == users.OWNER and user.name in changes]
    lines = [UNLOGGED, *_given_over(database, owners, owner)]
    lines += ["BEGIN;", *[_group(group) for group in groups]]
    lines += [_user(user, owner, observed, changes[user.name]) for user in declared if user.name in changes]
    lines.append("COMMIT;")
    going = [name for name in changes if name not in groups and name not in [user.name for user in declared]]
    lines += [_removal(name, owner, database) for name in going]
    if any(group in changes for group in groups):
        lines.append(grants(database, declared, owner))
    return "\n".join([*lines, ""])


def _given_over(database: str, former: Sequence[str], owner: str) -> list[str]:
    """Give what roles own that the application's role has the rights of, and that will have its rights, to that."""
    if not former:
        return []
    statements = [
        f"SELECT {literal(f'REASSIGN OWNED BY {identifier(name)} TO {identifier(owner)}')}"
        f" FROM pg_roles AS o, pg_roles AS f WHERE o.rolname = {literal(owner)} AND f.rolname = {literal(name)}"
        " AND pg_has_role(o.oid, f.oid, 'MEMBER') \\gexec"
        for name in former
    ]
    return [enter(database), *statements, "\\connect postgres"]


def _made(name: str) -> list[str]:
    """Return the statements that make a role and mark it as ours."""
    quoted = identifier(name)
    missing = f" WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {literal(name)}) \\gexec"
    return [
        f"SELECT {literal('CREATE ROLE ' + quoted)}{missing}",
        f"COMMENT ON ROLE {quoted} IS {literal(users.MARK)};",
    ]


def _group(name: str) -> str:
    ordinary = f"ALTER ROLE {identifier(name)} NOLOGIN PASSWORD NULL {ORDINARY};"
    return "\n".join([*_made(name), ordinary, privileges.end_memberships(name)])


def _user(user: User, owner: str, observed: ObservedRoles, change: Change) -> str:
    name, base = identifier(user.name), users.membership(user, owner)
    limit = users.UNLIMITED if user.connection_limit is None else user.connection_limit
    password = ""
    if change.sets_password and user.password is not None:
        password = f" PASSWORD {literal(scram.new_verifier(user.password))}"
    lines = _made(user.name)
    ends = "" if user.waits else " VALID UNTIL 'infinity'"
    lines.append(f"ALTER ROLE {name} LOGIN INHERIT {ORDINARY} CONNECTION LIMIT {limit}{ends}{password};")
    lines.append(privileges.end_memberships(user.name, base))
    if user.role == users.OWNER:
        # Of a database that was taken over the application's role may have the rights of its former owner.
        lines.append(privileges.end_memberships(owner, leading_to=user.name))
    lines.append(f"GRANT {identifier(base)} TO {name};")
    # What an owner makes belongs to the application's role, whoever of them made it.
    works_as = f"SET role = {literal(owner)}" if user.role == users.OWNER else "RESET role"
    lines.append(f"ALTER ROLE {name} {works_as};")
    return "\n".join(lines)


def end_logins(names: Iterable[str], seconds: float) -> str:
    """Let logins end after a while: by themselves, whatever becomes of whoever wanted it."""
    statement = f"SELECT format('ALTER ROLE %I VALID UNTIL %L', %s, now() + interval '{int(seconds)} seconds') \\gexec"
    return "".join(statement.replace("%s", literal(name)) + "\n" for name in names)


def end_sessions(names: Iterable[str]) -> str:
    """End what has logged in as any of these roles. The password that it did so with is not asked for again."""
    among = ", ".join(literal(name) for name in names)
    return f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename IN ({among});\n"


# No mark of ours any more: it is left alone until it is declared again.
_LEFT = "Removed by vellaric.postgres: it cannot log in. Another database of the server still speaks of it"


def _removal(name: str, owner: str, database: str) -> str:
    """Take a role away. What it owns goes to the owner; its sessions end.

    One that another database speaks of, such as one that a restore has replaced and kept, stays without a login.
    """
    quoted, heir = identifier(name), identifier(owner)
    return f"""{enter(database)}
ALTER ROLE {quoted} NOLOGIN;
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = {literal(name)};
REASSIGN OWNED BY {quoted} TO {heir};
DROP OWNED BY {quoted};
\\connect postgres
REASSIGN OWNED BY {quoted} TO {heir};
DROP OWNED BY {quoted};
SELECT CASE WHEN EXISTS (SELECT FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass
    AND refobjid = (SELECT oid FROM pg_roles WHERE rolname = {literal(name)}))
  THEN {literal(f"COMMENT ON ROLE {quoted} IS {literal(_LEFT)}")} ELSE {literal(f"DROP ROLE {quoted}")} END \\gexec"""


def _on_differing(group: str, statement: str, condition: str = "") -> str:
    """Return what runs a statement once for all relations (%s) that give a group other than its privileges, if any.

    Named in full, as the search path is the catalog's.
    """
    return (
        f"SELECT format({literal(statement)}, string_agg(c.oid::regclass::text, ', '))"
        f" FROM pg_roles AS g, {_differs()} AND g.rolname = {literal(group)}{condition} HAVING count(*) > 0 \\gexec"
    )


def grants(database: str, declared: Sequence[User], owner: str) -> str:
    """Return what gives the groups just their privileges, on what is there and on what will be made."""
    lines = [enter(database), "BEGIN;"]
    database = identifier(database)
    for kind in users.groups(declared):
        group, privileges = identifier(users.GROUPS[kind]), users.PRIVILEGES[kind]
        lines.append(f"GRANT {', '.join(users.DATABASE_PRIVILEGES[kind])} ON DATABASE {database} TO {group};")
        usage = f"GRANT {', '.join(privileges['n'])} ON SCHEMA %1$I TO {group}"
        lines.append(f"SELECT format({literal(usage)}, nspname) FROM pg_namespace AS n WHERE {_OWN_SCHEMAS} \\gexec")
        lines.append(_on_differing(users.GROUPS[kind], f"REVOKE ALL ON %s FROM {group}"))
        for objects, condition in _KINDS.items():
            grant = f"GRANT {', '.join(privileges[objects])} ON {_SINGULAR[objects]} %s TO {group}"
            own = f" AND {condition} AND NOT {_of_extension('pg_class', 'c.oid')}"
            lines.append(_on_differing(users.GROUPS[kind], grant, own))
        for creator in users.creators(declared, owner):
            for objects, name in _OBJECTS.items():
                lines.append(
                    f"ALTER DEFAULT PRIVILEGES FOR ROLE {identifier(creator)}"
                    f" GRANT {', '.join(privileges[objects])} ON {name} TO {group};"
                )
    return "\n".join([*lines, "COMMIT;"])

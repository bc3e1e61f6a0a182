# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SQL with which a fresh database is made, becomes like the one in a backup, and takes the place of another.

Pure text. A dot is in no database's name of ours, so that what is called `{name}.{something}` is one of these.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Container, Iterable, Mapping
from typing import Any

from .sql import REFRESH_TEMPLATE, identifier, literal
from .statements import split

# What tells the time of a replacement in the name of the database that was replaced.
_STAMP = "%Y%m%d%H%M%S"
_SWAP_SECONDS = 30
# Their values are lists, whose items are quoted one by one (GUC_LIST_QUOTE in src/backend/utils/misc/guc_tables.c).
_LISTS = ("local_preload_libraries", "search_path", "session_preload_libraries", "temp_tablespaces")
_PROVIDERS = {"b": ("builtin", "BUILTIN_LOCALE"), "i": ("icu", "ICU_LOCALE")}


def fresh_name(name: str) -> str:
    """Return the name of the database that is filled before it takes the place of another."""
    return f"{name}.restoring"


def kept_name(name: str, now: datetime.datetime) -> str:
    """Return the name that a replaced database is kept under. now: UTC."""
    return f"{name}.{now.strftime(_STAMP)}"


def kept(name: str, databases: Iterable[str]) -> list[tuple[str, datetime.datetime]]:
    """Return the names of what was kept when a database was replaced, with the time of that, the newest last."""
    found = ((d, re.fullmatch(re.escape(name) + r"\.([0-9]{14})", d)) for d in databases)
    return sorted((d, datetime.datetime.strptime(m.group(1), _STAMP)) for d, m in found if m)


def maintenance(name: str) -> str:
    """Return the database to be connected to while one is renamed: any but that."""
    return "template1" if name == "postgres" else "postgres"


# Of all databases of the server, with what is known of each.
DATABASES = """SELECT coalesce(json_object_agg(datname, json_build_object('allowed', datallowconn,
  'owner', pg_get_userbyid(datdba), 'size_bytes', pg_database_size(oid), 'encoding', pg_encoding_to_char(encoding),
  'collate', datcollate, 'ctype', datctype, 'provider', coalesce(to_json(d)->>'datlocprovider', 'c'),
  'icu_locale', coalesce(to_json(d)->>'datlocale', to_json(d)->>'daticulocale'))), '{}')::text FROM pg_database AS d;
"""
# By name, whether each is a superuser.
SUPERUSERS = "SELECT json_object_agg(rolname, rolsuper)::text FROM pg_roles;\n"
ROLES = "SELECT coalesce(json_agg(rolname), '[]')::text FROM pg_roles;\n"


def prepared(name: str) -> str:
    """Ask for the prepared transactions of a database, with which it can be neither renamed nor dropped."""
    return (
        "SELECT coalesce(json_agg(gid ORDER BY prepared), '[]')::text FROM pg_prepared_xacts"
        f" WHERE database = {literal(name)};\n"
    )


# In a database that somebody else filled, no function of theirs is to be taken for one of the server's.
# https://wiki.postgresql.org/wiki/A_Guide_to_CVE-2018-1058
ALONE = "SET search_path = '';\n"
# Of the database connected to.
SUBSCRIPTIONS = """SELECT coalesce(pg_catalog.json_agg(subname ORDER BY subname), '[]')::text
  FROM pg_catalog.pg_subscription WHERE subdbid =
    (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database());
"""
# Those of one that was replaced would go on to take what its successor's are to have.
PAUSE_SUBSCRIPTIONS = f"""{ALONE}SELECT format('ALTER SUBSCRIPTION %I DISABLE', subname) FROM pg_subscription
  WHERE subenabled AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \\gexec
"""


def ensure_roles(names: Iterable[str]) -> str:
    """Make roles that nobody can log in as, where they are missing."""
    return "".join(
        f"SELECT {literal('CREATE ROLE ' + identifier(name) + ' NOLOGIN')}"
        f" WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {literal(name)}) \\gexec\n"
        for name in names
    )


# What the image's server can create, and whether whoever may create objects may create it.
EXTENSIONS = """SELECT coalesce(json_object_agg(name, trusted), '{}')::text FROM (SELECT name, bool_or(trusted OR NOT
  superuser) AS trusted FROM pg_available_extension_versions GROUP BY name) AS known;
"""
# Of the database connected to: how much there is in it, and where its sequences stand.
CONTENTS = f"""{ALONE}SELECT count(*)::text FROM pg_catalog.pg_class AS c
  JOIN pg_catalog.pg_namespace AS n ON n.oid = relnamespace
  WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND nspname !~ '^pg_' AND nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend WHERE classid = 'pg_catalog.pg_class'::regclass AND objid = c.oid
    AND deptype = 'e');
"""
SEQUENCES = (
    "SELECT coalesce(json_object_agg(format('%I.%I', schemaname, sequencename), coalesce(last_value, 0)), '{}')::text"
    " FROM pg_catalog.pg_sequences;\n"
)


def create(fresh: str, owner: str, encoding: str, locale: Mapping[str, Any]) -> str:
    """Make an empty database that nobody but its owner may connect to. locale: as a manifest has it."""
    options = [f"OWNER {identifier(owner)} TEMPLATE template0 ENCODING {literal(encoding)}"]
    options += [f"LC_COLLATE {literal(locale['collate'])} LC_CTYPE {literal(locale['ctype'])}"]
    provider, option = _PROVIDERS.get(locale.get("provider", "c"), (None, None))
    if provider:
        options.append(f"LOCALE_PROVIDER {provider} {option} {literal(locale['icu_locale'])}")
    if locale.get("icu_rules"):
        options.append(f"ICU_RULES {literal(locale['icu_rules'])}")
    name = identifier(fresh)
    return (
        f"{REFRESH_TEMPLATE}CREATE DATABASE {name} {' '.join(options)};\nREVOKE ALL ON DATABASE {name} FROM PUBLIC;\n"
    )


def drop(name: str) -> str:
    """Remove a database, whoever is in it. To be run in another one, to which the session comes back."""
    # Its owner may have made it a template, which cannot be dropped.
    untemplate = f"ALTER DATABASE {identifier(name)} IS_TEMPLATE false"
    return (
        f"SELECT {literal(untemplate)} FROM pg_database WHERE datname = {literal(name)} AND datistemplate \\gexec\n"
        f"{_end_subscriptions(name)}"
        f"DROP DATABASE IF EXISTS {identifier(name)} WITH (FORCE);\n"
    )


def _end_subscriptions(name: str) -> str:
    """A database that subscribes to another server's publications cannot be dropped.

    The slots there stay: what takes this database's place has subscriptions to the same.
    """
    return f"""SELECT count(*) > 0 AS subscribes FROM pg_subscription JOIN pg_database AS d ON d.oid = subdbid
  WHERE datname = {literal(name)} \\gset
\\if :subscribes
\\connect {identifier(name)}
{ALONE}DO $$
DECLARE one text;
BEGIN
  FOR one IN SELECT subname FROM pg_catalog.pg_subscription WHERE subdbid
    OPERATOR(pg_catalog.=) (SELECT oid FROM pg_catalog.pg_database WHERE datname OPERATOR(pg_catalog.=) {literal(name)})
  LOOP
    EXECUTE pg_catalog.format('ALTER SUBSCRIPTION %I DISABLE', one);
    EXECUTE pg_catalog.format('ALTER SUBSCRIPTION %I SET (slot_name = NONE)', one);
    EXECUTE pg_catalog.format('DROP SUBSCRIPTION %I', one);
  END LOOP;
END $$;
\\connect {maintenance(name)}
\\endif
"""


def allow(name: str) -> str:
    return f"ALTER DATABASE {identifier(name)} ALLOW_CONNECTIONS true;\n"


def rename(name: str, new: str) -> str:
    return f"ALTER DATABASE {identifier(name)} RENAME TO {identifier(new)};\n"


def swap(name: str, fresh: str, old: str | None) -> str:
    """Put a fresh database in the place of another (old: what that is called then; None where there is none).

    All of it is one transaction: whatever ends it, either nothing has changed or everything has. Who comes meanwhile
    waits, since a new session looks its database up in pg_database, and finds the fresh one; who is in is sent away: a
    database in use cannot be renamed. One that has been looked up but not yet entered waits for us, and we for it: it
    is the first to notice, and gives way.
    https://github.com/postgres/postgres/blob/REL_15_STABLE/src/backend/utils/init/postinit.c (InitPostgres)
    """
    if old is None:
        return rename(fresh, name)
    both = f"({literal(name)}, {literal(fresh)})"
    return f"""BEGIN;
SET LOCAL deadlock_timeout = '{_SWAP_SECONDS}s';
SET LOCAL lock_timeout = '500ms';
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname IN {both} AND pid <> pg_backend_pid();
DO $$
DECLARE deadline timestamptz := clock_timestamp() + interval '{_SWAP_SECONDS} seconds';
BEGIN
  LOOP
    BEGIN
      LOCK TABLE pg_catalog.pg_database IN ACCESS EXCLUSIVE MODE;
      EXIT;
    EXCEPTION WHEN lock_not_available THEN
      IF clock_timestamp() > deadline THEN
        RAISE 'a session keeps the list of databases (pg_database) locked';
      END IF;
      -- A transaction that is left open after a look at the list of databases.
      PERFORM pg_terminate_backend(pid) FROM pg_locks
        WHERE relation = 'pg_catalog.pg_database'::regclass AND granted AND pid <> pg_backend_pid();
    END;
  END LOOP;
END $$;
DO $$
DECLARE deadline timestamptz := clock_timestamp() + interval '{_SWAP_SECONDS} seconds';
BEGIN
  LOOP
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN {both} AND pid <> pg_backend_pid();
    -- On their way in.
    PERFORM pg_terminate_backend(pid) FROM pg_locks JOIN pg_database AS d ON objid = d.oid
      WHERE classid = 'pg_catalog.pg_database'::regclass AND datname IN {both} AND pid <> pg_backend_pid();
    PERFORM pg_stat_clear_snapshot();
    EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname IN {both});
    IF clock_timestamp() > deadline THEN
      RAISE 'sessions of % do not end', {literal(name)};
    END IF;
    PERFORM pg_sleep(0.02);
  END LOOP;
END $$;
SET LOCAL lock_timeout = '{_SWAP_SECONDS}s';
{rename(name, old)}{rename(fresh, name)}{allow(old)}COMMIT;
"""


def settings(fresh: str, database: Mapping[str, Any], owner: str, source_owner: str) -> str:
    """Give a fresh database what pg_dump says nothing of: the settings, grants, comment and limit in a manifest.

    Nothing is granted to PUBLIC, which has no business in a database of ours. source_owner: becomes owner.
    """
    name, statements = identifier(fresh), []
    for entry in database.get("settings") or []:
        role = owner if entry["role"] == source_owner else entry["role"]
        whose = f"ALTER DATABASE {name}" if role is None else f"ALTER ROLE {identifier(role)} IN DATABASE {name}"
        for setting in entry["settings"]:
            parameter, _equals, value = setting.partition("=")
            shown = identifier(parameter)
            if parameter in _LISTS:
                statements.append(f"SELECT count(set_config({literal(parameter)}, {literal(value)}, false));")
                statements.append(f"{whose} SET {shown} FROM CURRENT; RESET {shown};")
            else:
                statements.append(f"{whose} SET {shown} = {literal(value)};")
    for grant in database.get("grants") or []:
        if grant["role"] is not None and grant["role"] != source_owner:
            option = " WITH GRANT OPTION" if grant["grantable"] else ""
            statements.append(f"GRANT {grant['privilege']} ON DATABASE {name} TO {identifier(grant['role'])}{option};")
    if database.get("comment") is not None:
        statements.append(f"COMMENT ON DATABASE {name} IS {literal(database['comment'])};")
    if database.get("connection_limit", -1) != -1:
        statements.append(f"ALTER DATABASE {name} CONNECTION LIMIT {int(database['connection_limit'])};")
    return "\n".join(statements) + "\n"


# As pg_dumpall writes them. Anything else is not taken for one: a superuser runs them.
_ROLE = r'("(?:[^"]|"")+"|[a-z_][a-z0-9_]*)'
_LITERAL = r"(?:'(?:[^'\\]|'')*'|E'(?:[^'\\]|''|\\\\)*')"
_ATTRIBUTE = (
    r"(?:(?:NO)?(?:SUPERUSER|INHERIT|CREATEROLE|CREATEDB|LOGIN|REPLICATION|BYPASSRLS)|CONNECTION LIMIT -?\d+"
    rf"|(?:PASSWORD|VALID UNTIL) {_LITERAL})"
)
_PARAMETER = rf'(?:"(?:[^"]|"")+"|[a-zA-Z_][\w.]*) TO {_LITERAL}(?:, {_LITERAL})*'
_CREATE_TABLESPACE = re.compile(f"CREATE TABLESPACE {_ROLE} .*;", re.S)
_CREATE_ROLE = re.compile(f"CREATE ROLE {_ROLE};")
_ALTER_ROLE = re.compile(
    rf"ALTER ROLE {_ROLE} (?:(?P<with>WITH) (?P<attributes>{_ATTRIBUTE}(?: {_ATTRIBUTE})*)|SET {_PARAMETER});", re.A
)
# Who granted it may not be there.
_GRANT_ROLE = re.compile(f"GRANT {_ROLE} TO {_ROLE}( WITH [A-Z, ]+?)?(?: GRANTED BY {_ROLE})?;")


def missing_roles(globals_text: str, there: Container[str], credentials: bool) -> tuple[list[str], str, list[str]]:
    """Return (names, SQL, left out) of the roles in what pg_dumpall wrote that the server does not have.

    credentials: whether they may log in as they could, with the verifiers of their passwords; else nobody can be them.
    left out: in words, the memberships in a superuser, or of a missing role in one that is there or of the server's
    own: what comes with a backup gives nobody the rights of what is there.
    """
    known = split(globals_text)
    created = [match.group(1) for match in map(_CREATE_ROLE.fullmatch, known) if match]
    missing = [shown for shown in created if unquoted(shown) not in there]
    altered = [match for match in map(_ALTER_ROLE.fullmatch, known) if match and match.group(1) in missing]
    granted = [match for match in map(_GRANT_ROLE.fullmatch, known) if match]
    superusers = [match.group(1) for match in altered if "SUPERUSER" in (match["attributes"] or "").split()]
    lines, left_out = [f"CREATE ROLE {shown};" for shown in missing], []
    lines += [match.group() for match in altered if credentials or not match["with"]]
    for match in granted:
        role, member, options = match.group(1), match.group(2), match.group(3) or ""
        if role in missing and role not in superusers:
            lines.append(f"GRANT {role} TO {member}{options};")
        elif role in missing or member in missing:
            left_out.append(f"{unquoted(member)} in {unquoted(role)}")
    return [unquoted(shown) for shown in missing], "\n".join(lines) + "\n", left_out


def tablespaces(globals_text: str) -> list[str]:
    """Return the names, quoted where need be, of the tablespaces in what pg_dumpall wrote."""
    return [match.group(1) for match in map(_CREATE_TABLESPACE.fullmatch, split(globals_text)) if match]


def unquoted(shown: str) -> str:
    """Return the name that SQL shows, quoted or not."""
    return shown[1:-1].replace('""', '"') if shown.startswith('"') else shown


# The privileges of objects of every kind, in one form: what GRANT calls them, and by which name.
_PRIVILEGES = """
  SELECT CASE WHEN relkind = 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind, oid::regclass::text AS object, relacl AS acl
    FROM pg_class WHERE relacl IS NOT NULL
  UNION ALL SELECT 'SCHEMA', format('%I', nspname), nspacl FROM pg_namespace WHERE nspacl IS NOT NULL
  UNION ALL SELECT 'ROUTINE', oid::regprocedure::text, proacl FROM pg_proc WHERE proacl IS NOT NULL
  UNION ALL SELECT 'TYPE', oid::regtype::text, typacl FROM pg_type WHERE typacl IS NOT NULL
  UNION ALL SELECT 'LANGUAGE', format('%I', lanname), lanacl FROM pg_language WHERE lanacl IS NOT NULL
  UNION ALL SELECT 'FOREIGN DATA WRAPPER', format('%I', fdwname), fdwacl FROM pg_foreign_data_wrapper
    WHERE fdwacl IS NOT NULL
  UNION ALL SELECT 'FOREIGN SERVER', format('%I', srvname), srvacl FROM pg_foreign_server WHERE srvacl IS NOT NULL
  UNION ALL SELECT 'LARGE OBJECT', oid::text, lomacl FROM pg_largeobject_metadata WHERE lomacl IS NOT NULL"""


def take_over(role: str, owner: str, forget: bool = True) -> str:
    """Let the role `owner` have everything in the database connected to that belongs to `role` or is granted to it.

    What all databases share, other databases and tablespaces, stays the role's: REASSIGN OWNED takes that too, so it is
    given back in the same transaction.
    forget: take from `role` what it was granted, also on other databases, so that it can be dropped.
    """
    old, new = literal(role), literal(owner)
    return f"""{ALONE}SELECT coalesce(string_agg(statement, '; '), '') AS give_back FROM (
  SELECT format('ALTER DATABASE %I OWNER TO %I', datname, {old}) AS statement FROM pg_database
    WHERE datdba = (SELECT oid FROM pg_roles WHERE rolname = {old}) AND datname <> current_database()
  UNION ALL SELECT format('ALTER TABLESPACE %I OWNER TO %I', spcname, {old}) FROM pg_tablespace
    WHERE spcowner = (SELECT oid FROM pg_roles WHERE rolname = {old})) AS shared \\gset
BEGIN READ WRITE;
REASSIGN OWNED BY {identifier(role)} TO {identifier(owner)};
:give_back;
COMMIT;
SELECT format('GRANT %s ON %s %s TO %I%s', privilege_type, kind, object, {new},
    CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
  FROM ({_PRIVILEGES}) AS objects, aclexplode(acl)
  WHERE grantee = (SELECT oid FROM pg_roles WHERE rolname = {old}) \\gexec
SELECT format('GRANT %s (%I) ON TABLE %s TO %I%s', privilege_type, attname, attrelid::regclass, {new},
    CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
  FROM pg_attribute, aclexplode(attacl)
  WHERE grantee = (SELECT oid FROM pg_roles WHERE rolname = {old}) \\gexec
SELECT format('ALTER DEFAULT PRIVILEGES FOR ROLE %I%s GRANT %s ON %s TO %s%s',
    CASE WHEN defaclrole = old.oid THEN {new} ELSE pg_get_userbyid(defaclrole) END,
    CASE WHEN defaclnamespace <> 0 THEN format(' IN SCHEMA %I', (SELECT nspname FROM pg_namespace AS n
      WHERE n.oid = defaclnamespace)) ELSE '' END,
    privilege_type,
    CASE defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES'
      WHEN 'n' THEN 'SCHEMAS' ELSE 'LARGE OBJECTS' END,
    CASE WHEN grantee = 0 THEN 'PUBLIC' WHEN grantee = old.oid THEN quote_ident({new})
      ELSE quote_ident(pg_get_userbyid(grantee)) END,
    CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
  FROM pg_default_acl, aclexplode(defaclacl), (SELECT oid FROM pg_roles WHERE rolname = {old}) AS old
  WHERE old.oid IN (defaclrole, grantee) \\gexec
SELECT format('ALTER POLICY %I ON %s TO %s', polname, polrelid::regclass,
    (SELECT string_agg(CASE WHEN member = 0 THEN 'PUBLIC' WHEN member = old.oid THEN quote_ident({new})
      ELSE quote_ident(pg_get_userbyid(member)) END, ', ') FROM unnest(polroles) AS member))
  FROM pg_policy, (SELECT oid FROM pg_roles WHERE rolname = {old}) AS old
  WHERE old.oid = ANY (polroles) \\gexec
{f"DROP OWNED BY {identifier(role)};" if forget else ""}
"""

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SQL that a database needs, and the reading of the server's answers. Pure text; psql runs it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .._domain import extensions, privileges, users
from .._domain.container import HOME_MOUNT
from .._domain.facts import ServerFacts
from . import answers as forms

if TYPE_CHECKING:
    from .._domain.extensions import Installed

# What follows may hold a SCRAM verifier: it goes into no log, not even with the statement that failed. Versions and
# extensions differ in what they have of these.
UNLOGGED = """SELECT count(set_config(name, value, false)) FROM pg_settings JOIN (VALUES
  ('log_statement', 'none'), ('log_duration', 'off'), ('log_min_duration_statement', '-1'),
  ('log_min_duration_sample', '-1'), ('log_transaction_sample_rate', '0'), ('log_min_error_statement', 'panic'),
  ('debug_print_parse', 'off'), ('debug_print_rewritten', 'off'), ('debug_print_plan', 'off'),
  ('auto_explain.log_min_duration', '-1'), ('pg_stat_statements.track_utility', 'off')) AS unlogged(name, value)
  USING (name);"""

# The role that initdb made has this oid, whatever its name (src/include/catalog/pg_authid.dat).
BOOTSTRAP_SUPERUSER_OID = 10
# From here on the schema public belongs to the database's owner, and to nobody else.
PUBLIC_SCHEMA_CLOSED_SINCE = 15


# The search path of the superuser in a database of somebody else's.
CATALOG = "pg_catalog"
# What a role has that is nobody but the owner of a database, or a user of it.
ORDINARY = "NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS"


def identifier(name: str) -> str:
    """Quote a name for SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a text for SQL, where standard_conforming_strings is on."""
    return "'" + text.replace("'", "''") + "'"


def identity(catalog: str, oid: str) -> str:
    """Return the SQL for the name by which ALTER knows an object: of a function with the modes of its arguments, since
    procedures may differ in these alone.
    """
    return (
        f"CASE WHEN {catalog} = 'pg_catalog.pg_proc'::pg_catalog.regclass THEN (SELECT pg_catalog.format('%I.%I(%s)',"
        " nspname, proname, pg_catalog.pg_get_function_identity_arguments(p.oid)) FROM pg_catalog.pg_proc AS p"
        f" JOIN pg_catalog.pg_namespace AS pn ON pn.oid = pronamespace WHERE p.oid = {oid})"
        f" ELSE (pg_catalog.pg_identify_object({catalog}, {oid}, 0)).identity END"
    )


# What is wrong with the configuration files as they are now, and what waits for a restart. A parameter that takes
# effect at the next restart is listed with the same words as a wrong value, but marked as pending; reading the files
# sets the mark in this session, also where the server has not read them yet: hence the order.
# One that was taken out is listed without a file (ProcessConfigFileInternal in src/backend/utils/misc/guc-file.l).
OBSERVE_FILES = f"""WITH files AS MATERIALIZED (
  SELECT * FROM pg_file_settings WHERE error IS NOT NULL AND sourcefile IS NOT NULL)
SELECT json_build_object('file_errors', (SELECT coalesce(json_agg(
    concat_ws(' ', sourcefile || ' line ' || sourceline, files.name || ' = ' || setting, error)), '[]')
  FROM files LEFT JOIN LATERAL
    (SELECT context, pending_restart FROM pg_settings WHERE pg_settings.name = lower(files.name)) AS known ON true
  WHERE known.context IS DISTINCT FROM 'postmaster' OR NOT known.pending_restart))::text;
SELECT json_build_object(
  'pending_restart', coalesce(json_agg(name ORDER BY name), '[]'),
  'withdrawn', coalesce(json_agg(name ORDER BY name)
    FILTER (WHERE starts_with(sourcefile, {literal(HOME_MOUNT + "/")})), '[]'))::text
  FROM pg_settings WHERE pending_restart;
"""


# Of pg_file_settings: what ALTER SYSTEM has set, which outranks all other files.
ALTERED = "coalesce(json_agg(lower(name) ORDER BY name) FILTER (WHERE sourcefile ~ '/postgresql[.]auto[.]conf$'), '[]')"
# Which of that the server runs with.
OBSERVE_APPLIED = """SELECT json_build_object('applied', coalesce(json_agg(lower(name)), '[]'))::text
  FROM pg_settings WHERE sourcefile ~ '/postgresql[.]auto[.]conf$';
"""


def observe(database: str, username: str) -> str:
    """Return the first question to a server, whose answer says also whether there is reason for two further ones.

    What costs is to plan a question, so that most servers are asked only this and OBSERVE_EXTENSIONS.
    suspects_files: OBSERVE_FILES may find something, as what waits for a restart is listed with an error, too;
    has_users: roles.OBSERVE finds declared users; altered: with a name in it, OBSERVE_APPLIED finds something.
    """
    return f"""SELECT json_build_object(
  'version', current_setting('server_version'),
  'superuser_has_password', (SELECT rolpassword IS NOT NULL FROM pg_authid WHERE oid = {BOOTSTRAP_SUPERUSER_OID}),
  'role', (SELECT json_build_object(
      'verifier', rolpassword,
      'login', rolcanlogin,
      'ends', coalesce(isfinite(rolvaliduntil), false),
      'closed', rolconnlimit = 0,
      'privileged', rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)
    FROM pg_authid WHERE rolname = {literal(username)}),
  'database', (SELECT json_build_object(
      'owner', pg_get_userbyid(datdba),
      'closed', datconnlimit = 0,
      'public', has_database_privilege('public', oid, 'CREATE, CONNECT, TEMPORARY'))
    FROM pg_database WHERE datname = {literal(database)}),
  'suspects_files', files.faulty,
  'altered', files.altered,
  'has_users', EXISTS (SELECT FROM pg_shdescription
    WHERE classoid = 'pg_authid'::regclass AND description = {literal(users.MARK)}),
  'loaded_at', extract(epoch FROM pg_conf_load_time())
)::text FROM (SELECT count(error) > 0 AS faulty, {ALTERED} AS altered FROM pg_file_settings) AS files;
"""


# In the database itself.
OBSERVE_EXTENSIONS = f"""SELECT json_build_object('extensions',
  coalesce(json_object_agg(extname, json_build_object(
    'version', extversion,
    'declared', obj_description(oid, 'pg_extension') IS NOT DISTINCT FROM {literal(extensions.MARK)})), '{{}}'))::text
  FROM pg_extension;
"""


# Which it may have become, where the database is missing.
OBSERVE_OTHERS = """SELECT json_build_object('others',
  coalesce(json_object_agg(datname, pg_get_userbyid(datdba)), '{}'))::text
  FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres';
"""


def read(lines: Iterable[str]) -> dict[str, Any]:
    """Return the answers to any of the questions (OBSERVE_...), one line of JSON each, as one mapping."""
    answers = {}
    for line in lines:
        answers.update(forms.load(line))
    return answers


# Of what is asked for in one place only, the rest is as it comes.
_FORM: forms.Form = {
    "version": forms.TEXT,
    "superuser_has_password": forms.TRUTH,
    "role": forms.Maybe(
        {
            "verifier": forms.OPTIONAL_TEXT,
            "login": forms.TRUTH,
            "ends": forms.TRUTH,
            "closed": forms.TRUTH,
            "privileged": forms.TRUTH,
        }
    ),
    "database": forms.Maybe({"owner": forms.TEXT, "closed": forms.TRUTH, "public": forms.TRUTH}),
    "suspects_files": forms.TRUTH,
    "has_users": forms.TRUTH,
    "altered": forms.Maybe([forms.TEXT]),
    "applied": forms.Maybe([forms.TEXT]),
    "loaded_at": forms.NUMBER,
    "pending_restart": forms.Maybe([forms.TEXT]),
    "withdrawn": forms.Maybe([forms.TEXT]),
    "file_errors": forms.Maybe([forms.TEXT]),
    "extensions": forms.Maybe(forms.Each({"version": forms.TEXT, "declared": forms.TRUTH})),
    "others": forms.Maybe(forms.Each(forms.TEXT)),
    "users": forms.Maybe(
        {
            "roles": forms.Each(
                {
                    "verifier": forms.OPTIONAL_TEXT,
                    "login": forms.TRUTH,
                    "privileged": forms.TRUTH,
                    "connection_limit": forms.NUMBER,
                    "ends_in": (*forms.NUMBER, type(None)),
                    "marked": forms.TRUTH,
                    "member_of": [forms.TEXT],
                    "works_as": forms.OPTIONAL_TEXT,
                }
            ),
            "database": [[forms.TEXT]],
            "defaults": [[forms.TEXT]],
            "ungranted": [forms.TEXT],
        }
    ),
}


def checked(answers: dict[str, Any]) -> dict[str, Any]:
    """Return the answers where they are of the form that was asked for. Raises TypeError or KeyError."""
    forms.check(answers, _FORM)
    return answers


def major(answers: Mapping[str, Any]) -> int:
    """Return the major version, which the first question asks for."""
    match = re.match(r"[0-9]+", answers["version"])
    if match is None:
        raise ValueError("a version does not begin with a number")
    return int(match.group())


def facts(answers: Mapping[str, Any]) -> ServerFacts:
    """Return the ServerFacts of what `read` gives, of at least the first question."""
    return ServerFacts(
        role=answers["role"],
        database=answers["database"],
        superuser_has_password=bool(answers["superuser_has_password"]),
        pending_restart=tuple(answers.get("pending_restart", ())),
        withdrawn=tuple(answers.get("withdrawn", ())),
        version=answers["version"],
        file_errors=tuple(answers.get("file_errors", ())),
        loaded_at=float(answers["loaded_at"]),
        extensions=answers.get("extensions", {}),
        users=answers.get("users", users.NOTHING),
        others=answers.get("others", {}),
        privileges=answers.get("privileges", privileges.NOTHING),
        altered=tuple(answers.get("altered", ())),
        applied=tuple(answers.get("applied", ())),
    )


def ensure_role(username: str, verifier: str | None, logs_in: bool = True) -> str:
    """Make the application's role, or take from it what it must not have. A verifier of None leaves its password.

    logs_in: whether it logs in itself, without an end.
    """
    name = identifier(username)
    password = f" PASSWORD {literal(verifier)}" if verifier else ""
    ends = " VALID UNTIL 'infinity'" if logs_in else ""
    return (
        f"SELECT {literal('CREATE ROLE ' + name)}"
        f" WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {literal(username)}) \\gexec\n"
        # With a limit that is not nought somebody had something in mind.
        f"SELECT {literal(f'ALTER ROLE {name} CONNECTION LIMIT -1')}"
        f" FROM pg_roles WHERE rolname = {literal(username)} AND rolconnlimit = 0 \\gexec\n"
        f"ALTER ROLE {name} LOGIN {ORDINARY}{ends}{password};\n"
    )


# What new databases are made of has no text of anybody's that is sorted: where the C library is another than the one
# that made it, there is nothing to rebuild. From 15 on the server asks for it.
# https://www.postgresql.org/docs/current/sql-alterdatabase.html#SQL-ALTERDATABASE-NOTES
REFRESH_TEMPLATE = """SELECT format('ALTER DATABASE %I REFRESH COLLATION VERSION', datname) FROM pg_database AS d
  WHERE datname IN ('template0', 'template1') AND to_jsonb(d)->>'datcollversion' IS NOT NULL \\gexec
"""


def ensure_database(database: str, username: str) -> str:
    """Make the database where it is missing, and give it to the application's role."""
    name, owner = identifier(database), identifier(username)
    return (
        f"{REFRESH_TEMPLATE}SELECT {literal(f'CREATE DATABASE {name} OWNER {owner}')}"
        f" WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = {literal(database)}) \\gexec\n"
        f"ALTER DATABASE {name} OWNER TO {owner};\n"
        f"SELECT {literal(f'ALTER DATABASE {name} CONNECTION LIMIT -1')}"
        f" FROM pg_database WHERE datname = {literal(database)} AND datconnlimit = 0 \\gexec\n"
    )


def enter(database: str, search_path: str = CATALOG) -> str:
    """Return what takes psql into a database whose owner is not to be trusted.

    The owner may set a search path for everybody who connects, and shadow there what the superuser calls.
    https://www.postgresql.org/docs/current/ddl-schemas.html#DDL-SCHEMAS-PATTERNS
    """
    return f"\\connect {identifier(database)}\nSET search_path = {search_path};"


def restrict_database(database: str, username: str, major: int) -> str:
    """Let nobody in but the owner. The database comes last: what is observed of it then says that all is done."""
    statements = f"REVOKE ALL ON DATABASE {identifier(database)} FROM PUBLIC;\n"
    if major < PUBLIC_SCHEMA_CLOSED_SINCE:
        statements = (
            f"{enter(database)}\n"
            f"ALTER SCHEMA public OWNER TO {identifier(username)}; REVOKE CREATE ON SCHEMA public FROM PUBLIC;\n"
            "\\connect postgres\n"
        ) + statements
    return statements


def change_extensions(database: str, wanted: Mapping[str, str | None], installed: Mapping[str, Installed]) -> str:
    """Return the script from the installed extensions to the wanted ones."""
    statements = [statement for _words, statement in extensions.changes(wanted, installed)]
    # Where an extension does not say itself where it belongs, it comes to the first of the path.
    return "\n".join([enter(database, "public"), *statements, "\\connect postgres", ""])


def lock_superuser() -> str:
    """Leave the superuser without a password: with `peer` on the socket it needs none, elsewhere it has no entry."""
    return "ALTER ROLE postgres PASSWORD NULL;\n"

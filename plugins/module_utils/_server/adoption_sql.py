# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SQL that makes somebody else's server one of ours: what it is asked, and how its roles are put in order. Pure."""

from __future__ import annotations

import json
from typing import Any

from . import privileges
from .sql import BOOTSTRAP_SUPERUSER_OID, ORDINARY, identifier, identity, literal

# Nobody gets in but the superuser, whatever its name, over the container's own socket.
CLOSED_HBA = "# Written by vellaric.postgres while it takes this database over.\nlocal all all trust\n"

# The first user that initdb does not use (src/include/access/transam.h).
_FIRST_NORMAL_OID = 16384

# As the image's entrypoint reads them; the password is the container's own and goes to nobody else.
LOG_IN = """value() { eval "v=\\${$1-}; f=\\${$1_FILE-}"; [ -n "$v" ] || [ -z "$f" ] || v=$(cat "$f"); printf %s "$v"; }
u=$(value POSTGRES_USER); PGPASSWORD=$(value POSTGRES_PASSWORD); export PGPASSWORD
h=; psql -XAtqw -U "${u:-postgres}" -d postgres -c 'SELECT 1' >/dev/null 2>&1 || h='-h 127.0.0.1'
exec psql -XAtqw $h -v ON_ERROR_STOP=1 -v VERBOSITY=terse -U "${u:-postgres}" -d postgres -f -"""

# Parameters that are lost with the old container: those of its command, and of files outside of the data directory.
QUESTION = f"""SELECT json_build_object(
  'data_directory', current_setting('data_directory'),
  'bootstrap', (SELECT rolname FROM pg_authid WHERE oid = {BOOTSTRAP_SUPERUSER_OID}),
  'has_postgres', EXISTS (SELECT FROM pg_authid WHERE rolname = 'postgres' AND oid <> {BOOTSTRAP_SUPERUSER_OID}),
  'databases', (SELECT json_agg(datname ORDER BY datname) FROM pg_database WHERE NOT datistemplate),
  'standby', pg_is_in_recovery(),
  'logins', (SELECT coalesce(json_agg(json_build_array(rolname, rolsuper) ORDER BY rolname), '[]') FROM pg_roles
    WHERE rolcanlogin),
  'settings', (SELECT coalesce(json_object_agg(name, current_setting(name) ORDER BY name), '{{}}') FROM pg_settings
    WHERE source = 'command line' OR (source = 'configuration file'
      AND NOT starts_with(sourcefile, rtrim(current_setting('data_directory'), '/') || '/')))
)::text;
"""

# What has an owner, by catalog: the word for ALTER, the catalog, its columns, and which rows count. What belongs to a
# table goes with it; subscriptions, event triggers and foreign-data wrappers have to be a superuser's.
_OWNED = """
SELECT 'SCHEMA' AS kind, 'pg_namespace'::regclass AS class, oid AS object, nspowner AS owner FROM pg_namespace
  WHERE nspname !~ '^pg_'
UNION ALL SELECT 'TABLE', 'pg_class'::regclass, oid, relowner FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f')
UNION ALL SELECT 'SEQUENCE', 'pg_class'::regclass, oid, relowner FROM pg_class WHERE relkind = 'S'
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid
    AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i'))
UNION ALL SELECT 'TYPE', 'pg_type'::regclass, oid, typowner FROM pg_type
  WHERE (typtype IN ('b', 'd', 'e', 'r') AND NOT EXISTS (SELECT FROM pg_type AS one WHERE one.typarray = pg_type.oid))
  OR (typtype = 'c' AND EXISTS (SELECT FROM pg_class WHERE pg_class.oid = typrelid AND relkind = 'c'))
UNION ALL SELECT 'ROUTINE', 'pg_proc'::regclass, oid, proowner FROM pg_proc
UNION ALL SELECT 'OPERATOR', 'pg_operator'::regclass, oid, oprowner FROM pg_operator
UNION ALL SELECT 'OPERATOR CLASS', 'pg_opclass'::regclass, oid, opcowner FROM pg_opclass
UNION ALL SELECT 'OPERATOR FAMILY', 'pg_opfamily'::regclass, oid, opfowner FROM pg_opfamily
UNION ALL SELECT 'COLLATION', 'pg_collation'::regclass, oid, collowner FROM pg_collation
UNION ALL SELECT 'CONVERSION', 'pg_conversion'::regclass, oid, conowner FROM pg_conversion
UNION ALL SELECT 'TEXT SEARCH DICTIONARY', 'pg_ts_dict'::regclass, oid, dictowner FROM pg_ts_dict
UNION ALL SELECT 'TEXT SEARCH CONFIGURATION', 'pg_ts_config'::regclass, oid, cfgowner FROM pg_ts_config
UNION ALL SELECT 'STATISTICS', 'pg_statistic_ext'::regclass, oid, stxowner FROM pg_statistic_ext
UNION ALL SELECT 'SERVER', 'pg_foreign_server'::regclass, oid, srvowner FROM pg_foreign_server
UNION ALL SELECT 'PUBLICATION', 'pg_publication'::regclass, oid, pubowner FROM pg_publication WHERE NOT puballtables
UNION ALL SELECT 'LARGE OBJECT', 'pg_largeobject'::regclass, oid, lomowner FROM pg_largeobject_metadata
"""


# As SECURITY DEFINER they would run as the superuser for whoever does what they wait for: those go to the new
# owner, and no event trigger calls them any more.
_CALLED_BY_EVENTS = """SELECT evtfoid FROM pg_event_trigger JOIN pg_proc AS p ON p.oid = evtfoid
  JOIN pg_roles AS o ON o.oid = p.proowner WHERE o.rolsuper AND NOT p.prosecdef"""


def parse(answer: str) -> Any:
    return json.loads(answer.splitlines()[0])


def who_is_superuser() -> str:
    """Return the question for the bootstrap superuser's name, which anybody may ask, and for the databases."""
    return (
        f"SELECT rolname FROM pg_roles WHERE oid = {BOOTSTRAP_SUPERUSER_OID};\n"
        "SELECT datname FROM pg_database ORDER BY datname;\n"
    )


def verifier_of(username: str) -> str:
    return f"SELECT rolpassword FROM pg_authid WHERE rolname = {literal(username)};\n"


def put_roles_in_order(bootstrap: str, username: str, database: str, keeps_password: bool) -> str:
    """Return the script, one transaction, to be run in the application's database as the bootstrap superuser.

    The bootstrap superuser has to stay one, so it gets the name that is a superuser's: postgres. The application's role
    is an ordinary one, of the old name too where that is wanted. It gets what superusers own in the database, and all
    who may become more than the owner of a database, and the rights of the ordinary roles that own something. What
    event triggers call stays a superuser's, since they fire in superusers' sessions, too. Repeated, it changes nothing.
    keeps_password: whether the application's role has the declared password already; another one is taken from it.
    """
    role = identifier(username)
    return "\n".join(
        [
            # In a database whose owner may have put functions and operators of theirs before the server's.
            "SET search_path = pg_catalog;",
            "BEGIN READ WRITE;",
            *(_rename(bootstrap) if bootstrap != "postgres" else []),
            f"SELECT {literal('CREATE ROLE ' + role)}"
            f" WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {literal(username)}) \\gexec",
            *([] if keeps_password else [f"ALTER ROLE {role} PASSWORD NULL;"]),
            f"ALTER ROLE {role} {ORDINARY};",
            f"CREATE TEMP TABLE dangerous ON COMMIT DROP AS {privileges.dangerous_roles()};",
            f"CREATE TEMP TABLE adopted ON COMMIT DROP AS SELECT * FROM ({_OWNED}) AS owned"
            f" WHERE object >= {_FIRST_NORMAL_OID} AND owner <> {literal(role)}::regrole"
            " AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = class AND objid = object AND deptype = 'e')"
            f" AND NOT (class = 'pg_proc'::regclass AND object IN ({_CALLED_BY_EVENTS}));",
            f"SELECT format('ALTER %s %s OWNER TO %I', kind, {identity('class', 'object')},"
            f" {literal(username)})"
            " FROM adopted WHERE owner IN (SELECT role FROM dangerous) \\gexec",
            f"SELECT DISTINCT format('GRANT %I TO %I', rolname, {literal(username)})"
            " FROM adopted JOIN pg_roles ON pg_roles.oid = owner"
            " WHERE owner NOT IN (SELECT role FROM dangerous) AND rolname !~ '^pg_'"
            f" AND NOT pg_has_role({literal(username)}, owner, 'member')"
            f" AND NOT pg_has_role(owner, {literal(role)}::regrole, 'member') \\gexec",
            f"ALTER DATABASE {identifier(database)} OWNER TO {role};",
            privileges.restrict(username),
            "COMMIT;",
            "",
        ]
    )


def _rename(bootstrap: str) -> list[str]:
    """No session may rename the role that it has logged in as: a passing one does."""
    return [
        "CREATE ROLE vellaric_adoption SUPERUSER;",
        "SET SESSION AUTHORIZATION vellaric_adoption;",
        f"ALTER ROLE {identifier(bootstrap)} RENAME TO postgres;",
        "RESET SESSION AUTHORIZATION;",
        "DROP ROLE vellaric_adoption;",
    ]


def rename_database(old: str, new: str) -> str:
    return f"ALTER DATABASE {identifier(old)} RENAME TO {identifier(new)};\n"

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role that loads dumps, and what the superuser does for it. Pure text.

Whatever a dump would have the server evaluate is evaluated in that role's session. It owns the fresh database and has
no part in anything else; it is there, and with a password, only while a dump is loaded. The superuser's statements are
those here, each of a kind that evaluates nothing of a database's owner.
"""

from __future__ import annotations

import hashlib
import re
import secrets

from .._domain.errors import DatabaseError, Refused
from .sql import UNLOGGED, identifier, identity, literal

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


def renew(verifier: str, database: str) -> str:
    """Return what lets the role in again, whatever its sessions have set of it and of the database that it owns."""
    name = identifier(database)
    return (
        f"{UNLOGGED}\nALTER ROLE {LOADER} LOGIN PASSWORD {literal(verifier)}; ALTER ROLE {LOADER} RESET ALL;"
        f" ALTER ROLE {LOADER} IN DATABASE {name} RESET ALL; ALTER ROLE {LOADER} SET lc_messages = 'C';"
        f" ALTER DATABASE {name} RESET ALL; ALTER DATABASE {name} CONNECTION LIMIT -1 ALLOW_CONNECTIONS true;\n"
    )


# How a session is known, to itself and to others: no other has had both.
_SESSION = (
    "pg_catalog.format('%s %s', pid, (extract(epoch FROM backend_start) * 1000000)::bigint)"
    " FROM pg_catalog.pg_stat_activity"
)
_IS_SESSION = re.compile(r"[0-9]+ [0-9]+")


def introduce(word: str) -> str:
    """Return what has a session say which it is, behind a word."""
    return f"SELECT {literal(word)}, {_SESSION} WHERE pid = pg_catalog.pg_backend_pid();\n"


def session(said: str) -> str:
    """Return which session it is, of what one has said. Raises DatabaseError for anything else."""
    shown = said.strip("| \r")
    if not _IS_SESSION.fullmatch(shown):
        raise DatabaseError(f"A session of the role that loads says that it is {shown[:60]!r}")
    return shown


def alone(one: str = "") -> str:
    """End all sessions of the role, but for one, and let no other in: nothing of the owner's runs beside what follows.

    Whoever they belong to, such as to a session that has ended itself.
    """
    others = (
        f"(SELECT pid, usename, backend_type, {_SESSION}) AS each (pid, usename, backend_type, which)"
        f" WHERE usename = '{LOADER}' AND backend_type = 'client backend' AND which <> {literal(one)}"
    )
    return f"""ALTER ROLE {LOADER} NOLOGIN;
DO $alone$ DECLARE
  quiet int := 0;
BEGIN
  FOR turn IN 1..500 LOOP
    PERFORM pg_catalog.pg_stat_clear_snapshot();
    PERFORM pg_catalog.pg_terminate_backend(pid) FROM {others};
    -- One that was just coming in is to be seen a moment later.
    quiet := CASE WHEN FOUND THEN 0 ELSE quiet + 1 END;
    IF quiet > 3 THEN RETURN; END IF;
    PERFORM pg_catalog.pg_sleep(0.02);
  END LOOP;
  RAISE EXCEPTION 'sessions of {LOADER} do not end';
END $alone$;
"""


NOT_ALONE = f"ALTER ROLE {LOADER} LOGIN;\n"

# The databases in which somebody has given the role something, or it has something.
SPEAK_OF_IT = (
    "SELECT coalesce(json_agg(DISTINCT datname), '[]')::text FROM pg_shdepend JOIN pg_database AS d ON d.oid = dbid"
    f" WHERE refclassid = 'pg_authid'::regclass AND datallowconn"
    f" AND refobjid = (SELECT oid FROM pg_roles WHERE rolname = '{LOADER}');\n"
)
# In each of them, and in the end once more for what all share.
FORGET = f"SELECT 'DROP OWNED BY {LOADER}' FROM pg_catalog.pg_roles WHERE rolname = '{LOADER}' \\gexec\n"


def end() -> str:
    """Take the role away: what it owned is another's by now, or gone with its database."""
    return f"{FORGET}DROP ROLE IF EXISTS {LOADER};\n"


# While a backup is loaded, everything in the database is the loading role's, also what was and will be a superuser's or
# another role's. What the owner's code runs meanwhile (constraints, indexes, views, ...) could change that, or plant
# something beside it: it may change no definition. What a dump says itself comes from no function; the script of an
# extension is run by the server. Of an operator's masking SQL, DO blocks may. It fires whatever
# session_replication_role is.
#
# That code could change the role's password, too, and come in by that over a connection of its own (dblink), while we
# are in or after: it is let change something in the one session that we have asked which it is, before it read anything
# of the dump. Sessions that pg_restore opens run what stands in the archive, and nothing else.
GUARD_NAME = "vellaric_loading"


def guard(one: str = "", statements: frozenset[str] = frozenset()) -> str:
    """Return what makes the guard, or changes whom it lets change definitions: nobody but who is given.

    one: a session (`session`). statements: what every session may run, as checksums of whole queries (`checksum`).
    """
    known = "{" + ",".join(sorted(statements)) + "}"
    return rf"""{ALONE}CREATE OR REPLACE FUNCTION pg_catalog.{GUARD_NAME}() RETURNS event_trigger LANGUAGE plpgsql
SET search_path = '' AS $guard$
DECLARE
  context text;
  within text[];
BEGIN
  IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN RETURN; END IF;
  GET DIAGNOSTICS context = PG_CONTEXT;
  within := pg_catalog.string_to_array(context, E'\n');
  IF (SELECT {_SESSION} WHERE pid = pg_catalog.pg_backend_pid()) IS DISTINCT FROM {literal(one)} THEN
    IF pg_catalog.array_length(within, 1) = 1 AND pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
      pg_catalog.btrim(pg_catalog.current_query(), E' \t\r\n'), pg_catalog.getdatabaseencoding())), 'hex')
      = ANY ('{known}'::text[]) THEN RETURN; END IF;
    RAISE EXCEPTION 'another session may not run % while the database is loaded', tg_tag
      USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF pg_catalog.array_length(within, 1) = 1
    OR pg_catalog.current_query() ~* '^(\s|--[^\n]*\n)*CREATE\s+EXTENSION\s'
    OR within[pg_catalog.array_length(within, 1)] ~ '^PL/pgSQL function inline_code_block line \d+ at [A-Za-z ]+$'
      AND context !~ E'\n(PL/[A-Za-z]+|SQL) function (?!inline_code_block line)' THEN
    RETURN;
  END IF;
  RAISE EXCEPTION 'functions of the database may not run % while it is loaded', tg_tag
    USING ERRCODE = 'insufficient_privilege';
END $guard$;
SELECT 'CREATE EVENT TRIGGER {GUARD_NAME} ON ddl_command_start EXECUTE FUNCTION pg_catalog.{GUARD_NAME}()'
  WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_event_trigger WHERE evtname = '{GUARD_NAME}') \gexec
ALTER EVENT TRIGGER {GUARD_NAME} ENABLE ALWAYS;
"""


def checksum(query: bytes) -> str:
    """Return by what the guard knows a query."""
    return hashlib.sha256(query.strip(b" \t\r\n")).hexdigest()


UNGUARD = f"""{ALONE}DROP EVENT TRIGGER IF EXISTS {GUARD_NAME};
SELECT 'DROP FUNCTION pg_catalog.{GUARD_NAME}()' FROM pg_catalog.pg_proc
  WHERE pronamespace = 11 AND proname = '{GUARD_NAME}' \\gexec
"""

# Wrappers are nobody's but who is given them: what the role was given is not the owner's.
KEEP_WRAPPERS = (
    f"SELECT pg_catalog.format('REVOKE ALL ON FOREIGN DATA WRAPPER %I FROM {LOADER}', fdwname)"
    " FROM pg_catalog.pg_foreign_data_wrapper \\gexec\n"
)
# What fires in superusers' sessions is off until it is known whose its function is; and as it was where that is one's.
_FIRING = (
    f"FROM pg_catalog.pg_event_trigger WHERE oid >= 16384 AND evtenabled <> 'D' AND evtname <> '{GUARD_NAME}'"
    " AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS e WHERE e.objid = pg_event_trigger.oid AND e.deptype = 'e')"
)
QUIET_TRIGGERS = (
    f"{ALONE}SELECT coalesce(pg_catalog.json_object_agg(evtname, evtenabled), '{{}}')::text {_FIRING};\n"
    f"SELECT pg_catalog.format('ALTER EVENT TRIGGER %I DISABLE', evtname) {_FIRING} \\gexec\n"
)
_OF_EVENT_TRIGGERS = re.compile(r"(CREATE|ALTER|COMMENT\s+ON)\s+EVENT\s+TRIGGER\s", re.I)


def in_order(later: list[str]) -> list[str]:
    """Put what makes event triggers last: none fires for that, and they are disabled before anything else is run."""
    return sorted(later, key=lambda statement: bool(_OF_EVENT_TRIGGERS.match(statement)))


_ENABLED = {"O": "ENABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}


def enable_triggers(states: dict[str, str]) -> str:
    """Enable the event triggers again whose function belongs to a superuser, and print the names of the others."""
    lines = [ALONE]
    for name, state in sorted(states.items()):
        owned = (
            "SELECT FROM pg_catalog.pg_event_trigger AS t JOIN pg_catalog.pg_proc AS p ON p.oid = evtfoid"
            f" JOIN pg_catalog.pg_roles AS r ON r.oid = proowner WHERE evtname = {literal(name)} AND rolsuper"
        )
        enable = f"ALTER EVENT TRIGGER {identifier(name)} {_ENABLED.get(state, 'ENABLE')}"
        lines.append(f"SELECT {literal(enable)} WHERE EXISTS ({owned}) \\gexec")
        lines.append(f"SELECT {literal(name)} WHERE NOT EXISTS ({owned});")
    return "\n".join([*lines, ""])


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
_ONLY = {
    "pg_type": " AND typtype IN ('b', 'r') AND typelem = 0",
    "pg_class": " AND relkind = 'f'",
    "pg_proc": " AND pronamespace <> 11",
}


def hand_over() -> str:
    """Let the loading role own what the superuser has made for it: it goes on to comment on that, and to change it."""
    parts = [
        f"SELECT pg_catalog.format('ALTER %s %s OWNER TO {LOADER}', {kind},"
        + identity(f"'pg_catalog.{catalog}'::pg_catalog.regclass", "object.oid")
        + ")"
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

_MAY_BE_CALLED = {
    "pg_proc": ("pronamespace <> 11", "proowner"),
    "pg_operator": ("true", "oprowner"),
    "pg_cast": ("true", None),
    # What belongs to an extension's table is there through that.
    "pg_class": ("relkind IN ('r', 'p', 'v', 'm', 'f')", "relowner"),
}


def theirs(foreign: bool) -> str:
    """Ask, before an extension's script runs, whether what it calls could be the owner's.

    foreign: the dump is anybody's, who may have added objects of theirs to an extension that they own.
    """
    conditions = []
    for catalog, (which, owner) in _MAY_BE_CALLED.items():
        whose = _NOT_OF_EXTENSION.format(catalog=f"pg_catalog.{catalog}", oid="object.oid")
        if foreign and owner is not None:
            whose = f"({whose} OR {owner} = '{LOADER}'::pg_catalog.regrole)"
        conditions.append(
            f"EXISTS (SELECT FROM pg_catalog.{catalog} AS object WHERE oid >= {FIRST_NORMAL_OID}"
            f" AND {which} AND {whose})"
        )
    return f"{ALONE}SELECT ({' OR '.join(conditions)})::text;\n"


def create_extension(name: str, schema: str | None) -> str:
    """Make an extension that only a superuser may make, while the database is still empty; its schema, too, where that
    is not there."""
    where = f" SCHEMA {identifier(schema)}" if schema else ""
    made = (
        f"SELECT pg_catalog.format('CREATE SCHEMA %I AUTHORIZATION {LOADER}', {literal(schema)})"
        f" WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = {literal(schema)}) \\gexec\n"
        if schema
        else ""
    )
    return (
        f"{ALONE}{made}SET search_path = public;\n"
        f"CREATE EXTENSION IF NOT EXISTS {identifier(name)}{where} CASCADE;\n{ALONE}{ALLOW_WRAPPERS}"
    )


# The tables and sequences of extensions that a dump has rows of, and whether their rows are guarded.
# https://www.postgresql.org/docs/current/extend-extensions.html#EXTEND-EXTENSIONS-CONFIG-TABLES
EXTENSION_TABLES = f"""{ALONE}SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(
    pg_catalog.format('%I.%I', nspname, relname), relrowsecurity)), '[]')::text
  FROM pg_catalog.pg_extension, pg_catalog.unnest(extconfig) AS one
  JOIN pg_catalog.pg_class AS c ON c.oid = one JOIN pg_catalog.pg_namespace AS n ON n.oid = relnamespace;
"""


def let_write(name: str, let: bool) -> str:
    """Let the loading role write to an extension's table or sequence, or not any more: the one of that name which an
    extension has, whatever else has the name by now."""
    what = f"GRANT %s ON %s %I.%I TO {LOADER}" if let else f"REVOKE %s ON %s %I.%I FROM {LOADER}"
    return f"""{ALONE}SELECT pg_catalog.format({literal(what)}, CASE relkind WHEN 'S' THEN 'UPDATE' ELSE 'INSERT' END,
    CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, nspname, relname)
  FROM pg_catalog.pg_extension, pg_catalog.unnest(extconfig) AS one
  JOIN pg_catalog.pg_class AS c ON c.oid = one JOIN pg_catalog.pg_namespace AS n ON n.oid = relnamespace
  WHERE pg_catalog.format('%I.%I', nspname, relname) = {literal(name)} \\gexec
"""


def guarded(text: str) -> str:
    """Return a script with a dump's own text in it, in which psql refuses commands of its own."""
    return (
        f"\\restrict {secrets.token_hex(32)}\n{ALONE}SET client_encoding = 'UTF8';\nSET lock_timeout = '60s';\n{text}\n"
    )


_NAME = r'(?:"(?:[^"]|"")+"|[\w$\x80-\U0010ffff]+)'
_TRIGGERS = re.compile(
    rf"ALTER\s+TABLE\s+(?:ONLY\s+)?(?P<table>(?:{_NAME}\.)?{_NAME})\s+(?P<what>DISABLE|ENABLE)\s+TRIGGER\s+ALL\s*;",
    re.I,
)
_WRAPPER = re.compile(r"CREATE\s+FOREIGN\s+DATA\s+WRAPPER\s.*?\sVALIDATOR\s+(?P<validator>[^\s;]+)", re.I | re.S)


def statement(text: str, foreign: bool) -> tuple[str, str, str]:
    """Return what the superuser runs of a statement of a known kind: before it, itself, and after it.

    Raises Refused for anything but triggers of a foreign dump.
    """
    triggers = _TRIGGERS.fullmatch(text.strip())
    if triggers:
        # Of the loading role's own tables, also those that keep foreign keys.
        return (
            "",
            "SET search_path = public;\nSET lock_timeout = '60s';\n"
            f"SELECT pg_catalog.format('ALTER TABLE %s {triggers['what'].upper()} TRIGGER ALL', oid::regclass)"
            f" FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass({literal(triggers['table'])})"
            f" AND relowner = '{LOADER}'::pg_catalog.regrole \\gexec\n",
            "",
        )
    if foreign:
        raise Refused(f"The dump has a statement that only a superuser may run: {text.strip()[:60]!r}")
    before = ""
    wrapper = _WRAPPER.match(text)
    if wrapper:
        # It is called with the options of the wrapper, by whoever makes that.
        before = (
            f"SELECT 1 / pg_catalog.count(*) AS trusted FROM pg_catalog.pg_proc"
            f" WHERE oid = pg_catalog.to_regproc({literal(wrapper['validator'])})::pg_catalog.oid"
            " AND prolang IN (12, 13);\n"
        )
    return before, guarded(f"SET check_function_bodies = off;\n{text.rstrip().rstrip(';')};"), hand_over()


# What only a superuser may set, also for a function.
RESERVED_PARAMETERS = (
    f"{ALONE}SELECT coalesce(pg_catalog.json_agg(pg_catalog.lower(name)), '[]')::text FROM pg_catalog.pg_settings"
    " WHERE context = 'superuser';\n"
)


# What whoever owns a database may set for it.
USERS_PARAMETERS = (
    f"{ALONE}SELECT coalesce(pg_catalog.json_agg(pg_catalog.lower(name)), '[]')::text FROM pg_catalog.pg_settings"
    " WHERE context IN ('user', 'backend');\n"
)


def give(given: list[tuple[str, str]]) -> str:
    """Give functions of the loading role's what only a superuser may: pairs of a function and what ALTER says of it."""
    for what, _words in given:
        _refuse_unless_object(what)
    return guarded("".join(f"ALTER {what} {words};\n" for what, words in given))


_MAPPING = re.compile(
    rf"CREATE\s+USER\s+MAPPING\s+FOR\s+(?P<role>{_NAME})\s+SERVER\s+(?P<server>{_NAME})"
    r"(?:\s+OPTIONS\s*\(.*\))?\s*;",
    re.I | re.S,
)


def mappings(texts: list[str]) -> str:
    """Make users' mappings of servers that belong to a superuser, and print those of others.

    Whoever owns a server says where it is: with a mapping that needs no password (password_required) that would be
    here, as whoever runs this server; with one that has a password of somebody else's, it would be sent there. Their
    options are looked at by a function of the wrapper's, which has to be the server's own or a superuser's in C.
    """
    lines = [UNLOGGED, ALONE]
    for text in texts:
        match = _MAPPING.fullmatch(text.strip())
        if match is None:
            raise Refused(
                f"The dump has a user mapping that pg_dump does not write: {text[:60]!r}. Nothing was changed"
            )
        server = _unquoted(match["server"])
        trusted = (
            "EXISTS (SELECT FROM pg_catalog.pg_foreign_server JOIN pg_catalog.pg_roles AS o ON o.oid = srvowner"
            " JOIN pg_catalog.pg_foreign_data_wrapper AS w ON w.oid = srvfdw"
            " LEFT JOIN pg_catalog.pg_proc AS p ON p.oid = fdwvalidator"
            " LEFT JOIN pg_catalog.pg_roles AS v ON v.oid = proowner"
            f" WHERE srvname = {literal(server)} AND o.rolsuper"
            " AND (p.oid IS NULL OR v.rolsuper AND prolang IN (12, 13)))"
        )
        lines.append(f"SELECT {literal(text.strip().rstrip(';'))} WHERE {trusted} \\gexec")
        lines.append(f"SELECT {literal(_unquoted(match['role']) + ' at ' + server)} WHERE NOT {trusted};")
    return "\n".join([*lines, ""])


# What ALTER ... OWNER TO may be said of: a kind, and a name with what pg_dump adds to it. No literal, no comment.
_OWNED = re.compile(
    r"(?:TABLE|VIEW|MATERIALIZED VIEW|SEQUENCE|FOREIGN TABLE|FUNCTION|PROCEDURE|AGGREGATE|TYPE|DOMAIN|SCHEMA|OPERATOR"
    r"|OPERATOR CLASS|OPERATOR FAMILY|COLLATION|CONVERSION|STATISTICS|SERVER|LARGE OBJECT"
    r"|TEXT SEARCH (?:DICTIONARY|CONFIGURATION))"
    rf" (?:ONLY )?(?:{_NAME}\.)?(?:{_NAME}|[-+*/<>=~!@#%^&|`?]+)"
    rf"(?:\s?\((?:{_NAME}|[\s,.*]|\[\])*\)| USING {_NAME})?"
)


def set_owners(owners: list[tuple[str, str]]) -> str:
    """Give objects of the loading role's to their owners: pairs of what ALTER ... OWNER TO is said of, and a role.

    All or nothing: where anything but an object of the loading role's would get another owner, nothing does.
    """
    if not owners:
        return ""
    for what, _role in owners:
        _refuse_unless_object(what)
    roles = ", ".join(sorted({literal(_unquoted(role)) for _what, role in owners}))
    statements = "".join(f"ALTER {what} OWNER TO {role};\n" for what, role in owners)
    dependencies = (
        "SELECT dbid, classid, objid, refobjid FROM pg_catalog.pg_shdepend WHERE deptype = 'o'"
        " AND refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND refobjid IN"
        f" (SELECT oid FROM pg_catalog.pg_roles WHERE rolname IN ({roles}, '{LOADER}'))"
        # The schema that each database begins with.
        " AND NOT (classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND objid = 2200)"
    )
    return guarded(f"""BEGIN;
CREATE TEMPORARY TABLE vellaric_before ON COMMIT DROP AS {dependencies};
{statements}SELECT 1 / (CASE WHEN EXISTS (SELECT FROM ({dependencies}) AS now WHERE NOT EXISTS (
    SELECT FROM pg_temp.vellaric_before AS before
    WHERE (before.dbid, before.classid, before.objid) = (now.dbid, now.classid, now.objid)
    AND before.refobjid IN (now.refobjid, '{LOADER}'::pg_catalog.regrole))) THEN 0 ELSE 1 END) AS only_of_the_loader;
COMMIT;""")


def _refuse_unless_object(what: str) -> None:
    if not _OWNED.fullmatch(what) or re.search(r"--|/\*", re.sub(r'"(?:[^"]|"")*"', "", what)):
        raise Refused(f"The dump gives an owner to {what!r}, which is no object. Nothing was changed")


def _unquoted(shown: str) -> str:
    return shown[1:-1].replace('""', '"') if shown.startswith('"') else shown


def refresh(statements: list[str]) -> dict[str, list[str]]:
    """Return what refreshes materialized views, by the view: each may fail, and is named then."""
    found = {}
    for one in statements:
        text = one.rstrip("; \n")
        view = re.sub(r"^REFRESH\s+MATERIALIZED\s+VIEW\s+(CONCURRENTLY\s+)?", "", text, flags=re.I)
        view = re.sub(r" WITH (NO )?DATA$", "", view, flags=re.I)
        found[view] = [f"{text};", f"ANALYZE {view};"]
    return found


# Asked one by one: a table whose partition is out of reach does not keep the others from it.
ANALYZED = f"""{ALONE}SELECT coalesce(pg_catalog.json_agg(pg_catalog.format('%I.%I', nspname, relname)
    ORDER BY relkind, relpages), '[]')::text
  FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = relnamespace
  WHERE relkind IN ('r', 'p', 'm') AND relowner = '{LOADER}'::pg_catalog.regrole;
"""

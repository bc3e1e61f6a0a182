# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SQL that a diagnosis asks of a server, whoever made it: PostgreSQL 13 to 18. Pure text.

Each gives one line of JSON, and calls nothing that the owner of a database may have put in there.
"""

from __future__ import annotations

from typing import Any

from .._server import answers as forms
from .._server.sql import OBSERVE_FILES, literal

_SETTINGS = ("ssl", "listen_addresses", "port", "shared_buffers", "default_transaction_read_only")
# From where on rows that are dead, or a table that was never analysed, make a difference.
MANY_ROWS = 10_000
_TABLES = 5


def of_server(database: str, user: str) -> str:
    """Return the question that is asked outside of the database, which may be missing or closed."""
    settings = ", ".join(literal(name) for name in _SETTINGS)
    return f"""SELECT json_build_object(
  'version', current_setting('server_version'),
  'standby', pg_is_in_recovery(),
  'settings', (SELECT json_object_agg(name, json_build_object('value', current_setting(name),
      'from', coalesce(sourcefile, source))) FROM pg_settings WHERE name IN ({settings})),
  'access_errors', (SELECT coalesce(json_agg('line ' || line_number || ': ' || error), '[]')
    FROM pg_hba_file_rules WHERE error IS NOT NULL),
  'role', (SELECT json_build_object('verifier', rolpassword, 'login', rolcanlogin,
      'ended', coalesce(rolvaliduntil <= now(), false), 'until', rolvaliduntil::text, 'limit', rolconnlimit,
      'sessions', (SELECT count(*) FROM pg_stat_activity WHERE usesysid = r.oid))
    FROM pg_authid AS r WHERE rolname = {literal(user)}),
  'database', (SELECT json_build_object('open', datallowconn, 'limit', datconnlimit,
      'sessions', (SELECT count(*) FROM pg_stat_activity WHERE datid = d.oid AND backend_type = 'client backend'),
      'owner', pg_get_userbyid(datdba),
      'let_in', (SELECT has_database_privilege(r.oid, d.oid, 'CONNECT') FROM pg_roles AS r
        WHERE r.rolname = {literal(user)}))
    FROM pg_database AS d WHERE datname = {literal(database)}),
  'databases', (SELECT coalesce(json_agg(datname ORDER BY datname), '[]') FROM pg_database
    WHERE NOT datistemplate AND datname <> 'postgres'),
  'logins', (SELECT coalesce(json_agg(rolname ORDER BY rolname), '[]') FROM pg_roles WHERE rolcanlogin),
  'taken', (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
  'slots', current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
    - coalesce(current_setting('reserved_connections', true), '0')::int,
  'holders', (SELECT coalesce(json_agg(who), '[]') FROM (SELECT n || ' of ' || coalesce(usename, 'unknown') || ' from '
      || address || ' (' || state || ')' AS who
    FROM (SELECT usename, coalesce(host(client_addr), 'local') AS address, coalesce(state, 'unknown') AS state,
        count(*) AS n
      FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
      GROUP BY 1, 2, 3 ORDER BY count(*) DESC, 1, 2, 3 LIMIT {_TABLES}) AS counted) AS holding),
  'read_only', (SELECT coalesce(json_agg(CASE WHEN setrole = 0 THEN 'ALTER DATABASE' ELSE 'ALTER ROLE' END), '[]')
    FROM pg_db_role_setting CROSS JOIN unnest(setconfig) AS one
    WHERE lower(one) IN ('default_transaction_read_only=on', 'default_transaction_read_only=true',
        'default_transaction_read_only=1')
      AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = {literal(database)}))
      AND setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = {literal(user)})))
)::text;
{OBSERVE_FILES}"""


def of_database(user: str) -> str:
    """Return the question that is asked in the database."""
    who = f"(SELECT oid FROM pg_roles WHERE rolname = {literal(user)})"
    named = "quote_ident(n.nspname) || '.' || quote_ident(c.relname)"
    tables = (
        "pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p', 'm') AND c.relpersistence <> 't'"
        " AND n.nspname !~ '^(pg_|information_schema)'"
    )
    dead = "pg_stat_get_dead_tuples(c.oid)"
    live = "pg_stat_get_live_tuples(c.oid)"
    return f"""SELECT json_build_object(
  'no_schema', (SELECT coalesce(json_agg(quote_ident(nspname) ORDER BY nspname), '[]') FROM pg_namespace
    WHERE nspname !~ '^(pg_|information_schema)' AND NOT has_schema_privilege({who}, oid, 'USAGE')),
  'no_tables', (SELECT coalesce(json_agg(name), '[]') FROM (SELECT {named} AS name FROM {tables}
    AND NOT has_table_privilege({who}, c.oid, 'SELECT')
    AND NOT EXISTS (SELECT FROM pg_depend AS e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid
      AND e.deptype = 'e')
    ORDER BY n.nspname, c.relname LIMIT {_TABLES}) AS closed),
  'unanalyzed', (SELECT coalesce(json_agg(name), '[]') FROM (SELECT {named} AS name FROM {tables}
    AND greatest({live}, c.reltuples) >= {MANY_ROWS} AND c.relkind <> 'p'
    AND greatest(pg_stat_get_last_analyze_time(c.oid), pg_stat_get_last_autoanalyze_time(c.oid)) IS NULL
    AND NOT EXISTS (SELECT FROM pg_statistic AS s WHERE s.starelid = c.oid)
    ORDER BY {live} DESC, n.nspname, c.relname LIMIT {_TABLES}) AS largest),
  'dead', (SELECT coalesce(json_agg(name || ': ' || dead || ' of ' || rows), '[]') FROM (
    SELECT {named} AS name, {dead} AS dead, {dead} + {live} AS rows FROM {tables}
    AND {dead} >= {MANY_ROWS} AND {dead} > {live} * 0.5 AND c.relkind <> 'p'
    ORDER BY {dead} DESC, n.nspname, c.relname LIMIT {_TABLES}) AS largest)
)::text;
"""


_SETTING: forms.Form = {"value": forms.TEXT, "from": forms.TEXT}
_FORM: forms.Form = {
    "version": forms.TEXT,
    "standby": forms.TRUTH,
    "settings": forms.Each(_SETTING),
    "access_errors": [forms.TEXT],
    "role": forms.Maybe(
        {
            "verifier": forms.OPTIONAL_TEXT,
            "login": forms.TRUTH,
            "ended": forms.TRUTH,
            "until": forms.OPTIONAL_TEXT,
            "limit": forms.NUMBER,
            "sessions": forms.NUMBER,
        }
    ),
    "database": forms.Maybe(
        {
            "open": forms.TRUTH,
            "limit": forms.NUMBER,
            "sessions": forms.NUMBER,
            "owner": forms.TEXT,
            "let_in": (bool, type(None)),
        }
    ),
    "databases": [forms.TEXT],
    "logins": [forms.TEXT],
    "taken": forms.NUMBER,
    "slots": forms.NUMBER,
    "holders": [forms.TEXT],
    "read_only": [forms.TEXT],
    "file_errors": [forms.TEXT],
    "pending_restart": [forms.TEXT],
}
_FORM_INSIDE: forms.Form = {name: [forms.TEXT] for name in ("no_schema", "no_tables", "unanalyzed", "dead")}


def read(lines: list[str], inside: bool = False) -> dict[str, Any]:
    """Return the answer of either question as one mapping. Raises what answers.understood knows."""
    answer: dict[str, Any] = {}
    for line in lines:
        if line:
            answer.update(forms.load(line))
    forms.check(answer, _FORM_INSIDE if inside else _FORM)
    return answer

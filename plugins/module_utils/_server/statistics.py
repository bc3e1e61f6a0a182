# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SQL that asks a server for all that is wanted. Pure text, for PostgreSQL 13 to 18.

Each section is one SELECT that gives one line: its name, a blank, and JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .._domain import parameters
from . import answers as forms
from . import privileges
from .sql import ALTERED, literal
from .sql import BOOTSTRAP_SUPERUSER_OID as SUPERUSER
from .wire import APPLICATION, UNLOGGED

# What a server holds back for a lock is not worth a longer wait: the rest of the answer waits too.
_LOCK_MILLISECONDS = 1000
_QUERY_LENGTH = 2000
_SINCE_15 = 150000

# What we run must not show in what we report, nor in the log; and nothing that an application may have defined is run.
_PREPARE = """SET search_path = pg_catalog;
SET jit = off;
SET log_statement = 'none';
SET log_duration = off;
SET log_min_duration_statement = -1;
SET log_min_duration_sample = -1;
SET log_min_error_statement = panic;
SET log_transaction_sample_rate = 0;
SET auto_explain.log_min_duration = -1;
SET pg_stat_statements.track = 'none';
SET lock_timeout = {lock};
SET statement_timeout = {milliseconds};
"""
# The parameters above, and those of the connection: the session has others than the server, which has its files'.
_OWN = ",".join(
    [
        *parameters.superuser(parameters.NEWEST),
        *UNLOGGED,
        "pg_stat_statements.track",
        "log_min_duration_sample",
        "log_transaction_sample_rate",
        "auto_explain.log_min_duration",
    ]
)

_STATISTICS = """
WITH clients AS MATERIALIZED (
  SELECT coalesce(state, 'unknown') AS state, coalesce(usename, 'unknown') AS usename,
    coalesce(host(client_addr), 'local') AS address
  FROM pg_stat_activity WHERE backend_type = 'client backend' AND NOT {ours})
SELECT jsonb_build_object(
  'database_bytes', pg_database_size(d.datid),
  'connections', (SELECT count(*) FROM clients),
  'connections_limit', current_setting('max_connections')::int
    - current_setting('superuser_reserved_connections')::int
    - coalesce(current_setting('reserved_connections', true), '0')::int,
  'connections_by_state', (SELECT coalesce(jsonb_object_agg(state, n), '{}')
    FROM (SELECT state, count(*) AS n FROM clients GROUP BY state) AS counted),
  'connections_by_user', (SELECT coalesce(jsonb_object_agg(usename, n), '{}')
    FROM (SELECT usename, count(*) AS n FROM clients GROUP BY usename) AS counted),
  'connections_by_address', (SELECT coalesce(jsonb_object_agg(address, n), '{}')
    FROM (SELECT address, count(*) AS n FROM clients GROUP BY address) AS counted),
  'cache_hit_ratio', round(d.blks_hit::numeric / nullif(d.blks_hit + d.blks_read, 0), 4),
  'transactions', jsonb_build_object('committed', d.xact_commit, 'rolled_back', d.xact_rollback),
  'rows', jsonb_build_object('returned', d.tup_returned, 'fetched', d.tup_fetched, 'inserted', d.tup_inserted,
    'updated', d.tup_updated, 'deleted', d.tup_deleted),
  'deadlocks', d.deadlocks,
  'temporary_files', d.temp_files,
  'temporary_bytes', d.temp_bytes,
  'checksum_failures', (SELECT sum(checksum_failures) FROM pg_stat_database),
  'statistics_since', {since},
  'live_rows', (SELECT coalesce(sum(n_live_tup), 0) FROM pg_stat_user_tables),
  'dead_rows', (SELECT coalesce(sum(n_dead_tup), 0) FROM pg_stat_user_tables),
  'oldest_transaction_age', (SELECT max(age(datfrozenxid)) FROM pg_database),
  'oldest_multixact_age', (SELECT max(mxid_age(datminmxid)) FROM pg_database))
FROM pg_stat_database AS d WHERE d.datname = current_database()"""

_SETTINGS = """
SELECT jsonb_build_object(
  'version', current_setting('server_version'),
  'parameters', (SELECT coalesce(jsonb_object_agg(s.name, jsonb_build_object(
      'value', coalesce(f.setting, current_setting(s.name)),
      'source', CASE WHEN f.setting IS NULL THEN s.source ELSE 'configuration file' END,
      'pending_restart', s.pending_restart)), '{}')
    FROM pg_settings AS s LEFT JOIN LATERAL (
      SELECT setting FROM pg_file_settings WHERE lower(name) = lower(s.name) AND applied
        AND s.name = ANY (string_to_array('{own}', ','))) AS f ON true
    WHERE s.pending_restart OR f.setting IS NOT NULL
      OR s.source NOT IN ('default', 'override', 'client', 'session')),
  'pending_restart', (SELECT coalesce(jsonb_agg(name ORDER BY name), '[]') FROM pg_settings WHERE pending_restart),
  'extensions', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', e.extname, 'version', e.extversion,
      'available', a.default_version) ORDER BY e.extname), '[]')
    FROM pg_extension AS e LEFT JOIN pg_available_extensions AS a ON a.name = e.extname))"""

# A relation whose lock somebody holds exclusively cannot be measured without waiting for him.
_SIZES = """
WITH held AS MATERIALIZED (
  SELECT relation FROM pg_locks WHERE locktype = 'relation' AND granted AND mode = 'AccessExclusiveLock'
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())),
relations AS MATERIALIZED (
  SELECT c.oid, c.relname, n.nspname, c.relkind, c.relpages, greatest(c.reltuples, 0)::bigint AS estimated,
    EXISTS (SELECT FROM held WHERE relation IN (c.oid, c.reltoastrelid))
    OR EXISTS (SELECT FROM held JOIN pg_index AS i ON i.indexrelid = held.relation WHERE i.indrelid = c.oid) AS locked
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'm', 'i') AND n.nspname !~ '^(pg_catalog|pg_toast|pg_temp_|information_schema)'
    AND c.relpersistence <> 't'
  ORDER BY c.relpages DESC LIMIT 5000),
indexes AS MATERIALIZED (
  SELECT r.oid, r.nspname AS schema, t.relname AS table, r.relname AS name, i.indisunique, i.indisvalid,
    CASE WHEN r.locked THEN {block} * r.relpages::bigint ELSE pg_relation_size(r.oid) END AS size_bytes
  FROM relations AS r JOIN pg_index AS i ON i.indexrelid = r.oid JOIN pg_class AS t ON t.oid = i.indrelid
  WHERE r.relkind = 'i'),
tables AS MATERIALIZED (
  SELECT r.oid, r.nspname AS schema, r.relname AS name, r.estimated, r.locked,
    CASE WHEN r.locked THEN {block} * r.relpages::bigint ELSE pg_table_size(r.oid) END AS table_bytes,
    CASE WHEN r.locked THEN {block} * (SELECT coalesce(sum(relpages), 0)::bigint
      FROM pg_class JOIN pg_index ON indexrelid = pg_class.oid WHERE indrelid = r.oid)
      ELSE pg_indexes_size(r.oid) END AS index_bytes
  FROM relations AS r WHERE r.relkind <> 'i')
SELECT jsonb_build_object(
  'databases', (SELECT jsonb_agg(jsonb_build_object('name', datname, 'size_bytes', pg_database_size(oid))
    ORDER BY pg_database_size(oid) DESC, datname) FROM pg_database),
  'tables', (SELECT coalesce(jsonb_agg(jsonb_build_object(
      'schema', schema, 'name', name, 'size_bytes', table_bytes + index_bytes, 'table_bytes', table_bytes,
      'index_bytes', index_bytes, 'rows', greatest(estimated, pg_stat_get_live_tuples(oid)),
      'dead_rows', pg_stat_get_dead_tuples(oid),
      'last_vacuum', {vacuumed}, 'last_analyze', {analyzed}, 'locked', locked)
      ORDER BY table_bytes + index_bytes DESC, schema, name), '[]')
    FROM (SELECT * FROM tables ORDER BY table_bytes + index_bytes DESC, schema, name LIMIT {limit}) AS largest),
  'indexes', (SELECT coalesce(jsonb_agg(jsonb_build_object(
      'schema', schema, 'table', "table", 'name', name, 'size_bytes', size_bytes,
      'scans', pg_stat_get_numscans(oid), 'unique', indisunique, 'valid', indisvalid)
      ORDER BY size_bytes DESC, schema, name), '[]')
    FROM (SELECT * FROM indexes ORDER BY size_bytes DESC, schema, name LIMIT {limit}) AS largest),
  'wal_bytes', (SELECT coalesce(sum(size), 0) FROM pg_ls_waldir()))"""

# The superuser's statements are those of the maintenance, such as ours. Columns are named by way of JSON, as each
# version has others: https://www.postgresql.org/docs/17/pgstatstatements.html
_QUERIES = """
SELECT jsonb_build_object('queries', coalesce(jsonb_agg(jsonb_build_object(
    'query', left(query, {length}), 'user', coalesce(rolname, userid::text), 'calls', calls,
    'mean_ms', round(mean_exec_time::numeric, 3), 'max_ms', round(max_exec_time::numeric, 3),
    'total_ms', round(total_exec_time::numeric, 3),
    'percent', coalesce(round((100 * total_exec_time / nullif(everything, 0))::numeric, 1), 0),
    'rows', rows,
    'cache_hit_ratio', round(shared_blks_hit::numeric / nullif(shared_blks_hit + shared_blks_read, 0), 4),
    'temporary_bytes', {block} * temp_blks_written)
    ORDER BY mean_exec_time DESC, queryid), '[]'))
FROM (SELECT s.*, r.rolname, sum(total_exec_time) OVER () AS everything
  FROM {statements}.pg_stat_statements AS s LEFT JOIN pg_roles AS r ON r.oid = s.userid
  WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND s.userid <> {superuser}
  ORDER BY mean_exec_time DESC, queryid LIMIT {limit}) AS slowest"""
_ACTIVITY = """
WITH sessions AS MATERIALIZED (
  SELECT *, coalesce(host(client_addr), 'local') AS address, left(query, {length}) AS statement,
    extract(epoch FROM clock_timestamp() - xact_start) AS seconds,
    extract(epoch FROM clock_timestamp() - state_change) AS state_seconds
  FROM pg_stat_activity WHERE NOT {ours})
SELECT jsonb_build_object(
  'transactions', (SELECT coalesce(jsonb_agg(jsonb_build_object(
      'pid', pid, 'user', usename, 'database', datname, 'application', application_name, 'address', address,
      'state', state, 'seconds', round(seconds::numeric, 1), 'state_seconds', round(state_seconds::numeric, 1),
      'wait', wait_event_type || ': ' || wait_event, 'query', statement) ORDER BY xact_start, pid), '[]')
    FROM (SELECT * FROM sessions WHERE xact_start IS NOT NULL AND backend_type = 'client backend'
      ORDER BY xact_start, pid LIMIT {limit}) AS longest),
  'blocked', (SELECT coalesce(jsonb_agg(jsonb_build_object(
      'pid', pid, 'user', usename, 'database', datname, 'query', statement,
      'seconds', round(waiting::numeric, 1), 'lock', lock,
      'blocked_by', (SELECT coalesce(jsonb_agg(jsonb_build_object('pid', b.pid, 'user', b.usename,
          'state', coalesce(b.state, b.backend_type), 'query', b.statement) ORDER BY b.pid), '[]')
        FROM sessions AS b WHERE b.pid = ANY (pg_blocking_pids(longest.pid))))
      ORDER BY waiting DESC, pid), '[]')
    FROM (SELECT s.*, wanted.lock,
        extract(epoch FROM clock_timestamp() - coalesce(wanted.since, s.query_start)) AS waiting
      FROM sessions AS s JOIN LATERAL (
        SELECT l.mode || ' on ' || coalesce(l.relation::regclass::text, l.locktype) AS lock,
          (to_jsonb(l) ->> 'waitstart')::timestamptz AS since
        FROM pg_locks AS l WHERE l.pid = s.pid AND NOT l.granted LIMIT 1) AS wanted ON true
      WHERE s.wait_event_type = 'Lock'
      ORDER BY waiting DESC, s.pid LIMIT {limit}) AS longest),
  'vacuum_held_by', (SELECT coalesce(jsonb_agg(jsonb_build_object('kind', kind, 'name', name, 'age', age)
      ORDER BY age DESC, kind, name), '[]')
    FROM (SELECT * FROM (
        SELECT CASE backend_type WHEN 'walsender' THEN 'standby' ELSE 'transaction' END AS kind, pid::text AS name,
          greatest(age(backend_xmin), age(backend_xid)) AS age
        FROM sessions WHERE coalesce(backend_xmin, backend_xid) IS NOT NULL AND backend_type <> 'autovacuum worker'
        UNION ALL
        SELECT 'slot', slot_name::text, greatest(age(xmin), age(catalog_xmin))
        FROM pg_replication_slots WHERE coalesce(xmin, catalog_xmin) IS NOT NULL
        UNION ALL
        SELECT 'prepared transaction', gid, age(transaction) FROM pg_prepared_xacts) AS holders
      ORDER BY age DESC, kind, name LIMIT {limit}) AS oldest))"""

_REPLICATION = """
WITH here AS MATERIALIZED (
  SELECT pg_is_in_recovery() AS standby,
    CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS lsn)
SELECT jsonb_build_object(
  'role', CASE WHEN standby THEN 'standby' ELSE 'primary' END,
  'lsn', lsn::text,
  'wal_level', current_setting('wal_level'),
  'wal_bytes', (SELECT coalesce(sum(size), 0) FROM pg_ls_waldir()),
  'archiving', (SELECT jsonb_build_object('enabled', current_setting('archive_mode') <> 'off',
      'archived', archived_count, 'failed', failed_count, 'last_archived_at', {archived}, 'last_failed_at', {failed},
      'last_failed', last_failed_wal) FROM pg_stat_archiver),
  'standbys', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', application_name,
      'address', coalesce(host(client_addr), 'local'), 'state', state, 'synchronous', sync_state,
      'lag_bytes', pg_wal_lsn_diff(lsn, replay_lsn)::bigint,
      'lag_seconds', round(extract(epoch FROM replay_lag)::numeric, 1)) ORDER BY application_name, pid), '[]')
    FROM pg_stat_replication),
  'slots', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', slot_name, 'kind', slot_type, 'active', active,
      'retained_bytes', coalesce(pg_wal_lsn_diff(lsn, restart_lsn), 0)::bigint, 'wal_status', wal_status)
      ORDER BY slot_name), '[]')
    FROM pg_replication_slots),
  'replay_lag_seconds', CASE WHEN standby
    THEN round(extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::numeric, 1) END)
FROM here"""

# An index that is being built is not valid either. Collations count where something is sorted by them.
_CHECKS = """
SELECT jsonb_build_object(
  'encoding', current_setting('server_encoding'),
  'invalid_indexes', (SELECT coalesce(jsonb_agg(quote_ident(n.nspname) || '.' || quote_ident(c.relname)
      ORDER BY n.nspname, c.relname), '[]')
    FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE NOT i.indisvalid AND c.relkind = 'i'
      AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index AS p WHERE p.index_relid = i.indexrelid)),
  'collations', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', name, 'recorded', recorded, 'actual', actual)
      ORDER BY name), '[]')
    FROM ({database_collation}
      SELECT quote_ident(n.nspname) || '.' || quote_ident(c.collname), c.collversion,
        pg_collation_actual_version(c.oid)
      FROM pg_collation AS c JOIN pg_namespace AS n ON n.oid = c.collnamespace
      WHERE c.collversion IS NOT NULL AND EXISTS (SELECT FROM pg_depend AS d
        WHERE d.refclassid = 'pg_collation'::regclass AND d.refobjid = c.oid)) AS known (name, recorded, actual)
    WHERE recorded <> actual))"""
_DATABASE_COLLATION = """SELECT 'the database', datcollversion, pg_database_collation_actual_version(oid)
      FROM pg_database WHERE datname = current_database() AND datcollversion IS NOT NULL
      UNION ALL"""


# Whose database it is says its owner; a run of the declaration puts another one right.
_TRUST = """
SELECT json_build_object('privileges', (SELECT answer FROM ({privileges}) AS asked (answer)),
  'altered', (SELECT {altered} FROM pg_file_settings))"""
_OWNER = "(SELECT datdba FROM pg_database WHERE datname = current_database())"


# What the sections are written for.
ABOUT = f"""SET lock_timeout = {_LOCK_MILLISECONDS};
SELECT jsonb_build_object('version', current_setting('server_version_num')::int,
  'statements', (SELECT quote_ident(n.nspname) FROM pg_catalog.pg_extension AS e
    JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'));
"""
_TEXTS = {
    "statistics": _STATISTICS,
    "settings": _SETTINGS,
    "sizes": _SIZES,
    "queries": _QUERIES,
    "activity": _ACTIVITY,
    "replication": _REPLICATION,
    "checks": _CHECKS,
    "trust": _TRUST,
}
SECTIONS = tuple(_TEXTS)


def needs_about(names: Iterable[str]) -> bool:
    """Say whether the text of these sections depends on what ABOUT says."""
    return bool({"queries", "checks", "trust"}.intersection(names))


def script(names: Iterable[str], limit: int, seconds: float, about: Mapping[str, Any] | None = None) -> str:
    """Return the statements of the sections of those names.

    limit: of the rows that each lists; seconds: what one of them may take; about: the server's answer to ABOUT, where
    it is needed; without pg_stat_statements there it leaves `queries` out.
    """
    about = about or {"version": 0, "statements": None}
    words = {
        "limit": limit,
        "length": _QUERY_LENGTH,
        "own": _OWN,
        "block": "current_setting('block_size')::bigint",
        # The connection before this one may not have ended yet.
        "ours": f"(pid = pg_backend_pid() OR application_name = '{APPLICATION}' AND usesysid = {SUPERUSER})",
        "superuser": SUPERUSER,
        "privileges": privileges.question(_OWNER, about["version"] // 10000),
        "altered": ALTERED,
        "statements": about["statements"],
        "database_collation": _DATABASE_COLLATION if about["version"] >= _SINCE_15 else "",
        "since": _moment("d.stats_reset"),
        "vacuumed": _moment("greatest(pg_stat_get_last_vacuum_time(oid), pg_stat_get_last_autovacuum_time(oid))"),
        "analyzed": _moment("greatest(pg_stat_get_last_analyze_time(oid), pg_stat_get_last_autoanalyze_time(oid))"),
        "archived": _moment("last_archived_time"),
        "failed": _moment("last_failed_time"),
    }
    prepare = {"lock": _LOCK_MILLISECONDS, "milliseconds": max(1, int(seconds * 1000))}
    texts = [_filled(_PREPARE, prepare)]
    for name in names:
        text = f"SELECT '{name} ' || answer::text FROM ({_filled(_TEXTS[name], words)}) AS section (answer);\n"
        if name == "queries":
            text = _held_in_place(about["statements"], text) if about["statements"] else ""
        texts.append(text)
    return "".join(texts)


def _held_in_place(schema: str, text: str) -> str:
    """Let a statement read from the extension only, in the schema that it has been found in.

    The owner of the schema may rename it meanwhile, and put a view of their own in its place, which would then be read
    as the superuser. While this runs nobody can; where somebody has, it is an error.
    """
    return (
        "BEGIN;\nLOCK TABLE pg_catalog.pg_namespace IN SHARE MODE;\n"
        "SELECT 1 / count(*) FROM pg_catalog.pg_extension AS e JOIN pg_catalog.pg_namespace AS n"
        " ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'"
        f" AND quote_ident(n.nspname) = {literal(schema)};\n{text}COMMIT;\n"
    )


def parse(lines: Iterable[str]) -> dict[str, Any]:
    """Return the answers by the name of their section."""
    answers = {}
    for line in lines:
        name, _blank, text = line.partition(" ")
        if name in _TEXTS:
            answers[name] = forms.load(text)
    return answers


def _moment(expression: str) -> str:
    """Write a time as the seed does, in UTC."""
    return f"to_char({expression} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"


def _filled(text: str, words: Mapping[str, str | int | float | None]) -> str:
    # Not str.format: SQL has braces of its own, for empty JSON objects.
    for word, value in words.items():
        text = text.replace(f"{{{word}}}", str(value))
    return text

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What our own sessions run with, whatever the owner of a database has set for it. Pure.

An owner may set every parameter of context "user" for all who connect (ALTER DATABASE), the superuser included. What
could end, block or mislead a session is given when it begins, since some take effect before its first statement; what a
client gives then outranks what is set for databases and roles. A parameter that a version does not know ends the
session at its beginning, so that they are given by version.
https://www.postgresql.org/docs/current/runtime-config-client.html
"""

from __future__ import annotations

from collections.abc import Mapping

# Of all versions from 13 on.
_ANY = {
    # Who acts, and what is found.
    "role": "none",
    "search_path": "pg_catalog",
    # What is loaded before the first statement, and may not be there.
    "local_preload_libraries": "",
    # What ends or blocks.
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "exit_on_error": "off",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
    "vacuum_cost_delay": "0",
    # Where something new goes.
    "default_tablespace": "",
    "temp_tablespaces": "",
    "default_table_access_method": "heap",
    # How it reads what we write, and writes what we read.
    "client_encoding": "UTF8",
    "standard_conforming_strings": "on",
    "backslash_quote": "safe_encoding",
    "transform_null_equals": "off",
    "array_nulls": "on",
    "check_function_bodies": "off",
    "quote_all_identifiers": "off",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "GMT",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "xmlbinary": "base64",
    "xmloption": "content",
    "row_security": "on",
    "client_min_messages": "warning",
    # What slows everything down, or tells the log what is for nobody.
    "constraint_exclusion": "partition",
    "jit": "off",
    "debug_print_parse": "off",
    "debug_print_rewritten": "off",
    "debug_print_plan": "off",
}
# By the first major version that knows them.
_SINCE = {
    14: {"idle_session_timeout": "0"},
    16: {"debug_parallel_query": "off"},
    17: {"transaction_timeout": "0", "restrict_nonsystem_relation_kind": ""},
}
# By the last one.
_UNTIL = {15: {"force_parallel_mode": "off"}}
# What only a superuser may give. Neither triggers nor rules of others' fire, nor event triggers but those that are to
# fire always. Errors are told in English: tools that give no code can then be understood.
# What an owner may have been let set (GRANT SET ON PARAMETER), and whoever else comes to need, keeps no session of ours
# out.
_SUPERUSER = {"session_replication_role": "replica", "lc_messages": "C", "session_preload_libraries": ""}
_SUPERUSER_SINCE = {17: {"event_triggers": "off"}}
NEWEST = max(*_SINCE, *_SUPERUSER_SINCE)


def superuser(major: int | None) -> dict[str, str]:
    """Return the parameters of a superuser's session, by name. major: None for those that every version knows."""
    return {**login(major), **_SUPERUSER, **_since(_SUPERUSER_SINCE, major)}


def login(major: int | None) -> dict[str, str]:
    """Return those of a session that is not a superuser's."""
    old = [given for last, given in _UNTIL.items() if major is not None and major <= last]
    return {**_ANY, **_since(_SINCE, major), **{name: value for given in old for name, value in given.items()}}


def _since(by_version: Mapping[int, Mapping[str, str]], major: int | None) -> dict[str, str]:
    known = [given for first, given in by_version.items() if major is not None and major >= first]
    return {name: value for given in known for name, value in given.items()}


def attempts(major: int | None) -> list[dict[str, str]]:
    """Return what to begin a superuser's session with, first to last, until the server knows it all.

    Where the version is as it is said to be, that is the first.
    """
    steps = sorted({*_SINCE, *_SUPERUSER_SINCE, *(last for last in _UNTIL)}, reverse=True)
    first = [NEWEST if major is None else major]
    return [superuser(each) for each in [*first, *(step for step in steps if step < first[0]), None]]


def as_options(given: Mapping[str, str]) -> str:
    """Return parameters as libpq takes them (PGOPTIONS), where a blank ends a word."""
    return " ".join(f"-c {name}={_escaped(value)}" for name, value in given.items())


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database's pooler as it is declared, and how many connections it may hold. Pure."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from typing import Any

from . import parsers, texts
from .errors import InvalidOption
from .units import format_size, parse_size

# The role of an instance, and its name: a database has one.
POOLER = "pooler"
# Beside those of the servers.
PORT_RANGE = (6432, 7431)
MODES = ("transaction", "session", "statement")
DEFAULT_IMAGE = "vellaric/pgbouncer:trixie"
DEFAULT_MEMORY = 128 << 20
DEFAULT_CLIENTS = 1000
# PgBouncer's own default_pool_size, which is for servers of any size.
DEFAULT_POOL = 20
# What a pool for further users of the database is given beside that of the application's role.
FURTHER_USERS = 5
SESSIONS = 5
# What the server keeps for us: runs of the collection, backups with several jobs, statistics, and a person with psql.
OWN_CONNECTIONS = 7
DEFAULT_PAUSE = 5
# A container may have 20,000 files open, and more only where its engine says so.
MOST_CLIENTS = 15000
# The least that lets an application, and a migration beside it, work at all.
LEAST_ROOM = 3

# Parameters that carry this collection's contracts, and the option that governs each.
MANAGED = {
    **dict.fromkeys(
        (
            *("admin_users", "auth_dbname", "auth_file", "auth_hba_file", "auth_ident_file", "auth_ldap_options"),
            *("auth_query", "auth_type", "auth_user", "conffile", "job_name", "logfile", "peer_id", "pidfile"),
            *("resolv_conf", "service_name", "so_reuseport", "stats_users", "syslog", "syslog_facility"),
            *("syslog_ident", "unix_socket_dir", "unix_socket_group", "unix_socket_mode", "user"),
            *("server_tls_ca_file", "server_tls_cert_file", "server_tls_key_file", "server_tls_sslmode"),
            *("client_tls_ca_file", "client_tls_cert_file", "client_tls_key_file"),
        ),
        None,
    ),
    "client_tls_sslmode": "sslmode of the database",
    "default_pool_size": "pool_size",
    "listen_addr": "bind_address",
    "listen_port": "port",
    "max_client_conn": "max_clients",
    "max_db_connections": "server_connections",
    "pool_mode": "mode",
}
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclasses.dataclass(frozen=True)
class PoolerSpec:
    """What was declared. port None: the first free one; bind_address None: the database's. memory in bytes.

    pause_timeout: seconds that an operation waits for transactions to end; with 0 it does not let clients wait.

    Of connections, None is what fits (sizes): pool_size for each user, server_connections for all that go by the
    database's name, session_connections for all that go by its name for sessions.
    """

    port: int | None = None
    bind_address: str | None = None
    mode: str = "transaction"
    image: str = DEFAULT_IMAGE
    pool_size: int | None = None
    server_connections: int | None = None
    session_connections: int | None = None
    max_clients: int = DEFAULT_CLIENTS
    memory: int = DEFAULT_MEMORY
    pause_timeout: int = DEFAULT_PAUSE
    settings: Mapping[str, str] = dataclasses.field(default_factory=dict)


DEFAULTS = PoolerSpec()


def container(primary: str) -> str:
    """Return the name of a pooler's container, and of the network that both share, by that of the database's."""
    return f"{primary}-pool"


@dataclasses.dataclass(frozen=True)
class Sizes:
    """How many connections the pooler may have with the server.

    pool_size: of one user; server: of all users by the database's name; session: the same by its name for sessions.
    """

    pool_size: int
    server: int
    session: int

    @property
    def total(self) -> int:
        return self.server + self.session


def from_option(given: object) -> PoolerSpec | None:
    """Return what is declared, None where no pooler is. Raises ValueError, naming the option."""
    given = _WORDS.get(given.lower(), given) if isinstance(given, str) else given
    if given is None or given is False:
        return None
    if given is True:
        return PoolerSpec()
    if not isinstance(given, dict):
        raise InvalidOption(f"pooler is {given!r}: true for good defaults, false for none, or a mapping of its options")
    unknown = sorted(str(name) for name in given if name not in _OPTIONS)
    if unknown:
        raise InvalidOption(f"pooler has {', '.join(unknown)}: its options are {', '.join(_OPTIONS)}")
    return PoolerSpec(**{name: _OPTIONS[name](value) for name, value in given.items() if value is not None})


def to_option(spec: PoolerSpec | None) -> bool | dict[str, Any] | None:
    """Return what was declared, in the spelling of the option."""
    if spec is None:
        return None
    declared = {
        field.name: getattr(spec, field.name)
        for field in dataclasses.fields(spec)
        if getattr(spec, field.name) != getattr(DEFAULTS, field.name)
    }
    if "memory" in declared:
        declared["memory"] = format_size(spec.memory)
    return declared or True


def _mode(text: str) -> str:
    if text not in MODES:
        raise InvalidOption(f"pooler.mode is {text!r}: one of {', '.join(MODES)}")
    return text


def _memory(text: str) -> int:
    limit = parse_size(text, "pooler.memory")
    if limit < 32 << 20:
        raise InvalidOption(f"pooler.memory is {text!r}: at least 32m")
    return limit


def _settings(given: object) -> dict[str, str]:
    if not isinstance(given, dict):
        raise InvalidOption("pooler.settings is a mapping, such as {server_idle_timeout: 300}")
    normal = {}
    for name, value in given.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise InvalidOption(f"pooler.settings has {name!r}: a parameter is in lower case, as server_idle_timeout")
        if name in MANAGED:
            option = MANAGED[name]
            mend = f"use {option}" if option else "leave it out"
            raise InvalidOption(f"pooler.settings has {name}, which this collection sets itself: {mend}")
        normal[name] = _value(name, value)
    return dict(sorted(normal.items()))


def _value(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if not isinstance(value, (str, int, float)):
        raise InvalidOption(f"pooler.settings.{name} is {value!r}: a value is text, a number, or true or false")
    return texts.line(str(value), f"pooler.settings.{name}").strip()


def _count(name: str, least: int = 1, most: int = texts.MOST_INTEGER) -> Any:
    return lambda value: texts.number(value, f"pooler.{name}", least, most)


# What comes from the command line (-e) is a text.
_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


_OPTIONS: dict[str, Any] = {
    "port": parsers.port,
    "bind_address": parsers.bind_address,
    "mode": _mode,
    "image": lambda reference: parsers.image({"image": reference}),
    "pool_size": _count("pool_size"),
    "server_connections": _count("server_connections"),
    "session_connections": _count("session_connections"),
    "max_clients": _count("max_clients", 1, MOST_CLIENTS),
    "memory": _memory,
    "pause_timeout": _count("pause_timeout", 0, 300),
    "settings": _settings,
}


def sizes(spec: PoolerSpec, nano_cpus: int | None, max_connections: int, reserved: int) -> Sizes:
    """Return how many connections the pooler gets of a server.

    nano_cpus: the server's limit, None for none. max_connections, reserved: the server's parameters (reserved: those
    for superusers and pg_use_reserved_connections). What is not declared is made to fit. Raises InvalidOption with the
    sum where what is declared does not, or where nothing does.

    For each processor two connections can do something, and one waits for the disk
    (https://wiki.postgresql.org/wiki/Number_Of_Database_Connections).
    """
    room = max_connections - reserved - OWN_CONNECTIONS
    if room < LEAST_ROOM:
        raise InvalidOption(
            f"pooler: the server has {max_connections} connections, of which {reserved} are reserved and"
            f" {OWN_CONNECTIONS} are kept for backups, statistics and runs: none is left for a pooler. Give it more"
            " memory, or declare settings: {max_connections: ...}"
        )
    pool = spec.pool_size
    if pool is None:
        pool = DEFAULT_POOL if nano_cpus is None else max(5, math.ceil(2 * nano_cpus / 1e9) + 1)
    server = spec.server_connections if spec.server_connections is not None else pool + FURTHER_USERS
    session = spec.session_connections if spec.session_connections is not None else SESSIONS
    if server + session > room:
        # What was not declared gives way: the sessions first, to one; then all users' share; then each user's.
        if spec.session_connections is None:
            session = max(1, room - server)
        if spec.server_connections is None:
            server = max(spec.pool_size or 1, room - session)
    if server + session > room:
        raise InvalidOption(
            f"pooler: {server} connections to the server for transactions and {session} for sessions are"
            f" {server + session}, but of its {max_connections} (max_connections) {reserved} are reserved and"
            f" {OWN_CONNECTIONS} are kept for backups, statistics and runs, which leaves {room}. Declare less, or a"
            " larger max_connections in settings"
        )
    return Sizes(min(pool, server), server, session)

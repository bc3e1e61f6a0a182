# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PgBouncer's files, written from a declaration, and what its versions can do. Pure.

https://www.pgbouncer.org/config.html has each parameter that is named here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .errors import DatabaseError
from .pooler import PoolerSpec, Sizes

PORT = 6432
CONFIG_MOUNT = "/etc/pgbouncer"
TLS_MOUNT = "/etc/pgbouncer-tls"
SOCKET_MOUNT = "/run/pgbouncer"
INI = "pgbouncer.ini"
AUTH_FILE = "users.txt"
HBA_FILE = "hba.conf"
# The user of the console, whom PgBouncer lets in by the id of the process at the other end of the socket.
CONSOLE = "pgbouncer"

# After a reconnection to the server these have lost the keys that a client's login gave them (#1504, fixed in 1.26.0).
REFUSED = ((1, 25, 1), (1, 25, 2))
# Of the parameters that may be declared, those that a RELOAD leaves as they are (SHOW CONFIG: changeable is no).
READ_AT_START = ("disable_pqexec", "listen_backlog", "pkt_buf", "track_extra_parameters")
_PREPARED_STATEMENTS = (1, 21)
_LEAST = (1, 18)
# The name in a line of the file of who may log in.
_ENTRY = re.compile(r'^("(?:[^"]|"")*") ".*"$', re.MULTILINE)
_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")


class Version(NamedTuple):
    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    @property
    def prepares_statements(self) -> bool:
        """Whether clients may use named prepared statements in transaction mode."""
        return self[:2] >= _PREPARED_STATEMENTS


def version(text: str, image: str) -> Version:
    """Return the version that an image says, as in 1.24.1-1. Raises DatabaseError where it is not usable."""
    match = _VERSION.search(text)
    if match is None:
        raise DatabaseError(f"{image} does not say which version of PgBouncer it has ({text[:80]!r})")
    found = Version(int(match.group(1)), int(match.group(2)), int(match.group(3) or 0))
    if tuple(found) in REFUSED:
        raise DatabaseError(
            f"{image} has PgBouncer {found}, which refuses clients after the server was restarted (fixed in 1.26.0):"
            " choose another version"
        )
    if found[:2] < _LEAST:
        raise DatabaseError(f"{image} has PgBouncer {found}: 1.18 is the oldest that is tested")
    return found


class Server(NamedTuple):
    """Where a pooler reaches its database. sslmode: how far it verifies the server's certificate."""

    host: str
    port: int
    sslmode: str


def session_name(name: str) -> str:
    """The name under which clients have a connection of the server's for as long as they stay."""
    return f"{name}_session"


def ini(
    container: str,
    name: str,
    spec: PoolerSpec,
    sizes: Sizes,
    server: Server,
    sslmode: str,
    found: Version,
) -> str:
    """Return pgbouncer.ini. name: the database's; sslmode: what its clients are told."""
    requires = sslmode in ("require", "verify-full")
    own = {
        "listen_addr": "*",
        "listen_port": str(PORT),
        "unix_socket_dir": SOCKET_MOUNT,
        "unix_socket_mode": "0700",
        "auth_type": "hba",
        "auth_hba_file": f"{CONFIG_MOUNT}/{HBA_FILE}",
        "auth_file": f"{CONFIG_MOUNT}/{AUTH_FILE}",
        # What clients must do to the server, they must do here.
        "client_tls_sslmode": "require" if requires else "allow",
        "client_tls_cert_file": f"{TLS_MOUNT}/server.crt",
        "client_tls_key_file": f"{TLS_MOUNT}/server.key",
        # Nobody's certificate is asked for; without a file that is there, 1.18 and 1.24 do not start.
        "client_tls_ca_file": f"{TLS_MOUNT}/server-ca.crt",
        "server_tls_sslmode": server.sslmode,
        "server_tls_ca_file": f"{TLS_MOUNT}/server-ca.crt",
        "pool_mode": spec.mode,
        "max_client_conn": str(spec.max_clients),
        "default_pool_size": str(sizes.pool_size),
    }
    defaults = {
        # JDBC sends it with every connection.
        "ignore_startup_parameters": "extra_float_digits",
        # Each connection of each client would be two lines.
        "log_connections": "0",
        "log_disconnections": "0",
        **({"max_prepared_statements": "200"} if found.prepares_statements else {}),
        "query_wait_timeout": "120",
        # PgBouncer's 15 s hide a server that is back.
        "server_login_retry": "1",
        # A new container of the server's may have another address: it is asked for again within this time, not 15 s.
        "dns_max_ttl": "1",
        "dns_nxdomain_ttl": "1",
    }
    lines = [
        f"; {container}: written by vellaric.postgres, changes made here are overwritten.",
        "; Declare them instead, as `pooler` of the database.",
        "[databases]",
        _database(name, name, server, spec.mode, sizes.pool_size, sizes.server),
        _database(session_name(name), name, server, "session", sizes.session, sizes.session),
        "",
        "[pgbouncer]",
        *[f"{parameter} = {value}" for parameter, value in own.items()],
        *[f"{parameter} = {value}" for parameter, value in {**defaults, **spec.settings}.items()],
    ]
    return "\n".join(lines) + "\n"


def hba_conf(container: str, sslmode: str, sources: Iterable[str], access: Iterable[tuple[str, str]]) -> str:
    """Return who may connect from where, as the server's pg_hba.conf has it.

    access: (source, method) pairs of the networks that both have joined.
    """
    kind = "hostssl" if sslmode in ("require", "verify-full") else "host"
    lines = [
        f"# {container}: written by vellaric.postgres, changes made here are overwritten.",
        "# Declare `trusted_sources` and `sslmode` of the database instead.",
        *[f"{kind} all all {source} scram-sha-256" for source in sources],
        *[f"{'host' if method == 'reject' else kind} all all {source} {method}" for source, method in access],
    ]
    return "\n".join(lines) + "\n"


def _database(name: str, database: str, server: Server, mode: str, pool_size: int, most: int) -> str:
    values = {
        "host": server.host,
        "port": str(server.port),
        "dbname": database,
        "pool_mode": mode,
        "pool_size": str(pool_size),
        "max_db_connections": str(most),
    }
    # Unquoted: 1.18 reads no quoted names, and there is nothing to quote in ours (names.check_database_name).
    return f"{name} = " + " ".join(f"{key}='{value}'" for key, value in values.items())


class Login(NamedTuple):
    """A role of the server: verifier as pg_authid has it, None where it has none; expired: VALID UNTIL has passed."""

    name: str
    verifier: str | None
    expired: bool


def auth_file(logins: Iterable[Login], before: str = "") -> str:
    """Return the file of who may log in, with the server's own verifiers: the password is known to neither.

    PgBouncer knows of no VALID UNTIL: who is expired gets no password there, and cannot log in. before: the file as it
    was. Who was in it stays, without a password: 1.26 goes on letting in whom a new file does not name.
    """
    gone = dict.fromkeys(_ENTRY.findall(before), "")
    there = {_quoted(login.name): "" if login.expired else login.verifier or "" for login in logins}
    return "".join(f"{name} {_quoted(verifier)}\n" for name, verifier in sorted({**gone, **there}.items()))


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def who(text: str) -> list[str]:
    """Return the names of those who may log in, as a file of ours has them."""
    lines = [line.rpartition(" ") for line in text.splitlines()]
    return sorted(name[1:-1].replace('""', '"') for name, _blank, verifier in lines if verifier not in ("", '""'))


def databases(text: str) -> list[str]:
    """Return the lines of the databases in a file of ours."""
    return text.partition("[databases]\n")[2].partition("\n\n")[0].splitlines()


def parameters(text: str) -> dict[str, str]:
    """Return what a file of ours sets, by name."""
    lines = text.partition("[pgbouncer]\n")[2].splitlines()
    return dict(line.split(" = ", 1) for line in lines if " = " in line)


def changed_parameters(before: str, after: str) -> list[str]:
    """Return the names of the parameters, and of the databases, that two texts of our file set differently."""
    old, new = _all(before), _all(after)
    return sorted(name for name in {*old, *new} if old.get(name) != new.get(name))


def _all(text: str) -> Mapping[str, str]:
    return {**dict(line.split(" = ", 1) for line in databases(text)), **parameters(text)}

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How applications are told to connect: the formats of the files that they read, each with its own escapes. Pure.

Files that hold more than one connection, or other settings, keep what is not ours, byte for byte.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable
from urllib.parse import quote

from .names import connection_url, url_host

FORMATS = ("docker_env", "env", "jdbc", "pg_service", "pgpass", "url")
HIDDEN = "(hidden)"

# Whose form of a URL is meant. Not all drivers take libpq's words for what libpq means by them (docs/connecting.md).
CLIENTS = ("libpq", "go", "node", "sqlalchemy", "sqlalchemy_asyncpg")
# The server always offers TLS, so that for those that do not know prefer, require is the same.
_UNVERIFIED = ("prefer", "require")

# What neither a shell nor any reader of .env files takes for something else.
_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./?-]*")
_SECTION = re.compile(r"\s*\[(.*)\]\s*")


@dataclasses.dataclass(frozen=True)
class Connection:
    """What a client needs. ca_file: on the client's side, to verify the server with.

    prepares: whether it may use named prepared statements, which some poolers do not know.
    """

    host: str
    port: int
    database: str
    username: str
    password: str = dataclasses.field(repr=False)
    sslmode: str = "prefer"
    ca_file: str | None = None
    service: str | None = None
    client: str = "libpq"
    prepares: bool = True


def edited(kind: str, text: str, connection: Connection) -> str:
    """Return the text of a file with the connection in it. Raises ValueError where something else would go with it."""
    return _WRITERS[kind](text, connection)


def shown(kind: str, connection: Connection) -> str:
    """Return what a person may see of it."""
    return edited(kind, "", dataclasses.replace(connection, password=HIDDEN)).replace(quote(HIDDEN, safe=""), HIDDEN)


def url(connection: Connection) -> str:
    """Return a connection URL in the form that its client reads, libpq's unless it is another."""
    client, sslmode = connection.client, connection.sslmode
    if client == "node" and sslmode in _UNVERIFIED:
        # node-postgres takes require for verify-full. https://github.com/brianc/node-postgres
        sslmode = "no-verify"
    elif client == "go" and sslmode == "prefer":
        # lib/pq has not always known it. https://pkg.go.dev/github.com/lib/pq
        sslmode = "require"
    target = (connection.host, connection.port, connection.database, sslmode)
    text = connection_url(connection.username, connection.password, *target)
    if client in _DRIVERS:
        text = text.replace("postgresql:", f"postgresql+{_DRIVERS[client]}:", 1)
    if client == "sqlalchemy_asyncpg":
        # asyncpg takes the authority from PGSSLROOTCERT, and SQLAlchemy hands it nothing but this.
        return text.replace("?sslmode=", "?ssl=", 1)
    return text + (f"&sslrootcert={quote(connection.ca_file, safe='')}" if connection.ca_file else "")


_DRIVERS = {"sqlalchemy": "psycopg", "sqlalchemy_asyncpg": "asyncpg"}


def jdbc(connection: Connection) -> str:
    """Return a URL of the PostgreSQL JDBC driver. https://jdbc.postgresql.org/documentation/use/"""
    fields = {"user": connection.username, "password": connection.password, "sslmode": connection.sslmode}
    if connection.ca_file:
        fields["sslrootcert"] = connection.ca_file
    if not connection.prepares:
        # https://jdbc.postgresql.org/documentation/server-prepare/
        fields["prepareThreshold"] = "0"
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in fields.items())
    target = f"{url_host(connection.host)}:{connection.port}/{quote(connection.database, safe='')}"
    return f"jdbc:postgresql://{target}?{query}"


def _only_line(write: Callable[[Connection], str], *prefixes: str) -> Callable[[str, Connection], str]:
    def edit(text: str, connection: Connection) -> str:
        lines = _lines(text)
        if len(lines) > 1 or (lines and lines[0] and not lines[0].startswith(prefixes)):
            raise ValueError(f"it holds something else than a line that begins with {prefixes[0]}: choose another path")
        return write(connection) + "\n"

    return edit


def variables(connection: Connection) -> dict[str, str]:
    """Return the environment variables that libpq knows, and the URL that frameworks look for."""
    found = {
        "PGHOST": connection.host,
        "PGPORT": str(connection.port),
        "PGDATABASE": connection.database,
        "PGUSER": connection.username,
        "PGPASSWORD": connection.password,
        "PGSSLMODE": connection.sslmode,
    }
    if connection.ca_file:
        found["PGSSLROOTCERT"] = connection.ca_file
    return {**found, "DATABASE_URL": url(connection)}


def _env(text: str, connection: Connection, written: Callable[[str, str], str] | None = None) -> str:
    written = written or _env_value
    lines, wanted = _lines(text), variables(connection)
    if not connection.ca_file:
        lines = [line for line in lines if not _assigns(line, "PGSSLROOTCERT")]
    for name, value in wanted.items():
        places = [place for place, line in enumerate(lines) if _assigns(line, name)]
        export = "export " if places and lines[places[-1]].lstrip().startswith("export") else ""
        lines = [line for place, line in enumerate(lines) if place not in places[:-1]]
        line = f"{export}{name}={written(name, value)}"
        if places:
            lines[places[-1] - len(places) + 1] = line
        else:
            lines.append(line)
    return _joined(lines)


def _assigns(line: str, name: str) -> bool:
    return re.match(rf"\s*(export\s+)?{name}\s*=", line) is not None


def _env_value(name: str, value: str) -> str:
    """Quote where it is needed, as shells and readers of .env files agree on it.

    Some of them (python-dotenv, dotenv-expand) take $ and the backslash for something else whatever the quotes.
    """
    if _PLAIN.fullmatch(value):
        return value
    if not re.search(r"['$\\]", value):
        return f"'{value}'"
    if not re.search(r'["$\\`!]', value):
        return f'"{value}"'
    raise ValueError(
        f"{name} would have $, a backslash, or ' with one of \" ` !, which readers of .env files read in different"
        " ways. Choose another format (docker_env for docker run --env-file, url), or rotate it if it is the password"
    )


def _docker_env(text: str, connection: Connection) -> str:
    """docker run --env-file takes what follows the equals sign as it is, quotes included, and knows no export."""
    plain = re.sub(r"(?m)^\s*export\s+(?=(PG[A-Z]+|DATABASE_URL)\s*=)", "", text)
    return _env(plain, connection, lambda _name, value: value)


def _pgpass(text: str, connection: Connection) -> str:
    """https://www.postgresql.org/docs/current/libpq-pgpass.html"""
    fields = (connection.host, str(connection.port), connection.database, connection.username)
    target = ":".join(map(_pgpass_field, fields)) + ":"
    line = target + _pgpass_field(connection.password)
    lines = _lines(text)
    places = [place for place, known in enumerate(lines) if known.startswith(target)]
    if not places:
        # The first line that matches counts: one with an asterisk would hide what comes after it.
        return _joined([line, *lines])
    lines[places[0]] = line
    return _joined([known for place, known in enumerate(lines) if place not in places[1:]])


def _pgpass_field(value: str) -> str:
    return value.replace("\\", "\\\\").replace(":", "\\:")


def _pg_service(text: str, connection: Connection) -> str:
    """https://www.postgresql.org/docs/current/libpq-pgservice.html"""
    settings = {
        "host": connection.host,
        "port": connection.port,
        "dbname": connection.database,
        "user": connection.username,
        "password": connection.password,
        "sslmode": connection.sslmode,
    }
    if connection.ca_file:
        settings["sslrootcert"] = connection.ca_file
    section = [f"[{connection.service}]", *[f"{name}={value}" for name, value in settings.items()]]
    lines = _lines(text)
    matches = ((place, _SECTION.fullmatch(line)) for place, line in enumerate(lines))
    heads = {place: match.group(1) for place, match in matches if match}
    own = [place for place, name in heads.items() if name == connection.service]
    if not own:
        return _joined([*lines, *([""] if lines and lines[-1] else []), *section])
    if len(own) > 1:
        raise ValueError(f"it has [{connection.service}] twice: remove one of them")
    end = next((place for place in heads if place > own[0]), len(lines))
    # What is not a setting (a comment, an empty line) and stands at the end belongs to what follows.
    while "=" not in lines[end - 1] and end - 1 > own[0]:
        end -= 1
    kept = [line for line in lines[own[0] + 1 : end] if line.partition("=")[0].strip() not in settings]
    return _joined([*lines[: own[0]], *section, *kept, *lines[end:]])


def _lines(text: str) -> list[str]:
    # Not splitlines, which takes more than line feeds for the end of a line, and loses which it was.
    return text.split("\n")[: -1 if text.endswith("\n") else None] if text else []


def _joined(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


_WRITERS: dict[str, Callable[[str, Connection], str]] = {
    "docker_env": _docker_env,
    "env": _env,
    "jdbc": _only_line(jdbc, "jdbc:postgresql://"),
    "pg_service": _pg_service,
    "pgpass": _pgpass,
    "url": _only_line(url, "postgresql://", "postgresql+"),
}

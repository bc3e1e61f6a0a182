# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The database of another server, as the tools in a container of ours reach it, over TLS."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from .._backups import entries, room
from .._backups.manifest import major_of
from .._domain import texts
from .._domain.errors import DatabaseError, Refused
from .._domain.show import size as shown_size
from .._host import files
from .._server import replacement
from .._server.session import first_error
from . import watched
from .snapshot import Snapshot

if TYPE_CHECKING:
    from .._host.engine import Engine
    from .._host.execution import Execution

# What is known of older ones differs too much.
OLDEST_MAJOR = 10
SSLMODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_CONNECT_SECONDS = 15
# Room is looked after while a dump is written.
_LOOK_BYTES = 64 << 20

_ABOUT = """SELECT json_build_object(
  'server_version', current_setting('server_version'), 'size_bytes', pg_database_size(datname),
  'encoding', pg_encoding_to_char(encoding), 'collate', datcollate,
  'tls', (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()),
  'extensions', (SELECT coalesce(json_object_agg(extname, extversion), '{}') FROM pg_extension),
  'roles', (SELECT coalesce(json_agg(DISTINCT pg_get_userbyid(relowner)), '[]') FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = relnamespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'),
  'policy_roles', (SELECT coalesce(json_agg(DISTINCT rolname), '[]') FROM pg_policy
    JOIN pg_roles ON pg_roles.oid = ANY (polroles)),
  'large_objects', (SELECT count(*) FROM pg_largeobject_metadata))::text
  FROM pg_database WHERE datname = current_database();
"""


@dataclasses.dataclass(frozen=True)
class Taken:
    """What the source held at the moment of its dump. sequences, sequences_after: where they stood before and after."""

    facts: dict[str, Any]
    objects: dict[str, int]
    row_counts: dict[str, int]
    extensions: dict[str, str]
    sequences: dict[str, int]
    sequences_after: dict[str, int]
    warnings: list[str]


@dataclasses.dataclass(frozen=True)
class Source:
    """Where to connect to. ca: the certificate of an authority, with which the server then has to prove itself.

    ignored: parameters of the URL that have no part in it.
    """

    host: str
    port: int
    database: str
    username: str
    password: str = dataclasses.field(repr=False)
    sslmode: str = "require"
    ca: bytes | None = None
    ignored: tuple[str, ...] = ()
    uid: int = dataclasses.field(default_factory=lambda: 1_500_000_000 + secrets.randbelow(500_000_000))

    @property
    def shown(self) -> str:
        return f"{self.username}@{self.host}:{self.port}/{self.database}"

    def about(self, engine: Engine, container: str, seconds: float) -> dict[str, Any]:
        """Ask the source what it is. Raises DatabaseError where it cannot be reached or is too old."""
        with self._client(engine, container, ["psql", *_PSQL]) as client:
            client.send(replacement.ALONE + _ABOUT)
            line = client.line(time.monotonic() + min(seconds, 4 * _CONNECT_SECONDS))
            if line is None:
                raise DatabaseError(f"{self.shown} cannot be imported: {_said(client)}")
        about: dict[str, Any] = json.loads(line)
        if major_of(about["server_version"]) < OLDEST_MAJOR:
            raise Refused(
                f"{self.shown} runs PostgreSQL {about['server_version']}: from {OLDEST_MAJOR} on it can be imported"
                " so. Take a dump with pg_dump and import that file"
            )
        return about

    def dump(
        self,
        engine: Engine,
        container: str,
        path: str,
        deadline: float,
        progress: Callable[[str], None],
        data_root: str,
    ) -> Taken:
        """Write a dump in custom format to a path of this host, and return what the source held then (Taken)."""
        warnings = [_passed_over(self.ignored)] if self.ignored else []
        with self._client(engine, container, ["psql", *_PSQL]) as client:
            snapshot = Snapshot(client, self.shown, deadline, warnings, trusted=True)
            client.send(replacement.SEQUENCES)
            sequences = json.loads(client.line(deadline) or "{}")
            command = ["pg_dump", "-Fc", "-Z1", "--quote-all-identifiers", "--lock-wait-timeout=60000"]
            command += ["--no-owner", "--no-acl", f"--snapshot={snapshot.name}"]
            with self._client(engine, container, command) as dumping:
                self._receive(dumping, path, deadline, progress, data_root, snapshot)
            counts = snapshot.row_counts() or {}
        with self._client(engine, container, ["psql", *_PSQL]) as client:
            client.send(replacement.ALONE + replacement.SEQUENCES)
            after = json.loads(client.line(deadline) or "{}")
        facts = snapshot.facts
        return Taken(facts, facts["objects"], counts, facts["extensions"], sequences, after, warnings)

    def _receive(
        self,
        dumping: Execution,
        path: str,
        deadline: float,
        progress: Callable[[str], None],
        data_root: str,
        snapshot: Snapshot,
    ) -> None:
        """Write what comes to a file, with an eye on the room that is left."""
        written, shown, looked = 0, time.monotonic(), 0
        output = dumping.outputs[1]
        with entries.errors("write", path), open(path, "xb") as stream:
            os.fchmod(stream.fileno(), 0o400)
            while True:
                try:
                    going = dumping.receive(min(deadline, time.monotonic() + 5))
                except socket.timeout:
                    if time.monotonic() > deadline:
                        raise DatabaseError(f"The dump of {self.shown} took too long (timeout)") from None
                    continue
                if output and not written:
                    # It has locked all tables by now.
                    snapshot.count_rows()
                written += stream.write(output)
                output.clear()
                if written - looked > _LOOK_BYTES:
                    looked = written
                    room.refuse_without_space(data_root, _LOOK_BYTES, f"The dump of {self.shown}")
                if time.monotonic() - shown > 10:
                    shown = time.monotonic()
                    progress(f"{self.shown}: {shown_size(written)} dumped")
                if not going:
                    break
            stream.flush()
            os.fsync(stream.fileno())
        if dumping.finish(time.monotonic() + 30).exit_code != 0:
            raise DatabaseError(f"{self.shown} could not be dumped: {_said(dumping)}")

    @contextlib.contextmanager
    def _client(self, engine: Engine, container: str, command: list[str]) -> Iterator[Execution]:
        """Run a client of the container's, connected to the source, as a user who owns nothing there."""
        token = secrets.token_hex(8)
        environment = {
            "PGPASSFILE": f"{watched.PASSWORD_FILE}{token}",
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGDATABASE": self.database,
            "PGUSER": self.username,
            "PGSSLMODE": self.sslmode,
            "PGSSLROOTCERT": f"{watched.AUTHORITY_FILE}{token}" if self.ca else "/nonexistent/root.crt",
            "PGCONNECT_TIMEOUT": str(_CONNECT_SECONDS),
            "PGAPPNAME": "vellaric import",
            "HOME": "/nonexistent",
            "LC_ALL": "C",
        }
        if self.sslmode in ("verify-ca", "verify-full") and not self.ca:
            # The authorities that the system trusts; clients before 16 do not know that word.
            environment["PGSSLROOTCERT"] = "system"
        script = watched.TALKED_TO_WITH_AUTHORITY if self.ca else watched.TALKED_TO
        with engine.open(
            container, ["sh", "-c", script, "sh", *command], f"{self.uid}:{self.uid}", environment
        ) as client:
            client.send(watched.password_line(self.password))
            if self.ca:
                client.send(re.sub(r"\n\s*\n", "\n", self.ca.decode("utf-8", "replace").strip()) + "\n\n")
            yield client


_PSQL = ("-XAtq", "-w", "-v", "VERBOSITY=terse", "-v", "ON_ERROR_STOP=1", "-f", "-")


def _said(client: Execution) -> str:
    if "server does not support SSL" in client.stderr:
        return (
            f"{first_error(client.stderr)}. Without TLS, the data can be read on the network: if that is acceptable,"
            " as within one machine, set it in the url (?sslmode=disable)"
        )
    if 'root certificate file "system"' in client.stderr:
        return (
            "this image's client does not have the CA certificates of the system, so that the server cannot be"
            " verified: give the one to trust with ca_file, such as /etc/ssl/certs/ca-certificates.crt"
        )
    return first_error(client.stderr) if client.stderr.strip() else "it was ended"


# What Neon, Supabase, Heroku, Prisma and others put into their URLs, and what changes nothing for a dump.
_OF_OTHERS = (
    "application_name",
    "channel_binding",
    "connect_timeout",
    "connection_limit",
    "keepalives",
    "keepalives_idle",
    "options",
    "pgbouncer",
    "pool_timeout",
    "schema",
    "socket_timeout",
    "ssl",
    "sslaccept",
    "statement_cache_size",
    "supa",
    "target_session_attrs",
    "uselibpqcompat",
)


def _passed_over(parameters: tuple[str, ...]) -> str:
    whole = ": all schemas of the database are imported" if "schema" in parameters else ""
    return f"{', '.join(parameters)} in the url were ignored{whole}"


def parse(url: str, password: str | None, ca_file: str | None) -> Source:
    """Return the Source that a URL names. Raises DatabaseError, saying which part is wrong."""
    try:
        parts = urlsplit(texts.line(url, "url"))
    except ValueError as error:
        raise DatabaseError(str(error) if isinstance(error, DatabaseError) else f"url: {error}") from None
    if parts.scheme not in ("postgresql", "postgres") or not parts.hostname:
        raise DatabaseError("url: a source is postgresql://USER@HOST:PORT/DATABASE?sslmode=verify-full")
    texts.client_host(parts.hostname, "url: its host")
    if parts.password is not None:
        raise DatabaseError(
            "url: it has a password in it, which would be logged: give that as `password`, from a vault"
        )
    if not parts.username or len(parts.path) < 2:
        raise DatabaseError("url: it does not say which user and which database: postgresql://USER@HOST:PORT/DATABASE")
    if not password:
        raise DatabaseError("password: the source's password is needed")
    if re.search(r"[\r\n\0]", password):
        raise DatabaseError("password: it has a line break or a NUL in it")
    parameters = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    unknown = sorted(set(parameters) - {"sslmode", *_OF_OTHERS})
    if unknown:
        raise DatabaseError(
            f"url: {', '.join(unknown)} is not known here. Leave it out: sslmode is known, and these are passed over:"
            f" {', '.join(_OF_OTHERS)}"
        )
    sslmode = parameters.get("sslmode", "verify-full" if ca_file else "require")
    if sslmode not in SSLMODES:
        raise DatabaseError(f"url: sslmode is {sslmode!r}; one of {', '.join(SSLMODES)}")
    try:
        port = parts.port or 5432
    except ValueError:
        raise DatabaseError("url: its port is not a number between 1 and 65535") from None
    known = files.read(ca_file) if ca_file else None
    if ca_file and (known is None or b"BEGIN CERTIFICATE" not in known.content):
        raise DatabaseError(f"ca_file: {ca_file} is not a PEM certificate on this host")
    database, username = unquote(parts.path[1:]), unquote(parts.username)
    texts.line(database, "url: its database")
    texts.line(username, "url: its user")
    return Source(
        host=parts.hostname,
        port=port,
        database=database,
        username=username,
        password=password,
        sslmode=sslmode,
        ca=known.content if known else None,
        ignored=tuple(sorted(set(parameters) - {"sslmode"})),
    )

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to a server in a container over its own socket, as this host reaches it.

To run anything in a container costs the engine 75 ms of a processor, over and over; a question over the socket costs
one or two. So that a host with many databases is looked at quickly, this speaks the little of PostgreSQL's protocol
that a question needs: start-up without a password and the simple query.
https://www.postgresql.org/docs/current/protocol-flow.html
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import struct
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from .._domain import parameters
from .._domain.container import SERVER_PORT
from .._domain.errors import DatabaseError

PROTOCOL = 3 << 16
APPLICATION = "vellaric.postgres"
# Answers are small; whatever sends more than this is not a server of ours.
MOST_BYTES = 64 * 1024 * 1024
# Questions to the server are of one column, those to a pooler's console of up to 30.
_MOST_COLUMNS = 64

# What is asked shows in no log, whatever the server is told to write there.
UNLOGGED = {
    "log_statement": "none",
    "log_duration": "off",
    "log_min_duration_statement": "-1",
    "log_min_error_statement": "panic",
}

# The server does not know a parameter (undefined_object).
_UNKNOWN = "42704"

_INT = struct.Struct(">i")
_SHORT = struct.Struct(">h")
# What a description of a column has after its name: table, number, type, size, modifier, format.
_COLUMN = 18
_SOCKET = ("run", "postgresql", f".s.PGSQL.{SERVER_PORT}")


class Unreachable(Exception):
    """From here the server's socket is not to be seen, or not to be connected to."""


class Rejected(DatabaseError):
    """The server refused; code is its SQLSTATE, severity ends the connection or not."""

    def __init__(self, code: str, severity: str, text: str) -> None:
        super().__init__(f"{severity}:  {text}")
        self.code = code
        self.severity = severity
        self.text = text


class Garbled(DatabaseError):
    """What answers on the server's socket does not keep PostgreSQL's protocol."""

    def __init__(self, what: str) -> None:
        super().__init__(f"what answers on its socket does not speak as PostgreSQL does: {what}")


def ask(
    pid: int, container_id: str, user: str, database: str, sql: str, seconds: float, major: int | None = None
) -> list[list[str | None]]:
    """Run SQL (one simple query, of any number of statements) and return its rows, each a list of texts or None.

    pid: the container's first process, as the engine of this host gives it. major: the server's major version, where it
    is known: with another one, what the owner of the database may set for it is found out at another attempt.
    Raises Unreachable; Rejected with the server's error; Garbled; socket.timeout when it is not answered after seconds.
    """
    deadline = time.monotonic() + seconds
    with reached(pid, container_id, _SOCKET) as path:
        for options in parameters.attempts(major):
            try:
                return ask_at(path, startup(user, database, options), sql, deadline)
            except Rejected as error:
                if error.code != _UNKNOWN or error.severity != "FATAL" or options == parameters.superuser(None):
                    raise
    raise Unreachable("there is no attempt to make")


def ask_at(path: str, beginning: bytes, sql: str, deadline: float) -> list[list[str | None]]:
    """Ask on a socket; beginning: the first message, `startup`. Raises as `ask` does."""
    with socket.socket(socket.AF_UNIX) as connection:
        within(connection, deadline)
        try:
            connection.connect(path)
        except OSError as error:
            if isinstance(error, socket.timeout):
                raise
            raise Unreachable(str(error)) from error
        return exchange(connection, beginning, sql, deadline)[1]


def exchange(
    connection: socket.socket, beginning: bytes, sql: str, deadline: float
) -> tuple[list[str], list[list[str | None]]]:
    """Ask on a connection that nothing was sent on yet, and end the session: columns' names, rows. Raises as `ask`."""
    return exchanges(connection, beginning, [sql], deadline)[0]


def exchanges(
    connection: socket.socket, beginning: bytes, questions: Iterable[str], deadline: float
) -> list[tuple[list[str], list[list[str | None]]]]:
    """Ask one after the other as `exchange` does."""
    tables = []
    try:
        within(connection, deadline)
        connection.sendall(beginning)
        messages = _messages(connection, deadline)
        read_answer(messages)
        for sql in questions:
            connection.sendall(query(sql))
            tables.append(read_table(messages))
        # It need not hear that: it has answered.
        with contextlib.suppress(OSError):
            connection.sendall(message(b"X", b""))
    except (ConnectionError, EOFError) as error:
        raise Unreachable(f"the connection ended: {error}") from error
    return tables


def within(connection: socket.socket, deadline: float) -> None:
    """Let a socket wait until the deadline. Raises socket.timeout where it is over."""
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise socket.timeout()
    connection.settimeout(remaining)


@contextlib.contextmanager
def reached(pid: int, container_id: str, names: Sequence[str]) -> Iterator[str]:
    """Give the path of a socket in a container, as this process reaches it. Raises Unreachable.

    names: of the directories from the container's root on, and of the socket.

    The root of a container's process is a way into its file system. What is there is not trusted: a link could lead to
    a socket of the host's, so none is followed. Nor is the process: a number is given again when it has ended.
    """
    opened = []
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8") as stream:
            if container_id not in stream.read():
                raise Unreachable("the process is not the container's")
        opened.append(os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY))
        for name in names[:-1]:
            opened.append(os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=opened[-1]))
        opened.append(os.open(names[-1], os.O_PATH | os.O_NOFOLLOW, dir_fd=opened[-1]))
        if not stat.S_ISSOCK(os.fstat(opened[-1]).st_mode):
            raise Unreachable("it is not a socket")
        yield f"/proc/self/fd/{opened[-1]}"
    except OSError as error:
        if isinstance(error, socket.timeout):
            raise
        raise Unreachable(str(error)) from error
    finally:
        for descriptor in opened:
            os.close(descriptor)


def message(kind: bytes, body: bytes) -> bytes:
    """Return a message of the protocol. kind: one byte, or none for the first message."""
    return kind + _INT.pack(len(body) + _INT.size) + body


def startup(user: str, database: str, options: Mapping[str, str] | None = None) -> bytes:
    """Return the first message. options: the session's parameters, a superuser's where not given."""
    named = {"user": user, "database": database, "application_name": APPLICATION}
    options = {**named, **(parameters.superuser(None) if options is None else options), **UNLOGGED}
    body = b"".join(part.encode("utf-8") + b"\0" for pair in options.items() for part in pair)
    return message(b"", _INT.pack(PROTOCOL) + body + b"\0")


def query(sql: str) -> bytes:
    return message(b"Q", sql.encode("utf-8") + b"\0")


def read_answer(messages: Iterable[tuple[bytes, bytes]]) -> list[list[str | None]]:
    """Read messages until the server is ready again and return the rows among them.

    Raises Unreachable where it wants a password, Rejected with its first error, and Garbled.
    """
    return read_table(messages)[1]


def read_table(messages: Iterable[tuple[bytes, bytes]]) -> tuple[list[str], list[list[str | None]]]:
    """Read messages as `read_answer` does, and return the names of the columns, too (the last ones that were told)."""
    names: list[str] = []
    rows, error = [], None
    for kind, body in messages:
        if kind == b"Z":
            break
        if kind == b"R" and _number(_INT, body, 0) != 0:
            raise Unreachable("the server asks for a password")
        if kind == b"T":
            names = _names(body)
        if kind == b"D":
            rows.append(_row(body))
        if kind == b"E" and error is None:
            error = _error(body)
            if error.severity in ("FATAL", "PANIC"):
                break
    if error is not None:
        raise error
    return names, rows


def _messages(connection: socket.socket, deadline: float) -> Iterator[tuple[bytes, bytes]]:
    """Yield (kind, body) of each message until the connection ends, which raises EOFError."""
    buffer, received = bytearray(), 0
    header = 1 + _INT.size
    while True:
        position = 0
        while len(buffer) - position >= header:
            length = _INT.unpack_from(buffer, position + 1)[0]
            if not _INT.size <= length <= MOST_BYTES:
                raise Garbled(f"a message of {length} bytes")
            end = position + 1 + length
            if len(buffer) < end:
                break
            yield bytes(buffer[position : position + 1]), bytes(buffer[position + header : end])
            position = end
        del buffer[:position]
        within(connection, deadline)
        data = connection.recv(65536)
        received += len(data)
        if not data:
            raise EOFError("the server closed it")
        if received > MOST_BYTES:
            raise Garbled("the answer has no end")
        buffer += data


def _number(form: struct.Struct, body: bytes, position: int) -> int:
    if len(body) - position < form.size:
        raise Garbled("a message ends too early")
    number: int = form.unpack_from(body, position)[0]
    return number


def _names(body: bytes) -> list[str]:
    """Return the names of the columns that rows will have."""
    count, position, names = _number(_SHORT, body, 0), _SHORT.size, []
    if not 0 <= count <= _MOST_COLUMNS:
        raise Garbled(f"a row of {count} columns")
    for _turn in range(count):
        end = body.find(b"\0", position)
        if end < 0:
            raise Garbled("the name of a column has no end")
        names.append(body[position:end].decode("utf-8", "replace"))
        position = end + 1 + _COLUMN
    return names


def _row(body: bytes) -> list[str | None]:
    count, position, values = _number(_SHORT, body, 0), _SHORT.size, []
    if not 1 <= count <= _MOST_COLUMNS:
        raise Garbled(f"a row of {count} columns")
    for turn in range(count):
        length = _number(_INT, body, position)
        position += _INT.size
        if length < -1 or length > len(body) - position:
            raise Garbled(f"a value of {length} bytes in a row of {len(body)}")
        values.append(None if length < 0 else body[position : position + length].decode("utf-8", "replace"))
        position += max(length, 0)
    return values


def _error(body: bytes) -> Rejected:
    fields = {part[:1]: part[1:].decode("utf-8", "replace") for part in body.split(b"\0") if part}
    # V is the severity that is never translated.
    return Rejected(fields.get(b"C", ""), fields.get(b"V", "ERROR"), fields.get(b"M", "no message"))

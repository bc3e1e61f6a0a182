# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands to a pooler's console, over its own socket, as this host reaches it.

PgBouncer lets in as its administrator, without a password, whoever has the id of its own process
(https://www.pgbouncer.org/usage.html#admin-console). A socket says who has connected it, whoever uses it afterwards: a
child with that id connects it, and hands it over.
"""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import time
from collections.abc import Sequence

from .._domain import pgbouncer
from .._domain.errors import DatabaseError
from . import wire

_SOCKET = (*pgbouncer.SOCKET_MOUNT.strip("/").split("/"), f".s.PGSQL.{pgbouncer.PORT}")
# The path, the descriptor of the socket over which it hands the other one, and the ids that it takes: those may not be
# allowed to read the interpreter.
_CONNECT = """
import os, socket, sys
path, descriptor, uid, gid = sys.argv[1], *map(int, sys.argv[2:])
ours = socket.socket(fileno=descriptor)
theirs = socket.socket(socket.AF_UNIX)
os.setgroups([])
os.setgid(gid)
os.setuid(uid)
theirs.connect(path)
socket.send_fds(ours, [b"c"], [theirs.fileno()])
"""


def run(pid: int, container_id: str, uid: int, gid: int, command: str, seconds: float) -> list[dict[str, str | None]]:
    """Run a command and return its rows, by the columns' names (none for a command that shows nothing).

    As run_all does for one.
    """
    return run_all(pid, container_id, uid, gid, [command], seconds)[0]


def run_all(
    pid: int, container_id: str, uid: int, gid: int, commands: Sequence[str], seconds: float
) -> list[list[dict[str, str | None]]]:
    """Run commands one after the other and return their rows, by the columns' names.

    pid: the container's first process, as the engine of this host gives it; uid, gid: those of PgBouncer.
    Raises wire.Unreachable; wire.Rejected with PgBouncer's error; wire.Garbled; socket.timeout after seconds, when the
    command may go on (PAUSE).
    """
    deadline = time.monotonic() + seconds
    with wire.reached(pid, container_id, _SOCKET) as path, _connected(path, uid, gid, deadline) as connection:
        tables = wire.exchanges(connection, _beginning(), commands, deadline)
    return [[dict(zip(names, row)) for row in rows] for names, rows in tables]


def _beginning() -> bytes:
    """PgBouncer refuses parameters of the server's."""
    body = b"".join(part.encode() + b"\0" for part in ("user", pgbouncer.CONSOLE, "database", pgbouncer.CONSOLE))
    return wire.message(b"", struct.pack(">i", wire.PROTOCOL) + body + b"\0")


def _connected(path: str, uid: int, gid: int, deadline: float) -> socket.socket:
    """Return a connection that a process with these ids has made."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        number = theirs.fileno()
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-S", "-c", _CONNECT, path, *map(str, (number, uid, gid))],
                pass_fds=[number, int(path.rpartition("/")[2])],
                capture_output=True,
                text=True,
                timeout=max(0.1, deadline - time.monotonic()),
                cwd="/",
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise socket.timeout() from error
        except OSError as error:
            raise DatabaseError(f"cannot start {sys.executable}: {error}") from error
        if done.returncode:
            raise wire.Unreachable((done.stderr.strip().splitlines() or ["nothing connected"])[-1])
        _data, descriptors, _flags, _address = socket.recv_fds(ours, 1, 1)
    if len(descriptors) != 1:
        raise wire.Unreachable("nothing was connected")
    return socket.socket(fileno=descriptors[0])

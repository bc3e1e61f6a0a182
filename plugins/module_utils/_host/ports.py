# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ports of this host are taken, and by what."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .._domain.record import Record

# https://www.kernel.org/doc/Documentation/networking/proc_net_tcp.txt
_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
_LISTEN = "0A"


def listening() -> set[int]:
    """Return the ports on which anything on this host listens, whatever the address."""
    return {port for port, _inode in _listeners()}


def sockets(port: int) -> set[str]:
    """Return the sockets that listen on a port, as a process has them (C(/proc/PID/fd))."""
    return {f"socket:[{inode}]" for known, inode in _listeners() if known == port}


def _listeners() -> Iterator[tuple[int, str]]:
    for table in _TABLES:
        try:
            with open(table, encoding="ascii") as stream:
                rows = [line.split() for line in stream][1:]
        except OSError:
            continue
        yield from ((int(row[1].rsplit(":", 1)[1], 16), row[9]) for row in rows if row[3] == _LISTEN)


def published(containers: Iterable[dict[str, Any]]) -> dict[int, str]:
    """Return what the engine's list of containers publishes: the container's name by port."""
    return {
        port["PublicPort"]: f"container {container['Names'][0].lstrip('/')}"
        for container in containers
        for port in container.get("Ports") or []
        if port.get("PublicPort") and port.get("Type") == "tcp"
    }


def taken(
    containers: Iterable[dict[str, Any]], records: Iterable[Record], elsewhere: Iterable[Record] = ()
) -> dict[int, str]:
    """Return by what each port is taken: databases that stand still keep theirs, too.

    elsewhere: the records of other data roots.
    """
    return {
        **{record.port: f"database {record.container} of another data root" for record in elsewhere},
        **{record.port: f"database {record.container}" for record in records},
        **dict.fromkeys(listening(), "a process that listens on it"),
        **published(containers),
    }


def first_free(port_range: Sequence[int], ports_taken: Container[int]) -> int | None:
    """Return the first port of a range (both ends included) that is not taken, or None."""
    first, last = port_range
    return next((port for port in range(first, last + 1) if port not in ports_taken), None)

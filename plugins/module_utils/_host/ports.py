# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ports of this host are taken, and by what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from .._domain.port_choice import Holder
from .._domain.record import PRIMARY

if TYPE_CHECKING:
    from .._domain.record import Instance, Record

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


def published(containers: Iterable[dict[str, Any]]) -> dict[int, Holder]:
    """Return the ports that the engine's list of containers publishes."""
    return {
        port["PublicPort"]: Holder(f"container {name}", name)
        for container in containers
        for name in (container["Names"][0].lstrip("/"),)
        for port in container.get("Ports") or []
        if port.get("PublicPort") and port.get("Type") == "tcp"
    }


def taken(
    containers: Iterable[dict[str, Any]], records: Iterable[Record], elsewhere: Iterable[Record] = ()
) -> dict[int, Holder]:
    """Return by whom each port is taken: stopped databases keep theirs, too.

    elsewhere: the records of other data roots.
    """
    return {
        **{
            instance.port: Holder(f"{_words(record, instance)} of another data root")
            for record in elsewhere
            for instance in record.instances
        },
        **{
            instance.port: Holder(_words(record, instance), instance.container)
            for record in records
            for instance in record.instances
        },
        **dict.fromkeys(listening(), Holder("a process that listens on it")),
        **published(containers),
    }


def _words(record: Record, instance: Instance) -> str:
    database = f"database {record.container}"
    return database if instance.role == PRIMARY else f"the {instance.name} of {database}"

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's parameters for a container's limits, by published rules. Pure.

From the limits alone, never from the host's memory: what the container may not have, the server must not plan with.
Disks are taken for solid ones. What is the host's to set (huge pages, overcommit) is not touched.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

KB, MB, GB = 1 << 10, 1 << 20, 1 << 30

# What the server has by default.
_PARALLEL = {
    "max_worker_processes": 8,
    "max_parallel_workers": 8,
    "max_parallel_workers_per_gather": 2,
    "max_parallel_maintenance_workers": 2,
}
DEFAULT_WORK_MEM = 4 * MB
# What initdb chooses for all but the smallest hosts, and the server for all.
DEFAULT_BUFFERS = 128 * MB
DEFAULT_CONNECTIONS = 100
# superuser_reserved_connections, by default.
RESERVED_CONNECTIONS = 3
# hash_mem_multiplier, by default from version 15 on.
HASH_MEMORY = 2
LEAST_SHM_SIZE = 256 * MB
LEAST_PROCESSES = 1024

_AMOUNT = re.compile(r"\s*(\d+)\s*(B|kB|MB|GB|TB)?\s*")
_UNITS = {"B": 1, "kB": KB, "MB": MB, "GB": GB, "TB": 1 << 40}
# https://www.postgresql.org/docs/current/runtime-config-resource.html: what a number without a unit counts.
_PLAIN_UNITS = {"shared_buffers": 8 * KB, "work_mem": KB, "maintenance_work_mem": KB}


def derive(memory: int, nano_cpus: int | None = None, declared: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the server's parameters, by name, in PostgreSQL's units, for a limit of memory (bytes) and processors.

    nano_cpus: None for no limit; nothing is then derived from processors. declared: parameters that stay as they are;
    they are not among what is returned, and what depends on them follows them.
    """
    declared = declared or {}
    left_alone = {*declared, *(_PARALLEL if not _parallel(nano_cpus) else ())}
    values = _values(memory, nano_cpus, declared)
    return {name: _word(name, value) for name, value in sorted(values.items()) if name not in left_alone}


def shm_size(memory: int, nano_cpus: int | None = None, declared: Mapping[str, str] | None = None) -> int:
    """Return the size of /dev/shm (bytes) that goes with the same limits: a limit, nothing is taken beforehand.

    What parallel queries share lies there: the hash tables of each process of theirs (work_mem * hash_mem_multiplier,
    https://www.postgresql.org/docs/current/runtime-config-resource.html), the leaders' too; and what one parallel
    VACUUM has collected (up to maintenance_work_mem, https://www.postgresql.org/docs/current/sql-vacuum.html).
    In powers of two, since another size takes a new container.
    """
    values = _values(memory, nano_cpus, declared or {})
    workers = values["max_parallel_workers"]
    leaders = math.ceil(workers / max(1, values["max_parallel_workers_per_gather"]))
    needed = values["maintenance_work_mem"] + HASH_MEMORY * values["work_mem"] * (workers + leaders)
    # Less than all of the memory, but in the smallest containers, which have what they have without tuning.
    most = 1 << int(math.log2(memory / 2))
    return max(LEAST_SHM_SIZE, min(most, 1 << math.ceil(math.log2(max(1, needed)))))


def least_memory(parameters: Mapping[str, str]) -> int:
    """Return the memory (bytes) without which a server is killed over and over, sooner or later. parameters: by name.

    All of shared_buffers, which fills with use and with recovery alike, and what is kept beside it for its pages; a
    quarter of the connections at rest, at 1.6 MB each; and the processes that are always there, with a psql or two:
    measured, with 128 MB of buffers one client at a time is killed with 144 MB and served with 160 MB.
    """
    buffers = _declared("shared_buffers", parameters) or DEFAULT_BUFFERS
    connections = _declared("max_connections", parameters) or DEFAULT_CONNECTIONS
    return buffers + buffers // 32 + connections * 2 * MB // 5 + 32 * MB


def processes(parameters: Mapping[str, str]) -> int:
    """Return the most processes that a container may have: well above what its server can start, as a power of two.

    Each connection and each worker is one, and so is what a backup, a load or a person runs beside. parameters: the
    server's, by name.
    """
    # The server's own: https://www.postgresql.org/docs/current/runtime-config-connection.html and the like.
    defaults = {
        "max_connections": DEFAULT_CONNECTIONS,
        "max_worker_processes": 8,
        "max_wal_senders": 10,
        "autovacuum_max_workers": 3,
        "autovacuum_worker_slots": 16,
        "io_max_workers": 32,
    }
    started = sum(max(number, _declared(name, parameters) or 0) for name, number in defaults.items())
    return max(LEAST_PROCESSES, 1 << (2 * started - 1).bit_length())


def _values(memory: int, nano_cpus: int | None, declared: Mapping[str, str]) -> dict[str, Any]:
    """Return the parameters as numbers (bytes, or a count), and those that are words as texts.

    A declared one that is a number is what was declared.
    """
    values: dict[str, int] = {}

    def rule(name: str, value: int) -> int:
        known = _declared(name, declared)
        values[name] = value if known is None else known
        return values[name]

    buffers = rule("shared_buffers", _shared_buffers(memory))
    connections = rule("max_connections", _max_connections(memory))
    for name, value in {**_PARALLEL, **_parallel(nano_cpus)}.items():
        rule(name, value)
    rule("effective_cache_size", _effective_cache_size(memory))
    rule("maintenance_work_mem", _maintenance_work_mem(memory))
    rule("work_mem", _work_mem(memory, buffers, connections, values["max_worker_processes"]))
    rule("wal_buffers", _wal_buffers(buffers))
    rule("max_wal_size", _max_wal_size(memory))
    rule("min_wal_size", _max_wal_size(memory) // 4)
    return {**values, **_planner(), "huge_pages": _huge_pages(buffers)}


def _shared_buffers(memory: int) -> int:
    """A quarter; half of that below 1 GiB, where the connections' own memory weighs more.

    https://www.postgresql.org/docs/current/runtime-config-resource.html#GUC-SHARED-BUFFERS: "a reasonable starting
    value is 25%" from 1 GB on, less below, "so as to leave adequate space for the operating system".
    """
    return _whole(memory // 4 if memory >= GB else memory // 8, MB)


def _effective_cache_size(memory: int) -> int:
    """Three quarters, as pgtune has it: a figure for the planner, nothing is allocated. https://pgtune.leopard.in.ua"""
    return _whole(memory * 3 // 4, MB)


def _maintenance_work_mem(memory: int) -> int:
    """A sixteenth, at most 2 GB: pgtune's figure, with its limit for autovacuum, whose workers each take as much."""
    return _whole(min(memory // 16, 2 * GB), MB)


def _max_connections(memory: int) -> int:
    """25 for each GiB and not less, as with DigitalOcean, and those reserved for the superuser; at most RDS's 5000.

    https://docs.digitalocean.com/products/databases/postgresql/details/limits and
    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html
    """
    return min(max(25, 25 * memory // GB), 5000) + RESERVED_CONNECTIONS


def _work_mem(memory: int, buffers: int, connections: int, workers: int) -> int:
    """What shared_buffers leaves, over three for each process: pgtune's formula for applications.

    Its floor, the server's default, holds as far as that much in each connection takes no more than half of what is
    left: in a small container, more would invite the out-of-memory killer.
    """
    left = max(memory - buffers, 0)
    share = left // (3 * (connections + workers))
    floor = min(DEFAULT_WORK_MEM, left // (2 * max(1, connections)))
    return max(_whole(max(share, floor), KB), 64 * KB)


def _wal_buffers(buffers: int) -> int:
    """3 % of shared_buffers, from 32 kB to 16 MB, one segment of the log, which it takes as soon as 14 MB are reached.

    https://www.postgresql.org/docs/current/runtime-config-wal.html#GUC-WAL-BUFFERS, rounded as pgtune does.
    """
    size = buffers * 3 // 100
    return 16 * MB if size > 14 * MB else max(_whole(size, KB), 32 * KB)


def _max_wal_size(memory: int) -> int:
    """As much as the memory, from the server's default of 1 GB up to pgtune's 4 GB; the least to keep is a quarter.

    Both as pgtune has them for 4 GiB. A smaller container has a smaller database and disk, and recovers more slowly.
    """
    return _whole(min(max(memory, GB), 4 * GB), MB)


def _parallel(nano_cpus: int | None) -> dict[str, int]:
    """From four processors on, as in pgtune: as many workers, half of them for one query, at most four.

    Processes in the background, those of extensions and of replication too, never get fewer than the server's default.
    """
    cpus = (nano_cpus or 0) // 1_000_000_000
    if cpus < 4:
        return {}
    per_query = min(4, math.ceil(cpus / 2))
    return {
        "max_worker_processes": max(_PARALLEL["max_worker_processes"], cpus),
        "max_parallel_workers": cpus,
        "max_parallel_workers_per_gather": per_query,
        "max_parallel_maintenance_workers": per_query,
    }


def _huge_pages(buffers: int) -> str:
    """Tried from 2 GB of shared_buffers on, as in pgtune; smaller servers leave the host's huge pages to others."""
    return "try" if buffers >= 2 * GB else "off"


def _planner() -> dict[str, str]:
    """pgtune's figures for solid state disks and for applications, whose short queries JIT compilation slows down."""
    return {"random_page_cost": "1.1", "effective_io_concurrency": "200", "jit": "off"}


def _declared(name: str, declared: Mapping[str, str]) -> int | None:
    """Return a declared parameter as a number; None where there is none, or the server alone knows what it means."""
    match = _AMOUNT.fullmatch(declared.get(name, ""))
    if not match:
        return None
    number, unit = match.groups()
    return int(number) * (_UNITS[unit] if unit else _PLAIN_UNITS.get(name, 1))


def _whole(size: int, unit: int) -> int:
    return size // unit * unit


def _word(name: str, value: int | str) -> str:
    if isinstance(value, str) or name in _PARALLEL or name == "max_connections":
        return str(value)
    return f"{value // MB}MB" if value % MB == 0 else f"{value // KB}kB"

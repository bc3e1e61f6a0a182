# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a backup is to be taken: what the module, the role and a restore give. Pure, and light: filters load it, too."""

from __future__ import annotations

import dataclasses

from .._domain import texts
from .._domain.errors import DatabaseError

# pg_dump knows others than gzip from here on.
COMPRESSIONS_SINCE = 16
# Each is a connection to the server.
MOST_JOBS = 1000


@dataclasses.dataclass(frozen=True)
class Options:
    """How a backup is to be taken. level: of the compression, None for a good one; jobs: for the directory format.

    timeout: seconds that all of it may take; lock_timeout: seconds that it waits for a table that somebody has for
    himself. taken_by: one of manifest.TAKEN_BY.
    """

    format: str = "plain"
    compression: str = "gzip"
    level: int | None = None
    jobs: int = 1
    row_counts: bool = True
    timeout: int = 21600
    lock_timeout: int = 60
    taken_by: str = "module"


def refuse(options: Options, major: int | None) -> None:
    """Raise DatabaseError for options that do not go together, or not with a major version (None: any)."""
    if options.jobs > 1 and options.format != "directory":
        raise DatabaseError("jobs: only format: directory is dumped by several processes; leave jobs out")
    if options.compression in ("zstd", "lz4") and major is not None and major < COMPRESSIONS_SINCE:
        raise DatabaseError(
            f"compression is {options.compression}, which pg_dump has from PostgreSQL {COMPRESSIONS_SINCE} on, and this"
            f" server is {major}: use compression: gzip"
        )
    for name in ("jobs", "timeout", "lock_timeout"):
        texts.number(getattr(options, name), name, 1, MOST_JOBS if name == "jobs" else texts.MOST_SECONDS)
    levels = {"gzip": range(1, 10), "zstd": range(1, 23), "lz4": range(1, 13), "none": range(0)}[options.compression]
    if options.level is not None and options.level not in levels:
        allowed = f"from {levels[0]} to {levels[-1]}" if levels else "left out"
        raise DatabaseError(f"compression_level is {options.level}: with compression {options.compression}, {allowed}")

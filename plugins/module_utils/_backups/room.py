# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much room a backup may need, and whether it is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .._host import disk

if TYPE_CHECKING:
    from .catalog import Backup

# Of the tables' size, where there is no earlier backup to go by.
_EXPECTED = {"gzip": 0.5, "zstd": 0.5, "lz4": 0.7, "none": 1.2}


def expected_size(earlier: Sequence[Backup], format_: str, compression: str, database_size: int) -> int:
    """Return the bytes that a backup may come to: by the last one of its kind, or by the size of the database."""
    for backup in reversed(earlier):
        known = backup.manifest
        if known is None or not backup.good or not known.database_size_bytes:
            continue
        if (known.format, known.compression) == (format_, compression):
            growth = max(1.0, database_size / known.database_size_bytes)
            return int(known.size_bytes * growth * 1.1)
    return int(database_size * _EXPECTED[compression])


def refuse_without_space(directory: str, expected: float, what: str) -> None:
    """Raise Refused where a directory has not so many bytes free for a backup, beside what the server is left."""
    fix = "Nothing was written: remove old backups (state: pruned), make room, or use another backup_root"
    disk.refuse_without_space(directory, expected, what, fix)

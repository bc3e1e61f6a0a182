# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Until when major versions of PostgreSQL have updates. Pure data: https://www.postgresql.org/support/versioning/"""

from __future__ import annotations

import re

END_OF_LIFE = {
    11: "2023-11-09",
    12: "2024-11-21",
    13: "2025-11-13",
    14: "2026-11-12",
    15: "2027-11-11",
    16: "2028-11-09",
    17: "2029-11-08",
    18: "2030-11-14",
}


def parts(version: str) -> tuple[int, int]:
    """Return the numbers of a version, (15, 20) for C(15.20); those of a beta are (19, 0)."""
    found = re.match(r"(\d+)(?:\.(\d+))?", version)
    if found is None:
        raise ValueError(f"{version!r} is not a version")
    return int(found.group(1)), int(found.group(2) or 0)

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a database holds, and how that differs from what it should hold."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from .._server import contents, session

_END = "that is all"


if TYPE_CHECKING:
    from .._host.engine import Engine

    class Counted(Protocol):
        """What has these as a manifest has them."""

        @property
        def objects(self) -> Mapping[str, int]: ...

        @property
        def row_counts(self) -> Mapping[str, int] | None: ...

        @property
        def extensions(self) -> Mapping[str, str]: ...


def take_census(
    engine: Engine, container: str, database: str, deadline: float
) -> tuple[dict[str, Any], dict[str, int]]:
    """Return what a database holds (census), and the rows of each of its tables."""
    script = contents.prepare() + "BEGIN;\n" + contents.facts() + contents.row_counts(_END) + "COMMIT;\n"
    lines = session.psql(engine, container, script, max(1.0, deadline - time.monotonic()), database).splitlines()
    return contents.parse(lines[0]), contents.read_row_counts(lines[1:], _END)


def differences(manifest: Counted, facts: Mapping[str, Any], counts: Mapping[str, int]) -> tuple[list[str], list[str]]:
    """Return how a restored database differs from its manifest: (what is wrong, what is only worth knowing).

    manifest: whatever has objects, row_counts and extensions as a manifest has them.
    """
    wrong, notes = [], []
    for kind, number in manifest.objects.items():
        found = facts["objects"].get(kind)
        if found is not None and found != number:
            wrong.append(f"{found} {kind.replace('_', ' ')} instead of {number}")
    for table, rows in (manifest.row_counts or {}).items():
        if counts.get(table) != rows:
            wrong.append(f"{counts.get(table, 'no')} rows in {table} instead of {rows}")
    for name, version in manifest.extensions.items():
        found = facts["extensions"].get(name)
        if found is None:
            wrong.append(f"no extension {name}")
        elif found != version:
            notes.append(f"extension {name} is {found} here, and was {version}")
    return wrong, notes

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


# Of a dump that is not trusted, kinds of objects that are left out, so that their numbers do not agree; comments, with
# what they are on.
_LEFT_OUT_KINDS = ("default_privileges", "event_triggers", "publications", "comments")
# Of these kinds, as many less are expected as the load says were left out.
_LEFT_OUT_OF = {
    "functions": (
        "functions in C or an untrusted language",
        "functions that are LEAKPROOF",
        "aggregates with an internal state",
    ),
    "foreign_tables": ("foreign tables that read files",),
}


def without_left_out(objects: Mapping[str, int], left_out: Mapping[str, int]) -> dict[str, int]:
    """Return how many objects of each kind are to be there, of those that a dump has. left_out: how often by words."""
    expected = {kind: number for kind, number in objects.items() if kind not in _LEFT_OUT_KINDS}
    for kind, words in _LEFT_OUT_OF.items():
        if kind in expected:
            expected[kind] -= sum(left_out.get(one, 0) for one in words)
    return expected


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

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a dump is left for when everything is loaded. Pure."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass
class Collected:
    """What is left for when everything is loaded.

    left_out: how often something was, by its words; names: what was, with these words; objects: whether the dump makes
    what its rows are for; owners: pairs of what ALTER ... OWNER TO is said of, and the role; later, grants, refreshes,
    mappings: statements, in the dump's order; given: pairs of a function, as in ALTER, and what a superuser gives it.
    """

    left_out: dict[str, int] = dataclasses.field(default_factory=dict)
    names: dict[str, str] = dataclasses.field(default_factory=dict)
    objects: bool = False
    owners: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    later: list[str] = dataclasses.field(default_factory=list)
    grants: list[str] = dataclasses.field(default_factory=list)
    refreshes: list[str] = dataclasses.field(default_factory=list)
    mappings: list[str] = dataclasses.field(default_factory=list)
    given: list[tuple[str, str]] = dataclasses.field(default_factory=list)

    def count(self, words: str | None) -> None:
        if words is not None:
            self.left_out[words] = self.left_out.get(words, 0) + 1

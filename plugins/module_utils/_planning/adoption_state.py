# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a run has to do with a container that is, or was, taken over. Pure, and all of adoption that most runs need.

The record says so (Record.adopted), from the start of an adoption on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._domain.errors import Refused

if TYPE_CHECKING:
    from .._domain.facts import ContainerFacts, Observed
    from .._domain.spec import DatabaseSpec

_TAKES_OVER = ("started", "present")


def takes_over(spec: DatabaseSpec) -> bool:
    return spec.state in _TAKES_OVER


def unfinished(seen: Observed) -> bool:
    """Say whether an adoption was begun and has not come to its end."""
    return seen.record is not None and bool(seen.record.adopted) and not seen.record.initialised


def is_original(seen: Observed, container: ContainerFacts | None) -> bool:
    """Say whether a container is the one that was, or is being, taken over."""
    adopted = seen.record.adopted if seen.record is not None else None
    return bool(adopted and container is not None and container.id == adopted["container"])


def concerns(spec: DatabaseSpec, seen: Observed) -> bool:
    """Say whether a run is about an adoption. Raises Refused where one was interrupted and is not to be finished."""
    if unfinished(seen):
        if spec.adopt and spec.state in _TAKES_OVER:
            return True
        raise Refused(
            f"The adoption of {spec.container} was interrupted. Nothing was changed: run it again with adopt: true and"
            " state: started, which finishes it, or puts everything back where that is not possible"
        )
    foreign = seen.container is not None and seen.container.config is None
    return foreign and spec.adopt and spec.state in _TAKES_OVER

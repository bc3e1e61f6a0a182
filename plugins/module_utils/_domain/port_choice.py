# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which port a database gets: the declared one, the one that it has, or the first free one. Pure.

Who has taken which port of a host is read elsewhere (_host/ports.py).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Mapping, Sequence
from typing import TYPE_CHECKING

from .errors import Refused

if TYPE_CHECKING:
    from .facts import Observed
    from .record import Record
    from .spec import DatabaseSpec


@dataclasses.dataclass(frozen=True)
class Holder:
    """Who has a port, in words. container: the name of its container; None where it is none of this data root."""

    words: str
    container: str | None = None


def by_others(taken: Mapping[int, Holder], container: str) -> dict[int, Holder]:
    """Return the ports that others have than the database of a container."""
    return {port: holder for port, holder in taken.items() if holder.container != container}


def first_free(port_range: Sequence[int], taken: Container[int]) -> int | None:
    """Return the first port of a range (both ends included) that is not taken, or None."""
    first, last = port_range
    return next((port for port in range(first, last + 1) if port not in taken), None)


def choose(spec: DatabaseSpec, seen: Observed, old: Record | None) -> int:
    """Return the declared port, else the one of its Record, else the first free one. Raises Refused for one in use."""
    if spec.port is not None:
        wanted = spec.port
    elif old is not None:
        wanted = old.port
    else:
        free = first_free(spec.port_range, seen.ports_taken)
        if free is None:
            raise Refused(
                f"No port is free between {spec.port_range[0]} and {spec.port_range[1]}: widen port_range, or delete"
                " databases that are no longer used"
            )
        return free
    # Between two attempts of its restart policy, too, it is the engine that listens on its behalf.
    config = seen.container.config if seen.container is not None and seen.container.active else None
    own = config is not None and config.port == wanted
    if wanted in seen.ports_taken and not own:
        raise Refused(
            f"Port {wanted} of {spec.container} is taken by {seen.ports_taken[wanted].words}. Free it, or declare"
            " another port; without one, a new database gets a free one"
        )
    return wanted

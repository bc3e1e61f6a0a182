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

from . import pooler_facts
from .errors import Refused
from .pooler import POOLER, PORT_RANGE

if TYPE_CHECKING:
    from .facts import ContainerFacts, Observed
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
    if wanted in seen.ports_taken and not _is_own(seen.container, wanted):
        raise Refused(
            f"Port {wanted} of {spec.container} is taken by {seen.ports_taken[wanted].words}. Free it, or declare"
            " another port; without one, a new database gets a free one"
        )
    return wanted


def _is_own(container: ContainerFacts | None, port: int) -> bool:
    """Say whether a container has the port: between two attempts of its restart policy, too, it is the engine that
    listens on its behalf."""
    config = container.config if container is not None and container.active else None
    return config is not None and config.port == port


def choose_for_pooler(spec: DatabaseSpec, seen: Observed, old: Record | None, primary: int) -> int:
    """Return the port of a declared pooler, in the same way. primary: that of its database."""
    name, there = spec.pooler_container, pooler_facts.of(seen)
    taken = {**by_others(seen.ports_taken, name), primary: Holder(f"database {spec.container}")}
    container = there.container if there is not None else None
    config = container.config if container is not None else None
    known = [one.port for one in (old.others if old is not None else ()) if one.role == POOLER]
    # Where somebody has removed the record, the container says it.
    known += [config.port] if config is not None else []
    wanted = spec.declared_pooler.port or next(iter(known), None)
    if wanted is None:
        free = first_free(PORT_RANGE, taken)
        if free is None:
            raise Refused(
                f"No port is free for {name} between {PORT_RANGE[0]} and {PORT_RANGE[1]}: declare pooler.port"
            )
        return free
    if wanted in taken and (wanted == primary or not _is_own(container, wanted)):
        raise Refused(
            f"Port {wanted} of {name} is taken by {taken[wanted].words}. Nothing was changed: free it, or declare"
            " another pooler.port"
        )
    return wanted

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What steps work on. Here, so that a run with nothing to do need not load what does them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .._domain.facts import ContainerFacts, Observed
    from .._domain.journal import Journal
    from .._domain.record import Record
    from .._domain.spec import DatabaseSpec
    from .._host.engine import Engine
    from .._host.initdb import Clusters
    from .._planning.steps import Plan
    from .._server.pooling import Wait


@dataclasses.dataclass
class Work:
    """What the steps of one round work on: one database, what was seen of it and what it is to be.

    record, journal: as they have been written, or will be.
    facts: of the container, once its server has been waited for.
    interruption: seconds for which a server that served did not, from the word to stop until it answered again.
    final_backup: what is shown of that of a deletion (catalog.describe). clusters: of several new databases.
    stopped: when a container that was stopped had been started. undo: what puts the files back that were written, the
    last one at the end. certified: whether the certificate is another one now. waits: of the pooler's clients.
    """

    engine: Engine
    spec: DatabaseSpec
    seen: Observed
    plan: Plan
    clusters: Clusters
    record: Record = dataclasses.field(init=False)
    journal: Journal | None = dataclasses.field(init=False)
    facts: ContainerFacts | None = None
    interruption: float = 0.0
    final_backup: dict[str, Any] | None = None
    warnings: list[str] = dataclasses.field(default_factory=list)
    stopped: dict[str, str] = dataclasses.field(default_factory=dict)
    undo: list[Callable[[], None]] = dataclasses.field(default_factory=list)
    certified: bool = False
    waits: list[Wait] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        # None for what is only stopped or removed, without a record that could be read.
        self.record = self.plan.record  # type: ignore[assignment]
        self.journal = self.plan.journal

    @property
    def name(self) -> str:
        return self.spec.container

    @property
    def username(self) -> str:
        return self.record.username

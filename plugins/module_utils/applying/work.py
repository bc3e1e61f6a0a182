# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the verbs of a plan work on. Here, so that a run with nothing to do need not load the verbs."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass
class Work:
    """What the verbs work on: one database, what was seen of it and what it is to be.

    facts: of the container, once its server has been waited for. interruption: seconds for which a server that served
    did not, from the word to stop until it answered again. final_backup: what is shown of that of a deletion
    (catalog.describe).
    clusters: initdb.Clusters, of several new databases. stopped: when a container that was stopped had been started.
    """

    engine: object
    spec: object
    seen: object
    plan: object
    clusters: object
    facts: object = None
    interruption: float = 0.0
    final_backup: dict | None = None
    warnings: list = dataclasses.field(default_factory=list)
    stopped: dict = dataclasses.field(default_factory=dict)

    @property
    def name(self):
        return self.spec.container

    @property
    def username(self):
        return self.plan.record.username

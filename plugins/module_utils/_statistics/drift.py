# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a database stands to what was declared of it: does it answer, is its image still the newest, has it drifted."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from .._domain import layout
from .._domain.errors import DatabaseError
from .._host import images
from .._observing import observe
from .._planning.plan import plan_database

if TYPE_CHECKING:
    from .._host.engine import Engine
    from .._observing.listing import Database

# What a run does without the database having changed: it looks for a newer image, and keeps what it is told.


def why_silent(database: Database) -> str | None:
    """Say why a server is not asked at all, or return None where it is to be asked."""
    container = database.container
    if container is None or not container.running:
        return database.shown["status_reason"] or "it is stopped"
    if container.config is None:
        return f"container {container.name} is not one of this collection"
    return None


def newer_image(engine: Engine, data_root: str, database: Database) -> dict[str, str] | None:
    """Return the version of PostgreSQL that the declared image has by now, where the container runs an older image."""
    container = database.container
    if container is None or container.config is None:
        return None
    try:
        reference = container.declared_image or database.spec.image
        answer = engine.inspect_image(reference)
        if answer is None or answer["Id"] == container.config.image_id:
            return None
        facts = images.describe(engine, answer, reference, layout.image_cache(data_root), remember=True)
        return {"reference": reference, "version": facts.server_version}
    except DatabaseError:
        return None


def drift(engine: Engine, database: Database, seconds: float) -> list[str]:
    """Return what a run of the recorded declaration would do, in its own words.

    Raises DatabaseError where that cannot be said.
    """
    seen, record, container = database.seen, database.record, database.container
    if seen is None or record is None or container is None:
        raise DatabaseError("it has no record that could be read")
    if seen.server is None:
        server = observe.ask_server(engine, container, database.spec, record, seconds)
        seen = dataclasses.replace(seen, server=server, server_error=None)
    try:
        plan = plan_database(dataclasses.replace(database.spec, state="present"), seen, new_id=None)
    except DatabaseError as error:
        return [error.message]
    return [step.summary for step in (*plan.steps, *plan.pending) if step.is_drift]

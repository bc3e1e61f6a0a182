# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The database that a backup is of: what its record and its container say."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, cast

from .._domain import layout, names, spec, texts
from .._domain.container import BACKUP_MOUNT
from .._domain.errors import DatabaseError, Refused
from .._host import images, mounts
from .._observing import observe
from .local_directory import LocalDirectory

if TYPE_CHECKING:
    from .._domain.facts import ContainerFacts, ImageFacts
    from .._domain.record import Record
    from .._host.engine import Engine
    from .place import Place


@dataclasses.dataclass(frozen=True)
class Target:
    """A database of ours. backup_directory: what the container mounts, where backups are made; facts: of its
    container; image: ImageFacts of what it runs."""

    name: str
    environment: str
    record: Record | None
    facts: ContainerFacts | None
    image: ImageFacts | None
    backup_directory: str
    data_root: str

    @property
    def container(self) -> str:
        return names.container_name(self.name, self.environment)

    @property
    def running(self) -> bool:
        return self.facts is not None and self.facts.running

    @property
    def place(self) -> Place:
        return place_of(self.backup_directory)


def place_of(backup_directory: str) -> Place:
    """Return where the backups of a database lie. Here, and nowhere else, is decided what kind of place that is."""
    return LocalDirectory(backup_directory)


def observe_target(
    engine: Engine | None, data_root: str, name: str, environment: str, backup_root: str | None = None
) -> Target:
    """Return the Target of that name. Its backups are looked for where its container has them, or its record, or
    where backup_root says: those of a database that was deleted stay."""
    container = names.container_name(name, environment)
    data_root = texts.directory(data_root, "data_root")
    backup_root = None if backup_root is None else texts.directory(backup_root, "backup_root")
    record = observe.read_record(os.path.join(data_root, container))
    facts = observe.inspect(engine, container) if engine is not None else None
    config = facts.config if facts is not None else None
    if facts is not None and config is None:
        raise DatabaseError(f"There is a container {container} that this collection did not create")
    if backup_root is None:
        backup_root = (record.declared.get("backup_root") if record else None) or str(spec.DEFAULTS["backup_root"])
    directory = os.path.join(backup_root, container)
    image = None
    if engine is not None and facts is not None and config is not None:
        mounted = [source for source, inside, mode in config.mounts if inside == BACKUP_MOUNT]
        directory = mounted[0] if mounted else directory
        inspected = engine.inspect_image(config.image_id)
        if inspected is not None:
            cache = layout.image_cache(data_root)
            image = images.describe(engine, inspected, facts.declared_image or config.image_id, cache, remember=False)
    return Target(name, environment, record, facts, image, directory, data_root)


if TYPE_CHECKING:

    class Running(Target):
        """One whose server runs, and has been ready before."""

        record: Record
        facts: ContainerFacts
        image: ImageFacts


def refuse_unless_running(target: Target, refused: str) -> Running:
    """Return a target whose server runs. Raises Refused for any other. refused: what cannot be done then."""
    if target.facts is None or target.record is None:
        what = "its container is missing" if target.record else "there is no such database"
        raise Refused(f"{refused}: {what}. Create it first: playbook create, or module postgres_db")
    if not target.running:
        raise Refused(
            f"{refused}: its container is {target.facts.status}. Start it: playbook start, or postgres_db with state:"
            " started"
        )
    if not target.record.initialised or target.image is None:
        raise Refused(f"{refused}: its first start has not been completed. Run the task that creates it again")
    return cast("Running", target)


def refuse_unless_backed_up(target: Target) -> Running:
    """Return a target whose server can be asked for a backup. Raises Refused for any other."""
    refused = f"No backup of {target.container} can be taken"
    running = refuse_unless_running(target, refused)
    config = running.facts.config
    modes = [mode for source, inside, mode in config.mounts if inside == BACKUP_MOUNT] if config else []
    if modes != ["rw"]:
        raise Refused(
            f"{refused}: its container does not mount {target.backup_directory}. Playbook create"
            " or site, or module postgres_db, replaces the container"
        )
    if mounts.replaced(running.facts.pid, [(target.backup_directory, BACKUP_MOUNT)]):
        raise Refused(
            f"{refused}: {target.backup_directory} was removed or replaced while the container ran, which still has the"
            " one of before. Restart it: playbook restart, or postgres_db with state: restarted"
        )
    return running

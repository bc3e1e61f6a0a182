# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is to what was declared, as a list of steps. Pure.

The plan is the answer of check mode, the diff, the `actions` of the result and what apply executes.
"""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

from .._domain import container as containers
from .._domain import layout, networks, port_choice
from .._domain.errors import DatabaseError, Refused
from .._domain.pooler import POOLER
from . import adoption_state, view
from .converge import planned, pooling, refuse_broken_files, refuse_loss
from .steps import (
    Action,
    Create,
    Expire,
    FinalBackup,
    Plan,
    Purge,
    Remove,
    RemovePrevious,
    Restart,
    Start,
    Stop,
    Trash,
    Undelete,
)

if TYPE_CHECKING:
    from .._domain.facts import ContainerFacts, Observed
    from .._domain.spec import DatabaseSpec
    from .steps import Step


def interrupting(spec: DatabaseSpec, seen: Observed) -> tuple[Step, ...]:
    """Return the Steps that stand between what is and a declaration, and that a run may not do unless max_impact lets
    it; what can not be done at all is one, too."""
    try:
        return plan_database(dataclasses.replace(spec, max_impact="none", state="present"), seen, None).pending
    except Refused as error:
        return (refused(error),)


def refused(error: DatabaseError) -> Action:
    return Action("refuse", error.message, "refused", "the declaration cannot be applied")


def plan_database(spec: DatabaseSpec, seen: Observed, new_id: str | None) -> Plan:
    """Return the Plan from Observed to DatabaseSpec. new_id: the id that a new database gets.

    Raises Refused where the declaration cannot be met without risk to data.
    """
    if spec.state in ("started", "present", "undeleted"):
        _refuse_engine(seen)
    if adoption_state.concerns(spec, seen):
        # Few runs take anything over, and each compiles anew what it loads of Ansible's archive.
        from . import adoption

        return adoption.plan(spec, seen, new_id)
    _refuse_foreign(spec, seen)
    _refuse_nothing_to_adopt(spec, seen)
    if spec.state == "absent":
        return _delete(spec, seen)
    if spec.state == "undeleted" and seen.container is None and not seen.directory_exists:
        return _undelete(spec, seen)
    if spec.state in ("stopped", "restarted"):
        return _lifecycle(spec, seen)
    if spec.state in ("paused", "resumed"):
        # Few runs are about a pooler alone, and each compiles anew what it loads of Ansible's archive.
        from . import pausing

        return pausing.plan(spec, seen)
    return planned(spec, seen, new_id)


def _refuse_engine(seen: Observed) -> None:
    """Raise Refused where the engine cannot run what has no container yet."""
    if seen.unusable:
        raise Refused(seen.unusable)
    new = seen.container is None or seen.container.config is None
    if new and seen.networks is not None and networks.DEFAULT not in seen.networks:
        raise Refused(
            "This engine has no default network (bridge: none in /etc/docker/daemon.json), by way of which the port of"
            " a database is published. Nothing was changed: remove that setting and restart the engine"
        )


def _refuse_foreign(spec: DatabaseSpec, seen: Observed) -> None:
    for container in (seen.container, seen.previous):
        if container is not None and container.config is None and not _was_taken_over(seen, container):
            raise Refused(
                f"There is a container {container.name} that this collection did not create. Nothing was changed:"
                " rename or remove that container, choose another name or environment, or take it over with its data"
                " (adopt: true; check mode says what that would do)"
            )
    for one in seen.others:
        for container in (one.container, one.previous):
            if container is not None and container.config is None:
                raise Refused(
                    f"There is a container {container.name} that this collection did not create, where the {one.name}"
                    f" of {spec.container} belongs. Nothing was changed: rename or remove that container"
                )
    config = seen.container.config if seen.container is not None else None
    directory = containers.data_directory(config) if config is not None else None
    if directory is not None and directory != spec.directory:
        raise Refused(
            f"Container {spec.container} has its data in {directory}, not in {spec.directory}. Nothing was changed:"
            f" give data_root: {os.path.dirname(directory)}, or choose another name or environment"
        )
    if seen.mounted_by:
        raise Refused(
            f"{seen.mounted_by[0]} mounts the data of {spec.container} ({spec.directory}). Two servers on one data"
            " directory destroy it: remove that container first"
        )
    if seen.container is None and seen.record is None and seen.half_made:
        raise Refused(
            f"{spec.directory} holds data, but no {spec.container} is known: neither a record nor a container. Move"
            " the directory away, or put its database.json back from a copy"
        )


def _refuse_nothing_to_adopt(spec: DatabaseSpec, seen: Observed) -> None:
    """A database that is made in the place of one that was to be taken over is empty, and nobody would notice."""
    if spec.adopt and adoption_state.takes_over(spec) and seen.container is None and seen.record is None:
        raise Refused(
            f"There is no container {spec.container} to take over. Nothing was changed: the container has to be called"
            " so (docker rename), on this host; for a new database, leave adopt out"
        )


def _was_taken_over(seen: Observed, container: ContainerFacts) -> bool:
    """What an adoption has left to remove is no stranger; under the database's own name it is."""
    return container is seen.previous and adoption_state.is_original(seen, container)


def _lifecycle(spec: DatabaseSpec, seen: Observed) -> Plan:
    """Stop or restart what is there; the other options have no part in it."""
    if seen.container is None:
        what = "its container is missing" if seen.record else "there is no such database"
        raise Refused(f"{spec.container} cannot be {spec.state}: {what}. Create it with state: started")
    if seen.record is not None and not seen.record.initialised and spec.state == "restarted":
        raise Refused(
            f"{spec.container} cannot be restarted: its first start has not been completed. Run the task that creates"
            " it again"
        )
    if spec.state == "restarted":
        refuse_broken_files(spec, seen)
    before = {"status": view.status_word(seen.container)}
    first, last = pooling().lifecycle(spec, seen) if seen.others else ([], [])
    if spec.state == "stopped":
        steps: tuple[Step, ...] = (
            (Stop(spec.container, containers.grace(seen.container)),) if seen.container.active else ()
        )
        after = {"status": "stopped"}
    else:
        if seen.container.active:
            steps = (Restart(spec.container, containers.grace(seen.container)),)
        else:
            steps = (Start(spec.container, seen.container.status, "restart"),)
        after = {"status": "running, restarted"}
    steps = (*first, *steps, *last)
    return Plan(steps=steps, record=seen.record, sides=lambda: (before, after if steps else before))


def _undelete(spec: DatabaseSpec, seen: Observed) -> Plan:
    """Take back what was deleted last. Its record then says what else there is to do."""
    if not seen.trash:
        raise Refused(f"There is no {spec.container}, neither here nor in the trash of {spec.data_root}")
    pooled: tuple[list[Step], list[Step]] = ([], [])
    if seen.trashed is not None:
        port_choice.choose(spec, seen, seen.trashed)
        pooled = pooling().return_of(spec, seen, seen.trashed) if seen.trashed.others else pooled
    when, database_id = layout.deleted_at(spec.container, seen.trash[-1])
    steps: tuple[Step, ...] = (
        Undelete(seen.trash[-1], database_id, when),
        *pooled[0],
        Create(spec.container, None, first=False),
        *pooled[1],
    )
    return Plan(steps=steps, sides=lambda: ({}, {"status": "running", "id": database_id}), final=False)


def _expiry(spec: DatabaseSpec, seen: Observed) -> tuple[Expire, ...]:
    if spec.trash_days is None:
        return ()
    expired = layout.expired(spec.container, seen.trash, seen.now, spec.trash_days)
    return (Expire(tuple(expired)),) if expired else ()


def _final_backup(spec: DatabaseSpec, seen: Observed) -> list[Step]:
    """Return the step that backs up what is to be deleted, where there is anything of value."""
    if not spec.backed_up_at_last or seen.record is None or not seen.record.initialised:
        return []
    if seen.container is None or not seen.container.running:
        raise Refused(
            f"{spec.container} does not run, so that no final backup can be taken (the default in production). Nothing"
            " was changed: start it first, or set final_backup: false"
        )
    return [FinalBackup(spec.container)]


def _delete(spec: DatabaseSpec, seen: Observed) -> Plan:
    expiry = _expiry(spec, seen)
    here = [each for one in seen.instances for each in (one.container, one.previous) if each is not None]
    if not here and not seen.directory_exists:
        return Plan(steps=((Purge(None),) if seen.doomed and spec.purge else ()) + expiry)
    protected = spec.protected
    if spec.deletion_protection is None and seen.record is not None:
        declared = seen.record.declared.get("deletion_protection")
        protected = spec.protected if declared is None else declared
    if protected:
        raise Refused(
            f"{spec.container} is protected from deletion (the default in production). Nothing was changed: to delete"
            " it, set deletion_protection: false (playbook delete: -e database_deletion_protection=false)"
        )
    if not spec.purge:
        # What is in the trash can be brought back.
        refuse_loss(spec, seen)
    steps = _final_backup(spec, seen)
    # The primary last: the others are of no use without it, and it is not without them.
    for one in (*(one for one in seen.others if one.role != POOLER), seen.primary):
        if one.container is not None:
            steps.append(Remove(one.container.name, containers.grace(one.container)))
        if one.previous is not None:
            steps.append(RemovePrevious(one.previous.name, ours=one.previous.config is not None))
    if any(one.role == POOLER for one in seen.others):
        steps += pooling().deletion(spec, seen)
    if seen.directory_exists:
        if spec.purge:
            steps.append(Purge(spec.directory))
        else:
            steps.append(Trash(spec.directory, (seen.record.id if seen.record else None) or "unrecorded"))
    return Plan(steps=(*steps, *expiry), record=seen.record, sides=lambda: (view.before(spec, seen), {}))

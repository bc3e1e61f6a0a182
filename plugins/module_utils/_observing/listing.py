# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All databases of a host, described: one list of the engine's, then each container's own answer, several at a time."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import fnmatch
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .._domain import configuration, layout, spec
from .._domain.errors import DatabaseError
from .._domain.record import PRIMARY
from .._host import files
from .._planning import plan, view
from . import observe

if TYPE_CHECKING:
    from .._domain.facts import ContainerFacts, Observed
    from .._domain.record import Record
    from .._domain.spec import DatabaseSpec
    from .._host.engine import Engine
    from .._planning.steps import Step

_ANSWER_SECONDS = 5
# A thread mostly waits for its server. With as many that hang, the others wait for that time once.
_MOST_THREADS = 32


@dataclasses.dataclass(frozen=True)
class Database:
    """A database of the host. shown: its description (view.database); record: None where it has none.

    containers: of its instances, by their names; None for one that has none. spec: what the record keeps. seen: the
    Observed that it was compared with; None where it was not.
    """

    spec: DatabaseSpec
    record: Record | None
    containers: dict[str, ContainerFacts | None]
    shown: dict[str, Any]
    seen: Observed | None = None

    @property
    def container(self) -> ContainerFacts | None:
        """The primary's, which is asked for statistics."""
        return self.containers[PRIMARY]


def databases(
    engine: Engine, data_root: str, name: str | None = None, environment: str | None = None
) -> list[Database]:
    """Return the Database of each database of the host, sorted by container name.

    name, environment: only those; the name may be a pattern. A database counts when it has a record, or a container of
    ours: one whose container is missing is shown as such, and so is one whose record is missing or damaged.
    """
    host = observe.observe_host(engine, data_root)
    found = observe.known(host)
    wanted = [
        container
        for container, key in sorted(found.items())
        if (name is None or fnmatch.fnmatchcase(key[0], name)) and environment in (None, key[1])
    ]
    listed = {own for entry in host.listed for own in entry["Names"]}

    def look(name: str) -> Database:
        others = observe.other_instances(host, *found[name], host.records.get(name))
        containers = {
            instance: observe.inspect(engine, container) if f"/{container}" in listed else None
            for instance, container in {**{one.name: one.container for one in others}, PRIMARY: name}.items()
        }
        return _describe(engine, host, found[name], name, containers)

    with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, min(len(wanted), _MOST_THREADS))) as pool:
        return list(pool.map(look, wanted))


def deleted(data_root: str, name: str | None = None, environment: str | None = None) -> list[dict[str, str]]:
    """Return what is in the trash, the one deleted last at the end: what `state: undeleted` can take back."""
    found = []
    for entry in observe.trash_entries(data_root):
        container = entry.rsplit("-", 3 if "-db-" in entry else 2)[0]
        parts = container.rsplit("-", 2)
        if not layout.trashed(container, [entry]) or len(parts) != 3:
            continue
        if (name is None or fnmatch.fnmatchcase(parts[0], name)) and environment in (None, parts[1]):
            when, identity = layout.deleted_at(container, entry)
            directory = os.path.join(data_root, layout.TRASH, entry)
            found.append(
                {
                    "name": parts[0],
                    "environment": parts[1],
                    "container_name": container,
                    "id": identity,
                    "deleted_at": when,
                    "directory": directory,
                }
            )
    return sorted(found, key=lambda shown: shown["deleted_at"])


def _pending(
    engine: Engine, host: observe.Host, record: Record | None, declared: DatabaseSpec | None
) -> tuple[Sequence[Step], Observed | None]:
    """Return the Steps that stand between a database and what was declared of it last, as a run would find them now,
    and what it was compared with.

    They are not written down anywhere: what somebody else has brought about meanwhile is not pending any more.
    """
    if record is None or declared is None or not record.initialised:
        return (), None
    # A server that hangs is not waited for: what it waits to read itself is then not known.
    declared = dataclasses.replace(declared, wait_timeout=_ANSWER_SECONDS)
    try:
        seen = observe.observe_database(engine, host, declared, check_mode=True, recorded=True)
    except DatabaseError as error:
        return (plan.refused(error),), None
    return plan.interrupting(declared, seen), seen


def _describe(
    engine: Engine,
    host: observe.Host,
    key: tuple[str, str],
    name: str,
    containers: dict[str, ContainerFacts | None],
) -> Database:
    record, damage = host.records.get(name), host.damaged.get(name)
    recorded = view.from_record(record, host.data_root) if record is not None else None
    declared = recorded
    if declared is None:
        declared = spec.from_parameters({"name": key[0], "environment": key[1], "data_root": host.data_root})
    personal = files.read(os.path.join(declared.directory, configuration.PERSONAL_CONF))
    text = personal.content.decode("utf-8", "replace") if personal else ""
    tls = observe.read_tls(declared.directory)
    ini = observe.read_pgbouncer_ini(declared.directory, record)
    shown = view.database(declared, record, containers[PRIMARY], text, tls, containers, ini)
    pending, seen = _pending(engine, host, record, recorded)
    shown["pending"] = view.pending(pending)
    if damage is not None:
        shown = {**shown, "status": "error", "status_reason": damage}
    return Database(declared, record, containers, shown, seen)

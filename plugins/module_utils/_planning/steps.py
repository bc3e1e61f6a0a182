# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nouns of change: a step, and the plan that steps make up. Pure.

Each kind of step is a class: what it says to a person, what it carries to be done, and what it means to a run. Those
that change the container and its files are here, those that are SQL in sql_steps. Package `applying` does them. No kind
has more of a dataclass than it needs: each run makes all of these classes, which takes time.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .._domain.facts import ContainerConfig
    from .._domain.journal import Journal
    from .._domain.record import Record
    from .._domain.spec import DatabaseSpec


class Step:
    """One thing to do. verb: the name of its kind in results; summary: what it says to a person.

    impact: one of IMPACTS. reason: why it cannot be had with less impact.
    """

    # What comes after it can only be known once it is done.
    ends_round = False
    # Besides what interrupts the server: it takes data or the container away, or is itself a backup.
    excludes_backups = False
    # Whether a database that needs it is not as declared.
    is_drift = True
    # The database is observed once more after it: it may have waited for what a killed run had left to do.
    observed_after = False
    # Who may log in is another afterwards, or with another password.
    changes_logins = False

    if TYPE_CHECKING:
        # Some kinds have them as fields, some derive them from what they carry.
        @property
        def verb(self) -> str: ...

        @property
        def summary(self) -> str: ...

        @property
        def impact(self) -> str: ...

        @property
        def reason(self) -> str: ...
    else:
        impact, reason = "none", ""

    def result(self) -> dict[str, str]:
        """What a person sees of it in `actions`."""
        return {"verb": self.verb, "summary": self.summary, "impact": self.impact}

    @property
    def interrupts_backups(self) -> bool:
        """Whether no backup can be taken meanwhile."""
        return self.impact != "none" or self.excludes_backups


class Worded(Step):
    """A step whose summary is one text with its fields in it. says: that text, a format with the step as argument 0."""

    says = ""
    if not TYPE_CHECKING:

        @property
        def summary(self) -> str:
            return self.says.format(self)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Action(Step):
    """A step of an operation that does it itself, such as a backup or a restore."""

    verb: str
    summary: str
    impact: str = "none"
    reason: str = ""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Reserve(Worded):
    """Choose the port and write the record, and the journal of what begins, while no other run can choose."""

    record: Record
    journal: Journal | None = None
    verb = "reserve"
    says = "reserve port {0.record.port} and write the record of {0.record.container}"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class WriteRecord(Step):
    """changed: the names of the options that are declared otherwise."""

    record: Record
    changed: tuple[str, ...] = ()
    verb = "write_record"
    is_drift = False

    @property
    def summary(self) -> str:
        return "record the declaration" + (f" ({', '.join(self.changed)})" if self.changed else "")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Pull(Worded):
    image: str
    verb = "pull"
    ends_round = True
    is_drift = False
    says = "pull image {0.image}"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Reset(Step):
    container: str
    verb = "reset"
    excludes_backups = True
    summary: str = "remove the remains of an interrupted first start"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Certificate(Step):
    """contents: by path below the database's directory, None for what is not to be there; nothing is in it where the
    host's authority issues the certificate."""

    summary: str
    contents: dict[str, bytes | None] = dataclasses.field(default_factory=dict, repr=False)
    verb = "certificate"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Publish(Worded):
    path: str
    verb = "publish"
    says = "write {0.path}, the CA certificate for clients on this host"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class WriteFiles(Step):
    """texts: by path below the database's directory."""

    texts: dict[str, str]
    verb = "write_files"

    @property
    def summary(self) -> str:
        return f"write {', '.join(sorted(self.texts))}"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Networks(Step):
    """The networks to leave and those to join, by name; a network in both is joined anew."""

    container: str
    leave: tuple[str, ...]
    join: tuple[str, ...]
    moves_port: bool
    verb = "networks"

    @property
    def impact(self) -> str:
        return "restart" if self.moves_port else "none"

    @property
    def reason(self) -> str:
        return "the engine publishes the port on one of its networks" if self.moves_port else ""

    @property
    def summary(self) -> str:
        moves = "; the published port moves, so that clients have to reconnect" if self.moves_port else ""
        return f"networks: {networks_changed(self.leave, self.join)}{moves}"


def networks_changed(leave: Sequence[str], join: Sequence[str]) -> str:
    """Say which networks a container leaves and joins; one in both is joined again."""
    again = [name for name in join if name in leave]
    parts = (
        ("join", [name for name in join if name not in again]),
        ("join again", again),
        ("leave", [name for name in leave if name not in again]),
    )
    return ", ".join(f"{verb} {', '.join(names)}" for verb, names in parts if names)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Create(Step):
    """config: None as long as its image is not known. first: the data directory is made with it."""

    container: str
    config: ContainerConfig | None
    first: bool
    verb = "create"

    @property
    def summary(self) -> str:
        data = "initialise the data directory" if self.first else "use the existing data"
        return f"create container {self.container} and {data}"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Initialise(Worded):
    container: str
    config: ContainerConfig
    verb = "initialise"
    says = "wait for container {0.container} to initialise the data directory"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Replace(Worded):
    """changes: what differs, in words. grace: the seconds that the old server has to shut down."""

    container: str
    config: ContainerConfig
    changes: str
    grace: int
    verb = "replace"
    impact = "recreate"
    reason = "the engine can change this only in a new container, which uses the same data"
    says = "replace container {0.container} ({0.changes})"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Update(Worded):
    """Change the limits of a container that runs."""

    container: str
    config: ContainerConfig
    changes: str
    impact: str = "none"
    reason: str = ""
    verb = "update"
    says = "change {0.changes}"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Start(Worded):
    """status: the engine's word for what it is now, which says how it is started."""

    container: str
    status: str
    impact: str = "none"
    verb = "start"
    says = "start container {0.container}"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Restart(Step):
    """parameters: those that the server reads only when it starts; none where the restart itself was asked for.

    grace: the seconds that it has to shut down.
    """

    container: str
    grace: int
    parameters: tuple[str, ...] = ()
    verb = "restart"
    impact = "restart"

    @property
    def reason(self) -> str:
        return f"it reads {', '.join(self.parameters)} only when it starts" if self.parameters else ""

    @property
    def summary(self) -> str:
        if not self.parameters:
            return f"restart container {self.container}"
        return f"restart the server ({', '.join(self.parameters)})"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Reload(Step):
    verb = "reload"
    summary: str = "reload the configuration"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Stop(Worded):
    container: str
    grace: int
    verb = "stop"
    impact = "restart"
    says = "stop container {0.container}"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Remove(Worded):
    container: str
    grace: int
    verb = "remove"
    impact = "recreate"
    excludes_backups = True
    says = "stop and remove container {0.container}"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class RemovePrevious(Step):
    """ours: a predecessor of our own; one that was taken over may have its data in a volume that is not ours."""

    container: str
    ours: bool
    verb = "remove_previous"

    @property
    def summary(self) -> str:
        return f"remove container {self.container}" + ("" if self.ours else ", but not its volumes")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PutBack(Worded):
    """Undo a replacement that was interrupted."""

    container: str
    verb = "put_back"
    excludes_backups = True
    says = "put back container {0.container}, whose replacement was interrupted"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Adopt(Step):
    """Stop somebody else's container, take its data, and start one of ours that lets nobody in yet."""

    summary: str
    config: ContainerConfig | None
    texts: dict[str, str]
    verb = "adopt"
    impact = "recreate"
    reason = "only one server, in a container of ours, may use its data"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Arrange(Step):
    """Put the roles in order, upon which the database is ours, and let clients in."""

    summary: str
    config: ContainerConfig | None
    texts: dict[str, str]
    verb = "arrange"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class FinalBackup(Worded):
    container: str
    verb = "final_backup"
    excludes_backups = True
    says = "take a final backup of {0.container}"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Trash(Worded):
    """database_id: of its record, by which it is called in the trash."""

    directory: str
    database_id: str
    verb = "trash"
    excludes_backups = True
    says = "move {0.directory} to the trash"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Purge(Step):
    """directory: None where an earlier run has moved it away already."""

    directory: str | None
    verb = "purge"
    excludes_backups = True

    @property
    def summary(self) -> str:
        return f"remove {self.directory} with all data" if self.directory else "finish an interrupted removal"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Expire(Step):
    """entries: of the trash."""

    entries: tuple[str, ...]
    verb = "expire"

    @property
    def summary(self) -> str:
        return f"remove {', '.join(self.entries)} from the trash for good"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Undelete(Worded):
    """entry: of the trash; when: it was deleted."""

    entry: str
    database_id: str
    when: str
    verb = "undelete"
    ends_round = True
    says = "take {0.database_id}, deleted at {0.when}, back from the trash"


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to do. record: as it will be; steps: in order, each with what it needs.

    spec: the declaration with the logins that take turns among its users. warnings: what a person is to know besides.
    sides: gives what is there and what will be there, for the diff, to those who want to see it (before and after).
    pending: steps that max_impact holds back. final: False where an image has to be fetched, or a server to be
    started, before everything can be known; apply then observes and plans once more.
    journal: of what is begun, or was interrupted and is resumed.
    """

    steps: tuple[Step, ...] = ()
    pending: tuple[Step, ...] = ()
    record: Record | None = None
    sides: Callable[[], tuple[dict[str, Any], dict[str, Any]]] = lambda: ({}, {})
    final: bool = True
    warnings: tuple[str, ...] = ()
    spec: DatabaseSpec | None = None
    journal: Journal | None = None

    @functools.cached_property
    def _shown(self) -> tuple[dict[str, Any], dict[str, Any]]:
        return self.sides()

    @property
    def before(self) -> dict[str, Any]:
        return self._shown[0]

    @property
    def after(self) -> dict[str, Any]:
        return self._shown[1]

    @property
    def reserves_port(self) -> bool:
        return bool(self.steps) and isinstance(self.steps[0], Reserve)

    @property
    def this_round(self) -> tuple[Step, ...]:
        """The steps up to the first that says what comes after it."""
        for index, step in enumerate(self.steps):
            if step.ends_round:
                return self.steps[: index + 1]
        return self.steps

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of steps that are a pooler's. Pure."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from .steps import Step, Worded, networks_changed

if TYPE_CHECKING:
    from .._domain.facts import ContainerConfig


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PoolerNetwork(Worded):
    """What is in it can only be known once it is there: the addresses that the server lets in."""

    network: str
    verb = "pooler_network"
    ends_round = True
    says = "create network {0.network}, which the server and its pooler share"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PoolerFiles(Step):
    """Write what PgBouncer reads, and let it read that again where it runs.

    texts: by path below the database's directory. issues: a certificate. changes: what differs, in words. reloads:
    whether it runs and goes on running. The verifiers of the server's roles are asked for when this is done.
    """

    texts: dict[str, str]
    issues: bool
    changes: tuple[str, ...]
    reloads: bool
    verb = "pooler_files"

    @property
    def summary(self) -> str:
        return f"write the pooler's files ({'; '.join(self.changes)})"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PoolerCreate(Worded):
    """config: None as long as its image is not known."""

    container: str
    config: ContainerConfig | None
    verb = "pooler_create"
    says = "create container {0.container}"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PoolerReplace(Worded):
    """changes: what differs, in words."""

    container: str
    config: ContainerConfig
    changes: str
    verb = "pooler_replace"
    impact = "recreate"
    reason = "the engine changes this in a new container only; the pooler's clients have to reconnect"
    says = "replace container {0.container} ({0.changes})"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PoolerUpdate(Worded):
    container: str
    config: ContainerConfig
    changes: str
    verb = "pooler_update"
    says = "change the pooler's {0.changes}"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PoolerNetworks(Step):
    """The networks to leave and those to join, by name; a network in both is joined anew."""

    container: str
    leave: tuple[str, ...]
    join: tuple[str, ...]
    verb = "pooler_networks"

    @property
    def summary(self) -> str:
        return f"the pooler's networks: {networks_changed(self.leave, self.join)}"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PoolerStart(Worded):
    container: str
    status: str
    verb = "pooler_start"
    says = "start container {0.container}"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PoolerRestart(Step):
    """parameters: those that it reads only when it starts."""

    container: str
    parameters: tuple[str, ...]
    verb = "pooler_restart"
    impact = "restart"

    @property
    def reason(self) -> str:
        return f"PgBouncer reads {', '.join(self.parameters)} only when it starts"

    @property
    def summary(self) -> str:
        return f"restart the pooler ({', '.join(self.parameters)})"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PoolerPause(Worded):
    container: str
    database: str
    verb = "pooler_pause"
    says = "let the pooler's clients wait until it is resumed (pause {0.database})"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PoolerResume(Step):
    """databases: the names by which clients wait."""

    container: str
    databases: tuple[str, ...]
    verb = "pooler_resume"

    @property
    def summary(self) -> str:
        return f"let the pooler's clients go on, which wait (paused: {', '.join(self.databases)})"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PoolerStop(Worded):
    container: str
    verb = "pooler_stop"
    impact = "restart"
    says = "stop container {0.container}"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PoolerRemove(Step):
    """containers: those of it that are there. files: whether its files go as well; of a database that is deleted they
    stay where the rest does."""

    containers: tuple[str, ...]
    network: str | None
    files: bool
    verb = "pooler_remove"
    impact = "recreate"
    reason = "its clients have to connect to the server instead"

    @property
    def summary(self) -> str:
        named = [f"container {name}" for name in self.containers]
        named += [f"network {self.network}"] if self.network else []
        return f"remove the pooler ({', '.join(named) or 'its files'})"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PoolerTidy(Worded):
    """Remove what an interrupted replacement has left."""

    container: str
    verb = "pooler_tidy"
    says = "remove container {0.container}, which an interrupted replacement has left"

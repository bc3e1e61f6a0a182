# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a diagnosis is made of: the nouns that looking fills in, and the checks read. Pure data."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping
from typing import Any

from .._domain.facts import ContainerFacts
from .attempt import Attempt


@dataclasses.dataclass(frozen=True)
class Subject:
    """The database that is meant. name, environment: None for a container that is called as none of ours.

    user: who logs in. password: None where it is not known; why_no_password: then the reason, and lost: whether none is
    stored at all.
    """

    container: str
    name: str | None
    environment: str | None
    database: str | None = None
    user: str | None = None
    password: str | None = None
    why_no_password: str = ""
    lost: bool = False

    def play(self, playbook: str, **variables: str) -> str:
        """Return the command of a playbook for it; without a name of ours there is none to give."""
        given = {"database_name": self.name, "database_environment": self.environment, **variables}
        words = " ".join(f"-e {key}={shlex.quote(value)}" for key, value in given.items() if value)
        return f"ansible-playbook vellaric.postgres.{playbook} {words}".rstrip()

    def change(self, **variables: str) -> str:
        """Return the command that brings one that is known to what its record has, but for what is given."""
        return self.play("create", **variables, database_partial="true")


@dataclasses.dataclass(frozen=True)
class EngineFacts:
    """kind: "answers", or what is wrong: "none", "stopped", "library", "permission", "silent". words: of the error.

    service: what systemd says of docker.service, None where that is not known. log: its last lines. unusable: why it
    runs no databases. root: its own directory.
    """

    kind: str
    words: str = ""
    service: str | None = None
    log: tuple[str, ...] = ()
    unusable: str | None = None
    root: str | None = None


@dataclasses.dataclass(frozen=True)
class DiskFacts:
    """what: the data, the backups, the engine. inodes: None where the file system does not count them."""

    what: str
    path: str
    total: int
    free: int
    inodes: int | None
    inodes_free: int | None
    read_only: bool


@dataclasses.dataclass(frozen=True)
class DataFacts:
    """path: the data directory on the host, None where it is in the container itself or not known. there: whether it
    holds a database; half_made: anything else. major: of its files; wanted_major: of the server. uid: whom it belongs
    to, files_uid: whom its PG_VERSION does. source: what is mounted, missing: whether that is not there. rivals: other
    containers that run on it."""

    path: str | None
    there: bool = False
    half_made: bool = False
    major: int | None = None
    wanted_major: int | None = None
    uid: int | None = None
    files_uid: int | None = None
    mode: int | None = None
    missing: str | None = None
    rivals: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class PortFacts:
    """address, port: where it is to be published; None: nowhere. published: whether the engine does. holder: who else
    listens there. rule: whether the firewall has a rule of the engine's for it, None where that cannot be seen. blocks:
    its rules that may keep clients off."""

    address: str | None
    port: int | None
    published: bool | None = None
    holder: str | None = None
    rule: bool | None = None
    blocks: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class ServerFacts:
    """kind: "answers", or what is wrong: "starting", "initialising", "silent", "full", "refused", "none". words: what
    was said. answer, inside: what `question` gives, of the server and of the database; outside: why there is none of
    the latter."""

    kind: str
    words: str = ""
    answer: dict[str, Any] = dataclasses.field(default_factory=dict)
    inside: dict[str, Any] | None = None
    outside: str = ""


@dataclasses.dataclass(frozen=True)
class Facts:
    """All that was looked at. None is "not known", for each of them.

    ours: whether it is a database of this collection: it has a record, or a container of ours. deleted: when the last
    one of that name was deleted. says: what the engine said when it last tried to start it. manager: who else keeps the
    container. altered: the parameters that ALTER SYSTEM has set, of a server that does not run. watchers: containers
    that replace others by themselves. shown: its description (view.database), with what was gathered of it.
    shared_buffers: in bytes, as the server or its files have it. replaced: directories of the host that its container
    has as those of before.
    """

    subject: Subject
    now: str
    engine: EngineFacts
    ours: bool = False
    recorded: bool = False
    initialised: bool | None = None
    record_error: str | None = None
    deleted: str | None = None
    data_root: str = ""
    replaced: tuple[str, ...] = ()
    disks: tuple[DiskFacts, ...] = ()
    data: DataFacts | None = None
    image: str | None = None
    image_there: bool | None = None
    container: ContainerFacts | None = None
    says: str = ""
    manager: str | None = None
    watchers: tuple[str, ...] = ()
    memory_limit: int | None = None
    oom_kills: int | None = None
    shared_buffers: int | None = None
    log: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()
    port: PortFacts | None = None
    server: ServerFacts | None = None
    attempt: Attempt | None = None
    sslmode: str = "prefer"
    host: str = ""
    authority: str | None = None
    own_certificate: bool = False
    certificate: Mapping[str, Any] | None = None
    authority_file: str | None = None
    shown: dict[str, Any] | None = None

    def create(self, **variables: str) -> str:
        """Return the command that brings it to what is declared: once it was made, as its record has it."""
        made = self.recorded and self.initialised
        return self.subject.change(**variables) if made else self.subject.play("create", **variables)


@dataclasses.dataclass(frozen=True)
class ClientFacts:
    """What a client from elsewhere met. certificate: as host.tls.facts reads what the server shows."""

    subject: Subject
    now: str
    attempt: Attempt
    host: str
    port: int
    sslmode: str
    authority: str | None
    certificate: Mapping[str, Any] | None = None
    bind_address: str | None = None

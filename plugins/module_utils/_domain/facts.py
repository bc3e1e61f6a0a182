# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is on a host: the nouns that observation fills in and the plan reads. Pure data."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, TypedDict

from . import labels as known_labels
from . import privileges as undeclared
from . import users as further
from .errors import sure
from .record import PRIMARY

if TYPE_CHECKING:
    from .._planning.adoptable import Adoptable
    from .extensions import Installed
    from .journal import Journal
    from .networks import EndpointFacts, NetworkFacts
    from .pem import DeclaredTls
    from .port_choice import Holder
    from .record import Record

    class ApplicationRole(TypedDict):
        """The application's role. ends: its login has an end; closed: its connection limit is 0."""

        verifier: str | None
        login: bool
        ends: bool
        closed: bool
        privileged: bool

    class ApplicationDatabase(TypedDict):
        """Its database. closed: as of a role; public: whether everybody may do anything with it."""

        owner: str
        closed: bool
        public: bool

    class CertificateFacts(TypedDict):
        """What a certificate says of itself. not_before, not_after: ISO 8601, UTC."""

        subject: str
        issuer: str
        names: list[str]
        not_before: str
        not_after: str
        fingerprint: str

    class ServerCertificate(CertificateFacts, total=False):
        """ours: signed by the host's authority. Where it is: authority_not_after, when the certificate of the authority
        ends that signed it; current: whether that is the present one, once somebody has compared them."""

        ours: bool
        authority_not_after: str
        current: bool


@dataclasses.dataclass(frozen=True)
class ImageFacts:
    """What an image is, from inspecting it and from asking its server; never from its tag.

    parameters: the server's parameters that a configuration file may set, by name, with the context that says what a
    change needs ("postmaster": a restart; "sighup" and others: a reload). extensions: those that can be created.
    own_first_start: whether it may do more than initdb does when a database is made. environment: those of its
    variables that have to do with databases (image_environment).
    """

    id: str
    major: int
    server_version: str
    uid: int
    gid: int
    libc: str
    volumes: tuple[str, ...]
    parameters: dict[str, str]
    extensions: tuple[str, ...]
    own_first_start: bool
    environment: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class ContainerConfig:
    """What we ask the engine for, and what it is compared with. Sizes in bytes, None is "no limit".

    inside_port: where clients on the container's networks reach it; port: where those of the host do.
    first_start: variables that count only when the data directory is made, or keep the image's own from it (None).
    """

    image_id: str
    command: tuple[str, ...]
    environment: dict[str, str | None]
    bind_address: str
    port: int
    mounts: tuple[tuple[str, str, str], ...]
    tmpfs: tuple[str, ...]
    shm_size: int
    memory: int | None
    nano_cpus: int | None
    pids_limit: int | None
    restart_policy: str
    stop_timeout: int
    read_only: bool
    cap_add: tuple[str, ...]
    security_opt: tuple[str, ...]
    log_config: tuple[tuple[str, str], ...]
    healthcheck: tuple[str, ...]
    labels: dict[str, str]
    inside_port: int = 5432
    first_start: dict[str, str | None] = dataclasses.field(default_factory=dict, compare=False)


@dataclasses.dataclass(frozen=True)
class ContainerFacts:
    """A container as the engine shows it.

    config: None for one that is not ours; pid: of its process 1 on the host; networks: EndpointFacts by name;
    image, image_id: what it was created from, as it was named then. major: of its server, where its environment says.
    """

    id: str
    name: str
    status: str
    exit_code: int
    restart_count: int
    started_at: str
    created_at: str
    health: str | None
    oom_killed: bool
    ip_address: str | None
    labels: dict[str, str]
    config: ContainerConfig | None
    pid: int = 0
    networks: dict[str, EndpointFacts] = dataclasses.field(default_factory=dict)
    image: str = ""
    image_id: str = ""
    major: int | None = None

    @property
    def running(self) -> bool:
        return self.status == "running"

    @property
    def active(self) -> bool:
        """Whether it would run again by itself: running, paused, or between two attempts of its restart policy."""
        return self.status in ("running", "paused", "restarting")

    @property
    def database_id(self) -> str | None:
        return self.labels.get(known_labels.ID)

    @property
    def declared_image(self) -> str | None:
        return self.labels.get(known_labels.IMAGE)


@dataclasses.dataclass(frozen=True)
class ServerFacts:
    """What the running server says of itself and of the application's role and database.

    pending_restart: parameters that it runs with otherwise than the files have them now; withdrawn: those of them that
    it has from files of ours; loaded_at: when it last read its configuration, in seconds since 1970; file_errors: what
    is wrong with the files as they are now, with which it would not start again; extensions: those of the database by
    name, each a mapping of version and declared; users: further roles, as server.roles.OBSERVE asks for them; others:
    where the database is missing, the owners of those that are there, by name; privileges: what the application's role
    and users have besides what is declared, as server.privileges asks for it; altered: the names of what ALTER SYSTEM
    has set; applied: those of them that the server runs with.
    """

    role: ApplicationRole | None
    database: ApplicationDatabase | None
    superuser_has_password: bool
    pending_restart: tuple[str, ...]
    version: str
    withdrawn: tuple[str, ...] = ()
    loaded_at: float = float("inf")
    file_errors: tuple[str, ...] = ()
    extensions: dict[str, Installed] = dataclasses.field(default_factory=dict)
    users: further.ObservedRoles = dataclasses.field(default_factory=lambda: further.NOTHING)
    others: dict[str, str] = dataclasses.field(default_factory=dict)
    privileges: undeclared.ObservedPrivileges = dataclasses.field(default_factory=lambda: undeclared.NOTHING)
    altered: tuple[str, ...] = ()
    applied: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class OwnTls:
    """A declared certificate of one's own, examined.

    declared: the DeclaredTls. facts: subject, names, not_before, not_after and fingerprint; none where it is not one.
    authority: what clients verify it with, None where they know it from elsewhere. error: why it cannot be used.
    """

    declared: DeclaredTls
    facts: dict[str, Any]
    authority: str | None
    error: str | None


@dataclasses.dataclass(frozen=True)
class FileFacts:
    """written_at: when it last changed or came to its place, whatever time somebody gave it."""

    content: bytes
    mode: int
    uid: int
    written_at: float = 0.0


@dataclasses.dataclass(frozen=True)
class InstanceFacts:
    """What is on the host of one instance of a database; record.Instance is what the record keeps of it.

    name, role: as in the record. container: that of its name; previous: one that it has replaced, or taken over, and
    that is still there.
    image: what the container is to run; None where it is not on the host.
    files: the known files, by path below the database's directory.
    """

    name: str
    role: str
    container: ContainerFacts | None
    previous: ContainerFacts | None
    image: ImageFacts | None
    files: dict[str, FileFacts]


@dataclasses.dataclass(frozen=True)
class Observed:
    """One database's part of the host: its instances, and what they have in common.

    instances: the primary, which serves, then the others of the record, and those whose containers say that they are;
    what is said of a container, an image or files without more is the primary's.
    doomed: an earlier run was interrupted while it removed the directory.
    trash: deleted databases of that name, as entries of the trash, the last one at the end. trashed: the Record of that
    one, where it is to come back and its record can be read.
    data_majors: major versions that have a data directory; half_made: there is anything at all in one.
    server: None where it does not run or is not initialised; server_error: what kept it from answering.
    ports_taken: by others than this database.
    mounted_by: other containers that mount the data directory.
    certificate: its subject, names, end and fingerprint, and whether it is ours, of the host's authority, with the end
    of the authority's certificate beside it, and whether that is the current one; None where there is none, or none of
    the key beside it.
    own_tls: the declared certificate, examined; None where none is declared.
    now: ISO 8601, UTC.
    unread: known files were written after the server last read them.
    settings_error: what the image's server has against the declared settings.
    networks: the host's NetworkFacts by name; None where no engine answers yet.
    strays: what of its data lies in the container itself (cluster.strays).
    unusable: what keeps the engine from running it, where it has no container yet.
    unpublished: the certificate of its authority is not where clients on the host read it.
    adoptable: somebody else's container that is to be taken over (adoptable.Adoptable).
    journal: of an adoption that was interrupted.
    altered: the names of what ALTER SYSTEM has set, where the server does not run and cannot be asked.
    """

    instances: tuple[InstanceFacts, ...]
    directory_exists: bool
    doomed: bool
    trash: tuple[str, ...]
    record: Record | None
    data_majors: tuple[int, ...]
    half_made: bool
    server: ServerFacts | None
    ports_taken: dict[int, Holder]
    mounted_by: tuple[str, ...]
    certificate: ServerCertificate | None
    now: str
    unread: bool = False
    settings_error: str | None = None
    server_error: str | None = None
    adoptable: Adoptable | None = None
    networks: dict[str, NetworkFacts] | None = None
    own_tls: OwnTls | None = None
    trashed: Record | None = None
    altered: tuple[str, ...] = ()
    unpublished: bool = False
    unusable: str | None = None
    strays: tuple[str, ...] = ()
    journal: Journal | None = None

    @property
    def primary(self) -> InstanceFacts:
        return next(instance for instance in self.instances if instance.role == PRIMARY)

    @property
    def others(self) -> tuple[InstanceFacts, ...]:
        return tuple(instance for instance in self.instances if instance.role != PRIMARY)

    @property
    def container(self) -> ContainerFacts | None:
        return self.primary.container

    @property
    def previous(self) -> ContainerFacts | None:
        return self.primary.previous

    @property
    def image(self) -> ImageFacts | None:
        return self.primary.image

    @property
    def files(self) -> dict[str, FileFacts]:
        return self.primary.files

    def with_primary(self, **changes: Any) -> Observed:
        """Return the same with some fields of the primary changed."""
        instances = tuple(
            dataclasses.replace(instance, **changes) if instance.role == PRIMARY else instance
            for instance in self.instances
        )
        return dataclasses.replace(self, instances=instances)

    @property
    def known_image(self) -> ImageFacts:
        """The image, where what came before has made sure that there is one."""
        return sure(self.image)

    @property
    def known_server(self) -> ServerFacts:
        """What the server says, where it has been asked."""
        return sure(self.server)

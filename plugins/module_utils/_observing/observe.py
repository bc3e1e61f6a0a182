# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is on the host: one list of the engine's for all databases, then each its own part.

It is read and never written. What images and certificates are is remembered on the host, but not in check mode.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .._domain import clock, configuration, labels, layout, port_choice
from .._domain import container as containers
from .._domain import record as records
from .._domain.errors import DatabaseError, sure
from .._domain.facts import InstanceFacts, Observed
from .._domain.names import ENVIRONMENTS
from .._domain.pooler import POOLER
from .._domain.record import PRIMARY, container_of
from .._host import cluster, files, images, known_certificate, ports, roots
from .._planning import certification
from .._server import session

if TYPE_CHECKING:
    from .._domain.facts import ContainerFacts, FileFacts, ImageFacts, OwnTls, ServerCertificate, ServerFacts
    from .._domain.journal import Journal
    from .._domain.networks import NetworkFacts
    from .._domain.port_choice import Holder
    from .._domain.record import Record
    from .._domain.spec import DatabaseSpec
    from .._host.engine import Engine
    from .._planning.adoptable import Adoptable

KNOWN_FILES = (
    configuration.PERSONAL_CONF,
    *configuration.MANAGED,
    "tls/ca.crt",
    "tls/server.crt",
    "tls/server.key",
)


@dataclasses.dataclass(frozen=True)
class Host:
    """What all databases of a host share.

    records: by container name; damaged: what is wrong with those unreadable; mounting: the entries of the list that
    mount a database's directory or something in it, by directory; networks: NetworkFacts by name; images: what the
    engine said of those that were asked for since, by reference; unusable: what it said of itself, once it was asked.
    """

    data_root: str
    listed: tuple[dict[str, Any], ...]
    records: dict[str, Record]
    damaged: dict[str, str]
    ports_taken: dict[int, Holder]
    mounting: dict[str, list[dict[str, Any]]] = dataclasses.field(default_factory=dict)
    networks: dict[str, NetworkFacts] | None = None
    images: dict[str, dict[str, Any] | None] = dataclasses.field(default_factory=dict)
    unusable: list[str | None] = dataclasses.field(default_factory=list)


class OtherInstance(NamedTuple):
    """An instance of a database that is not its primary, as the record or its container's labels have it."""

    name: str
    role: str
    container: str


def observe_host(engine: Engine | None, data_root: str) -> Host:
    """Read the host once for any number of databases."""
    listed = tuple(engine.containers()) if engine is not None else ()
    known, damaged = read_records(data_root)
    elsewhere = [record for root in roots.others(data_root, listed) for record in read_records(root)[0].values()]
    return Host(
        data_root=data_root,
        listed=listed,
        records=known,
        damaged=damaged,
        ports_taken=ports.taken(listed, known.values(), elsewhere),
        mounting=_mounting(listed, data_root),
        networks=engine.networks() if engine is not None else None,
    )


def known(host: Host) -> dict[str, tuple[str, str]]:
    """Return the name and the environment of each database of an observed host, by container name."""
    found = {container: (record.name, record.environment) for container, record in host.records.items()}
    for container in host.damaged:
        # The directory is called as the container, which says enough to show it.
        parts = container.rsplit("-", 2)
        if len(parts) == 3 and parts[1] in ENVIRONMENTS:
            found[container] = (parts[0], parts[1])
    for entry in host.listed:
        owner = labels.owner(entry.get("Labels"))
        if owner is None or owner.role != PRIMARY or not _mounts(entry, host.data_root):
            continue
        container = container_of(owner.name, owner.environment)
        if f"/{container}" in entry["Names"]:
            found.setdefault(container, (owner.name, owner.environment))
    return found


def other_instances(host: Host, name: str, environment: str, record: Record | None) -> tuple[OtherInstance, ...]:
    """Return a database's instances besides the primary: those of its record, and those of which there is a container.

    The record may not know of one: somebody has removed the record, or a run was killed.
    """
    recorded = record.others if record is not None else ()
    found = {one.container: OtherInstance(one.name, one.role, one.container) for one in recorded}
    for entry in host.listed:
        owner = labels.owner(entry.get("Labels"))
        if owner is None or owner.role == PRIMARY or (owner.name, owner.environment) != (name, environment):
            continue
        container = layout.successor(entry["Names"][0].lstrip("/"))
        found.setdefault(container, OtherInstance(owner.role, owner.role, container))
    return tuple(found.values())


def read_records(data_root: str) -> tuple[dict[str, Record], dict[str, str]]:
    """Return the records below a data root by container name, and what is wrong with those that cannot be read."""
    found, damaged = {}, {}
    for name in files.entries(data_root):
        if not name.startswith("."):
            try:
                record = read_record(os.path.join(data_root, name))
            except DatabaseError as error:
                damaged[name] = error.message
                continue
            if record is not None:
                found[name] = record
    return found, damaged


def read_record(directory: str) -> Record | None:
    path = os.path.join(directory, records.FILE_NAME)
    content = files.read(path)
    return None if content is None else records.from_json(content.content, path)


def observe_database(
    engine: Engine | None, host: Host, spec: DatabaseSpec, check_mode: bool = False, recorded: bool = False
) -> Observed:
    """Return what one database is on the host now.

    engine: None where none answers yet and a run is only predicted; there is then nothing of the database.
    recorded: the declaration is the record's, so that its settings have been checked when it was written. The server is
    then asked only where it may run with other files than it would start with.
    """
    record = read_record(spec.directory)
    # Asked now, not taken from the list of the host: another run may have been at work since.
    own = _inspect(engine, spec.container)
    previous = None if _unreplaced(host, own, spec) else _inspect(engine, layout.previous_container(spec.container))
    target = _target_image(engine, host, spec, own, record)
    image = None
    if target is not None:
        cache = layout.image_cache(spec.data_root)
        image = images.describe(sure(engine), target, spec.image, cache, remember=not check_mode)
    managed = {path: files.read(os.path.join(spec.directory, path)) for path in KNOWN_FILES}
    server, server_error = None, None
    if not recorded or _written_since_start(own, managed.values()):
        server, server_error = _server(engine, own, record, spec)
    asks_file = server is None and not (recorded and own is not None and own.running)
    now = clock.iso_milliseconds(clock.utc_now())
    others = port_choice.by_others(host.ports_taken, spec.container)
    trash = layout.trashed(spec.container, trash_entries(spec.data_root))
    managed_files = {path: facts for path, facts in managed.items() if facts is not None}
    return Observed(
        instances=(
            InstanceFacts(PRIMARY, PRIMARY, own, previous, image, managed_files),
            *_others(engine, host, spec, record, own if server is not None else None, check_mode, recorded),
        ),
        directory_exists=os.path.isdir(spec.directory),
        doomed=os.path.isdir(layout.doomed(spec.data_root, spec.container)),
        trash=trash,
        record=record,
        data_majors=data_majors(spec.directory),
        half_made=_half_made(spec.directory),
        server=server,
        server_error=server_error,
        ports_taken=others,
        mounted_by=_mounted_by(host, spec),
        certificate=_certificate(spec, managed, remember=not check_mode),
        unread=server is not None and any(f.written_at > server.loaded_at for f in managed.values() if f is not None),
        now=now,
        own_tls=_own_tls(spec, now),
        settings_error=None if recorded else _settings_error(engine, spec, image, managed),
        adoptable=_adoptable(engine, spec, own, record, remember=not check_mode),
        networks=host.networks,
        trashed=_trashed(spec, trash) if record is None else None,
        altered=_altered(spec, own, record) if asks_file else (),
        strays=strays(spec.directory),
        journal=_journal(spec, record),
        unusable=_unusable(engine, host) if own is None or own.config is None else None,
        unpublished=_content(managed[certification.AUTHORITY])
        != _content(files.read(layout.public_authority(spec.container))),
    )


def _altered(spec: DatabaseSpec, own: ContainerFacts | None, record: Record | None) -> tuple[str, ...]:
    """Return what ALTER SYSTEM has set, as the file says where the server is stopped, or ends again and again."""
    if own is None or own.config is None or record is None or not record.initialised:
        return ()
    # Few databases are stopped, and each run compiles anew what it loads of Ansible's archive.
    from .._host import altered

    majors = data_majors(spec.directory)
    return altered.names(spec.directory, majors[-1]) if majors else ()


def _journal(spec: DatabaseSpec, record: Record | None) -> Journal | None:
    """Return the journal of an adoption that was interrupted."""
    if record is None or not record.adopted or record.initialised:
        return None
    # Few runs take anything over, and each compiles anew what it loads of Ansible's archive.
    from .._domain import journal as journals
    from .._host import journals as kept

    # The version before had it in the record.
    return kept.read(spec.directory, journals.ADOPTION) or journals.of_record(record.adopted)


def _trashed(spec: DatabaseSpec, trash: Sequence[str]) -> Record | None:
    if spec.state != "undeleted" or not trash:
        return None
    with contextlib.suppress(DatabaseError):
        return read_record(os.path.join(spec.data_root, layout.TRASH, trash[-1]))
    return None


def _unreplaced(host: Host, own: ContainerFacts | None, spec: DatabaseSpec) -> bool:
    """Say whether a container is the one of the host's list, so that no run can have left its predecessor since."""
    names = {f"/{spec.container}", f"/{layout.previous_container(spec.container)}"}
    return own is not None and [entry["Id"] for entry in host.listed if names.intersection(entry["Names"])] == [own.id]


def _written_since_start(container: ContainerFacts | None, known_files: Iterable[FileFacts | None]) -> bool:
    started = _seconds(container.started_at) if container is not None and container.running else None
    return started is not None and any(f.written_at > started for f in known_files if f is not None)


def _seconds(text: str) -> float:
    """Return a time of the engine's, which has nanoseconds or fewer digits, in seconds since 1970."""
    whole, _dot, fraction = text.rstrip("Z").partition(".")
    moment = datetime.datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=datetime.timezone.utc)
    return moment.timestamp() + float(f"0.{fraction or 0}")


def _adoptable(
    engine: Engine | None, spec: DatabaseSpec, own: ContainerFacts | None, record: Record | None, remember: bool
) -> Adoptable | None:
    """Look at a foreign container that is to be taken over, unless that has been begun: the record then says all."""
    if engine is None or not spec.adopt or own is None or own.config is not None:
        return None
    begun = record.adopted if record is not None and not record.initialised else None
    if begun and begun["container"] == own.id:
        return None
    # Few runs take anything over, and each compiles anew what it loads of Ansible's archive.
    from . import adoption

    found: Adoptable = adoption.observe(engine, spec, remember)
    return found


def data_majors(directory: str) -> tuple[int, ...]:
    """Return the major versions that have a data directory, as they say themselves, sorted."""
    root = os.path.join(directory, "pgdata")
    versions = [
        files.read(os.path.join(root, name, "docker", "PG_VERSION"), files.MARK_BYTES, follow=False)
        for name in files.entries(root)
    ]
    return tuple(sorted(int(v.content) for v in versions if v is not None and v.content.strip().isdigit()))


def strays(directory: str) -> tuple[str, ...]:
    """Return what of a database's data lies in its container itself (cluster.strays)."""
    majors = data_majors(directory)
    return cluster.strays(os.path.join(directory, "pgdata", str(majors[-1]), "docker")) if majors else ()


def _half_made(directory: str) -> bool:
    """Say whether anything at all is in a data directory, such as what a killed initdb left."""
    root = os.path.join(directory, "pgdata")
    return any(files.entries(os.path.join(root, name, "docker")) for name in files.entries(root))


def _target_image(
    engine: Engine | None, host: Host, spec: DatabaseSpec, own: ContainerFacts | None, record: Record | None
) -> dict[str, Any] | None:
    """Return the engine's answer on the image that the container is to run, or None where it is not on the host.

    While the declared reference stays the same, a container keeps its image, whatever others pull under that tag:
    a production server is not replaced by surprise. With `pull: always` the reference decides. The container says
    what was declared when it was made: the record is ahead of it after a crash, or with the replacement pending.
    """
    if engine is None:
        return None
    # A container that is taken over keeps its image in the same way, also when that was interrupted.
    if spec.adopt and own is not None and own.config is None and own.image == spec.image:
        return _image(engine, host, own.image_id)
    begun = _journal(spec, record)
    if begun is not None and begun.before["image"] == spec.image:
        return _image(engine, host, begun.before["image_id"]) or _image(engine, host, spec.image)
    if own is not None and own.config is not None and own.declared_image == spec.image and spec.pull != "always":
        kept = _image(engine, host, own.config.image_id)
        if kept is not None:
            return kept
    return _image(engine, host, spec.image)


def _unusable(engine: Engine | None, host: Host) -> str | None:
    """Ask the engine whether it can run databases, once for all of a host that have no container yet."""
    if engine is None:
        return None
    if not host.unusable:
        host.unusable.append(engine.unusable())
    return host.unusable[0]


def _image(engine: Engine, host: Host, reference: str) -> dict[str, Any] | None:
    """Return the engine's answer on an image, which is asked for once for all databases of a host."""
    if reference not in host.images:
        host.images[reference] = engine.inspect_image(reference)
    return host.images[reference]


def inspect(engine: Engine, name: str) -> ContainerFacts | None:
    """Return the ContainerFacts of a container, or None where there is none."""
    answer = engine.inspect(name)
    return None if answer is None else containers.from_inspect(answer)


def _inspect(engine: Engine | None, name: str) -> ContainerFacts | None:
    return None if engine is None else inspect(engine, name)


def _others(
    engine: Engine | None,
    host: Host,
    spec: DatabaseSpec,
    record: Record | None,
    server: ContainerFacts | None,
    check_mode: bool,
    recorded: bool,
) -> list[InstanceFacts]:
    """Return what is there of the other instances. server: the primary's container, where its server answers."""
    found = other_instances(host, spec.name, spec.environment, record)
    seen = [_observe_other(engine, one) for one in found if one.role != POOLER]
    begun = os.path.isdir(os.path.join(spec.directory, POOLER))
    if spec.pooler is None and len(seen) == len(found) and not begun:
        return seen
    # Few databases have one, and each run compiles anew what it loads of Ansible's archive.
    from . import pooled

    name = spec.pooler_container
    pooler = pooled.observe(
        engine,
        spec,
        record,
        _inspect(engine, name),
        _inspect(engine, layout.previous_container(name)),
        _authority(spec.data_root),
        lambda reference: _image(sure(engine), host, reference),
        check_mode,
        recorded,
        server,
    )
    return [*seen, pooler]


def _observe_other(engine: Engine | None, instance: OtherInstance) -> InstanceFacts:
    """Return what is there of an instance that is not the primary: its containers."""
    previous = _inspect(engine, layout.previous_container(instance.container))
    container = _inspect(engine, instance.container)
    return InstanceFacts(instance.name, instance.role, container, previous, image=None, files={})


def _server(
    engine: Engine | None, own: ContainerFacts | None, record: Record | None, spec: DatabaseSpec
) -> tuple[ServerFacts | None, str | None]:
    """Ask the server, where it runs and has been ready before: (ServerFacts or None, what stood against it)."""
    if own is None or own.config is None or not own.running or record is None or not record.initialised:
        return None, None
    try:
        return ask_server(sure(engine), own, spec, record, spec.wait_timeout), None
    except DatabaseError as error:
        return None, error.message


def ask_server(engine: Engine, own: ContainerFacts, spec: DatabaseSpec, record: Record, seconds: float) -> ServerFacts:
    """Return the ServerFacts of a running container's server. Raises DatabaseError."""
    # A declared login that is not the recorded one may be one of two that take turns.
    declares_users = bool(spec.users) or record.login is not None or spec.username not in (None, record.username)
    return session.observe(engine, own, spec.name, record.username, seconds, declares_users)


def _settings_error(
    engine: Engine | None, spec: DatabaseSpec, image: ImageFacts | None, managed: dict[str, FileFacts | None]
) -> str | None:
    """Let the image's server check the parameters, unless they are the ones that it runs with."""
    if engine is None or image is None or not spec.parameters:
        return None
    current = managed[configuration.POSTGRESQL_CONF]
    if current is not None:
        known = configuration.parameters(current.content.decode("utf-8", "replace"))
        if all(known.get(name) == value for name, value in spec.parameters.items()):
            return None
    return images.settings_error(engine, image.id, spec.parameters)


def _authority(data_root: str) -> bytes | None:
    """Return the certificate of the host's authority, which another run may have made a moment ago."""
    return _content(files.read(os.path.join(layout.authority(data_root), "ca.crt")))


def _certificate(spec: DatabaseSpec, managed: dict[str, FileFacts | None], remember: bool) -> ServerCertificate | None:
    """Describe the server's certificate; None where something is missing, or does not belong to the rest."""
    authority = _authority(spec.data_root)
    certificate, key, known_authority = (managed[f"tls/{name}"] for name in ("server.crt", "server.key", "ca.crt"))
    if certificate is None or key is None:
        return None
    if authority is not None and known_authority is not None:
        contents = certificate.content, key.content, known_authority.content
        ours = known_certificate.describe(spec.directory, *contents, remember)
        current = known_authority.content == authority
        if ours is not None and (current or _tls().same_authority(known_authority.content, authority)):
            return {**ours, "current": current}
    own: ServerCertificate | None = _tls().describe_own(certificate.content, key.content)
    return own


def _own_tls(spec: DatabaseSpec, now: str) -> OwnTls | None:
    if spec.tls is None:
        return None
    from .._host import own_tls

    return own_tls.examine(spec.tls, now)


def _tls() -> Any:
    """Load what reads certificates only where nothing is known of one: its library is slow to load."""
    from .._host import tls

    return tls


def _mounting(listed: Sequence[dict[str, Any]], data_root: str) -> dict[str, list[dict[str, Any]]]:
    """Return the containers of the list that mount a directory just below the data root, or what is in it."""
    found: dict[str, list[dict[str, Any]]] = {}
    root = os.path.join(os.path.normpath(data_root), "")
    for entry in listed:
        sources = [mount.get("Source") or "" for mount in entry.get("Mounts") or ()]
        for name in {source[len(root) :].partition("/")[0] for source in sources if source.startswith(root)}:
            found.setdefault(root + name, []).append(entry)
    return found


def _mounted_by(host: Host, spec: DatabaseSpec) -> tuple[str, ...]:
    """Name the containers other than ours that mount the data: two servers on one directory destroy it."""
    names = {f"/{spec.container}", f"/{layout.previous_container(spec.container)}"}
    others = [one for one in host.mounting.get(spec.directory, ()) if not names.intersection(one["Names"])]
    return tuple(one["Names"][0].lstrip("/") for one in others if not _is_other_instance(one, spec))


def _is_other_instance(entry: dict[str, Any], spec: DatabaseSpec) -> bool:
    """Say whether a container is another instance of a database, with files in its directory, but not its data."""
    owner = labels.owner(entry.get("Labels"))
    if owner is None or owner.role == PRIMARY or (owner.name, owner.environment) != (spec.name, spec.environment):
        return False
    return not _mounts(entry, os.path.join(spec.directory, "pgdata"))


def _mounts(entry: dict[str, Any], directory: str) -> bool:
    """Say whether an entry of the engine's list mounts a directory or something below it."""
    for mount in entry.get("Mounts") or ():
        source = mount.get("Source") or ""
        if source.startswith(directory) and source[len(directory) :][:1] in ("", "/"):
            return True
    return False


def read_tls(directory: str) -> tuple[str | None, Mapping[str, Any] | None]:
    """Return the certificate of the authority (PEM) and what the server's says of itself; None where there is none."""
    paths = (certification.AUTHORITY, certification.CERTIFICATE)
    authority, certificate = (_content(files.read(os.path.join(directory, path))) for path in paths)
    shown = None if certificate is None else known_certificate.facts(directory, certificate)
    return None if authority is None else authority.decode("ascii", "replace"), shown


def read_pgbouncer_ini(directory: str, record: Record | None) -> str | None:
    """Return the configuration of a database's pooler; None where it has none, or not yet."""
    if record is None or not record.others:
        return None
    from .._domain import pooler_facts

    known = _content(files.read(os.path.join(directory, pooler_facts.INI)))
    return None if known is None else known.decode("utf-8", "replace")


def trash_entries(data_root: str) -> list[str]:
    return files.entries(os.path.join(data_root, layout.TRASH))


def _content(facts: FileFacts | None) -> bytes | None:
    return None if facts is None else facts.content

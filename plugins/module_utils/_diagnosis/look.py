# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look at one database, from the engine to a login over the published port. It changes nothing.

What cannot be had is missing from the Facts, and keeps nothing else from being looked at.
"""

from __future__ import annotations

import contextlib
import dataclasses
import ipaddress
import os
import time
from collections.abc import Mapping
from typing import Any

from .._domain import clock, layout, spec, texts
from .._domain import container as containers
from .._domain.errors import DatabaseError
from .._domain.facts import ContainerFacts
from .._host import cgroups, tls
from .._host.engine import Engine
from .._observing import listing, observe
from .._planning import adoptable, supervised, view
from .._statistics.gather import Options, gather
from . import host as hosts
from . import places, servers
from .attempt import Attempt, Target, attempt
from .nouns import ClientFacts, Facts, PortFacts, Subject

_LOG_LINES = 80
_MOMENT_SECONDS = 3
_GATHERED = ("container", "statistics", "activity", "settings", "backups", "tls", "findings")
# What labels say of who else keeps a container, besides supervisors that start another one by themselves.
_KEEPERS = (
    ("coolify.managed", "Coolify", None),
    ("com.docker.compose.project", "Docker Compose", "com.docker.compose.project"),
    ("com.dokku.app-name", "Dokku", "com.dokku.app-name"),
    ("org.label-schema.vendor", "Dokku", "org.label-schema.vendor"),
    ("io.portainer.", "Portainer", None),
)
_WATCHERS = ("watchtower", "ouroboros", "shepherd")
_NOT_WATCHED = "com.centurylinklabs.watchtower.enable"


@dataclasses.dataclass(frozen=True)
class Request:
    """What the module was asked: see its options. thresholds: of findings."""

    subject: Subject
    data_root: str
    backup_root: str
    docker_host: str
    timeout: int
    thresholds: dict[str, Any]


def look(request: Request, engine: Engine) -> Facts:
    """Return what is to be seen of a database. Raises DatabaseError where nobody could look at all."""
    facts = Facts(
        subject=request.subject,
        now=clock.iso_milliseconds(clock.utc_now()),
        engine=hosts.engine_facts(engine, request.docker_host),
        data_root=request.data_root,
    )
    asked = engine if facts.engine.kind == "answers" else None
    name = request.subject.container
    raw = None if asked is None else _settled(asked, name)
    container = None if raw is None else containers.from_inspect(raw)
    request = dataclasses.replace(request, data_root=_data_root(container) or request.data_root)
    facts = dataclasses.replace(facts, data_root=request.data_root)
    host = observe.observe_host(asked, request.data_root)
    record = host.records.get(name)
    facts = dataclasses.replace(
        facts,
        container=container,
        record_error=host.damaged.get(name),
        recorded=record is not None,
        ours=record is not None or name in host.damaged or (container is not None and container.config is not None),
        initialised=None if record is None else record.initialised,
        deleted=_deleted(request, name),
    )
    declared = _declared(request, record)
    # A container of somebody else's may stand where ours was.
    own = declared if facts.ours and (container is None or container.config is not None) else None
    facts = dataclasses.replace(facts, subject=_subject(request.subject, record, raw))
    if own is not None:
        facts = dataclasses.replace(facts, **_declarations(own))
    facts = dataclasses.replace(
        facts,
        image=container.image if container is not None and own is None else declared.image if declared else None,
        host=facts.host or "localhost",
        data=places.data(host, own, raw, container),
        disks=places.disks(facts, declared, own),
    )
    if asked is None:
        return facts
    facts = dataclasses.replace(facts, image_there=_image_there(asked, facts, container))
    if raw is None or container is None:
        return dataclasses.replace(facts, port=_port_to_be(own, record))
    return _running(request, asked, host, facts, raw, container, own)


def _data_root(container: ContainerFacts | None) -> str | None:
    """Return the data root that a container of ours has its database below, whatever was given."""
    config = container.config if container is not None else None
    directory = containers.data_directory(config) if config is not None else None
    if container is None or directory is None or os.path.basename(directory) != container.name:
        return None
    return os.path.dirname(directory)


def _settled(engine: Engine, name: str) -> dict[str, Any] | None:
    """Return what the engine says of a container. One that ends again and again runs for a moment, too: until it has
    ended, or serves, it is waited for."""
    deadline = time.monotonic() + _MOMENT_SECONDS
    while True:
        raw = engine.inspect(name)
        container = None if raw is None else containers.from_inspect(raw)
        if container is None or not container.running or not container.restart_count:
            return raw
        if servers.listens(container.ip_address) or time.monotonic() > deadline:
            return raw
        time.sleep(0.05)


def _running(
    request: Request, engine: Engine, host: Any, facts: Facts, raw: dict[str, Any], container: ContainerFacts, own: Any
) -> Facts:
    """Go on with a container that is there."""
    sample = cgroups.sample(container.pid) if container.running else None
    memory = (raw.get("HostConfig") or {}).get("Memory") or None
    facts = dataclasses.replace(
        facts,
        says=(raw.get("State") or {}).get("Error") or "",
        manager=_manager(container.labels),
        watchers=_watchers(host.listed, container),
        memory_limit=memory,
        oom_kills=sample.oom_kills if sample else None,
        log=tuple(engine.logs(container.name, _LOG_LINES).splitlines()),
        port=_port(raw, container),
        altered=places.altered(own, container),
        replaced=places.replaced(raw, container),
        shared_buffers=places.declared_buffers(own, facts.data),
    )
    if container.running:
        server = servers.ask(engine, raw, container, facts.subject, own is not None, request.timeout)
        buffers = (server.answer.get("settings") or {}).get("shared_buffers") or {}
        facts = dataclasses.replace(
            facts, server=server, shared_buffers=places.in_bytes(buffers.get("value")) or facts.shared_buffers
        )
        facts = _as_client(request, facts, container)
    return dataclasses.replace(facts, shown=_shown(request, engine, facts))


def client(subject: Subject, given: dict[str, Any], timeout: int) -> ClientFacts:
    """Return what a client meets from where this runs. given: host, port, sslmode, authority, bind_address."""
    target = Target(
        address=given["host"],
        port=given["port"],
        host=given["host"],
        database=subject.database or "",
        user=subject.user or "",
        password=subject.password,
        authority=given["authority"],
    )
    met = attempt(target, timeout, careful=True)
    return ClientFacts(
        subject=subject,
        now=clock.iso_milliseconds(clock.utc_now()),
        attempt=met,
        host=given["host"],
        port=given["port"],
        sslmode=given["sslmode"],
        authority=given["authority"],
        certificate=_certificate(met),
        bind_address=given["bind_address"],
    )


def _as_client(request: Request, facts: Facts, container: ContainerFacts) -> Facts:
    """Connect as the clients on this host do, by the published port, or where there is none by the container's."""
    port = facts.port
    if port is not None and port.port is not None and port.published:
        address, number = reachable(port.address), port.port
    elif container.ip_address is not None:
        address, number = container.ip_address, containers.SERVER_PORT
    else:
        return facts
    subject = facts.subject
    target = Target(
        address=address,
        port=number,
        host=facts.host,
        database=subject.database or "",
        user=subject.user or "",
        password=subject.password,
        authority=facts.authority,
    )
    met = attempt(target, request.timeout)
    if met.network != "reached" and port is not None and port.port is not None:
        rule, blocks = hosts.firewall(port.port)
        facts = dataclasses.replace(facts, port=dataclasses.replace(port, rule=rule, blocks=blocks))
    return dataclasses.replace(facts, attempt=met, certificate=_certificate(met))


def reachable(address: str | None) -> str:
    """Return where a client on the host connects to for what is published on an address."""
    try:
        known = texts.address(address or "0.0.0.0")
    except ValueError:
        return address or "127.0.0.1"
    if not known.is_unspecified:
        return str(known)
    return "::1" if isinstance(known, ipaddress.IPv6Address) else "127.0.0.1"


def _certificate(met: Attempt) -> Mapping[str, Any] | None:
    if met.certificate is None:
        return None
    import ssl

    # What shows no certificate that can be read is said to be so by its verification.
    with contextlib.suppress(DatabaseError, tls.Unreadable, ValueError):
        return tls.facts(ssl.DER_cert_to_PEM_cert(met.certificate).encode("ascii"))
    return None


def _deleted(request: Request, name: str) -> str | None:
    gone = layout.trashed(name, observe.trash_entries(request.data_root))
    return layout.deleted_at(name, gone[-1])[0] if gone else None


def _declared(request: Request, record: Any) -> Any:
    """Return the DatabaseSpec that the record keeps, or the default one; None for no name of ours."""
    declared = view.from_record(record, request.data_root) if record is not None else None
    subject = request.subject
    if declared is None and subject.name is not None and subject.environment is not None:
        given = {"name": subject.name, "environment": subject.environment}
        given.update(data_root=request.data_root, backup_root=request.backup_root)
        with contextlib.suppress(DatabaseError):
            declared = spec.from_parameters(given)
    return declared


def _subject(subject: Subject, record: Any, raw: dict[str, Any] | None) -> Subject:
    """Say which database is meant and who logs in, where that was not given: by the record, or by the container."""
    environment = places.environment(raw)
    if record is not None:
        database, user = record.name, record.login or record.username
    else:
        user = environment.get("POSTGRES_USER") or "postgres"
        database = environment.get("POSTGRES_DB") or user
    return dataclasses.replace(subject, database=subject.database or database, user=subject.user or user)


def _declarations(declared: Any) -> dict[str, Any]:
    # Nobody but root reads it there; clients have what is published.
    path = os.path.join(declared.directory, "tls", "ca.crt")
    public = layout.public_authority(declared.container)
    found = places.content(public) or places.content(path)
    return {
        "sslmode": declared.sslmode,
        "host": declared.host,
        "authority": None if found is None else found.decode("ascii", "replace"),
        "authority_file": public,
        "own_certificate": declared.tls_fingerprint is not None,
    }


def _image_there(engine: Engine, facts: Facts, container: ContainerFacts | None) -> bool | None:
    reference = container.image_id if container is not None else facts.image
    if not reference:
        return None
    try:
        return engine.inspect_image(reference) is not None
    except DatabaseError:
        return None


def _port_to_be(own: Any, record: Any) -> PortFacts | None:
    if own is None or record is None:
        return None
    return PortFacts(address=own.bind_address, port=record.port, published=False, holder=hosts.holder(record.port))


def _port(raw: dict[str, Any], container: ContainerFacts) -> PortFacts:
    foreign = adoptable.from_inspect(raw)
    if foreign.host_network:
        return PortFacts(address="0.0.0.0", port=containers.SERVER_PORT, published=container.running)
    if foreign.published is None:
        return PortFacts(address=None, port=None, published=False)
    address, port = foreign.published
    bound = ((raw.get("NetworkSettings") or {}).get("Ports") or {}).get(f"{containers.SERVER_PORT}/tcp")
    return PortFacts(
        address=address,
        port=port,
        published=bool(bound),
        holder=None if container.active else hosts.holder(port),
    )


def _manager(labels: dict[str, str]) -> str | None:
    known = supervised.supervisor(labels)
    if known is not None:
        return known[0]
    for prefix, who, naming in _KEEPERS:
        match = next((label for label in labels if label.startswith(prefix)), None)
        if match is not None and (prefix != "org.label-schema.vendor" or labels[match].lower() == "dokku"):
            return f"{who} ({labels[naming]})" if naming and who != "Dokku" and labels.get(naming) else who
    return None


def _watchers(listed: tuple[dict[str, Any], ...], container: ContainerFacts) -> tuple[str, ...]:
    if container.labels.get(_NOT_WATCHED) == "false":
        return ()
    return tuple(
        entry["Names"][0].lstrip("/")
        for entry in listed
        if entry.get("State") == "running" and any(word in (entry.get("Image") or "") for word in _WATCHERS)
    )


def _shown(request: Request, engine: Engine, facts: Facts) -> dict[str, Any] | None:
    """Return what postgres_db_info says of a database of ours, with as much as its server gives."""
    subject = facts.subject
    if not facts.ours or subject.name is None or (facts.container is not None and facts.container.config is None):
        return None
    try:
        found = listing.databases(engine, request.data_root, subject.name, subject.environment)
        answers = facts.server is not None and facts.server.kind == "answers"
        wanted = _GATHERED if answers else ("container", "backups")
        options = Options(wanted, request.timeout, 5, _LOG_LINES, {}, request.thresholds)
        return gather(engine, request.data_root, found, options)[0] if found else None
    except DatabaseError:
        return None

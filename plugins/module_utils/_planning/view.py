# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person sees of a database: the two sides of the diff, and the keys of the seed's API. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .._domain import configuration, extensions, layout, networks, privileges, users
from .._domain import spec as specs
from .._domain.errors import DatabaseError
from .._domain.pooler import POOLER
from .._domain.units import format_cpus, format_size
from . import certification

if TYPE_CHECKING:
    from .._domain.facts import ContainerConfig, ContainerFacts, Observed, ServerFacts
    from .._domain.record import Record
    from .._domain.spec import DatabaseSpec
    from .steps import Step

_FORMATS = {
    "nano_cpus": ("cpus", format_cpus),
    "memory": ("memory", format_size),
    "shm_size": ("shm_size", format_size),
}


def from_record(record: Record, data_root: str) -> DatabaseSpec | None:
    """Return the DatabaseSpec that a record keeps, or None where it keeps none that is valid."""
    parameters = {"name": record.name, "environment": record.environment, "data_root": data_root}
    try:
        return specs.from_parameters(specs.complete(parameters, record.declared)) if record.declared else None
    except DatabaseError:
        return None


def before(spec: DatabaseSpec, seen: Observed) -> dict[str, Any]:
    """Return what is there now, for the diff; empty where there is nothing."""
    if seen.record is None and seen.container is None:
        return {}
    config = seen.container.config if seen.container else None
    texts = {path: facts.content.decode("utf-8", "replace") for path, facts in seen.files.items()}
    names = seen.certificate["names"] if seen.certificate else None
    recorded = from_record(seen.record, spec.data_root) if seen.record else None
    shown = _shown(recorded, seen.record, config, texts, names, status_word(seen.container))
    if seen.container is not None:
        shown["networks"] = sorted(seen.container.networks)
        aliases = sorted({alias for joined in seen.container.networks.values() for alias in joined.aliases})
        if aliases:
            shown["network_aliases"] = aliases
    own = certification.installed(seen)
    if own is not None:
        shown["certificate"] = own
    if seen.server is not None and spec.state in ("started", "present"):
        there = {
            name: known["version"] if spec.extensions.get(name) else None
            for name, known in sorted(seen.server.extensions.items())
            if known["declared"] or name in spec.extensions
        }
        shown["extensions"] = extensions.to_option(there)
        shown["users"] = users.shown(spec.users, seen.server.users, seen.record.username if seen.record else None)
        undeclared = _undeclared(spec, seen.server)
        if undeclared:
            shown["not_declared"] = undeclared
    return shown


def _undeclared(spec: DatabaseSpec, server: ServerFacts) -> list[str]:
    """Return what is there besides what is declared, and is taken away."""
    altered = [f"ALTER SYSTEM SET {name}" for name in server.altered if name in spec.governed]
    found = privileges.overrides(server.privileges, spec.outranking)
    triggers = [f"event trigger {name}: {why}" for name, why in privileges.armed(server.privileges).items()]
    words = [privileges.override_words(one) for one in found]
    return [*privileges.held(server.privileges), *triggers, *altered, *words]


def after(
    spec: DatabaseSpec,
    seen: Observed,
    record: Record,
    config: ContainerConfig | None,
    texts: dict[str, str],
    own: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what will be there, for the diff.

    config: None where the image is not known yet. own: facts of a certificate of one's own, None for the authority's.
    """
    runs = spec.serves or seen.container is None or seen.container.running
    texts = texts or configuration.render(spec, record, "<major>", networks.access(spec, seen.networks))
    names = own["names"] if own else spec.certificate_names
    shown = _shown(spec, record, config, texts, names, "running" if runs else "stopped")
    if own is not None:
        shown["certificate"] = own
    shown["networks"] = sorted(networks.wanted(spec, seen.networks))
    if spec.networks and spec.network_aliases:
        shown["network_aliases"] = list(spec.network_aliases)
    return shown


def _shown(
    spec: DatabaseSpec | None,
    record: Record | None,
    config: ContainerConfig | None,
    texts: dict[str, str],
    certificate_names: Sequence[str] | None,
    status: str,
) -> dict[str, Any]:
    shown: dict[str, Any] = {"status": status}
    if record is not None:
        shown.update(username=record.login or record.username, port=record.port)
    if spec is not None:
        shown.update(
            database=spec.name,
            host=spec.host,
            sslmode=spec.sslmode,
            image=spec.image,
            deletion_protection=spec.protected,
            extensions=extensions.to_option(spec.extensions),
            users=users.to_option(spec.users),
            **fields(spec, ("bind_address", "memory", "nano_cpus", "shm_size")),
        )
    if config is not None:
        shown.update(fields(config, ("port", "bind_address", "memory", "nano_cpus", "shm_size", "restart_policy")))
    if configuration.POSTGRESQL_CONF in texts:
        shown["parameters"] = configuration.parameters(texts[configuration.POSTGRESQL_CONF])
    if configuration.PG_HBA_CONF in texts:
        shown["access"] = [line for line in texts[configuration.PG_HBA_CONF].splitlines() if line[:1] not in ("", "#")]
    if certificate_names is not None:
        shown["certificate_names"] = list(certificate_names)
    return shown


def fields(source: DatabaseSpec | ContainerConfig, names: Sequence[str]) -> dict[str, Any]:
    """Return some fields under the names and in the spelling of the options."""
    return dict(_formatted(name, getattr(source, name)) for name in names)


def _formatted(name: str, value: Any) -> tuple[str, Any]:
    label, write = _FORMATS.get(name, (name, lambda plain: plain))
    return label, write(value)


def field_changes(names: Sequence[str], current: ContainerConfig, wanted: ContainerConfig) -> str:
    """Say how two ContainerConfigs differ: C(memory 512m -> 1g)."""
    changes = []
    for name in names:
        label, old = _formatted(name, getattr(current, name))
        new = _formatted(name, getattr(wanted, name))[1]
        short = isinstance(old, (str, int, float, type(None))) and isinstance(new, (str, int, float, type(None)))
        changes.append(f"{label} {_word(old)} -> {_word(new)}" if short else label)
    return ", ".join(changes)


def _word(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text[:19] if text.startswith("sha256:") else text


def pending(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """Return what a person sees of steps that are held back."""
    return [{**step.result(), "reason": step.reason} for step in steps]


def changed_options(old: Record, new: Record) -> list[str]:
    """Return the names of what a new record declares differently."""
    names = {*old.declared, *new.declared}
    changed = sorted(name for name in names if old.declared.get(name) != new.declared.get(name))
    return changed + [
        name
        for name in ("username", "login", "initialised", "libc", "schema")
        if getattr(old, name) != getattr(new, name)
    ]


def status_word(container: ContainerFacts | None) -> str:
    """Return what a container does: C(running), C(stopped), C(absent), or the engine's own word for anything else."""
    if container is None:
        return "absent"
    return {"exited": "stopped", "created": "stopped"}.get(container.status, container.status)


def database(
    spec: DatabaseSpec,
    record: Record | None,
    container: ContainerFacts | None,
    personal: str = "",
    tls: tuple[str | None, Mapping[str, Any] | None] = (None, None),
    others: Mapping[str, ContainerFacts | None] | None = None,
    pgbouncer_ini: str | None = None,
) -> dict[str, Any]:
    """Return the keys of the seed's API, with those beside them that an operator asks for next.

    record: None where only its container is left. spec: what the record keeps, or what was declared. personal: the text
    of a person's own additions to the configuration. tls: the authority's certificate (PEM) and facts of the server's.
    others: the containers of the other instances, by their names. pgbouncer_ini: of its pooler, where that has one.
    """
    authority, certificate = tls
    own = spec.tls_fingerprint is not None
    status, reason = _status(record, container)
    config = container.config if container else None
    port = record.port if record else (config.port if config else None)
    return {
        "id": record.id if record else (container.database_id if container else None),
        "name": spec.name,
        "environment": spec.environment,
        "container_name": spec.container,
        "host": spec.host,
        "port": port,
        "username": (record.login or record.username) if record else None,
        "owner": record.username if record else None,
        "database": spec.name,
        "sslmode": spec.sslmode,
        "status": status,
        "status_reason": reason,
        "created_at": record.created_at if record else None,
        "adopted": _adopted(record),
        "image": (container.declared_image if container else None) or spec.image,
        "bind_address": config.bind_address if config else spec.bind_address,
        "trusted_sources": None if spec.trusted_sources is None else list(spec.trusted_sources),
        "networks": sorted(set(container.networks) - {networks.DEFAULT}) if container else list(spec.networks),
        "settings": dict(spec.settings),
        "tune": spec.tune,
        "parameters": spec.parameters,
        "extensions": extensions.to_option(spec.extensions),
        "users": users.to_option(spec.users),
        "personal_settings": configuration.personal_parameters(personal),
        "memory_limit_bytes": config.memory if config else spec.memory,
        "cpus": format_cpus(config.nano_cpus if config else spec.nano_cpus),
        "shm_size_bytes": config.shm_size if config else spec.shm_size,
        "read_only": config.read_only if config else spec.read_only is not False,
        "deletion_protection": spec.protected,
        "data_directory": spec.directory,
        "backup_directory": spec.backup_directory,
        # Clients that verify a certificate of one's own may know its authority from elsewhere.
        "ca_file": None if own and authority is None else layout.public_authority(spec.container),
        "ca_certificate": authority,
        "certificate": certificate
        and {
            "own": own,
            **{key: certificate[key] for key in ("subject", "issuer", "names", "not_after", "fingerprint")},
        },
        "container_status": container.status if container else "absent",
        "health": container.health if container else None,
        "started_at": container.started_at if container and container.running else None,
        "restart_count": container.restart_count if container else None,
        "pooler": _pooler(spec, record, others or {}, pgbouncer_ini),
    }


def _pooler(
    spec: DatabaseSpec, record: Record | None, others: Mapping[str, ContainerFacts | None], ini: str | None
) -> dict[str, Any] | None:
    """Return what is shown of its pooler, None where it has none."""
    own = next((one for one in record.others if one.role == POOLER), None) if record is not None else None
    if own is None or spec.pooler is None:
        return None
    container = others.get(own.name)
    return {
        "container_name": own.container,
        "host": pooler_host(spec),
        "port": own.port,
        "bind_address": spec.pooler.bind_address or spec.bind_address,
        "database": spec.name,
        "session_database": f"{spec.name}_session",
        "mode": spec.pooler.mode,
        "prepared_statements": None if ini is None else spec.pooler.mode == "session" or _prepares(ini),
        "image": spec.pooler.image,
        "container_status": container.status if container else "absent",
        "health": container.health if container else None,
    }


def _prepares(ini: str) -> bool:
    """Whether clients may use named prepared statements where a connection is not theirs alone."""
    # Few databases have a pooler, and each run compiles anew what it loads of Ansible's archive.
    from .._domain import pgbouncer

    return pgbouncer.parameters(ini).get("max_prepared_statements", "0") != "0"


def pooler_host(spec: DatabaseSpec) -> str:
    """Return what clients of the pooler connect to: the database's host, unless that is but an address to bind to."""
    bound = spec.declared_pooler.bind_address
    if bound is None or spec.base_domain or spec.address:
        return spec.host
    return dataclasses.replace(spec, bind_address=bound).host


def _adopted(record: Record | None) -> dict[str, Any] | None:
    """Say what it was before it was ours; with a copy, the original data stays until somebody removes it."""
    if record is None or not record.adopted:
        return None
    return {key: record.adopted[key] for key in ("at", "image", "method", "data", "volume")}


def _status(record: Record | None, container: ContainerFacts | None) -> tuple[str, str | None]:
    """Return the seed's status, `active`, `stopped` or `error`, and for an error the reason."""
    if record is not None and record.adopted and not record.initialised:
        return "error", "its adoption was interrupted: run the task again with adopt: true"
    if container is None:
        return "error", "its container is missing: state: started creates it again on the data that is there"
    if container.running and record is not None and not record.initialised:
        return "error", "its first start has not been completed: run the task that creates it again"
    if container.running:
        unhealthy = container.health == "unhealthy"
        return ("error", "its health check fails: see docker logs") if unhealthy else ("active", None)
    if container.status == "exited" and container.exit_code == 0:
        return "stopped", None
    if container.status == "created":
        return "error", "its container was never started: run the task that creates it again"
    if container.oom_killed:
        return "error", "the OOM killer killed it: raise memory"
    return "error", f"its container is {container.status}, with exit code {container.exit_code}: see docker logs"

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container of a database's pooler: what we ask the engine for. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import container as containers
from . import labels, networks, pgbouncer, pooler, pooler_facts
from .facts import ContainerConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .networks import NetworkFacts
    from .pooler_facts import PoolerImage
    from .record import Instance, Record
    from .spec import DatabaseSpec

# Whatever user an image has: not that of the server's, which peer authentication could take for it.
UID = GID = 996
# SIGINT lets transactions end; what goes on for longer is cut.
STOP_SECONDS = 10
_PROCESSES = 64
_SHM = 64 << 20


def wanted(spec: DatabaseSpec, record: Record, own: Instance, image: PoolerImage) -> ContainerConfig:
    """Return the ContainerConfig of a declared pooler."""
    declared = spec.declared_pooler
    check = ("pg_isready", "-q", "-h", "127.0.0.1", "-p", str(pgbouncer.PORT), "-U", record.username, "-d", spec.name)
    directory = f"{spec.directory}/{pooler_facts.DIRECTORY}"
    return ContainerConfig(
        image_id=image.id,
        command=(f"{pgbouncer.CONFIG_MOUNT}/{pgbouncer.INI}",),
        environment={},
        bind_address=declared.bind_address or spec.bind_address,
        port=own.port,
        mounts=tuple(
            sorted(
                [
                    (f"{directory}/conf", pgbouncer.CONFIG_MOUNT, "ro"),
                    (f"{directory}/tls", pgbouncer.TLS_MOUNT, "ro"),
                ]
            )
        ),
        tmpfs=(pgbouncer.SOCKET_MOUNT,),
        shm_size=_SHM,
        memory=declared.memory,
        nano_cpus=None,
        pids_limit=_PROCESSES,
        restart_policy=containers.RESTART_POLICY,
        stop_timeout=STOP_SECONDS,
        read_only=True,
        cap_add=(),
        security_opt=containers.SECURITY,
        log_config=(("max-file", "5"), ("max-size", "10m")),
        healthcheck=("CMD", *check) if image.checks else ("NONE",),
        labels=labels.of_instance(labels.Owner(spec.name, spec.environment, pooler.POOLER), record.id, declared.image),
        inside_port=pgbouncer.PORT,
    )


def create_arguments(config: ContainerConfig, name: str) -> dict[str, Any]:
    """Return the body of the engine's `POST /containers/create`."""
    arguments = containers.create_arguments(config, name, {})
    arguments["Entrypoint"] = ["pgbouncer"]
    arguments["User"] = f"{UID}:{GID}"
    arguments["HostConfig"].update(
        Tmpfs={pgbouncer.SOCKET_MOUNT: f"size=1m,uid={UID},gid={GID},mode=0700"},
        CapAdd=[],
    )
    return arguments


def joins(spec: DatabaseSpec, known: Mapping[str, NetworkFacts] | None) -> tuple[str, ...]:
    """Return the names of all networks that it is to be on: those of the server, by which clients come, and the one
    that it shares with nobody else."""
    return networks.wanted(spec, known)

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container of a database: what we ask the engine for, and how its answer compares. Pure."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import image_environment, tuning
from . import labels as known_labels
from .facts import ContainerConfig, ContainerFacts
from .networks import DEFAULT, EndpointFacts, aliases
from .record import PRIMARY

if TYPE_CHECKING:
    from .facts import ImageFacts
    from .record import Record
    from .spec import DatabaseSpec

SERVER_PORT = 5432
# The image's own root for every major version; PGDATA is always <major>/docker below it, as in the images from 18 on,
# so that one mount serves all and a major upgrade can hard-link. https://github.com/docker-library/postgres/pull/1259
DATA_MOUNT = "/var/lib/postgresql"
# The database's directory on the host: whatever a person or we put there, the server reads under the same name.
HOME_MOUNT = "/etc/vellaric"
CONF_MOUNT = f"{HOME_MOUNT}/conf"
TLS_MOUNT = f"{HOME_MOUNT}/tls"
BACKUP_MOUNT = "/var/lib/vellaric/backups"

# What the entrypoint needs to own the data directory and to become the server's user; nothing else.
CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID")
SECURITY = ("no-new-privileges",)
# Where a container whose root file system is read-only writes, besides what it mounts, and how much: sockets and the
# lock of our scripts (_server/session.py), and what extensions and the image's own scripts put down for a moment.
WRITABLE = {"/tmp": "size=256m,mode=1777", "/var/run/postgresql": "size=1m,mode=1777"}
RESTART_POLICY = "unless-stopped"
# A first start that fails must stay failed: restarted, the entrypoint would take the half-made data for a database.
INITIAL_RESTART_POLICY = "no"
# Docker's own 10 s end in SIGKILL and crash recovery.
STOP_TIMEOUT = 120
# For a server that does not serve. A signal that comes between two attempts of the restart policy is lost, and the
# engine then waits this long for an end that does not come.
FAILED_STOP_TIMEOUT = 5
SECOND = 1_000_000_000
# Each check costs the engine about 150 ms of a processor, so that fifty databases take an eighth of one. A server that
# hangs is unhealthy within 140 s. While it starts it is asked more often, by engines that know how (from 25 on).
HEALTH_TIMES = {
    "Interval": 60 * SECOND,
    "Timeout": 10 * SECOND,
    "StartPeriod": 300 * SECOND,
    "StartInterval": 5 * SECOND,
    "Retries": 2,
}

# Fields that the engine changes in a container that runs; the limits among them can be changed, not taken away: to the
# engine's update, 0 is "leave as it is". https://github.com/moby/moby/blob/v20.10.27/container/container_unix.go
_LIMITS = ("memory", "nano_cpus", "pids_limit")
_IN_PLACE = (*_LIMITS, "restart_policy")


def pgdata(major: int | str) -> str:
    return f"{DATA_MOUNT}/{major}/docker"


# Not synchronised by initdb, file by file: the whole is, before anything of value is in it (apply.py).
INITDB_ARGUMENTS = "--data-checksums --auth-local=peer --auth-host=scram-sha-256 --no-sync"


def desired(
    spec: DatabaseSpec,
    record: Record,
    image: ImageFacts,
    restart_policy: str = RESTART_POLICY,
    personal: dict[str, str] | None = None,
) -> ContainerConfig:
    """Return the ContainerConfig of a declared database (record: its id and port; image: ImageFacts).

    personal: the parameters of a person's own configuration.
    """
    read_only = spec.read_only is not False
    return ContainerConfig(
        image_id=image.id,
        command=("postgres", "-c", f"config_file={CONF_MOUNT}/postgresql.conf"),
        environment={"PGDATA": pgdata(image.major)},
        first_start={
            **image_environment.kept_off(image.environment),
            image_environment.INITDB_ARGUMENTS: INITDB_ARGUMENTS
            if record.initialised
            else image_environment.initdb_arguments(image.environment, INITDB_ARGUMENTS),
        },
        bind_address=spec.bind_address,
        port=record.port,
        mounts=tuple(
            sorted(
                [
                    (f"{spec.directory}/pgdata", DATA_MOUNT, "rw"),
                    (spec.directory, HOME_MOUNT, "ro"),
                    (spec.backup_directory, BACKUP_MOUNT, "rw"),
                ]
            )
        ),
        tmpfs=tuple(sorted(in_memory(read_only, image.volumes))),
        shm_size=spec.shm_size,
        memory=spec.memory,
        nano_cpus=spec.nano_cpus,
        pids_limit=tuning.processes({**(personal or {}), **spec.parameters}),
        restart_policy=restart_policy,
        stop_timeout=STOP_TIMEOUT,
        read_only=read_only,
        cap_add=CAPABILITIES,
        security_opt=SECURITY,
        log_config=(("max-file", "5"), ("max-size", "10m")),
        # Over TCP: the socket answers during initialisation too. As the application's role, whose pg_hba.conf line
        # asks for a password, upon which pg_isready leaves without a trace in the log.
        healthcheck=(
            "CMD",
            "pg_isready",
            "-q",
            "-h",
            "127.0.0.1",
            "-p",
            str(SERVER_PORT),
            "-U",
            record.username or "postgres",
            "-d",
            spec.name,
        ),
        labels=known_labels.of_instance(
            known_labels.Owner(spec.name, spec.environment, PRIMARY), record.id, spec.image
        ),
    )


def data_directory(config: ContainerConfig) -> str | None:
    """Return the directory on the host that holds a container's database, or None where it mounts none."""
    sources = [source for source, target, _mode in config.mounts if target == DATA_MOUNT]
    return os.path.dirname(sources[0]) if sources else None


def create_arguments(config: ContainerConfig, name: str, more: Mapping[str, str]) -> dict[str, Any]:
    """Return the body of the engine's `POST /containers/create`. more: variables that it is not compared by."""
    port = f"{config.inside_port}/tcp"
    environment = {**config.environment, **config.first_start, **more}
    return {
        "Image": config.image_id,
        "Hostname": name,
        "Cmd": list(config.command),
        "Env": variables(environment),
        # The server's fast shutdown, whatever the image has: SIGTERM would wait for all clients to leave.
        "StopSignal": "SIGINT",
        "ExposedPorts": {port: {}},
        "Labels": dict(config.labels),
        "StopTimeout": config.stop_timeout,
        "Healthcheck": {"Test": list(config.healthcheck), **HEALTH_TIMES},
        "HostConfig": {
            "PortBindings": {port: [{"HostIp": config.bind_address, "HostPort": str(config.port)}]},
            # Mounts, not Binds: a missing source is then an error instead of a new directory that root owns.
            "Mounts": [
                {"Type": "bind", "Source": source, "Target": target, "ReadOnly": mode == "ro"}
                for source, target, mode in config.mounts
            ],
            "ShmSize": config.shm_size,
            **limits(config),
            **confinement(config.read_only, config.tmpfs),
            "LogConfig": {"Type": "json-file", "Config": dict(config.log_config)},
        },
    }


def grace(container: ContainerFacts | None) -> int:
    """Return the seconds that a container's server has to shut down. container: ContainerFacts, None where none is."""
    looping = container is not None and container.status == "restarting"
    return FAILED_STOP_TIMEOUT if looping else STOP_TIMEOUT


def variables(environment: dict[str, str | None]) -> list[str]:
    """Return variables as the engine takes them: without a value it takes one away that the image has.

    https://docs.docker.com/reference/api/engine/version/v1.41/ (ContainerCreate, Env)
    """
    return [name if value is None else f"{name}={value}" for name, value in sorted(environment.items())]


def confinement(read_only: bool, tmpfs: Sequence[str], capabilities: Sequence[str] = CAPABILITIES) -> dict[str, Any]:
    """Return what keeps a container from more than it needs, for its HostConfig. tmpfs: the directories (`tmpfs`)."""
    return {
        "ReadonlyRootfs": read_only,
        "Tmpfs": {path: WRITABLE.get(path, "size=64k,mode=0700") for path in tmpfs},
        "CapDrop": ["ALL"],
        "CapAdd": list(capabilities),
        "SecurityOpt": list(SECURITY),
    }


def in_memory(read_only: bool, volumes: Sequence[str]) -> list[str]:
    """Return the directories of a container that are kept in memory.

    volumes: those of the image. Up to 17 it declares one below our mount: without this, each container leaves an
    anonymous one.
    """
    return [*(WRITABLE if read_only else ()), *(path for path in volumes if path.startswith(DATA_MOUNT + "/"))]


def limits(config: ContainerConfig) -> dict[str, Any]:
    """Return what can be changed in a running container, as both create and update of the engine take it.

    Memory and swap go together: a server that swaps answers too late to be of use.
    """
    return {
        "Memory": config.memory or 0,
        "MemorySwap": config.memory or 0,
        "NanoCpus": config.nano_cpus or 0,
        "PidsLimit": config.pids_limit,
        "RestartPolicy": {"Name": config.restart_policy},
    }


def from_inspect(answer: dict[str, Any]) -> ContainerFacts:
    """Return the ContainerFacts of an answer of the engine's `GET /containers/(id)/json`.

    Tolerates what versions of the engine leave out or write in another way (capabilities with or without CAP_).
    """
    state = answer.get("State") or {}
    labels = (answer.get("Config") or {}).get("Labels") or {}
    networks = _networks(answer)
    # The host reaches the default network; others may be of drivers that do not let it.
    addresses = [networks[name].address for name in sorted(networks, key=lambda name: (name != DEFAULT, name))]
    return ContainerFacts(
        id=answer["Id"],
        name=answer["Name"].lstrip("/"),
        status=state.get("Status") or "unknown",
        exit_code=state.get("ExitCode") or 0,
        restart_count=answer.get("RestartCount") or 0,
        started_at=state.get("StartedAt") or "",
        created_at=answer.get("Created") or "",
        health=_health(state.get("Health") or {}),
        # Set for any process of the container: one that ended in order was not killed.
        oom_killed=bool(state.get("OOMKilled")) and bool(state.get("ExitCode")),
        ip_address=next(filter(None, addresses), None),
        labels=labels,
        pid=state.get("Pid") or 0,
        networks=networks,
        image=(answer.get("Config") or {}).get("Image") or "",
        image_id=answer.get("Image") or "",
        major=_major((answer.get("Config") or {}).get("Env") or []),
        config=_config(answer, labels) if known_labels.is_managed(labels) else None,
    )


def _major(entries: list[str]) -> int | None:
    """Return the server's major version, which is in what we say where its data is, and otherwise as images say it."""
    environment = dict(entry.partition("=")[::2] for entry in entries)
    ours = re.fullmatch(re.escape(DATA_MOUNT) + r"/(\d{1,3})/docker", environment.get("PGDATA", ""))
    said = ours.group(1) if ours else environment.get("PG_MAJOR", "")
    return int(said) if re.fullmatch(r"[0-9]{1,3}", said) else None


def _networks(answer: dict[str, Any]) -> dict[str, EndpointFacts]:
    joined = (answer.get("NetworkSettings") or {}).get("Networks") or {}
    return {
        name: EndpointFacts(
            network_id=endpoint.get("NetworkID") or "",
            address=endpoint.get("IPAddress") or None,
            priority=endpoint.get("GwPriority") or 0,
            aliases=aliases(endpoint, answer["Name"].lstrip("/"), answer["Id"]),
        )
        for name, endpoint in joined.items()
    }


def _health(health: dict[str, Any]) -> str | None:
    """A pause leaves a container marked as unhealthy, without a check that failed, until the next one."""
    if health.get("Status") == "unhealthy" and not health.get("FailingStreak"):
        return "starting"
    return health.get("Status")


def _config(answer: dict[str, Any], labels: dict[str, str]) -> ContainerConfig:
    config, host = answer["Config"], answer["HostConfig"]
    environment = dict(entry.partition("=")[::2] for entry in config.get("Env") or [])
    owner = known_labels.owner(labels)
    serves = owner is None or owner.role == PRIMARY
    published = host.get("PortBindings") or {}
    inside = f"{SERVER_PORT}/tcp" if serves else next(iter(published), "0/tcp")
    binding = (published.get(inside) or [{}])[0]
    return ContainerConfig(
        image_id=answer["Image"],
        command=tuple(config.get("Cmd") or ()),
        # The rest comes from the image, or counted at the first start.
        environment={"PGDATA": environment.get("PGDATA")} if serves else {},
        inside_port=int(inside.partition("/")[0]),
        bind_address=binding.get("HostIp") or "0.0.0.0",
        port=int(binding.get("HostPort") or 0),
        mounts=tuple(
            sorted(
                (mount["Source"], mount["Destination"], "rw" if mount.get("RW") else "ro")
                for mount in answer.get("Mounts") or []
                if mount.get("Type") == "bind"
            )
        ),
        tmpfs=tuple(sorted(host.get("Tmpfs") or {})),
        shm_size=host.get("ShmSize") or 0,
        memory=host.get("Memory") or None,
        nano_cpus=host.get("NanoCpus") or None,
        pids_limit=host.get("PidsLimit") or None,
        restart_policy=(host.get("RestartPolicy") or {}).get("Name") or "no",
        stop_timeout=config.get("StopTimeout") or 10,
        read_only=bool(host.get("ReadonlyRootfs")),
        cap_add=tuple(sorted(name[4:] if name.startswith("CAP_") else name for name in host.get("CapAdd") or [])),
        security_opt=tuple(sorted(option.split(":")[0] for option in host.get("SecurityOpt") or [])),
        log_config=tuple(sorted(((host.get("LogConfig") or {}).get("Config") or {}).items())),
        healthcheck=tuple((config.get("Healthcheck") or {}).get("Test") or ()),
        labels=known_labels.own(labels),
    )


def as_confined(current: ContainerConfig, wanted: ContainerConfig) -> ContainerConfig:
    """Return a wanted ContainerConfig as open as the current one, where nothing but that would take a new container.

    What a later version of this collection confines more is no reason for an interruption: it comes with the next one.
    """
    if not wanted.read_only or current.read_only:
        return wanted
    tmpfs = tuple(path for path in wanted.tmpfs if path not in WRITABLE)
    open_one = dataclasses.replace(wanted, read_only=False, tmpfs=tmpfs)
    return wanted if changed_by_replacement(current, open_one) else open_one


def differences(current: ContainerConfig, wanted: ContainerConfig) -> list[str]:
    """Return the names of the fields in which two ContainerConfigs differ."""
    return [
        field.name
        for field in dataclasses.fields(ContainerConfig)
        if field.compare and getattr(current, field.name) != getattr(wanted, field.name)
    ]


def changed_in_place(current: ContainerConfig, wanted: ContainerConfig) -> list[str]:
    """Return the names of the differing fields that the engine changes in a container that runs."""
    removed = [name for name in _LIMITS if getattr(wanted, name) is None]
    return [name for name in differences(current, wanted) if name in _IN_PLACE and name not in removed]


def less_memory(current: ContainerConfig, wanted: ContainerConfig) -> bool:
    """Say whether the limit of memory falls, from no limit too."""
    return wanted.memory is not None and (current.memory is None or wanted.memory < current.memory)


def changed_by_replacement(current: ContainerConfig, wanted: ContainerConfig) -> list[str]:
    """Return the names of the differing fields for which a new container is needed."""
    in_place = changed_in_place(current, wanted)
    return [name for name in differences(current, wanted) if name not in in_place]

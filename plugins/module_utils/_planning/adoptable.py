# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container that somebody else made: what it is, and what stands against taking it over. Pure."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .._domain import container as containers
from .._domain import networks, show
from .._domain.errors import Refused, sure
from .._domain.settings import MANAGED_SETTINGS
from . import supervised

if TYPE_CHECKING:
    from .._domain.facts import ImageFacts, Observed, ServerFacts
    from .._domain.record import Record
    from .._domain.spec import DatabaseSpec

# Space that a copy leaves free on its file system.
RESERVE = 64 << 20


@dataclasses.dataclass(frozen=True)
class Foreign:
    """A container as its maker made it. published: (address, port) or None; mounts: (source, target, kind, volume).

    supervisor: who keeps it, and how to take it out, as supervised.supervisor says. aliases: on its networks.
    """

    id: str
    image_id: str
    image: str
    running: bool
    started_at: str
    restart_policy: dict[str, Any]
    removes_itself: bool
    host_network: bool
    user: str
    published: tuple[str, int] | None
    mounts: tuple[tuple[str, str, str, str], ...]
    networks: tuple[str, ...]
    supervisor: tuple[str, str] | None = None
    aliases: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Adoptable:
    """A foreign container, what its server said, and where its data is.

    obstacle: what kept it from being asked; nothing of what follows it is then known. image: the ImageFacts of the
    image that it runs. answer: as adoption_sql's question gives it. server: the ServerFacts for the declared role
    and the database that will be the declared one. data: its directory on the host; owner: user, group and mode of
    that; links: symbolic links in there; movable: whether a rename brings it to its place; rivals: the names of other
    containers that run on it.
    """

    foreign: Foreign
    obstacle: str | None = None
    image: ImageFacts | None = None
    answer: dict[str, Any] = dataclasses.field(default_factory=dict)
    server: ServerFacts | None = None
    data: str | None = None
    owner: tuple[int, ...] = ()
    size: int = 0
    links: tuple[str, ...] = ()
    free: int = 0
    movable: bool = False
    rivals: tuple[str, ...] = ()


def from_inspect(answer: dict[str, Any]) -> Foreign:
    """Return the Foreign of an answer of the engine's `GET /containers/(id)/json`."""
    config, host = answer.get("Config") or {}, answer.get("HostConfig") or {}
    settings = answer.get("NetworkSettings") or {}
    state = answer.get("State") or {}
    return Foreign(
        id=answer["Id"],
        image_id=answer["Image"],
        image=config.get("Image") or answer["Image"],
        running=state.get("Status") == "running",
        started_at=state.get("StartedAt") or "",
        restart_policy=host.get("RestartPolicy") or {"Name": "no"},
        removes_itself=bool(host.get("AutoRemove")),
        host_network=host.get("NetworkMode") == "host",
        user=config.get("User") or "",
        published=_published(settings, host),
        mounts=tuple(
            (mount.get("Source") or "", mount.get("Destination") or "", mount.get("Type") or "", mount.get("Name"))
            for mount in answer.get("Mounts") or []
        ),
        networks=tuple(sorted(set(settings.get("Networks") or {}) - {networks.DEFAULT, "none", "host"})),
        supervisor=supervised.supervisor(config.get("Labels") or {}),
        aliases=_aliases(answer, settings),
    )


def _aliases(answer: dict[str, Any], settings: dict[str, Any]) -> tuple[str, ...]:
    name = (answer.get("Name") or "").lstrip("/")
    endpoints = (settings.get("Networks") or {}).values()
    return tuple(sorted({alias for each in endpoints for alias in networks.aliases(each, name, answer["Id"])}))


def _published(settings: dict[str, Any], host: dict[str, Any]) -> tuple[str, int] | None:
    """Return where its port is published; the engine's own choice is known while it runs only."""
    key = f"{containers.SERVER_PORT}/tcp"
    for found in ((settings.get("Ports") or {}).get(key), (host.get("PortBindings") or {}).get(key)):
        for binding in found or []:
            if (binding.get("HostPort") or "0") != "0":
                return (binding.get("HostIp") or "0.0.0.0", int(binding["HostPort"]))
    return None


def data_source(mounts: Sequence[tuple[str, str, str, str]], data_directory: str) -> tuple[str, str | None] | None:
    """Return (directory on the host, volume or None) of a container's directory, or None where it is not mounted."""
    above = [mount for mount in mounts if _inside(data_directory, mount[1])]
    if not above:
        return None
    source, target, kind, volume = max(above, key=lambda mount: len(mount[1]))
    path = os.path.normpath(os.path.join(source, os.path.relpath(data_directory, target)))
    return path, (volume if kind == "volume" else None)


def choose_database(databases: Sequence[str], name: str) -> str | None:
    """Return the database that is to be the declared one, or None where that cannot be told."""
    if name in databases:
        return name
    others = [database for database in databases if database != "postgres"]
    return others[0] if len(others) == 1 else None


def source_of(there: Adoptable) -> tuple[str, str | None] | None:
    """Return where the data of a container lies, as data_source says it."""
    return data_source(there.foreign.mounts, there.answer["data_directory"])


def moves(spec: DatabaseSpec, there: Adoptable) -> bool:
    """A volume is the engine's: it is copied."""
    return there.movable and sure(source_of(there))[1] is None


def target(spec: DatabaseSpec, major: int) -> str:
    """Return where the data goes on the host."""
    return os.path.join(spec.directory, "pgdata", str(major), "docker")


def refuse(spec: DatabaseSpec, seen: Observed) -> None:
    """Refuse what cannot be taken over without risk, saying what fixes it."""
    there = sure(seen.adoptable)
    if there.foreign.supervisor:
        who, fix = there.foreign.supervisor
        raise _refusal(
            spec,
            f"{who} keeps it: that would start another server on its data",
            f"{fix}, start a container of that name on the same data by hand (docker run), and take that over",
        )
    if seen.record is not None and not (seen.record.adopted and not seen.record.initialised):
        raise _refusal(
            spec,
            f"there is a record of a database of that name in {spec.directory}, which is not the container's",
            "remove or rename the container, or move that directory away",
        )
    if there.obstacle:
        raise _refusal(spec, there.obstacle)
    answer, source = there.answer, source_of(there)
    for stands, wrong, fix in _obstacles(spec, seen, there, source):
        if stands:
            raise _refusal(spec, wrong, fix)
    _refuse_lost_settings(spec, answer)
    if choose_database(answer["databases"], spec.name) is None:
        _refuse_databases(spec, answer["databases"])
    if not moves(spec, there) and there.free < there.size + RESERVE:
        raise _refusal(
            spec,
            f"its data ({show.size(there.size)}) would be copied to {spec.data_root}, where {show.size(there.free)} are"
            " free",
            f"free {show.size(there.size + RESERVE - there.free)} there, or give another data_root",
        )
    if seen.record is None and seen.half_made and sure(source)[0] != target(spec, sure(there.image).major):
        raise _refusal(
            spec, f"{spec.directory}/pgdata holds data already, which is not the container's", "move it away"
        )


def _obstacles(
    spec: DatabaseSpec, seen: Observed, there: Adoptable, source: tuple[str, str | None] | None
) -> list[tuple[Any, str, str]]:
    """Return (whether it stands against an adoption, what is wrong, what fixes it) of each obstacle there is."""
    foreign, answer = there.foreign, there.answer
    nested = [mount[1] for mount in foreign.mounts if _inside(mount[1], answer["data_directory"])]
    nested = [path for path in nested if path != answer["data_directory"]]
    bootstrap, links = answer["bootstrap"], there.links
    dump = "dump its database and restore it into a new one"
    return [
        (
            seen.mounted_by,
            f"{', '.join(seen.mounted_by)} mounts {spec.directory}, too: two servers on it destroy it",
            "remove that container first",
        ),
        (
            there.rivals,
            f"{', '.join(there.rivals)} runs on its data, too: two servers on it destroy it",
            "stop that container first",
        ),
        (
            foreign.removes_itself,
            "it was started with --rm: the engine removes it, with its anonymous volumes, as soon as it stops",
            dump,
        ),
        (
            foreign.host_network,
            "it is in the host's network, with no port of its own",
            "recreate it with a published port, on the same data",
        ),
        (answer["standby"], "it is a standby", "adopt its primary, or promote it first"),
        (source is None, f"its data ({answer['data_directory']}) is on no volume and in no mounted directory", dump),
        (
            nested,
            f"{', '.join(nested)} is mounted into its data directory",
            "put what is there into the data directory itself, or declare it as settings",
        ),
        (
            links,
            f"its data directory has symbolic links ({', '.join(links)}), so that data lies elsewhere",
            "move what they lead to into the data directory (tablespaces: with ALTER TABLE ... SET TABLESPACE)",
        ),
        (
            bootstrap != "postgres" and answer["has_postgres"],
            f"its superuser is {bootstrap}, and there is another role postgres",
            "rename that one, as with ALTER ROLE postgres RENAME TO other: the name is the superuser's",
        ),
        (
            "postgres" not in answer["databases"],
            "its database postgres is missing, which is needed for maintenance",
            "CREATE DATABASE postgres",
        ),
    ]


def _refuse_databases(spec: DatabaseSpec, databases: Sequence[str]) -> None:
    if list(databases) == ["postgres"]:
        wrong = f"it has no database but postgres, which is for maintenance; there is to be one called {spec.name}"
        fix = (
            "where the application's data is in postgres, connect to template1 and run"
            f' ALTER DATABASE postgres RENAME TO "{spec.name}"; CREATE DATABASE postgres;'
            f' otherwise CREATE DATABASE "{spec.name}"'
        )
    else:
        wrong = f"none of its databases ({', '.join(databases)}) is called {spec.name}"
        fix = f'rename the one that is meant, as with ALTER DATABASE "{databases[0]}" RENAME TO "{spec.name}"'
    raise _refusal(spec, wrong, fix)


def _refuse_lost_settings(spec: DatabaseSpec, answer: dict[str, Any]) -> None:
    lost = {
        name: value
        for name, value in answer["settings"].items()
        if name not in MANAGED_SETTINGS and name not in spec.parameters
    }
    if lost:
        shown = ", ".join(f"{name} = {value}" for name, value in lost.items())
        raise _refusal(
            spec,
            f"its server has parameters that would be lost with it, from its command line or from a file outside of its"
            f" data directory: {shown}",
            "declare them in settings, with these values or others",
        )


def refuse_other_image(spec: DatabaseSpec, seen: Observed, record: Record, adopted: dict[str, Any]) -> None:
    """adopted: Journal.before."""
    used = f"{adopted['image']} is what the container runs: declare it as image, or another one of"
    if seen.known_image.major != adopted["major"]:
        raise _refusal(
            spec,
            f"image {spec.image} is PostgreSQL {seen.known_image.major}, its data is PostgreSQL {adopted['major']}",
            f"{used} version {adopted['major']}",
        )
    if seen.known_image.libc != record.libc:
        raise _refusal(
            spec,
            f"image {spec.image} has {seen.known_image.libc}, its data was made under {record.libc}, which sorts text"
            " otherwise: indexes would miss rows",
            f"{used} that C library",
        )


def _refusal(spec: DatabaseSpec, wrong: str, fix: str | None = None) -> Refused:
    return Refused(
        f"Container {spec.container} cannot be taken over: {wrong}. Nothing was changed{': ' + fix if fix else ''}"
    )


def _inside(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")

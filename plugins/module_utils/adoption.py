# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking over a container that somebody else made: what it is, what stands against it, and the steps. Pure.

The record keeps what is needed to finish or to undo an adoption that was cut short (Record.adopted): the old container
stays, stopped and under another name, until its successor serves.
"""

from __future__ import annotations

import dataclasses
import os

from . import certification, identity, networks, server_steps, view
from . import container as containers
from .converge import desired, removal_of_original
from .errors import Refused
from .server import configuration, scram, takeover
from .spec import MANAGED_SETTINGS
from .statistics import text
from .steps import IMPACTS, Plan, Step

COPY, MOVE = "copy", "move"
# What is ours in a directory that the old data may lie in, too.
OWN_ENTRIES = ("backups", "conf", "database.json", "pgdata", "tls")
# Space that a copy leaves free on its file system.
RESERVE = 64 << 20


@dataclasses.dataclass(frozen=True)
class Foreign:
    """A container as its maker made it. published: (address, port) or None; mounts: (source, target, kind, volume)."""

    id: str
    image_id: str
    image: str
    running: bool
    started_at: str
    restart_policy: dict
    removes_itself: bool
    host_network: bool
    user: str
    published: tuple | None
    mounts: tuple
    networks: tuple


@dataclasses.dataclass(frozen=True)
class Adoptable:
    """A foreign container, what its server said, and where its data is.

    obstacle: what kept it from being asked; nothing of what follows it is then known. image: the ImageFacts of the
    image that it runs. answer: as server.takeover's question gives it. server: the ServerFacts for the declared role
    and the database that will be the declared one. data: its directory on the host; owner: user, group and mode of
    that; links: symbolic links in there; movable: whether a rename brings it to its place.
    """

    foreign: Foreign
    obstacle: str | None = None
    image: object = None
    answer: dict = dataclasses.field(default_factory=dict)
    server: object = None
    data: str | None = None
    owner: tuple = ()
    size: int = 0
    links: tuple = ()
    free: int = 0
    movable: bool = False


def from_inspect(answer):
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
    )


def _published(settings, host):
    """Return where its port is published; the engine's own choice is known while it runs only."""
    key = f"{containers.SERVER_PORT}/tcp"
    for found in ((settings.get("Ports") or {}).get(key), (host.get("PortBindings") or {}).get(key)):
        for binding in found or []:
            if (binding.get("HostPort") or "0") != "0":
                return (binding.get("HostIp") or "0.0.0.0", int(binding["HostPort"]))
    return None


def data_source(mounts, data_directory):
    """Return (directory on the host, volume or None) of a container's directory, or None where it is not mounted."""
    above = [mount for mount in mounts if _inside(data_directory, mount[1])]
    if not above:
        return None
    source, target, kind, volume = max(above, key=lambda mount: len(mount[1]))
    path = os.path.normpath(os.path.join(source, os.path.relpath(data_directory, target)))
    return path, (volume if kind == "volume" else None)


def choose_database(databases, name):
    """Return the database that is to be the declared one, or None where that cannot be told."""
    if name in databases:
        return name
    others = [database for database in databases if database != "postgres"]
    return others[0] if len(others) == 1 else None


def unfinished(seen):
    """Say whether an adoption was begun and has not come to its end."""
    return seen.record is not None and bool(seen.record.adopted) and not seen.record.initialised


def is_original(seen, container):
    """Say whether a container is the one that was, or is being, taken over."""
    adopted = seen.record.adopted if seen.record is not None else None
    return bool(adopted) and container.id == adopted["container"]


def concerns(spec, seen):
    """Say whether a run is about an adoption. Raises Refused where one was cut short and is not to be finished."""
    if unfinished(seen):
        if spec.adopt and spec.state in ("started", "present"):
            return True
        raise Refused(
            f"The adoption of {spec.container} was cut short. Nothing was changed: run it again with adopt: true and"
            " state: started, which finishes it, or puts everything back where that is not possible"
        )
    foreign = seen.container is not None and seen.container.config is None
    return foreign and spec.adopt and spec.state in ("started", "present")


def plan(spec, seen, new_id):
    """Return the Plan that takes the foreign container over, or that finishes what was begun."""
    begun = unfinished(seen) and seen.adoptable is None
    if not begun:
        _refuse(spec, seen)
    fetch = _fetch(spec, seen)
    record = _record(spec, seen, new_id)
    certificate = certification.decide(spec, seen)
    steps = [*fetch]
    if not begun:
        steps.append(Step("reserve", f"reserve port {record.port} and write the record of {spec.container}"))
    elif record != seen.record:
        steps.append(Step("write_record", "record the declaration"))
    before = {**view.before(spec, seen), **_before(spec, seen)}
    if seen.image is None:
        # The image says whether it goes with the data.
        after = view.after(spec, seen, record, None, {}, certificate.own)
        return Plan(steps=(*steps, *_take_over(spec, seen, record)), before=before, after=after, final=False)
    _refuse_other_image(spec, seen, record)
    config, texts = desired(spec, seen, record)
    preparing = [certificate.step] if certificate.step is not None else []
    preparing.append(Step("write_files", f"write {', '.join(sorted(texts))}"))
    taking = _take_over(spec, seen, record)
    if IMPACTS.index(taking[0].impact) > IMPACTS.index(spec.max_impact):
        return Plan(pending=tuple(taking), before=before, after=before)
    more = [*preparing, *taking]
    return Plan(
        steps=(*steps, *more),
        record=record,
        config=config,
        files=texts,
        before=before,
        after=view.after(spec, seen, record, config, texts, certificate.own),
        final=False,
        certification=certificate,
        warnings=certificate.warnings,
    )


def _fetch(spec, seen):
    if seen.image is not None:
        return []
    if spec.pull == "never":
        raise Refused(f"Image {spec.image} is not on the host and pull is never. Nothing was changed")
    return [Step("pull", f"pull image {spec.image}")]


def _record(spec, seen, new_id):
    there = seen.adoptable
    if there is None:
        return identity.new_record(spec, seen, new_id)
    port = spec.port or (there.foreign.published or (None, None))[1]
    record = identity.new_record(dataclasses.replace(spec, port=port), seen, new_id)
    path, volume = data_source(there.foreign.mounts, there.answer["data_directory"])
    adopted = {
        "at": seen.now,
        "container": there.foreign.id,
        "image": there.foreign.image,
        "image_id": seen.image.id if seen.image else None,
        "started_at": there.foreign.started_at,
        "restart_policy": there.foreign.restart_policy,
        "method": MOVE if _moves(spec, there) else COPY,
        "data": path,
        "volume": volume,
        "owner": list(there.owner),
        "size": there.size,
        "major": there.image.major,
        "bootstrap": there.answer["bootstrap"],
        "database": choose_database(there.answer["databases"], spec.name),
        "roles_changed": False,
    }
    return dataclasses.replace(record, adopted=adopted, libc=there.image.libc, initialised=False)


def _moves(spec, there):
    """A volume is the engine's: it is copied."""
    return there.movable and data_source(there.foreign.mounts, there.answer["data_directory"])[1] is None


def target(spec, major):
    """Return where the data goes on the host."""
    return os.path.join(spec.directory, "pgdata", str(major), "docker")


def entries_to_keep(source, place):
    """Return what stays where it is when data that lies in our own directory is moved further down."""
    below = os.path.relpath(place, source).split(os.sep)[0]
    return OWN_ENTRIES if below == os.pardir else (*OWN_ENTRIES, below)


def _before(spec, seen):
    if seen.adoptable is None or seen.adoptable.obstacle:
        return {}
    there = seen.adoptable
    path, volume = data_source(there.foreign.mounts, there.answer["data_directory"])
    address, port = there.foreign.published or (None, None)
    return {
        "image": there.foreign.image,
        "port": port,
        "bind_address": address,
        "superuser": there.answer["bootstrap"],
        "database": choose_database(there.answer["databases"], spec.name),
        "data": f"volume {volume}" if volume else path,
        "restart_policy": there.foreign.restart_policy.get("Name"),
    }


def _take_over(spec, seen, record):
    adopted = record.adopted
    where = f"volume {adopted['volume']}" if adopted["volume"] else adopted["data"]
    place = target(spec, adopted["major"])
    verb = "move" if adopted["method"] == MOVE else "copy"
    kept = "" if verb == "move" else "; the original is left there"
    summary = (
        f"stop container {spec.container}, {verb} its data ({text.size(adopted['size'])}) from {where} to"
        f" {place}{kept}, and start a container of ours on it{_side_effects(spec, seen)}"
    )
    return [
        Step("adopt", summary, "recreate", "its data is to be read by one server only, and by a container of ours"),
        Step("arrange", f"put its roles in order: {_role_words(spec, record)}"),
        *_server_steps(spec, seen, record),
        removal_of_original(spec),
    ]


def _side_effects(spec, seen):
    """Name what clients will miss."""
    there, words = seen.adoptable, []
    if there is None:
        return ""
    if there.foreign.published is None:
        words.append("it was not published")
    elif there.foreign.published[0] != spec.bind_address:
        words.append(f"published at {spec.bind_address} instead of {there.foreign.published[0]}")
    left = [name for name in there.foreign.networks if name not in spec.networks]
    if left:
        words.append(f"no longer on network {', '.join(left)}")
    others = set(there.answer["databases"]) - {"postgres", choose_database(there.answer["databases"], spec.name)}
    if others:
        words.append(f"databases {', '.join(sorted(others))} stay in the server, but nobody can log in to them")
    return f" ({'; '.join(words)})" if words else ""


def _role_words(spec, record):
    adopted, words = record.adopted, []
    if adopted["bootstrap"] != "postgres":
        words.append(f"rename the superuser {adopted['bootstrap']} to postgres")
        if adopted["bootstrap"] == record.username:
            words.append(f"make an ordinary role {record.username}")
    words.append(f"let {record.username} own database {adopted['database']} and what superusers own in it")
    if adopted["database"] != spec.name:
        words.append(f"rename that database to {spec.name}")
    return ", ".join(words)


def _server_steps(spec, seen, record):
    """Predict what the server needs after its roles are in order."""
    there = seen.adoptable
    server = there.server if there is not None else None
    if server is None:
        return [Step("role", f"set the password of {record.username}")]
    role = server.role
    if record.adopted["bootstrap"] == record.username or role is None:
        role = {"verifier": None, "login": False, "privileged": False}
    elif spec.password is not None and not scram.matches(spec.password, role["verifier"]):
        role = {**role, "verifier": None}
    database = {**(server.database or {"public": True}), "owner": record.username}
    after = dataclasses.replace(server, role=role, database=database)
    return server_steps.change(spec, dataclasses.replace(seen, server=after), record)


def _refuse(spec, seen):
    """Refuse what cannot be taken over without risk, saying what mends it."""
    there = seen.adoptable
    if seen.record is not None and not (seen.record.adopted and not seen.record.initialised):
        raise _refusal(
            spec,
            f"there is a record of a database of that name in {spec.directory}, which is not the container's",
            "remove or rename the container, or move that directory away",
        )
    if there.obstacle:
        raise _refusal(spec, there.obstacle)
    foreign, answer = there.foreign, there.answer
    source = data_source(foreign.mounts, answer["data_directory"])
    for stands, wrong, mend in _obstacles(spec, seen, foreign, answer, source):
        if stands:
            raise _refusal(spec, wrong, mend)
    _refuse_lost_settings(spec, answer)
    if choose_database(answer["databases"], spec.name) is None:
        _refuse_databases(spec, answer["databases"])
    if not _moves(spec, there) and there.free < there.size + RESERVE:
        raise _refusal(
            spec,
            f"its data ({text.size(there.size)}) would be copied to {spec.data_root}, where {text.size(there.free)} are"
            " free",
            f"free {text.size(there.size + RESERVE - there.free)} there, or give another data_root",
        )
    if seen.record is None and seen.half_made and source[0] != target(spec, there.image.major):
        raise _refusal(
            spec, f"{spec.directory}/pgdata holds data already, which is not the container's", "move it away"
        )


def _obstacles(spec, seen, foreign, answer, source):
    """Return (whether it stands against an adoption, what is wrong, what mends it) of each obstacle there is."""
    nested = [mount[1] for mount in foreign.mounts if _inside(mount[1], answer["data_directory"])]
    nested = [path for path in nested if path != answer["data_directory"]]
    bootstrap, links = answer["bootstrap"], seen.adoptable.links
    dump = "dump its database and restore it into a new one"
    return [
        (
            seen.mounted_by,
            f"{', '.join(seen.mounted_by)} mounts {spec.directory}, too: two servers on it destroy it",
            "remove that container first",
        ),
        (
            foreign.removes_itself,
            "it was started with --rm: the engine removes it, with its anonymous volumes, as soon as it stops",
            dump,
        ),
        (
            foreign.host_network,
            "it is in the host's network, with no port of its own",
            "make it again with a published port, on the same data",
        ),
        (answer["standby"], "it is a standby", "take its primary over, or promote it first"),
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


def _refuse_databases(spec, databases):
    if databases == ["postgres"]:
        wrong = f"it has no database but postgres, which is for maintenance; there is to be one called {spec.name}"
        mend = (
            "where the application's data is in postgres, connect to template1 and run"
            f' ALTER DATABASE postgres RENAME TO "{spec.name}"; CREATE DATABASE postgres;'
            f' otherwise CREATE DATABASE "{spec.name}"'
        )
    else:
        wrong = f"none of its databases ({', '.join(databases)}) is called {spec.name}"
        mend = f'rename the one that is meant, as with ALTER DATABASE "{databases[0]}" RENAME TO "{spec.name}"'
    raise _refusal(spec, wrong, mend)


def _refuse_lost_settings(spec, answer):
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


def _refuse_other_image(spec, seen, record):
    adopted = record.adopted
    used = f"{adopted['image']} is what the container runs: declare it as image, or another one of"
    if seen.image.major != adopted["major"]:
        raise _refusal(
            spec,
            f"image {spec.image} is PostgreSQL {seen.image.major}, its data is PostgreSQL {adopted['major']}",
            f"{used} version {adopted['major']}",
        )
    if seen.image.libc != record.libc:
        raise _refusal(
            spec,
            f"image {spec.image} has {seen.image.libc}, its data was made under {record.libc}, which sorts text"
            " otherwise: indexes would miss rows",
            f"{used} that C library",
        )


def _refusal(spec, wrong, mend=None):
    return Refused(
        f"Container {spec.container} cannot be taken over: {wrong}. Nothing was changed{': ' + mend if mend else ''}"
    )


def _inside(path, directory):
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def closed(texts):
    """Return the managed files that let nobody in but us: a pg_hba.conf for the time until its roles are in order."""
    return {**texts, configuration.PG_HBA_CONF: takeover.CLOSED_HBA}

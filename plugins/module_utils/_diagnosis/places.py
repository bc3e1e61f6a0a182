# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies on the host of a database: its data, its files, and the disks that they are on."""

from __future__ import annotations

import os
from typing import Any

from .._domain import configuration
from .._domain.container import BACKUP_MOUNT
from .._domain.errors import DatabaseError
from .._domain.facts import ContainerFacts
from .._host import altered as altered_file
from .._host import files, mounts
from .._observing import observe
from .._planning import adoptable, supervised
from . import host as hosts
from .nouns import DataFacts, DiskFacts, Facts


def environment(raw: dict[str, Any] | None) -> dict[str, str]:
    """Return the variables that a container was made with."""
    entries = ((raw or {}).get("Config") or {}).get("Env") or []
    return dict(entry.partition("=")[::2] for entry in entries)


# Of what a server's user may write.
_MOST_BYTES = 1 << 20


def content(path: str) -> bytes | None:
    """Return what is in a file, None where it is not there or may not be read."""
    return _content(path)


def _content(path: str, most: int | None = None, follow: bool = True) -> bytes | None:
    try:
        found = files.read(path, most, follow)
    except DatabaseError:
        return None
    return None if found is None else found.content


def disks(facts: Facts, declared: Any, own: Any) -> tuple[DiskFacts, ...]:
    """Return the room that there is for the data, for the engine, and of a database of ours for its backups."""
    data = facts.data.path if facts.data is not None else None
    places = [("the data", data or (declared.directory if declared is not None else facts.data_root))]
    if facts.engine.root:
        places.append(("the engine", facts.engine.root))
    if own is not None:
        places.append(("the backups", own.backup_directory))
    found = [hosts.disk_facts(what, path) for what, path in places]
    return tuple(disk for disk in found if disk is not None)


def data(host: Any, own: Any, raw: dict[str, Any] | None, container: ContainerFacts | None) -> DataFacts | None:
    """Return where the data is and how it is; None of what is no database of ours, and has no container."""
    if raw is None:
        return None if own is None else _data_at(_path_of(own, None), None, None, ())
    foreign = adoptable.from_inspect(raw)
    # What a container that runs has is there for it. To start one of ours puts back where its backups are.
    needed = [] if container is not None and container.running else foreign.mounts
    gone = [source for source, inside, kind, _volume in needed if _is_gone(source, kind) and not _is_made(own, inside)]
    missing = gone[0] if gone else None
    if own is not None:
        path = _path_of(own, container)
        source = os.path.join(own.directory, "pgdata")
    else:
        inside = environment(raw).get("PGDATA") or "/var/lib/postgresql/data"
        found = adoptable.data_source(foreign.mounts, inside)
        if found is None:
            return DataFacts(path=None, missing=missing)
        path = found[0]
        source = supervised.mount_of([{"Source": mount[0]} for mount in foreign.mounts], path)
    rivals = tuple(supervised.rivals(list(host.listed), path, source, (foreign.id,)))
    major = container.major if container is not None else None
    return _data_at(path, major, missing, rivals)


def replaced(raw: dict[str, Any], container: ContainerFacts) -> tuple[str, ...]:
    """Return what a container that runs mounts, and is something else on the host by now."""
    foreign = adoptable.from_inspect(raw)
    pairs = [(source, inside) for source, inside, kind, _volume in foreign.mounts if kind in ("bind", "volume")]
    return mounts.replaced(container.pid, pairs) if container.running else ()


def _path_of(own: Any, container: ContainerFacts | None) -> str:
    """Return the data directory that a server of ours runs on, or would."""
    majors = observe.data_majors(own.directory)
    major = container.major if container is not None and container.major is not None else None
    root = os.path.join(own.directory, "pgdata")
    if major is not None and (not majors or major in majors):
        return os.path.join(root, str(major), "docker")
    return os.path.join(root, str(majors[-1]), "docker") if majors else root


def _is_made(own: Any, inside: str) -> bool:
    return own is not None and inside == BACKUP_MOUNT


def _is_gone(source: str, kind: str) -> bool:
    return kind in ("bind", "volume") and bool(source) and not os.path.lexists(source)


def _data_at(path: str, wanted: int | None, missing: str | None, rivals: tuple[str, ...]) -> DataFacts:
    mark = _content(os.path.join(path, "PG_VERSION"), files.MARK_BYTES, follow=False)
    said = (mark or b"").strip()
    uid, files_uid, mode = hosts.ownership(path)
    return DataFacts(
        path=path,
        there=mark is not None,
        half_made=mark is None and hosts.holds_anything(path),
        major=int(said) if said.isdigit() and len(said) < 4 else None,
        wanted_major=wanted,
        uid=uid,
        files_uid=files_uid,
        mode=mode,
        missing=missing,
        rivals=rivals,
    )


def altered(own: Any, container: ContainerFacts) -> tuple[str, ...]:
    majors = observe.data_majors(own.directory) if own is not None and not container.running else ()
    return altered_file.names(own.directory, majors[-1]) if majors else ()


def declared_buffers(own: Any, data: DataFacts | None) -> int | None:
    """Return what the files of a server of ours say of shared_buffers, for one that does not run."""
    if own is None:
        return None
    known = os.path.join(data.path, "postgresql.conf") if data is not None and data.path else None
    initial = _parameters(_content(known, _MOST_BYTES, follow=False)) if known is not None else {}
    personal = _parameters(content(os.path.join(own.directory, configuration.PERSONAL_CONF)))
    given = {**initial, **own.derived, **personal, **own.settings}
    return in_bytes(given.get("shared_buffers"))


def _parameters(text: bytes | None) -> dict[str, str]:
    return configuration.personal_parameters((text or b"").decode("utf-8", "replace"))


def in_bytes(value: Any) -> int | None:
    """Return the bytes of a parameter such as 128MB; a number alone is of blocks."""
    text = str(value or "").strip()
    digits = text.rstrip("kMGTB ")
    units = {"": 8192, "B": 1, "kB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
    unit = text[len(digits) :].strip()
    return int(digits) * units[unit] if digits.isdigit() and unit in units else None

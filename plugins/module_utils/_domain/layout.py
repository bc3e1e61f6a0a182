# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things lie on a Docker host. Pure."""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Iterable

LOCKS = ".locks"
TRASH = ".trash"
IMAGES = ".images"
SCHEDULE = ".schedule"
# What all data roots of a host share. It need not outlive a boot: a database that was made before has a container.
SHARED = "/run/vellaric.postgres"
# What everybody on a host may read, since clients need it: nobody but root gets into the data roots.
CERTIFICATES = "/var/vellaric/certificates"


def authority(data_root: str) -> str:
    """The directory of the certificate authority of the databases below one data root."""
    return os.path.join(data_root, ".tls")


def public_authority(container: str) -> str:
    """Where clients on the host find the certificate of the authority that they verify a server with."""
    return os.path.join(CERTIFICATES, f"{container}.crt")


def seal_key(data_root: str) -> str:
    """The key with which the backups of the databases below one data root are sealed."""
    return os.path.join(data_root, ".seal.key")


def is_database(entry: str) -> bool:
    """Say whether an entry of a data root or of a root of backups is called as the directory of a database."""
    return re.fullmatch(r"[a-z0-9-]+-(production|staging|development)-postgres", entry) is not None


def authority_lock(data_root: str) -> str:
    """The lock for what the databases below one data root share: the certificate authority."""
    return os.path.join(data_root, LOCKS, "authority")


def ports_lock() -> str:
    """The lock for what all databases of a host share, whatever their data root: the ports."""
    return os.path.join(SHARED, "ports.lock")


def data_roots() -> str:
    """The file that names the data roots below which ports have been chosen, one in a line."""
    return os.path.join(SHARED, "data_roots")


def database_lock(data_root: str, container: str) -> str:
    """Held by a run from its first look to its last step."""
    return os.path.join(data_root, LOCKS, container)


def backup_lock(data_root: str, container: str) -> str:
    """Held while a backup is taken, and by what would interrupt one: a change that needs neither waits for neither."""
    return os.path.join(data_root, LOCKS, f"{container}.backup")


def verification_lock(data_root: str, container: str) -> str:
    """Held while a backup of the database is verified."""
    return os.path.join(data_root, LOCKS, f"{container}.verify")


def schedule(data_root: str) -> str:
    """The directory of what is scheduled on the host, and of what became of it."""
    return os.path.join(data_root, SCHEDULE)


def schedule_lock(data_root: str) -> str:
    """Held by a scheduled run: one at a time on a host, that it has power left for what it serves."""
    return os.path.join(data_root, LOCKS, "schedule")


def image_cache(data_root: str) -> str:
    """The directory of what is known of images, by their ids."""
    return os.path.join(data_root, IMAGES)


def models(data_root: str) -> str:
    """What initdb made for several new databases of one run, while they are made."""
    return os.path.join(data_root, ".models")


def models_lock(data_root: str) -> str:
    """Held by the run that makes what several new databases are copied from."""
    return os.path.join(data_root, LOCKS, "models")


def trash(data_root: str, container: str, now: str, database_id: str) -> str:
    """The place of a deleted database: names may come again, ids do not."""
    return os.path.join(data_root, TRASH, f"{container}-{now[:19].replace(':', '').replace('-', '')}-{database_id}")


def trashed(container: str, entries: Iterable[str]) -> tuple[str, ...]:
    """Return those entries of the trash that were databases of that container name, the one deleted last at the end."""
    return tuple(sorted(entry for entry in entries if _trash_match(container, entry)))


def deleted_at(container: str, entry: str) -> tuple[str, str]:
    """Return when an entry of the trash was deleted (ISO 8601, UTC), and the id of the database."""
    match = _trash_match(container, entry)
    if match is None:
        raise ValueError(f"{entry} is no entry of the trash of {container}")
    moment = datetime.datetime.strptime(match.group(1), "%Y%m%dT%H%M%S")
    return moment.isoformat() + "Z", match.group(2)


def expired(container: str, entries: Iterable[str], now: str, days: int) -> tuple[str, ...]:
    """Return the entries that were deleted more than that many days before now (ISO 8601, UTC)."""
    limit = datetime.datetime.fromisoformat(now[:19]) - datetime.timedelta(days=days)
    return tuple(entry for entry in entries if deleted_at(container, entry)[0] < limit.isoformat() + "Z")


def _trash_match(container: str, entry: str) -> re.Match[str] | None:
    return re.fullmatch(re.escape(container) + r"-(\d{8}T\d{6})-(db-[0-9a-f]{24}|unrecorded)", entry)


def doomed(data_root: str, container: str) -> str:
    """The place of a directory while it is removed: half a removal must not look like a database."""
    return os.path.join(data_root, TRASH, f".purge-{container}")


_PREVIOUS = "-previous"


def previous_container(container: str) -> str:
    """The name that a container has while its successor is tried."""
    return container + _PREVIOUS


def successor(container: str) -> str:
    """The name of the container that is tried while another has this one; the same one where none is."""
    return container[: -len(_PREVIOUS)] if container.endswith(_PREVIOUS) else container

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups as a person or a run asks for them, wherever they lie: which is meant, how old it is, what is shown of it."""

from __future__ import annotations

import dataclasses
import datetime
from typing import TYPE_CHECKING, Any

from .._domain import clock
from .._domain.errors import DatabaseError
from . import manifest as manifests
from . import naming

if TYPE_CHECKING:
    from .manifest import Manifest
    from .place import Place


@dataclasses.dataclass(frozen=True)
class Backup:
    """A backup. manifest: None where there is none that can be read.

    damage: what is wrong with it, as far as a look shows; None for one that counts. undecided: that is only why nobody
    can say so here. path: as a person is told it. size_bytes: of what is there. created_at: as the
    manifest, or else the name, has it.
    """

    container: str
    file_name: str
    path: str
    format: str
    size_bytes: int
    created_at: str
    age_seconds: int
    manifest: Manifest | None
    damage: str | None
    undecided: bool = False

    @property
    def good(self) -> bool:
        return self.damage is None

    @property
    def checked(self) -> bool:
        """Whether it is good, and has been read to its end since it was taken."""
        return self.good and self.manifest is not None and self.manifest.checked_at is not None

    @property
    def verified(self) -> bool:
        """Whether it is good, and has been restored and compared."""
        return self.good and self.manifest is not None and self.manifest.verified_at is not None

    @property
    def sequence(self) -> int:
        """Its place among the backups of its database; 0 where no manifest says."""
        return self.manifest.sequence if self.manifest else 0


def find(place: Place, wanted: str, now: datetime.datetime | None = None) -> Backup:
    """Return the backup of that name, or the newest good (`latest`) or newest verified (`latest_verified`) one.

    Of what a restore has replaced, a backup is only meant by its name: else a restore that is run twice undoes itself.
    Raises DatabaseError where there is none.
    """
    container, there = place.container, place.backups(now)
    if wanted in ("latest", "latest_verified"):
        fitting = [b for b in there if (b.verified if wanted == "latest_verified" else b.good)]
        what = "verified backup" if wanted == "latest_verified" else "backup"
        verify = wanted == "latest_verified" and any(b.good for b in there)
        fix = "Verify one: playbook verify" if verify else "Take one: playbook backup"
        if not fitting:
            raise DatabaseError(
                f"There is no {what} of {container} in {place.shown}. {fix}, or module postgres_db_backup"
            )
        meant = [b for b in fitting if b.manifest is None or b.manifest.taken_by != manifests.BEFORE_RESTORE]
        if not meant:
            raise DatabaseError(
                f"There is no {what} of {container} but of what a restore or an import has replaced, such as"
                f" {fitting[-1].file_name}. To have that back, give its name"
            )
        return meant[-1]
    naming.check(container, wanted)
    for backup in there:
        if backup.file_name == wanted:
            return backup
    listed = ", ".join(b.file_name for b in there[-5:]) or "none at all"
    raise DatabaseError(f"There is no backup {wanted} in {place.shown}. The newest are: {listed}")


def passed_over(place: Place, backup: Backup) -> list[Backup]:
    """Return the backups that are newer than one, and do not count: `latest` is not the last that was taken then."""
    return [
        other
        for other in place.backups()
        if not other.good
        and not (other.manifest and other.manifest.taken_by == manifests.BEFORE_RESTORE)
        # What has no manifest has but a name.
        and (other.sequence > backup.sequence if other.manifest else other.created_at > backup.created_at)
    ]


def told(passed: list[Backup]) -> str:
    """Say of backups why they do not count."""
    return "; ".join(f"{backup.file_name}: {backup.damage}" for backup in passed[-3:])


def describe(backup: Backup) -> dict[str, Any]:
    """Return what a person sees of a backup, as postgres_db_info and the result of postgres_db_backup have it."""
    manifest = backup.manifest
    shown = {
        "name": backup.file_name,
        "path": backup.path,
        "container_name": backup.container,
        "format": backup.format,
        "size_bytes": backup.size_bytes,
        "created_at": backup.created_at,
        "age_seconds": backup.age_seconds,
        "good": backup.good,
        "damage": None if backup.undecided else backup.damage,
        "undecided": backup.damage if backup.undecided else None,
        "checked": backup.checked,
        "verified": backup.verified,
    }
    for key in _SHOWN:
        shown[key] = getattr(manifest, key) if manifest else None
    return shown


_SHOWN = (
    "compression",
    "sha256",
    "duration_seconds",
    "database_size_bytes",
    "server_version",
    "image",
    "taken_by",
    "checked_at",
    "checked_how",
    "verified_at",
    "verified_how",
    "failed_at",
    "failure",
)


def age(moment: str, now: datetime.datetime | None = None) -> int:
    """Return the seconds since a moment of a manifest."""
    return int(((now or clock.utc_now()) - datetime.datetime.fromisoformat(moment[:19])).total_seconds())

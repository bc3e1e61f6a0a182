# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the backups of a database lie: all that taking, verifying, restoring, retention and schedules know of it.

Another kind of place, such as an object store, is a class beside LocalDirectory, and a line in target.place_of.
"""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime
    from contextlib import AbstractContextManager
    from typing import Any

    from .catalog import Backup
    from .manifest import Manifest
    from .stage import Stage


class Place(abc.ABC):
    """Where the backups of one database lie.

    A backup is a dump, the roles of its server, and a manifest, which is published last and removed first: it counts
    when that is there. Every method raises DatabaseError where it cannot do what it says, and Undecided where that says
    nothing of what is there.
    """

    container: str

    @property
    @abc.abstractmethod
    def shown(self) -> str:
        """Where that is, as a person is told."""

    @abc.abstractmethod
    def backups(self, now: datetime.datetime | None = None) -> list[Backup]:
        """Return the backups that are there, the newest last, by when they were taken (Backup.sequence)."""

    @abc.abstractmethod
    def hold(self, backup: Backup) -> AbstractContextManager[str]:
        """Keep a backup from being removed, and give the path under which its dump is read on this host meanwhile.

        Its name there is its own; whatever user an image has may read it, and on the host nobody but root gets there.
        """

    @abc.abstractmethod
    def read_roles(self, backup: Backup) -> str | None:
        """Return the SQL of the roles that lies beside a backup; None where there is none."""

    @abc.abstractmethod
    def stage(self, uid: int, gid: int) -> AbstractContextManager[Stage]:
        """Give the Stage for a new backup, and leave nothing on it, nor of what a killed run had left.

        uid, gid: of the server's user in the container. The caller holds layout.backup_lock.
        """

    @abc.abstractmethod
    def publish(self, stage: Stage, manifest: Manifest, roles: str | None) -> None:
        """Bring what is finished on the stage here, the manifest last. Nothing that is there is replaced."""

    @abc.abstractmethod
    def revise(self, backup: Backup, **changes: Any) -> Manifest:
        """Write changes of a backup's manifest, on top of what is there by now, and return the new Manifest."""

    @abc.abstractmethod
    def remove(self, backup: Backup) -> None:
        """Remove a backup and what is beside it. Raises DatabaseError where somebody holds it."""

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a backup is made on this host, whatever place it goes to: a directory that the server's container mounts.

The server's user writes only in WORK, and what is there is not trusted. What was taken in from there, or written by us,
belongs to root, and has a hidden name until it is whole (`partial`).
"""

from __future__ import annotations

import dataclasses
import os
import stat

from .._domain.errors import DatabaseError
from .._host import files
from . import entries, naming


@dataclasses.dataclass(frozen=True)
class Stage:
    """uid, gid: of the server's user in the container."""

    directory: str
    uid: int
    gid: int

    @property
    def work(self) -> str:
        return os.path.join(self.directory, naming.WORK)

    def partial(self, name: str) -> str:
        """Return the path that a file has until it is whole."""
        return os.path.join(self.directory, f".{name}{files.PARTIAL}")

    def take_in(self, name: str) -> str:
        """Take what the server's user wrote in WORK out of its reach."""
        source, target = os.path.join(self.work, name), self.partial(name)
        with entries.errors("take over", source):
            os.rename(source, target)
            descriptor = entries.open_entry(target)
            try:
                if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                    for entry in os.listdir(target):
                        inner = entries.open_entry(os.path.join(target, entry))
                        self._own(inner, 0o640)
                        os.close(inner)
                    self._own(descriptor, 0o750)
                else:
                    self._own(descriptor, 0o640)
            finally:
                os.close(descriptor)
        return target

    def _own(self, descriptor: int, mode: int) -> None:
        status = os.fstat(descriptor)
        if status.st_nlink > 1 and stat.S_ISREG(status.st_mode):
            raise DatabaseError(f"A file in {self.work} has another name elsewhere: it is not taken for a backup")
        os.fchown(descriptor, 0, self.gid)
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory that a host and a container share while a dump is loaded."""

from __future__ import annotations

import dataclasses
import os
import shutil

from .._domain.container import HOME_MOUNT
from .._domain.facts import ImageFacts
from .._host import files

# Below the directory of a database, which its container sees read-only: pipes, lists and copies while they are needed.
DIRECTORY = "load"


@dataclasses.dataclass(frozen=True)
class Exchange:
    """A directory that the host and the container share: its path on either side, and the server's user there."""

    host: str
    container: str
    uid: int
    gid: int


def of(directory: str, image: ImageFacts) -> Exchange:
    """Return the Exchange of a database of ours (its directory on the host)."""
    return Exchange(os.path.join(directory, DIRECTORY), f"{HOME_MOUNT}/{DIRECTORY}", image.uid, image.gid)


def copy_in(path: str, exchange: Exchange, uid: int) -> str:
    """Copy a dump into an exchange, for one user only; return its path in the container."""
    files.make_directory(exchange.host, 0o711)
    target = os.path.join(exchange.host, "dump")
    pairs = [(path, target)]
    if os.path.isdir(path):
        files.make_directory(target, 0o500, uid, uid)
        pairs = [(os.path.join(path, entry), os.path.join(target, entry)) for entry in sorted(os.listdir(path))]
    for source, copy in pairs:
        with files._errors("copy", source):
            shutil.copyfile(source, copy, follow_symlinks=True)
            os.chown(copy, uid, uid, follow_symlinks=False)
            os.chmod(copy, 0o400)
    return f"{exchange.container}/dump"


def clear(exchange: Exchange) -> None:
    """Remove what a run that was interrupted has left in an exchange. The caller holds the database's lock."""
    files.remove_tree(exchange.host)

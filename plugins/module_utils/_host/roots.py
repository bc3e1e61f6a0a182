# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data roots of this host, and those of the backups. Each has its own databases; the ports they share.

Nobody but root gets into them: what is in there belongs to users of the images, whose ids mean nothing on the host.
"""

from __future__ import annotations

import dataclasses
import os
import stat
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from .._domain import container as containers
from .._domain import labels, layout
from .._domain.spec import DEFAULTS
from . import files


def others(data_root: str, listed: Iterable[dict[str, Any]]) -> list[str]:
    """Return the data roots other than this one, by the engine's list of containers and by what runs have left."""
    found = {*_remembered(), *(root for entry in listed for root in _mounted(entry))}
    # One root may be reached by several paths.
    own = os.path.realpath(data_root)
    return sorted({os.path.realpath(root) for root in found} - {own})


def remember(data_root: str) -> None:
    """Name a data root to the runs below others, whose databases may not have containers yet. Under the ports' lock."""
    known = _remembered()
    if data_root not in known:
        kept = [root for root in known if os.path.isdir(root)]
        files.write(layout.data_roots(), "".join(f"{root}\n" for root in [*kept, data_root]).encode("utf-8"), 0o600)


def _remembered() -> list[str]:
    content = files.read(layout.data_roots())
    return [] if content is None else content.content.decode("utf-8", "replace").splitlines()


def _mounted(entry: dict[str, Any]) -> Iterator[str]:
    if labels.is_managed(entry.get("Labels")):
        for mount in entry.get("Mounts") or []:
            if mount.get("Destination") == containers.DATA_MOUNT and mount.get("Source"):
                yield os.path.dirname(os.path.dirname(mount["Source"]))


@dataclasses.dataclass(frozen=True)
class Open:
    """A root that others on the host than root get into.

    strangers: what is in it that is not of this collection, so that it is not ours to close. wanted: its mode then.
    """

    path: str
    mode: int
    wanted: int
    strangers: tuple[str, ...]

    @property
    def words(self) -> str:
        return f"allow only root into {self.path} (mode {self.mode:04o} -> {self.wanted:04o})"

    @property
    def why_not(self) -> str:
        what = f"{self.strangers[0]!r}" + (f" and {len(self.strangers) - 1} more" if len(self.strangers) > 1 else "")
        return (
            f"all users of the host have access to {self.path}, which is not closed, because it holds other things, too"
            f" ({what}): files of databases there belong to user ids of their images, which may be those of other users"
            f" on the host. Use a directory that holds nothing else, or close that one (chmod o-rwx {self.path})"
        )


def make(root: str) -> None:
    """Make a root where there is none, for nobody but root to get into."""
    if not os.path.isdir(root):
        files.make_directory(root, 0o700, 0, 0)


def opened(paths: Iterable[str], known: Collection[str]) -> list[Open]:
    """Return an Open for each root that others get into, in the order given. known: all roots, which may be nested.

    A mode that keeps others out is a person's own matter, and so is a group other than root's.
    """
    found = []
    for path in dict.fromkeys(paths):
        try:
            status = os.stat(path)
        except OSError:
            continue
        mode = stat.S_IMODE(status.st_mode)
        wanted = mode & ~(0o007 if status.st_gid else 0o077)
        if not mode & 0o007:
            continue
        strangers = _strangers(path, known)
        if not strangers or _reached_by_others(path):
            found.append(Open(path, mode, wanted, strangers))
    return found


def close(root: Open) -> None:
    """Keep others out of a root. Raises DatabaseError."""
    files.change_mode(root.path, root.wanted)


def _strangers(path: str, known: Collection[str]) -> tuple[str, ...]:
    # As they are called by default, they are nobody else's.
    if path in (DEFAULTS["data_root"], DEFAULTS["backup_root"]):
        return ()
    nested = [os.path.relpath(os.path.realpath(root), os.path.realpath(path)) for root in known]
    return tuple(
        entry
        for entry in sorted(os.listdir(path))
        if not entry.startswith(".")
        and entry != "lost+found"
        and not layout.is_database(entry)
        and not any(root.split(os.sep)[0] == entry for root in nested)
    )


def is_roots_alone(path: str) -> bool:
    """Say whether nobody but root can put something else at a path, be it by another name.

    Nobody knows that here of what is not on this host, such as a backup in another place.
    """
    if not os.path.lexists(path):
        return False
    path = os.path.realpath(path)
    while True:
        status = os.stat(path)
        # In a directory like /var/tmp nobody renames what is another's.
        if status.st_uid != 0 or (status.st_mode & 0o022 and not status.st_mode & stat.S_ISVTX):
            return False
        if path == "/":
            return True
        path = os.path.dirname(path)


def _reached_by_others(path: str) -> bool:
    """Say whether a way leads there for others: each directory above lets them through."""
    path = os.path.realpath(path)
    while path != "/":
        path = os.path.dirname(path)
        if not os.stat(path).st_mode & 0o001:
            return False
    return True

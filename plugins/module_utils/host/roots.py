# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data roots of this host. Each has its own databases; the ports they share."""

from __future__ import annotations

import os

from .. import container as containers
from .. import layout
from ..facts import LABEL, MANAGED_BY
from . import files


def others(data_root, listed):
    """Return the data roots other than this one, by the engine's list of containers and by what runs have left."""
    found = {*_remembered(), *(root for entry in listed for root in _mounted(entry))}
    # One root may be reached by several paths.
    own = os.path.realpath(data_root)
    return sorted({os.path.realpath(root) for root in found} - {own})


def remember(data_root):
    """Name a data root to the runs below others, whose databases may not have containers yet. Under the ports' lock."""
    known = _remembered()
    if data_root not in known:
        kept = [root for root in known if os.path.isdir(root)]
        files.write(layout.data_roots(), "".join(f"{root}\n" for root in [*kept, data_root]).encode("utf-8"), 0o644)


def _remembered():
    content = files.read(layout.data_roots())
    return [] if content is None else content.content.decode("utf-8", "replace").splitlines()


def _mounted(entry):
    if (entry.get("Labels") or {}).get(LABEL + "managed-by") == MANAGED_BY:
        for mount in entry.get("Mounts") or []:
            if mount.get("Destination") == containers.DATA_MOUNT and mount.get("Source"):
                yield os.path.dirname(os.path.dirname(mount["Source"]))

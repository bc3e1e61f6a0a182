# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things lie on a Docker host. Pure."""

from __future__ import annotations

import os

LOCKS = ".locks"
TRASH = ".trash"
IMAGES = ".images"


def host_lock(data_root):
    """The lock for what the databases of a host share: the ports and the certificate authority."""
    return os.path.join(data_root, LOCKS, "host")


def database_lock(data_root, container):
    return os.path.join(data_root, LOCKS, container)


def image_cache(data_root):
    return os.path.join(data_root, IMAGES)


def trash(data_root, container, now, database_id):
    """The place of a deleted database: names may come again, ids do not."""
    return os.path.join(data_root, TRASH, f"{container}-{now[:19].replace(':', '').replace('-', '')}-{database_id}")


def doomed(data_root, container):
    """The place of a directory while it is removed: half a removal must not look like a database."""
    return os.path.join(data_root, TRASH, f".purge-{container}")


def previous_container(container):
    """The name that a container has while its successor is tried."""
    return f"{container}-previous"

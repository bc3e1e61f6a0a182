# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What directories take on the disk, and what file systems have left."""

from __future__ import annotations

import os
import time

from ..errors import DatabaseError

# As stat(2) counts blocks, whatever those of the file system are.
_BLOCK = 512


def usage(path, seconds):
    """Return the bytes that a directory takes on the disk, as `du` does: None where there is none.

    What others remove meanwhile does not count. Raises DatabaseError after seconds, or where it may not be read.
    """
    try:
        total = os.lstat(path).st_blocks * _BLOCK
    except FileNotFoundError:
        return None
    deadline = time.monotonic() + seconds
    links, waiting = set(), [path]
    while waiting:
        if time.monotonic() > deadline:
            raise DatabaseError(f"{path} could not be measured within {seconds} s: raise timeout")
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    total += _entry(entry, links, waiting)
        except FileNotFoundError:
            continue
        except PermissionError as error:
            raise DatabaseError(f"Could not read {error.filename}: use become: true") from None
        except OSError as error:
            raise DatabaseError(f"Could not read {error.filename}: {error.strerror}") from error
    return total


def _entry(entry, links, waiting):
    try:
        status = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return 0
    if entry.is_dir(follow_symlinks=False):
        waiting.append(entry.path)
    elif status.st_nlink > 1:
        # Backups and upgrades may share files by hard links: each counts once.
        if (status.st_dev, status.st_ino) in links:
            return 0
        links.add((status.st_dev, status.st_ino))
    return status.st_blocks * _BLOCK


def space(path):
    """Return the space of the file system of a path, or of the nearest directory above that is there."""
    while not os.path.exists(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    try:
        status = os.statvfs(path)
    except OSError as error:
        raise DatabaseError(f"Could not ask for the space of {path}: {error.strerror}") from error
    used = (status.f_blocks - status.f_bfree) * status.f_frsize
    free = status.f_bavail * status.f_frsize
    return {
        "total_bytes": status.f_blocks * status.f_frsize,
        "used_bytes": used,
        "free_bytes": free,
        # What is kept for root does not count, as in `df`: an ordinary process, such as the server, cannot use it.
        "used_percent": round(100 * used / (used + free), 1) if used + free else 100.0,
    }

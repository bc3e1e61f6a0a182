# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and directories of backups on this host: opened without following anything, and what keeps one from it.

The server in the container can write below this directory, and could be made to: nothing here follows a symbolic link.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator

from .._domain.errors import DatabaseError, Undecided


def open_entry(path: str) -> int:
    """Open a file or directory for reading, but neither a symbolic link nor a pipe."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        kind = DatabaseError if is_lost(error) else Undecided
        raise kind(f"Could not read {path}: {error.strerror}") from error
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        os.close(descriptor)
        raise DatabaseError(f"{path} is neither a file nor a directory")
    return descriptor


def is_lost(error: OSError) -> bool:
    """Say whether what could not be read is not there, and not just out of reach."""
    return error.errno in (errno.ENOENT, errno.ELOOP, errno.EIO, errno.EBADMSG, errno.EUCLEAN)


@contextlib.contextmanager
def errors(verb: str, path: str) -> Iterator[None]:
    """Turn what the operating system says into a DatabaseError that says what fixes it."""
    try:
        yield
    except OSError as error:
        fixes = {
            "ENOSPC": ": remove old backups (state: pruned), or make room",
            "EDQUOT": ": remove old backups (state: pruned), or make room",
            "EACCES": ". Use become: true where root owns it",
            "EPERM": ". Use become: true where root owns it",
            "EROFS": ": its file system is mounted for reading only",
        }
        fix = fixes.get(_name(error), "")
        # What cannot be read says nothing of what is there, unless the disk itself does not give it back.
        kind = Undecided if verb == "read" and not is_lost(error) else DatabaseError
        raise kind(f"Could not {verb} {path}: {error.strerror or error}{fix}") from error


def _name(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, "")

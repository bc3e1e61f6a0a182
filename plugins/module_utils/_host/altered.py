# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ALTER SYSTEM has set, in a data directory whose server does not run, perhaps because of it.

The directory is the server's user's: no link in there is followed.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Collection, Iterator

from .._domain import configuration
from .._domain.errors import DatabaseError

FILE = "postgresql.auto.conf"
_TEMPORARY = ".vellaric.auto.conf"
_MOST_BYTES = 1 << 20
_NO_LINK = os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def _directory(directory: str, major: int) -> Iterator[int]:
    opened = []
    try:
        opened.append(os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
        for name in ("pgdata", str(major), "docker"):
            opened.append(os.open(name, os.O_PATH | os.O_DIRECTORY | _NO_LINK, dir_fd=opened[-1]))
        yield opened[-1]
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _read(place: int) -> tuple[str, os.stat_result]:
    """Return (text, its status)."""
    with os.fdopen(os.open(FILE, os.O_RDONLY | os.O_NONBLOCK | _NO_LINK, dir_fd=place), "rb") as stream:
        status = os.fstat(stream.fileno())
        content = stream.read(_MOST_BYTES + 1)
    if not stat.S_ISREG(status.st_mode) or len(content) > _MOST_BYTES:
        raise OSError(f"{FILE} is not what a server writes")
    return content.decode("utf-8", "surrogateescape"), status


def names(directory: str, major: int) -> tuple[str, ...]:
    """Return the names of the parameters that ALTER SYSTEM has set; none where that cannot be told."""
    try:
        with _directory(directory, major) as place:
            return tuple(sorted(configuration.parameters(_read(place)[0])))
    except OSError:
        return ()


def reset(directory: str, major: int, unwanted: Collection[str]) -> None:
    """Take parameters out, as ALTER SYSTEM RESET does. Raises DatabaseError."""
    try:
        with _directory(directory, major) as place:
            text, status = _read(place)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(_TEMPORARY, dir_fd=place)
            created = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK
            with os.fdopen(os.open(_TEMPORARY, created, 0o600, dir_fd=place), "wb") as stream:
                stream.write(configuration.without(text, unwanted).encode("utf-8", "surrogateescape"))
                os.fchown(stream.fileno(), status.st_uid, status.st_gid)
                stream.flush()
                os.fsync(stream.fileno())
            os.rename(_TEMPORARY, FILE, src_dir_fd=place, dst_dir_fd=place)
    except OSError as error:
        raise DatabaseError(f"Could not take parameters out of {FILE} in {directory}: {error}") from error

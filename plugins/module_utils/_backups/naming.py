# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a backup and the files beside it are called. Pure."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Iterable

from .._domain.errors import DatabaseError

FORMATS = ("plain", "custom", "directory")
COMPRESSIONS = ("gzip", "zstd", "lz4", "none")
# Where a backup is made, inside the directory of the database's backups: the only part that its server can write to,
# and what is found there without a run at work is what a killed one has left.
WORK = ".work"

_SUFFIXES = {
    ("plain", "gzip"): ".sql.gz",
    ("plain", "zstd"): ".sql.zst",
    ("plain", "lz4"): ".sql.lz4",
    ("plain", "none"): ".sql",
}
_OTHER_SUFFIXES = {"custom": ".dump", "directory": ".dir"}
_STAMP = "%Y%m%d-%H%M%S"


@dataclasses.dataclass(frozen=True)
class Name:
    """The parts of a backup's name. moment: UTC, without a time zone; compression: None where the name says none."""

    container: str
    moment: datetime.datetime
    format: str
    compression: str | None


def suffix(format_: str, compression: str) -> str:
    """Return the end of a backup's name, with its dot: C(.sql.gz)."""
    return _OTHER_SUFFIXES.get(format_) or _SUFFIXES[(format_, compression)]


def file_name(container: str, moment: datetime.datetime, format_: str, compression: str) -> str:
    """Return the name of a backup. moment: UTC."""
    return f"{container}-{moment.strftime(_STAMP)}{suffix(format_, compression)}"


def parse(container: str, name: str) -> Name | None:
    """Return the Name of a backup of that container, or None for any other file, its manifests and globals too.

    Containers whose names begin alike are told apart: backups of `app` are not those of `app-test`.
    """
    endings = "|".join(re.escape(ending) for ending in (*_SUFFIXES.values(), *_OTHER_SUFFIXES.values()))
    match = re.fullmatch(re.escape(container) + rf"-([0-9]{{8}}-[0-9]{{6}})({endings})", name)
    if not match:
        return None
    try:
        moment = datetime.datetime.strptime(match.group(1), _STAMP)
    except ValueError:
        return None
    for (format_, compression), ending in _SUFFIXES.items():
        if ending == match.group(2):
            return Name(container, moment, format_, compression)
    formats = {ending: format_ for format_, ending in _OTHER_SUFFIXES.items()}
    return Name(container, moment, formats[match.group(2)], None)


def check(container: str, name: str) -> str:
    """Return the name of a backup that a user gave, without a directory. Raises DatabaseError for what is none."""
    if parse(container, name) is None:
        raise DatabaseError(
            f"backup is {name!r}, which is not the name of a backup of {container}: one is called such as"
            f" {container}-20261231-235959.sql.gz"
        )
    return name


def manifest_name(name: str) -> str:
    """Return the name, or the path, of the manifest beside a backup."""
    return f"{name}.json"


def globals_name(name: str) -> str:
    """Return the name, or the path, of the file of roles beside a backup."""
    return f"{name}.globals.sql"


def free_moment(container: str, names: Iterable[str], now: datetime.datetime) -> datetime.datetime:
    """Return the first second from now on that no backup among the names has, whatever its format."""
    taken = {parsed.moment for parsed in (parse(container, name) for name in names) if parsed is not None}
    moment = now.replace(microsecond=0)
    while moment in taken:
        moment += datetime.timedelta(seconds=1)
    return moment

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journals of a database on this host (_domain/journal.py): each is on the disk before anything follows."""

from __future__ import annotations

import os

from .._domain import journal as journals
from .._domain.journal import Journal
from . import files


def read(directory: str, operation: str) -> Journal | None:
    """Return the Journal of an operation that was interrupted. directory: of the database. Raises DatabaseError."""
    path = _path(directory, operation)
    known = files.read(path)
    return None if known is None else journals.from_json(known.content, path)


def write(directory: str, journal: Journal) -> None:
    """Begin an operation, or say that it has come further."""
    files.write(_path(directory, journal.operation), journals.to_json(journal).encode("utf-8"), 0o600)


def end(directory: str, operation: str) -> None:
    """The operation has come to its end: there is nothing to resume."""
    files.remove(_path(directory, operation))


def _path(directory: str, operation: str) -> str:
    return os.path.join(directory, journals.file_name(operation))

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a database, `database.json` in its directory: what must outlive the container. Never a secret. Pure."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from .errors import DatabaseError

SCHEMA = 1
FILE_NAME = "database.json"


@dataclasses.dataclass(frozen=True)
class Record:
    """id and created_at are given once and kept for life, and so is the port. id: None in a prediction only.

    initialised: set when the server has been ready for the first time, before anybody can log in. Until then the data
    directory holds nothing of value and may be made anew; from then on it is never emptied.
    declared: what was declared last, in the spelling of the options.
    login: the role that logs in for it, where two take turns (names.alternates); None where it does so itself.
    libc: the C library that the data was made under; it decides how text sorts, and so the order of indexes.
    adopted: of a database that somebody else's container had before, what that was, and where its data is (adoption).
    """

    id: str | None
    name: str
    environment: str
    created_at: str
    port: int
    username: str
    initialised: bool
    declared: dict[str, Any]
    libc: str | None = None
    login: str | None = None
    adopted: dict[str, Any] | None = None

    @property
    def container(self) -> str:
        return f"{self.name}-{self.environment}-postgres"


def to_json(record: Record) -> str:
    return json.dumps({"schema": SCHEMA, **dataclasses.asdict(record)}, indent=2, sort_keys=True) + "\n"


def from_json(text: str | bytes, path: str) -> Record:
    """Read a record. Raises DatabaseError where the file is damaged or of a later version of this collection."""
    try:
        content = json.loads(text)
        schema = content.pop("schema")
        if schema != SCHEMA:
            raise DatabaseError(
                f"{path} has schema {schema}, this version of the collection knows {SCHEMA}: update the collection"
            )
        return Record(**content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatabaseError(
            f"{path} is not a readable record ({error}); the database itself is untouched. Restore the file from a"
            " copy, or move it away: it is then made again from the container"
        ) from error

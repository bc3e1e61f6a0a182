# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of an operation that replaces data: what was there, how to go back, and whether one still may. Pure.

It is written before anything is touched, and removed when the operation has come to its end, whatever that is. While it
is there, the operation was interrupted, and whoever runs that operation on the database next resumes it, under the same
lock: an adoption its plan (_planning/adoption.py), a restore or an import its first step (_dumps/swap.py).
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from .errors import DatabaseError

SCHEMA = 1
ADOPTION, RESTORE = "adoption", "restore"
OPERATIONS = (ADOPTION, RESTORE)
# All that was there can be put back as it was; past the point of no return there is only finishing it.
BEGUN, PAST_RETURN = "begun", "past_return"


@dataclasses.dataclass(frozen=True)
class Journal:
    """operation: one of OPERATIONS. began_at: ISO 8601, UTC. state: BEGUN or PAST_RETURN.

    before: what was there, and all that is needed to put it back: whatever the operation wants to know of it.
    """

    operation: str
    began_at: str
    before: dict[str, Any]
    state: str = BEGUN

    @property
    def may_return(self) -> bool:
        return self.state == BEGUN

    def past_return(self) -> Journal:
        return dataclasses.replace(self, state=PAST_RETURN)


def of_record(adopted: dict[str, Any]) -> Journal:
    """Return the journal of an adoption that the version before has begun, which kept all of it in the record.

    Raises DatabaseError for a record of this version, whose journal somebody has removed.
    """
    if "roles_changed" not in adopted:
        raise DatabaseError(
            f"{file_name(ADOPTION)} is missing in the database's directory, without which an interrupted adoption can"
            " be neither finished nor undone: restore it from a copy. The data of the container that was to be taken"
            f" over was in {adopted['data']}"
        )
    gone = adopted["method"] == "move" and adopted["roles_changed"]
    return Journal(ADOPTION, adopted["at"], adopted, PAST_RETURN if gone else BEGUN)


def file_name(operation: str) -> str:
    """Return the name of the file in the database's directory: one for each operation, so that none hides another."""
    return f"{operation}.journal"


def to_json(journal: Journal) -> str:
    return json.dumps({**dataclasses.asdict(journal), "schema": SCHEMA}, indent=2, sort_keys=True) + "\n"


def from_json(text: str | bytes, path: str) -> Journal:
    """Read a journal. Raises DatabaseError where it is damaged or of a later version of this collection."""
    try:
        content = json.loads(text)
        if content.pop("schema") != SCHEMA:
            raise ValueError("a later version of the collection wrote it: update the collection")
        return Journal(**content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatabaseError(
            f"{path} is not a readable journal ({error}). It says how to undo what was interrupted: restore the file"
            " from a copy, and run the task again"
        ) from error

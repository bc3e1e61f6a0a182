# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The session whose snapshot a dump reads at, and which says what there is at that snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._domain.errors import DatabaseError
from .._server import contents

if TYPE_CHECKING:
    from .._host.execution import Execution

_COUNTED = "the rows have been counted"


class Snapshot:
    """A transaction that stays open while the dump reads at its snapshot, and counts the rows meanwhile.

    trusted: of another server, as the role that was given there.
    """

    def __init__(
        self, execution: Execution, container: str, deadline: float, warnings: list[str], trusted: bool = False
    ) -> None:
        self._execution, self._container, self._deadline = execution, container, deadline
        self._warnings, self._trusted = warnings, trusted
        self._counting = False
        self.name = self._ask(contents.snapshot())
        self.facts = contents.parse(self._ask(contents.facts()))
        self.facts["superusers_own"] = [] if trusted else contents.parse(self._ask(contents.superusers_own()))

    def _ask(self, script: str) -> str:
        self._execution.send(script)
        return self._line()

    def _line(self) -> str:
        line = self._execution.line(self._deadline)
        if line is None:
            said = self._execution.stderr.strip().splitlines()
            raise DatabaseError(
                f"{self._container}: the session of the snapshot ended: {said[0] if said else 'it was killed'}"
            )
        return line

    def count_rows(self) -> None:
        """Begin to count: not before pg_dump has locked the tables, or one that waits between us and it would stop
        both."""
        self._counting = True
        self._execution.send(contents.row_counts(_COUNTED, shared=True, trusted=self._trusted))

    def row_counts(self) -> dict[str, int] | None:
        """End, and return the rows of each table, or None where they were not to be counted."""
        if not self._counting:
            return None
        counts = contents.read_row_counts(iter(self._line, None), _COUNTED)
        # What psql complains of may come after what it prints.
        self._execution.end_input()
        said = self._execution.finish(self._deadline).stderr
        failure = contents.failure(said)
        if failure is not None:
            raise DatabaseError(f"{self._container}: the rows could not be counted: {failure}")
        if said.strip():
            self._warnings.append("not all rows were counted, since others wait for the tables' locks")
        return counts

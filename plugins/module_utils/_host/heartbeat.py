# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command in a container that ends when nobody attends to it any more.

The engine holds its standard input open as long as the process that asked for it lives: when that ends, for whatever
reason, so does the command.

Process 1 of the container is the server, and inherits what loses its parent there: an orphan that ends by a signal it
takes for one of its own that crashed, ends all sessions and recovers
(https://github.com/postgres/postgres/blob/REL_15_STABLE/src/backend/postmaster/postmaster.c, CleanupBackend). So the
shell waits for everything that it kills.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from .._domain.errors import DatabaseError

if TYPE_CHECKING:
    from .execution import Execution

# {before}: what takes something from the input first; {after}: what to do when it failed.
_SCRIPT = """{before}
exec 3<&0
"$@" </dev/null 3<&- & work=$!
{{ read -r nothing <&3
  kill -TERM $work; n=0; while kill -0 $work && [ $n -lt 50 ]; do sleep 0.1; n=$((n + 1)); done; kill -KILL $work
}} >/dev/null 2>&1 & watch=$!
wait $work; code=$?
{{ [ $code = 0 ] || {after}
  kill $watch; wait $watch
}} >/dev/null 2>&1
exit $code"""


def command(arguments: Iterable[str], before: str = ":", after: str = ":") -> list[str]:
    """Return the command to open in the container. before, after: shell commands, the latter for when it has failed."""
    return ["sh", "-c", _SCRIPT.format(before=before, after=after), "sh", *arguments]


def end(execution: Execution, seconds: float) -> None:
    """Tell the command to end, and wait until it has. It is killed when it does not end by itself."""
    deadline = time.monotonic() + seconds
    try:
        execution.end_input()
        execution.finish(deadline)
    except (OSError, DatabaseError):
        # The container is gone, or the engine.
        return

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the action plugins that show a fleet share: options, errors, and the one place that prints."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from ansible import constants as C
from ansible.plugins.action import ActionBase
from ansible.utils.color import stringc
from ansible.utils.display import Display
from ansible_collections.vellaric.postgres.plugins.module_utils._host.locked_file import FileError, locked, unlocked

from ..checked import checked
from . import fleet as fleets

# As Ansible colours what it says itself, so that a person's own choice holds here, too.
_COLOURS = {
    "good": C.COLOR_OK,
    "warning": C.COLOR_CHANGED,
    "critical": C.COLOR_ERROR,
    "info": C.COLOR_SKIP,
    "heading": C.COLOR_VERBOSE,
    "title": C.COLOR_HIGHLIGHT,
}


class FleetAction(ActionBase):
    """Runs on the controller, on what the hosts have answered. `_spec` and `_show` are the plugin's own."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            # What hosts have answered is looked at elsewhere.
            options = checked(self._spec(), self._task.args, ("answers",))
            fleet = fleets.from_answers(options["answers"], time.time())
            result.update(self._show(fleet, options))
        except (FileError, ValueError) as error:
            # Returned, not raised: what a user can cause brings no traceback.
            return {**result, "failed": True, "msg": str(error)}
        result.update(
            databases=len(fleet.databases),
            silent={host.name: host.error for host in fleet.silent},
            odd={host.name: list(host.odd) for host in fleet.hosts if host.odd},
            findings=fleet.findings,
            counts={
                **dict.fromkeys(fleets.SEVERITIES, 0),
                **fleets.counted((finding["severity"] for finding in fleet.findings), fleets.SEVERITIES),
            },
        )
        return result

    def _write(self, path: str, content: str, mode: int) -> None:
        """Replace a file as a whole; in check mode, look whether that can be done."""
        with unlocked(path) if self._task.check_mode else locked(path) as file:
            if self._task.check_mode:
                file.check_writable()
            else:
                file.write(content.encode("utf-8"), mode)


def say(lines: Iterable[str], coloured: Iterable[str]) -> None:
    """Show lines as they are: a message of Ansible's would be quoted, with every line end spelled out."""
    display = Display()
    display.display("\n".join(coloured), screen_only=True)
    display.display("\n".join(lines), log_only=True)


def paint(text: str, colour: str) -> str:
    painted: str = stringc(text, _COLOURS[colour])
    return painted

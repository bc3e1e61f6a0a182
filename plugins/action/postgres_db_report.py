# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's half: what all hosts have answered goes into the history, and the page is written from both."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ansible_collections.vellaric.postgres.plugins.module_utils._host.locked_file import locked, unlocked
from ansible_collections.vellaric.postgres.plugins.modules.postgres_db_report import argument_spec
from ansible_collections.vellaric.postgres.plugins.plugin_utils.report import action, history, page

if TYPE_CHECKING:
    from ansible_collections.vellaric.postgres.plugins.plugin_utils.report.fleet import Fleet


class ActionModule(action.FleetAction):
    def _spec(self) -> dict[str, Any]:
        return argument_spec()

    def _show(self, fleet: Fleet, options: dict[str, Any]) -> dict[str, Any]:
        mode = options["mode"]
        if not mode.isdigit() or int(mode, 8) & ~0o777:
            raise ValueError(f"mode: {mode!r} is not a file mode: write it in quotes, such as '0600' or '0644'")
        if options["history_days"] <= 0:
            raise ValueError("history_days: at least 1 is needed, and {} was given".format(options["history_days"]))
        path = os.path.abspath(options["path"])
        past = os.path.abspath(options["history"] or os.path.join(os.path.dirname(path), "history.jsonl"))
        if past == path:
            raise ValueError(f"history: the page itself is {path}: choose another file for the history")
        entries = self._remember(past, fleet, options["history_days"])
        self._write(path, page.render(fleet, entries, options["title"], options["refresh"]), int(mode, 8))
        return {"changed": True, "path": path, "history": past, "samples": len(entries)}

    def _remember(self, path: str, fleet: Fleet, days: int) -> list[history.HistoryEntry]:
        """Add what is now, and return all. Several reports at once wait for each other, so that none is lost."""
        added = history.lines(fleet)
        with unlocked(path) if self._task.check_mode else locked(path) as file:
            text = (file.content or b"").decode("utf-8", "replace")
            # The last line of a run that was killed: what is added begins one of its own.
            added = "\n" + added if text and not text.endswith("\n") else added
            entries = history.parse(text + added)
            kept = history.thinned(entries, fleet.at, days)
            if self._task.check_mode:
                file.check_writable()
            elif history.outgrown(len(entries), len(kept)):
                file.write(history.write(kept).encode("utf-8"))
            elif added:
                file.append(added.encode("utf-8"))
        return kept

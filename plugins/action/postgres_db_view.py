# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's half: what all hosts have answered, shown in one table."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from ansible import constants as C
from ansible.utils.display import Display
from ansible_collections.vellaric.postgres.plugins.modules.postgres_db_view import argument_spec
from ansible_collections.vellaric.postgres.plugins.plugin_utils.report import action, views

if TYPE_CHECKING:
    from ansible_collections.vellaric.postgres.plugins.plugin_utils.report.fleet import Fleet

FILE_MODE = 0o600
_LEAST_WIDTH = 119


class ActionModule(action.FleetAction):
    def _spec(self) -> dict[str, Any]:
        return argument_spec()

    def _show(self, fleet: Fleet, options: dict[str, Any]) -> dict[str, Any]:
        if options["output"] == "json":
            lines = coloured = json.dumps(views.document(fleet), indent=2).split("\n")
        else:
            # Ansible takes 79 columns where there is no terminal: a file or a job's log has room for more.
            view, width = views.VIEWS[options["view"]], max(_LEAST_WIDTH, Display().columns)
            lines, coloured = view(fleet, width=width), view(fleet, action.paint, width)
        if options["dest"]:
            path = os.path.abspath(options["dest"])
            self._write(path, "\n".join(lines) + "\n", FILE_MODE)
            return {"changed": True, "dest": path}
        # Beside the one document that a callback for machines prints, there is no room for another.
        if not C.DEFAULT_STDOUT_CALLBACK.endswith(("json", "jsonl")):
            action.say(lines, coloured)
        return {"changed": False, "lines": lines}

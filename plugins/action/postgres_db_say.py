# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's half: lines for a person, as they are."""

from __future__ import annotations

from typing import Any

from ansible import constants as C
from ansible.plugins.action import ActionBase
from ansible_collections.vellaric.postgres.plugins.modules.postgres_db_say import argument_spec
from ansible_collections.vellaric.postgres.plugins.plugin_utils.checked import Invalid, checked
from ansible_collections.vellaric.postgres.plugins.plugin_utils.report import action
from ansible_collections.vellaric.postgres.plugins.plugin_utils.typed import clean


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        try:
            options = checked(argument_spec(), self._task.args, ("lines", "artifact"))
        except Invalid as error:
            return {**result, "failed": True, "msg": str(error)}
        lines = [clean(line) for line in options["lines"]]
        # Beside the one document that a callback for machines prints, there is no room for another.
        if lines and not C.DEFAULT_STDOUT_CALLBACK.endswith(("json", "jsonl")):
            action.say(lines, lines)
        if options["artifact"] is not None:
            data = {"postgres_artifact": options["artifact"]}
            result["ansible_stats"] = {"data": data, "per_host": False, "aggregate": True}
        # A verbose run does not say it twice.
        return {**result, "changed": False, "lines": lines, "_ansible_verbose_override": True}

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's half: what became of declared databases on all hosts, in one table."""

from __future__ import annotations

from typing import Any

from ansible import constants as C
from ansible.plugins.action import ActionBase
from ansible_collections.vellaric.postgres.plugins.modules.postgres_db_outcome import argument_spec
from ansible_collections.vellaric.postgres.plugins.plugin_utils.checked import Invalid, checked
from ansible_collections.vellaric.postgres.plugins.plugin_utils.report import action, outcomes
from ansible_collections.vellaric.postgres.plugins.plugin_utils.report.tables import plain as plain_text


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        try:
            options = checked(argument_spec(), self._task.args, ("answers", "stored"))
        except Invalid as error:
            return {**result, "failed": True, "msg": str(error)}
        answers, host = options["answers"], str((task_vars or {}).get("inventory_hostname"))
        if options["show"]:
            shown = [outcomes.lines(answers, self._task.check_mode, paint) for paint in (plain_text, action.paint)]
            files = outcomes.to_commit(options["stored"])
            last = [f"Credentials were stored. Commit: {', '.join(files)}"] if files else []
            result["lines"] = shown[0] + last
            # Beside the one document that a callback for machines prints, there is no room for another.
            if not C.DEFAULT_STDOUT_CALLBACK.endswith(("json", "jsonl")):
                action.say(result["lines"], shown[1] + last)
        failures = outcomes.failures(answers.get(host))
        if failures:
            count = len(answers[host]["databases"])
            summary = f"{len(failures)} of {count} failed: {'; '.join(failures)}"
            return {**result, "failed": True, "msg": summary}
        return {**result, "changed": False}

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
from ansible_collections.vellaric.postgres.plugins.plugin_utils.typed import handed_on


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
        failures = outcomes.failures(answers.get(host))
        # Beside the one document that a callback for machines prints, there is no room for another.
        printed = not C.DEFAULT_STDOUT_CALLBACK.endswith(("json", "jsonl"))
        if options["show"]:
            shown = [outcomes.lines(answers, self._task.check_mode, paint) for paint in (plain_text, action.paint)]
            files = outcomes.to_commit(options["stored"])
            last = [f"Credentials were stored. Commit: {', '.join(files)}"] if files else []
            if printed:
                action.say(shown[0] + last, shown[1] + last)
            if not (failures and printed):
                # Ansible prints all that a task which fails returns, on one line.
                result["lines"] = shown[0] + last
        if failures:
            # Why is in the table's lines, where there is one.
            told = list(failures) if printed else [f"{name}: {why}" for name, why in failures.items()]
            summary = f"{len(failures)} of {len(answers[host]['databases'])} failed: {'; '.join(told)}"
            return {**result, "failed": True, "msg": summary}
        if options["artifact"]:
            data = {"postgres_artifact": {host: handed_on(outcomes.databases_of(answers.get(host)))}}
            result["ansible_stats"] = {"data": data, "per_host": False, "aggregate": True}
        return {**result, "changed": False}

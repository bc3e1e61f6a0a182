# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A callback plugin of the scenarios: notes what each run of a converge playbook changed, or said that it would."""

from __future__ import annotations

import json
import os

from ansible import context
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: runs
type: aggregate
short_description: Notes what converge changes
description: One line of JSON for each run of converge.yml, in runs.jsonl of Molecule's ephemeral directory.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "runs"

    def __init__(self) -> None:
        super().__init__()
        self.path = ""
        self.changes: dict[str, list[str]] = {}

    def v2_playbook_on_start(self, playbook) -> None:
        directory = os.environ.get("MOLECULE_EPHEMERAL_DIRECTORY")
        if directory and os.path.basename(playbook._file_name) == "converge.yml":
            self.path = os.path.join(directory, "runs.jsonl")

    def v2_runner_on_ok(self, result) -> None:
        host, name = result._host.get_name(), result._task.get_name()
        done = result._result
        # What our modules did, step by step; of other tasks, that they changed something. One of ours may be asked
        # by one task what it would do, and told by another to do it.
        if result._task.action.startswith("vellaric.postgres."):
            name = result._task.action
        elif result._task.action.endswith("debug"):
            # It stands for another one that is not run in check mode.
            name = "?"
        parts = [done, *(one for one in done.get("databases") or [] if isinstance(one, dict))]
        actions = [action for part in parts for action in part.get("actions") or []]
        steps = [f"{name}: {action['summary']}" for action in actions if "summary" in action]
        self.changes.setdefault(host, [])
        if done.get("changed"):
            self.changes[host] += steps or [name]

    def v2_playbook_on_stats(self, stats) -> None:
        if self.path:
            line = {"check": bool(context.CLIARGS.get("check")), "changes": self.changes}
            with open(self.path, "a", encoding="utf-8") as stream:
                stream.write(json.dumps(line) + "\n")

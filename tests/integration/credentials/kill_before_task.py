# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A callback plugin for tests: kills ansible-playbook before the n-th task of a run (VELLARIC_KILL_BEFORE_TASK)."""

from __future__ import annotations

import os
import signal

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: kill_before_task
type: aggregate
short_description: Kills the run before its n-th task
description: For tests.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "kill_before_task"

    def __init__(self):
        super().__init__()
        self.left = int(os.environ.get("VELLARIC_KILL_BEFORE_TASK", "0"))

    def v2_playbook_on_task_start(self, task, is_conditional):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

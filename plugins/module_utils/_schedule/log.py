# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a scheduled run says what it does: systemd's journal, a terminal, or under cron the system's log."""

from __future__ import annotations

import os
import sys
import syslog

ERROR, WARNING, NOTICE, INFO = syslog.LOG_ERR, syslog.LOG_WARNING, syslog.LOG_NOTICE, syslog.LOG_INFO


class Standard:
    """Standard error; with systemd behind it, which takes the level from the beginning of the line (sd-daemon(3))."""

    def __init__(self) -> None:
        self._levels = "JOURNAL_STREAM" in os.environ

    def say(self, text: str, level: int | None = None) -> None:
        for line in text.splitlines():
            prefix = f"<{INFO if level is None else level}>" if self._levels else ""
            _write(f"{prefix}{line}")


class System:
    """The system's log, and failures on standard error besides: cron mails what a job prints."""

    def __init__(self, name: str) -> None:
        syslog.openlog(name)

    def say(self, text: str, level: int | None = None) -> None:
        for line in text.splitlines():
            syslog.syslog(INFO if level is None else level, line)
            if level == ERROR:
                _write(line)


def _write(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()

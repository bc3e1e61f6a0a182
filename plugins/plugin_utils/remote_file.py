# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file on a host as the controller's locked_file has one: read at once, and replaced only where it is still the same.

A lock cannot be held over several calls to a host. Whoever finds that another run was faster begins again.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from ansible_collections.vellaric.postgres.plugins.module_utils._host.locked_file import FILE_MODE, FileError

MODULE = "vellaric.postgres.postgres_db_credentials_file"


class Conflict(Exception):
    """The file has changed since it was read."""


class RemoteFile:
    """run: runs the module with options on the host, in the task's own check mode."""

    def __init__(self, run: Callable[[dict[str, Any]], dict[str, Any]], path: str) -> None:
        self.path = path
        self._run = run
        answer = self._ask(action="read")
        self.content = None if answer["content"] is None else base64.b64decode(answer["content"])
        self.mode = answer["mode"]
        self._seen = answer["seen"]

    @property
    def too_open(self) -> bool:
        return self.mode is not None and bool(self.mode & ~FILE_MODE)

    def check_writable(self) -> None:
        self._change(action="write", content="")

    def write(self, content: bytes) -> None:
        self._change(action="write", content=base64.b64encode(content).decode("ascii"))

    def narrow(self) -> None:
        self._change(action="narrow")

    def remove(self) -> None:
        self._change(action="remove")

    def _change(self, **options: str) -> None:
        if self._ask(seen=self._seen, **options)["conflict"]:
            raise Conflict

    def _ask(self, **options: str | None) -> dict[str, Any]:
        answer = self._run({**options, "path": self.path})
        if answer.get("failed") or answer.get("unreachable"):
            raise FileError(answer.get("msg") or f"path: the host could not be asked for {self.path}")
        return answer

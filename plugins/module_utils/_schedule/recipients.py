# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom to tell what became of a scheduled run: what the role declares and the host keeps (`notify.json`). Pure."""

from __future__ import annotations

import dataclasses
import json
import urllib.parse
from collections.abc import Mapping
from typing import Any

from .._domain import texts
from .._domain.errors import DatabaseError

WHEN = ("failure", "always")


@dataclasses.dataclass(frozen=True)
class Receiver:
    """command: a list of arguments, or None; url: or None; when: one of WHEN; timeout: seconds for each."""

    command: tuple[str, ...] | None = None
    url: str | None = None
    when: str = "failure"
    timeout: int = 15


def from_declaration(declared: Mapping[str, Any]) -> Receiver:
    """Return the Receiver of what was declared. Raises DatabaseError, naming the variable of role `backup`."""
    command, url = declared.get("command") or None, declared.get("url") or None
    when, timeout = declared.get("when") or "failure", declared.get("timeout") or 15
    if command is not None:
        strings = isinstance(command, (list, tuple)) and all(isinstance(part, str) for part in command)
        if not strings or not command[0].startswith("/") or any("\0" in part for part in command):
            raise DatabaseError(
                "backup_notify_command is a list of the command, with its whole path, and its arguments, such as"
                " [/usr/local/bin/page, --team, storage]: it is run without a shell"
            )
    if url is not None:
        parts = _parts(url) if isinstance(url, str) and texts.is_line(url) and url.isascii() else None
        if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or " " in url:
            raise DatabaseError(
                "backup_notify_url is not a URL that begins with https:// or http://, what is not ASCII in it encoded"
            )
    if when not in WHEN:
        raise DatabaseError(f"backup_notify_when is {when!r}: one of {', '.join(WHEN)}")
    if isinstance(timeout, str) and timeout.isdigit():
        timeout = int(timeout)
    if isinstance(timeout, bool) or not isinstance(timeout, int) or timeout < 1:
        raise DatabaseError(f"backup_notify_timeout is {timeout!r}: at least 1 second")
    return Receiver(tuple(command) if command else None, url, when, timeout)


def _parts(url: str) -> urllib.parse.SplitResult | None:
    try:
        return urllib.parse.urlsplit(url)
    except ValueError:
        return None


def from_json(text: str | bytes, path: str) -> Receiver:
    """Return the Receiver that role `backup` has written. path: for the words. Raises DatabaseError."""
    try:
        return from_declaration(json.loads(text))
    except (ValueError, AttributeError) as error:
        raise DatabaseError(
            f"{path} is damaged ({error}): run role vellaric.postgres.backup, which writes it"
        ) from None

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells a command or a URL of the user's what became of a scheduled run."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .._domain.errors import DatabaseError
from . import results

if TYPE_CHECKING:
    from .recipients import Receiver
    from .results import Status

FAILED, RECOVERED, SUCCEEDED = "failed", "recovered", "succeeded"
_MOST_OUTPUT = 400


def event(status: Status, before: Status) -> str:
    """Return what a run amounts to: RECOVERED is the first one that succeeds after one that failed."""
    if status["outcome"] == results.FAILED:
        return FAILED
    return RECOVERED if before.get("outcome") == results.FAILED else SUCCEEDED


def payload(status: Status, before: Status, host: str, what: str) -> dict[str, Any]:
    """Return what is sent. text: for a person, under the name that chat services show."""
    bad = results.failed(status)
    word = event(status, before)
    if word == FAILED:
        why = {name: status["databases"][name]["reason"] for name in bad}
        reasons = [f"{name}: {reason}" for name, reason in why.items() if reason != status["error"]]
        reasons += [status["error"]] if status["error"] else []
        text = f"{what} on {host} failed. " + "; ".join(reasons)
    else:
        again = " again, after it had failed" if word == RECOVERED else ""
        text = f"{what} on {host} succeeded{again}."
    return {
        "text": text,
        "event": word,
        "host": host,
        "failed": bad,
        "schedule": status["schedule"],
        "action": status["action"],
        "started_at": status["started_at"],
        "finished_at": status["finished_at"],
        "error": status["error"],
        "databases": status["databases"],
    }


def send(receiver: Receiver, content: Mapping[str, Any]) -> list[str]:
    """Tell the receivers; returns what went wrong with those that could not be told."""
    if receiver.when == "failure" and content["event"] == SUCCEEDED:
        return []
    troubles = []
    ways: tuple[tuple[Any, Callable[[Any, Mapping[str, Any], int], None]], ...] = (
        (receiver.command, _run),
        (receiver.url, _post),
    )
    for given, tell in ways:
        if given is not None:
            try:
                tell(given, content, receiver.timeout)
            except (OSError, ValueError, subprocess.SubprocessError, DatabaseError) as error:
                troubles.append(_trouble(given, error, receiver.timeout))
    return troubles


def _run(command: Sequence[str], content: Mapping[str, Any], timeout: int) -> None:
    details = {
        "VELLARIC_EVENT": content["event"],
        "VELLARIC_TEXT": content["text"],
        "VELLARIC_HOST": content["host"],
        "VELLARIC_SCHEDULE": content["schedule"],
        "VELLARIC_ACTION": content["action"],
        "VELLARIC_FAILED": " ".join(content["failed"]),
    }
    # An environment variable holds no zero byte, and no more than 128 KiB.
    details = {name: value.replace("\0", " ")[:65536] for name, value in details.items()}
    finished = subprocess.run(
        list(command),
        input=json.dumps(content) + "\n",
        env={**os.environ, **details},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout,
        check=False,
    )
    if finished.returncode != 0:
        said = (finished.stderr.strip() or finished.stdout.strip())[-_MOST_OUTPUT:]
        raise DatabaseError(f"it ended with exit code {finished.returncode}" + (f": {said}" if said else ""))


def _post(url: str, content: Mapping[str, Any], timeout: int) -> None:
    headers = {"Content-Type": "application/json", "User-Agent": "vellaric.postgres"}
    request = urllib.request.Request(url, json.dumps(content).encode("utf-8"), headers, method="POST")
    with urllib.request.build_opener().open(request, timeout=timeout) as answer:
        answer.read(1)


def _trouble(given: str | Sequence[str], error: Exception, timeout: int) -> str:
    """Say what went wrong, without the URL: those of chat services are secrets."""
    if isinstance(given, str):
        where = f"backup_notify_url ({urllib.parse.urlsplit(given).hostname})"
    else:
        where = f"backup_notify_command ({given[0]})"
    reason = getattr(error, "reason", error)
    if isinstance(reason, (subprocess.TimeoutExpired, TimeoutError, socket.timeout)):
        why = f"it took longer than {timeout} s"
    elif isinstance(error, urllib.error.HTTPError):
        why = f"it answered {error.code} {error.reason}"
    elif isinstance(error, urllib.error.URLError):
        why = str(error.reason)
    elif isinstance(error, DatabaseError):
        why = error.message
    else:
        why = getattr(error, "strerror", None) or type(error).__name__
    return f"{where} could not be notified: {why}"

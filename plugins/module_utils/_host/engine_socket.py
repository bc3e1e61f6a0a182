# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to the engine over its own socket, by the standard library's HTTP client.

To load the Docker SDK takes as long as to look at ten databases, and each of its answers four times as long as the
engine's: what is only asked does without. https://docs.docker.com/reference/api/engine/
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import urllib.parse
from typing import Any

from .._domain.errors import DatabaseError

_OK, _NOT_FOUND = 200, 404


class _Connection(http.client.HTTPConnection):
    """A connection to a socket of this host; the name is one that the protocol wants."""

    def __init__(self, socket_path: str, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._socket_path = socket_path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._socket_path)


def get(
    socket_path: str, what: str, path: str, seconds: float, may_be_missing: bool = False, **parameters: str | int
) -> Any:
    """Return the engine's answer to GET path, a list or mapping.

    what: the words for an error, such as "inspect image x". seconds: how long each part of the answer may take.
    may_be_missing: None is the answer where the engine says that there is no such thing. Raises DatabaseError.
    """
    query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
    try:
        with contextlib.closing(_Connection(socket_path, seconds)) as connection:
            connection.request("GET", urllib.parse.quote(path, safe="/:@") + query)
            response = connection.getresponse()
            answer = _decoded(response.read())
    except (OSError, http.client.HTTPException) as error:
        raise DatabaseError(f"Could not {what}: {str(error) or type(error).__name__}") from error
    if response.status == _NOT_FOUND and may_be_missing:
        return None
    if response.status != _OK:
        said = answer.get("message") if isinstance(answer, dict) else None
        raise DatabaseError(f"Could not {what}: the engine said: {said or response.reason}")
    if not isinstance(answer, (dict, list)):
        raise DatabaseError(f"Could not {what}: the answer on {socket_path} is not one of a Docker Engine")
    return answer


def _decoded(body: bytes) -> Any:
    """Return what a body holds, or None where it is not JSON."""
    try:
        return json.loads(body)
    except ValueError:
        return None

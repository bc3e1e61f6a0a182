# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client's half of a login with SCRAM-SHA-256 (RFC 5802, RFC 7677), as a library of clients does it. Pure.

https://www.postgresql.org/docs/current/sasl-authentication.html
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

MECHANISM = "SCRAM-SHA-256"
# Without channel binding, as every client can.
_HEADER = "n,,"
# A server may ask for more work than anybody has time for.
_MOST_ITERATIONS = 1_000_000


class Mismatch(Exception):
    """What the server says is not what one says that knows the password, or is no SCRAM at all."""


class Exchange:
    """One login. The user's name is the one of the connection's start."""

    def __init__(self, password: str, nonce: str) -> None:
        self._password = password
        self._nonce = nonce
        self._bare = f"n=,r={nonce}"
        self._expected = b""

    def first(self) -> bytes:
        return (_HEADER + self._bare).encode("ascii")

    def final(self, challenge: bytes) -> bytes:
        """Return the answer to what the server has sent. Raises Mismatch."""
        parts = _parts(challenge)
        nonce, salt = parts.get("r", ""), parts.get("s", "")
        counted = parts.get("i", "")
        iterations = int(counted) if re.fullmatch("[0-9]{1,9}", counted) else 0
        if not nonce.startswith(self._nonce) or not 0 < iterations <= _MOST_ITERATIONS:
            raise Mismatch("its challenge is none")
        try:
            decoded = base64.b64decode(salt, validate=True)
        except ValueError:
            raise Mismatch("its challenge is none") from None
        salted = hashlib.pbkdf2_hmac("sha256", self._password.encode("utf-8"), decoded, iterations)
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        without_proof = f"c={base64.b64encode(_HEADER.encode()).decode('ascii')},r={nonce}"
        message = f"{self._bare},{challenge.decode('utf-8', 'replace')},{without_proof}".encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
        proof = bytes(one ^ other for one, other in zip(client_key, signature))
        self._expected = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), message, "sha256")
        return f"{without_proof},p={base64.b64encode(proof).decode('ascii')}".encode("ascii")

    def check(self, final: bytes) -> None:
        """Make sure that the server knows the password, too. Raises Mismatch."""
        said = _parts(final).get("v", "")
        # A server that has sent no challenge has proved nothing by an empty proof.
        if not self._expected or not hmac.compare_digest(said.encode("utf-8"), base64.b64encode(self._expected)):
            raise Mismatch("the server cannot prove that it knows the password")


def _parts(message: bytes) -> dict[str, str]:
    pairs = (part.partition("=") for part in message.decode("utf-8", "replace").split(","))
    return {name: value for name, _equals, value in pairs}

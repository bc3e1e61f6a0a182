# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SCRAM-SHA-256 verifiers, made and checked here so that no password ever reaches the server. Pure.

The form is that of pg_authid.rolpassword: `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`
(https://www.postgresql.org/docs/current/catalog-pg-authid.html, RFC 5802, RFC 7677). Passwords are printable ASCII
(names.check_password), for which SASLprep changes nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re

# PostgreSQL's own default (scram_iterations).
ITERATIONS = 4096
SALT_BYTES = 16

_VERIFIER = re.compile(r"^SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)$")


def new_verifier(password: str) -> str:
    """Return a verifier with a salt of its own."""
    return _verifier(password, os.urandom(SALT_BYTES), ITERATIONS)


def matches(password: str, verifier: str | None) -> bool:
    """Say whether a stored verifier (None: no password) is that of a password."""
    match = _VERIFIER.match(verifier or "")
    if verifier is None or not match:
        return False
    iterations, salt = int(match.group(1)), base64.b64decode(match.group(2))
    return hmac.compare_digest(_verifier(password, salt, iterations), verifier)


def _verifier(password: str, salt: bytes, iterations: int) -> str:
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [base64.b64encode(part).decode("ascii") for part in (salt, stored_key, server_key)]
    return f"SCRAM-SHA-256${iterations}:{encoded[0]}${encoded[1]}:{encoded[2]}"

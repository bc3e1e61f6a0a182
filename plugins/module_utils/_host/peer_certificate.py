# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate that a server shows to its clients: asked for as a client does, without logging in."""

from __future__ import annotations

import socket
import ssl
import struct
import time

# https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-SSLREQUEST
_SSL_REQUEST = struct.pack("!II", 8, 80877103)
# Of a handshake, with the longest chain of certificates.
_MOST_BYTES = 1 << 20


def certificate(address: str, port: int, seconds: float) -> tuple[bytes | None, str | None]:
    """Return the certificate (DER) and the version of TLS, or (None, None) where none is shown in time."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # What is looked at is the certificate itself, which is compared with the file.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    deadline = time.monotonic() + seconds
    try:
        with socket.create_connection((address, port), timeout=seconds) as plain:
            plain.sendall(_SSL_REQUEST)
            if plain.recv(1) != b"S":
                return None, None
            return _shown(context, plain, deadline)
    except OSError:
        return None, None


def _shown(context: ssl.SSLContext, plain: socket.socket, deadline: float) -> tuple[bytes | None, str | None]:
    """Shake hands until the deadline, whatever little comes at a time."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    wrapped, received = context.wrap_bio(incoming, outgoing), 0
    while True:
        try:
            wrapped.do_handshake()
            return wrapped.getpeercert(binary_form=True), wrapped.version()
        except ssl.SSLWantReadError:
            pass
        remaining = deadline - time.monotonic()
        if remaining <= 0 or received > _MOST_BYTES:
            return None, None
        plain.settimeout(remaining)
        plain.sendall(outgoing.read())
        data = plain.recv(65536)
        if not data:
            return None, None
        received += len(data)
        incoming.write(data)

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate that a server shows to its clients: asked for as a client does, without logging in."""

from __future__ import annotations

import socket
import ssl
import struct

# https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-SSLREQUEST
_SSL_REQUEST = struct.pack("!II", 8, 80877103)


def certificate(address, port, seconds):
    """Return the certificate (DER) and the version of TLS, or (None, None) where none is shown in time."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # What is looked at is the certificate itself, which is compared with the file.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with socket.create_connection((address, port), timeout=seconds) as plain:
            plain.sendall(_SSL_REQUEST)
            if plain.recv(1) != b"S":
                return None, None
            with context.wrap_socket(plain) as wrapped:
                return wrapped.getpeercert(binary_form=True), wrapped.version()
    except OSError:
        return None, None

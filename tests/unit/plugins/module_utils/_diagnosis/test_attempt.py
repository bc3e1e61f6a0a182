# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client meets a server that is another one than it says, and that could pass on what it is told."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._diagnosis.attempt import Target, attempt
from ansible_collections.vellaric.postgres.tests.unit import certificates


def _message(kind, body):
    return kind + struct.pack("!i", len(body) + 4) + body


@pytest.fixture
def impostor(tmp_path):
    """Where it listens, and what clients have sent it behind their names."""
    pair = certificates.server(certificates.authority("Somebody Else"))
    (tmp_path / "both.pem").write_text(pair.key + pair.certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    listening, told = socket.create_server(("127.0.0.1", 0)), []

    def serve():
        # The client that verifies, and the one that does not.
        for _turn in range(2):
            plain = listening.accept()[0]
            with contextlib.suppress(OSError):
                plain.recv(8)
                plain.sendall(b"S")
                with context.wrap_socket(plain, server_side=True) as secured:
                    secured.recv(struct.unpack("!i", secured.recv(4))[0])
                    secured.sendall(_message(b"R", struct.pack("!i", 10) + b"SCRAM-SHA-256\0\0"))
                    told.append(secured.recv(1000))

    threading.Thread(target=serve, daemon=True).start()
    yield listening.getsockname()[1], told
    listening.close()


@pytest.mark.parametrize("careful", [True, False])
def test_nothing_is_proved_to_an_impostor(impostor, careful):
    port, told = impostor
    known = certificates.authority().certificate
    target = Target("127.0.0.1", port, "db.example.com", "a", "b", "secret", known)
    met = attempt(target, 10, careful)
    assert met.untrusted and met.tls and not met.works
    # On the host itself nobody stands between, and a login says more.
    assert any(told) is not careful

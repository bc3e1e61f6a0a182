# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate of one's own: what it is, and whether a server and its clients can use it. OpenSSL itself tries it."""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .._domain import pem, validity
from .._domain.facts import OwnTls
from . import tls

if TYPE_CHECKING:
    from .._domain.facts import CertificateFacts
    from .._domain.pem import DeclaredTls

# https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/: whoever signed it is not among those that are known.
_NO_ISSUER = (2, 18, 19, 20, 21)
# Python has a name for it since 3.10: what is trusted need not have signed itself.
_PARTIAL_CHAIN = 0x80000


def examine(declared: DeclaredTls, now: str) -> OwnTls:
    """Return the OwnTls of a DeclaredTls. now: ISO 8601, UTC."""
    chain = [text.encode("ascii") for text in pem.split(declared.certificate)]
    try:
        facts = tls.facts(chain[0])
        keys = [tls.public_key_of_certificate(one) for one in chain]
        authority = declared.authority
        if authority is None and tls.is_self_issued(chain[-1]):
            authority = chain[-1].decode("ascii")
    except tls.Unreadable as error:
        return OwnTls(declared, {}, None, f"tls_certificate cannot be read: {error}")
    try:
        key = tls.public_key(declared.key.encode("ascii"))
    except tls.Unreadable as error:
        return OwnTls(declared, dict(facts), authority, f"tls_key cannot be read: {error}")
    if key not in keys:
        reason: str | None = "tls_key is not the key of tls_certificate: give the two that belong together"
    elif key != keys[0]:
        reason = f"tls_certificate has the certificate of tls_key in place {keys.index(key) + 1}: it has to come first"
    else:
        reason = _rehearse(declared, authority, facts, now)
    return OwnTls(declared, dict(facts), authority, reason)


def _rehearse(declared: DeclaredTls, authority: str | None, facts: CertificateFacts, now: str) -> str | None:
    """Let a server and a client of OpenSSL's meet in memory; return what stands against it, or None.

    A certificate that has ended is not verified: that is said in words of its own.
    """
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        with _in_memory(declared.certificate + declared.key) as path:
            server.load_cert_chain(path)
    except (ssl.SSLError, OSError) as error:
        return f"a server cannot use tls_certificate, OpenSSL says: {_words(error)}"
    if validity.ended(facts["not_after"], now):
        return None
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    if authority is None:
        # Clients know the authority from elsewhere: what is given has to lead to it.
        client.verify_flags |= _PARTIAL_CHAIN
    try:
        client.load_verify_locations(cadata=authority or pem.split(declared.certificate)[-1])
        _handshake(client, server)
    except ssl.SSLCertVerificationError as error:
        if error.verify_code not in _NO_ISSUER:
            return f"clients that verify would refuse tls_certificate, OpenSSL says: {error.verify_message}"
        if authority is None:
            return (
                "the certificates in tls_certificate do not lead from one to the next: give the server's own, then that"
                f" of its issuer, and so on (OpenSSL says: {error.verify_message})"
            )
        return (
            "tls_certificate does not lead to tls_ca: give the authority that signed it, and in tls_certificate, after"
            f" the server's own, those between the two (OpenSSL says: {error.verify_message})"
        )
    except ssl.SSLError as error:
        return f"a client cannot use tls_certificate or tls_ca, OpenSSL says: {_words(error)}"
    return None


@contextlib.contextmanager
def _in_memory(text: str) -> Iterator[str]:
    """Give a text a path without leaving it on a disk."""
    if not hasattr(os, "memfd_create"):
        with tempfile.NamedTemporaryFile("w", prefix=".tls-") as stream:
            stream.write(text)
            stream.flush()
            yield stream.name
        return
    descriptor = os.memfd_create("tls")
    try:
        os.write(descriptor, text.encode("ascii"))
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _handshake(client: ssl.SSLContext, server: ssl.SSLContext) -> None:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [client.wrap_bio(to_client, to_server), server.wrap_bio(to_server, to_client, server_side=True)]
    while sides:
        for side in list(sides):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
                sides.remove(side)


def _words(error: OSError) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate of one's own, as the text that was declared: taken apart and written in one way. Pure.

What a text holds beside the blocks that are wanted (comments, parameters of curves) is left out, and no message shows
any of it: it may be a key.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import re
import ssl
import textwrap

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
_MEND = "give the content of the file, as lookup('ansible.builtin.file', path) returns it"


@dataclasses.dataclass(frozen=True)
class DeclaredTls:
    """certificate: the server's, and what leads from it to the authority; authority: what clients verify it with."""

    certificate: str
    key: str = dataclasses.field(repr=False)
    authority: str | None = None

    @property
    def fingerprint(self) -> str:
        return fingerprints(self.certificate)[0]


def from_options(certificate: str | None, key: str | None, authority: str | None) -> DeclaredTls | None:
    """Return the DeclaredTls of the three options, or None where none is given. Raises ValueError."""
    certificate, key, authority = ((text or "").strip() for text in (certificate, key, authority))
    if not certificate and not key:
        if authority:
            raise ValueError(
                "tls_ca is the authority of tls_certificate, which is not given: give it too, with tls_key"
            )
        return None
    if not certificate or not key:
        given, missing = ("tls_certificate", "tls_key") if certificate else ("tls_key", "tls_certificate")
        raise ValueError(f"{given} is given without {missing}: give both, or neither for one of the host's authority")
    return DeclaredTls(
        certificate=_certificates(certificate, "tls_certificate"),
        key=_key(key),
        authority=_certificates(authority, "tls_ca") if authority else None,
    )


def fingerprints(text: str) -> list[str]:
    """Return the SHA-256 of each certificate, as openssl x509 -fingerprint shows it, but for the colons."""
    blocks = (match.group(0) for match in _BLOCK.finditer(text) if match.group(1) == "CERTIFICATE")
    return [hashlib.sha256(ssl.PEM_cert_to_DER_cert(block)).hexdigest() for block in blocks]


def split(text: str) -> list[str]:
    """Return each certificate of a text."""
    return [match.group(0) + "\n" for match in _BLOCK.finditer(text) if match.group(1) == "CERTIFICATE"]


def _certificates(text: str, option: str) -> str:
    blocks = [match.groups() for match in _BLOCK.finditer(text)]
    if any(kind.endswith("PRIVATE KEY") for kind, _body in blocks):
        raise ValueError(f"{option} has a private key in it, which others may read there: give it as tls_key only")
    found = [_block(kind, body, option) for kind, body in blocks if kind == "CERTIFICATE"]
    if not found:
        raise ValueError(f"{option} has no certificate in PEM (-----BEGIN CERTIFICATE-----): {_MEND}")
    return "".join(dict.fromkeys(found))


def _key(text: str) -> str:
    keys = [match.groups() for match in _BLOCK.finditer(text) if match.group(1).endswith("PRIVATE KEY")]
    if len(keys) != 1:
        raise ValueError(
            f"tls_key has {len(keys) or 'no'} private key{'s' * bool(keys)} in PEM instead of one: {_MEND}"
        )
    kind, body = keys[0]
    if kind.startswith("ENCRYPTED") or "ENCRYPTED" in body:
        raise ValueError(
            "tls_key is protected by a passphrase, which cannot be entered when the server starts: give it without one"
            " (openssl pkey -in FILE), and keep it in a vault"
        )
    return _block(kind, body, "tls_key")


def _block(kind: str, body: str, option: str) -> str:
    """Write a block as OpenSSL does, so that the same content is the same text."""
    try:
        content = base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError):
        content = b""
    if not content:
        raise ValueError(f"{option} is damaged: what is between BEGIN and END is not base64; {_MEND}") from None
    lines = textwrap.wrap(base64.b64encode(content).decode("ascii"), 64)
    return "\n".join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----", ""])

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates as an organisation's own authority issues them, for tests: whole, or wrong in one way."""

from __future__ import annotations

import dataclasses
import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


@dataclasses.dataclass(frozen=True)
class Pair:
    certificate: str
    key: str
    _parts: tuple

    @property
    def fingerprint(self):
        return self._parts[0].fingerprint(hashes.SHA256()).hex()


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general_name(text):
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _now():
    return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None, microsecond=0)


def _pair(subject, issuer, extensions, key, begins, days):
    key = key or ec.generate_private_key(ec.SECP256R1())
    issuer_certificate, issuer_key = issuer._parts if issuer else (None, key)
    begin = _now() + datetime.timedelta(days=begins)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(issuer_certificate.subject if issuer else _name(subject))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=days))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
    certificate = builder.sign(issuer_key, hashes.SHA256())
    return Pair(
        certificate.public_bytes(serialization.Encoding.PEM).decode("ascii"),
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode("ascii"),
        (certificate, key),
    )


def authority(name="Example CA", issuer=None, days=1000):
    return _pair(name, issuer, [x509.BasicConstraints(ca=True, path_length=None)], None, -1, days)


def server(issuer, names=("db.example.com",), begins=-1, days=200, bits=None, for_clients=False):
    """issuer: None for one that signs itself. bits: of an RSA key, which is otherwise one of P-256."""
    key = rsa.generate_private_key(65537, bits) if bits else None
    usage = ExtendedKeyUsageOID.CLIENT_AUTH if for_clients else ExtendedKeyUsageOID.SERVER_AUTH
    extensions = [x509.ExtendedKeyUsage([usage])]
    if issuer:
        extensions.append(x509.BasicConstraints(ca=False, path_length=None))
    if names:
        extensions.append(x509.SubjectAlternativeName([_general_name(name) for name in names]))
    return _pair(names[0] if names else "db.example.com", issuer, extensions, key, begins, days)


def encrypted(pair):
    return (
        pair._parts[1]
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"passphrase"),
        )
        .decode("ascii")
    )


def traditional(pair):
    """The key as openssl ecparam and openssl genrsa write it."""
    return (
        pair._parts[1]
        .private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        .decode("ascii")
    )

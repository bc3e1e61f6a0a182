# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates: one authority for the Docker host, and a server certificate of it for each database."""

from __future__ import annotations

import datetime
import ipaddress
import os

from ..errors import DatabaseError
from . import files

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError as error:
    x509 = None
    IMPORT_ERROR = error
else:
    IMPORT_ERROR = None

# P-256: PostgreSQL 18's default groups leave P-521 out, and every client knows this one.
# https://github.com/coollabsio/coolify/issues/8601
AUTHORITY_DAYS = 3650
# The most that clients on all platforms accept of a server, https://support.apple.com/en-us/102028
SERVER_DAYS = 397
RENEW_DAYS = 30
# Clocks of clients differ.
BACKDATED = datetime.timedelta(hours=1)


def authority_directory(data_root):
    return os.path.join(data_root, ".tls")


def authority(data_root):
    """Return the host's authority as (certificate PEM, key PEM), making it first where there is none.

    The caller holds the host's lock. The key is written first and the certificate last, so that the certificate says
    that both are there.
    """
    directory = authority_directory(data_root)
    certificate, key = os.path.join(directory, "ca.crt"), os.path.join(directory, "ca.key")
    have_certificate, have_key = files.read(certificate), files.read(key)
    if have_certificate and have_key:
        return have_certificate.content, have_key.content
    if have_certificate:
        raise DatabaseError(
            f"{key} is missing, without which {certificate} signs nothing: put the key back from a copy, or remove"
            " the certificate too, upon which clients need the new one"
        )
    _check_library()
    files.make_directory(directory, 0o755)
    new_key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"vellaric.postgres on {os.uname().nodename}"[:64])])
    new_certificate = _sign(
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(new_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(new_key.public_key()), critical=False),
        new_key,
        AUTHORITY_DAYS,
    )
    content = _pem(new_certificate), _key_pem(new_key)
    files.write(key, content[1], 0o600)
    files.write(certificate, content[0], 0o644)
    return content


def server_certificate(authority_pems, subject, alternative_names):
    """Return (certificate PEM, key PEM) for a server, signed by the authority."""
    _check_library()
    issuer = x509.load_pem_x509_certificate(authority_pems[0])
    issuer_key = serialization.load_pem_private_key(authority_pems[1], password=None)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _sign(
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(n) for n in alternative_names]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False),
        issuer_key,
        SERVER_DAYS,
    )
    return _pem(certificate), _key_pem(key)


def describe(certificate_pem, key_pem, authority_pem):
    """Return the alternative names and the end (ISO 8601, UTC) of a certificate.

    None where it is not one, is not that of the key, or was not signed by the authority: a run that was cut short may
    leave any mixture of old and new files.
    """
    _check_library()
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem)
        key = serialization.load_pem_private_key(key_pem, password=None)
        issuer = x509.load_pem_x509_certificate(authority_pem)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        if certificate.public_key().public_numbers() != key.public_key().public_numbers():
            return None
        issuer.public_key().verify(
            certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(certificate.signature_hash_algorithm)
        )
    except (ValueError, TypeError, AttributeError, x509.ExtensionNotFound, InvalidSignature):
        return None
    # not_valid_after_utc came with cryptography 42; Debian 12 has 38.
    end = getattr(certificate, "not_valid_after_utc", None) or certificate.not_valid_after
    return {
        "names": sorted(str(name.value) for name in names),
        "not_after": end.replace(tzinfo=None).isoformat() + "Z",
    }


def renewal_due(not_after, now):
    """Say whether a certificate that ends at not_after is to be renewed; both ISO 8601 in UTC."""
    end = datetime.datetime.fromisoformat(not_after.rstrip("Z"))
    return end - datetime.datetime.fromisoformat(now.rstrip("Z")) < datetime.timedelta(days=RENEW_DAYS)


def _check_library():
    if x509 is None:
        raise DatabaseError(
            f"The Python library cryptography is not there: {IMPORT_ERROR}. Install the distribution's package"
            " python3-cryptography (role vellaric.postgres.docker_host does)"
        )


def _general_name(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(authority):
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _sign(builder, key, days):
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None, microsecond=0)
    return (
        builder.serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + datetime.timedelta(days=days))
        .sign(key, hashes.SHA256())
    )


def _pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )

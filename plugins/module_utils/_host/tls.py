# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates: one authority for the Docker host, and a server certificate of it for each database."""

from __future__ import annotations

import datetime
import functools
import hashlib
import ipaddress
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from .._domain import layout, validity
from .._domain.errors import DatabaseError
from . import files

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError as error:
    IMPORT_ERROR: ImportError | None = error
else:
    IMPORT_ERROR = None

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

    from .._domain.facts import CertificateFacts, ServerCertificate


# A run reads a certificate more than once, and the authority's with each database.
_REMEMBERED = 256
# Clocks of clients differ.
BACKDATED = datetime.timedelta(hours=1)


class Unreadable(Exception):
    """What a file or an option holds is no certificate, or no key."""


def authority(data_root: str, now: str | None = None) -> tuple[bytes, bytes]:
    """Return the host's authority as (certificate PEM, key PEM), making it first where there is none.

    The caller holds the host's lock. The key is written first and the certificate last, so that the certificate says
    that both are there.
    now (ISO 8601, UTC): renew it where that is due by then. It keeps its key and its name, so that clients that have
    the old certificate accept servers until that ends.
    """
    directory = layout.authority(data_root)
    certificate, key = os.path.join(directory, "ca.crt"), os.path.join(directory, "ca.key")
    have_certificate, have_key = files.read(certificate), files.read(key)
    if have_certificate and have_key:
        if now is None or not validity.authority_renewal_due(facts(have_certificate.content)["not_after"], now):
            return have_certificate.content, have_key.content
        name = x509.load_pem_x509_certificate(have_certificate.content).subject
        renewed = _authority_certificate(_authority_key(have_key.content), name)
        files.write(certificate, renewed, 0o644)
        return renewed, have_key.content
    if have_certificate:
        raise DatabaseError(
            f"{key} is missing, without which {certificate} signs nothing: put the key back from a copy, or remove"
            " the certificate too (clients then need the new one)"
        )
    _check_library()
    files.make_directory(directory, 0o755)
    new_key = _new_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"vellaric.postgres on {os.uname().nodename}"[:64])])
    content = _authority_certificate(new_key, name), _key_pem(new_key)
    files.write(key, content[1], 0o600)
    files.write(certificate, content[0], 0o644)
    return content


def _authority_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    """Return the key of the host's authority. One of another kind signs what `describe` does not take for ours."""
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise DatabaseError(
            "The key of the host's certificate authority (.tls/ca.key in the data root) is not of an elliptic curve, as"
            " the one that was made for it: put it and ca.crt back from a copy, or remove both; then clients"
            " need the new certificate"
        )
    return key


def _authority_certificate(key: ec.EllipticCurvePrivateKey, name: x509.Name) -> bytes:
    certificate = _sign(
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False),
        key,
        validity.AUTHORITY_DAYS,
    )
    return _pem(certificate)


def server_certificate(
    authority_pems: tuple[bytes, bytes], subject: str, alternative_names: Iterable[str]
) -> tuple[bytes, bytes]:
    """Return (certificate PEM, key PEM) for a server, signed by the authority."""
    _check_library()
    issuer = x509.load_pem_x509_certificate(authority_pems[0])
    issuer_key = _authority_key(authority_pems[1])
    key = _new_key()
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
        validity.SERVER_DAYS,
    )
    return _pem(certificate), _key_pem(key)


def describe(certificate_pem: bytes, key_pem: bytes, authority_pem: bytes) -> ServerCertificate | None:
    """Return the facts of a certificate that the authority signed, and the authority's own end.

    None where it is not one, is not that of the key, or was not signed by the authority: a run that was interrupted may
    leave any mixture of old and new files.
    """
    _check_library()
    try:
        certificate, issuer = _certificate(certificate_pem), _certificate(authority_pem)
        key = serialization.load_pem_private_key(key_pem, password=None)
        certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        if _public_bytes(certificate.public_key()) != _public_bytes(key.public_key()):
            return None
        authority_key, algorithm = issuer.public_key(), certificate.signature_hash_algorithm
        if not isinstance(authority_key, ec.EllipticCurvePublicKey) or algorithm is None:
            return None
        authority_key.verify(certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(algorithm))
    except (Unreadable, ValueError, TypeError, AttributeError, x509.ExtensionNotFound, InvalidSignature):
        return None
    found = {**facts(certificate_pem), "ours": True, "authority_not_after": _moment(issuer, "not_valid_after")}
    return cast("ServerCertificate", found)


def describe_own(certificate_pem: bytes, key_pem: bytes) -> ServerCertificate | None:
    """Return the facts of a certificate that is not this host's authority's; None where it is not that of the key."""
    _check_library()
    try:
        if public_key_of_certificate(certificate_pem) != public_key(key_pem):
            return None
        return cast("ServerCertificate", {**facts(certificate_pem), "ours": False})
    except Unreadable:
        return None


@functools.lru_cache(maxsize=_REMEMBERED)
def facts(certificate_pem: bytes) -> CertificateFacts:
    """Return what the first certificate of a text says of itself: moments are ISO 8601, UTC. Raises Unreadable."""
    return _facts(_certificate(certificate_pem))


def _certificate(pem: bytes) -> x509.Certificate:
    """Read a certificate. Each thread has its own: those of cryptography 38 (Debian 12) cannot be shared."""
    _check_library()
    try:
        return x509.load_pem_x509_certificate(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Unreadable(str(error)) from None


def _facts(certificate: x509.Certificate) -> CertificateFacts:
    return {
        "subject": certificate.subject.rfc4514_string(),
        "issuer": certificate.issuer.rfc4514_string(),
        "names": _names(certificate),
        "not_before": _moment(certificate, "not_valid_before"),
        "not_after": _moment(certificate, "not_valid_after"),
        "fingerprint": certificate.fingerprint(hashes.SHA256()).hex(),
    }


def _names(certificate: x509.Certificate) -> list[str]:
    """Return the names that clients compare: the common name only where there are no others, as libpq has it."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return sorted(str(name.value) for name in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME))
    names = [*extension.value.get_values_for_type(x509.DNSName), *extension.value.get_values_for_type(x509.IPAddress)]
    return sorted(str(name) for name in names)


def _moment(certificate: x509.Certificate, attribute: str) -> str:
    # not_valid_after_utc and its like came with cryptography 42; Debian 12 has 38.
    moment: datetime.datetime = getattr(certificate, f"{attribute}_utc", None) or getattr(certificate, attribute)
    return moment.replace(tzinfo=None).isoformat() + "Z"


def public_key(key_pem: bytes) -> bytes:
    """Return the public half of a private key, to be compared. Raises Unreadable, saying nothing of the key."""
    _check_library()
    try:
        return _public_bytes(serialization.load_pem_private_key(key_pem, password=None).public_key())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Unreadable("it is not a private key of a kind that is known") from None


def public_key_of_certificate(certificate_pem: bytes) -> bytes:
    """Return the public key of a certificate (DER), to be compared. Raises Unreadable."""
    try:
        return _public_bytes(_certificate(certificate_pem).public_key())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Unreadable(str(error)) from None


def same_authority(one_pem: bytes, other_pem: bytes) -> bool:
    """Say whether two certificates are of one authority: renewed, it keeps its key."""
    try:
        return one_pem == other_pem or public_key_of_certificate(one_pem) == public_key_of_certificate(other_pem)
    except Unreadable:
        return False


def _public_bytes(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def is_self_issued(certificate_pem: bytes) -> bool:
    """Say whether a certificate is an authority's own, or one that signed itself."""
    certificate = _certificate(certificate_pem)
    return certificate.issuer == certificate.subject


def fingerprint(der: bytes) -> str:
    """Return the SHA-256 of a certificate as `facts` has it."""
    return hashlib.sha256(der).hexdigest()


def _check_library() -> None:
    if IMPORT_ERROR is not None:
        raise DatabaseError(
            f"The Python library cryptography is not there: {IMPORT_ERROR}. Install the distribution's package"
            " python3-cryptography (role vellaric.postgres.docker_host does)"
        )


def _new_key() -> ec.EllipticCurvePrivateKey:
    # P-256: PostgreSQL 18's default groups leave P-521 out, and every client knows this one.
    # https://github.com/coollabsio/coolify/issues/8601
    return ec.generate_private_key(ec.SECP256R1())


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(authority: bool) -> x509.KeyUsage:
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


def _sign(builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, days: int) -> x509.Certificate:
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None, microsecond=0)
    return (
        builder.serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + datetime.timedelta(days=days))
        .sign(key, hashes.SHA256())
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import os
import ssl
import stat

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import layout, validity
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import DatabaseError
from ansible_collections.vellaric.postgres.plugins.module_utils._host import tls
from ansible_collections.vellaric.postgres.tests.unit import builders, certificates
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

NAMES = ("10.1.2.3", "127.0.0.1", "2001:db8::1", "app-development-postgres", "localhost")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return str(tmp_path_factory.mktemp("databases"))


@pytest.fixture(scope="module")
def authority(root):
    return tls.authority(root)


@pytest.fixture(scope="module")
def server(authority):
    return tls.server_certificate(authority, "app-development-postgres", NAMES)


def certificate(pem):
    return x509.load_pem_x509_certificate(pem)


def extension(pem, kind):
    return certificate(pem).extensions.get_extension_for_class(kind)


def verify(issuer_pem, subject_pem):
    subject = certificate(subject_pem)
    certificate(issuer_pem).public_key().verify(
        subject.signature, subject.tbs_certificate_bytes, ec.ECDSA(subject.signature_hash_algorithm)
    )


def test_the_chain_verifies(authority, server):
    verify(authority[0], server[0])
    verify(authority[0], authority[0])
    assert certificate(server[0]).issuer == certificate(authority[0]).subject


def test_the_certificate_of_another_host_does_not(server, tmp_path):
    with pytest.raises(InvalidSignature):
        verify(tls.authority(str(tmp_path))[0], server[0])


@pytest.mark.parametrize("name", ["10.1.2.3", "127.0.0.1", "2001:db8::1", "app-development-postgres", "localhost"])
def test_a_client_that_verifies_everything_is_content(authority, server, name, tmp_path):
    assert handshake(authority, server, name, tmp_path) == "TLSv1.3"


@pytest.mark.parametrize("name", ["10.1.2.4", "other-development-postgres", "example.com"])
def test_a_client_that_meant_another_host_is_not(authority, server, name, tmp_path):
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(authority, server, name, tmp_path)


def handshake(authority, server, name, directory):
    """Let OpenSSL's client and server meet in memory, as libpq with sslmode=verify-full and the server do."""
    chain = directory / "server.pem"
    chain.write_bytes(server[0] + server[1])
    accepting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    accepting.load_cert_chain(str(chain))
    asking = ssl.create_default_context(cadata=authority[0].decode("ascii"))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = asking.wrap_bio(to_client, to_server, server_hostname=name)
    peer = accepting.wrap_bio(to_server, to_client, server_side=True)
    waiting = [client, peer]
    for _turn in range(10):
        for side in list(waiting):
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                pass
    assert not waiting
    return client.version()


def test_alternative_names_are_addresses_and_names(server):
    names = extension(server[0], x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["app-development-postgres", "localhost"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["10.1.2.3", "127.0.0.1", "2001:db8::1"]


def test_the_server_may_serve_and_not_sign(authority, server):
    assert extension(server[0], x509.BasicConstraints).value.ca is False
    assert extension(server[0], x509.KeyUsage).value.key_cert_sign is False
    assert x509.oid.ExtendedKeyUsageOID.SERVER_AUTH in extension(server[0], x509.ExtendedKeyUsage).value
    constraints = extension(authority[0], x509.BasicConstraints)
    assert (constraints.value.ca, constraints.value.path_length, constraints.critical) == (True, 0, True)


def test_certificates_last_as_long_as_clients_accept(authority, server):
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    for pem, days in ((authority[0], validity.AUTHORITY_DAYS), (server[0], validity.SERVER_DAYS)):
        end = datetime.datetime.fromisoformat(_not_after(pem))
        assert abs(end - now - datetime.timedelta(days=days)) < datetime.timedelta(minutes=5)
    # https://support.apple.com/en-us/102028
    assert validity.SERVER_DAYS <= 397


def _not_after(pem):
    found = certificate(pem)
    end = getattr(found, "not_valid_after_utc", None) or found.not_valid_after
    return end.replace(tzinfo=None).isoformat()


def test_the_key_is_that_of_the_certificate(server):
    key = serialization.load_pem_private_key(server[1], password=None)
    assert key.public_key().public_numbers() == certificate(server[0]).public_key().public_numbers()
    assert isinstance(key.curve, ec.SECP256R1)


def test_serial_numbers_and_keys_are_new_each_time(authority, server):
    again = tls.server_certificate(authority, "app-development-postgres", NAMES)
    assert again[1] != server[1]
    assert certificate(again[0]).serial_number != certificate(server[0]).serial_number


def test_a_certificate_is_described_by_its_names_and_end(authority, server):
    described = tls.describe(*server, authority[0])
    assert described["names"] == sorted(NAMES)
    assert described["not_after"] == _not_after(server[0]) + "Z"


def test_the_names_that_a_database_asks_for_are_those_described(authority):
    # Or the certificate would be issued anew in every run.
    for given in ({}, {"bind_address": "::1"}, {"bind_address": "0.0.0.0", "base_domain": "Example.com"}):
        wanted = builders.declared(**given)
        issued = tls.server_certificate(authority, wanted.container, wanted.certificate_names)
        assert tls.describe(*issued, authority[0])["names"] == list(wanted.certificate_names)


@pytest.mark.parametrize(
    "pem", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_what_is_no_certificate_is_described_as_nothing(authority, server, pem):
    assert tls.describe(pem, server[1], authority[0]) is None
    assert tls.describe(server[0], pem, authority[0]) is None
    assert tls.describe(*server, pem) is None


def test_a_certificate_without_names_is_described_as_nothing(authority):
    assert tls.describe(*authority, authority[0]) is None


def test_a_mixture_of_old_and_new_files_is_described_as_nothing(authority, server, tmp_path):
    other_authority = tls.authority(str(tmp_path))
    other = tls.server_certificate(other_authority, "app", NAMES)
    assert tls.describe(other[0], other[1], other_authority[0])
    assert tls.describe(server[0], other[1], authority[0]) is None
    assert tls.describe(*server, other_authority[0]) is None


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-01-15T12:00:00.000Z", False),
        ("2026-05-02T11:59:59.999Z", False),
        ("2026-05-02T12:00:00.001Z", True),
        ("2026-07-01T00:00:00.000Z", True),
    ],
)
def test_renewal_is_due_thirty_days_before_the_end(now, due):
    assert validity.renewal_due("2026-06-01T12:00:00Z", now) is due


def test_the_authority_is_made_once(root, authority):
    assert tls.authority(root) == authority
    directory = layout.authority(root)
    assert sorted(os.listdir(directory)) == ["ca.crt", "ca.key"]
    assert stat.S_IMODE(os.stat(os.path.join(directory, "ca.key")).st_mode) == 0o600


def later(days):
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def test_the_authority_is_renewed_before_a_certificate_could_outlive_it(tmp_path):
    first = tls.authority(str(tmp_path))
    issued = tls.server_certificate(first, "app-development-postgres", NAMES)
    lasts = validity.AUTHORITY_DAYS - validity.AUTHORITY_RENEW_DAYS
    assert validity.AUTHORITY_RENEW_DAYS > validity.SERVER_DAYS + 300
    assert tls.authority(str(tmp_path), later(lasts - 1)) == first
    renewed = tls.authority(str(tmp_path), later(lasts + 1))
    assert renewed[0] != first[0]
    assert tls.authority(str(tmp_path)) == renewed
    assert stat.S_IMODE(os.stat(tmp_path / ".tls" / "ca.key").st_mode) == 0o600
    # Its key and name stay: a client with the old certificate accepts new servers, one with the new one old servers.
    for known, shown in ((first, tls.server_certificate(renewed, "app", NAMES)), (renewed, issued)):
        assert handshake(known, shown, "localhost", tmp_path) == "TLSv1.3"
    assert tls.describe(*issued, renewed[0])["authority_not_after"] == _not_after(renewed[0]) + "Z"
    assert tls.same_authority(first[0], renewed[0])
    assert not tls.same_authority(first[0], certificates.authority().certificate.encode())
    assert not tls.same_authority(first[0], b"damaged")


def test_an_authority_interrupted_is_made_again(tmp_path):
    # The key is written first: without its certificate nothing can have been signed.
    first = tls.authority(str(tmp_path))
    (tmp_path / ".tls" / "ca.crt").unlink()
    second = tls.authority(str(tmp_path))
    assert second != first
    verify(second[0], tls.server_certificate(second, "app", ("localhost",))[0])


def test_an_authority_without_its_key_is_refused_and_kept(tmp_path):
    first = tls.authority(str(tmp_path))
    (tmp_path / ".tls" / "ca.key").unlink()
    with pytest.raises(DatabaseError, match=r"ca.key is missing.*from a copy"):
        tls.authority(str(tmp_path))
    assert (tmp_path / ".tls" / "ca.crt").read_bytes() == first[0]


def test_threads_share_no_certificate(server):
    """Cryptography 38 answers one thread at a time, and the others with an error."""
    assert tls._certificate(server[0]) is not tls._certificate(server[0])


def test_an_authority_of_another_kind_of_key_signs_nothing(authority):
    """What it signs would be taken for somebody else's, and renewed in each run."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with pytest.raises(DatabaseError, match="put it and ca.crt back"):
        tls.server_certificate((authority[0], pem), "app-development-postgres", NAMES)

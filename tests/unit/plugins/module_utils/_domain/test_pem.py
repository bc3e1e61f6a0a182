# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import pem
from ansible_collections.vellaric.postgres.tests.unit import certificates


@pytest.fixture(scope="module")
def root():
    return certificates.authority()


@pytest.fixture(scope="module")
def pair(root):
    return certificates.server(root)


def test_nothing_is_given():
    for nothing in (None, "", " \n"):
        assert pem.from_options(nothing, nothing, nothing) is None


@pytest.mark.parametrize("change", [str, lambda t: t.replace("\n", "\r\n"), lambda t: "subject=x\n\n " + t + "\n\n"])
def test_the_same_content_is_the_same_text(root, pair, change):
    plain = pem.from_options(pair.certificate, pair.key, root.certificate)
    assert pem.from_options(change(pair.certificate), change(pair.key), change(root.certificate)) == plain
    assert (plain.certificate, plain.key, plain.authority) == (pair.certificate, pair.key, root.certificate)
    assert plain.fingerprint == pair.fingerprint


def test_a_chain_keeps_its_order(root, pair):
    declared = pem.from_options(pair.certificate + root.certificate, pair.key, None)
    assert pem.split(declared.certificate) == [pair.certificate, root.certificate]
    assert pem.fingerprints(declared.certificate) == [pair.fingerprint, root.fingerprint]
    assert declared.fingerprint == pair.fingerprint


def test_parameters_of_a_curve_are_no_key(pair):
    parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    key = certificates.traditional(pair)
    assert pem.from_options(pair.certificate, parameters + key, None).key == key


def test_the_key_is_in_no_representation(pair):
    declared = pem.from_options(pair.certificate, pair.key, None)
    assert pair.key.splitlines()[1] not in repr(declared)


def wrong(root, pair):
    damaged = pair.certificate.replace("\nMII", "\n!!!", 1)
    yield ("tls_certificate is given without tls_key", pair.certificate, None, None)
    yield ("tls_key is given without tls_certificate", "", pair.key, None)
    yield ("tls_ca is the authority of tls_certificate", None, None, root.certificate)
    yield ("tls_certificate has no certificate in PEM", "/etc/ssl/server.crt", pair.key, None)
    yield ("tls_key has no private key in PEM", pair.certificate, "/etc/ssl/server.key", None)
    yield ("tls_key has no private key in PEM", pair.certificate, pair.certificate, None)
    yield ("tls_key has 2 private keys", pair.certificate, pair.key * 2, None)
    yield ("tls_ca has no certificate in PEM", pair.certificate, pair.key, "Example CA")
    yield ("tls_certificate has a private key in it", pair.certificate + pair.key, pair.key, None)
    yield ("tls_ca has a private key in it", pair.certificate, pair.key, root.certificate + root.key)
    yield ("protected by a passphrase", pair.certificate, certificates.encrypted(pair), None)
    yield ("tls_certificate is damaged", damaged, pair.key, None)
    yield ("tls_key is damaged", pair.certificate, pair.key.replace("\nM", "\n!", 1), None)


def test_what_is_wrong_is_said_and_not_shown(root, pair):
    for message, *options in wrong(root, pair):
        with pytest.raises(ValueError, match=message) as refused:
            pem.from_options(*options)
        assert pair.key.splitlines()[1] not in str(refused.value)

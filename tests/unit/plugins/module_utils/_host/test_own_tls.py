# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate of one's own is tried before it is installed: by OpenSSL, as the server and its clients will."""

from __future__ import annotations

import os

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import clock, pem
from ansible_collections.vellaric.postgres.plugins.module_utils._host import own_tls
from ansible_collections.vellaric.postgres.tests.unit import certificates


@pytest.fixture(scope="module")
def root():
    return certificates.authority()


@pytest.fixture(scope="module")
def between(root):
    return certificates.authority("Example Issuing CA", root)


def examine(pair, chain=(), authority=None, key=None):
    text = "".join([pair.certificate, *(one.certificate for one in chain)])
    declared = pem.from_options(text, key or pair.key, authority and authority.certificate)
    return own_tls.examine(declared, clock.iso_milliseconds(clock.utc_now()))


def test_one_of_an_authority(root):
    pair = certificates.server(root, ("db.example.com", "10.0.0.1"))
    found = examine(pair, authority=root)
    assert (found.error, found.authority) == (None, root.certificate)
    assert found.facts["names"] == ["10.0.0.1", "db.example.com"]
    assert (found.facts["subject"], found.facts["fingerprint"]) == ("CN=db.example.com", pair.fingerprint)


@pytest.mark.parametrize("bits", [None, 2048])
def test_one_that_signed_itself_is_its_own_authority(bits):
    pair = certificates.server(None, bits=bits)
    found = examine(pair)
    assert (found.error, found.authority) == (None, pair.certificate)


def test_a_chain(root, between):
    pair = certificates.server(between)
    assert examine(pair, [between], root).error is None
    assert examine(pair, [between, root]).authority == root.certificate
    # Of an authority that clients know from elsewhere.
    public = examine(pair, [between])
    assert (public.error, public.authority) == (None, None)


def test_names_are_the_common_name_only_where_there_are_no_others(root):
    assert examine(certificates.server(root, ()), authority=root).facts["names"] == ["db.example.com"]


def test_one_without_what_leads_to_the_authority(root, between):
    message = examine(certificates.server(between), authority=root).error
    assert "does not lead to tls_ca" in message and "those between" in message


def test_one_of_another_authority(root):
    other = certificates.authority("Another CA")
    assert "does not lead to tls_ca" in examine(certificates.server(root), authority=other).error
    pretender = certificates.authority()
    assert examine(certificates.server(root), authority=pretender).error


def test_a_chain_with_something_else_in_it(root, between):
    other = certificates.authority("Another CA", root)
    assert "do not lead from one to the next" in examine(certificates.server(between), [other]).error


def test_the_key_of_another(root):
    error = examine(certificates.server(root), authority=root, key=certificates.server(root).key).error
    assert "tls_key is not the key of tls_certificate" in error


def test_the_servers_own_comes_first(root, between):
    pair = certificates.server(between)
    declared = pem.from_options(between.certificate + pair.certificate, pair.key, None)
    assert (
        "in place 2: it has to come first" in own_tls.examine(declared, clock.iso_milliseconds(clock.utc_now())).error
    )


def test_one_for_clients(root):
    error = examine(certificates.server(root, for_clients=True), authority=root).error
    assert "would refuse tls_certificate" in error and "purpose" in error


def test_a_key_that_is_too_short(root):
    error = examine(certificates.server(root, bits=1024), authority=root).error
    assert "OpenSSL says" in error and "KEY_TOO_SMALL" in error.upper().replace(" ", "_")


def test_one_that_has_ended_is_said_to_elsewhere(root):
    found = examine(certificates.server(root, begins=-10, days=5), authority=root)
    assert found.error is None


def test_one_that_is_not_yet_valid(root):
    error = examine(certificates.server(root, begins=5), authority=root).error
    assert "not yet valid" in error


def test_what_looks_like_pem_and_is_none():
    block = "-----BEGIN {0}-----\nAAAA\n-----END {0}-----\n"
    pair = certificates.server(None)
    for certificate, key, option in (
        (block.format("CERTIFICATE"), pair.key, "tls_certificate"),
        (pair.certificate, block.format("PRIVATE KEY"), "tls_key"),
    ):
        found = own_tls.examine(pem.from_options(certificate, key, None), clock.iso_milliseconds(clock.utc_now()))
        assert found.error.startswith(f"{option} cannot be read")


def test_the_key_is_left_nowhere(root, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before = len(os.listdir("/proc/self/fd"))
    examine(certificates.server(root), authority=root)
    assert len(os.listdir("/proc/self/fd")) == before
    assert not list(tmp_path.iterdir())

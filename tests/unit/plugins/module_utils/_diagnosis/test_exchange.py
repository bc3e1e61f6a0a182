# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A login with SCRAM, against a server that keeps a verifier of ours."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._diagnosis.exchange import Exchange, Mismatch
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import scram

PASSWORD = "Correct-Horse_Battery9"


class Server:
    def __init__(self, verifier):
        self.salt = verifier.split("$")[1].partition(":")[2]
        self.stored, self.key = map(base64.b64decode, verifier.split("$")[2].split(":"))

    def challenge(self, first):
        self.bare = first.decode().removeprefix("n,,")
        self.nonce = self.bare.partition("r=")[2] + "server"
        self.sent = f"r={self.nonce},s={self.salt},i=4096"
        return self.sent.encode()

    def final(self, answer):
        """Return the last message, None where the proof is not that of the password."""
        without, _comma, proof = answer.decode().rpartition(",p=")
        message = f"{self.bare},{self.sent},{without}".encode()
        signature = hmac.digest(self.stored, message, "sha256")
        key = bytes(a ^ b for a, b in zip(base64.b64decode(proof), signature))
        if hashlib.sha256(key).digest() != self.stored:
            return None
        return b"v=" + base64.b64encode(hmac.digest(self.key, message, "sha256"))


def test_both_prove_that_they_know_it():
    server, client = Server(scram.new_verifier(PASSWORD)), Exchange(PASSWORD, "nonce")
    final = server.final(client.final(server.challenge(client.first())))
    client.check(final)
    with pytest.raises(Mismatch):
        client.check(b"v=" + base64.b64encode(b"x" * 32))


def test_another_password_proves_nothing():
    server, client = Server(scram.new_verifier(PASSWORD)), Exchange("another", "nonce")
    assert server.final(client.final(server.challenge(client.first()))) is None


@pytest.mark.parametrize(
    "challenge",
    [b"", b"r=other,s=YQ==,i=4096", b"r=nonce1,s=YQ==,i=0", b"r=nonce1,s=%,i=1", b"r=nonce1,s=YQ==,i=99999999"]
    + ["r=nonce1,s=YQ==,i=²".encode(), "r=nonce1,s=YQ==,i=٣".encode(), b"r=nonce1,s=YQ==,i=" + b"9" * 5000],
)
def test_what_is_no_challenge_is_refused(challenge):
    with pytest.raises(Mismatch):
        Exchange(PASSWORD, "nonce").final(challenge)


def test_an_empty_proof_proves_nothing():
    with pytest.raises(Mismatch):
        Exchange(PASSWORD, "nonce").check(b"v=")

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import scram
from hypothesis import given, settings
from hypothesis import strategies as st

# As a server of PostgreSQL 15 made it of its own: ALTER ROLE ... PASSWORD 'not-a-real-password'.
RECORDED = (
    "SCRAM-SHA-256$4096:1HRJxDiBM/EUQpvblJjrww==$2yAWUagHatrz4ifDTTPsZrump3iTH+FlfkyoqH5bdQY="
    ":KT3sVVykAAhmU4x7vBf9DWNCx5pHWhX0ICOjcegf/+8="
)


def test_the_exchange_of_rfc_7677_verifies():
    # https://www.rfc-editor.org/rfc/rfc7677#section-3
    password, salt, iterations = "pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    messages = (
        f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i={iterations},c=biws,r={nonce}"
    ).encode("ascii")
    client_proof = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    server_signature = base64.b64decode("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")

    verifier = scram._verifier(password, salt, iterations)
    keys = verifier.split("$")[2]
    stored_key, server_key = (base64.b64decode(key) for key in keys.split(":"))

    # What a server does with the two: RFC 5802, section 3.
    client_signature = hmac.digest(stored_key, messages, "sha256")
    client_key = bytes(a ^ b for a, b in zip(client_proof, client_signature))
    assert hashlib.sha256(client_key).digest() == stored_key
    assert hmac.digest(server_key, messages, "sha256") == server_signature


def test_a_verifier_that_the_server_made_is_recognised():
    assert scram.matches("not-a-real-password", RECORDED)
    assert not scram.matches("not-a-real-passwor", RECORDED)
    assert not scram.matches("not-a-real-password!", RECORDED)


@settings(max_examples=20)
@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=12, max_size=40))
def test_a_password_matches_its_own_verifier_and_no_other(password):
    verifier = scram.new_verifier(password)
    assert scram.matches(password, verifier)
    assert not scram.matches(password + "x", verifier)
    assert password not in verifier


def test_each_verifier_has_a_salt_of_its_own():
    assert scram.new_verifier("the same password") != scram.new_verifier("the same password")


def test_the_form_is_that_of_pg_authid():
    version, parameters, keys = scram.new_verifier("correct-horse-battery").split("$")
    iterations, salt = parameters.split(":")
    assert (version, iterations) == ("SCRAM-SHA-256", "4096")
    assert len(base64.b64decode(salt)) == 16
    assert [len(base64.b64decode(key)) for key in keys.split(":")] == [32, 32]


def test_iterations_are_those_of_the_verifier():
    # scram_iterations can be set since PostgreSQL 16.
    verifier = scram._verifier("correct-horse-battery", b"0123456789abcdef", 10)
    assert scram.matches("correct-horse-battery", verifier)


@pytest.mark.parametrize(
    "stored", [None, "", "md5" + "0" * 32, "correct-horse-battery", "SCRAM-SHA-256$4096:x", RECORDED[:-5] + "AAAA="]
)
def test_what_is_no_verifier_matches_nothing(stored):
    assert not scram.matches("correct-horse-battery", stored)
    assert not scram.matches("not-a-real-password", stored)

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultSecret
from ansible_collections.vellaric.postgres.plugins.plugin_utils.vault import RunVault, VaultError, run_secrets

PROD, DEV, DEFAULT = (("prod", VaultSecret(b"1")), ("dev", VaultSecret(b"2")), ("default", VaultSecret(b"3")))


def test_run_secrets():
    loader = DataLoader()
    assert run_secrets(loader) == []
    loader.set_vault_secrets([PROD, DEV])
    assert [vault_id for vault_id, _secret in run_secrets(loader)] == ["prod", "dev"]


@pytest.mark.parametrize(
    ("secrets", "wanted", "configured", "chosen"),
    [
        ([PROD], None, None, "prod"),
        ([PROD, PROD], None, None, "prod"),
        ([PROD, DEV], "dev", None, "dev"),
        ([PROD, DEV], None, "dev", "dev"),
        ([PROD, DEV], "prod", "dev", "prod"),
    ],
)
def test_id_that_encrypts(secrets, wanted, configured, chosen):
    assert RunVault(secrets).choose_id(wanted, configured) == chosen


@pytest.mark.parametrize(
    ("secrets", "wanted", "configured", "message"),
    [
        ([], None, None, "no vault secret is loaded.*--vault-id"),
        ([], "prod", None, "no vault secret is loaded"),
        ([PROD, DEV], None, None, r"several vault ids are loaded \('prod', 'dev'\)"),
        ([PROD, DEV], "test", None, r"^vault_id: .*'test' is loaded, the ids loaded are: 'prod', 'dev'"),
        ([PROD], None, "test", r"^vault_encrypt_identity .*'test'"),
    ],
)
def test_ids_refused(secrets, wanted, configured, message):
    with pytest.raises(VaultError, match=message):
        RunVault(secrets).choose_id(wanted, configured)


def test_encrypted_with_the_id_and_read_back():
    vault = RunVault([PROD, DEV, DEFAULT])
    ciphertext = vault.encrypt("a password", "dev")
    assert ciphertext.startswith("$ANSIBLE_VAULT;1.2;AES256;dev\n")
    assert vault.decrypt(ciphertext) == "a password"
    assert vault.decrypt("\r\n" + ciphertext.replace("\n", "\r\n")) == "a password"
    assert RunVault([DEV]).decrypt(ciphertext) == "a password"
    assert vault.encrypt("x", "default").startswith("$ANSIBLE_VAULT;1.1;AES256\n")


def test_what_cannot_be_read():
    ciphertext = RunVault([DEV]).encrypt("a password", "dev")
    with pytest.raises(VaultError, match=r"vault id 'dev', and none of the vault secrets loaded \('prod'\)"):
        RunVault([PROD]).decrypt(ciphertext)
    with pytest.raises(VaultError, match="not vault-encrypted") as caught:
        RunVault([PROD]).decrypt("clear-text")
    assert "clear-text" not in str(caught.value)
    for broken in (
        "$ANSIBLE_VAULT;1.1;AES256\n",
        "$ANSIBLE_VAULT;1.1;AES256\nzz\n",
        "$ANSIBLE_VAULT;9",
        ciphertext[:-9],
    ):
        with pytest.raises(VaultError):
            RunVault([DEV]).decrypt(broken)
    with pytest.raises(VaultError, match="cannot encrypt"):
        RunVault([DEV]).encrypt("$ANSIBLE_VAULT;1.1;AES256\n6162", "dev")


@pytest.mark.parametrize(("vault_id", "other"), [("prod", "dev"), ("default", "prod")])
def test_a_secret_that_is_not_the_one_of_what_is_there(vault_id, other):
    right, wrong = RunVault([(vault_id, VaultSecret(b"1"))]), RunVault([(vault_id, VaultSecret(b"mistyped"))])
    there = [right.encrypt("a password", vault_id)]
    foreign = RunVault([(other, VaultSecret(b"2"))]).encrypt("a password", other)
    for ciphertexts in ([], [foreign]):
        wrong.check_known(vault_id, ciphertexts)
    with pytest.raises(VaultError, match=f"id {vault_id!r} decrypts none of those 1 .* right vault password"):
        wrong.check_known(vault_id, [foreign, *there])
    # What somebody with a mistyped one has left does not keep the right one from going on.
    right.check_known(vault_id, [wrong.encrypt("a password", vault_id), *there])

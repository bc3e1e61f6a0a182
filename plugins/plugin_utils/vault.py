# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Encryption with the vault secrets that the run was started with. Nobody passes a vault password as a variable."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultLib

HEADER = "$ANSIBLE_VAULT;"


class VaultError(Exception):
    """The run's vault secrets cannot do what is needed. The message says what fixes it."""


def run_secrets(loader: Any) -> list[tuple[str, Any]]:
    """The (vault id, secret) pairs of this run.

    The only place that relies on something private of Ansible's: it has no public way to these.
    """
    return list(getattr(getattr(loader, "_vault", None), "secrets", None) or [])


class RunVault:
    def __init__(self, secrets: Sequence[tuple[str, Any]]) -> None:
        self._secrets = secrets
        # A list, not a set: ids are named in the order in which they were given.
        self.ids = list(dict.fromkeys(vault_id for vault_id, _secret in secrets))

    def choose_id(self, wanted: str | None = None, configured: str | None = None) -> str:
        """The id that encrypts: the one asked for, the one configured, or the only one there is.

        Ansible's own choice would silently be the first, which may be another team's.
        """
        if not self.ids:
            raise VaultError(
                "no vault secret is loaded, so credentials cannot be stored: start the run with --vault-id"
                " LABEL@FILE or --ask-vault-pass, set vault_password_file in ansible.cfg, or add a vault credential"
                " to the AWX job template"
            )
        chosen = wanted or configured
        if chosen:
            if chosen not in self.ids:
                origin = "vault_id" if wanted else "vault_encrypt_identity (Ansible's configuration)"
                raise VaultError(
                    f"{origin}: no secret with the vault id {str(chosen)!r} is loaded, the ids loaded are:"
                    f" {self._named_ids()}"
                )
            return str(chosen)
        if len(self.ids) > 1:
            raise VaultError(
                f"vault_id: several vault ids are loaded ({self._named_ids()}) and none is chosen to encrypt with:"
                " set vault_id to one"
                " of them, or vault_encrypt_identity in ansible.cfg"
            )
        return self.ids[0]

    def encrypt(self, plaintext: str, vault_id: str) -> str:
        """Return a vault-encrypted text. vault_id: one of `ids`. Raises VaultError."""
        secret = next(secret for an_id, secret in self._secrets if an_id == vault_id)
        try:
            ciphertext: str = VaultLib(self._secrets).encrypt(plaintext, secret, vault_id).decode("ascii")
            return ciphertext
        except AnsibleError as error:
            raise VaultError(f"cannot encrypt with the vault id {vault_id!r}: {error}") from error

    def decrypt(self, ciphertext: str) -> str:
        """The text that was encrypted. The caller adds whose it is to the message of the exception."""
        ciphertext = ciphertext.strip()
        header = ciphertext.split("\n", 1)[0].split(";")
        if header[0] + ";" != HEADER:
            raise VaultError("it is tagged !vault, but is not vault-encrypted text")
        try:
            plaintext: str = VaultLib(self._secrets).decrypt(ciphertext).decode("utf-8")
            return plaintext
        except (AnsibleError, ValueError) as error:
            # Ansible's message is left out: it may quote what it could not read.
            raise VaultError(
                f"it was encrypted with the vault id {_id_of(header)!r}, and none of the vault secrets loaded"
                f" ({self._named_ids() or 'none'}) decrypts it: start the run with the one that does"
            ) from error

    def check_known(self, vault_id: str, ciphertexts: Iterable[str]) -> None:
        """Raise VaultError where others were encrypted with this id, and its secret that is loaded decrypts none of
        them: it is another one, and nobody could read both."""
        same = [text for text in ciphertexts if _id_of(text.strip().split("\n", 1)[0].split(";")) == vault_id]
        if same and not any(self._decrypts(text) for text in same):
            raise VaultError(
                f"the vault secret loaded for the vault id {vault_id!r} decrypts none of those {len(same)} passwords"
                " that are stored with"
                " that id: it is another one, and what it encrypts could not be read together with them. Start the run"
                " with the right vault password. Where that is lost for good, remove their entries (module"
                " vellaric.postgres.postgres_db_credentials, state: absent), or encrypt with another id (vault_id)"
            )

    def _decrypts(self, ciphertext: str) -> bool:
        try:
            self.decrypt(ciphertext)
        except VaultError:
            return False
        return True

    def _named_ids(self) -> str:
        return ", ".join(repr(str(vault_id)) for vault_id in self.ids)


def _id_of(header: Sequence[str]) -> str:
    """The vault id in the parts of a header. That which is called default is not written there."""
    return header[3] if len(header) > 3 else "default"

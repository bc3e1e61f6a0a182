# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials as a job hands them on to the next: the entries of the file, passwords only as vault-encrypted text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ansible_collections.vellaric.postgres.plugins.plugin_utils.credentials import InvalidRequest
from ansible_collections.vellaric.postgres.plugins.plugin_utils.vars_file import VarsFile
from ansible_collections.vellaric.postgres.plugins.plugin_utils.vault import HEADER, VaultError

if TYPE_CHECKING:
    from .credentials import Request
    from .vars_file import Value
    from .vault import RunVault

_SECRET = ("password", "next_password")
_WAITING = ("next_username", "next_password")
_KEYS = ("username", "password", *_WAITING)


def of(document: VarsFile, requests: Iterable[Request], rotated: bool = False) -> dict[str, dict[str, str | None]]:
    """Return the entries of what was asked for. Raises InvalidRequest rather than hand on what is not encrypted.

    rotated: what waited does so no longer, which is said with None: a job's artifacts are merged key by key.
    """
    found = {}
    for request in requests:
        entry = document.entry(request.entry)
        if entry is None:
            continue
        values = {key: getattr(entry, key) for key in _KEYS}
        values = {key: value for key, value in values.items() if value is not None}
        if not all(values[key].encrypted for key in _SECRET if key in values):
            raise InvalidRequest(f"{request.entry} is not encrypted, so that it is not handed on")
        found[request.entry] = {
            **(dict.fromkeys(_WAITING) if rotated else {}),
            **{key: value.text for key, value in values.items()},
        }
    return found


def restored(
    document: VarsFile, handed_on: Mapping[str, Any] | None, requests: Iterable[Request], vault: RunVault
) -> VarsFile:
    """Return the file with the entries in it that a former job has handed on, of those asked for that it does not have.

    Raises InvalidRequest where the two differ: nothing says which of them is out of date, and neither is to be lost.
    """
    for request in requests:
        values = (handed_on or {}).get(request.entry)
        if values is None:
            continue
        if isinstance(values, dict):
            values = {key: value for key, value in values.items() if value is not None}
        _check(request.entry, values, vault)
        present = document.entry(request.entry)
        if present is None:
            required = {key: values[key] for key in ("username", "password")}
            document = VarsFile(document.with_entries({request.entry: required}))
            waiting = {key: value for key, value in values.items() if key not in required}
            if waiting:
                document = VarsFile(document.with_entries({request.entry: waiting}))
        elif any(_plain(getattr(present, key), vault) != _plain(values.get(key), vault) for key in _KEYS):
            raise InvalidRequest(
                f"artifact: {request.entry} has other credentials in the file: leave out the one of the two that is"
                " out of date"
            )
    return document


def _plain(value: Value | str | None, vault: RunVault) -> str | None:
    text = value if value is None or isinstance(value, str) else value.text
    return vault.decrypt(text) if text is not None and text.strip().startswith(HEADER) else text


def _check(entry: str, values: object, vault: RunVault) -> None:
    if not isinstance(values, dict) or set(values) - set(_KEYS) or not {"username", "password"} <= set(values):
        raise InvalidRequest(f"artifact: {entry} is not an entry as this module hands it on")
    for key in _SECRET:
        if key in values:
            if not str(values[key]).startswith(HEADER):
                raise InvalidRequest(f"artifact: {entry}.{key} is not vault-encrypted text")
            try:
                vault.decrypt(values[key])
            except VaultError as error:
                raise InvalidRequest(f"artifact: {entry}.{key} cannot be read: {error}") from None

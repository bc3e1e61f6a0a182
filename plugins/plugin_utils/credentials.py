# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the credentials of databases are: given, else stored, else generated; and what of the file that changes.

A rotation has two halves. `rotating` stores a new password beside the present one, `rotated` puts it in its place, once
the server has it. A run that was interrupted between them is taken up by the next: both passwords are in the file. What
is given for an entry that has another password goes the same way: `resolve`, then `rotated`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.vellaric.postgres.plugins.module_utils._domain import names
from ansible_collections.vellaric.postgres.plugins.plugin_utils.vars_file import SECTION, VarsFileError
from ansible_collections.vellaric.postgres.plugins.plugin_utils.vault import VaultError

if TYPE_CHECKING:
    from .vars_file import Entry, Value, VarsFile
    from .vault import RunVault

KEYS = ("name", "environment", "username", "password", "update_password", "user", "owner")


class InvalidRequest(ValueError):
    """What is asked for does not go with what is stored. The message says what fixes it."""


class Request:
    """One database that was asked for, or with `user` a further user of it, its values checked. entry: its key.

    owner: the role that two logins take turns for, one of which is the username. update_password: on_create where a
    server that has another password keeps it.
    """

    def __init__(
        self,
        name: str,
        environment: str,
        username: str | None = None,
        password: str | None = None,
        update_password: str | None = None,
        user: str | None = None,
        owner: str | None = None,
    ) -> None:
        self.name = name
        self.environment = environment
        self.user = user
        self.container = names.container_name(name, environment)
        self.entry = entry_key(self.container, user)
        if user is not None and username is not None:
            raise names.InvalidName(f"username: {user} is a further user, whose name is that of the option user")
        username = user if username is None else username
        self.username = None if username is None else names.check_username(username)
        self.password = None if password is None else names.check_password(password)
        self.update_password = update_password
        self.owner = None if owner is None else names.check_username(owner)


def entry_key(container: str, user: str | None = None) -> str:
    """The key of the file's section: the container's name, for a further user with its name behind a slash."""
    return container if user is None else f"{container}/{user}"


class Resolved:
    """The credentials of a database, and which of them have to be written (`added`, `changed`: names of keys)."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.username: str | None = None
        self.username_generated = False
        self.source: str | None = None
        self.is_new = False
        # What the file gets: {"username": text, "password": ciphertext}, or what of it changes; None takes a key away.
        self.written: dict[str, str | None] = {}
        self.was_plain = False
        self.old_username: str | None = None
        # Whether a new password waits for the server to have it: in the file, or with on_create outside of it.
        self.rotating = False
        # While it is rotated: the login that gets the new password.
        self.next_username: str | None = None

    @property
    def encrypts(self) -> bool:
        return any(self.written.get(key) is not None for key in ("password", "next_password"))


def requests_from(databases: Sequence[Mapping[str, Any]]) -> list[Request]:
    """Requests from the task's options. Values may be text of Ansible's own types: plain text is made of them."""
    requests: list[Request] = []
    for options in databases:
        try:
            request = Request(**{key: _plain(options.get(key)) for key in KEYS})
        except names.InvalidName as error:
            if len(databases) == 1:
                raise
            raise names.InvalidName(f"databases: the one called {options.get('name')!r}: {error}") from None
        if request.entry in [other.entry for other in requests]:
            whose = "" if request.user is None else f"user {request.user} of "
            raise names.InvalidName(f"databases: {whose}{request.name} ({request.environment}) is there twice")
        requests.append(request)
    return requests


def resolve(file: VarsFile, request: Request, vault: RunVault, vault_id: str) -> Resolved:
    """Raises when what is stored cannot be read: nothing that could not be read is ever overwritten.

    Nor is what is stored replaced by what is given, which the server may yet refuse.
    """
    resolved, stored_username, stored_password, next_password = _look_up(file, request, vault)
    resolved.rotating = next_password is not None

    # One of two logins that take turns for the role that is meant.
    takes_turn = request.username is not None and stored_username in names.alternates(request.username)
    another = stored_username is not None and request.username not in (None, stored_username)
    if another and not takes_turn and request.user is None:
        raise InvalidRequest(
            f"username: {request.username} is not the one stored for {request.entry}, and a database keeps its own"
            " for life. Nothing was changed: do"
            " not give one (username, database_username). Where that database is no longer there, forget its"
            " credentials first (module vellaric.postgres.postgres_db_credentials, state: absent); where what is stored"
            " is wrong, rotate the password (playbook vellaric.postgres.rotate)"
        )
    resolved.username = stored_username if takes_turn else request.username or stored_username
    if resolved.username is None:
        resolved.username = names.new_username()
        resolved.username_generated = True
    resolved.source = "given" if request.password else "stored" if stored_password else "generated"

    if resolved.username != stored_username:
        resolved.written["username"] = resolved.username
    # Encryption is salted: what has not changed is not encrypted again, or every run would change the file.
    if resolved.is_new or resolved.was_plain:
        password = stored_password or request.password or names.new_password()
        resolved.written["password"] = _encrypted(password, request, vault, vault_id)
    if not resolved.is_new and request.password is not None and request.password != stored_password:
        resolved.rotating = True
        if request.update_password != "on_create" and request.password != next_password:
            resolved.written["next_password"] = _beside(request.password, next_password, request, vault, vault_id)
    return resolved


def _beside(given: str, next_password: str | None, request: Request, vault: RunVault, vault_id: str) -> str:
    """Encrypt what is given for an entry that has another password. Raises where one waits that the server may have."""
    if next_password is not None:
        raise InvalidRequest(
            f"password: another new one waits for {request.entry}, which its server may have: a change of the"
            " password was interrupted. Nothing was changed: rotate it first (playbook vellaric.postgres.rotate), or"
            " give the stored password, which sets that again"
        )
    return _encrypted(given, request, vault, vault_id)


def rotating(file: VarsFile, request: Request, vault: RunVault, vault_id: str) -> Resolved:
    """Store a new password beside the present one, or keep the one that a rotation which was interrupted has stored.

    Where nothing is stored, or what is stored is another role's, the new password is all there is.
    """
    resolved, stored_username, stored_password, next_password = _look_up(file, request, vault)
    resolved.username = request.username or stored_username
    resolved.rotating = True
    if resolved.username is None:
        raise InvalidRequest(
            f"{request.entry} has no stored credentials: give username, the role that the server has for it"
        )
    if request.password is not None and request.password == stored_password:
        raise InvalidRequest(
            f"password: the one given for {request.entry} is the one that it has: give another, or none to have one"
            " generated"
        )
    lost = stored_password is None or stored_username not in _logins(request, resolved.username)
    wanted = request.password or (None if lost else next_password)
    resolved.source = "given" if request.password else "stored" if wanted else "generated"
    wanted = wanted or names.new_password()
    entry = file.entry(request.entry)
    if lost or entry is None or stored_username is None:
        resolved.username = resolved.next_username = _next_login(request, resolved.username)
        resolved.written = {"username": resolved.username, "password": _encrypted(wanted, request, vault, vault_id)}
        resolved.written.update(dict.fromkeys(_waiting(entry)))
        return resolved
    # What the file says, not the server: a rotation that was interrupted may have come there, but no further.
    resolved.username = stored_username
    resolved.next_username = _text(entry.next_username) or _next_login(request, stored_username)
    if resolved.next_username not in (stored_username, _text(entry.next_username)):
        resolved.written["next_username"] = resolved.next_username
    if wanted != next_password:
        resolved.written["next_password"] = _encrypted(wanted, request, vault, vault_id)
    return resolved


def is_lost(file: VarsFile, request: Request, vault: RunVault) -> bool:
    """Say whether nothing is stored for the role that the server has. Raises where something is that cannot be read."""
    _resolved, username, password, _next_password = _look_up(file, request, vault)
    return password is None or username not in _logins(request, request.username)


def _logins(request: Request, username: str | None) -> tuple[str | None, ...]:
    """Return the names under which a role logs in: its own, or those of two that take turns for it."""
    return (username,) if request.owner is None else (request.owner, *names.alternates(request.owner))


def _next_login(request: Request, current: str) -> str:
    """The login that gets the new password: the same, or of two that take turns the other one."""
    if request.owner is None:
        return current
    first, second = names.alternates(request.owner)
    return second if current == first else first


def rotated(file: VarsFile, request: Request, vault: RunVault, vault_id: str) -> Resolved:
    """Let the new password take the place of the old one, now that the server has it. Nothing, where none waits.

    It is the one that waits, or the one given: then the login is the stored one, and nothing waits any more.
    """
    resolved, stored_username, stored_password, next_password = _look_up(file, request, vault)
    if stored_password is None:
        raise InvalidRequest(f"{request.entry} has no stored credentials, so that none can take their place")
    resolved.username = stored_username
    resolved.source = "stored"
    entry = file.entry(request.entry)
    if request.password is None and next_password is not None and entry is not None:
        resolved.username = _text(entry.next_username) or stored_username
        if resolved.username != stored_username:
            resolved.written["username"] = resolved.username
    wanted = request.password or next_password
    if wanted is not None and wanted != stored_password:
        resolved.written["password"] = _encrypted(wanted, request, vault, vault_id)
    if wanted is not None:
        resolved.written.update(dict.fromkeys(_waiting(entry)))
    return resolved


def stored(file: VarsFile, request: Request, vault: RunVault, vault_id: str) -> Resolved:
    """What is stored, and nothing else: a password that is lost is not recovered. vault_id: not needed."""
    resolved, stored_username, stored_password, next_password = _look_up(file, request, vault)
    if stored_password is None:
        raise InvalidRequest(
            f"{request.entry} has no stored credentials: a lost password is not recovered, but rotated (playbook"
            " vellaric.postgres.rotate)"
        )
    resolved.username = stored_username
    resolved.rotating = next_password is not None
    resolved.source = "stored"
    return resolved


def _waiting(entry: Entry | None) -> list[str]:
    """The keys of an entry that are there while a rotation is under way."""
    return [key for key in ("next_username", "next_password") if getattr(entry, key, None) is not None]


def _text(value: Value | None) -> str | None:
    return None if value is None else value.text


def _look_up(file: VarsFile, request: Request, vault: RunVault) -> tuple[Resolved, str | None, str | None, str | None]:
    """Return (Resolved, stored user name, stored password, password that a rotation has stored). Raises where one of
    them cannot be read."""
    resolved = Resolved(request)
    entry = file.entry(request.entry)
    if entry is None:
        resolved.is_new = True
        return resolved, None, None, None
    username = _stored(entry.username, "username", names.check_username, request, vault)
    password = _stored(entry.password, "password", names.check_password, request, vault)
    next_password = None
    if entry.next_password is not None:
        next_password = _stored(entry.next_password, "next_password", names.check_password, request, vault)
    resolved.was_plain = not entry.password.encrypted
    resolved.old_username = username
    return resolved, username, password, next_password


def _encrypted(password: str, request: Request, vault: RunVault, vault_id: str) -> str:
    ciphertext = vault.encrypt(password, vault_id)
    if vault.decrypt(ciphertext) != password:
        raise VaultError(f"the vault does not give back what was encrypted for {request.entry}")
    return ciphertext


def diff_lines(resolved: Iterable[Resolved]) -> tuple[list[str], list[str]]:
    """What is seen of a change, before and after: names of keys and users, never a password nor its ciphertext."""
    before, after = [], []
    for item in resolved:
        if not item.written:
            continue
        there = [] if item.is_new else [key for key in item.written if not key.startswith("next_")]
        there += [key for key, value in item.written.items() if value is None]
        stays = [key for key, value in item.written.items() if value is not None]
        if not item.is_new:
            before += _lines(item, there, item.old_username, "(plain text)" if item.was_plain else "(encrypted)")
        username = "(to be generated)" if item.username_generated else item.username
        password = "(encrypted)" if item.is_new or item.was_plain else "(encrypted, changed)"
        after += _lines(item, stays, username, password)
    return before, after


def removal_lines(containers: Iterable[str]) -> list[str]:
    lines = []
    for container in containers:
        lines += [f"  {container}:", "    username", "    password"]
    return lines


def _lines(item: Resolved, keys: Iterable[str], username: str | None, password: str) -> list[str]:
    shown = {"username": username, "password": password, "next_password": "(encrypted)"}
    shown["next_username"] = item.next_username or "(the other login)"
    return [f"  {item.request.entry}:", *[f"    {key}: {shown[key]}" for key in keys]]


def _stored(value: Value, name: str, check: Callable[[str], str], request: Request, vault: RunVault) -> str:
    where = f"{SECTION}.{request.entry}.{name}"
    try:
        return check(vault.decrypt(value.text) if value.encrypted else value.text)
    except VaultError as error:
        raise VarsFileError(
            f"{where} cannot be read: {error}. Where that secret is lost for good, remove the entry (module"
            " vellaric.postgres.postgres_db_credentials, state: absent), and rotate the password (playbook"
            " vellaric.postgres.rotate)"
        ) from None
    except names.InvalidName as error:
        # A username may be encrypted because it is a secret; check_username quotes it.
        reason = "the decrypted value is not accepted" if value.encrypted and name == "username" else error
        raise VarsFileError(f"{where}: {reason}") from None


def _plain(value: Any) -> Any:
    # Text of a vaulted variable is a type of Ansible's own, which carries where it came from.
    return "".join(value) if isinstance(value, str) else value

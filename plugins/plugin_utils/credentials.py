# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the credentials of databases are: given, else stored, else generated; and what of the file that changes."""

from __future__ import annotations

from ansible_collections.vellaric.postgres.plugins.module_utils import names
from ansible_collections.vellaric.postgres.plugins.plugin_utils.vars_file import SECTION, VarsFileError
from ansible_collections.vellaric.postgres.plugins.plugin_utils.vault import VaultError


class Request:
    """One database that was asked for, its values checked."""

    def __init__(self, name, environment, username=None, password=None):
        self.name = name
        self.environment = environment
        self.container = names.container_name(name, environment)
        self.username = None if username is None else names.check_username(username)
        self.password = None if password is None else names.check_password(password)


class Resolved:
    """The credentials of a database, and which of them have to be written (`added`, `changed`: names of keys)."""

    def __init__(self, request):
        self.request = request
        self.username = None
        self.username_generated = False
        self.source = None
        self.is_new = False
        # What the file gets: {"username": text, "password": ciphertext}, or what of it changes.
        self.written = {}
        self.was_plain = False
        self.old_username = None


def requests_from(databases):
    """Requests from the task's options. Values may be text of Ansible's own types: plain text is made of them."""
    requests = []
    for options in databases:
        try:
            request = Request(
                **{key: _plain(options.get(key)) for key in ("name", "environment", "username", "password")}
            )
        except names.InvalidName as exc:
            if len(databases) == 1:
                raise
            raise names.InvalidName("databases: the one called %r: %s" % (options.get("name"), exc)) from None
        if request.container in [other.container for other in requests]:
            raise names.InvalidName("databases: %s (%s) is there twice" % (request.name, request.environment))
        requests.append(request)
    return requests


def resolve(file, request, vault, vault_id):
    """Raises when what is stored cannot be read: nothing that could not be read is ever overwritten."""
    resolved = Resolved(request)
    entry = file.entry(request.container)
    stored_username = stored_password = None
    if entry is None:
        resolved.is_new = True
    else:
        stored_username = _stored(entry.username, "username", names.check_username, request, vault)
        stored_password = _stored(entry.password, "password", names.check_password, request, vault)
        resolved.was_plain = not entry.password.encrypted
        resolved.old_username = stored_username

    resolved.username = request.username or stored_username
    if resolved.username is None:
        resolved.username = names.new_username()
        resolved.username_generated = True
    password = request.password or stored_password or names.new_password()
    resolved.source = "given" if request.password else "stored" if stored_password else "generated"

    if resolved.username != stored_username:
        resolved.written["username"] = resolved.username
    # Encryption is salted: what has not changed is not encrypted again, or every run would change the file.
    if password != stored_password or resolved.was_plain:
        ciphertext = vault.encrypt(password, vault_id)
        if vault.decrypt(ciphertext) != password:
            raise VaultError("the vault does not give back what was encrypted for %s" % request.container)
        resolved.written["password"] = ciphertext
    return resolved


def diff_lines(resolved):
    """What is seen of a change, before and after: names of keys and users, never a password nor its ciphertext."""
    before, after = [], []
    for item in resolved:
        if not item.written:
            continue
        if not item.is_new:
            before += _lines(item, item.old_username, "(plain text)" if item.was_plain else "(encrypted)")
        username = "(to be generated)" if item.username_generated else item.username
        password = "(encrypted)" if item.is_new or item.was_plain else "(encrypted, changed)"
        after += _lines(item, username, password)
    return before, after


def removal_lines(containers):
    lines = []
    for container in containers:
        lines += ["  %s:" % container, "    username", "    password"]
    return lines


def _lines(item, username, password):
    lines = ["  %s:" % item.request.container]
    if "username" in item.written:
        lines.append("    username: %s" % username)
    if "password" in item.written:
        lines.append("    password: %s" % password)
    return lines


def _stored(value, name, check, request, vault):
    where = "%s.%s.%s" % (SECTION, request.container, name)
    try:
        return check(vault.decrypt(value.text) if value.encrypted else value.text)
    except VaultError as exc:
        raise VarsFileError("%s cannot be read: %s" % (where, exc)) from None
    except names.InvalidName as exc:
        # A username may be encrypted because it is a secret; check_username quotes it.
        reason = "the decrypted value is not accepted" if value.encrypted and name == "username" else exc
        raise VarsFileError("%s: %s" % (where, reason)) from None


def _plain(value):
    # Text of a vaulted variable is a type of Ansible's own, which carries where it came from.
    return "".join(value) if isinstance(value, str) else value

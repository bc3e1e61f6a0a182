# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials are resolved on the controller, and stored there, or on a host of choice, before anything is created."""

from __future__ import annotations

import contextlib
import os
import random
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ansible import constants as C
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.names import InvalidName
from ansible_collections.vellaric.postgres.plugins.module_utils._host.locked_file import FileError, locked, unlocked
from ansible_collections.vellaric.postgres.plugins.modules.postgres_db_credentials import (
    DATABASE_OPTIONS,
    argument_spec,
    constraints,
)
from ansible_collections.vellaric.postgres.plugins.plugin_utils import (
    artifact,
    credentials,
    ephemeral,
    remote_file,
    vars_place,
)
from ansible_collections.vellaric.postgres.plugins.plugin_utils.checked import Invalid, checked
from ansible_collections.vellaric.postgres.plugins.plugin_utils.credentials import InvalidRequest
from ansible_collections.vellaric.postgres.plugins.plugin_utils.plain import plain
from ansible_collections.vellaric.postgres.plugins.plugin_utils.vars_file import SECTION, VarsFile, VarsFileError
from ansible_collections.vellaric.postgres.plugins.plugin_utils.vars_place import HiddenVariables
from ansible_collections.vellaric.postgres.plugins.plugin_utils.vault import RunVault, VaultError, run_secrets

if TYPE_CHECKING:
    from ansible_collections.vellaric.postgres.plugins.module_utils._host.locked_file import LockedFile
    from ansible_collections.vellaric.postgres.plugins.plugin_utils.credentials import Request, Resolved

_RESOLVE = {
    "present": credentials.resolve,
    "rotating": credentials.rotating,
    "rotated": credentials.rotated,
    "stored": credentials.stored,
}

_VANISHES = (
    "path: %s is in the file system of this job, which is thrown away with it, and the new credentials would be lost."
    " Choose one of these: hand them on, encrypted, as the job's artifact (return_artifact: true; the roles'"
    " database_credentials_artifact), a path on a volume that is mounted into the execution environment, a host of"
    " choice (delegate_to; the roles' database_credentials_on), or a run where the file can be committed to the"
    " project's repository"
)


# Of runs that change the same file on another host at the same time, one gets on with each attempt of the others.
_ATTEMPTS = 100
# What jobs hand on.
_ARTIFACT = "postgres_credentials_artifact"


class OptionsError(Exception):
    """Options that do not fit the argument spec."""


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            options = self._options(task_vars)
            databases = options["databases"]
            if databases is None:
                databases = [{key: options[key] for key in DATABASE_OPTIONS}]
            requests = credentials.requests_from(databases)
            delegate = self._task.delegate_to
            self._there = None if delegate is None or delegate in C.LOCALHOST else self._module(task_vars)
            path = self._path(options["path"])
            hidden = self._hidden(path, options["state"])
            result.update(
                self._again(self._forget if options["state"] == "absent" else self._store, path, requests, options)
            )
        except VarsFileError as error:
            return {**result, "failed": True, "msg": f"path: {path}: {error}"}
        except (FileError, InvalidName, InvalidRequest, OptionsError, VaultError, HiddenVariables) as error:
            # Returned, not raised: a raised error brings a traceback along (with -vvv), and of what the user can cause
            # there is none.
            return {**result, "failed": True, "msg": str(error)}
        result["path"] = path
        if "artifact" in result:
            result["ansible_stats"] = self._handed_on(result["artifact"], task_vars)
        if hidden:
            result["warnings"] = [*result.get("warnings", []), hidden]
        return result

    def _handed_on(self, new: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """Return the artifact of the job, as set_stats does: what a former job has handed on, and what is new."""
        former = self._templar.template((task_vars or {}).get(_ARTIFACT))
        data = {_ARTIFACT: {**(plain(former, str) if former else {}), **new}}
        return {"data": data, "per_host": False, "aggregate": True}

    def _options(self, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        arguments = plain(self._task.args, str)
        passwords = _passwords(arguments)
        if any(isinstance(password, (list, dict)) for password in passwords):
            # The validator would make text of it.
            raise InvalidName("password: the value given is a list or a mapping: it must be text")
        try:
            return checked(argument_spec(), arguments, task_vars=task_vars, **constraints())
        except Invalid as error:
            raise OptionsError(remove_values(str(error), {str(password) for password in passwords})) from None

    def _module(self, task_vars: dict[str, Any] | None) -> Callable[[dict[str, Any]], dict[str, Any]]:
        """What runs the module for files on the host that the task is delegated to."""
        return lambda options: self._execute_module(remote_file.MODULE, options, task_vars=task_vars)

    def _path(self, path: str) -> str:
        if not self._there:
            # As Ansible resolves the paths of a play, but never below an installed collection. A link is followed, so
            # that it stays one.
            within = "ansible_collections" in os.path.abspath(self._loader.get_basedir()).split(os.sep)
            return os.path.realpath(os.path.expanduser(path) if within else self._loader.path_dwim(path))
        if not os.path.isabs(path):
            raise OptionsError(f"path: {path} is on another host: give an absolute path")
        return path

    def _hidden(self, path: str, state: str) -> str | None:
        """Return a warning where Ansible does not read a person's variables beside the file. Raises HiddenVariables
        where it would be this run that hides them."""
        if self._there:
            return None
        if state in ("present", "rotating"):
            vars_place.refuse_to_hide(path)
        file = vars_place.hidden_by(path)
        if not (file and os.path.isdir(os.path.dirname(path))):
            return None
        directory = os.path.dirname(path)
        return f"{file} is not read by Ansible, since there is a directory {directory}: move it there, or remove it"

    def _again(self, change: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
        for _attempt in range(_ATTEMPTS):
            try:
                return change(*arguments)
            except remote_file.Conflict:
                time.sleep(random.uniform(0, 0.5))
        raise FileError("path: other runs went on changing the file: run again when they have ended")

    def _opened(
        self, path: str, changes: bool
    ) -> contextlib.AbstractContextManager[LockedFile | remote_file.RemoteFile]:
        if self._there:
            return contextlib.nullcontext(remote_file.RemoteFile(self._there, path))
        return locked(path) if changes else unlocked(path)

    def _store(self, path: str, requests: list[Request], options: dict[str, Any]) -> dict[str, Any]:
        resolve, handed_on = _RESOLVE[options["state"]], options["return_artifact"]
        vault = RunVault(run_secrets(self._loader))
        check_mode, only_read = self._task.check_mode, options["state"] == "stored"
        # What only reads encrypts nothing.
        vault_id = "" if only_read else vault.choose_id(options["vault_id"], C.DEFAULT_VAULT_ENCRYPT_IDENTITY)
        # Nothing asked for, nothing made: not even the directory that a lock needs.
        with self._opened(path, not (check_mode or only_read) and bool(requests)) as file:
            original = VarsFile.parse(file.content)
            document = artifact.restored(original, options["artifact"], requests, vault)
            if options["only_lost"]:
                requests = [request for request in requests if credentials.is_lost(document, request, vault)]
            resolved = [resolve(document, request, vault, vault_id) for request in requests]
            changes = {item.request.entry: item.written for item in resolved if item.written}
            if any(item.encrypts for item in resolved):
                vault.check_known(vault_id, original.ciphertexts())
            # Check mode, too, makes the new text: what cannot be done is known before.
            text = document.with_entries(changes) if changes else document.text
            stale = text != original.text and not only_read
            narrow = file.too_open and bool(requests) and not only_read
            if stale and not handed_on and not self._there and ephemeral.here(path):
                raise FileError(_VANISHES % path)
            if check_mode:
                if stale or narrow:
                    file.check_writable()
            elif stale:
                file.write(text.encode("utf-8"))
            elif narrow:
                file.narrow()

        before, after = credentials.diff_lines(resolved)
        result: dict[str, Any] = {
            "changed": bool(stale or narrow),
            "stale": bool(stale or narrow),
            "vault_id": vault_id or None,
            "databases": [_database(item, check_mode) for item in resolved],
            "file": path,
        }
        looks_only = check_mode or only_read
        if self._there or (looks_only and document.text != original.text):
            result["file"] = _copy(document.text if looks_only else text)
        interrupted = [item.request.entry for item in resolved if item.rotating and item.source != "given"]
        if interrupted and resolve is credentials.resolve:
            result["warnings"] = [
                f"A change of the password of {', '.join(interrupted)} was interrupted: the old one is valid until the"
                " new one is given again, or the password rotated (playbook vellaric.postgres.rotate)"
            ]
        if handed_on and not check_mode:
            result["artifact"] = artifact.of(VarsFile(text), requests, rotated=options["state"] == "rotated")
        if self._task.diff:
            result["diff"] = _diff(path, before, after, file.mode if narrow else None)
        return result

    def _forget(self, path: str, requests: list[Request], _options: dict[str, Any]) -> dict[str, Any]:
        check_mode = self._task.check_mode
        # Forgetting needs no directory, so none is made for it.
        with self._opened(path, not check_mode and os.path.lexists(path)) as file:
            document = VarsFile.parse(file.content)
            going = [key for key in document.containers() if any(_covers(request, key) for request in requests)]
            text = document.without_entries(going) if going else None
            if going and check_mode:
                file.check_writable()
            elif text is not None:
                file.write(text.encode("utf-8"))
            elif going:
                file.remove()

        result: dict[str, Any] = {
            "changed": bool(going),
            "stale": bool(going),
            "vault_id": None,
            "file": None,
            "databases": [
                {
                    **_identity(request),
                    "username": None,
                    "next_username": None,
                    "source": None,
                    "rotating": False,
                    "added": False,
                    "changed": any(_covers(request, key) for key in going),
                }
                for request in requests
            ],
        }
        if self._task.diff:
            result["diff"] = _diff(path, credentials.removal_lines(going), [])
        return result


def _copy(text: str) -> str:
    """Write a copy that can be read until the run ends: Ansible removes the directory with everything in it."""
    descriptor, path = tempfile.mkstemp(prefix="credentials-", suffix=".yml", dir=C.DEFAULT_LOCAL_TMP)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    return path


def _covers(request: Request, key: str) -> bool:
    """Whether an entry is the one asked for, or, of a whole database, that of a further user."""
    return key == request.entry or (request.user is None and key.startswith(request.entry + "/"))


def _identity(request: Request) -> dict[str, str | None]:
    return {
        "name": request.name,
        "environment": request.environment,
        "container_name": request.container,
        "user": request.user,
        "entry": request.entry,
    }


def _database(item: Resolved, check_mode: bool) -> dict[str, Any]:
    return {
        **_identity(item.request),
        # Check mode does not promise a name that the real run would not choose.
        "username": None if check_mode and item.username_generated else item.username,
        "next_username": item.next_username,
        "source": item.source,
        "rotating": item.rotating,
        "added": item.is_new and bool(item.written),
        "changed": bool(item.written),
    }


def _diff(path: str, before: list[str], after: list[str], mode: int | None = None) -> dict[str, str]:
    lists = []
    for lines, shown_mode in ((before, mode), (after, None if mode is None else 0o600)):
        text = [] if shown_mode is None else [f"mode: {shown_mode:04o}"]
        text += [SECTION + ":"] + lines if lines else []
        lists.append("".join(line + "\n" for line in text))
    return {"before": lists[0], "after": lists[1], "before_header": path, "after_header": path}


def _passwords(arguments: Mapping[str, Any]) -> list[Any]:
    """The passwords among options that are not validated yet, and may be of any shape."""
    databases = arguments.get("databases")
    candidates = [arguments] + (databases if isinstance(databases, list) else [databases])
    values = [candidate.get("password") for candidate in candidates if isinstance(candidate, dict)]
    return [value for value in values if value]

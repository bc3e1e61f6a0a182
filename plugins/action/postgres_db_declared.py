# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's half of a run for which nothing has to be made first: stored credentials go to the module."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.vellaric.postgres.plugins.modules.postgres_db_declared import argument_spec
from ansible_collections.vellaric.postgres.plugins.plugin_utils import declarations
from ansible_collections.vellaric.postgres.plugins.plugin_utils.checked import Invalid, checked
from ansible_collections.vellaric.postgres.plugins.plugin_utils.plain import plain

_STORE = "vellaric.postgres.postgres_db_credentials"
_MODULE = "vellaric.postgres.postgres_db"
# The options that the module has, too.
_SHARED = ("data_root", "backup_root", "docker_host")


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_diff = True
    _supports_async = False

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            # What is in a declaration is looked at where it is refused in its own words.
            options = checked(argument_spec(), self._task.args, ("databases",), task_vars)
        except Invalid as error:
            return {**result, "failed": True, "msg": str(error)}
        databases = options["databases"]
        if options["refused"]:
            return dict(result, failed=True, msg="".join(options["refused"]))
        if options["credentials_on"] or options["handed_on"]:
            return dict(result, changed=False, lacking=["credentials"])
        requests = declarations.credential_requests(databases)
        found = self._stored(requests, options, task_vars) if requests else {"databases": []}
        if found is None:
            return dict(result, changed=False, lacking=["credentials"])
        answer = self._converge(declarations.completed(databases, *self._known(found), False), options, task_vars)
        if answer.get("images_missing"):
            return dict(result, changed=False, lacking=["images"])
        answer["connections"] = declarations.connections(
            plain(answer.get("databases")) or [], options["credentials_file"]
        )
        return {**result, **answer}

    def _stored(
        self, requests: list[dict[str, str]], options: dict[str, Any], task_vars: dict[str, Any] | None
    ) -> dict[str, Any] | None:
        """Return what the store says, nothing where something is to be stored, settled, or told of it."""
        task = self._task.copy()
        task.check_mode, task.diff = True, False
        task.args = {"path": options["credentials_file"], "vault_id": options["vault_id"], "databases": requests}
        store = self._shared_loader_obj.action_loader.get(
            _STORE,
            task=task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
        found: dict[str, Any] = store.run(task_vars=task_vars)
        if found.get("failed") or found.get("warnings") or found["stale"]:
            return None
        return None if any(one["rotating"] for one in found["databases"]) else found

    def _known(self, found: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Return what the store says of each role, and the entries of its file, decrypted."""
        if not found["databases"]:
            return [], {}
        content = self._loader.load_from_file(found["file"])
        return found["databases"], plain(content, str).get("postgres_credentials") or {}

    def _converge(
        self, databases: list[Any], options: dict[str, Any], task_vars: dict[str, Any] | None
    ) -> dict[str, Any]:
        arguments = {name: options[name] for name in _SHARED if options[name] is not None}
        arguments.update(databases=databases, stand_ins=True, images_required=True)
        answer: dict[str, Any] = self._execute_module(_MODULE, arguments, task_vars=task_vars)
        return answer

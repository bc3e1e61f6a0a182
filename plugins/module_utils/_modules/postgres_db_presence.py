# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What module postgres_db_presence does with Ansible: arguments, the result, and the one fail_json."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from .._domain import labels, layout, names
from .._domain.errors import DatabaseError
from .._domain.record import FILE_NAME
from .._domain.spec import DEFAULTS
from .._host import engine_socket
from .arguments import ENGINE_ARGUMENTS, ROOT_ARGUMENT
from .module import Module, edge


def main() -> None:
    module = Module(
        argument_spec={
            "name": {"type": "str", "required": True},
            "environment": {"type": "str", "choices": list(names.ENVIRONMENTS), "required": True},
            "backup_root": {"type": "path", "default": DEFAULTS["backup_root"]},
            **ROOT_ARGUMENT,
            **ENGINE_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    with edge(module):
        result = _presence(module.params)
    module.exit_json(changed=False, **result)


def _presence(params: Mapping[str, Any]) -> dict[str, Any]:
    try:
        container = names.container_name(params["name"], params["environment"])
    except names.InvalidName as error:
        raise DatabaseError(str(error)) from error
    root = params["data_root"]
    known, answer = _inspected(params, container)
    directory = os.path.join(root, container)
    return {
        "container_name": container,
        "database": os.path.lexists(os.path.join(directory, FILE_NAME)) or _manages(answer, directory),
        "container": answer is not None if known else None,
        "backups": any(not name.startswith(".") for name in _entries(os.path.join(params["backup_root"], container))),
        "deleted": bool(layout.trashed(container, _entries(os.path.join(root, layout.TRASH)))),
    }


def _inspected(params: Mapping[str, Any], container: str) -> tuple[bool, dict[str, Any] | None]:
    """Return whether the engine answers, and what it says of a container, None where there is none."""
    path = params["docker_host"].removeprefix("unix://")
    what = f"inspect container {container}"
    try:
        return True, engine_socket.get(path, what, f"/containers/{container}/json", params["docker_timeout"], True)
    except DatabaseError:
        return False, None


def _manages(answer: dict[str, Any] | None, directory: str) -> bool:
    """Say whether a container is ours, with its data in a directory: somebody may have removed the record."""
    if answer is None or not labels.is_managed((answer.get("Config") or {}).get("Labels")):
        return False
    return any(str(mount.get("Source")).startswith(directory + "/") for mount in answer.get("Mounts") or [])


def _entries(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []

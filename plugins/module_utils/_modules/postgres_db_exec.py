# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What module postgres_db_exec does with Ansible: arguments, and the result."""

from __future__ import annotations

from typing import Any

from .._backups.target import observe_target
from .._domain import texts
from .._domain.errors import DatabaseError
from .._domain.names import ENVIRONMENTS
from .._server import scripts
from . import arguments
from .arguments import ENGINE_ARGUMENTS, ROOT_ARGUMENT
from .module import Module, edge


def main() -> None:
    module = Module(
        argument_spec={
            "name": {"type": "str", "required": True},
            "environment": {"type": "str", "required": True, "choices": list(ENVIRONMENTS)},
            "scripts": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {"name": {"type": "str", "default": "the SQL"}, "sql": {"type": "str", "required": True}},
            },
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "atomic": {"type": "bool", "default": True},
            "timeout": {"type": "int", "default": 3600},
            **ROOT_ARGUMENT,
            **ENGINE_ARGUMENTS,
        },
        required_together=[("username", "password")],
        supports_check_mode=True,
    )
    with edge(module):
        result = _exec(module)
    module.exit_json(**result)


def _exec(module: Module) -> dict[str, Any]:
    given = module.params
    wanted = [scripts.Script(texts.line(one["name"], "name"), one["sql"]) for one in given["scripts"]]
    # Ansible shows what a module was called with, and a script may have a secret in it.
    given["scripts"] = f"{len(wanted)} scripts"
    seconds = texts.number(given["timeout"], "timeout", 1, texts.MOST_SECONDS)
    scripts.check(wanted, given["atomic"])
    engine = arguments.engine(module)
    engine.connect()
    engine.get_ready()
    target = observe_target(engine, given["data_root"], given["name"], given["environment"])
    if target.record is None and target.facts is None:
        raise DatabaseError(f"There is no database {given['name']} in {given['environment']} on this host")
    if target.facts is None or not target.running:
        raise DatabaseError(f"{target.container} does not run: start it first (playbook vellaric.postgres.start)")
    login = scripts.Login(given["name"], given["username"], given["password"])
    printed = []
    if not module.check_mode:
        printed = scripts.run(engine, target.facts, login, wanted, given["atomic"], seconds)
    return {
        "changed": True,
        "container_name": target.container,
        "user": given["username"] or "postgres",
        "statements": scripts.shown(wanted),
        "output": printed,
    }

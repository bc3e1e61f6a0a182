# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What module postgres_db_import does with Ansible: arguments, the result, and the one fail_json."""

from __future__ import annotations

from typing import Any

from .._backups.target import observe_target
from .._domain.names import ENVIRONMENTS
from .._dumps import import_dump, remote_database
from . import arguments, replaced
from .arguments import ENGINE_ARGUMENTS, ROOT_ARGUMENT
from .module import Module, edge


def main() -> None:
    defaults = import_dump.Options()
    module = Module(
        argument_spec={
            "name": {"type": "str", "required": True},
            "environment": {"type": "str", "required": True, "choices": list(ENVIRONMENTS)},
            "path": {"type": "path"},
            "url": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "ca_file": {"type": "path"},
            "replace": {"type": "bool", "default": defaults.replace},
            "roles": {"type": "list", "elements": "str", "default": []},
            "backup_first": {"type": "bool", "default": defaults.backup_first},
            "keep_old": {"type": "int", "default": defaults.keep_old},
            "backup_root": {"type": "path"},
            "jobs": {"type": "int", "default": defaults.jobs},
            "timeout": {"type": "int", "default": defaults.timeout},
            "wait_timeout": {"type": "int", "default": defaults.wait_timeout},
            **ROOT_ARGUMENT,
            **ENGINE_ARGUMENTS,
        },
        mutually_exclusive=[("path", "url")],
        required_one_of=[("path", "url")],
        required_by={"password": ["url"], "ca_file": ["url"]},
        supports_check_mode=True,
    )
    with edge(module):
        module.exit_json(**_import(module))


def _import(module: Module) -> dict[str, Any]:
    given = module.params
    options = import_dump.Options(
        path=given["path"],
        source=remote_database.parse(given["url"], given["password"], given["ca_file"]) if given["url"] else None,
        roles=tuple(given["roles"]),
        **{name: given[name] for name in ("replace", "backup_first", "keep_old", "jobs", "timeout", "wait_timeout")},
    )
    engine = arguments.engine(module)
    engine.connect()
    engine.get_ready()
    target = observe_target(engine, given["data_root"], given["name"], given["environment"], given["backup_root"])
    outcome = import_dump.import_database(engine, target, options, module.check_mode, module.log)
    replaced.warn(module, target, outcome)
    return {
        **replaced.result(target, outcome, outcome.report["source"]),
        "report": outcome.report,
        "imported": outcome.restored,
    }

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What module postgres_db_backup does with Ansible: arguments, warnings, the result, and the one fail_json."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from .._backups import catalog, dump_options, naming, retention
from .._domain.names import ENVIRONMENTS
from .._domain.units import parse_duration
from .._dumps import operations
from . import arguments
from .arguments import ENGINE_ARGUMENTS, ROOT_ARGUMENT
from .module import Module, edge


def main() -> None:
    defaults = dump_options.Options()
    rules = [field.name for field in dataclasses.fields(retention.Retention)]
    module = Module(
        argument_spec={
            "name": {"type": "str", "required": True},
            "environment": {"type": "str", "required": True, "choices": list(ENVIRONMENTS)},
            "state": {"type": "str", "choices": list(operations.STATES), "default": "present"},
            "backup": {"type": "str"},
            "max_age": {"type": "str"},
            "format": {"type": "str", "choices": list(naming.FORMATS), "default": defaults.format},
            "compression": {"type": "str", "choices": list(naming.COMPRESSIONS), "default": defaults.compression},
            "compression_level": {"type": "int"},
            "jobs": {"type": "int", "default": defaults.jobs},
            "row_counts": {"type": "bool", "default": defaults.row_counts},
            "retention": {"type": "dict", "options": {rule: {"type": "int"} for rule in rules}},
            "lock_timeout": {"type": "int", "default": defaults.lock_timeout},
            "timeout": {"type": "int", "default": defaults.timeout},
            "wait_timeout": {"type": "int", "default": 120},
            "backup_root": {"type": "path"},
            **ROOT_ARGUMENT,
            **ENGINE_ARGUMENTS,
        },
        required_if=[("state", "absent", ["backup"]), ("state", "pruned", ["retention"])],
        supports_check_mode=True,
    )
    with edge(module):
        _run(module)


def _run(module: Module) -> None:
    request = _request(module.params)
    engine = arguments.engine(module)
    engine.connect()
    engine.get_ready()
    outcome = operations.run(engine, request, module.check_mode, module.log)
    for warning in outcome.warnings:
        module.warn(f"{outcome.container}: {warning}")
    result = _result(outcome)
    if outcome.failure is not None:
        name = outcome.backup.file_name if outcome.backup else request.backup
        module.fail_json(msg=f"{name} failed verification: {outcome.failure}", **result)
    module.exit_json(**result)


def _request(given: Mapping[str, Any]) -> operations.Request:
    rules = given["retention"]
    return operations.Request(
        name=given["name"],
        environment=given["environment"],
        data_root=given["data_root"],
        backup_root=given["backup_root"],
        state=given["state"],
        backup=given["backup"],
        max_age=None if given["max_age"] is None else parse_duration(given["max_age"], "max_age"),
        retention=None if rules is None else retention.from_option(rules),
        wait_timeout=given["wait_timeout"],
        options=dump_options.Options(
            format=given["format"],
            compression=given["compression"],
            level=given["compression_level"],
            jobs=given["jobs"],
            row_counts=given["row_counts"],
            timeout=given["timeout"],
            lock_timeout=given["lock_timeout"],
        ),
    )


def _result(outcome: operations.Outcome) -> dict[str, Any]:
    return {
        "changed": bool(outcome.actions),
        "container_name": outcome.container,
        "actions": [step.result() for step in outcome.actions],
        "backup": catalog.describe(outcome.backup) if outcome.backup else None,
        "removed": outcome.removed,
        "diff": {
            "before_header": outcome.directory,
            "after_header": outcome.directory,
            "before": {"backups": outcome.before},
            "after": {"backups": outcome.after},
        },
    }

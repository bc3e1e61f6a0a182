# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What module postgres_db_collations does with Ansible: arguments, the result, and the one fail_json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._backups.target import observe_target
from .._domain.names import ENVIRONMENTS
from .._operations import collating
from . import arguments
from .arguments import ENGINE_ARGUMENTS, ROOT_ARGUMENT
from .module import Module, edge

_SHOWN = ("name", "table", "size_bytes", "run_as")


def main() -> None:
    defaults = collating.Options()
    module = Module(
        argument_spec={
            "name": {"type": "str", "required": True},
            "environment": {"type": "str", "required": True, "choices": list(ENVIRONMENTS)},
            "concurrently": {"type": "bool", "default": defaults.concurrently},
            "everything": {"type": "bool", "default": defaults.everything},
            "timeout": {"type": "int", "default": defaults.timeout},
            "wait_timeout": {"type": "int", "default": defaults.wait_timeout},
            **ROOT_ARGUMENT,
            **ENGINE_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    with edge(module):
        _run(module)


def _run(module: Module) -> None:
    given = module.params
    engine = arguments.engine(module)
    engine.connect()
    engine.get_ready()
    target = observe_target(engine, given["data_root"], given["name"], given["environment"])
    options = collating.Options(given["concurrently"], given["everything"], given["timeout"], given["wait_timeout"])
    outcome = collating.bring_over(engine, target, options, module.check_mode, module.log)
    for warning in outcome.warnings:
        module.warn(f"{target.container}: {warning}")
    result = _result(target.container, outcome)
    if outcome.failed and not module.check_mode:
        said = "; ".join(outcome.failed[:5])
        module.fail_json(
            msg=f"{target.container} is not brought over, and the versions stay as they are noted where something is"
            f" left: {said}",
            **result,
        )
    module.exit_json(**result)


def _result(container: str, outcome: collating.Outcome) -> dict[str, Any]:
    return {
        "changed": bool(outcome.actions),
        "container_name": container,
        "actions": [step.result() for step in outcome.actions],
        "databases": [_shown(database) for database in outcome.databases],
        "left": outcome.failed,
        "diff": {
            "before_header": container,
            "after_header": container,
            "before": {"sorted under": {one["name"]: _versions(one, "recorded") for one in outcome.databases}},
            "after": {"sorted under": {one["name"]: _versions(one, "actual") for one in outcome.databases}},
        },
    }


def _shown(database: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": database["name"],
        "recorded": database["recorded"],
        "actual": database["actual"],
        "collations": database["collations"],
        "indexes": [{key: index[key] for key in _SHOWN} for index in database["indexes"]],
        "partitioned": database["partitioned"],
    }


def _versions(database: Mapping[str, Any], which: str) -> dict[str, str]:
    found = {one["name"]: one[which] for one in database["collations"]}
    return {"its default": database[which], **found} if database["changed"] else found

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What module postgres_db_restore does with Ansible: arguments, the result, and the one fail_json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .._backups import catalog
from .._backups.target import observe_target
from .._domain.names import ENVIRONMENTS
from .._dumps import restore
from .._dumps.swap import Outcome
from . import arguments, replaced
from .arguments import ENGINE_ARGUMENTS, ROOT_ARGUMENT
from .module import Module, edge

if TYPE_CHECKING:
    from .._backups.place import Place
    from .._backups.target import Target
    from .._host.engine import Engine


def main() -> None:
    defaults = restore.Options()
    module = Module(
        argument_spec={
            "name": {"type": "str", "required": True},
            "environment": {"type": "str", "required": True, "choices": list(ENVIRONMENTS)},
            "backup": {"type": "str", "default": defaults.backup},
            "source_name": {"type": "str"},
            "source_environment": {"type": "str", "choices": list(ENVIRONMENTS)},
            "allow_older": {"type": "bool", "default": defaults.allow_older},
            "allow_other_database": {"type": "bool", "default": defaults.allow_other_database},
            "trust_source": {"type": "bool", "default": defaults.trust_source},
            "backup_first": {"type": "bool", "default": defaults.backup_first},
            "keep_old": {"type": "int", "default": defaults.keep_old},
            "jobs": {"type": "int", "default": defaults.jobs},
            "mask": {"type": "list", "elements": "str", "default": []},
            "backup_root": {"type": "path"},
            "timeout": {"type": "int", "default": defaults.timeout},
            "wait_timeout": {"type": "int", "default": defaults.wait_timeout},
            **ROOT_ARGUMENT,
            **ENGINE_ARGUMENTS,
        },
        required_together=[("source_name", "source_environment")],
        supports_check_mode=True,
    )
    with edge(module):
        module.exit_json(**_restore(module))


def _restore(module: Module) -> dict[str, Any]:
    given = module.params
    engine = arguments.engine(module)
    engine.connect()
    engine.get_ready()
    roots = (given["data_root"], given["backup_root"])
    target = observe_target(engine, roots[0], given["name"], given["environment"], roots[1])
    options = restore.Options(
        backup=given["backup"],
        source=_source(engine, given),
        allow_older=given["allow_older"],
        allow_other_database=given["allow_other_database"],
        trust_source=given["trust_source"],
        backup_first=given["backup_first"],
        keep_old=given["keep_old"],
        jobs=given["jobs"],
        mask=tuple(given["mask"]),
        timeout=given["timeout"],
        wait_timeout=given["wait_timeout"],
    )
    outcome = restore.restore(engine, target, options, module.check_mode, module.log)
    replaced.warn(module, target, outcome)
    return result(target, outcome)


def _source(engine: Engine, given: Mapping[str, Any]) -> Place | None:
    if given["source_name"] is None:
        return None
    roots = (given["data_root"], given["backup_root"])
    source = observe_target(engine, roots[0], given["source_name"], given["source_environment"], roots[1])
    return source.place


def result(target: Target, outcome: Outcome) -> dict[str, Any]:
    """Return what the module says of an Outcome."""
    backup = outcome.backup
    holds = f"{backup.file_name}, of {backup.created_at}" if backup else "nothing"
    return {
        **replaced.result(target, outcome, holds),
        "backup": catalog.describe(backup) if backup else None,
        "restored": outcome.restored,
        "unmasked": outcome.unmasked,
    }

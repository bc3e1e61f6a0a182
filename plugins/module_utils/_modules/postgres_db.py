# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What module postgres_db does with Ansible: arguments, warnings, the result, and the one fail_json."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .._domain.errors import DatabaseError
from .._domain.spec import ARGUMENTS
from .._host.engine import NoEngine
from .._observing import observe
from .._operations import run
from .._planning import view
from . import arguments, images
from .arguments import ENGINE_ARGUMENTS, ROOT_ARGUMENT
from .module import Module, edge

if TYPE_CHECKING:
    from .._host.engine import Engine

# Options that are of no database.
_OF_THE_RUN = ("databases", "stand_ins", "images_required")


def main() -> None:
    module = Module(
        argument_spec={
            **ARGUMENTS,
            **ROOT_ARGUMENT,
            **ENGINE_ARGUMENTS,
            "databases": {"type": "list", "elements": "dict", "options": ARGUMENTS},
            "stand_ins": {"type": "bool", "default": False},
            "images_required": {"type": "bool", "default": False},
        },
        mutually_exclusive=[("databases", "name")],
        required_one_of=[("databases", "name")],
        supports_check_mode=True,
    )
    try:
        with edge(module):
            _converge(module)
    finally:
        # The interpreter would look for garbage in all that it ends with.
        gc.freeze()


def _converge(module: Module) -> None:
    try:
        _bring_about(module)
    except DatabaseError as error:
        error.details.setdefault("nothing_made", _nothing_made(module, module.params["databases"] or [module.params]))
        raise


def _bring_about(module: Module) -> None:
    declarations = _declarations(module)
    found = arguments.engine(module)
    engine: Engine | None = found
    try:
        found.connect()
        if module.check_mode:
            # What is predicted could be done: a run that changes nothing does without.
            found.get_ready()
    except NoEngine as error:
        if not module.check_mode:
            raise
        module.warn(f"{error.message.rstrip('.')}. The prediction assumes that the host has no databases yet.")
        engine = None
    declarations = images.chosen(module, module.params["docker_host"], declarations)
    outcomes, undeclared = run.converge(engine, module.params["data_root"], declarations, module.check_mode)
    for outcome in outcomes:
        for warning in outcome.warnings:
            module.warn(f"{outcome.container}: {warning}")
    single = module.params["databases"] is None
    result = {**_result(outcomes, single), "invocation": _invocation(module)}
    if not single:
        result["undeclared"] = undeclared
    failed = [outcome for outcome in outcomes if outcome.error]
    first = failed[0].error if failed else None
    if first is not None:
        names = {outcome.container for outcome in failed}
        result["nothing_made"] = [name for name in _nothing_made(module, declarations) if name in names]
        details = first.details if len(outcomes) == 1 else {}
        summary = first.message
        if len(outcomes) > 1:
            summary = f"{len(failed)} of {len(outcomes)} failed: {'; '.join(map(_named, failed))}"
        module.fail_json(msg=summary, **{**details, **result})
    module.exit_json(**result)


def _nothing_made(module: Module, declarations: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the containers' names of those that have never served: no server has their credentials, and no client."""
    found = []
    for declared in declarations:
        root = declared.get("data_root") or module.params["data_root"]
        container = f"{declared.get('name')}-{declared.get('environment')}-postgres"
        try:
            record = observe.read_record(os.path.join(root, container))
        except DatabaseError:
            continue
        if record is None or not record.initialised:
            found.append(container)
    return found


def _declarations(module: Module) -> list[dict[str, Any]]:
    """Return one mapping of parameters for each declared database: the module's own options are the list's defaults."""
    shared = {name: value for name, value in module.params.items() if name not in _OF_THE_RUN}
    if module.params["databases"] is None:
        declarations = [shared]
    else:
        declarations = [
            {**shared, **{name: value for name, value in given.items() if value is not None}}
            for given in module.params["databases"]
        ]
    for declared in declarations:
        missing = [option for option in ("name", "environment") if not declared.get(option)]
        if missing:
            raise DatabaseError(f"{' and '.join(missing)} must be given for every database")
    return declarations


def _invocation(module: Module) -> dict[str, Any]:
    """Return what a verbose run shows of the call: of each database what is given, not what could be given.

    Ansible's own would be almost half of the result of many, which the controller takes apart and a callback may store.
    """
    given = module.params["databases"]
    if given is not None:
        given = [{name: value for name, value in one.items() if value is not None} for one in given]
    return {"module_args": {**module.params, "databases": given}}


def _result(outcomes: Sequence[run.Outcome], single: bool) -> dict[str, Any]:
    results = [_one_result(outcome) for outcome in outcomes]
    if single:
        return {**results[0], "diff": _diff(outcomes[0])}
    return {
        "changed": any(result["changed"] for result in results),
        "databases": results,
        "diff": [_diff(outcome) for outcome in outcomes if outcome.actions or outcome.pending],
    }


def _diff(outcome: run.Outcome) -> dict[str, Any]:
    return {
        "before_header": outcome.container,
        "after_header": outcome.container,
        "before": outcome.before,
        "after": outcome.after,
    }


def _named(outcome: run.Outcome) -> str:
    """Among several, an error says whose it is."""
    message = "" if outcome.error is None else outcome.error.message
    return message if outcome.container in message else f"{outcome.container}: {message}"


def _one_result(outcome: run.Outcome) -> dict[str, Any]:
    result = {
        "changed": bool(outcome.actions),
        "container_name": outcome.container,
        "actions": [step.result() for step in outcome.actions],
        "pending": view.pending(outcome.pending),
        "interruption_seconds": round(outcome.interruption, 2),
        "clients_waited_seconds": round(sum(wait.seconds for wait in outcome.waits), 2),
        "clients_cut": sum(wait.ended for wait in outcome.waits),
        "database": outcome.database,
        "final_backup": outcome.final_backup,
    }
    if outcome.error:
        result["error"] = outcome.error.message
    return result

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The room where the domain meets Ansible: argument specifications, preflight, results, and the one fail_json."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from . import fleet, run
from .errors import DatabaseError
from .host.engine import DEFAULT_URL, Engine, NoEngine
from .names import ENVIRONMENTS
from .spec import DEFAULTS, PULL, SSLMODES, STATES
from .steps import IMPACTS

ENGINE_ARGUMENTS = {
    "docker_host": {"type": "str", "default": DEFAULT_URL},
    "docker_timeout": {"type": "int", "default": 60},
}
ROOT_ARGUMENT = {"data_root": {"type": "path", "default": DEFAULTS["data_root"]}}
# Without defaults of their own: a partial declaration, or one of a list, must tell what it gives from what it does not.
DECLARATION_ARGUMENTS = {
    "name": {"type": "str"},
    "environment": {"type": "str", "choices": list(ENVIRONMENTS)},
    "state": {"type": "str", "choices": list(STATES)},
    "version": {"type": "str"},
    "image": {"type": "str"},
    "pull": {"type": "str", "choices": list(PULL)},
    "backup_root": {"type": "path"},
    "port": {"type": "int"},
    "port_range": {"type": "str"},
    "bind_address": {"type": "str"},
    "base_domain": {"type": "str"},
    "address": {"type": "str"},
    "trusted_sources": {"type": "list", "elements": "str"},
    "sslmode": {"type": "str", "choices": list(SSLMODES)},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "memory": {"type": "str"},
    "cpus": {"type": "str"},
    "shm_size": {"type": "str"},
    "tune": {"type": "bool"},
    "settings": {"type": "dict"},
    "extensions": {"type": "list", "elements": "str"},
    "wait_timeout": {"type": "int"},
    "deletion_protection": {"type": "bool"},
    "purge": {"type": "bool"},
    "partial": {"type": "bool"},
    "trash_days": {"type": "int"},
    "max_impact": {"type": "str", "choices": list(IMPACTS)},
}


def postgres_db():
    module = AnsibleModule(
        argument_spec={
            **DECLARATION_ARGUMENTS,
            **ROOT_ARGUMENT,
            **ENGINE_ARGUMENTS,
            "databases": {"type": "list", "elements": "dict", "options": DECLARATION_ARGUMENTS},
        },
        mutually_exclusive=[("databases", "name")],
        required_one_of=[("databases", "name")],
        supports_check_mode=True,
    )
    try:
        _converge(module)
    except DatabaseError as error:
        module.fail_json(msg=error.message, **error.details)


def _converge(module):
    declarations = _declarations(module)
    engine = Engine(module.params["docker_host"], module.params["docker_timeout"])
    try:
        engine.connect()
    except NoEngine as error:
        if not module.check_mode:
            raise
        module.warn(f"{error.message} This prediction takes the host for one that has no databases yet.")
        engine = None
    outcomes = run.converge(engine, declarations, module.check_mode)
    for outcome in outcomes:
        for warning in outcome.warnings:
            module.warn(f"{outcome.container}: {warning}")
    result = _result(outcomes, single=module.params["databases"] is None)
    failed = [outcome for outcome in outcomes if outcome.error]
    if failed:
        details = failed[0].error.details if len(outcomes) == 1 else {}
        messages = [outcome.error.message for outcome in failed]
        summary = (
            messages[0] if len(outcomes) == 1 else f"{len(failed)} of {len(outcomes)} failed: {'; '.join(messages)}"
        )
        module.fail_json(msg=summary, **{**details, **result})
    module.exit_json(**result)


def _declarations(module):
    """Return one mapping of parameters for each declared database: the module's own options are the list's defaults."""
    shared = {name: value for name, value in module.params.items() if name != "databases"}
    if module.params["databases"] is None:
        declarations = [shared]
    else:
        declarations = [
            {**shared, **{name: value for name, value in given.items() if value is not None}}
            for given in module.params["databases"]
        ]
    for declaration in declarations:
        missing = [option for option in ("name", "environment") if not declaration.get(option)]
        if missing:
            raise DatabaseError(f"{' and '.join(missing)} must be given for every database")
    return declarations


def _result(outcomes, single):
    results = [_one_result(outcome) for outcome in outcomes]
    changed = any(result["changed"] for result in results)
    diff = [result["diff"] for result in results if result["changed"] or result["pending"]]
    if single:
        return {**results[0], "diff": results[0]["diff"]}
    return {
        "changed": changed,
        "databases": [{key: value for key, value in result.items() if key != "diff"} for result in results],
        "diff": diff,
    }


def _one_result(outcome):
    result = {
        "changed": bool(outcome.actions),
        "container_name": outcome.container,
        "actions": [_step(step) for step in outcome.actions],
        "pending": [_step(step) for step in outcome.pending],
        "interruption_seconds": round(outcome.interruption, 2),
        "database": outcome.database,
        "diff": {
            "before_header": outcome.container,
            "after_header": outcome.container,
            "before": outcome.before,
            "after": outcome.after if outcome.actions or outcome.pending else outcome.before,
        },
    }
    if outcome.error:
        result["error"] = outcome.error.message
    return result


def _step(step):
    return {"verb": step.verb, "summary": step.summary, "impact": step.impact}


def postgres_db_info():
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str"},
            "environment": {"type": "str", "choices": list(ENVIRONMENTS)},
            **ROOT_ARGUMENT,
            **ENGINE_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    try:
        engine = Engine(module.params["docker_host"], module.params["docker_timeout"])
        engine.connect()
        name, environment = module.params["name"], module.params["environment"]
        databases = fleet.databases(engine, module.params["data_root"], name, environment)
        deleted = fleet.deleted(module.params["data_root"], name, environment)
    except DatabaseError as error:
        module.fail_json(msg=error.message, **error.details)
    module.exit_json(changed=False, databases=databases, deleted=deleted)

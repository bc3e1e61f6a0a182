# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What module postgres_db_info does with Ansible: arguments, the result, and the one fail_json."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from .. import fleet
from ..errors import DatabaseError
from ..findings import thresholds
from ..names import ENVIRONMENTS
from .arguments import ENGINE_ARGUMENTS, ROOT_ARGUMENT
from .arguments import engine as engine_of

GATHERED = (
    "container",
    "statistics",
    "settings",
    "sizes",
    "queries",
    "activity",
    "replication",
    "backups",
    "tls",
    "findings",
    "logs",
)
THRESHOLD_ARGUMENTS = {
    name: {"type": "int" if isinstance(value, int) else "float", **({} if value is None else {"default": value})}
    for name, value in thresholds.DEFAULTS.items()
}


def main():
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str"},
            "environment": {"type": "str", "choices": list(ENVIRONMENTS)},
            "required": {"type": "bool", "default": False},
            "gather": {"type": "list", "elements": "str", "choices": list(GATHERED), "default": []},
            "timeout": {"type": "int", "default": 10},
            "limit": {"type": "int", "default": 10},
            "log_lines": {"type": "int", "default": 50},
            "history": {"type": "dict", "default": {}},
            "thresholds": {"type": "dict", "default": {}, "options": THRESHOLD_ARGUMENTS, "apply_defaults": True},
            **ROOT_ARGUMENT,
            **ENGINE_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    try:
        engine = engine_of(module)
        engine.connect()
        name, environment = module.params["name"], module.params["environment"]
        databases = fleet.databases(engine, module.params["data_root"], name, environment)
        deleted = fleet.deleted(module.params["data_root"], name, environment)
    except DatabaseError as error:
        module.fail_json(msg=error.message, **error.details)
    module.exit_json(changed=False, databases=databases, deleted=deleted)

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a declared database, as the module and the roles know them. Pure."""

from __future__ import annotations

from .names import ENVIRONMENTS
from .planning.steps import IMPACTS
from .spec import PULL, SSLMODES, STATES, UPDATE_PASSWORD
from .users import ROLES

# Without defaults of their own: a partial declaration, or one of a list, must tell what it gives from what it does not.
ARGUMENTS = {
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
    "networks": {"type": "list", "elements": "str"},
    "network_aliases": {"type": "list", "elements": "str"},
    "sslmode": {"type": "str", "choices": list(SSLMODES)},
    "tls_certificate": {"type": "str"},
    "tls_key": {"type": "str", "no_log": True},
    "tls_ca": {"type": "str"},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "update_password": {"type": "str", "choices": list(UPDATE_PASSWORD), "no_log": False},
    "login_grace": {"type": "int"},
    "end_sessions": {"type": "bool"},
    "memory": {"type": "str"},
    "cpus": {"type": "str"},
    "shm_size": {"type": "str"},
    "read_only": {"type": "bool"},
    "tune": {"type": "bool"},
    "settings": {"type": "dict"},
    "extensions": {"type": "list", "elements": "str"},
    "users": {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "role": {"type": "str", "choices": list(ROLES), "required": True},
            "connection_limit": {"type": "int"},
            "password": {"type": "str", "no_log": True},
            "update_password": {"type": "str", "choices": list(UPDATE_PASSWORD), "no_log": False},
        },
    },
    "wait_timeout": {"type": "int"},
    "deletion_protection": {"type": "bool"},
    "purge": {"type": "bool"},
    "final_backup": {"type": "bool"},
    "partial": {"type": "bool"},
    "adopt": {"type": "bool"},
    "trash_days": {"type": "int"},
    "max_impact": {"type": "str", "choices": list(IMPACTS)},
}

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases as hosts of an inventory: their names, groups and variables. Pure."""

from __future__ import annotations

import dataclasses
import re

PREFIX = "postgres_"
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


@dataclasses.dataclass(frozen=True)
class InventoryHost:
    """A database as a host. templates: variables whose values are evaluated when they are used."""

    name: str
    groups: tuple
    variables: dict
    templates: dict


def hosts_of(answers, connect_from):
    """Return the InventoryHosts of what Docker hosts answered.

    answers: by the name of the Docker host a mapping of databases (as postgres_db_info returns them) and connection
    (the names of the variables that say how Ansible reaches that host). connect_from: docker_host or controller. Where
    two Docker hosts have a database of the same name, the Docker host's is appended to both.
    """
    names = [database["container_name"] for answer in answers.values() for database in answer["databases"]]
    return [
        _host(database, docker_host, answer["connection"] if connect_from == "docker_host" else None, names)
        for docker_host, answer in sorted(answers.items())
        for database in answer["databases"]
    ]


def _host(database, docker_host, connection, names):
    container = database["container_name"]
    role = (database.get("replication") or {}).get("role")
    version = (database.get("server_settings") or {}).get("version")
    major = version.partition(".")[0] if version else None
    kinds = {
        "environment": database["environment"],
        "version": major,
        "status": database["status"],
        "role": role,
        "on": docker_host,
    }
    credentials = f"hostvars[{docker_host!r}].postgres_credentials[{container!r}]"
    variables = {
        "postgres_database": {
            key: value for key, value in database.items() if key not in ("server_settings", "replication")
        },
        "postgres_docker_host": docker_host,
        "postgres_version": version,
        "postgres_role": role,
        "login_port": database["port"],
        "login_user": database["username"],
        "login_db": database["database"],
        "ssl_mode": database["sslmode"],
    }
    templates = {"login_password": f"{{{{ {credentials}.password }}}}"}
    if connection is not None:
        variables["login_host"] = _ANYWHERE.get(database["bind_address"], database["bind_address"])
        variables["ca_cert"] = database["ca_file"]
        variables["ansible_host"] = docker_host
        # By reference: what is encrypted stays so until it is used.
        templates.update({name: f"{{{{ hostvars[{docker_host!r}].{name} }}}}" for name in connection})
    else:
        variables["login_host"] = database["host"]
        variables["ansible_connection"] = "local"
        templates["ansible_python_interpreter"] = "{{ ansible_playbook_python }}"
    return InventoryHost(
        name=f"{container}.{docker_host}" if names.count(container) > 1 else container,
        groups=tuple(PREFIX + _word(f"{kind}_{value}") for kind, value in kinds.items() if value),
        variables=variables,
        templates=templates,
    )


def _word(text):
    """Return a valid name of a group: Ansible warns of anything but letters, digits and underscores."""
    return re.sub(r"\W", "_", text, flags=re.ASCII)

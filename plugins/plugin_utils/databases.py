# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases as hosts of an inventory: their names, groups and variables. Pure."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

PREFIX = "postgres_"
# No name of a machine has it: no container can be called like another host of the inventory.
SEPARATOR = "@"
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
_MAJOR = re.compile("[0-9]{1,3}")
_ROLES = ("primary", "standby")
_CONNECTION = re.compile("ansible_[a-z0-9_]+")
# Constant texts: what a host answered is in variables, which they name, and never in a template.
_OF_DOCKER_HOST = "hostvars[postgres_docker_host]"
_PASSWORD = f"{{{{ {_OF_DOCKER_HOST}.postgres_credentials[postgres_database.container_name].password }}}}"
_CA_FILE = "{{ lookup('vellaric.postgres.postgres_certificate_file', postgres_database.ca_certificate) }}"


@dataclasses.dataclass(frozen=True)
class InventoryHost:
    """A database as a host.

    variables: what is known of it, values all of them. templates: variables whose values are evaluated when they are
    used, the same texts for all databases.
    """

    name: str
    docker_host: str
    groups: tuple[str, ...]
    variables: dict[str, Any]
    templates: dict[str, str]


def hosts_of(answers: dict[str, dict[str, Any]], connect_from: str, via: str = "server") -> list[InventoryHost]:
    """Return the InventoryHosts of what Docker hosts answered.

    answers: by the name of the Docker host a mapping of databases (as answers.read returns them) and connection
    (the names of the variables that say how Ansible reaches that host). connect_from: docker_host or controller.
    via: server, pooler or pooler_session; one without a pooler is reached itself.

    The name of each ends with that of its Docker host, which its container has no part in: what one Docker host says
    names no host of another, nor any that is no database.
    """
    return [
        _host(database, docker_host, answer["connection"] if connect_from == "docker_host" else None, via)
        for docker_host, answer in sorted(answers.items())
        for database in answer["databases"]
    ]


def _host(database: dict[str, Any], docker_host: str, connection: list[str] | None, via: str) -> InventoryHost:
    role = (database.get("replication") or {}).get("role")
    version = (database.get("server_settings") or {}).get("version")
    major = _MAJOR.match(version or "")
    reached = _reached(database, via)
    # Of what the host says, only words of ours become part of a group's name.
    kinds = {
        "environment": database["environment"],
        "version": major.group() if major else None,
        "status": database["status"],
        "role": role if role in _ROLES else None,
        "on": docker_host,
    }
    variables = {
        "postgres_database": {
            key: value for key, value in database.items() if key not in ("server_settings", "replication")
        },
        "postgres_docker_host": docker_host,
        "postgres_version": version,
        "postgres_role": role,
        "login_port": reached["port"],
        "login_user": database["username"],
        "login_db": reached["database"],
        "ssl_mode": database["sslmode"],
    }
    templates = {"login_password": _PASSWORD}
    if connection is not None:
        variables["login_host"] = _ANYWHERE.get(reached["bind_address"], reached["bind_address"])
        variables["ca_cert"] = database["ca_file"]
        variables["ansible_host"] = docker_host
        # By reference: what is encrypted stays so until it is used.
        known = filter(_CONNECTION.fullmatch, connection)
        templates.update({name: f"{{{{ {_OF_DOCKER_HOST}.{name} }}}}" for name in known})
    else:
        variables["login_host"] = reached["host"]
        if database["ca_certificate"]:
            templates["ca_cert"] = _CA_FILE
        variables["ansible_connection"] = "local"
        templates["ansible_python_interpreter"] = "{{ ansible_playbook_python }}"
    return InventoryHost(
        name=f"{database['container_name']}{SEPARATOR}{docker_host}",
        docker_host=docker_host,
        groups=tuple(PREFIX + _word(f"{kind}_{value}") for kind, value in kinds.items() if value),
        variables=variables,
        templates=templates,
    )


def _reached(database: dict[str, Any], via: str) -> dict[str, Any]:
    """Return what is connected to: the database itself, or its pooler under one of its names."""
    pooler = database.get("pooler")
    if via == "server" or pooler is None:
        return database
    return {**pooler, "database": pooler["session_database" if via == "pooler_session" else "database"]}


def _word(text: str) -> str:
    """Return a valid name of a group: Ansible warns of anything but letters, digits and underscores."""
    return re.sub(r"\W", "_", text, flags=re.ASCII)

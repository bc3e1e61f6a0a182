# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What module postgres_db_diagnosis does with Ansible: arguments, the result, and the one fail_json."""

from __future__ import annotations

import re
from typing import Any

from .._diagnosis import checks, look
from .._diagnosis.judgement import FAILS, cause, judge, verdict
from .._diagnosis.nouns import Facts, Subject
from .._domain import names, texts
from .._domain.errors import DatabaseError, InvalidOption
from .._domain.spec import DEFAULTS, SSLMODES
from .._findings.thresholds import DEFAULTS as THRESHOLDS
from . import arguments
from .arguments import ENGINE_ARGUMENTS, ROOT_ARGUMENT
from .module import Module, edge

# As the engine has it. https://github.com/moby/moby/blob/v28.0.0/daemon/names/names.go
_CONTAINER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_OURS = re.compile(rf"(.+)-({'|'.join(names.ENVIRONMENTS)})-postgres")


def main() -> None:
    module = Module(
        argument_spec={
            "name": {"type": "str"},
            "environment": {"type": "str", "choices": list(names.ENVIRONMENTS)},
            "container": {"type": "str"},
            "database": {"type": "str"},
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "password_error": {"type": "str", "default": "", "no_log": False},
            "password_lost": {"type": "bool", "default": False, "no_log": False},
            "client": {
                "type": "dict",
                "options": {
                    "host": {"type": "str", "required": True},
                    "port": {"type": "int", "required": True},
                    "sslmode": {"type": "str", "choices": list(SSLMODES), "default": "prefer"},
                    "ca_certificate": {"type": "str"},
                    "bind_address": {"type": "str"},
                },
            },
            "backup_root": {"type": "path", "default": DEFAULTS["backup_root"]},
            "timeout": {"type": "int", "default": 5},
            "thresholds": {"type": "dict", "default": {}},
            **ROOT_ARGUMENT,
            **ENGINE_ARGUMENTS,
        },
        mutually_exclusive=[("name", "container"), ("container", "client")],
        required_one_of=[("name", "container", "client")],
        required_by={"name": ("environment",)},
        supports_check_mode=True,
    )
    with edge(module):
        result = _client(module.params) if module.params["client"] else _database(module)
    module.exit_json(changed=False, **result)


def _database(module: Module) -> dict[str, Any]:
    params, engine = module.params, arguments.engine(module)
    _check(params)
    request = look.Request(
        subject=_subject(params),
        data_root=texts.directory(params["data_root"], "data_root"),
        backup_root=texts.directory(params["backup_root"], "backup_root"),
        docker_host=params["docker_host"],
        timeout=params["timeout"],
        thresholds=_thresholds(params["thresholds"]),
    )
    facts = look.look(request, engine)
    found = judge(checks.CHECKS, facts)
    return {
        **_result(found, facts.now),
        "container_name": facts.subject.container,
        "managed": facts.ours,
        "connection": _connection(facts),
    }


def _client(params: dict[str, Any]) -> dict[str, Any]:
    _check(params)
    given = params["client"]
    host = texts.client_host(given["host"], "client.host")
    port = texts.number(given["port"], "client.port", 1, 65535)
    subject = Subject("", params["name"], params["environment"], **_login(params))
    target = {**given, "host": host, "port": port, "authority": given["ca_certificate"]}
    facts = look.client(subject, target, params["timeout"])
    found = judge(checks.CLIENT_CHECKS, facts)
    return {**_result(found, facts.now), "container_name": "", "managed": None, "connection": None}


def _check(params: dict[str, Any]) -> None:
    texts.number(params["timeout"], "timeout", 1, texts.MOST_SECONDS)
    for option in ("database", "username", "password_error"):
        if params[option] is not None:
            texts.line(params[option], option)
    if params["password"] is not None:
        # Of the stored ones; a foreign server's may be any.
        texts.line(params["password"], "password")


def _login(params: dict[str, Any]) -> dict[str, Any]:
    return {
        "database": params["database"],
        "user": params["username"],
        "password": params["password"],
        "why_no_password": params["password_error"],
        "lost": params["password_lost"],
    }


def _subject(params: dict[str, Any]) -> Subject:
    if params["name"] is not None:
        try:
            container = names.container_name(params["name"], params["environment"])
        except names.InvalidName as error:
            raise DatabaseError(str(error)) from error
        return Subject(container, params["name"], params["environment"], **_login(params))
    container = params["container"]
    if not _CONTAINER.fullmatch(container):
        raise InvalidOption(f"container is {container!r}: the name of a container, such as wiki-db-1")
    ours = _OURS.fullmatch(container)
    name, environment = (ours.group(1), ours.group(2)) if ours and _is_name(ours) else (None, None)
    return Subject(container, name, environment, **_login(params))


def _is_name(match: re.Match[str]) -> bool:
    try:
        return bool(names.container_name(match.group(1), match.group(2)) == match.group(0))
    except names.InvalidName:
        return False


def _thresholds(given: dict[str, Any]) -> dict[str, Any]:
    for name, value in given.items():
        if name not in THRESHOLDS:
            raise InvalidOption(f"thresholds has {name!r}: one of {', '.join(sorted(THRESHOLDS))}")
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise InvalidOption(f"thresholds.{name} is {value!r}: a number")
    return dict(given)


def _result(found: list[dict[str, Any]], now: str) -> dict[str, Any]:
    first = cause(found)
    return {
        "diagnosed_at": now,
        "checks": found,
        "cause": first["check"] if first else None,
        "verdict": verdict(found),
        "fix": first["fix"] if first else "",
        "serves": not any(check["state"] == FAILS for check in found),
    }


def _connection(facts: Facts) -> dict[str, Any] | None:
    port = facts.port
    if port is None or port.port is None:
        return None
    return {
        "host": facts.host,
        "port": port.port,
        "bind_address": port.address,
        "database": facts.subject.database,
        "username": facts.subject.user,
        "sslmode": facts.sslmode,
        "ca_certificate": facts.authority,
    }

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What roles make of declared databases: what is asked of the store, and what the module is then given. Pure.

A declaration is a mapping with the options of module postgres_db. What holds a password is made where it is used, and
kept nowhere.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..module_utils._domain.names import NOT_STORED, USERNAME_TO_COME, connection_url
from ..module_utils._domain.stand_ins import is_whole, pulled

if TYPE_CHECKING:
    # A database as it is declared, a role as postgres_db_credentials answers of it, and what postgres_db answers of a
    # database.
    Declared = Mapping[str, Any]
    Credential = Mapping[str, Any]
    Outcome = Mapping[str, Any]

# What every declaration has, so that nothing needs to look whether it is there.
_LEAST = {
    "name": None,
    "environment": None,
    "state": "started",
    "version": None,
    "image": None,
    "partial": False,
}
_CERTIFICATE = ("tls_certificate", "tls_key", "tls_ca")
_REACHED_BY = ("host", "port", "username", "database", "sslmode", "ca_file", "ca_certificate")


def with_defaults(declared: Iterable[Declared], defaults: Declared) -> list[Declared]:
    """Return each declaration with the defaults.

    Of options that exclude each other or belong together, what a database has of its own goes before what is meant for
    all: image and version; a certificate, its key and its authority.
    """
    return [{**_LEAST, **defaults, **_instead(item), **item} for item in declared]


def _instead(item: Declared) -> Declared:
    own = dict.fromkeys(_CERTIFICATE) if item.get("tls_certificate") else {}
    if item.get("image"):
        return {**own, "version": None}
    return {**own, "image": None} if item.get("version") else own


def container(item: Mapping[str, Any]) -> str:
    return f"{item['name']}-{item['environment']}-postgres"


def mistakes(declared: Iterable[Declared]) -> list[str]:
    """Return what is wrong with declarations, in words: what the module would refuse, whatever is on the host."""
    # Ansible loads all filters where one is used, and few of them need what knows what the options mean.
    from ..module_utils._domain import options, spec
    from ..module_utils._domain.errors import DatabaseError

    found = []
    for item in declared:
        given = {option: value for option, value in item.items() if value is not None}
        wrong = options.mistakes(spec.ARGUMENTS, given)
        if wrong:
            # The others are checked all the same, so that all mistakes are told at once.
            given = {name: one for name, one in given.items() if not options.mistakes(spec.ARGUMENTS, {name: one})}
        checked = ArgumentSpecValidator(spec.ARGUMENTS).validate(given)
        wrong += [_unknown(spec.ARGUMENTS, path) for path in sorted(checked.unsupported_parameters, key=str)]
        wrong += [text for text in checked.error_messages if "Supported parameters include" not in text]
        if wrong:
            given = {name: one for name, one in given.items() if _is_valid(spec.ARGUMENTS, name, one)}
            checked = ArgumentSpecValidator(spec.ARGUMENTS).validate(given)
        if {"name", "environment"} <= set(given):
            try:
                spec.from_parameters(checked.validated_parameters)
            except DatabaseError as error:
                wrong += error.message.splitlines()
        found += [f"{container(item)}: {text}" for text in wrong]
    return found


def _is_valid(arguments: Mapping[str, Any], name: str, value: object) -> bool:
    if name not in arguments:
        return False
    argument = {**arguments[name], "required": False}
    return not ArgumentSpecValidator({name: argument}).validate({name: value}).error_messages


def _unknown(arguments: Mapping[str, Any], path: str | Sequence[str]) -> str:
    """Say that there is no such option, and which one may be meant. path: its name, or names from the outside in."""
    *outer, name = (path,) if isinstance(path, str) else path
    for option in outer:
        arguments = arguments[option]["options"]
    meant = difflib.get_close_matches(str(name), arguments, n=1)
    return f"there is no option {'.'.join([*outer, str(name)])}" + (f", did you mean {meant[0]}?" if meant else "")


def credential_requests(declared: Iterable[Declared]) -> list[dict[str, str]]:
    """Return what postgres_db_credentials is asked for: of each database its role, then its users."""
    requests = []
    for item in filter(is_whole, declared):
        place = {"name": item["name"], "environment": item["environment"]}
        update = {"update_password": item["update_password"]} if item.get("update_password") else {}
        own = {key: item[key] for key in ("username", "password") if item.get(key)}
        requests.append({**place, **own, **(update if "password" in own else {})})
        for user in item.get("users") or []:
            given = {"password": user["password"], **update} if user.get("password") else {}
            requests.append({**place, "user": user["name"], **given})
    return requests


def official_images(declared: Iterable[Declared]) -> list[dict[str, Any]]:
    """Return the official images that are taken, as postgres_db_image is asked for them.

    With always it is the module that asks the registry, since it follows the tag.
    """
    return [{"reference": reference, "pull": pull} for reference, pull in pulled(declared).items()]


def completed(
    declared: Iterable[Declared],
    resolved: Iterable[Credential],
    stored: Mapping[str, Mapping[str, str]],
    check_mode: bool,
) -> list[Declared]:
    """Return the declarations with their credentials: what the module is given.

    resolved: what the store answered to the requests. stored: the entries of its file.
    """
    credentials = {one["entry"]: _credentials(one, stored, check_mode) for one in resolved}
    return [_completed(item, credentials) for item in declared]


def _completed(item: Declared, credentials: Mapping[str, Mapping[str, str]]) -> Declared:
    entry = container(item)
    found = {**item, **_of(credentials, entry, item)}
    if item.get("users") is not None:
        found["users"] = [{**user, **_of(credentials, f"{entry}/{user['name']}", item)} for user in item["users"]]
    return found


def _of(credentials: Mapping[str, Mapping[str, str]], entry: str, item: Declared) -> dict[str, str]:
    """Return the credentials of an entry. What was declared of their update goes before what the store knows."""
    known = credentials.get(entry, {})
    declared = {"update_password": item["update_password"]} if known and item.get("update_password") else {}
    return {**known, **declared}


def _credentials(resolved: Credential, stored: Mapping[str, Mapping[str, str]], check_mode: bool) -> dict[str, str]:
    """Return what the module is told of one role.

    A password that was given is meant. One that was stored is not forced upon a server that has another, except where
    a rotation was interrupted: the stored one is then the one that applications have.
    """
    meant = resolved["source"] == "given" or resolved["rotating"]
    found = {"update_password": "always" if meant else "on_create"}
    if not resolved["user"]:
        found["username"] = resolved["username"] or USERNAME_TO_COME
    if resolved["source"] != "given" or resolved.get("withheld"):
        found["password"] = _password(resolved, stored, check_mode)
    return found


def _password(resolved: Credential, stored: Mapping[str, Mapping[str, str]], check_mode: bool) -> str:
    if resolved.get("withheld") or (resolved["source"] == "generated" and check_mode):
        return NOT_STORED
    return stored[resolved["entry"]]["password"]


def latest(found: Iterable[Credential], stored: Iterable[Credential], check_mode: bool) -> list[Credential]:
    """Return what the store says of each role: what it answered last.

    found: what it answered when it was looked at. stored: when what is new was stored. What was new and is not stored,
    since its database is refused, is not known to anybody else and goes to no server.
    """
    answered = {one["entry"]: one for one in stored}
    return [answered.get(one["entry"]) or {**one, "withheld": one["changed"] and not check_mode} for one in found]


def accepted(requests: Iterable[dict[str, str]], databases: Iterable[Outcome]) -> list[dict[str, str]]:
    """Return the requests of databases that are not refused. databases: what the module returned of each."""
    refused = {outcome["container_name"] for outcome in databases if outcome.get("error")}
    return [request for request in requests if container(request) not in refused]


def in_vain(resolved: Sequence[Credential], nothing_made: Iterable[str]) -> list[dict[str, str]]:
    """Return what a run has stored for databases of which it made nothing, as it is forgotten.

    resolved: what the store answered. nothing_made: what the module returned, the containers' names. Where something
    was stored before, the database may have been there then.
    """
    kept = {one["container_name"] for one in resolved if not one["added"]}
    names = {one["container_name"]: one for one in resolved if one["container_name"] in set(nothing_made) - kept}
    return [{"name": one["name"], "environment": one["environment"]} for one in names.values()]


def deleted(declared: Iterable[Declared], databases: Iterable[Outcome]) -> list[dict[str, str]]:
    """Return the databases that are gone as declared, whose credentials may be forgotten.

    databases: what the module returned. One that could not be deleted keeps its credentials.
    """
    gone = {outcome["container_name"] for outcome in databases if not outcome.get("error")}
    return [
        {"name": item["name"], "environment": item["environment"]}
        for item in declared
        if item.get("state") == "absent" and container(item) in gone
    ]


def settled(
    requests: Iterable[dict[str, str]], resolved: Iterable[Credential], databases: Iterable[Outcome]
) -> list[dict[str, str]]:
    """Return the requests whose given passwords have reached their servers, and are to take the stored ones' place.

    requests: those that the store was asked. resolved: what it answered. databases: what the module returned.
    """
    reached = {outcome["container_name"] for outcome in databases if _serves(outcome)}
    waiting = {
        (one["container_name"], one["user"])
        for one in resolved
        if one["source"] == "given" and one["rotating"] and one["container_name"] in reached
    }
    return [request for request in requests if (container(request), request.get("user")) in waiting]


def _serves(outcome: Outcome) -> bool:
    """Say whether the server was asked: one that is stopped, or is not taken over yet, has no new password."""
    database = None if outcome.get("error") else outcome.get("database")
    return bool(database and database["id"] and database["container_status"] == "running")


def _connection(database: Mapping[str, Any], credentials_file: str) -> dict[str, Any]:
    known = {key: database[key] for key in _REACHED_BY}
    target = [database[key] for key in ("host", "port", "database", "sslmode")]
    return {
        **known,
        "container_name": database["container_name"],
        "credentials_file": credentials_file,
        "url": connection_url(database["username"], None, *target),
        "pooler": _by_pooler(database),
    }


def _by_pooler(database: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return how a database is reached by way of its pooler, None where it has none."""
    known = database.get("pooler")
    if known is None:
        return None
    urls = {
        url: connection_url(database["username"], None, known["host"], known["port"], known[name], database["sslmode"])
        for url, name in (("url", "database"), ("session_url", "session_database"))
    }
    keys = ("host", "port", "database", "session_database", "mode", "prepared_statements")
    return {**{key: known[key] for key in keys}, **urls}


def connections(databases: Iterable[Outcome], credentials_file: str) -> dict[str, dict[str, Any]]:
    """Return how those are reached that are there and did not fail, by container.

    Without the password, which is in the file with the credentials.
    """
    return {
        outcome["container_name"]: _connection(outcome["database"], credentials_file)
        for outcome in databases
        if outcome.get("database") and not outcome.get("error")
    }

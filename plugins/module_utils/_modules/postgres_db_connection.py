# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What module postgres_db_connection does with Ansible: arguments, the result, and the one fail_json."""

from __future__ import annotations

import grp
import os
import pwd
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .._domain import connection as connections
from .._domain import names, texts
from .._domain.errors import DatabaseError
from .._domain.spec import SSLMODES
from .._host import files
from .module import Module, edge

if TYPE_CHECKING:
    from .._domain.facts import FileFacts

MODE = 0o600
CA_MODE = 0o644
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+\n-----END CERTIFICATE-----")
# The largest stands for "leave it as it is".
_MOST_ID = 2**32 - 2


def main() -> None:
    module = Module(
        argument_spec={
            "path": {"type": "path", "required": True},
            "format": {"type": "str", "choices": list(connections.FORMATS), "required": True},
            "host": {"type": "str", "required": True},
            "port": {"type": "int", "required": True},
            "database": {"type": "str", "required": True},
            "username": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "sslmode": {"type": "str", "choices": list(SSLMODES), "default": "prefer"},
            "ca_file": {"type": "str"},
            "ca_certificate": {"type": "str"},
            "client": {"type": "str", "choices": list(connections.CLIENTS), "default": "libpq"},
            "prepared_statements": {"type": "bool", "default": True},
            "service": {"type": "str"},
            "owner": {"type": "str"},
            "group": {"type": "str"},
        },
        supports_check_mode=True,
    )
    with edge(module):
        module.exit_json(**_write(module.params, module.check_mode))


def _write(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    connection = parsed(params)
    # A link stays one; what is replaced is what it leads to.
    path, kind = os.path.realpath(texts.line(params["path"], "path")), params["format"]
    known = files.read(path)
    text = known.content.decode("utf-8", "surrogateescape") if known else ""
    try:
        wanted = connections.edited(kind, text, connection)
    except ValueError as error:
        raise DatabaseError(f"{path}: {error}") from error
    authority = _authority(params, check_mode)
    there = os.stat(path) if known else None
    uid = _owner(params["owner"], there.st_uid if there else None)
    gid = _group(params["group"], there.st_gid if there else None)
    stale = known is None or wanted != text
    kept = known is not None and there is not None and known.mode == MODE
    changed = stale or not kept or (there is not None and (there.st_uid, there.st_gid) != (uid, gid))
    if changed and check_mode:
        _refuse_missing_directory(path)
    elif changed:
        _refuse_missing_directory(path)
        files.write(path, wanted.encode("utf-8", "surrogateescape"), MODE, uid, gid)
    result = {"changed": changed or authority, "path": path, "ca_file": connection.ca_file}
    return {**result, "diff": _diff(path, kind, connection, known, there, stale, (uid, gid))}


def _authority(params: Mapping[str, Any], check_mode: bool) -> bool:
    """Write the authority's certificate where clients are told to find it; returns whether it was not there so."""
    path = _ca_file(params)
    if params["ca_certificate"] is None or path is None:
        return False
    known = files.read(path)
    if known is None and os.path.lexists(path):
        raise DatabaseError(f"{path} is not a file: choose another ca_file")
    content = "".join(f"{found}\n" for found in _CERTIFICATE.findall(params["ca_certificate"])).encode("ascii")
    if known and known.content == content:
        return False
    if known and b"-----BEGIN CERTIFICATE-----" not in known.content:
        raise DatabaseError(f"{path} holds something else than a certificate: choose another ca_file")
    _refuse_missing_directory(path)
    if not check_mode:
        # It is public.
        files.write(path, content, CA_MODE, _owner(params["owner"], None), _group(params["group"], None))
    return True


def _ca_file(params: Mapping[str, Any]) -> str | None:
    """Return where clients find the authority's certificate. One that is written is beside the file, unless told."""
    given: str | None = params["ca_file"]
    if params["ca_certificate"] is None:
        return given
    if not _CERTIFICATE.search(params["ca_certificate"]):
        raise DatabaseError("ca_certificate is not a PEM certificate")
    directory = os.path.dirname(os.path.abspath(texts.line(params["path"], "path")))
    name = given or f"{params['database']}-ca.crt"
    return os.path.join(directory, os.path.expanduser(texts.line(name, "ca_file")))


def parsed(params: Mapping[str, Any]) -> connections.Connection:
    """Return the Connection of the module's options. Raises DatabaseError."""
    given = {key: params[key] for key in ("host", "port", "database", "username", "password", "sslmode", "client")}
    given["ca_file"] = _ca_file(params)
    service = params["service"] or f"{params['database']}"
    for option, value in {**given, "service": service}.items():
        # A reader takes blanks around a value for none of it.
        if isinstance(value, str) and (not value.strip() or value != value.strip() or not texts.is_line(value)):
            raise DatabaseError(
                f"{option} is empty, or has a line break or another control character, or a blank at an end"
            )
    texts.client_host(given["host"], "host")
    texts.number(given["port"], "port", 1, 65535)
    if "]" in service:
        raise DatabaseError(f"service is {service!r}: it must not have a bracket")
    names.check_password(params["password"])
    return connections.Connection(**given, service=service, prepares=params["prepared_statements"])


def _refuse_missing_directory(path: str) -> None:
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        raise DatabaseError(f"{directory} is not a directory: create it first, or choose another path")


def _owner(name: str | None, present: int | None) -> int:
    if name is None:
        return os.geteuid() if present is None else present
    return _id(name, "owner", lambda: pwd.getpwnam(name).pw_uid)


def _group(name: str | None, present: int | None) -> int:
    if name is None:
        return os.getegid() if present is None else present
    return _id(name, "group", lambda: grp.getgrnam(name).gr_gid)


def _id(name: str, option: str, look_up: Callable[[], int]) -> int:
    if re.fullmatch("[0-9]{1,10}", name):
        return texts.number(int(name), option, 0, _MOST_ID)
    try:
        return look_up()
    except KeyError:
        raise DatabaseError(f"{option} is {name!r}, which this host does not know") from None


def _diff(
    path: str,
    kind: str,
    connection: connections.Connection,
    known: FileFacts | None,
    there: os.stat_result | None,
    stale: bool,
    owner: tuple[int, int],
) -> dict[str, Any]:
    """Say what changes without what is secret: neither the new password, nor anything of the text that was there."""
    before = (
        {"state": "absent"}
        if known is None or there is None
        else {
            "mode": f"{known.mode:04o}",
            "owner": f"{there.st_uid}:{there.st_gid}",
            "connection": "another one, or none" if stale else "as it is to be",
        }
    )
    after = {
        "mode": f"{MODE:04o}",
        "owner": f"{owner[0]}:{owner[1]}",
        "connection": connections.shown(kind, connection) if stale else "as it is to be",
    }
    return {"before_header": path, "after_header": path, "before": before, "after": after}

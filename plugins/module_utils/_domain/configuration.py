# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's configuration files, written from a declaration and read back. Pure.

Managed is a small file of our own, which includes the one that initdb wrote, then a person's own additions, and then
sets ours: a person finds in it just what was declared.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from typing import TYPE_CHECKING

from . import container

if TYPE_CHECKING:
    from .record import Record
    from .spec import DatabaseSpec

# A person's own additions, in the place that the product guide gives them; read, never written.
PERSONAL_CONF = "postgresql.conf"
POSTGRESQL_CONF = "conf/postgresql.conf"
PG_HBA_CONF = "conf/pg_hba.conf"
PG_IDENT_CONF = "conf/pg_ident.conf"

MANAGED = (POSTGRESQL_CONF, PG_HBA_CONF, PG_IDENT_CONF)

EVERYWHERE = ("0.0.0.0/0", "::/0")

# https://www.postgresql.org/docs/current/config-setting.html#CONFIG-SETTING-CONFIGURATION-FILE
_PERSONAL_LINE = re.compile(r"^\s*([A-Za-z_][\w.]*)(?:\s*=\s*|\s+)('(?:[^']|'')*'|[^\s#']+)\s*(?:#.*)?$")
_LINE = re.compile(r"^([a-z_][a-z0-9_.]*) = '(.*)'$")


# By these lines an operator in the container logs in as the application or a declared user.
_OPERATOR = "# An operator there as the application or a declared user, without a password"
_OPERATOR_MAP = "operator"
_OPERATOR_METHOD = f"peer map={_OPERATOR_MAP}"

# What a server is set to by us, whatever is declared.
CONTRACT = (
    "listen_addresses",
    "port",
    "hba_file",
    "ident_file",
    "password_encryption",
    "ssl",
    "ssl_cert_file",
    "ssl_key_file",
    "ssl_min_protocol_version",
)


def render(
    spec: DatabaseSpec, record: Record, major: int | str, access: Iterable[tuple[str, str]] = ()
) -> dict[str, str]:
    """Return the managed files' texts by path below the database's directory. access: as pg_hba_conf has it."""
    return {
        POSTGRESQL_CONF: postgresql_conf(spec, major),
        PG_HBA_CONF: pg_hba_conf(spec, record, access),
        PG_IDENT_CONF: pg_ident_conf(spec, record),
    }


def postgresql_conf(spec: DatabaseSpec, major: int | str) -> str:
    data = container.pgdata(major)
    values = (
        "*",
        str(container.SERVER_PORT),
        f"{container.CONF_MOUNT}/pg_hba.conf",
        f"{container.CONF_MOUNT}/pg_ident.conf",
        "scram-sha-256",
        "on",
        f"{container.TLS_MOUNT}/server.crt",
        f"{container.TLS_MOUNT}/server.key",
        "TLSv1.2",
    )
    own = dict(zip(CONTRACT, values))
    lines = [
        f"# {spec.container}: written by vellaric.postgres, changes made here are overwritten.",
        "# Declare them instead, as `settings` of the database.",
        "",
        f"include '{data}/postgresql.conf'",
        *_block("Derived from the container's limits (tune); what follows overrides it", spec.derived),
        *([""] if spec.derived else []),
        f"include_if_exists '{container.HOME_MOUNT}/{PERSONAL_CONF}'",
        "",
        *[f"{name} = {quote(value)}" for name, value in own.items() if name not in spec.settings],
        *_block("Declared settings", spec.settings),
        *_block("Needed by declared extensions", spec.preloaded),
    ]
    return "\n".join(lines) + "\n"


def _block(title: str, values: Mapping[str, str]) -> list[str]:
    return ["", f"# {title}", *[f"{name} = {quote(value)}" for name, value in values.items()]] if values else []


def pg_hba_conf(spec: DatabaseSpec, record: Record, access: Iterable[tuple[str, str]] = ()) -> str:
    """Return who may connect: the superuser over the socket only, the application's role from its trusted sources.

    TLS is insisted on where clients are told to require it. The first line for the role is the container itself
    (its health check, and the proof of a login), which no address from outside matches. access: (source, method) pairs
    of the networks that the container joins.
    """
    kind = "hostssl" if spec.sslmode in ("require", "verify-full") else "host"
    roles = ",".join(f'"{role}"' for role in (record.username, *(user.name for user in spec.users)))
    who = f'"{spec.name}" {roles}'
    sources = EVERYWHERE if spec.trusted_sources is None else spec.trusted_sources
    lines = [
        f"# {spec.container}: written by vellaric.postgres, changes made here are overwritten.",
        "# Declare `trusted_sources` and `sslmode` of the database instead.",
        "",
        "# The superuser: over the container's own socket, as the operating system's user (see pg_ident.conf)",
        "local all postgres peer map=superuser",
        _OPERATOR,
        f"local {who} {_OPERATOR_METHOD}",
        "# The application's role and declared users: the container itself, then the trusted sources",
        f"host {who} samehost scram-sha-256",
        *[f"{kind} {who} {source} scram-sha-256" for source in sources],
        *(["# Containers of the joined networks, not the Docker host's own addresses there"] if access else []),
        *[f"{'host' if method == 'reject' else kind} {who} {source} {method}" for source, method in access],
    ]
    return "\n".join(lines) + "\n"


def pg_ident_conf(spec: DatabaseSpec, record: Record) -> str:
    """Return who of the container's operating system is who to the server.

    Root could become the user postgres at any time; as root, the host asks the server without entering the container.
    Whoever is the superuser there may as well be one of the others, and cannot get back from it to the superuser.
    """
    roles = [record.username, *(user.name for user in spec.users)]
    lines = [
        f"# {spec.container}: written by vellaric.postgres, changes made here are overwritten.",
        "",
        "superuser postgres postgres",
        "superuser root postgres",
        *[f'{_OPERATOR_MAP} postgres "{role}"' for role in roles],
    ]
    return "\n".join(lines) + "\n"


def keep_access(texts: Mapping[str, str], current: Mapping[str, str]) -> dict[str, str]:
    """Return the managed files, with those on access as they are where they differ by the operator's lines alone.

    Earlier versions wrote none. No server is reloaded for a convenience: the lines come with the next change.
    """
    paths = (PG_HBA_CONF, PG_IDENT_CONF)
    same = all(current.get(path) == _without_operator(texts[path]) for path in paths)
    return {**texts, **({path: current[path] for path in paths} if same else {})}


def _without_operator(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(
        line
        for line in lines
        if line.rstrip("\n") != _OPERATOR
        and not line.startswith(f"{_OPERATOR_MAP} ")
        and not line.endswith(f" {_OPERATOR_METHOD}\n")
    )


def quote(value: str) -> str:
    """Quote a value as a configuration file has it, where a backslash escapes too."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def parameters(text: str) -> dict[str, str]:
    """Return the parameters that a file of ours sets, by name."""
    found = (_LINE.match(line) for line in text.split("\n"))
    return {m.group(1): m.group(2).replace("''", "'").replace("\\\\", "\\") for m in found if m}


def without(text: str, names: Container[str]) -> str:
    """Return the text of a file of the server's or ours without some parameters."""
    found = ((line, _LINE.match(line)) for line in text.split("\n"))
    return "\n".join(line for line, match in found if match is None or match.group(1).lower() not in names)


def personal_parameters(text: str) -> dict[str, str]:
    """Return what a person's own file sets, as it is written there; what includes other files is left out."""
    found = (_PERSONAL_LINE.match(line) for line in text.splitlines())
    pairs = ((m.group(1).lower(), m.group(2)) for m in found if m and not m.group(1).startswith("include"))
    return {name: value[1:-1].replace("''", "'") if value[:1] == "'" else value for name, value in pairs}


def changed_parameters(before: str, after: str) -> list[str]:
    """Return the names of the parameters that two texts of our file set differently."""
    old, new = parameters(before), parameters(after)
    return sorted(name for name in {*old, *new} if old.get(name) != new.get(name))


def needs_restart(names: Iterable[str], contexts: Mapping[str, str]) -> list[str]:
    """Say which of the parameters take effect with a restart only (contexts: by name, as the image's server says)."""
    return [name for name in names if contexts.get(name) == "postmaster"]

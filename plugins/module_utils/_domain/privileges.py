# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the application's role and users may do besides what is declared, and what outranks parameters. Pure.

What gives them more than their database is taken from them by a run; what is merely odd is a finding. The observation
and the statements are SQL (server.privileges).
"""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:

    class Membership(TypedDict):
        """gives: the roles with more than a database that it leads to; owns: whether the role owns anything here."""

        member: str
        role: str
        gives: list[str]
        owns: bool

    class GrantedFunction(TypedDict):
        grantee: str
        function: str
        dangerous: bool

    class GrantedCatalog(TypedDict):
        grantee: str
        catalog: str

    class GrantedParameter(TypedDict):
        grantee: str
        parameter: str
        privilege: str

    class Maintenance(TypedDict):
        database: str
        owner: str

    class EventTrigger(TypedDict):
        name: str
        event: str
        enabled: bool
        function: str
        function_of: str
        owner_is_superuser: bool
        unsafe: bool
        owner: str
        superuser: bool

    class Override(TypedDict):
        """database, role: None for all of them."""

        database: str | None
        role: str | None
        name: str

    class UntrustedFunction(TypedDict):
        function: str
        language: str

    class DefaultGrant(TypedDict):
        superuser: str
        grantee: str

    class Elsewhere(TypedDict):
        database: str
        owned: bool
        objects: int

    class ConnectionLimit(TypedDict):
        what: str
        limit: int

    class ObservedPrivileges(TypedDict):
        """What server.privileges.question answers."""

        memberships: list[Membership]
        functions: list[GrantedFunction]
        catalogs: list[GrantedCatalog]
        parameters: list[GrantedParameter]
        maintenance: list[Maintenance]
        triggers: list[EventTrigger]
        overrides: list[Override]
        definers: list[str]
        untrusted: list[UntrustedFunction]
        defaults: list[DefaultGrant]
        elsewhere: list[Elsewhere]
        connection_limits: list[ConnectionLimit]


# Predefined roles with which a role reaches what is not its database's: programs, files, connections to elsewhere, the
# verifiers of all passwords. https://www.postgresql.org/docs/current/predefined-roles.html
DANGEROUS_ROLES = (
    "pg_create_subscription",
    "pg_execute_server_program",
    "pg_read_all_data",
    "pg_read_server_files",
    "pg_write_all_data",
    "pg_write_server_files",
)
# Functions that reach files of the server, which only a superuser may call unless somebody has granted it.
FILE_FUNCTIONS = ("lo_export", "lo_import", "pg_ls_dir", "pg_read_binary_file", "pg_read_file", "pg_stat_file")
# Catalogs with the verifiers of all passwords, and with passwords for other servers.
SECRET_CATALOGS = ("pg_authid", "pg_shadow", "pg_user_mapping")
# Superusers' sessions work in these.
MAINTENANCE = ("postgres", "template0", "template1")

# What is observed (server.privileges.question) of a server that gave no reason to ask.
NOTHING: ObservedPrivileges = {
    "memberships": [],
    "functions": [],
    "catalogs": [],
    "parameters": [],
    "maintenance": [],
    "triggers": [],
    "overrides": [],
    "definers": [],
    "untrusted": [],
    "defaults": [],
    "elsewhere": [],
    "connection_limits": [],
}


def held(observed: ObservedPrivileges) -> list[str]:
    """Return what the application's role and the declared users may do that a run takes from them, in words."""
    words = [f"{one['member']} is a member of {_through(one)}" for one in observed["memberships"] if one["gives"]]
    words += [f"{one['grantee']} may call {one['function']}" for one in observed["functions"] if one["dangerous"]]
    words += [f"{one['grantee']} may read {one['catalog']}" for one in observed["catalogs"]]
    words += [
        f"{one['grantee']} may set {one['parameter']} for the whole server"
        for one in observed["parameters"]
        if one["privilege"] == "ALTER SYSTEM"
    ]
    words += [f"{one['owner']} owns database {one['database']}" for one in observed["maintenance"]]
    words += [
        f"{one['owner']} owns event trigger {one['name']}" for one in observed["triggers"] if not one["superuser"]
    ]
    return words


def armed(observed: ObservedPrivileges) -> dict[str, str]:
    """Return the event triggers that a run disables, by name: why, in words.

    They fire in the sessions of superusers, too, and call what somebody else may replace or mislead.
    """
    return {
        one["name"]: f"its function {one['function']} "
        + (
            "runs as a superuser, and has no search path of its own"
            if one["owner_is_superuser"]
            else f"belongs to {one['function_of']}, which is no superuser"
        )
        for one in observed["triggers"]
        if one["unsafe"]
    }


def _through(membership: Membership) -> str:
    others = [name for name in membership["gives"] if name != membership["role"]]
    return f"{membership['role']} (and so of {', '.join(others)})" if others else membership["role"]


def overrides(observed: ObservedPrivileges, names: Container[str]) -> list[Override]:
    """Return the entries of ALTER DATABASE ... SET and ALTER ROLE ... SET that outrank parameters of these names."""
    return [one for one in observed["overrides"] if one["name"] in names]


def override_words(one: Override) -> str:
    """Return an entry as the statement that made it: C(ALTER ROLE app IN DATABASE app SET work_mem)."""
    if one["role"] is None:
        where = f"DATABASE {one['database']}" if one["database"] else "ROLE ALL"
    else:
        where = f"ROLE {one['role']}" + (f" IN DATABASE {one['database']}" if one["database"] else "")
    return f"ALTER {where} SET {one['name']}"

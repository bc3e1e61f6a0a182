# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that are SQL: neighbours among them go to the server in one session, as the superuser. Pure."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from .._domain import scram
from .._server import privileges, roles, sql
from .steps import Step

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._domain.extensions import Installed
    from .._domain.users import ObservedRoles, User


class SqlStep(Step):
    """A step that is a script; run again after a crash at any point, it does the same."""

    def script(self) -> str:
        raise NotImplementedError


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Role(SqlStep):
    """The application's role. password: None leaves the one that it has; logs_in: False where two take turns for it."""

    summary: str
    username: str
    password: str | None = dataclasses.field(repr=False)
    logs_in: bool
    verb = "role"
    changes_logins = True

    def script(self) -> str:
        verifier = scram.new_verifier(self.password) if self.password else None
        return sql.ensure_role(self.username, verifier, self.logs_in)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Database(SqlStep):
    summary: str
    name: str
    owner: str
    verb = "database"

    def script(self) -> str:
        return sql.ensure_database(self.name, self.owner)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Restrict(SqlStep):
    name: str
    owner: str
    major: int
    verb = "restrict"

    @property
    def summary(self) -> str:
        return f"revoke CONNECT on database {self.name} from everyone but its owner"

    def script(self) -> str:
        return sql.restrict_database(self.name, self.owner, self.major)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class LockSuperuser(SqlStep):
    verb = "lock_superuser"
    summary: str = "remove the password of the superuser"

    def script(self) -> str:
        return sql.lock_superuser()


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Privileges(SqlStep):
    """taken: what is taken away, in words."""

    name: str
    owner: str
    taken: tuple[str, ...]
    verb = "privileges"

    @property
    def summary(self) -> str:
        return f"privileges: {'; '.join(self.taken)}"

    def script(self) -> str:
        return privileges.script(self.name, self.owner)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Overrides(SqlStep):
    """Take back what ALTER DATABASE ... SET and ALTER ROLE ... SET say of declared parameters. shown: in words."""

    name: str
    owner: str
    parameters: frozenset[str]
    shown: tuple[str, ...]
    verb = "overrides"

    @property
    def summary(self) -> str:
        return f"restore declared parameters: reset {', '.join(self.shown)}"

    def script(self) -> str:
        return privileges.reset_overrides(self.name, self.owner, self.parameters)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Altered(SqlStep):
    """Take back what ALTER SYSTEM says of declared parameters.

    major: of the data directory, where no server runs that could be asked to; its file is then changed.
    """

    parameters: tuple[str, ...]
    major: int | None = None
    verb = "altered"

    @property
    def summary(self) -> str:
        return f"restore declared parameters: ALTER SYSTEM RESET {', '.join(self.parameters)}"

    def script(self) -> str:
        return privileges.reset_altered(self.parameters)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Extensions(SqlStep):
    """wanted: versions by name; installed: what is there (extensions.changes); changes: the difference, in words."""

    name: str
    wanted: dict[str, str | None]
    installed: Mapping[str, Installed]
    changes: tuple[str, ...]
    verb = "extensions"

    @property
    def summary(self) -> str:
        return f"extensions: {', '.join(self.changes)}"

    def script(self) -> str:
        return sql.change_extensions(self.name, self.wanted, self.installed)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class EndSessions(SqlStep):
    roles: tuple[str, ...]
    verb = "end_sessions"

    @property
    def summary(self) -> str:
        return f"terminate the sessions of {', '.join(self.roles)}"

    def script(self) -> str:
        return roles.end_sessions(list(self.roles))


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class EndLogins(SqlStep):
    """grace: the seconds that the roles may still log in."""

    roles: tuple[str, ...]
    grace: int
    verb = "end_logins"
    changes_logins = True

    @property
    def summary(self) -> str:
        return f"expire the login of {', '.join(self.roles)} in {self.grace} s"

    def script(self) -> str:
        return roles.end_logins(list(self.roles), self.grace)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Users(Step):
    """A script of its own, in whose end the users that get a password log in with it.

    declared: those that can be had now; observed: what is there (server.roles.OBSERVE); changes: in words.

    proved: those that get the password that is declared, and have to be able to log in with it.
    """

    name: str
    owner: str
    declared: tuple[User, ...] = dataclasses.field(repr=False)
    observed: ObservedRoles = dataclasses.field(repr=False)
    changes: tuple[str, ...]
    proved: tuple[User, ...] = dataclasses.field(repr=False)
    verifiable: bool
    verb = "users"
    changes_logins = True
    observed_after = True

    @property
    def summary(self) -> str:
        return f"users: {', '.join(self.changes)}"

    def script(self) -> str:
        return roles.script(self.name, self.declared, self.owner, self.observed)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ProveLogin(Step):
    """Log in over TCP and TLS. verifiable: whether a client that has tls/ca.crt can verify the server."""

    name: str
    username: str
    password: str = dataclasses.field(repr=False)
    verifiable: bool
    verb = "prove_login"
    summary: str = "test a login as the application, over TLS"

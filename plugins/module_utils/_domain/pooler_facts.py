# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is on a host of a database's pooler: what observation fills in and the plan reads. Pure data."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from .facts import InstanceFacts
from .pooler import POOLER

if TYPE_CHECKING:
    from .facts import Observed, ServerCertificate
    from .pgbouncer import Login, Version

# Below the database's directory: what happens to that happens to the pooler's, too.
DIRECTORY = POOLER
INI = f"{DIRECTORY}/conf/pgbouncer.ini"
USERS = f"{DIRECTORY}/conf/users.txt"
HBA = f"{DIRECTORY}/conf/hba.conf"
CERTIFICATE = f"{DIRECTORY}/tls/server.crt"
KEY = f"{DIRECTORY}/tls/server.key"
# Of the authority that has issued its certificate, and what it verifies the server with.
AUTHORITY = f"{DIRECTORY}/tls/ca.crt"
SERVER_AUTHORITY = f"{DIRECTORY}/tls/server-ca.crt"
# There from before any of them is written until PgBouncer has read them all.
UNREAD = f"{DIRECTORY}/unread"
KNOWN_FILES = (UNREAD, INI, USERS, HBA, CERTIFICATE, KEY, AUTHORITY, SERVER_AUTHORITY)


@dataclasses.dataclass(frozen=True)
class PoolerImage:
    """version: of its PgBouncer; checks: whether it has pg_isready, which asks whether a server answers."""

    id: str
    version: Version
    checks: bool


@dataclasses.dataclass(frozen=True)
class PoolerFacts(InstanceFacts):
    """A database's pooler. runs: what the container is to run; None where it is not on the host.

    certificate: that of the host's authority; None where it has none, or one of a person's own. logins: those of the
    server who may use the database; None where it could not be asked. paused: the names by which clients wait.
    silent: why its console does not answer. settings_error: what PgBouncer has against the declared settings.
    directory: whether it has one, which is made before anything else of it, and removed after all else.
    """

    runs: PoolerImage | None = None
    certificate: ServerCertificate | None = None
    logins: tuple[Login, ...] | None = None
    paused: tuple[str, ...] = ()
    silent: str | None = None
    settings_error: str | None = None
    directory: bool = False

    @property
    def there(self) -> bool:
        """Whether there is anything of it."""
        return self.container is not None or self.previous is not None or self.directory


def of(seen: Observed) -> PoolerFacts | None:
    """Return what is observed of a database's pooler; None where there is nothing, and none is declared."""
    return next((one for one in seen.instances if one.role == POOLER and isinstance(one, PoolerFacts)), None)

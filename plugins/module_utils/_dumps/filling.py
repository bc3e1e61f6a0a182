# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fills a fresh database from a dump: what restores, verifications and imports have in common.

The dump's content is evaluated by a role without privileges that owns the fresh database (server/loader); the superuser
runs our own text, and of a backup of ours a few kinds of statements that evaluate nothing.
"""

from __future__ import annotations

import dataclasses
import json
import re
import secrets
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .._backups import formats
from .._domain import scram
from .._domain.errors import DatabaseError
from .._domain.facts import ImageFacts
from .._host.engine import Engine
from .._server import contents, loader, replacement, sql
from . import dump_rules, load
from .way_in import WayIn

if TYPE_CHECKING:
    from .collected import Collected
    from .exchange import Exchange
    from .load import Loaded, Loading, Login, Manner

# Beside the processes that load: for lists, and for a session that is just ending.
_SESSIONS = 3
# A program that loads by several sessions begins and ends with one of its own, and is given no new password.
_LOCKED_OUT = re.compile(r"reconnection failed|connection to (?:server|database) |could not connect to ")
_NOT_FOUND = re.compile(r"(function|relation|type|operator|schema) .* does not exist")


class Filling:
    """One fresh database. sql: runs a script as the superuser, in a database (None: the one for maintenance).

    hba: the path of the server's pg_hba.conf on this host. remaining: returns the seconds that are left.
    loaded: what became of the load, once there was one.
    """

    def __init__(
        self,
        engine: Engine,
        container: str,
        database: str,
        exchange: Exchange,
        image: ImageFacts,
        sql: Callable[..., str],
        hba: str,
        remaining: Callable[[], float],
    ) -> None:
        self._engine, self._container, self._database = engine, container, database
        self._exchange, self._image, self._sql = exchange, image, sql
        self._way_in = WayIn(hba, sql, remaining)
        self._remaining = remaining
        self._login: load.Login | None = None
        self._loading: load.Loading | None = None
        self._quiet: dict[str, str] = {}
        self.loaded = load.Loaded()

    def begin(self, encoding: str, locale: Mapping[str, Any], jobs: int) -> None:
        """Make the fresh database, the role that fills it, and the way in for that role alone."""
        password = secrets.token_urlsafe(24)
        verifier = scram.new_verifier(password)
        self._renew = loader.renew(verifier, self._database)
        self.end()
        self._sql(f"{sql.UNLOGGED}\n{loader.begin(verifier, jobs + _SESSIONS, self._image.major)}")
        self._encoding, self._locale = encoding, locale
        self._make()
        self._way_in.open(self._database)
        self._login = load.Login(loader.LOADER, password)

    def _make(self) -> None:
        self._sql(replacement.create(self._database, loader.LOADER, self._encoding, self._locale))
        self._sql(sql.restrict_database(self._database, loader.LOADER, self._image.major))

    @property
    def uid(self) -> int:
        """The user of the operating system that reads the dump."""
        return self._begun.uid

    @property
    def _begun(self) -> Login:
        if self._login is None:
            raise DatabaseError(f"Database {self._database} was not begun")
        return self._login

    @property
    def _session(self) -> Loading:
        if self._loading is None:
            raise DatabaseError(f"Nothing was loaded into database {self._database}")
        return self._loading

    def load(
        self,
        dump: formats.Dump,
        policy: dump_rules.Rules,
        inside: str | None,
        jobs: int,
        untrusted: frozenset[str],
        search_path: str | None,
        progress: Callable[[int, int], None],
        declared: frozenset[str] = frozenset(),
        backup: bool = False,
    ) -> Loaded:
        """Load a dump (dump_rules.OWN or FOREIGN), with all that stands in it but who owns what and may do what.

        declared: extensions that are made first, unless the dump makes them itself. backup: it is one, so that the
        server's group may read it, and what it has evaluated changes no definition.
        """
        superusers = json.loads(self._sql(replacement.SUPERUSERS))
        manner = load.Manner(
            policy=policy,
            login=dataclasses.replace(self._begun, gid=self._image.gid if backup else None),
            major=self._image.major,
            superuser=self._in_fresh,
            superusers=frozenset(name for name in superusers if superusers[name]),
            renew=self._let_in_again,
            untrusted=untrusted,
            declared=declared,
            search_path=None,
            jobs=jobs,
            seconds=self._remaining(),
            progress=progress,
            guard=self._guard if backup else None,
        )
        if policy is dump_rules.OWN:
            self._sql(loader.ALLOW_TABLESPACES)
        try:
            self.loaded = self._run(dump, manner, inside)
        except DatabaseError as error:
            if search_path and _NOT_FOUND.search(error.message):
                # As pg_dump wrote it, names that are not qualified are the server's own: that comes first.
                again = dataclasses.replace(manner, jobs=1, search_path=search_path.encode("utf-8"))
                why = f"with the search path {search_path}, by one process: functions of the database find names by it"
            elif jobs > 1 and _LOCKED_OUT.search(error.message):
                again = dataclasses.replace(manner, jobs=1)
                why = "by one process: what the database evaluates let no other in meanwhile"
            else:
                raise
            self._sql(replacement.drop(self._database))
            self._make()
            self._let_in_again()
            self.loaded = self._run(dump, again, inside)
            self.loaded.warnings.append(f"it was loaded {why}")
        self._make_roles_spoken_of()
        if self.loaded.collected.later:
            # Publications, event triggers, labels, default privileges.
            self._in_fresh(loader.guarded("\n".join(loader.in_order(self.loaded.collected.later))))
        if self.loaded.collected.given:
            self._in_fresh(loader.give(self.loaded.collected.given))
        self._quiet = json.loads(self._in_fresh(loader.QUIET_TRIGGERS).splitlines()[0])
        return self.loaded

    def _make_roles_spoken_of(self) -> None:
        """Make the roles that privileges are of, where the backup came without the file that makes them.

        Nobody can log in as these.
        """
        collected = self.loaded.collected
        spoken = dump_rules.roles_of([*collected.grants, *collected.later])
        there = json.loads(self._sql(replacement.ROLES)) if spoken else []
        missing = [role for role in spoken if role not in there and not role.startswith("pg_")]
        if missing:
            self._sql(replacement.ensure_roles(missing))
            self.loaded.warnings.append(
                f"created the roles that have privileges in the backup, without a login: {', '.join(missing)}"
            )

    def _run(self, dump: formats.Dump, manner: Manner, inside: str | None) -> Loaded:
        self._loading = loading = load.Loading(
            self._engine, self._container, dump, self._database, self._exchange, manner, inside
        )
        return loading.run()

    @property
    def collected(self) -> Collected:
        """What of the dump was left, also where the load failed."""
        return self.loaded.collected if self._loading is None else self._loading.collected

    def _let_in_again(self) -> None:
        self._sql(self._renew)

    def _guard(self, session: str, statements: frozenset[str]) -> None:
        self._in_fresh(loader.guard(session, statements))

    def _in_fresh(self, script: str) -> str:
        return self._sql(script, self._database)

    def run(self, texts: tuple[str, ...], search_path: str) -> str | None:
        """Run SQL of the operator's as the role that loads, to whom everything belongs; return why it failed."""
        lines = [f"SET search_path = {search_path};", *(f"{text}\n;" for text in texts)]
        return self._session.script(lines)

    def analyze(self) -> list[str]:
        """Collect the planner's statistics; return what could not be, and why.

        The server evaluates the expressions of indexes for it.
        """
        tables = json.loads(self._in_fresh(loader.ANALYZED))
        failed = self._session.each({table: [f"ANALYZE {table};"] for table in tables}, ["SET search_path = '';"])
        return [f"{table} could not be analysed: {why}" for table, why in failed.items()]

    def hand_over(self, source_owner: str, owner: str, superusers_own: list[str]) -> list[str]:
        """Give everything to those to whom it belonged; what was the source's owner's becomes the owner's.

        superusers_own: the fingerprints of what a superuser owned there (census). Returns what is worth knowing.
        """
        superusers = json.loads(self._sql(replacement.SUPERUSERS))
        owners, lost, supers, public = [], 0, 0, ""
        for what, shown in self.loaded.collected.owners:
            role = replacement.unquoted(shown)
            if role in (source_owner, owner, "pg_database_owner"):
                continue
            if what == "SCHEMA public" and superusers.get(role):
                # It holds nothing of anybody's.
                public = f"ALTER SCHEMA public OWNER TO {sql.identifier(role)};\n"
                continue
            if role not in superusers or role.startswith("pg_"):
                lost += 1
            elif superusers[role]:
                supers += 1
            else:
                owners.append((what, shown))
        notes = []
        if lost:
            notes.append(f"{lost} objects belong to {owner} now: the role that owned them is not on this server")
        if supers and not superusers_own:
            notes.append(
                f"up to {supers} objects that belonged to a superuser belong to {owner} now, as the backup does not"
                " say how they were defined"
            )
        # From here on nobody of ours loads.
        self._in_fresh(loader.alone() + loader.set_owners(owners))
        script = contents.give_to_superuser(superusers_own, loader.LOADER) if superusers_own else ""
        rest = loader.KEEP_WRAPPERS + replacement.take_over(loader.LOADER, owner)
        self._in_fresh(loader.UNGUARD + script + rest + loader.ALONE + public)
        notes += self._mappings()
        disabled = json.loads(self._in_fresh(replacement.PAUSE_SUBSCRIPTIONS + replacement.SUBSCRIPTIONS))
        if disabled:
            notes.append(
                f"the subscriptions {', '.join(disabled)} came back disabled: what they bring is written with the"
                " rights of who owns them, triggers of the database's owner included. Where each is right, enable it"
                " (ALTER SUBSCRIPTION ... ENABLE)"
            )
        off = self._in_fresh(loader.enable_triggers(self._quiet)).split("\n") if self._quiet else []
        if any(off):
            names = ", ".join(name for name in off if name)
            notes.append(f"event triggers that call functions of others than a superuser were left disabled: {names}")
        return notes

    def _mappings(self) -> list[str]:
        wanted = self.loaded.collected.mappings
        left = self._in_fresh(loader.mappings(wanted)).split("\n") if wanted else []
        left = [one for one in left if " at " in one]
        if not left:
            return []
        return [
            f"user mappings were left out, of servers that belong to no superuser now: {', '.join(left)}. They are let"
            " in without a password, or were of a superuser's server. Where they are right, make them again"
        ]

    def grant(self) -> None:
        """Give back who may do what."""
        grants = self.loaded.collected.grants
        if grants:
            self._in_fresh(loader.guarded("\n".join(grants)))

    def refresh(self, search_path: str) -> list[str]:
        """Fill the materialized views, as the role to whom they belong so far; return what could not be, and why."""
        wanted = loader.refresh(self.loaded.collected.refreshes)
        failed = self._session.each(wanted, [f"SET search_path = {search_path};"], changes=True)
        return [f"materialized view {view} could not be filled: {why}" for view, why in failed.items()]

    def give_to(self, owner: str) -> None:
        """Let the database itself be the owner's."""
        # What the loading role has set of it is nobody's.
        name = sql.identifier(self._database)
        self._sql(f"ALTER DATABASE {name} RESET ALL; ALTER DATABASE {name} CONNECTION LIMIT -1 IS_TEMPLATE false;\n")
        self._sql(f"ALTER DATABASE {name} OWNER TO {sql.identifier(owner)};\n")
        self._sql(sql.restrict_database(self._database, owner, self._image.major))

    def end(self, keep: bool = False) -> None:
        """Take the role and its way in away, and the fresh database unless it is kept."""
        # On a full disk, the room for the file comes from the database.
        if not keep:
            self._sql(replacement.drop(self._database))
        self._way_in.end()
        self._login = None

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was declared of a database, validated and normalised. Pure: parameters in, DatabaseSpec out."""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import configuration, extensions, names, networks, parsers, pem, settings, texts, tuning, users
from . import pooler as poolers
from .errors import DatabaseError, sure
from .names import ENVIRONMENTS
from .units import format_cpus, format_size, parse_cpus, parse_size

if TYPE_CHECKING:
    pass

STATES = ("started", "present", "stopped", "restarted", "paused", "resumed", "absent", "undeleted")
SSLMODES = ("disable", "prefer", "require", "verify-full")
PULL = ("missing", "always", "never")
UPDATE_PASSWORD = ("always", "on_create")
# What a step does to those who use the database, from nothing to the longest interruption.
IMPACTS = ("none", "restart", "recreate")


def _as_given(value: Any) -> Any:
    return value


@dataclasses.dataclass(frozen=True)
class Option:
    """An option of a declared database.

    argument: its part of Ansible's argument spec, None for what is no option of one database. Without a default there:
    a partial declaration, or one of a list, must tell what it gives from what it does not. default: what is meant where
    it is not given. parse: from what is given, or meant, to the value; read: the same from all that is given, for what
    depends on more. Both raise ValueError. field: of DatabaseSpec, where it has another name; "" where it has none.
    recorded: whether a record keeps it, for `partial`; spell: from the value to what the record keeps; recall: from
    what the record keeps to the option; yields_to: the options that, given, go before what is recorded.
    """

    argument: dict[str, Any] | None
    parse: Callable[[Any], Any] = _as_given
    default: Any = None
    field: str | None = None
    recorded: bool = False
    read: Callable[[dict[str, Any]], Any] | None = None
    spell: Callable[[Any], Any] = _as_given
    recall: Callable[[Any], Any] = _as_given
    yields_to: tuple[str, ...] = ()

    def value(self, name: str, given: dict[str, Any]) -> Any:
        if self.read is not None:
            return self.read(given)
        value = given.get(name)
        value = self.default if value is None else value
        return None if value is None else self.parse(value)


def _text(choices: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    return {"type": "str", **({"choices": list(choices)} if choices else {}), **more}


def _number(option: str, least: int, most: int) -> Callable[[Any], int]:
    return lambda value: texts.number(value, option, least, most)


def _checked(check: Callable[[str], Any]) -> Callable[[str], str]:
    """Return what lets a value through that a check does not raise ValueError for."""

    def parse(value: str) -> str:
        check(value)
        return value

    return parse


def _tls(given: dict[str, Any]) -> pem.DeclaredTls | None:
    return pem.from_options(given.get("tls_certificate"), given.get("tls_key"), given.get("tls_ca"))


def _tls_fingerprint(given: dict[str, Any]) -> str | None:
    tls = _tls(given)
    return tls.fingerprint if tls else given.get("tls_fingerprint")


USER_ARGUMENTS = {
    "name": _text(required=True),
    "role": _text(users.ROLES, required=True),
    "connection_limit": {"type": "int"},
    "password": _text(no_log=True),
    "update_password": _text(UPDATE_PASSWORD, no_log=False),
}
_LISTED = {"type": "list", "elements": "str"}
# Each is declared here once: the module's arguments, the checks of a declared fleet, the record and `partial` read it.
OPTIONS = {
    "name": Option(_text()),
    "environment": Option(_text(ENVIRONMENTS)),
    "state": Option(_text(STATES), default="started"),
    "version": Option(_text(), field=""),
    "image": Option(_text(), read=parsers.image, recorded=True, yields_to=("version",)),
    "pull": Option(_text(PULL), default="missing", recorded=True),
    # An argument of the whole run.
    "data_root": Option(None, lambda path: texts.directory(path, "data_root"), default="/var/vellaric/postgres"),
    "backup_root": Option(
        {"type": "path"},
        lambda path: texts.directory(path, "backup_root"),
        default="/var/vellaric/backups",
        recorded=True,
    ),
    "port": Option({"type": "int"}, parsers.port),
    "port_range": Option(_text(), parsers.port_range, default="5432-6431"),
    "bind_address": Option(_text(), parsers.bind_address, default="127.0.0.1", recorded=True),
    "base_domain": Option(_text(), parsers.base_domain, recorded=True),
    "address": Option(_text(), parsers.client_address, recorded=True),
    "trusted_sources": Option(
        _LISTED, parsers.trusted_sources, recorded=True, spell=lambda value: None if value is None else list(value)
    ),
    "networks": Option(
        _LISTED, read=lambda given: networks.from_option(given.get("networks")), recorded=True, spell=list
    ),
    "network_aliases": Option(
        _LISTED,
        read=lambda given: networks.aliases_from_option(
            given.get("network_aliases"), bool(given.get("networks") or given.get("partial"))
        ),
        recorded=True,
        spell=list,
    ),
    "sslmode": Option(_text(SSLMODES), default="prefer", recorded=True),
    "tls_certificate": Option(_text(), field="tls", read=_tls),
    "tls_key": Option(_text(no_log=True), field=""),
    "tls_ca": Option(_text(), field=""),
    # Not an option: what a record knows of the certificate, which a partial declaration need not give.
    "tls_fingerprint": Option(None, read=_tls_fingerprint, recorded=True, yields_to=("tls_certificate",)),
    "username": Option(_text(), _checked(names.check_username)),
    "password": Option(_text(no_log=True), _checked(names.check_password)),
    "update_password": Option(_text(UPDATE_PASSWORD, no_log=False), default="always"),
    "login_grace": Option({"type": "int"}, _number("login_grace", 0, texts.MOST_SECONDS)),
    "end_sessions": Option({"type": "bool"}, default=False),
    "memory": Option(_text(), parsers.memory, recorded=True, spell=format_size),
    "cpus": Option(_text(), lambda text: parse_cpus(text, "cpus"), field="nano_cpus", recorded=True, spell=format_cpus),
    "shm_size": Option(
        _text(),
        lambda text: parse_size(text, "shm_size"),
        field="declared_shm_size",
        recorded=True,
        spell=format_size,
    ),
    "read_only": Option({"type": "bool"}, recorded=True),
    "tune": Option({"type": "bool"}, default=False, recorded=True),
    "settings": Option({"type": "dict"}, settings.from_option, default={}, recorded=True, spell=dict),
    "extensions": Option(
        _LISTED,
        read=lambda given: extensions.from_option(given.get("extensions")),
        recorded=True,
        spell=extensions.to_option,
    ),
    "users": Option(
        {"type": "list", "elements": "dict", "options": USER_ARGUMENTS},
        read=lambda given: users.from_option(given.get("users"), given.get("username")),
        recorded=True,
        spell=users.to_option,
        recall=users.recorded,
    ),
    "pooler": Option(
        {"type": "raw"},
        read=lambda given: poolers.from_option(given.get("pooler")),
        recorded=True,
        spell=poolers.to_option,
    ),
    "wait_timeout": Option({"type": "int"}, _number("wait_timeout", 1, texts.MOST_SECONDS), default=120),
    "deletion_protection": Option({"type": "bool"}, recorded=True),
    "purge": Option({"type": "bool"}, default=False),
    "final_backup": Option({"type": "bool"}),
    # What is taken back from the trash keeps its declaration, but for what is given.
    "partial": Option(
        {"type": "bool"}, read=lambda given: bool(given.get("partial")) or given.get("state") == "undeleted"
    ),
    "adopt": Option({"type": "bool"}, default=False),
    "trash_days": Option({"type": "int"}, _number("trash_days", 0, texts.MOST_DAYS)),
    "max_impact": Option(_text(IMPACTS), default="recreate"),
}
ARGUMENTS = {name: option.argument for name, option in OPTIONS.items() if option.argument is not None}
DEFAULTS = {name: option.default for name, option in OPTIONS.items() if option.default is not None}
_RECORDED = {name: option for name, option in OPTIONS.items() if option.recorded}


@dataclasses.dataclass(frozen=True)
class DatabaseSpec:
    """One declared database. Sizes are in bytes, None is "no limit" or "not declared".

    declared_shm_size and settings are just what was declared; shm_size and parameters are what the server is to have.
    read_only: None for what a container of this version has, which is no reason to replace one of an earlier version.
    tls_fingerprint: that of a certificate of one's own, None for one of the host's authority; tls: where it is given.
    """

    name: str
    environment: str
    state: str
    image: str
    pull: str
    data_root: str
    backup_root: str
    port: int | None
    port_range: tuple[int, int]
    bind_address: str
    base_domain: str | None
    address: str | None
    trusted_sources: tuple[str, ...] | None
    networks: tuple[str, ...]
    network_aliases: tuple[str, ...]
    sslmode: str
    tls: pem.DeclaredTls | None
    tls_fingerprint: str | None
    username: str | None
    password: str | None = dataclasses.field(repr=False)
    update_password: str
    login_grace: int | None
    end_sessions: bool
    memory: int | None
    nano_cpus: int | None
    declared_shm_size: int | None
    read_only: bool | None
    tune: bool
    settings: dict[str, str]
    extensions: dict[str, str | None]
    users: tuple[users.User, ...]
    pooler: poolers.PoolerSpec | None
    wait_timeout: int
    deletion_protection: bool | None
    purge: bool
    final_backup: bool | None
    partial: bool
    adopt: bool
    trash_days: int | None
    max_impact: str

    @functools.cached_property
    def container(self) -> str:
        return names.container_name(self.name, self.environment)

    @property
    def declared_pooler(self) -> poolers.PoolerSpec:
        """The pooler, where what came before has made sure that one is declared."""
        return sure(self.pooler)

    @property
    def pooler_container(self) -> str:
        """The name of the pooler's container, and of the network that it shares with the server alone."""
        return poolers.container(self.container)

    @property
    def directory(self) -> str:
        return os.path.join(self.data_root, self.container)

    @property
    def backup_directory(self) -> str:
        return os.path.join(self.backup_root, self.container)

    @property
    def serves(self) -> bool:
        """Whether the server is to run, also where it is stopped now."""
        return self.state in ("started", "undeleted")

    @property
    def protected(self) -> bool:
        """Deletion protection as declared, or by the environment: on in production."""
        if self.deletion_protection is None:
            return self.environment == "production"
        return self.deletion_protection

    @property
    def backed_up_at_last(self) -> bool:
        """Whether a final backup is taken before a deletion, as declared, or by the environment: in production."""
        if self.final_backup is None:
            return self.environment == "production"
        return self.final_backup

    @property
    def derived(self) -> dict[str, str]:
        """The server's parameters that the limits give; none where it is not asked for."""
        return tuning.derive(self.memory, self.nano_cpus, self.settings) if self.tune and self.memory else {}

    @property
    def parameters(self) -> dict[str, str]:
        """The server's parameters, derived and declared, sorted."""
        return dict(sorted({**self.derived, **self.settings, **self.preloaded}.items()))

    @property
    def governed(self) -> set[str]:
        """The names of the parameters that nobody sets but a declaration or this collection."""
        return {*self.parameters, *configuration.CONTRACT, *settings.MANAGED_SETTINGS}

    @property
    def outranking(self) -> set[str]:
        """The names of those that the owner of a database may not set for it either.

        What only limits give is a default, where they may choose otherwise.
        """
        return self.governed - set(self.derived)

    @property
    def preloaded(self) -> dict[str, str]:
        """The parameter that declared extensions need, with what is declared of it; none where they need none."""
        libraries = extensions.preloaded(self.extensions, self.settings.get(extensions.PRELOAD))
        return {} if libraries is None else {extensions.PRELOAD: libraries}

    @property
    def shm_size(self) -> int:
        if self.declared_shm_size is not None:
            return self.declared_shm_size
        if self.tune and self.memory:
            return tuning.shm_size(self.memory, self.nano_cpus, self.settings)
        return tuning.LEAST_SHM_SIZE

    @property
    def host(self) -> str:
        """What clients connect to (the seed's `host`)."""
        if self.base_domain:
            return names.host_name(self.container, self.base_domain)
        if self.address:
            return self.address
        everywhere = ipaddress.ip_address(self.bind_address).is_unspecified
        return os.uname().nodename if everywhere else self.bind_address

    @property
    def certificate_names(self) -> tuple[str, ...]:
        """The names and addresses under which clients may verify the server, sorted."""
        return tuple(
            sorted(
                {self.host, self.container, *self.network_aliases, "localhost", "127.0.0.1", self.bind_address}
                - {"0.0.0.0", "::"}
            )
        )

    def declared(self) -> dict[str, Any]:
        """The declaration in the spelling of the options, for the record: never a secret."""
        kept = {name: option.spell(getattr(self, option.field or name)) for name, option in _RECORDED.items()}
        # Records from before there were such are to stay as they are.
        if not self.network_aliases:
            del kept["network_aliases"]
        if self.pooler is None:
            del kept["pooler"]
        return kept


def from_parameters(parameters: dict[str, Any]) -> DatabaseSpec:
    """Return the DatabaseSpec for the options of a task. Raises DatabaseError, naming the options and what they accept.

    Options that were not given are None; `partial` is resolved afterwards by `complete`, since it needs the record.
    """
    values, mistakes = {}, []
    try:
        names.container_name(parameters["name"], parameters["environment"])
    except ValueError as error:
        mistakes.append(str(error))
    for name, option in OPTIONS.items():
        try:
            value = option.value(name, parameters)
        except ValueError as error:
            mistakes.append(str(error))
            continue
        if option.field != "":
            values[option.field or name] = value
    if values.get("pooler") is not None and not mistakes:
        mistakes += _long_name(parameters)
    if mistakes:
        raise DatabaseError("\n".join(dict.fromkeys(mistakes)))
    if not parameters.get("partial"):
        _refuse_untunable(parameters)
    return DatabaseSpec(**values)


def complete(parameters: dict[str, Any], declared: dict[str, Any]) -> dict[str, Any]:
    """Fill the options that a partial declaration does not give from what the database's record keeps."""
    given = {option: value for option, value in parameters.items() if value is not None}
    known = {
        name: option.recall(declared.get(name))
        for name, option in _RECORDED.items()
        if not set(option.yields_to) & set(given)
    }
    completed = {**parameters, **known, **given}
    _refuse_untunable(completed)
    return completed


def _long_name(given: dict[str, Any]) -> list[str]:
    """Return what is wrong with the name of a database that is to have a pooler."""
    name = poolers.container(names.container_name(given["name"], given["environment"]))
    over = len(name) - names.MAX_LABEL
    if over <= 0:
        return []
    return [f"pooler: its container {name} has a name of {len(name)} characters: choose a name that is {over} shorter"]


def _refuse_untunable(given: dict[str, Any]) -> None:
    if given.get("tune") and given.get("memory") is None:
        raise DatabaseError(
            f"tune is true, but {names.container_name(given['name'], given['environment'])} has no limit of memory to"
            " derive from (that of the host is shared): declare memory, such as memory: 2g"
        )

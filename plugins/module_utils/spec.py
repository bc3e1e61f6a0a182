# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was declared of a database, validated and normalised. Pure: parameters in, DatabaseSpec out."""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
import os
import re

from . import extensions, names, networks, pem, texts, tuning, users
from .errors import DatabaseError
from .server import configuration
from .units import format_cpus, format_size, parse_cpus, parse_size

STATES = ("started", "present", "stopped", "restarted", "absent", "undeleted")
SSLMODES = ("disable", "prefer", "require", "verify-full")
PULL = ("missing", "always", "never")
UPDATE_PASSWORD = ("always", "on_create")

DEFAULT_VERSION = "15-alpine"
DEFAULTS = {
    "bind_address": "127.0.0.1",
    "pull": "missing",
    "sslmode": "prefer",
    "data_root": "/var/vellaric/postgres",
    "backup_root": "/var/vellaric/backups",
    "port_range": "5432-6431",
    "wait_timeout": 120,
}
# What a database's record keeps as its declaration, and what `partial` takes from there.
DECLARED = (
    "image",
    "pull",
    "bind_address",
    "base_domain",
    "address",
    "trusted_sources",
    "networks",
    "network_aliases",
    "sslmode",
    "tls_fingerprint",
    "memory",
    "cpus",
    "shm_size",
    "read_only",
    "tune",
    "settings",
    "extensions",
    "users",
    "deletion_protection",
    "backup_root",
)

# Parameters that carry this collection's contracts, and the option that governs each.
MANAGED_SETTINGS = {
    "allow_alter_system": None,
    "config_file": None,
    "data_directory": None,
    "external_pid_file": None,
    "hba_file": "trusted_sources",
    "ident_file": None,
    "listen_addresses": "bind_address",
    "password_encryption": None,
    "port": "port",
    "ssl": "sslmode",
    "ssl_ca_file": None,
    "ssl_cert_file": "tls_certificate",
    "ssl_key_file": "tls_key",
    "unix_socket_directories": None,
}

_SETTING_NAME = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?")
# The parts of a reference as the distribution specification has them; the registry may carry a port.
_IMAGE = re.compile(r"[a-z0-9]+([._:/-]+[a-z0-9]+)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


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
    port_range: tuple
    bind_address: str
    base_domain: str | None
    address: str | None
    trusted_sources: tuple | None
    networks: tuple
    network_aliases: tuple
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
    settings: dict
    extensions: dict
    users: tuple
    wait_timeout: int
    deletion_protection: bool | None
    purge: bool
    final_backup: bool | None
    partial: bool
    adopt: bool
    trash_days: int | None
    max_impact: str

    @functools.cached_property
    def container(self):
        return names.container_name(self.name, self.environment)

    @property
    def directory(self):
        return os.path.join(self.data_root, self.container)

    @property
    def backup_directory(self):
        return os.path.join(self.backup_root, self.container)

    @property
    def serves(self):
        """Whether the server is to run, also where it stands still now."""
        return self.state in ("started", "undeleted")

    @property
    def protected(self):
        """Deletion protection as declared, or by the environment: on in production."""
        if self.deletion_protection is None:
            return self.environment == "production"
        return self.deletion_protection

    @property
    def backed_up_at_last(self):
        """Whether a final backup is taken before a deletion, as declared, or by the environment: in production."""
        if self.final_backup is None:
            return self.environment == "production"
        return self.final_backup

    @property
    def derived(self):
        """The server's parameters that the limits give; none where it is not asked for."""
        return tuning.derive(self.memory, self.nano_cpus, self.settings) if self.tune and self.memory else {}

    @property
    def parameters(self):
        """The server's parameters, derived and declared, sorted."""
        return dict(sorted({**self.derived, **self.settings, **self.preloaded}.items()))

    @property
    def governed(self):
        """The names of the parameters that nobody sets but a declaration or this collection."""
        return {*self.parameters, *configuration.CONTRACT, *MANAGED_SETTINGS}

    @property
    def outranking(self):
        """The names of those that the owner of a database may not set for it either.

        What only limits give is a default, where they may choose otherwise.
        """
        return self.governed - set(self.derived)

    @property
    def preloaded(self):
        """The parameter that declared extensions need, with what is declared of it; none where they need none."""
        libraries = extensions.preloaded(self.extensions, self.settings.get(extensions.PRELOAD))
        return {} if libraries is None else {extensions.PRELOAD: libraries}

    @property
    def shm_size(self):
        if self.declared_shm_size is not None:
            return self.declared_shm_size
        if self.tune and self.memory:
            return tuning.shm_size(self.memory, self.nano_cpus, self.settings)
        return tuning.LEAST_SHM_SIZE

    @property
    def host(self):
        """What clients connect to (the seed's `host`)."""
        if self.base_domain:
            return names.host_name(self.container, self.base_domain)
        if self.address:
            return self.address
        everywhere = ipaddress.ip_address(self.bind_address).is_unspecified
        return os.uname().nodename if everywhere else self.bind_address

    @property
    def certificate_names(self):
        """The names and addresses under which clients may verify the server, sorted."""
        return tuple(
            sorted(
                {self.host, self.container, *self.network_aliases, "localhost", "127.0.0.1", self.bind_address}
                - {"0.0.0.0", "::"}
            )
        )

    def declared(self):
        """The declaration in the spelling of the options, for the record: never a secret."""
        return {
            "image": self.image,
            "pull": self.pull,
            "bind_address": self.bind_address,
            "base_domain": self.base_domain,
            "address": self.address,
            "trusted_sources": None if self.trusted_sources is None else list(self.trusted_sources),
            "networks": list(self.networks),
            # Where there are any: records from before there were such are to stay as they are.
            **({"network_aliases": list(self.network_aliases)} if self.network_aliases else {}),
            "sslmode": self.sslmode,
            "tls_fingerprint": self.tls_fingerprint,
            "memory": format_size(self.memory),
            "cpus": format_cpus(self.nano_cpus),
            "shm_size": format_size(self.declared_shm_size),
            "read_only": self.read_only,
            "tune": self.tune,
            "settings": dict(self.settings),
            "extensions": extensions.to_option(self.extensions),
            "users": users.to_option(self.users),
            "deletion_protection": self.deletion_protection,
            "backup_root": self.backup_root,
        }


def from_parameters(parameters):
    """Return the DatabaseSpec for the options of a task. Raises DatabaseError, naming the option and what it accepts.

    Options that were not given are None; `partial` is resolved afterwards by `complete`, since it needs the record.
    """
    try:
        return _from_parameters(parameters)
    except ValueError as error:
        raise DatabaseError(str(error)) from error


def complete(parameters, declared):
    """Fill the options that a partial declaration does not give from what the database's record keeps."""
    known = {option: declared.get(option) for option in DECLARED}
    known["users"] = users.recorded(known["users"])
    given = {option: value for option, value in parameters.items() if value is not None}
    if "version" in given or "image" in given:
        known.pop("image")
    if "tls_certificate" in given:
        known.pop("tls_fingerprint")
    completed = {**parameters, **known, **given}
    _refuse_untunable(completed)
    return completed


def _refuse_untunable(given):
    if given.get("tune") and given.get("memory") is None:
        raise DatabaseError(
            f"tune is true, but {names.container_name(given['name'], given['environment'])} has no limit of memory to"
            " derive from (that of the host is shared): declare memory, such as memory: 2g"
        )


def _from_parameters(given):
    if not given.get("partial"):
        _refuse_untunable(given)

    def option(name):
        value = given.get(name)
        return DEFAULTS.get(name) if value is None else value

    names.container_name(given["name"], given["environment"])
    for credential, check in (("username", names.check_username), ("password", names.check_password)):
        if given.get(credential) is not None:
            check(given[credential])
    if given.get("base_domain"):
        names.host_name("x", given["base_domain"])
    tls = pem.from_options(given.get("tls_certificate"), given.get("tls_key"), given.get("tls_ca"))
    return DatabaseSpec(
        name=given["name"],
        environment=given["environment"],
        state=given.get("state") or "started",
        image=_image(given),
        pull=option("pull"),
        data_root=texts.directory(option("data_root"), "data_root"),
        backup_root=texts.directory(option("backup_root"), "backup_root"),
        port=_port(given.get("port"), "port"),
        port_range=_port_range(option("port_range")),
        bind_address=_address(option("bind_address")),
        base_domain=given.get("base_domain") or None,
        address=_client_address(given.get("address") or None),
        trusted_sources=_trusted_sources(given.get("trusted_sources")),
        networks=networks.from_option(given.get("networks")),
        network_aliases=networks.aliases_from_option(
            given.get("network_aliases"), given.get("networks") or given.get("partial")
        ),
        sslmode=option("sslmode"),
        tls=tls,
        # Not an option: what a record knows of the certificate, which a partial declaration need not give.
        tls_fingerprint=tls.fingerprint if tls else given.get("tls_fingerprint"),
        username=given.get("username"),
        password=given.get("password"),
        update_password=given.get("update_password") or "always",
        login_grace=_optional_number(given.get("login_grace"), "login_grace", texts.MOST_SECONDS),
        end_sessions=bool(given.get("end_sessions")),
        memory=_memory(given.get("memory")),
        nano_cpus=parse_cpus(given["cpus"], "cpus") if given.get("cpus") is not None else None,
        declared_shm_size=parse_size(given["shm_size"], "shm_size") if given.get("shm_size") is not None else None,
        read_only=given.get("read_only"),
        tune=bool(given.get("tune")),
        settings=_settings(given.get("settings") or {}),
        extensions=extensions.from_option(given.get("extensions")),
        users=users.from_option(given.get("users"), given.get("username")),
        wait_timeout=texts.number(option("wait_timeout"), "wait_timeout", 1, texts.MOST_SECONDS),
        deletion_protection=given.get("deletion_protection"),
        purge=bool(given.get("purge")),
        final_backup=given.get("final_backup"),
        # What is taken back from the trash keeps its declaration, but for what is given.
        partial=bool(given.get("partial")) or given.get("state") == "undeleted",
        adopt=bool(given.get("adopt")),
        trash_days=_optional_number(given.get("trash_days"), "trash_days", texts.MOST_DAYS),
        max_impact=given.get("max_impact") or "recreate",
    )


def _image(given):
    version, image = given.get("version"), given.get("image")
    if version and image:
        raise ValueError("version and image exclude each other: version is a tag of the official image")
    if image:
        if not _IMAGE.fullmatch(image):
            raise ValueError(f"image is {image!r}: an image is [registry/]repository[:tag][@digest]")
        return image
    version = str(version or DEFAULT_VERSION)
    if not _TAG.fullmatch(version):
        raise ValueError(f"version is {version!r}: a version is a tag of the official image, such as 15-alpine or 17")
    return f"postgres:{version}"


def _optional_number(value, option, most):
    return None if value is None else texts.number(value, option, 0, most)


def _port(port, option):
    if port is not None and not 1 <= port <= 65535:
        raise ValueError(f"{option} is {port}: a port is between 1 and 65535")
    return port


def _port_range(text):
    first, dash, last = str(text).strip().partition("-")
    try:
        first, last = int(first), int(last if dash else first)
    except ValueError:
        first, last = 1, 0
    if not 1 <= first <= last <= 65535:
        raise ValueError(f"port_range is {text!r}: a range is FIRST-LAST within 1 and 65535, such as 5432-6431")
    return (first, last)


def _address(text):
    try:
        return str(texts.address(text))
    except ValueError:
        raise ValueError(
            f"bind_address is {text!r}: an address of the Docker host, such as 127.0.0.1, or 0.0.0.0 for all of them"
        ) from None


def _client_address(text):
    if text is None:
        return None
    try:
        return str(texts.address(text))
    except ValueError:
        return names.check_host(text, "address")


def _trusted_sources(sources):
    if sources is None:
        return None
    networks = []
    for source in sources:
        try:
            networks.append(str(texts.network(source)))
        except ValueError as error:
            raise ValueError(
                f"trusted_sources has {source!r}: a source is a network such as 10.0.0.0/8 or an address ({error})"
            ) from None
    return tuple(dict.fromkeys(networks))


def _memory(text):
    if text is None:
        return None
    memory = parse_size(text, "memory")
    # Docker refuses less than 6 MB; a PostgreSQL server does not start its processes in less than this.
    if memory < 64 << 20:
        raise ValueError(f"memory is {text!r}: at least 64m, or PostgreSQL does not start")
    return memory


def _settings(settings):
    normal = {}
    for name, value in settings.items():
        if not isinstance(name, str) or not _SETTING_NAME.fullmatch(name):
            raise ValueError(f"settings has {name!r}: a server parameter is written in lower case, such as work_mem")
        if name in MANAGED_SETTINGS:
            option = MANAGED_SETTINGS[name]
            mend = f"use the option {option}" if option else "leave it out"
            raise ValueError(f"settings has {name}, which this collection sets itself: {mend}")
        normal[name] = _setting_value(name, value)
    return dict(sorted(normal.items()))


def _setting_value(name, value):
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None or isinstance(value, (list, dict)):
        raise ValueError(f"settings.{name} is {value!r}: a value is text, a number, or true or false")
    text = str(value)
    if not texts.is_line(text):
        raise ValueError(f"settings.{name} has control characters, which a configuration file cannot hold")
    return text

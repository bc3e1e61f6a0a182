# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What things are called: the rules for names given by a user, and the making of those that are not given.

Pure, and imports nothing of Ansible: the modules, the controller's action plugin and scheduled backups share it.
Each `check_*` returns the value it was given, or raises InvalidName.
"""

from __future__ import annotations

import base64
import re
import secrets
from urllib.parse import quote

from .errors import InvalidOption

ENVIRONMENTS = ("production", "staging", "development")

# A container's name is also the first label of its host name (RFC 1035: 63 octets).
MAX_LABEL = 63
MAX_DOMAIN = 253
MIN_PASSWORD = 12
# They stand for a password and a user name that are not made yet where a run is predicted; no server is given them.
NOT_STORED = "to-be-generated-in-the-run"
USERNAME_TO_COME = "db_user_" + "0" * 12

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
# Of a host name, whose letters have no case. Spelled out: to fold the case would let other alphabets' letters in.
_HOST_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?")
_USERNAME = re.compile(r"[a-z_][a-z0-9_-]{0,62}")
_TEMPLATE = re.compile(r"\{[{%#]")
_PASSWORD = re.compile(rf"[!-~]{{{MIN_PASSWORD},}}")

# Every PostgreSQL server has these: the first is for maintenance, new databases are copied from the others.
_RESERVED_DATABASES = ("postgres", "template0", "template1")
_RESERVED_USERNAMES = ("postgres", "public")


class InvalidName(InvalidOption):
    """A value that the option does not accept. The message names the option and what it accepts."""


def check_database_name(name: object) -> str:
    rule = "it must be lowercase letters, digits and hyphens, starting and ending with a letter or a digit"
    if not isinstance(name, str) or not _LABEL.fullmatch(name):
        raise InvalidName(f"name: {name!r} is not a database name: {rule}")
    if len(name) > MAX_LABEL:
        raise InvalidName(f"name: {name!r} is too long: at most {MAX_LABEL} characters")
    if name in _RESERVED_DATABASES:
        raise InvalidName(f"name: {name!r} belongs to PostgreSQL itself: choose any other name")
    return name


def check_environment(environment: object) -> str:
    if not isinstance(environment, str) or environment not in ENVIRONMENTS:
        raise InvalidName(
            f"environment: {environment!r} is not an environment: it must be one of {', '.join(ENVIRONMENTS)}"
        )
    return environment


def check_username(username: object) -> str:
    if not isinstance(username, str) or not _USERNAME.fullmatch(username):
        raise InvalidName(
            f"username: {username!r} is not a user name: it must be lowercase letters, digits, underscores and hyphens,"
            " starting with a letter or an underscore, at most 63 characters"
        )
    if username in _RESERVED_USERNAMES or username.startswith("pg_"):
        raise InvalidName(
            f"username: {username!r} is reserved by PostgreSQL: it must not be {' or '.join(_RESERVED_USERNAMES)}, nor"
            " begin with pg_"
        )
    return username


def alternates(username: str) -> tuple[str, str]:
    """The two login roles that take turns where a role's logins are rotated without an interruption."""
    return f"{username}_a", f"{username}_b"


def check_password(password: object) -> str:
    # The value itself, even a part of it, never goes into the message.
    if not isinstance(password, str) or not _PASSWORD.fullmatch(password):
        raise InvalidName(
            f"password: the value given is not accepted: it must be at least {MIN_PASSWORD} printable ASCII characters,"
            " without blanks or control characters"
        )
    if _TEMPLATE.search(password):
        raise InvalidName(
            "password: the value given is not accepted: it must not contain {{, {% or {#, which begin a template:"
            " Ansible would evaluate it where the password is used"
        )
    return password


def container_name(name: str, environment: str) -> str:
    """The name of the container of a database, which is also the key of everything that belongs to it."""
    check_database_name(name)
    check_environment(environment)
    container = f"{name}-{environment}-postgres"
    if len(container) > MAX_LABEL:
        raise InvalidName(
            f"name: {name!r} is too long: with environment {environment} the container is called {container!r}, which"
            f" has {len(container)} characters"
            f" and must fit into a DNS label ({MAX_LABEL}): at most {MAX_LABEL - len(container) + len(name)}"
            " characters for the name"
        )
    return container


def _is_domain(text: str) -> bool:
    labels = text.split(".") if isinstance(text, str) else [""]
    return all(_HOST_LABEL.fullmatch(label) and len(label) <= MAX_LABEL for label in labels)


def check_host(host: str, option: str) -> str:
    """Check what clients connect to, where it is a name and not an address."""
    if not _is_domain(host) or len(host) > MAX_DOMAIN:
        raise InvalidName(
            f"{option}: {host!r} is neither an address nor a host name: labels of letters, digits and hyphens, joined"
            " by dots,"
            " such as db1.example.com"
        )
    return host


def host_name(container: str, base_domain: str) -> str:
    """Return what clients connect to below a domain. Raises InvalidName."""
    if not _is_domain(base_domain):
        raise InvalidName(
            f"base_domain: {base_domain!r} is not a domain name: it must be labels of letters, digits and hyphens,"
            " joined by dots,"
            " such as example.com"
        )
    host = f"{container}.db.{base_domain}"
    if len(host) > MAX_DOMAIN:
        raise InvalidName(
            f"base_domain: {base_domain!r} is too long: the host name {host!r} has {len(host)} characters, a host"
            f" name has at most {MAX_DOMAIN}"
        )
    return host


def new_id() -> str:
    return "db-" + secrets.token_hex(12)


def new_username() -> str:
    return "db_user_" + secrets.token_hex(6)


def new_password() -> str:
    # 18 bytes are a whole number of base64 groups: 24 characters and no padding.
    encoded = base64.b64encode(secrets.token_bytes(18)).decode("ascii")
    return encoded.replace("+", "A").replace("/", "B")


def url_host(host: str) -> str:
    """Return a host as a URL has it: an IPv6 address in brackets, the rest percent-encoded."""
    # Only an IPv6 address has a colon. A zone (fe80::1%eth0) needs its percent sign encoded (RFC 6874).
    return f"[{quote(host, safe=':')}]" if ":" in host else quote(host, safe="")


def connection_url(username: str, password: str | None, host: str, port: int, database: str, sslmode: str) -> str:
    """A libpq connection URI; without a password when that is None."""
    user = quote(username, safe="")
    if password is not None:
        user += ":" + quote(password, safe="")
    path, mode = quote(database, safe=""), quote(sslmode, safe="")
    return f"postgresql://{user}@{url_host(host)}:{int(port)}/{path}?sslmode={mode}"

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's parameters as they are declared: which may be, and how their values are written. Pure."""

from __future__ import annotations

import re
from typing import Any

from . import texts

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

_NAME = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?")


def from_option(settings: dict[str, Any]) -> dict[str, str]:
    """Return the parameters in their order, as a configuration file has them. Raises ValueError."""
    normal: dict[str, str] = {}
    for name, value in settings.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(f"settings has {name!r}: a server parameter is written in lower case, such as work_mem")
        if name in MANAGED_SETTINGS:
            option = MANAGED_SETTINGS[name]
            fix = f"use the option {option}" if option else "leave it out"
            raise ValueError(f"settings has {name}, which this collection sets itself: {fix}")
        normal[name] = _value(name, value)
    return dict(sorted(normal.items()))


def _value(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None or isinstance(value, (list, dict)):
        raise ValueError(f"settings.{name} is {value!r}: a value is text, a number, or true or false")
    text = str(value)
    if not texts.is_line(text):
        raise ValueError(f"settings.{name} has control characters, which a configuration file cannot hold")
    return text

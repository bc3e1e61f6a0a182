# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody has written, taken for what it is to be: a line, a path, an address, a number. Pure.

What is written into a file or a command is rendered from what comes out of here, never from the text that was given.
Each raises InvalidOption, naming the option and what it accepts.
"""

from __future__ import annotations

import ipaddress
import os
import re
import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from .errors import InvalidOption

if TYPE_CHECKING:
    _Parsed = TypeVar("_Parsed")

# Control characters, halves of surrogate pairs, and what some readers take for the end of a line.
_NOT_IN_A_LINE = ("Cc", "Cs", "Zl", "Zp")
_HOST = re.compile(r"[A-Za-z0-9_.:-]+(%[A-Za-z0-9_.-]+)?")
# A year in seconds; a century in days. What is longer is a mistake, and more than clocks and sockets can count.
MOST_SECONDS = 366 * 86400
MOST_DAYS = 36525
# What PostgreSQL and the engine count with.
MOST_INTEGER = 2**31 - 1


def is_line(text: str) -> bool:
    """Say whether a text is one line, whoever reads it."""
    return not any(unicodedata.category(character) in _NOT_IN_A_LINE for character in text)


def line(text: str, option: str) -> str:
    """Return a text that is one line. Raises InvalidOption, naming the option."""
    if not is_line(text):
        raise InvalidOption(f"{option} has a line break or another control character")
    return text


def directory(path: str, option: str) -> str:
    """Return the path of a directory that the engine can mount."""
    if not os.path.isabs(path) or os.path.normpath(path) == "/" or ":" in path or not is_line(path):
        raise InvalidOption(
            f"{option} is {path!r}: an absolute path other than /, without colons and control characters"
        )
    return os.path.normpath(path)


def address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return an address. Its scope (fe80::1%eth0) names an interface of one machine, and may be any text at all."""
    return _without_scope(ipaddress.ip_address, text)


def network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """Return a network, without bits of a host in it. Raises ValueError."""
    return _without_scope(ipaddress.ip_network, text)


def client_host(text: str, option: str) -> str:
    """Return what a client connects to: names of containers have underscores, too, and a scope is the client's own.

    No list of several, and no path of a socket, which libpq would take it for.
    """
    if not _HOST.fullmatch(text):
        raise InvalidOption(f"{option} is {text!r}: an address or a name, such as db1.example.com")
    return text


def _without_scope(parse: Callable[[str], _Parsed], text: str) -> _Parsed:
    if "%" in text:
        raise InvalidOption("leave out the scope, which is what follows %")
    return parse(text)


def number(value: int, option: str, least: int = 1, most: int = MOST_INTEGER) -> int:
    """Return a whole number within its bounds, both included. Raises InvalidOption, naming the option."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidOption(f"{option} is {value!r}: a whole number of at least {least}")
    if not least <= value <= most:
        raise InvalidOption(f"{option} is {value}: at {f'least {least}' if value < least else f'most {most}'}")
    return value

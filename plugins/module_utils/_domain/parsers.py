# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an option as it is given to its value. Pure; each raises ValueError, naming the option and what it accepts."""

from __future__ import annotations

import re
from typing import Any

from . import names, texts
from .units import parse_size

DEFAULT_VERSION = "15-alpine"
# The parts of a reference as the distribution specification has them; the registry may carry a port.
_IMAGE = re.compile(r"[a-z0-9]+([._:/-]+[a-z0-9]+)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


def image(given: dict[str, Any]) -> str:
    """Return the reference of the image that options version and image name."""
    version, reference = given.get("version"), given.get("image")
    if version and reference:
        raise ValueError("version and image exclude each other: version is a tag of the official image")
    if reference:
        if not _IMAGE.fullmatch(reference):
            raise ValueError(f"image is {reference!r}: an image is [registry/]repository[:tag][@digest]")
        return str(reference)
    version = str(version or DEFAULT_VERSION)
    if not _TAG.fullmatch(version):
        raise ValueError(f"version is {version!r}: a version is a tag of the official image, such as 15-alpine or 17")
    return f"postgres:{version}"


def port(number: int) -> int:
    if not 1 <= number <= 65535:
        raise ValueError(f"port is {number}: a port is between 1 and 65535")
    return number


def port_range(text: str) -> tuple[int, int]:
    """Return the first and the last port."""
    begin, dash, end = str(text).strip().partition("-")
    try:
        first, last = int(begin), int(end if dash else begin)
    except ValueError:
        first, last = 1, 0
    if not 1 <= first <= last <= 65535:
        raise ValueError(f"port_range is {text!r}: a range is FIRST-LAST within 1 and 65535, such as 5432-6431")
    return (first, last)


def bind_address(text: str) -> str:
    try:
        return str(texts.address(text))
    except ValueError:
        raise ValueError(
            f"bind_address is {text!r}: an address of the Docker host, such as 127.0.0.1, or 0.0.0.0 for all of them"
        ) from None


def client_address(text: str) -> str | None:
    """Return the address or the name at which clients reach the Docker host."""
    if not text:
        return None
    try:
        return str(texts.address(text))
    except ValueError:
        return names.check_host(text, "address")


def base_domain(text: str) -> str | None:
    if not text:
        return None
    names.host_name("x", text)
    return text


def trusted_sources(sources: list[str]) -> tuple[str, ...]:
    """Return the networks, an address as one of its own, in their order."""
    networks = []
    for source in sources:
        try:
            networks.append(str(texts.network(source)))
        except ValueError as error:
            raise ValueError(
                f"trusted_sources has {source!r}: a source is a network such as 10.0.0.0/8 or an address ({error})"
            ) from None
    return tuple(dict.fromkeys(networks))


def memory(text: str) -> int:
    """Return the limit in bytes."""
    limit = parse_size(text, "memory")
    # Docker refuses less than 6 MB; a PostgreSQL server does not start its processes in less than this.
    if limit < 64 << 20:
        raise ValueError(f"memory is {text!r}: at least 64m, or PostgreSQL does not start")
    return limit

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes, shares of processors and times, as people and Docker write them. Pure."""

from __future__ import annotations

import datetime
import re
from fractions import Fraction

from .errors import InvalidOption

_FACTORS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
# A century.
_LONGEST_AGO = 100 * 365 * 86400
_DURATION = re.compile(r"^([0-9]{1,9})\s*([smhdw]?)$", re.IGNORECASE)
# More than any machine has, and less than what the engine cannot count.
_MOST = 1 << 60
_SIZE = re.compile(r"^([0-9]{1,20}(?:\.[0-9]{1,16})?)\s*([bkmgt]?)(?:i?b)?$", re.IGNORECASE)


def parse_size(text: str | int, option: str) -> int:
    """Return the bytes that a size such as C(512m), C(2g), C(1.5GB) or C(1073741824) stands for.

    Units are powers of 1024, as in C(docker run --memory). Raises InvalidOption, naming the option.
    """
    match = _SIZE.match(str(text).strip())
    if not match:
        raise InvalidOption(
            f"{option} is {text!r}: a size is a number with a unit of b, k, m, g or t, such as 512m or 2g"
        )
    number, unit = match.groups()
    size = int(Fraction(number) * _FACTORS[unit.lower()])
    if size > _MOST:
        raise InvalidOption(f"{option} is {text!r}: at most {_MOST >> 40}t")
    if size <= 0:
        raise InvalidOption(f"{option} is {text!r}: a size is greater than nothing; leave the option out for no limit")
    return size


def parse_cpus(text: str | float, option: str) -> int:
    """Return billionths of a processor (Docker's NanoCpus) for a number such as C(1.5). Raises InvalidOption."""
    try:
        cpus = float(str(text).strip())
    except ValueError:
        cpus = 0.0
    if not 0.01 <= cpus <= 4096:
        raise InvalidOption(f"{option} is {text!r}: a number of processors of at least 0.01, such as 0.5 or 2")
    return int(round(cpus * 1e9))


def parse_duration(text: str | int, option: str) -> int:
    """Return the seconds that a time such as C(90s), C(30m), C(12h), C(7d) or C(3600) stands for.

    Raises InvalidOption, naming the option.
    """
    match = _DURATION.match(str(text).strip())
    if not match:
        raise InvalidOption(
            f"{option} is {text!r}: a time is a number with a unit of s, m, h, d or w, such as 12h or 7d"
        )
    return int(match.group(1)) * _SECONDS[match.group(2).lower()]


def parse_since(text: str, option: str, now: datetime.datetime) -> str:
    """Return the time from which on something is meant, as the engine stamps lines of logs.

    text: how long ago, as parse_duration has it, or a time such as C(2026-11-30T07:00:00Z), in UTC where it names no
    zone. Raises InvalidOption, naming the option.
    """
    if _DURATION.match(text.strip()):
        seconds = min(parse_duration(text, option), _LONGEST_AGO)
        found = now - datetime.timedelta(seconds=seconds)
    else:
        try:
            # Before Python 3.11, Z is not read.
            found = datetime.datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text.strip()))
            found = (found if found.tzinfo else found.replace(tzinfo=datetime.timezone.utc)).astimezone(
                datetime.timezone.utc
            )
        except (ValueError, OverflowError):
            raise InvalidOption(
                f"{option} is {text!r}: how long ago, such as 10m, 2h or 1d, or a time such as 2026-11-30T07:00:00Z"
            ) from None
    return found.strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


def format_size(size: int | None) -> str | None:
    """Write bytes as Docker takes them, in the largest unit that loses nothing: 2147483648 becomes C(2g)."""
    if size is None:
        return None
    for unit in ("t", "g", "m", "k"):
        if size % _FACTORS[unit] == 0:
            return f"{size // _FACTORS[unit]}{unit}"
    return f"{size}b"


def format_cpus(nano_cpus: int | None) -> float | None:
    """Write billionths of a processor as the number that was declared: 1500000000 becomes 1.5."""
    if nano_cpus is None:
        return None
    cpus = nano_cpus / 1e9
    return int(cpus) if cpus == int(cpus) else cpus

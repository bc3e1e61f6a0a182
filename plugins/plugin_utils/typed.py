# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Types that what a host answered is held to: each returns a value as it may go on, or raises Odd. Pure."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any, Callable

# Takes a value and where it is; returns it as it may go on, or raises Odd.
Type = Callable[[Any, str], Any]

# Figures of a server fit; sums of a fleet's stay finite, and each can be written as a decimal.
_MOST = 2**63
# Of the calendar: seconds since 1970 at the beginning of the year 1 and at the end of 9999.
_FIRST, _LAST = -62135596800, 253402300799
# The results of the module nest less deeply.
_DEPTH = 20
# Control characters but line end and tab, halves of characters, and what changes the direction of writing.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


class Odd(ValueError):
    """An answer that the module does not give. The message says what is wrong where, and has no text of the host's."""


def clean(text: str) -> str:
    """Return a text without what would act on a terminal, or cannot be written: replacement characters stand for it.

    Line ends and tabs stay. The result is a plain str, whatever Ansible has made of the text.
    """
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", str.__str__(text).replace("\r\n", "\n"))


def odd(where: str, what: str) -> Odd:
    return Odd(f"{where or 'the answer'} is {what}")


def below(where: str, key: Any) -> str:
    """Return the place of a key. Keys are of the host's choice: of others than the module's own, no text is shown."""
    known = isinstance(key, str) and re.fullmatch("[a-z_]{1,40}", key, re.ASCII)
    return f"{where}.{key if known else '*'}" if where else str(key if known else "*")


def text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise odd(where, "no text")
    return clean(value)


def number(value: object, where: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise odd(where, "no number")
    # Neither holds of what is not a number.
    if not -_MOST <= value <= _MOST:
        raise odd(where, "out of range")
    return value


def amount(value: Any, where: str) -> int | float:
    known = number(value, where)
    if known < 0:
        raise odd(where, "negative")
    return known


def flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise odd(where, "neither true nor false")
    return value


def moment(value: Any, where: str) -> str | int | float:
    """A time in UTC, as text or in seconds since 1970."""
    if isinstance(value, str):
        return clean(value)
    known = number(value, where)
    if not _FIRST <= known <= _LAST:
        raise odd(where, "out of range")
    return known


def port(value: object, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 65536:
        raise odd(where, "no port")
    return value


def one_of(*words: str) -> Type:
    def read_word(value: Any, where: str) -> str:
        if not isinstance(value, str) or value not in words:
            raise odd(where, f"none of {', '.join(words)}")
        return str.__str__(value)

    return read_word


def anything(value: Any, where: str, depth: int = 0) -> Any:
    """Whatever JSON has: what this release of the collection does not know the type of."""
    if depth > _DEPTH:
        raise odd(where, "nested too deeply")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, (list, tuple)):
        return [anything(item, where, depth + 1) for item in value]
    if isinstance(value, dict):
        return {_key(key, where): anything(item, where, depth + 1) for key, item in value.items()}
    return number(value, where)


def _key(key: Any, where: str) -> str:
    if not isinstance(key, str):
        raise odd(where, "a mapping with keys that are no text")
    return clean(key)


@dataclasses.dataclass(frozen=True)
class ListOf:
    of: Type

    def __call__(self, value: Any, where: str) -> list[Any]:
        if not isinstance(value, (list, tuple)):
            raise odd(where, "no list")
        return [self.of(item, f"{where}[{place}]") for place, item in enumerate(value)]


@dataclasses.dataclass(frozen=True)
class MappingOf:
    """A mapping with keys of the host's choice."""

    of: Type

    def __call__(self, value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise odd(where, "no mapping")
        return {_key(key, where): self.of(item, below(where, key)) for key, item in value.items()}


class Record:
    """A mapping with keys of ours, all of which are there in what is returned: null where the host says nothing.

    required: those that may not be null. Other keys than these stay, and what they have is plain.
    """

    def __init__(self, *required: str, **fields: Type) -> None:
        self.required = required
        self.fields = fields

    def __call__(self, value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise odd(where, "no mapping")
        for key in self.required:
            if value.get(key) is None:
                raise odd(below(where, key), "missing")
        found = {
            _key(key, where): None if item is None else self.fields.get(key, anything)(item, below(where, key))
            for key, item in value.items()
        }
        for key in self.fields:
            found.setdefault(key, None)
        return found


# To which YAML's types give a meaning that Ansible has no constructor for: https://yaml.org/type/
_UNREADABLE = ("*", "&", "!", "=", "<<")


def handed_on(value: Any) -> Any:
    """Return what a host has answered as a job can hand it on to the next."""
    if isinstance(value, dict):
        return {clean(key) if isinstance(key, str) else key: handed_on(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [handed_on(item) for item in value]
    if isinstance(value, str):
        return f"'{value}'" if value in _UNREADABLE else clean(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value

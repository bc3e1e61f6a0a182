# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with options as they were given, before anything makes one type of another. Pure.

YAML takes 15.10 for the number 15.1, and 007 for 7: where a text is wanted, nobody can tell any more what was written.
Of numbers, what no clock, socket or server can count with is no use to any option.
"""

from __future__ import annotations

import datetime
import math
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from . import texts

# Texts that say how much or how many: a number is what was written.
_AMOUNTS = ("cpus", "max_age", "memory", "port_range", "shm_size")
# Texts of which a whole number is not what was written either, beside secrets: 007 is 7.
_NAMES = ("name", "source_name", "database")
_WHOLE = re.compile(r"\s*[+-]?[0-9]{1,10}\s*")


def mistakes(arguments: Mapping[str, Any], given: object, where: str = "") -> list[str]:
    """Return what is wrong in words. arguments: an argument spec; given: the options as they came, of any shape.

    What is not given, or not known, is left to whoever validates the options.
    """
    if not isinstance(given, dict):
        return []
    found = []
    for option, argument in arguments.items():
        if given.get(option) is not None:
            found += _mistakes(argument, given[option], f"{where}{option}", option)
    return found


def _mistakes(argument: Mapping[str, Any], value: object, option: str, name: str) -> list[str]:
    if value is None:
        return [f"{option} is empty: leave it out"]
    kind = argument.get("type", "str")
    secret = bool(argument.get("no_log"))
    wrong = unreadable(value)
    if wrong:
        return [f"{option} has {wrong}"]
    if kind in ("str", "path"):
        wrong = _not_a_text(value, name, secret)
    elif kind == "int":
        wrong = _not_whole(value)
    elif kind == "list" and isinstance(value, (list, tuple)):
        element = {**argument, "type": argument.get("elements", "raw")}
        return [
            text for place, item in enumerate(value) for text in _mistakes(element, item, f"{option}[{place}]", name)
        ]
    elif kind == "dict" and not isinstance(value, (dict, str)):
        wrong = "a mapping is needed"
    elif kind == "dict" and "options" in argument:
        return mistakes(argument["options"], value, f"{option}.")
    if not wrong:
        return []
    return [f"{option}: {wrong}" if secret else f"{option} is {_shown(value)}: {wrong}"]


def _shown(value: object) -> str:
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _not_a_text(value: object, name: str, secret: bool) -> str | None:
    """Say what a value is instead of a text; None where it is one, or stands for one."""
    quote = "put quotes around it"
    if isinstance(value, bool):
        return f"true or false to YAML, not a text: {quote}"
    if isinstance(value, datetime.date):
        return f"a date to YAML, not a text: {quote}"
    if isinstance(value, (list, tuple, dict)):
        return "a list or a mapping, not a text"
    if isinstance(value, float) and name not in _AMOUNTS:
        return f"a number to YAML, which may have been written in another way (15.10 is 15.1): {quote}"
    if isinstance(value, int) and (secret or name in _NAMES):
        return f"a number to YAML, which may have been written in another way (007 is 7): {quote}"
    return None


def _not_whole(value: object) -> str | None:
    if isinstance(value, bool) or (isinstance(value, str) and not _WHOLE.fullmatch(value)):
        return "a whole number is needed"
    if isinstance(value, float) and not (math.isfinite(value) and value == int(value)):
        return "a whole number is needed"
    if isinstance(value, (int, float, str)) and abs(int(value)) > texts.MOST_INTEGER:
        return f"at most {texts.MOST_INTEGER} can be counted"
    return None


def unreadable(value: object) -> str | None:
    """Return what nothing can be done with in a value of any shape: of its texts and its numbers."""
    if isinstance(value, str):
        bad = next((character for character in value if character == "\0" or _is_half(character)), None)
        return None if bad is None else f"the character U+{ord(bad):04X}, which cannot be in any text"
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value}, which is no number"
    if isinstance(value, dict):
        parts = [*value.keys(), *value.values()]
    else:
        parts = [*value] if isinstance(value, (list, tuple)) else []
    return next((wrong for wrong in map(unreadable, parts) if wrong), None)


def _is_half(character: str) -> bool:
    return unicodedata.category(character) == "Cs"

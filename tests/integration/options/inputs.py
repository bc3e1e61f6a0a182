# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that no option can hold, or hardly any, and options of a right run with some of them."""

from __future__ import annotations

import math
import random
from typing import Any

NUMBERS = [0, 1, -1, 7, 65536, 2**31 - 1, 2**31, 2**63, -(2**63), 10**400, 15.10, -0.0, 1e308, 5e-324]
NUMBERS += [math.nan, math.inf, -math.inf]
WORDS = ["", " ", "\0", "a\0b", "a\nb", "\r", "\x1b[2J", "\x7f", "\u2028", "\ud800", "a\udfffb", "é", "\U0001f600", "-"]
WORDS += ["9" * 400, "1e400", "1e99999999", "Infinity", "nan", "-1", "0x10", "1_000", "true", "null", "~", "~\0", "~x"]
WORDS += ["..", "../../etc/passwd", "/", "//", "/nonexistent/x", "/dev/null", "/dev/zero", "/proc/self/mem", "/etc"]
WORDS += ["fe80::1%x\nhost all all all trust", "::", "[", "http://[", "postgresql://[::1", "postgresql://u@h:x/d", "²"]
WORDS += ["{{ 1 }}", "{% raw %}", "$HOME", "%s%n%(a)s", "'", '"', "\\", "; rm -rf /", "a" * 300, "b" * 100_000, "K"]
WORDS += ["latest", "unix://", "unix:///nonexistent", "unix:///" + "a" * 200, "tcp://127.0.0.1:1", "postgres", "Prod_1"]
SHAPES: list[Any] = [
    None,
    True,
    False,
    [],
    {},
    [[]],
    [{}],
    [None],
    [""],
    {"": ""},
    {"a": None},
    {"name": "a"},
    [[["a"]]],
]
SHAPES += [
    {"a": {"b": [{"c": [1, None, {"d": "\ud800"}]}]}},
    [{"name": None, "role": []}],
    ["a", 1, None, {}],
    {"1": 2},
]


def odd(chance: random.Random, right: Any = None) -> Any:
    """Return a value that may be of any type. right: one that the option does hold, which it may resemble."""
    kind = chance.randrange(10)
    if kind < 2:
        return chance.choice(NUMBERS)
    if kind < 5:
        return chance.choice(WORDS)
    if kind < 6:
        return chance.choice(SHAPES)
    if kind < 7:
        return [odd(chance, right) for _turn in range(chance.randrange(3))]
    if kind < 8:
        return {str(odd(chance))[:50]: odd(chance, right) for _turn in range(chance.randrange(3))}
    if isinstance(right, dict) and right:
        return {**right, chance.choice([*right, "more"]): odd(chance)}
    if isinstance(right, list) and right:
        return [*right, odd(chance, right[0])]
    text, place = str(right), chance.randrange(len(str(right)) + 1)
    return text[:place] + chance.choice(WORDS)[:50] + text[place:]


def altered(chance: random.Random, right: dict[str, Any], known: list[str]) -> dict[str, Any]:
    """Return right options with one to three of those that there are changed, added or left out."""
    given = dict(right)
    for option in chance.sample(known, min(len(known), chance.randint(1, 3))):
        if option in given and not chance.randrange(8):
            del given[option]
        else:
            given[option] = odd(chance, right.get(option, "app"))
    if not chance.randrange(30):
        given[str(odd(chance))[:50]] = odd(chance)
    return given

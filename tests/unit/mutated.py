# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of a host that has gone wrong, or means harm: a recorded real one, changed in one to four places."""

from __future__ import annotations

import json
import os
import random
import tempfile
from pathlib import Path

# All of them, or as many as the time of a usual run allows; fewer where each takes longer.
THOROUGH = bool(os.environ.get("VELLARIC_TEST_THOROUGH"))
COUNT = 10000 if THOROUGH else 300
FEW = COUNT if THOROUGH else 60
# A real answer of module postgres_db_info, with all that it gathers, of which repetitions were left out.
RECORDED = (Path(__file__).parent / "fixtures" / "answer.json").read_text(encoding="utf-8")
# There where a template of a host's was evaluated.
OWNED = os.path.join(tempfile.gettempdir(), f"vellaric-owned-{os.getpid()}")
TEXTS = (
    "",
    " ",
    "\x1b[2J\x1b]0;owned\x07",
    "\x00",
    "\x9b31m",
    "a\rb\nc\td\x08",
    "\u202etxt.exe",
    "\ud800",
    "</script><script>x</script>",
    "<img src=x onerror=x>",
    f"{{{{ lookup('pipe', 'touch {OWNED}') }}}}",
    f"'] ~ lookup('pipe', 'touch {OWNED}') ~ ['",
    f"\\'\"] ~ lookup('pipe', 'touch {OWNED}') ~ [\"\\'",
    "{% for x in y %}",
    "postgres_hosts",
    "all",
    "localhost",
    "../../etc/passwd",
    "NaN",
    "Infinity",
    "2026-13-45T99:99:99Z",
    "9" * 400,
    "x" * 5000,
)
NUMBERS = (0, -1, 1, 2**31, 2**63, -(2**63), 2**64, 10**400, 1e308, -1e308, 5e-324, 0.5, 1e18)
NO_NUMBERS = (float("nan"), float("inf"), float("-inf"))
OTHERS = (None, True, False, [], {}, [[]], [None], {"": None}, {"\x1b[31m": "\x1b[0m"}, [{}], {"msg": ["x"]})


def recorded():
    return json.loads(RECORDED)


def answers(count=None, seed=1):
    """Generate so many answers, the same ones each time. Some are no answers at all."""
    for turn in range(COUNT if count is None else count):
        chance = random.Random(f"{seed}-{turn}")
        holder = {"answer": recorded()}
        for time in range(chance.choice((1, 1, 1, 2, 4))):
            _mutate(holder, chance)
        yield holder["answer"]


def _mutate(holder, chance):
    container, key = chance.choice(list(_places(holder)))
    change = chance.randrange(12)
    if change == 0 and container is not holder:
        del container[key]
    elif change == 1 and isinstance(container, list):
        container.extend([container[key]] * chance.choice((1, 2, 50)))
    elif change == 2 and isinstance(container, dict) and container is not holder:
        container[chance.choice(TEXTS)] = container.pop(key)
    elif change == 3:
        container[key] = chance.choice(([container[key]], {"x": container[key]}, str(container[key])))
    elif change == 4:
        container[key] = chance.choice(NO_NUMBERS)
    elif change == 5:
        other, name = chance.choice(list(_places(holder)))
        container[key] = json.loads(json.dumps(other[name]))
    elif change == 6:
        for _level in range(chance.choice((3, 40, 300))):
            container[key] = [container[key]]
    elif change == 7:
        container[key] = chance.choice(OTHERS)
    elif change in (8, 9):
        container[key] = chance.choice(NUMBERS)
    else:
        text = chance.choice(TEXTS)
        container[key] = f"{container[key]}{text}" if chance.random() < 0.5 else text


def _places(value, depth=0):
    """Where something can be changed. What was nested deeply is not looked into."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], (dict, list)) and depth < 10:
            yield from _places(value[key], depth + 1)

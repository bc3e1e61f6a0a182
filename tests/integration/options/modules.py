# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs each module many times in one process, in check mode, with odd options. Prints what did not end in words.

python modules.py NUMBER SEED RIGHT, where RIGHT is JSON: options of a right run, by module.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import random
import signal
import sys
import time
import traceback
from typing import Any

import inputs
from ansible.module_utils import basic

SECONDS = 20


class Slow(BaseException):
    """Nothing that is refused takes this long."""


def run(main: Any, given: dict[str, Any]) -> str | None:
    """Run a module as Ansible does, but for the process of its own, and return what is wrong with how it ended."""
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": {**given, "_ansible_check_mode": True}}).encode()
    basic._ANSIBLE_PROFILE = "legacy"
    output = io.StringIO()
    # What a module tells the system's log at its start is not what is looked at.
    basic.AnsibleModule._log_invocation = lambda self: None
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            signal.alarm(SECONDS)
            main()
        return "it came back"
    except SystemExit:
        signal.alarm(0)
    except BaseException:
        signal.alarm(0)
        return traceback.format_exc()
    text = output.getvalue()
    try:
        answer = json.loads([line for line in text.splitlines() if line.startswith("{")][-1])
    except (ValueError, IndexError):
        return f"no answer: {text}"
    if "Traceback" in text or answer.get("exception"):
        return text
    words = answer.get("msg")
    return f"no words: {answer}" if answer.get("failed") and not (isinstance(words, str) and words.strip()) else None


def options_of(name: str) -> list[str]:
    documented = importlib.import_module(f"ansible_collections.vellaric.postgres.plugins.modules.{name}").DOCUMENTATION
    import yaml

    return [*yaml.safe_load(documented)["options"], "data_root", "docker_host", "docker_timeout"]


def main() -> None:
    number, seed, right = int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
    signal.signal(signal.SIGALRM, lambda *_frame: (nothing for nothing in ()).throw(Slow()))
    chance, found, began = random.Random(seed), [], time.monotonic()
    known = {name: options_of(name) for name in right}
    functions = {
        name: importlib.import_module(f"ansible_collections.vellaric.postgres.plugins.modules.{name}").main
        for name in right
    }
    for _turn in range(number):
        name = chance.choice(sorted(right))
        given = inputs.altered(chance, chance.choice(right[name]), known[name])
        wrong = run(functions[name], given)
        if wrong:
            found.append([name, json.dumps(given), wrong])
    print(json.dumps({"runs": number, "seconds": round(time.monotonic() - began, 1), "found": found}))


if __name__ == "__main__":
    main()

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module, and does before the n-th thing that it does to the host what a supervisor would.

It has a server run on the data, by a command that is given, which then acknowledges a row.

usage: supervised.py [EFFECT:]N COMMAND ARGUMENTS_FILE
"""

from __future__ import annotations

import importlib
import subprocess
import sys

from killed import EFFECTS, PACKAGE, Countdown


class Supervisor(Countdown):
    """Once, instead of an end."""

    def __init__(self, text, command):
        super().__init__(text)
        self.command = command

    def wrap(self, owner, name):
        original = getattr(owner, name)

        def effect(*arguments, **options):
            self.left -= self.counted in ("", name)
            if self.left == 0:
                self.left = -1
                finished = subprocess.run(["sh", "-c", self.command], capture_output=True, text=True, check=False)
                print(f"before {name}: {finished.stdout.strip()}", file=sys.stderr, flush=True)
            return original(*arguments, **options)

        setattr(owner, name, effect)


def main():
    supervisor = Supervisor(sys.argv.pop(1), sys.argv.pop(1))
    for module, names in EFFECTS.items():
        owner = importlib.import_module(f"{PACKAGE}module_utils.{module}")
        if module == "_host.engine":
            owner = owner.Engine
        for name in names:
            supervisor.wrap(owner, name)
    importlib.import_module(f"{PACKAGE}modules.postgres_db").main()


if __name__ == "__main__":
    main()

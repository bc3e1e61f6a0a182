# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module and kills it with SIGKILL before the n-th thing that it does to the host.

usage: killed.py [EFFECT:]N ARGUMENTS_FILE [MODULE]

The things are the writing calls to the engine, the writes of files and the SQL: all that is left behind by a run that
was interrupted lies between two of them. Each is named on standard error before it is done. EFFECT: count only these.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys

PACKAGE = "ansible_collections.vellaric.postgres.plugins."
EFFECTS = {
    "_host.engine": (
        *("create", "start", "stop", "restart", "rename", "update", "remove", "unpause", "pull"),
        *("join", "leave", "create_network", "remove_network"),
    ),
    "_host.files": ("write", "move", "remove", "remove_tree"),
    "_host.cluster": ("copy", "move"),
    "_host.cluster_identity": ("renew",),
    "_server.session": ("psql", "prove_login"),
    "_server.console": ("run",),
}
# For modules that mostly run commands in containers: before each of those.
COMMANDS = {
    "_host.engine": ("open",),
    "_host.files": ("write", "remove_tree"),
    "_server.console": ("run",),
}


class Countdown:
    def __init__(self, text):
        self.counted, _colon, most = text.rpartition(":")
        self.left = int(most)

    def wrap(self, owner, name):
        original = getattr(owner, name)

        def effect(*arguments, **options):
            print(name, file=sys.stderr, flush=True)
            self.left -= self.counted in ("", name)
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*arguments, **options)

        setattr(owner, name, effect)


def main():
    countdown = Countdown(sys.argv.pop(1))
    name_of_module = sys.argv.pop(2) if len(sys.argv) > 2 else "postgres_db"
    for module, names in (EFFECTS if name_of_module == "postgres_db" else COMMANDS).items():
        owner = importlib.import_module(f"{PACKAGE}module_utils.{module}")
        if module == "_host.engine":
            owner = owner.Engine
        for name in names:
            countdown.wrap(owner, name)
    importlib.import_module(f"{PACKAGE}modules.{name_of_module}").main()


if __name__ == "__main__":
    main()

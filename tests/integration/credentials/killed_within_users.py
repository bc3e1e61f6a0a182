# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs postgres_db and kills it with SIGKILL when n statements of the script for declared users have run.

usage: killed_within_users.py N ARGUMENTS_FILE

psql runs a script line by line as it comes, so that a server is left with what the first n lines did; what is open of a
transaction is rolled back when it ends. How many lines there were is said on standard error.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys

PACKAGE = "ansible_collections.vellaric.postgres.plugins."


def main():
    most = int(sys.argv.pop(1))
    roles = importlib.import_module(f"{PACKAGE}module_utils._server.roles")
    errors = importlib.import_module(f"{PACKAGE}module_utils._domain.errors")
    session = importlib.import_module(f"{PACKAGE}module_utils._server.session")
    original, run = roles.script, session.psql
    whole = []

    def script(*arguments):
        whole.append(original(*arguments))
        return whole[-1]

    def cut_short(engine, container, *arguments, **options):
        statements = next((text for text in arguments if text in whole), None)
        if statements is None:
            return plain[options.pop("name")](engine, container, *arguments, **options)
        lines = statements.splitlines()
        print(len(lines), file=sys.stderr, flush=True)
        # Half of a statement is refused.
        with contextlib.suppress(errors.DatabaseError):
            run(engine, container, "\n".join(lines[:most]) + "\n")
        os.kill(os.getpid(), signal.SIGKILL)
        return None

    plain = {"psql": session.psql, "prove_login": session.prove_login}
    roles.script = script
    session.psql = lambda *arguments, **options: cut_short(*arguments, name="psql", **options)
    session.prove_login = lambda *arguments, **options: cut_short(*arguments, name="prove_login", **options)
    importlib.import_module(f"{PACKAGE}modules.postgres_db").main()


if __name__ == "__main__":
    main()

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands in a container that end with whoever asked for them, and that are given a password. Pure text."""

from __future__ import annotations

import re

# The command ends with the input of this shell, which the engine holds open while the process that asked for it lives.
# The shell waits for all that it starts: what has lost its parent goes to process 1, and that is the server, which
# takes one that was killed for one of its own and restarts itself.
WATCHED = """exec 3<&0; "$@" </dev/null & child=$!
{ read -r nothing <&3; kill "$child"; } >/dev/null 2>&1 & watch=$!
wait "$child"; code=$?; { kill "$watch"; wait "$watch"; } 2>/dev/null; exit "$code\""""
# A password comes as the first line of the input, as a line of a password file: it is in no argument and in no
# environment, and the file, in memory, is gone with the command.
PASSWORD_FILE = "/dev/shm/vellaric-pgpass-"
WATCHED_LOGIN = (
    "umask 077; IFS= read -r line; trap 'rm -f \"$PGPASSFILE\"' EXIT;"
    """ printf '%s\\n' "$line" >"$PGPASSFILE" || exit 1; unset line\n""" + WATCHED
)


# The same for a command that is talked to: its own input comes after that. With the certificate of an authority, up to
# an empty line, in a file of the same kind.
AUTHORITY_FILE = "/dev/shm/vellaric-authority-"
_PASSWORD = """umask 077; IFS= read -r line; trap 'rm -f "$PGPASSFILE" %s' EXIT
printf '%%s\\n' "$line" >"$PGPASSFILE" || exit 1; unset line
"""
_AUTHORITY = """while IFS= read -r line && [ -n "$line" ]; do printf '%s\\n' "$line"; done >"$PGSSLROOTCERT" || exit 1
"""
_RUN = """if [ "$1" = psql ]; then "$@"; exit; fi\n""" + WATCHED
TALKED_TO = _PASSWORD % "" + _RUN
TALKED_TO_WITH_AUTHORITY = _PASSWORD % '"$PGSSLROOTCERT"' + _AUTHORITY + _RUN


def password_line(password: str) -> str:
    """Return the line of a password file. https://www.postgresql.org/docs/current/libpq-pgpass.html"""
    return "*:*:*:*:" + re.sub(r"([\\:])", r"\\\1", password) + "\n"

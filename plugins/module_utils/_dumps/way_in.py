# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the role that is there for a while (server/loader) gets into one database, and how it goes again."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable

from .._domain.errors import DatabaseError
from .._domain.facts import FileFacts
from .._host import files
from .._server import loader

_LOADED = "SELECT extract(epoch FROM pg_conf_load_time())::text;\n"
_RELOAD_SECONDS = 30


class WayIn:
    """hba: the path of the server's pg_hba.conf on this host. sql: runs a script as the superuser, in a database (None:
    the one for maintenance). remaining: returns the seconds that are left."""

    def __init__(self, hba: str, sql: Callable[..., str], remaining: Callable[[], float]) -> None:
        self._hba, self._sql, self._remaining = hba, sql, remaining

    def open(self, database: str) -> None:
        """Let the role into a database, and into no other."""
        known = self._read()
        self._write(loader.with_way_in(known.content.decode("utf-8"), database), known)

    def end(self) -> None:
        """Take the role away, with all that it was given, and its way in."""
        for database in json.loads(self._sql(loader.SPEAK_OF_IT)):
            self._sql(loader.FORGET, database)
        self._sql(loader.end())
        known = self._read()
        text = known.content.decode("utf-8")
        if loader.without_way_in(text) != text:
            self._write(loader.without_way_in(text), known)

    def _read(self) -> FileFacts:
        known = files.read(self._hba)
        if known is None:
            raise DatabaseError(f"{self._hba} is missing: playbook create or site, or module postgres_db, writes it")
        return known

    def _write(self, text: str, known: FileFacts) -> None:
        status = os.stat(self._hba)
        before = self._sql(_LOADED).strip()
        files.write(self._hba, text.encode("utf-8"), known.mode, status.st_uid, status.st_gid)
        self._sql("SELECT pg_reload_conf();\n")
        # The server reads it a moment later, and new sessions have it from then on.
        deadline = time.monotonic() + min(_RELOAD_SECONDS, self._remaining())
        while self._sql(_LOADED).strip() == before and time.monotonic() < deadline:
            time.sleep(0.02)

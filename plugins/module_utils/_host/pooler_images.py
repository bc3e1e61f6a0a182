# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an image of PgBouncer is: asked of it in a throw-away container, and remembered by the image's id."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .._domain import pgbouncer
from .._domain.errors import DatabaseError
from .._domain.pooler_container import GID, UID
from .._domain.pooler_facts import PoolerImage
from . import files

if TYPE_CHECKING:
    from .engine import Engine

_USER = f"{UID}:{GID}"
_CHECKS = "pg_isready"
_PROBE = f"pgbouncer --version && {{ command -v pg_isready > /dev/null && echo {_CHECKS}; }} || :"
# It has no option to check a file: with one that it does not take, it ends at once.
_TRY = 'printf "%s" "$0" > /tmp/try.ini && exec timeout 1 pgbouncer /tmp/try.ini'
_TRIED_SECONDS = (124, 143)
_ERROR = re.compile(r"(?:ERROR|FATAL) (.*)")


def describe(
    engine: Engine, inspected: Mapping[str, Any], reference: str, cache_directory: str, remember: bool
) -> PoolerImage:
    """Return the PoolerImage of an inspected image. Its id stands for its content, so that an answer holds for ever.

    remember: whether a new answer may be kept in cache_directory (not in check mode).
    Raises DatabaseError for one that is not usable.
    """
    path = os.path.join(cache_directory, inspected["Id"].replace(":", "-") + ".pooler.json")
    known = files.read(path)
    if known is not None:
        with contextlib.suppress(ValueError, TypeError, KeyError):
            content = json.loads(known.content)
            version = pgbouncer.version(content["version"], reference)
            return PoolerImage(inspected["Id"], version, bool(content["checks"]))
    finished = engine.run(inspected["Id"], ["sh", "-c", _PROBE], user=_USER)
    if not finished.stdout.startswith("PgBouncer "):
        said = (finished.stderr or finished.stdout).strip().splitlines()
        raise DatabaseError(
            f"{reference} is not an image of PgBouncer: it must have the commands pgbouncer and sh"
            f" ({said[0] if said else 'it said nothing'})"
        )
    lines = finished.stdout.splitlines()
    image = PoolerImage(inspected["Id"], pgbouncer.version(lines[0], reference), _CHECKS in lines)
    if remember:
        files.make_directory(cache_directory, 0o755)
        content = {"version": str(image.version), "checks": image.checks}
        files.write(path, json.dumps(content).encode("utf-8"), 0o644)
    return image


def settings_error(engine: Engine, image_id: str, settings: Mapping[str, str]) -> str | None:
    """Let the image's PgBouncer try settings; return what it says against them, or None."""
    lines = [
        "[databases]",
        "[pgbouncer]",
        "listen_addr =",
        "unix_socket_dir = /tmp",
        "auth_type = any",
        *[f"{name} = {value}" for name, value in settings.items()],
    ]
    finished = engine.run(image_id, ["sh", "-c", _TRY, "\n".join(lines) + "\n"], user=_USER)
    if finished.exit_code in _TRIED_SECONDS:
        return None
    found = [match.group(1) for match in map(_ERROR.search, finished.stderr.splitlines()) if match]
    return "; ".join(found) or finished.stderr.strip() or f"it ended with exit code {finished.exit_code}"

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an image is: asked of its own server in a throw-away container, and remembered by the image's id."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .._domain import image_environment
from .._domain.errors import DatabaseError
from .._domain.facts import ImageFacts
from . import files

if TYPE_CHECKING:
    from .engine import Engine

_ENTRYPOINT = "docker-entrypoint.sh"
_SCRIPT = "script:"
# Run as the image's user postgres, without a network: what nothing but the image itself can say.
_PROBE = (
    "id -u && id -g && postgres -V"
    " && { ls /lib/ld-musl-* >/dev/null 2>&1 && echo musl || getconf GNU_LIBC_VERSION; }"
    " && postgres --describe-config"
    f" && {{ ls -A /docker-entrypoint-initdb.d 2>/dev/null || :; }} | sed 's/^/{_SCRIPT}/'"
    " && ls /usr/share/postgresql/*/extension /usr/local/share/postgresql/extension 2>/dev/null || :"
)
# With -C the server reads and checks its whole configuration, prints one value and ends. In English, to be understood.
_CHECK = (
    "export LC_ALL=C; : > /tmp/empty.conf"
    ' && exec postgres -C data_directory -D /tmp -c config_file=/tmp/empty.conf "$@"'
)
_VERSION = re.compile(r"\(PostgreSQL\) ((\d+)\S*)")


# What this run knows already: a check of many new databases asks once, though it writes nothing down. Of several that
# are made at the same time, the first asks and the others wait for the answer.
_described: dict[str, ImageFacts] = {}
_asking: dict[str, threading.Lock] = {}


def describe(
    engine: Engine, inspected: dict[str, Any], reference: str, cache_directory: str, remember: bool
) -> ImageFacts:
    """Return the ImageFacts of an inspected image. Its id stands for its content, so that an answer holds for ever.

    remember: whether a new answer may be kept in cache_directory (not in check mode).
    Raises DatabaseError for an image that does not keep the contract of the official one.
    """
    image_id = inspected["Id"]
    with _asking.setdefault(image_id, threading.Lock()):
        if image_id not in _described:
            _described[image_id] = _describe(engine, inspected, reference, cache_directory, remember)
        return _described[image_id]


def _describe(
    engine: Engine, inspected: dict[str, Any], reference: str, cache_directory: str, remember: bool
) -> ImageFacts:
    path = os.path.join(cache_directory, inspected["Id"].replace(":", "-") + ".json")
    known = files.read(path)
    if known is not None:
        with contextlib.suppress(ValueError, TypeError, KeyError):
            content = json.loads(known.content)
            # Without it, an earlier version has written it.
            content["environment"]
            return ImageFacts(
                **{**content, "volumes": tuple(content["volumes"]), "extensions": tuple(content["extensions"])}
            )
    facts = _ask(engine, inspected, reference)
    if remember:
        files.make_directory(cache_directory, 0o755)
        files.write(path, json.dumps(dataclasses.asdict(facts)).encode("utf-8"), 0o644)
    return facts


def settings_error(engine: Engine, image_id: str, settings: Mapping[str, str]) -> str | None:
    """Let the image's server check settings; return what it says against them, or None."""
    if not settings:
        return None
    arguments = [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]
    finished = engine.run(image_id, ["sh", "-c", _CHECK, "sh", *arguments])
    if finished.exit_code == 0:
        return None
    lines = [line for line in finished.stderr.splitlines() if "FATAL:" in line or "HINT:" in line]
    return " ".join(line.partition(":  ")[2] for line in lines) or finished.stderr.strip()


def _ask(engine: Engine, inspected: dict[str, Any], reference: str) -> ImageFacts:
    finished = engine.run(inspected["Id"], ["sh", "-c", _PROBE])
    lines = finished.stdout.splitlines()
    match = _VERSION.search(lines[2]) if finished.exit_code == 0 and len(lines) > 4 else None
    if not match:
        reason = (finished.stderr or finished.stdout).strip().splitlines()
        raise DatabaseError(
            f"{reference} is not an image of PostgreSQL as the official one: it must have the user postgres and the"
            f" command postgres ({reason[0] if reason else 'it said nothing'})"
        )
    return ImageFacts(
        id=inspected["Id"],
        major=int(match.group(2)),
        server_version=match.group(1),
        uid=int(lines[0]),
        gid=int(lines[1]),
        libc=lines[3],
        volumes=tuple(sorted((inspected.get("Config") or {}).get("Volumes") or {})),
        extensions=tuple(sorted(line[: -len(".control")] for line in lines[4:] if line.endswith(".control"))),
        own_first_start=_own_first_start(inspected.get("Config") or {}, lines[4:]),
        environment=image_environment.observed((inspected.get("Config") or {}).get("Env") or []),
        parameters=dict(line.split("\t")[:2] for line in lines[4:] if line.count("\t") > 1),
    )


def _own_first_start(config: Mapping[str, Any], lines: Iterable[str]) -> bool:
    """Scripts, variables of the official contract or another entrypoint: the image does more than run initdb."""
    entrypoint = config.get("Entrypoint") or []
    official = len(entrypoint) == 1 and os.path.basename(entrypoint[0]) == _ENTRYPOINT
    told = any(variable.startswith("POSTGRES_") for variable in config.get("Env") or [])
    return not official or told or any(line.startswith(_SCRIPT) for line in lines)

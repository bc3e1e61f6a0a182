# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the values of a manifest look like. Pure.

A manifest may come from anywhere. What is in it is rendered, compared and sorted later on as what it is here.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .manifest import Manifest

    Fits = Callable[[Any], bool]

_MOST = 1 << 63
_SURROGATES = re.compile("[\0\ud800-\udfff]")
# What somebody may be let do with a database.
_PRIVILEGES = ("CONNECT", "CREATE", "TEMPORARY")


def _text(value: Any) -> bool:
    """Say whether it is text, as the server and a file can have it."""
    return isinstance(value, str) and not _SURROGATES.search(value)


def _like(pattern: str) -> Fits:
    compiled = re.compile(pattern, re.A)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def _number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -_MOST <= value < _MOST


def _count(value: Any) -> bool:
    return _number(value) and value >= 0


def _seconds(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < _MOST


def _moment(value: Any) -> bool:
    try:
        return _like(r"\d{4}-\d\d-\d\dT[\d:]{8}Z")(value) and bool(datetime.datetime.fromisoformat(value[:19]))
    except ValueError:
        return False


def _optional(fits: Fits) -> Fits:
    return lambda value: value is None or fits(value)


def _items(fits: Fits) -> Fits:
    return lambda value: isinstance(value, list) and all(map(fits, value))


def _by_text(fits: Fits) -> Fits:
    return lambda value: isinstance(value, dict) and all(map(_text, value)) and all(map(fits, value.values()))


def _keys(**keys: Fits) -> Fits:
    """Some keys of a mapping, where it has them; it may have others, too."""
    return lambda value: isinstance(value, dict) and all(fits(value[key]) for key, fits in keys.items() if key in value)


def _entry(**keys: Fits) -> Fits:
    return lambda value: isinstance(value, dict) and set(keys) <= set(value) and _keys(**keys)(value)


_SHA256 = _like(r"[0-9a-f]{64}")
_FITTING: dict[str, Fits] = {
    "container": _like(r"[a-z0-9][a-z0-9-]{0,80}"),
    "database_id": _text,
    "name": _text,
    "environment": _text,
    "file_name": _like(r"[a-z0-9][\w.-]{0,160}"),
    "format": _text,
    "compression": _text,
    "size_bytes": _count,
    "sha256": _SHA256,
    "created_at": _moment,
    "duration_seconds": _seconds,
    "sequence": _count,
    "server_version": _like(r"[1-9][0-9]{0,3}[ -/:-~][ -~]{0,200}|[1-9][0-9]{0,3}"),
    "dump_version": _text,
    "image": _text,
    "image_id": _text,
    "database": _keys(
        owner=_text,
        encoding=_like(r"\w{1,40}"),
        locale=_by_text(_text),
        connection_limit=_number,
        comment=_optional(_text),
        settings=_optional(_items(_entry(role=_optional(_text), settings=_items(_text)))),
        grants=_optional(
            _items(
                _entry(
                    role=_optional(_text),
                    privilege=_PRIVILEGES.__contains__,
                    grantable=lambda one: one in (True, False),
                )
            )
        ),
    ),
    "extensions": _by_text(_text),
    "objects": _by_text(_number),
    "row_counts": _optional(_by_text(_count)),
    "database_size_bytes": _count,
    "taken_by": _text,
    "preload": _text,
    "superusers_own": _items(_text),
    "seal": _optional(_text),
    "globals_sha256": _optional(_SHA256),
    "files": _by_text(_entry(size_bytes=_count, sha256=_SHA256)),
    "checked_at": _optional(_moment),
    "checked_how": _optional(_text),
    "verified_at": _optional(_moment),
    "verified_how": _optional(lambda value: isinstance(value, dict)),
    "failed_at": _optional(_moment),
    "failure": _optional(_text),
    "failed_how": _optional(_text),
}


def wrong(manifest: Manifest) -> str | None:
    """Return the first of the keys of a manifest whose value is none of its kind, or None."""
    return next((key for key, fits in _FITTING.items() if not fits(getattr(manifest, key))), None)

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest of a backup, `<backup>.json`: what it is of, what it holds and when it was last proved. Pure.

It is written last, so that a backup counts when its manifest is there.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from .._domain.errors import DatabaseError, Undecided
from . import shape

SCHEMA = 1
CHECK, VERIFICATION = "check", "verification"
BEFORE_RESTORE = "before_restore"
TAKEN_BY = ("module", "schedule", BEFORE_RESTORE, "final")


def major_of(version: str) -> int:
    """Return the major version of what a server or pg_dump calls itself, such as 17.2 or 18beta1."""
    match = re.match(r"[0-9]+", version)
    if match is None:
        raise ValueError(f"{version!r} is not a version")
    return int(match.group())


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What is known of a backup. Times are ISO 8601 in UTC.

    sequence: grows with each backup of a database, also while the clock stands back.
    sha256: of the file; for a directory, of the lines that `files` makes (files_sum).
    files: size_bytes and sha256 of each file of a directory; empty for the other formats.
    created_at: the moment of the snapshot, which the name carries too.
    dump_version: of the pg_dump that took it. image: as declared, image_id: what it was then.
    database: what pg_dump says nothing of unless it makes the database: owner, encoding, locale (provider, collate,
    ctype, icu_locale, icu_rules), connection_limit, comment, settings (items of role or None, and the list of
    NAME=VALUE), grants (items of grantee or None for PUBLIC, privilege, grantable).
    extensions: versions by name. objects: numbers by kind. preload: what shared_preload_libraries was.
    row_counts: by quoted qualified name of the table, at the snapshot; None where they were not counted.
    database_size_bytes: on the server's disk.
    superusers_own: fingerprints of what belonged to a superuser (_server/contents.py).
    seal: by which the host that took it knows it again (seal.py); None where an earlier version took it.
    taken_by: one of TAKEN_BY.
    globals_sha256: of the file of roles and their settings beside it; None where there is none.
    checked_at: when it was last found whole; verified_at: when it was last restored and compared, and verified_how with
    what. failure: what the last check or verification (failed_how) found wrong, at failed_at.
    extra: keys that this version of the collection does not know; they are kept.
    """

    container: str
    database_id: str
    name: str
    environment: str
    file_name: str
    format: str
    compression: str
    size_bytes: int
    sha256: str
    created_at: str
    duration_seconds: float
    sequence: int
    server_version: str
    dump_version: str
    image: str
    image_id: str
    database: dict[str, Any]
    extensions: dict[str, str]
    objects: dict[str, int]
    row_counts: dict[str, int] | None
    database_size_bytes: int
    taken_by: str
    preload: str = ""
    superusers_own: list[str] = dataclasses.field(default_factory=list)
    seal: str | None = None
    globals_sha256: str | None = None
    files: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    checked_at: str | None = None
    checked_how: str | None = None
    verified_at: str | None = None
    verified_how: dict[str, Any] | None = None
    failed_at: str | None = None
    failure: str | None = None
    failed_how: str | None = None
    extra: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def major(self) -> int:
        return major_of(self.server_version)


_KNOWN = tuple(field.name for field in dataclasses.fields(Manifest) if field.name != "extra")


def to_json(manifest: Manifest) -> str:
    """Return the text of a manifest, with its own checksum."""
    content = {key: value for key, value in dataclasses.asdict(manifest).items() if key != "extra"}
    content = {**manifest.extra, **content, "schema": SCHEMA}
    return json.dumps({**content, "checksum": _checksum(content)}, indent=2, sort_keys=True) + "\n"


def from_json(text: str, path: str) -> Manifest:
    """Read a manifest. Raises DatabaseError where it is damaged, Undecided where a later version of ours wrote it."""
    try:
        content = json.loads(text, parse_constant=_no_number)
        checksum, schema = content.pop("checksum"), content["schema"]
        if checksum != _checksum(content):
            raise ValueError("its own checksum does not fit")
        if schema != SCHEMA:
            raise Undecided(
                f"{path} has schema {schema}, this version of the collection knows {SCHEMA}: update the collection"
            )
        content.pop("schema")
        known = {key: content.pop(key) for key in _KNOWN if key in content}
        manifest = Manifest(**known, extra=content)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DatabaseError(f"{path} is damaged ({error})") from error
    wrong = shape.wrong(manifest)
    if wrong is not None:
        raise DatabaseError(f"{path} is damaged: {wrong} is not what a manifest has there")
    return manifest


def _no_number(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def files_sum(files: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the checksum of a directory: of the lines that sha256sum would print for its files, sorted by name."""
    lines = "".join(f"{known['sha256']}  {name}\n" for name, known in sorted(files.items()))
    return hashlib.sha256(lines.encode("utf-8")).hexdigest()


def text_sum(text: str) -> str:
    """Return the SHA-256 of a text, in hex."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _checksum(content: Mapping[str, Any]) -> str:
    # A flipped byte of the manifest must not make a backup look verified, or right a count that is wrong.
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()

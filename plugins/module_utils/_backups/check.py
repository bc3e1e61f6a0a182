# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that a backup is what was taken: its checksums, and that it can be read to its end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from .._domain import clock
from .._domain.errors import DatabaseError, Undecided
from . import entries, stream
from . import manifest as manifests
from .manifest import CHECK

if TYPE_CHECKING:
    from .catalog import Backup
    from .place import Place

    # (sha256, size, {name: {sha256, size_bytes}} of a directory's files, how it was read).
    Summed = tuple[str, int, dict[str, dict[str, Any]], str]


def check(place: Place, backup: Backup) -> str | None:
    """Read a whole backup and write down what became of it; returns what is wrong with it, or None.

    A backup that is found damaged is not good from then on, until it is found whole again. Raises DatabaseError where
    it cannot be checked, having no manifest, and Undecided where this host cannot: then nothing is written down.
    """
    with place.hold(backup) as path:
        failure, how = find_damage(place, backup, path)
        now = clock.iso(clock.utc_now())
        if failure is not None:
            place.revise(backup, failure=failure, failed_at=now, failed_how=CHECK)
        elif backup.manifest is not None and backup.manifest.failed_how == CHECK:
            place.revise(backup, checked_at=now, checked_how=how, failure=None, failed_at=None, failed_how=None)
        else:
            # What a verification found wrong is not repaired by reading the file.
            place.revise(backup, checked_at=now, checked_how=how)
    return failure


def find_damage(place: Place, backup: Backup, path: str) -> tuple[str, None] | tuple[str | None, str]:
    """Return what is wrong with a backup, or None, and how that was looked at. Raises as `check` does.

    path: of the backup on this host (Place.hold).
    """
    manifest = backup.manifest
    if manifest is None:
        raise (Undecided if backup.undecided else DatabaseError)(
            f"{backup.file_name} cannot be checked: {backup.damage}"
        )
    try:
        marked = manifest.format == "plain"
        sha256, size, known, how = sums(path, manifest.compression, marked, backup.file_name)
    except Undecided as error:
        raise Undecided(
            f"{backup.file_name} could not be checked, so that nothing is known against it: {error.message}"
        ) from error
    except DatabaseError as error:
        return error.message, None
    for name, was in sorted(manifest.files.items()):
        if name not in known:
            return f"{name} is missing in it", None
        if known[name] != was:
            return f"{name} in it is not what was taken", None
    if (sha256, size) != (manifest.sha256, manifest.size_bytes):
        return "its checksum is not that of what was taken", None
    return _roles_damage(place, backup, manifest.globals_sha256), f"checksum compared, {how}"


def _roles_damage(place: Place, backup: Backup, sha256: str | None) -> str | None:
    if sha256 is None:
        return None
    text = place.read_roles(backup)
    if text is None:
        return "its file of the roles is missing"
    if manifests.text_sum(text) != sha256:
        return "its file of the roles is not what was taken"
    return None


def sums(path: str, compression: str, marked: bool, what: str) -> Summed:
    """Read a file, or each of a directory, and return (sha256, size, {name: {sha256, size_bytes}}, how it was read).

    Raises DatabaseError where plain SQL (marked) is not whole.
    """
    if not os.path.isdir(path):
        with stream.checker(compression, marked) as checker:
            _feed(checker, path)
            checker.finish(what)
        return checker.sha256, checker.size, {}, checker.how
    known: dict[str, dict[str, Any]] = {}
    for name in sorted(os.listdir(path)):
        with stream.checker("none", False) as checker:
            _feed(checker, os.path.join(path, name))
        known[name] = {"sha256": checker.sha256, "size_bytes": checker.size}
    return manifests.files_sum(known), sum(of["size_bytes"] for of in known.values()), known, checker.how


def _feed(checker: stream.Checker, path: str) -> None:
    descriptor = entries.open_entry(path)
    try:
        with entries.errors("read", path):
            for data in stream.read_chunks(descriptor):
                checker.feed(data)
    finally:
        os.close(descriptor)

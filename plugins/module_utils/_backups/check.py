# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that a backup is what was taken: its checksums, and that it can be read to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._domain.errors import DatabaseError, Undecided
from .._host import files
from . import catalog, naming, store
from .manifest import CHECK

if TYPE_CHECKING:
    from .catalog import Backup


def check(backup: Backup) -> str | None:
    """Read a whole backup and write down what became of it; returns what is wrong with it, or None.

    A backup that is found damaged is not good from then on, until it is found whole again. Raises DatabaseError where
    it cannot be checked, having no manifest, and Undecided where this host cannot: then nothing is written down.
    """
    with catalog.in_use(backup):
        failure, how = find_damage(backup)
        now = catalog.iso(catalog.utc_now())
        if failure is not None:
            catalog.revise(backup, failure=failure, failed_at=now, failed_how=CHECK)
        elif backup.manifest is not None and backup.manifest.failed_how == CHECK:
            catalog.revise(backup, checked_at=now, checked_how=how, failure=None, failed_at=None, failed_how=None)
        else:
            # What a verification found wrong is not put right by reading the file.
            catalog.revise(backup, checked_at=now, checked_how=how)
    return failure


def find_damage(backup: Backup) -> tuple[str, None] | tuple[str | None, str]:
    """Return what is wrong with a backup, or None, and how that was looked at. Raises as `check` does."""
    manifest = backup.manifest
    if manifest is None:
        raise (Undecided if backup.undecided else DatabaseError)(
            f"{backup.file_name} cannot be checked: {backup.damage}"
        )
    try:
        marked = manifest.format == "plain"
        sha256, size, known, how = store.sums(backup.path, manifest.compression, marked, backup.file_name)
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
    return _globals_damage(backup, manifest.globals_sha256), f"checksum compared, {how}"


def _globals_damage(backup: Backup, sha256: str | None) -> str | None:
    if sha256 is None:
        return None
    text = files.read(naming.globals_name(backup.path))
    if text is None:
        return "its file of the roles is missing"
    if store.text_sum(text.content.decode("utf-8", "replace")) != sha256:
        return "its file of the roles is not what was taken"
    return None

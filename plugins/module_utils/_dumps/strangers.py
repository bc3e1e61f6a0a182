# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups that this host has not taken: what their manifests say is not believed.

They are loaded as a dump from anywhere is (dump_rules.FOREIGN): everything becomes the owner's of the database, and
what only a superuser may make is left out, but for the extensions that are declared here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from .._backups import seal
from .._domain import extensions
from .._domain.errors import Refused
from .._host import roots

if TYPE_CHECKING:
    from .._backups.catalog import Backup
    from .._backups.target import Running

_TRUST = "Where the host that took it is trusted as this one is, set trust_source: true (restore_trust_source,"
_TRUST += " clone_trust_source)"


def is_taken_here(backup: Backup, target: Running) -> bool:
    """Say whether this host has taken a backup, and nobody but root has had it in hand since."""
    known = backup.manifest
    return known is not None and seal.fits(known, target.data_root) and roots.is_roots_alone(backup.path)


def refuse_extensions(backup: Backup, target: Running, known: Mapping[str, bool]) -> None:
    """Raises Refused where a backup needs an extension that only a superuser may make, and that is not declared.

    known: the extensions of the server, and whether each is anybody's to make.
    """
    manifest = backup.manifest
    wanted = extensions.from_option(target.record.declared.get("extensions"))
    there = set(manifest.extensions if manifest else ()) - set(wanted) - {"plpgsql"}
    missing = sorted(name for name in there if not known.get(name))
    if missing:
        raise Refused(
            f"{backup.file_name} was not taken by this host, and has extensions that only a superuser may make:"
            f" {', '.join(missing)}. Nothing was changed: declare them for the database (extensions:"
            f" [{', '.join(missing)}]) with postgres_db, and restore again. {_TRUST}"
        )


def told(backup: Backup, owner: str, left_out: Mapping[str, int]) -> str:
    """Say what came of not believing a backup."""
    what = ", ".join(f"{words} ({number})" for words, number in sorted(left_out.items()))
    return (
        f"{backup.file_name} was not taken by this host, so it was loaded as an import is: everything belongs to"
        + f" {owner}"
        + (f", and this was left out: {what}" if what else "")
        + f". {_TRUST}"
    )


def settings(database: Mapping[str, Any], source_owner: str, parameters: Collection[str]) -> dict[str, Any]:
    """Return what of a database, as a manifest has it, its owner could have set himself.

    parameters: those that he may set.
    """
    kept = []
    for entry in database.get("settings") or []:
        if entry["role"] in (None, source_owner):
            allowed = [one for one in entry["settings"] if one.partition("=")[0].lower() in parameters]
            kept.append({**entry, "settings": allowed})
    return {"settings": kept, "comment": database.get("comment")}

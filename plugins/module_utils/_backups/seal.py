# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backups this host has taken itself: their manifests carry a seal.

Whoever writes a manifest elsewhere says in it what he likes, such as that something belonged to a superuser. The seal
is made with a key that only root of this host has. It is over all that a restore goes by: the checksums of the dump and
of the roles, and what pg_dump says nothing of. What a check or a verification writes down later is not in it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import secrets
from typing import TYPE_CHECKING

from .._domain import layout
from .._host import files

if TYPE_CHECKING:
    from .manifest import Manifest

_KEY_BYTES = 32
# What later versions add to a manifest is not in the seals of those that know nothing of it.
_SEALED = (
    "container",
    "database_id",
    "name",
    "environment",
    "file_name",
    "format",
    "compression",
    "size_bytes",
    "sha256",
    "files",
    "created_at",
    "sequence",
    "server_version",
    "image",
    "image_id",
    "database",
    "extensions",
    "objects",
    "row_counts",
    "database_size_bytes",
    "taken_by",
    "preload",
    "superusers_own",
    "globals_sha256",
)


def sealed(manifest: Manifest, data_root: str) -> Manifest:
    """Return a manifest with the seal of this host. Raises DatabaseError."""
    return dataclasses.replace(manifest, seal=_seal(manifest, _key(data_root)))


def fits(manifest: Manifest, data_root: str) -> bool:
    """Say whether this host has taken a backup, as its manifest is."""
    known = files.read(layout.seal_key(data_root))
    if known is None or len(known.content) != _KEY_BYTES or manifest.seal is None:
        return False
    return hmac.compare_digest(_seal(manifest, known.content).encode("ascii"), manifest.seal.encode("utf-8"))


def _seal(manifest: Manifest, key: bytes) -> str:
    content = {name: getattr(manifest, name) for name in _SEALED}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hmac.new(key, text.encode("utf-8"), hashlib.sha256).hexdigest()


def _key(data_root: str) -> bytes:
    """Return the key of this host. The first of two that make it at once is the one that counts."""
    path = layout.seal_key(data_root)
    known = files.read(path)
    if known is None:
        files.create(path, secrets.token_bytes(_KEY_BYTES), 0o600)
        known = files.read(path)
    if known is None or len(known.content) != _KEY_BYTES:
        # No seal fits what is there.
        key = secrets.token_bytes(_KEY_BYTES)
        files.write(path, key, 0o600)
        return key
    return known.content

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a database's certificate says, remembered beside it.

The library that reads certificates takes longer to load than a run that changes nothing takes for a database. What is
remembered is kept with a checksum of all that it was made of, and counts for nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

from .._domain.errors import DatabaseError
from . import files

if TYPE_CHECKING:
    from .._domain.facts import CertificateFacts, ServerCertificate

# Below the database's directory: it goes where the certificate goes.
FILE_NAME = "tls/certificate.json"
# Raise it when tls.describe or tls.facts come to say anything else: what was remembered before then counts no more.
_FORMAT = b"1"


def describe(
    directory: str, certificate: bytes, key: bytes, authority: bytes, remember: bool
) -> ServerCertificate | None:
    """Return what tls.describe does, of a database's directory. remember: whether a new answer may be kept there."""
    checksum = _checksum(certificate, key, authority)
    known = _known(directory)
    if known.get("proved_by") == checksum:
        remembered: ServerCertificate | None = known["described"]
        return remembered
    from . import tls

    described = tls.describe(certificate, key, authority)
    if described is not None and remember:
        content = {"proved_by": checksum, "described": described, "sha256": _checksum(certificate)}
        content["facts"] = tls.facts(certificate)
        # A disk that is full costs a later run some time; this one has its answer.
        with contextlib.suppress(DatabaseError):
            files.write(os.path.join(directory, FILE_NAME), json.dumps(content).encode("utf-8"), 0o600)
    return described


def facts(directory: str, certificate: bytes) -> CertificateFacts | None:
    """Return what tls.facts does; None where the certificate cannot be read."""
    known = _known(directory)
    if known.get("sha256") == _checksum(certificate):
        remembered: CertificateFacts = known["facts"]
        return remembered
    from . import tls

    # What describes a host needs neither the library nor a certificate that is whole.
    with contextlib.suppress(DatabaseError, tls.Unreadable):
        return tls.facts(certificate)
    return None


def _known(directory: str) -> dict[str, Any]:
    # What cannot be read is not known.
    with contextlib.suppress(DatabaseError, ValueError):
        found = files.read(os.path.join(directory, FILE_NAME))
        content = json.loads(found.content) if found is not None else None
        if isinstance(content, dict) and {"proved_by", "described", "sha256", "facts"} <= set(content):
            return content
    return {}


def _checksum(*contents: bytes) -> str:
    """Return one checksum of several contents, each with its place among them."""
    return hashlib.sha256(b"".join(hashlib.sha256(content).digest() for content in (_FORMAT, *contents))).hexdigest()

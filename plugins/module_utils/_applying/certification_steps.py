# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates as a step installs them, and what clients are shown of them then."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from .._domain import layout
from .._domain.container import SERVER_PORT
from .._domain.errors import sure
from .._host import files, known_certificate, locks, peer_certificate, tls
from .._planning import certification
from .._planning.steps import Certificate

if TYPE_CHECKING:
    from .._domain.spec import DatabaseSpec
    from .context import Work

# Between looks at what the server shows, in seconds.
_PAUSES = (0.02, 0.05, 0.1, 0.3, 1, 3)


def install(work: Work, step: Certificate) -> None:
    """Install one's own certificate, or let the host's authority issue one."""
    before: dict[str, bytes | None] = {path: known.content for path, known in work.seen.files.items()}
    if certification.KEY in before:
        work.undo.append(lambda: write(work, before))
    work.certified = True
    write(work, step.contents or _issued(work))


def write(work: Work, contents: dict[str, bytes | None]) -> None:
    """Write the certificate last of the pair: what is observed as whole then is."""
    image = work.seen.known_image
    files.make_directory(os.path.join(work.spec.directory, "tls"), 0o755)
    for path in certification.FILES:
        target, content = os.path.join(work.spec.directory, path), contents.get(path)
        if content is None:
            files.remove(target)
        elif path == certification.KEY:
            # The server refuses a key that others can read, and runs as the image's user.
            files.write(target, content, 0o600, image.uid, image.gid)
        else:
            files.write(target, content, 0o644)
    publish(work.spec)
    certificate, key, authority = (
        contents.get(path) for path in (certification.CERTIFICATE, certification.KEY, certification.AUTHORITY)
    )
    if certificate is not None and key is not None and authority is not None:
        # Read now, while what reads it is loaded: the runs to come need not load it.
        known_certificate.describe(work.spec.directory, certificate, key, authority, remember=True)


def publish(spec: DatabaseSpec) -> None:
    """Put the certificate of its authority where clients on this host can read it."""
    authority = files.read(os.path.join(spec.directory, certification.AUTHORITY))
    if authority is None:
        withdraw(spec)
        return
    files.make_directory(layout.CERTIFICATES, 0o755)
    files.write(layout.public_authority(spec.container), authority.content, 0o644)


def withdraw(spec: DatabaseSpec) -> None:
    files.remove(layout.public_authority(spec.container))
    files.remove_if_empty(layout.CERTIFICATES)


def _issued(work: Work) -> dict[str, bytes | None]:
    spec = work.spec
    with locks.exclusive(layout.authority_lock(spec.data_root), spec.wait_timeout, "the certificate authority"):
        authority = tls.authority(spec.data_root, work.seen.now)
    certificate, key = tls.server_certificate(authority, spec.container, spec.certificate_names)
    return {certification.AUTHORITY: authority[0], certification.KEY: key, certification.CERTIFICATE: certificate}


def shown(work: Work) -> bool:
    """Say whether clients get the certificate that is in the files; where there is no way to ask, assume that they do.

    It is read a moment after the server has been told to. Each look leaves a line in its log, so there are few of them.
    """
    written = files.read(os.path.join(work.spec.directory, certification.CERTIFICATE))
    address = sure(work.facts or work.seen.container).ip_address
    wanted = tls.facts(sure(written).content)["fingerprint"]
    for pause in _PAUSES:
        time.sleep(pause)
        found, _version = peer_certificate.certificate(address, SERVER_PORT, 5) if address else (None, None)
        if found is None or tls.fingerprint(found) == wanted:
            return True
    return False

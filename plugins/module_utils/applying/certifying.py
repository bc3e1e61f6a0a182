# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates as a step installs them, and what clients are shown of them then."""

from __future__ import annotations

import os
import time

from .. import layout
from ..container import SERVER_PORT
from ..host import files, known_certificate, locks, served, tls
from ..planning import certification

# Between looks at what the server shows, in seconds.
_PAUSES = (0.02, 0.05, 0.1, 0.3, 1, 3)


def install(work, step):
    """Install one's own certificate, or let the host's authority issue one."""
    before = {path: known.content for path, known in work.seen.files.items()}
    if certification.KEY in before:
        work.undo.append(lambda: write(work, before))
    work.certified = True
    write(work, step.contents or _issued(work))


def write(work, contents):
    """Write the certificate last of the pair: what is observed as whole then is."""
    image = work.seen.image
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
    written = [contents.get(path) for path in (certification.CERTIFICATE, certification.KEY, certification.AUTHORITY)]
    if None not in written:
        # Read now, while what reads it is loaded: the runs to come need not load it.
        known_certificate.describe(work.spec.directory, *written, remember=True)


def publish(spec):
    """Put the certificate of its authority where clients on this host can read it."""
    authority = files.read(os.path.join(spec.directory, certification.AUTHORITY))
    if authority is None:
        withdraw(spec)
        return
    files.make_directory(layout.CERTIFICATES, 0o755)
    files.write(layout.public_authority(spec.container), authority.content, 0o644)


def withdraw(spec):
    files.remove(layout.public_authority(spec.container))
    files.remove_if_empty(layout.CERTIFICATES)


def _issued(work):
    spec = work.spec
    with locks.exclusive(layout.authority_lock(spec.data_root), spec.wait_timeout, "the certificate authority"):
        authority = tls.authority(spec.data_root, work.seen.now)
    certificate, key = tls.server_certificate(authority, spec.container, spec.certificate_names)
    return {certification.AUTHORITY: authority[0], certification.KEY: key, certification.CERTIFICATE: certificate}


def shown(work):
    """Say whether clients get the certificate that is in the files; where there is no way to ask, assume that they do.

    It is read a moment after the server has been told to. Each look leaves a line in its log, so there are few of them.
    """
    written = files.read(os.path.join(work.spec.directory, certification.CERTIFICATE))
    address = (work.facts or work.seen.container).ip_address
    wanted = tls.facts(written.content)["fingerprint"]
    for pause in _PAUSES:
        time.sleep(pause)
        found, _version = served.certificate(address, SERVER_PORT, 5) if address else (None, None)
        if found is None or tls.fingerprint(found) == wanted:
            return True
    return False

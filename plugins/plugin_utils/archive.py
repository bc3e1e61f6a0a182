# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packs the collection's own code into one file that a host's Python runs without Ansible (a zipapp).

The same code gives the same bytes, wherever and whenever it is packed: a second run changes nothing on the hosts.
"""

from __future__ import annotations

import io
import os
import zipfile

PACKAGE = "vellaric_postgres"
# What needs Ansible.
_LEFT_OUT = ("shell", "__pycache__")
_MAIN = f"from {PACKAGE}._schedule.command import main\n\nraise SystemExit(main())\n"
_SHEBANG = b"#!/usr/bin/env -S python3 -I\n"
# The earliest that the format knows.
_MOMENT = (1980, 1, 1, 0, 0, 0)


def pack(directory: str) -> bytes:
    """Return the archive of the module_utils in a directory."""
    packed = {"__main__.py": _MAIN.encode("utf-8")}
    for place, below, entries in os.walk(directory):
        below[:] = [name for name in below if name not in _LEFT_OUT]
        package = os.path.normpath(os.path.join(PACKAGE, os.path.relpath(place, directory))).replace(os.sep, "/")
        # Directories alone are no packages in an archive.
        packed[f"{package}/__init__.py"] = b""
        for entry in entries:
            if entry.endswith(".py"):
                with open(os.path.join(place, entry), "rb") as stream:
                    packed[f"{package}/{entry}"] = stream.read()
    archive = io.BytesIO(_SHEBANG)
    archive.seek(0, os.SEEK_END)
    # Stored: what compression makes of it differs from one version of zlib to the next.
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packing:
        for name, content in sorted(packed.items()):
            packing.writestr(zipfile.ZipInfo(name, _MOMENT), content)
    return archive.getvalue()

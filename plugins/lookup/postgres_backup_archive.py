# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: postgres_backup_archive
short_description: The program that takes scheduled backups, as one file
version_added: 0.1.0
author:
  - Vellaric contributors (@vellaric)
description:
  - Packs the code of this collection that takes, verifies and removes backups into one file, which Python runs on a
    Docker host without Ansible, and returns the path of that file on the controller. It is removed when Ansible ends.
  - The same version of the collection gives the same bytes, so that copying it a second time changes nothing.
  - Role P(vellaric.postgres.backup#role) copies it to the hosts.
options:
  _terms:
    description: None.
    type: list
    elements: str
seealso:
  - plugin: vellaric.postgres.postgres_backup_schedules
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Copy the program to the host
  ansible.builtin.copy:
    src: "{{ lookup('vellaric.postgres.postgres_backup_archive') }}"
    dest: /usr/local/lib/vellaric/backup.pyz
    mode: "0755"
"""

RETURN = r"""
_raw:
  description: Path of the file on the controller.
  type: list
  elements: path
"""

import hashlib
import os
import tempfile
from typing import Any

from ansible import constants
from ansible.plugins.lookup import LookupBase
from ansible_collections.vellaric.postgres.plugins.plugin_utils import archive

_CODE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "module_utils")


class LookupModule(LookupBase):
    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        content = archive.pack(_CODE)
        directory = constants.DEFAULT_LOCAL_TMP
        path = os.path.join(directory, f"vellaric-backup-{hashlib.sha256(content).hexdigest()[:32]}.pyz")
        if not os.path.exists(path):
            # Several hosts ask at once.
            descriptor, partial = tempfile.mkstemp(dir=directory)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
            os.rename(partial, path)
        return [path]

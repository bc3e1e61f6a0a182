# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: postgres_disk_history
short_description: How full the disks of a Docker host were
version_added: 0.1.0
author:
  - Vellaric contributors (@vellaric)
description:
  - Reads the history that M(vellaric.postgres.postgres_db_report) keeps on the controller, and returns what option
    O(vellaric.postgres.postgres_db_info#module:history) takes. From this the findings tell the day on which a disk
    will be full.
  - Where there is no history yet, or it cannot be read, nothing is returned, and the findings do without.
options:
  _terms:
    description: The file, as O(vellaric.postgres.postgres_db_report#module:history).
    type: list
    elements: path
    required: true
  host:
    description: The Docker host, by its name in the inventory.
    type: str
    required: true
seealso:
  - module: vellaric.postgres.postgres_db_report
  - module: vellaric.postgres.postgres_db_info
"""

EXAMPLES = r"""
- name: Look for what needs attention, disks that fill included
  vellaric.postgres.postgres_db_info:
    gather: [findings]
    history: "{{ lookup('vellaric.postgres.postgres_disk_history', history_file, host=inventory_hostname) }}"
  vars:
    history_file: /srv/reports/postgres/history.jsonl
"""

RETURN = r"""
_raw:
  description: For each file, by the name of the container, what the disk held at earlier times, the oldest first.
  type: list
  elements: dict
  sample:
    - shop-production-postgres:
        - {gathered_at: "2026-01-24T14:22:50Z", disk_used_bytes: 53687091200, disk_total_bytes: 107374182400}
"""

from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.options import unreadable
from ansible_collections.vellaric.postgres.plugins.module_utils._host.locked_file import FileError, unlocked
from ansible_collections.vellaric.postgres.plugins.plugin_utils.report import history


class LookupModule(LookupBase):
    def run(
        self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[dict[str, list[dict[str, Any]]]]:
        self.set_options(var_options=variables, direct=kwargs)
        host = self.get_option("host")
        return [self._disks(path, host) for path in terms]

    def _disks(self, path: object, host: str) -> dict[str, list[dict[str, Any]]]:
        if not isinstance(path, str) or unreadable(path):
            raise AnsibleError(f"{path!r} is not the path of a file")
        try:
            with unlocked(path) as file:
                text = (file.content or b"").decode("utf-8", "replace")
        except FileError:
            return {}
        return history.disks(history.parse(text), host)

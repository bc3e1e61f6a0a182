# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: postgres_credentials_file
short_description: The file beside the inventory that keeps the credentials of a host's databases
version_added: 0.1.0
author:
  - Vellaric contributors (@vellaric)
description:
  - Returns the path of the file on the controller that keeps the credentials of the databases of the present host, as
    the roles of this collection take it where it is not given.
  - It is C(host_vars/HOST/postgres_credentials.yml) beside the inventory. Where the host's variables are in one file,
    such as C(host_vars/HOST.yml), it is that file, to which a section is added, since Ansible would read no more of it
    with a directory of that name beside it.
  - Where one file of the directory C(host_vars/HOST) has the section C(postgres_credentials) already, it is that one.
  - A file of variables that is encrypted as a whole, or is JSON, is refused, and the message says where to move it.
options:
  _terms:
    description: None.
    type: list
    elements: str
seealso:
  - module: vellaric.postgres.postgres_db_credentials
"""

EXAMPLES = r"""
- name: Make sure of the credentials of a database
  vellaric.postgres.postgres_db_credentials:
    path: "{{ lookup('vellaric.postgres.postgres_credentials_file') }}"
    name: shop
    environment: production
"""

RETURN = r"""
_raw:
  description:
    - Path of the file on the controller, which need not be there yet.
    - Where the inventory is no file, there is no place beside it, and the path begins with C(/host_vars/).
  type: list
  elements: path
"""

import os
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display
from ansible_collections.vellaric.postgres.plugins.plugin_utils import vars_place


class LookupModule(LookupBase):
    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        there = variables or {}
        host, directory = str(there["inventory_hostname"]), there.get("inventory_dir")
        if not directory:
            return [os.path.join("/host_vars", host, "postgres_credentials.yml")]
        try:
            path = vars_place.credentials_file(str(directory), host)
        except vars_place.HiddenVariables as error:
            raise AnsibleError(str(error)) from error
        hidden = vars_place.hidden_by(path)
        if hidden:
            Display().warning(
                f"{hidden} is not read by Ansible, since there is a directory {os.path.dirname(path)}: move it"
                " there, or remove it"
            )
        return [path]

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: postgres_certificate_file
short_description: A certificate as a file on the controller
version_added: 0.1.0
author:
  - Vellaric contributors (@vellaric)
description:
  - Writes the certificate of a database's authority to a file on the controller, for clients there that verify the
    server and want a file, and returns its path. The file is removed when Ansible ends.
options:
  _terms:
    description:
      - Certificates (PEM), as P(vellaric.postgres.databases#inventory) and M(vellaric.postgres.postgres_db_info) have
        them in RV(vellaric.postgres.postgres_db_info#module:databases[].ca_certificate).
    type: list
    elements: str
    required: true
seealso:
  - plugin: vellaric.postgres.databases
    plugin_type: inventory
"""

EXAMPLES = r"""
- name: Show where the certificate of a database's authority is
  ansible.builtin.debug:
    msg: "{{ lookup('vellaric.postgres.postgres_certificate_file', database.ca_certificate) }}"
  vars:
    database: "{{ hostvars['docker1.example.com'].answer.databases | first }}"
"""

RETURN = r"""
_raw:
  description: For each certificate, the path of its file.
  type: list
  elements: path
"""

import hashlib
import os
import tempfile
from typing import Any

from ansible import constants
from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

_BEGIN = "-----BEGIN CERTIFICATE-----"
_END = "-----END CERTIFICATE-----"


class LookupModule(LookupBase):
    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        return [_written(str(text)) for text in terms]


def _written(text: str) -> str:
    content = text.strip().encode("utf-8", "replace") + b"\n"
    if not text.strip().startswith(_BEGIN) or not text.strip().endswith(_END):
        raise AnsibleError("postgres_certificate_file: a certificate is needed (PEM), as postgres_db_info returns it")
    directory = constants.DEFAULT_LOCAL_TMP
    path = os.path.join(directory, f"certificate-{hashlib.sha256(content).hexdigest()[:32]}.crt")
    if not os.path.exists(path):
        # Several hosts ask at once.
        descriptor, partial = tempfile.mkstemp(dir=directory)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        os.rename(partial, path)
    return path

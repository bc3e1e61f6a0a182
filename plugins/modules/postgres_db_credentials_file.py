#!/usr/bin/python
# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: postgres_db_credentials_file
short_description: Read and replace a file of credentials on a host
description:
  - What M(vellaric.postgres.postgres_db_credentials) asks a host for when it is delegated to one. There is no use for
    it in a playbook.
  - The file is replaced as a whole or not at all, under a lock, with mode V(0600), and only where it is still as it was
    read. Where another run has changed it meanwhile, nothing is done, and RV(conflict) says so.
version_added: 0.1.0
author:
  - Vellaric contributors (@vellaric)
extends_documentation_fragment:
  - vellaric.postgres.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  path:
    description: The file. A symbolic link is followed.
    type: path
    required: true
  action:
    description:
      - V(read) returns its content. V(write) replaces it, V(narrow) sets its mode, V(remove) removes it.
    type: str
    choices: [read, write, narrow, remove]
    default: read
  content:
    description: With V(write), its new content, in Base64.
    type: str
  seen:
    description: The checksum that it had when it was read, but with V(read).
    type: str
seealso:
  - module: vellaric.postgres.postgres_db_credentials
"""

EXAMPLES = r"""
- name: Read a file of credentials
  vellaric.postgres.postgres_db_credentials_file:
    path: /etc/vellaric/postgres_credentials.yml
  no_log: true
"""

RETURN = r"""
content:
  description: Its content in Base64, null where there is no file.
  returned: with O(action=read)
  type: str
  sample: LS0tCg==
mode:
  description: Its mode, null where there is no file.
  returned: with O(action=read)
  type: int
  sample: 384
seen:
  description: The checksum of its content.
  returned: with O(action=read)
  type: str
  sample: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
conflict:
  description: Whether it is no longer as it was read, so that nothing was done.
  returned: unless O(action=read)
  type: bool
  sample: false
"""

import base64
import hashlib
from typing import Any

from ansible_collections.vellaric.postgres.plugins.module_utils._host.locked_file import FileError, locked, unlocked
from ansible_collections.vellaric.postgres.plugins.module_utils._modules.module import Module


def checksum(content: bytes | None) -> str:
    return "none" if content is None else hashlib.sha256(content).hexdigest()


def read(path: str) -> dict[str, Any]:
    with unlocked(path) as file:
        content = None if file.content is None else base64.b64encode(file.content).decode("ascii")
        return {"changed": False, "content": content, "mode": file.mode, "seen": checksum(file.content)}


def change(path: str, action: str, content: str | None, seen: str, check_mode: bool) -> dict[str, bool]:
    """Change the file, unless it is another than was seen (conflict). action: write, narrow or remove."""
    with unlocked(path) if check_mode else locked(path) as file:
        if checksum(file.content) != seen:
            return {"changed": False, "conflict": True}
        if check_mode:
            file.check_writable()
        elif action == "write":
            file.write(base64.b64decode(content or ""))
        elif action == "narrow":
            file.narrow()
        else:
            file.remove()
    return {"changed": True, "conflict": False}


def main() -> None:
    module = Module(
        argument_spec={
            "path": {"type": "path", "required": True},
            "action": {"type": "str", "choices": ["read", "write", "narrow", "remove"], "default": "read"},
            "content": {"type": "str", "no_log": True},
            "seen": {"type": "str"},
        },
        required_if=[
            ("action", "write", ("content", "seen")),
            ("action", "narrow", ("seen",)),
            ("action", "remove", ("seen",)),
        ],
        supports_check_mode=True,
    )
    options = module.params
    try:
        if options["action"] == "read":
            answer = read(options["path"])
        else:
            answer = change(options["path"], options["action"], options["content"], options["seen"], module.check_mode)
    except (FileError, ValueError) as error:
        # Of base64, where somebody else calls this.
        module.fail_json(msg=str(error))
    module.exit_json(**answer)


if __name__ == "__main__":
    main()

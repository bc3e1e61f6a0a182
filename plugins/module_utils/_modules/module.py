# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge of all modules: what they refuse before anything looks at it, and how their errors become Ansible's."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator

from ansible.module_utils.basic import AnsibleModule

from .._domain import options
from .._domain.errors import DatabaseError


class Module(AnsibleModule):
    """The module that a run is of. It refuses what is of no use, whatever option it is given for.

    AnsibleModule makes texts of numbers, and numbers of texts, and leaves no trace of what was given: it is looked at
    before.
    """

    def _load_params(self) -> None:
        super()._load_params()
        wrong = options.mistakes(self.argument_spec, self.params)
        if wrong:
            # Without the arguments, which may be a secret in the wrong place. Nothing of a module works yet.
            answer = {"failed": True, "changed": False, "msg": "\n".join(wrong)}
            sys.stdout.write(f"\n{json.dumps(answer)}\n")
            raise SystemExit(1)


@contextlib.contextmanager
def edge(running: AnsibleModule) -> Iterator[None]:
    """Let the module fail with the words of a DatabaseError: the one place where they become Ansible's.

    What the operating system refuses where nobody thought of it (a full disk, a permission) is said, too.
    """
    try:
        yield
    except DatabaseError as error:
        running.fail_json(msg=error.message, **error.details)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        fix = ". Use become: true where root owns it" if isinstance(error, PermissionError) else ""
        running.fail_json(msg=f"{where}{error.strerror or error}{fix}")

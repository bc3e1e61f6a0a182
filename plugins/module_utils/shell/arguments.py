# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules share at their edge: their arguments, what they refuse, and the way from them to an engine."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator

from ansible.module_utils.basic import AnsibleModule

from .. import options, texts
from ..errors import DatabaseError
from ..host.engine import DEFAULT_URL, Engine
from ..spec import DEFAULTS

ENGINE_ARGUMENTS = {
    "docker_host": {"type": "str", "default": DEFAULT_URL},
    "docker_timeout": {"type": "int", "default": 60},
}
ROOT_ARGUMENT = {"data_root": {"type": "path", "default": DEFAULTS["data_root"]}}


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
            sys.stdout.write(f"\n{json.dumps({'failed': True, 'changed': False, 'msg': '; '.join(wrong)})}\n")
            sys.exit(1)


@contextlib.contextmanager
def edge(running: AnsibleModule) -> Iterator[None]:
    """Let the module fail with the words of a DatabaseError: the one place where they become Ansible's."""
    try:
        yield
    except DatabaseError as error:
        running.fail_json(msg=error.message, **error.details)


def engine(running: AnsibleModule) -> Engine:
    """Return the engine that the module's arguments name; it has yet to be connected to."""
    seconds = texts.number(running.params["docker_timeout"], "docker_timeout", 1, texts.MOST_SECONDS)
    return Engine(texts.line(running.params["docker_host"], "docker_host"), seconds)

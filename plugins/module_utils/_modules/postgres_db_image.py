# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What module postgres_db_image does with Ansible: arguments, the docker command, the result."""

from __future__ import annotations

from typing import Any

from .._domain import stand_ins, texts
from .._host import obtained
from .._host.engine import DEFAULT_URL
from . import images
from .module import Module, edge


def main() -> None:
    module = Module(
        argument_spec={
            "images": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "reference": {"type": "str", "required": True},
                    "pull": {"type": "str", "choices": ["missing", "always", "never"], "default": "missing"},
                    "build": {"type": "str", "choices": ["fallback", "always", "never"], "default": "fallback"},
                },
            },
            "repository": {"type": "str", "default": stand_ins.REPOSITORY},
            "docker_host": {"type": "str", "default": DEFAULT_URL},
            "receipt": {"type": "path", "default": "/var/lib/vellaric/image.json"},
        },
        supports_check_mode=True,
    )
    with edge(module):
        answers = _obtain(module)
    result = {
        "changed": any(answer.source in ("registry", "pending") for answer in answers),
        "images": [_shown(answer) for answer in answers],
    }
    for note in (note for answer in answers for note in answer.notes):
        module.warn(note)
    errors = [answer.error for answer in answers if answer.error]
    if errors:
        module.fail_json(msg="; ".join(errors), **result)
    module.exit_json(**result)


def _obtain(module: Module) -> list[obtained.Obtained]:
    docker_host = texts.line(module.params["docker_host"], "docker_host")
    repository = texts.line(module.params["repository"], "repository")
    wanted = [
        stand_ins.Wanted(texts.line(one["reference"], "reference"), one["pull"], one["build"], repository)
        for one in module.params["images"]
    ]
    answers = obtained.obtain(images.docker(module, docker_host), wanted, docker_host, module.check_mode)
    came = [answer.found for answer in answers if answer.source == "registry"]
    if came:
        obtained.write_down(module.params["receipt"], came)
    return answers


def _shown(answer: obtained.Obtained) -> dict[str, Any]:
    wanted = answer.wanted
    expected = wanted.stand_in if wanted.build == "always" else wanted.reference
    return {
        "asked": wanted.reference,
        "reference": answer.found or expected,
        "id": answer.inspected.get("Id", ""),
        "source": answer.source if answer.found or answer.source == "pending" else "missing",
        "major": answer.major,
        "build": answer.build,
        "stand_in": wanted.stand_in,
        "recipe": wanted.recipe._asdict() if wanted.recipe else {},
        "note": wanted.note,
        "error": answer.error,
    }

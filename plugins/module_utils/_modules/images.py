# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The docker command, as modules run it, and which images there are for databases that are declared."""

from __future__ import annotations

from typing import Any

from .._domain import stand_ins
from .._domain.errors import DatabaseError
from .._host import obtained
from .module import Module

# What somebody has in the environment for another engine, which is reached over TLS.
_OTHERS = ("DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_CONTEXT")


def docker(module: Module, docker_host: str) -> obtained.Run:
    """Return what runs the docker command."""

    def run(arguments: list[str]) -> tuple[int, str, str]:
        program = module.get_bin_path("docker")
        if program is None:
            return 127, "", "there is no docker command"
        module.run_command_environ_update = {**dict.fromkeys(_OTHERS, ""), "DOCKER_HOST": docker_host, "LC_ALL": "C"}
        code, output, errors = module.run_command([program, *arguments[1:]])
        return code, output, errors

    return run


def chosen(module: Module, docker_host: str, declarations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return declarations with the images that there are, by the module's options stand_ins and images_required.

    Raises DatabaseError where one is missing and the run is to do nothing then. Check mode tells what would be done.
    """
    build, required = "fallback" if module.params["stand_ins"] else "never", module.params["images_required"]
    if build == "never" and not required:
        return declarations
    wanted = [
        stand_ins.Wanted(reference, pull, build, stand_ins.REPOSITORY)
        for reference, pull in stand_ins.pulled(declarations).items()
    ]
    # To pull is somebody else's: here it is only looked.
    answers = obtained.obtain(docker(module, docker_host), wanted, docker_host, check_mode=True)
    missing = [answer.wanted.reference for answer in answers if answer.source == "pending"]
    if module.check_mode:
        for note in (note for answer in answers for note in answer.notes):
            module.warn(note)
    elif missing and required:
        raise DatabaseError(
            f"Nothing was changed: {', '.join(missing)} {'are' if len(missing) > 1 else 'is'} not on this host, and"
            " images_required is given. Module vellaric.postgres.postgres_db_image pulls images",
            images_missing=missing,
        )
    there = {answer.wanted.reference: answer.found for answer in answers if answer.found}
    return [stand_ins.instead(declared, there) for declared in declarations]

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images that are looked for, and pulled where they are not there, by the docker command: it knows the logins."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from typing import Any

from .._domain import stand_ins
from .._domain.errors import DatabaseError
from . import engine_socket, files

# Runs a command and returns its exit code, output and errors.
Run = Callable[[list[str]], "tuple[int, str, str]"]
_COMMENT = "Images that vellaric.postgres built or pulled here. image_state=absent takes them away."
_RECEIPT_SIZE = 1 << 20
_SOCKET = "unix://"
_SECONDS = 60


@dataclasses.dataclass
class Obtained:
    """What became of an image that was asked for."""

    wanted: stand_ins.Wanted
    # Which one is taken, nothing where there is none yet, and what the engine says of it.
    found: str = ""
    inspected: dict[str, Any] = dataclasses.field(default_factory=dict)
    source: str = "present"
    # Whether a stand-in is to be built, by role image.
    build: bool = False
    error: str = ""
    # What a person should know.
    notes: list[str] = dataclasses.field(default_factory=list)

    @property
    def major(self) -> int:
        """The image knows best; a foreign image may not say, and then its tag may."""
        said = [
            variable.partition("=")[2]
            for variable in (self.inspected.get("Config") or {}).get("Env") or []
            if variable.startswith("PG_MAJOR=")
        ]
        text = (said[0] if said else "") or self.wanted.major
        return int(text) if text.isdigit() else 0


def obtain(run: Run, images: list[stand_ins.Wanted], docker_host: str, check_mode: bool) -> list[Obtained]:
    """Look for images, and pull what is not there and may be pulled. What is then to be built is said."""
    answers = [Obtained(wanted) for wanted in images]
    names = sorted({name for wanted in images for name in wanted.taken})
    asked = {name: _inspected(run, docker_host, name) for name in names}
    there = {name: answer for name, answer in asked.items() if answer}
    for answer in answers:
        wanted = answer.wanted
        if wanted.build == "always" and not wanted.recipe:
            answer.error = stand_ins.cannot_be_built(wanted)
            continue
        answer.found = next((name for name in wanted.taken if name in there), "")
        answer.inspected = there.get(answer.found, {})
    missing = [one for one in answers if not one.error and (not one.found or one.wanted.pull == "always")]
    if missing and not check_mode and not all(one.found for one in missing):
        _check_engine(run, docker_host)
    pulled: dict[str, tuple[int, str, str]] = {}
    for answer in missing:
        if check_mode:
            _predict(answer)
        else:
            _get(run, docker_host, answer, pulled)
    return answers


def _inspected(run: Run, docker_host: str, name: str) -> dict[str, Any]:
    """Return what the engine says of an image, nothing where it is not there, or there is no engine."""
    if docker_host.startswith(_SOCKET):
        # The command takes 50 times as long.
        path = f"/images/{name}/json"
        try:
            return engine_socket.get(docker_host[len(_SOCKET) :], f"inspect image {name}", path, _SECONDS, True) or {}
        except DatabaseError:
            return {}
    try:
        answer = json.loads(run(["docker", "image", "inspect", name])[1] or "[]")
    except ValueError:
        return {}
    return answer[0] if answer else {}


def _check_engine(run: Run, docker_host: str) -> None:
    code, _output, stderr = run(["docker", "version", "--format", "{{.Server.Version}}"])
    if code:
        raise DatabaseError(
            f"The docker command cannot use the engine at {docker_host}: {stderr.strip()}. Playbook"
            " vellaric.postgres.prepare (role vellaric.postgres.docker_host) installs and starts one; where an engine"
            " runs already, install the docker command (package docker-cli, or docker.io before Debian 13)"
        )


def _predict(answer: Obtained) -> None:
    wanted = answer.wanted
    if wanted.pull == "never" and wanted.build != "always":
        return
    fallback = ", or build a stand-in from Debian's packages should no registry answer"
    if wanted.build == "always" or wanted.built_only:
        does = "build it from Debian's packages"
    else:
        does = f"pull it{fallback if wanted.build == 'fallback' else ''}"
    expected = wanted.stand_in if wanted.build == "always" else wanted.reference
    answer.notes.append(f"{expected} {'is' if answer.found else 'is not'} on this host: a run would {does}")
    if not answer.found:
        answer.source = "pending"


def _get(run: Run, docker_host: str, answer: Obtained, pulled: dict[str, tuple[int, str, str]]) -> None:
    wanted = answer.wanted
    if wanted.build == "always" or (wanted.built_only and wanted.build != "never"):
        answer.build = not answer.found or wanted.pull == "always"
        return
    if wanted.pull == "never":
        answer.error = (
            f"{wanted.reference} is not on this host, and image_pull is never (pull, database_pull). Load it (docker"
            " load), let it be pulled (missing), or set image_build to always to build one from Debian's packages"
        )
        return
    if wanted.reference not in pulled:
        pulled[wanted.reference] = run(["docker", "pull", wanted.reference])
    code, output, stderr = pulled[wanted.reference]
    if code == 0:
        answer.found = wanted.reference
        answer.source = "registry" if "Status: Downloaded newer image" in output else "present"
        answer.inspected = _inspected(run, docker_host, wanted.reference)
        return
    reason = (stderr.strip().splitlines() or [""])[-1]
    silent = stand_ins.nobody_answered(stderr)
    if not silent or wanted.build == "never":
        answer.error = f"{wanted.reference} could not be pulled: {reason}. " + (
            "No registry answered. Make one reachable, load the image (docker load), or set image_build to fallback"
            if silent
            else "A registry answered and refused: check the name, the tag, and the host's login (docker login). To"
            " build an image from Debian's packages instead, set image_build to always"
        )
    elif answer.found:
        answer.notes.append(f"No registry answered ({reason}). Using {answer.found}, which is here")
    elif wanted.recipe:
        answer.build = True
        answer.notes.append(
            f"No registry answered ({reason}). An image with the contract of the official one is built from Debian's"
            " packages instead"
        )
    else:
        answer.error = stand_ins.cannot_be_built(wanted)


def write_down(receipt: str, names: list[str]) -> None:
    """Add images to the receipt of what came to the host, by which role image takes them away."""
    known = files.read(receipt, _RECEIPT_SIZE)
    try:
        before = json.loads(known.content)["images"] if known else []
    except (ValueError, KeyError, TypeError) as error:
        raise DatabaseError(f"{receipt} is no receipt of images: move it away") from error
    content = {"comment": _COMMENT, "images": sorted({*before, *names})}
    files.make_directory(os.path.dirname(receipt), 0o755)
    files.write(receipt, json.dumps(content, indent=4, sort_keys=True).encode() + b"\n", 0o644)

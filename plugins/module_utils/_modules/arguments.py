# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments that modules share, and the way from them to an engine."""

from __future__ import annotations

from .._domain import texts
from .._domain.spec import DEFAULTS
from .._host.engine import DEFAULT_URL, Engine
from .module import Module

ENGINE_ARGUMENTS = {
    "docker_host": {"type": "str", "default": DEFAULT_URL},
    "docker_timeout": {"type": "int", "default": 60},
}
ROOT_ARGUMENT = {"data_root": {"type": "path", "default": DEFAULTS["data_root"]}}


def engine(running: Module) -> Engine:
    """Return the engine that the module's arguments name; it has yet to be connected to."""
    seconds = texts.number(running.params["docker_timeout"], "docker_timeout", 1, texts.MOST_SECONDS)
    return Engine(texts.line(running.params["docker_host"], "docker_host"), seconds)

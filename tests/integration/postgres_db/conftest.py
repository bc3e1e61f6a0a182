# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests that take over what somebody else made."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from harness import Host, docker

sys.path.insert(0, str(Path(__file__).resolve().parent))

from adopted import Foreign  # noqa: E402


@pytest.fixture
def volume(request):
    name = f"hado-{os.getpid()}-{request.node.name.partition('[')[0]}"
    docker("volume", "create", name)
    yield name
    docker("volume", "rm", "-f", name, check=False)


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A data directory as the image makes it, with a row: to start from a copy is quicker than to make one."""
    host = Host()
    try:
        data = tmp_path_factory.mktemp("template") / "data"
        foreign = Foreign(host, "template", data=data, user="app", database="app_db")
        foreign.fill()
        docker("stop", "-t", "60", foreign.name)
        yield data
    finally:
        host.close()

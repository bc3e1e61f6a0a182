# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests on the real engine: a host for each test, one for each file that only reads."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import harness  # noqa: E402


@pytest.fixture
def host():
    host = harness.Host()
    yield host
    host.close()


@pytest.fixture(scope="module")
def shared():
    """One host for a whole file; what its tests make there has different names."""
    host = harness.Host()
    yield host
    host.close()


@pytest.fixture(scope="session")
def tags_made():
    """The tags of all images of the tests' own: the last ones go when no container uses them any more."""
    tags = set()
    yield tags
    for tag in tags:
        harness.remove_images(tag)


@pytest.fixture
def image_tag(request, tags_made):
    """A tag for an image of the test's own, removed with it, or at the end where a container still uses it."""
    tag = f"vellaric-test/{request.node.name.partition('[')[0]}:{os.getpid()}"
    tags_made.add(tag)
    yield tag
    harness.remove_images(tag)

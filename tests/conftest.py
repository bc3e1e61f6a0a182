# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes `ansible_collections.vellaric.postgres` importable, from where `make` links the collection.

And has Hypothesis not take a machine that is busy with something else for a fault.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import hypothesis

COLLECTIONS = Path(__file__).resolve().parent.parent / ".venv" / "collections"

sys.path.insert(0, str(COLLECTIONS))

import ansible_collections  # noqa: E402

# The `ansible` package brings a regular package of this name, which hides the namespace package of ours.
package_path = str(COLLECTIONS / "ansible_collections")
if package_path not in ansible_collections.__path__:
    ansible_collections.__path__.insert(0, package_path)

# The same examples in each run, so that a change lands or does not for what is in it; others when asked for more.
hypothesis.settings.register_profile(
    "vellaric",
    deadline=None,
    derandomize=not os.environ.get("VELLARIC_TEST_THOROUGH"),
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("vellaric")

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two short ones of Molecule's scenarios, each with the host that is not reached as root; `make molecule` runs all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import harness
import pytest

BIN = Path(sys.executable).parent
MOLECULE = harness.REPOSITORY / ".venv/tools/bin/molecule"


@pytest.mark.parametrize("scenario", ["database", "report"])
def test_a_scenario_passes(scenario):
    assert MOLECULE.exists(), "make .venv/.tools installs it"
    path = f"{BIN}:{os.environ['PATH']}:{MOLECULE.parent}"
    command = [str(MOLECULE), "test", "-s", scenario, "--platform-name", f"molecule-{scenario}-sudo"]
    environment = {**os.environ, "PATH": path, "NO_COLOR": "1"}
    finished = subprocess.run(
        command, env=environment, cwd=harness.REPOSITORY, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `site` costs the controller, whatever the host does meanwhile, and what ansible-core says of it."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from controllers import Controller  # noqa: E402

THOROUGH = bool(os.environ.get("VELLARIC_TEST_THOROUGH"))
# Before declarations were made plain, 50 took 24 s of a processor, and 200 many times that.
COUNT, SECONDS = (200, 30) if THOROUGH else (50, 12)


@pytest.fixture
def controller(tmp_path):
    controller = Controller(tmp_path)
    options = {
        "settings": {"work_mem": "64MB", "log_min_duration_statement": "500ms"},
        "users": [{"name": "reporting", "role": "readonly"}],
        "trusted_sources": ["10.0.0.0/8"],
        "extensions": ["pg_trgm"],
    }
    names = [{"name": f"db{number}", "environment": "production", **options} for number in range(COUNT)]
    controller.variables = {"postgres_databases": names, "databases_defaults": {"image": "postgres:15-alpine"}}
    return controller.answering(host={"databases": [], "undeclared": [], "changed": False})


def spent():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_a_large_fleet_costs_seconds_and_brings_no_deprecation_warnings(controller):
    before = spent()
    output = controller.run("ansible-playbook", "--check", "vellaric.postgres.site", succeeds=None)
    assert "failed=0" in output, output
    assert spent() - before < SECONDS
    assert "DEPRECATION" not in output.upper(), output

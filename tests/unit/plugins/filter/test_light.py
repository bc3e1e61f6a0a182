# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess
import sys

# In a process of its own: the tests have loaded everything by now.
LOAD = """
import importlib, pkgutil, sys
from ansible_collections.vellaric.postgres.plugins import filter as filters
for found in pkgutil.iter_modules(filters.__path__):
    importlib.import_module(f"{filters.__name__}.{found.name}")
print(*sys.modules)
"""
PACKAGE = "ansible_collections.vellaric.postgres.plugins.module_utils"
# What does something on a host, and the libraries that it takes.
HEAVY = ("cryptography", "docker", "requests", f"{PACKAGE}.host", f"{PACKAGE}.server", f"{PACKAGE}._operations.run")


def test_filters_load_nothing_that_they_do_not_need():
    """Ansible loads all filters of a collection in each task, and for each host, that uses one of them."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", LOAD]
    loaded = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.split()
    assert f"{PACKAGE}._schedule.schedule" in loaded
    assert [name for name in loaded if name.startswith(HEAVY)] == []

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of options (spec.OPTIONS) is what the module's documentation and role database say of them, too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import spec
from ansible_collections.vellaric.postgres.plugins.modules import postgres_db

ROOT = Path(__file__).parents[3]
ROLE = ROOT / "roles/database"
ARGUMENTS = {name: option.argument for name, option in spec.OPTIONS.items() if option.argument is not None}
DOCUMENTED = yaml.safe_load(postgres_db.DOCUMENTATION)["options"]
ROLE_OPTIONS = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
TASK = yaml.safe_load((ROLE / "tasks/database.yml").read_text())[0]["vellaric.postgres.postgres_db"]
README = (ROLE / "README.md").read_text()
# What the role decides itself: a rotation ends what has logged in before (database_rotate_end_sessions).
NOT_IN_ROLE = {"end_sessions"}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_the_module_documents_it(name):
    documented = DOCUMENTED[name]
    assert documented["type"] == ARGUMENTS[name]["type"]
    assert documented.get("choices") == ARGUMENTS[name].get("choices")


@pytest.mark.parametrize("name", sorted(set(ARGUMENTS) - NOT_IN_ROLE))
def test_the_role_has_it(name):
    variable = f"database_{name}"
    option = ROLE_OPTIONS[variable]
    assert option["type"] == ARGUMENTS[name]["type"] and option.get("choices") == ARGUMENTS[name].get("choices")
    assert f"| `{variable}` |" in README
    assert name in TASK


@pytest.mark.parametrize("name", [name for name in ARGUMENTS if spec.OPTIONS[name].default is not None])
def test_its_default_is_told(name):
    default = spec.OPTIONS[name].default
    if default in (False, {}):
        return
    texts = " ".join([DOCUMENTED[name].get("default", "") or "", *DOCUMENTED[name]["description"]])
    assert re.search(rf"(?<![\w.]){re.escape(str(default))}(?!\w)", texts), name

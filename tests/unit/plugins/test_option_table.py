# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of options (spec.OPTIONS) is what the module's documentation and role database say of them, too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible.vars.manager import VariableManager
from ansible_collections.vellaric.postgres.plugins.lookup.postgres_declared_options import LookupModule
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import spec
from ansible_collections.vellaric.postgres.plugins.modules import postgres_db

try:
    from ansible.template import trust_as_template
except ImportError:  # ansible-core before 2.19 trusts all that it is not told to distrust

    def trust_as_template(text):
        return text


ROOT = Path(__file__).parents[3]
ROLE = ROOT / "roles/database"
ARGUMENTS = {name: option.argument for name, option in spec.OPTIONS.items() if option.argument is not None}
DOCUMENTED = yaml.safe_load(postgres_db.DOCUMENTATION)["options"]
ROLE_OPTIONS = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
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


@pytest.mark.parametrize("name", [name for name in ARGUMENTS if spec.OPTIONS[name].default is not None])
def test_its_default_is_told(name):
    default = spec.OPTIONS[name].default
    if default in (False, {}):
        return
    texts = " ".join([DOCUMENTED[name].get("default", "") or "", *DOCUMENTED[name]["description"]])
    assert re.search(rf"(?<![\w.]){re.escape(str(default))}(?!\w)", texts), name


def test_the_role_hands_on_all_that_are_given():
    """What is omitted is not given; what is null is: it goes before what is meant for all."""
    given = {f"database_{name}": "given" for name in ARGUMENTS}
    expected = dict.fromkeys(ARGUMENTS, "given")
    omitted = {"database_memory": "{{ omit }}", "database_cpus": None, "database_port": "{{ 5000 + 1 }}"}
    variables = {**given, **omitted, "database_hosts": "all", "databases_defaults": {"sslmode": "require"}}
    expected.update(cpus=None, port=5001)
    del expected["memory"]
    loader = DataLoader()
    marked = {name: trust_as_template(value) if isinstance(value, str) else value for name, value in variables.items()}
    there = {**VariableManager(loader=loader).get_vars(), **marked}
    found = LookupModule(loader=loader, templar=Templar(loader, variables=there)).run(["database"], there)
    # Before ansible-core 2.19 what a template makes is a text, which the module makes a number of.
    assert [{**one, "port": int(one["port"])} for one in found] == [expected]

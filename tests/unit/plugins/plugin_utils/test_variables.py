# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of roles and playbooks: all are known, and what is like one of them and is none is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.vellaric.postgres.plugins.plugin_utils import variables

ROOT = Path(__file__).resolve().parents[4]
# Options of modules, and files, whose names begin as variables do.
OTHERS = {"backup_first", "backup_root", "backup_before"}


def used():
    """The names in templates of playbooks and roles that begin as variables do."""
    for path in sorted([*ROOT.glob("playbooks/**/*.yml"), *ROOT.glob("roles/*/tasks/*.yml")]):
        for name in re.findall(r"(?<![\w.'/:-])[a-z]+(?:_[a-z0-9]+)+(?=\W)", path.read_text(encoding="utf-8")):
            if variables.family(name) and name not in OTHERS:
                yield path.relative_to(ROOT), name


def test_every_variable_that_a_playbook_or_a_role_uses_is_known():
    """Where it fails: a new variable of a role belongs into its argument specs, one of a playbook into variables.py."""
    there = {*variables.known(), *variables.RETURNED}
    assert {(str(path), name) for path, name in used() if name not in there} == set()


def test_what_playbooks_take_is_used_by_one():
    text = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("playbooks/**/*.yml"))
    assert [name for name in variables.PLAYBOOKS if not re.search(rf"\b{name}\b", text)] == []


# A role that checks its variables does so for the playbook.
CHECKED = [path for path in ROOT.glob("roles/*/*/*.yml") if "postgres_variable_mistakes" in path.read_text()]


@pytest.mark.parametrize("path", sorted(ROOT.glob("playbooks/*.yml")), ids=lambda path: path.stem)
def test_every_playbook_checks_its_variables(path):
    text = path.read_text()
    roles = set(re.findall(r"(?:name|role): vellaric\.postgres\.(\w+)$", text, re.MULTILINE))
    assert "tasks/check.yml" in text or roles & {found.parents[1].name for found in CHECKED}


def test_variables_of_awx_are_those_of_its_playbook_and_awxs_own_stay_its_own():
    given = ["awx_organisation", "awx_job_id", "awx_inventory_name", "awx_user_name", "awx_xyzzy", "aws_image"]
    wrong, odd = variables.unknown(given, ("awx",), frozenset(given))
    assert wrong[1:] == [
        "There is no variable awx_organisation, did you mean awx_organization?",
        "There is no variable awx_xyzzy",
    ]
    assert "aws_image" in wrong[0] and odd == []
    assert variables.unknown(given, ("database",), frozenset(given)) == ([], [])


def test_all_roles_are_known():
    assert set(variables.ROLES) == {path.parents[1].name for path in ROOT.glob("roles/*/meta/argument_specs.yml")}
    specs = yaml.safe_load((ROOT / "roles/database/meta/argument_specs.yml").read_text(encoding="utf-8"))
    assert set(specs["argument_specs"]["main"]["options"]) <= set(variables.known())


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("database_memroy", True, "There is no variable database_memroy, did you mean database_memory?"),
        ("database_memroy", False, "There is no variable database_memroy, did you mean database_memory?"),
        ("databse_memory", True, "There is no variable databse_memory, did you mean database_memory?"),
        ("backup_formt", True, "There is no variable backup_formt, did you mean backup_format?"),
        ("databases_defalts", True, "There is no variable databases_defalts, did you mean databases_defaults?"),
        ("docker_host_sate", True, "There is no variable docker_host_sate, did you mean docker_host_state?"),
        ("database_xyzzy", True, "There is no variable database_xyzzy"),
        ("database_xyzzy", False, None),
        ("backup_xyzzy", True, None),
        ("databse_memory", False, None),
        ("shop_version", True, None),
        ("nam", True, None),
    ],
)
def test_names(name, given, said):
    names = [*variables.known(), *variables.RETURNED, "inventory_hostname", name]
    wrong, odd = variables.unknown(names, ("database",), frozenset([name] if given else []))
    assert wrong == ([said] if said else [])
    assert bool(odd) is (name == "database_xyzzy" and not given)


def test_lists_that_a_person_adds_up():
    """They are called so in the example and in the README of role databases: nobody is warned of them."""
    names = [*variables.known(), "databases_of_all_hosts", "databases_of_this_host", "databases_xyzzy"]
    wrong, odd = variables.unknown(names, ("databases",), frozenset())
    assert wrong == [] and len(odd) == 1 and "databases_xyzzy" in odd[0]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"database_version": 15.1}, "database_version is 15.1: a number to YAML.*put quotes around it"),
        ({"database_version": 17}, None),
        ({"database_password": 123456789012}, "^database_password: a number to YAML"),
        ({"import_password": 123456789012}, "^import_password: a number to YAML"),
        ({"database_users": [{"name": "a", "password": 1.5}]}, r"^database_users\[0\].password: a number to YAML"),
        ({"database_memory": 1.5, "database_cpus": 0.5, "backup_max_age": 3600}, None),
        ({"database_image": True}, "database_image is true: true or false to YAML"),
        ({"database_name": 7}, "database_name is 7"),
        ({"database_hosts": 7, "database_settings": {"work_mem": 64}, "database_port": "5432"}, None),
        ({"database_tls_key": None}, None),
    ],
)
def test_values(values, said):
    found = variables.mistakes(values)
    assert len(found) == (1 if said else 0)
    assert said is None or re.search(said, found[0])
    assert not any("123456789012" in text for text in found)

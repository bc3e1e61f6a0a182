# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the credentials of a host are kept, so that no variables of a person's are hidden."""

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.plugin_utils import vars_place
from ansible_collections.vellaric.postgres.plugins.plugin_utils.vars_place import HiddenVariables


@pytest.fixture
def inventory(tmp_path):
    (tmp_path / "host_vars").mkdir()
    return tmp_path


def place(inventory):
    return vars_place.credentials_file(str(inventory), "docker1").removeprefix(f"{inventory}/host_vars/")


def write(inventory, name, text="database_memory: 1g\n"):
    path = inventory / "host_vars" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return str(path)


def test_a_file_of_its_own_where_nothing_is_there(tmp_path):
    assert vars_place.credentials_file(str(tmp_path), "docker1") == (
        f"{tmp_path}/host_vars/docker1/postgres_credentials.yml"
    )


@pytest.mark.parametrize("name", ["docker1", "docker1.yml", "docker1.yaml"])
def test_the_file_of_variables_that_is_there(inventory, name):
    write(inventory, name)
    assert place(inventory) == name


@pytest.mark.parametrize(
    ("names", "read"), [(("docker1", "docker1.yml"), "docker1"), (("docker1.yaml", "docker1.yml"), "docker1.yml")]
)
def test_of_several_the_one_that_ansible_reads(inventory, names, read):
    for name in names:
        write(inventory, name)
    assert place(inventory) == read


@pytest.mark.parametrize("other", ["docker11.yml", "docker.yml", "docker1.example.com.yml", "docker1.txt"])
def test_what_is_of_another_host_has_no_part_in_it(inventory, other):
    write(inventory, other)
    assert place(inventory) == "docker1/postgres_credentials.yml"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("docker1.yml", "$ANSIBLE_VAULT;1.1;AES256\n33\n", "encrypted as a whole"),
        ("docker1", "$ANSIBLE_VAULT;1.1;AES256\n33\n", "mv .*docker1.old .*docker1/vars.yml"),
        ("docker1.json", "{}", "is JSON"),
        ("docker1", '{"a": 1}', "is JSON"),
    ],
)
def test_what_cannot_take_a_section_is_refused(inventory, name, text, said):
    write(inventory, name, text)
    with pytest.raises(HiddenVariables, match=said):
        place(inventory)


def test_variables_moved_into_the_directory_keep_their_section(inventory):
    write(inventory, "docker1/databases.yml", "postgres_databases: []\n")
    assert place(inventory) == "docker1/postgres_credentials.yml"
    write(inventory, "docker1/vars.yml", "a: 1\npostgres_credentials:\n  x: {}\n")
    assert place(inventory) == "docker1/vars.yml"
    write(inventory, "docker1/postgres_credentials.yml", "postgres_credentials: {}\n")
    assert place(inventory) == "docker1/postgres_credentials.yml"


def test_a_file_that_our_directory_hides_is_refused(inventory):
    """As an earlier run left it, or made after the directory."""
    write(inventory, "docker1/postgres_credentials.yml")
    file = write(inventory, "docker1.yml")
    with pytest.raises(HiddenVariables, match="is not read by Ansible"):
        place(inventory)
    # With more in the directory it is a person's own.
    write(inventory, "docker1/vars.yml")
    assert place(inventory) == "docker1/postgres_credentials.yml"
    assert vars_place.hidden_by(f"{inventory}/host_vars/docker1/postgres_credentials.yml") == file


@pytest.mark.parametrize("directory", ["host_vars", "group_vars"])
def test_no_directory_is_made_that_hides_a_file(tmp_path, directory):
    (tmp_path / directory).mkdir()
    path = tmp_path / directory / "docker1" / "credentials.yml"
    vars_place.refuse_to_hide(str(path))
    (tmp_path / directory / "docker1.yaml").write_text("a: 1\n")
    with pytest.raises(HiddenVariables, match="would hide .*docker1.yaml"):
        vars_place.refuse_to_hide(str(path))
    # Elsewhere, names mean nothing.
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "docker1.yml").write_text("a: 1\n")
    vars_place.refuse_to_hide(str(tmp_path / "secrets" / "docker1" / "credentials.yml"))

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's variables of a host stay what they are, wherever the credentials of its databases go."""

from __future__ import annotations

import json
import subprocess
import sys

import harness
import pytest
import yaml

from playbooks import BIN, Fleet, changes


@pytest.fixture
def fleet(host):
    """A fleet whose host has all of its variables in host_vars/local.yml."""
    fleet = Fleet(host)
    file = fleet.root / "inventory/hosts.yml"
    variables = yaml.safe_load(file.read_text())["postgres_hosts"]["hosts"]["local"]
    variables["database_image"] = harness.IMAGE
    file.write_text("postgres_hosts:\n  hosts:\n    local:\n")
    (fleet.root / "inventory/host_vars").mkdir()
    fleet.variables = fleet.root / "inventory/host_vars/local.yml"
    fleet.written = "# What we know of it.\n" + yaml.safe_dump(variables)
    fleet.variables.write_text(fleet.written)
    return fleet


def known(fleet):
    command = [str(BIN / "ansible-inventory"), "-i", "inventory", "--host", "local"]
    finished = subprocess.run(
        [*command, "--vault-password-file", "vault-password"],
        env=fleet.environment,
        cwd=fleet.root,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(finished.stdout)


def test_variables_in_a_file_stay_in_force(fleet):
    before = known(fleet)
    fleet.play("create")
    assert fleet.variables.read_text().startswith(fleet.written)
    assert not fleet.credentials.parent.exists()
    after = known(fleet)
    assert fleet.host.container("shop") in after.pop("postgres_credentials")
    assert after == before
    assert changes(fleet.play("create")) == 0
    fleet.credentials = fleet.variables
    assert fleet.logs_in(fleet.password())

    # Moved by the person: the credentials are found where they have gone.
    moved = fleet.root / "inventory/host_vars/local/vars.yml"
    moved.parent.mkdir()
    fleet.variables.rename(moved)
    assert changes(fleet.play("create")) == 0
    assert sorted(path.name for path in moved.parent.iterdir()) == ["vars.yml"]


def test_a_file_that_is_hidden_already_is_told_of(fleet):
    """As an earlier release left it. Whatever it declares would be ignored."""
    fleet.credentials.parent.mkdir()
    fleet.credentials.write_text("---\n")
    given = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    given.update(database_data_root=fleet.host.data_root, database_image=harness.IMAGE)
    for playbook in ("site", "create"):
        output = fleet.play(playbook, succeeds=False, **given)
        assert "is not read by Ansible" in " ".join(output.split()), output
        assert "vars.yml" in output
    assert fleet.host.untouched()
    assert fleet.credentials.read_text() == "---\n"


def test_what_is_encrypted_as_a_whole_is_refused(fleet):
    vault = ["--vault-password-file", "vault-password"]
    command = [str(BIN / "ansible-vault"), "encrypt", *vault, str(fleet.variables)]
    subprocess.run(command, env=fleet.environment, cwd=fleet.root, check=True, capture_output=True)
    output = fleet.play("create", succeeds=False)
    assert "encrypted as a whole" in " ".join(output.split()), output
    assert fleet.host.untouched()
    assert not fleet.credentials.parent.exists()

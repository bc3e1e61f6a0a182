# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""postgres_db_credentials and the vault: which secret encrypts, and what is refused with a wrong one or none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from project import DATABASE, PASSWORD, Project, credentials


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def test_a_vaulted_variable_as_password(project):
    encrypted = subprocess.run(
        [
            str(Path(sys.executable).parent / "ansible-vault"),
            "encrypt_string",
            "--vault-id",
            "prod@%s" % (project.root / "vault-prod"),
            "--name",
            "vaulted",
            PASSWORD,
        ],
        env=project.environment(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (project.root / "given.yml").write_text(encrypted)
    read = {"ansible.builtin.include_vars": {"file": str(project.root / "given.yml")}}
    results = project.results(
        [
            read,
            credentials(password="{{ vaulted }}", username="app"),
            credentials(password=PASSWORD),
            credentials(databases=[dict(DATABASE, password="{{ vaulted }}", username="{{ 'app' }}")]),
        ]
    )
    assert [result.get("changed") for result in results[1:]] == [True, False, False]
    assert project.stored() == {"shop-production-postgres": ("app", PASSWORD)}

    # Not through a variable, but in the play itself.
    indented = encrypted.split("\n", 1)[1].replace("  ", "            ")
    play = (
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - vellaric.postgres.postgres_db_credentials:\n"
        "        path: credentials.yml\n        name: direct\n        environment: staging\n"
        "        password: !vault |\n" + indented
    )
    (project.root / "direct.yml").write_text(play)
    done = subprocess.run(
        project.command("direct.yml"), env=project.environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.stored()["direct-staging-postgres"][1] == PASSWORD


def test_several_vault_ids(project):
    both = ("dev", "prod")
    refused = project.result(vaults=both)
    assert refused["failed"] and "'dev', 'prod'" in refused["msg"]
    assert "'dev', 'prod'" in project.result({"vault_id": "test"}, vaults=both)["msg"]
    assert not project.file.exists()
    assert project.result({"vault_id": "prod"}, vaults=both)["vault_id"] == "prod"
    assert b";prod\n" in project.file.read_bytes()
    configured = project.result({"name": "two"}, vaults=both, ANSIBLE_VAULT_ENCRYPT_IDENTITY="dev")
    assert configured["vault_id"] == "dev"
    assert b";dev\n" in project.file.read_bytes()
    # What is stored stays encrypted as it is.
    content = project.file.read_bytes()
    assert not project.result({"vault_id": "dev"}, vaults=both)["changed"]
    assert project.file.read_bytes() == content


def test_nothing_is_overwritten_that_cannot_be_read(project):
    project.result()
    content = project.file.read_bytes()
    for options in (None, {"password": PASSWORD, "username": "app"}):
        for arguments in ((), ("--check",)):
            refused = project.result(options, *arguments, vaults=("wrong",))
            assert refused["failed"]
            assert "shop-production-postgres.password cannot be read" in refused["msg"] and "'prod'" in refused["msg"]
    # Another database in the same file is not affected by it.
    assert project.result({"name": "other"}, vaults=("wrong",))["changed"]
    assert content in project.file.read_bytes()


def test_a_mistyped_vault_password(project):
    both = {"databases": [DATABASE, dict(DATABASE, name="other")]}
    project.result()
    content, right = project.file.read_bytes(), (project.root / "vault-prod").read_text()
    (project.root / "vault-prod").write_text("mistyped")
    for options in ({"name": "other"}, {"name": "other", "user": "report", "password": PASSWORD}):
        for arguments in ((), ("--check",)):
            refused = project.result(options, *arguments)
            assert refused["failed"] and "Start the run with the right vault password" in refused["msg"]
    rotated = {"name": "other", "username": "app", "state": "rotating"}
    assert "decrypts none of" in project.result(rotated)["msg"]
    assert project.file.read_bytes() == content
    (project.root / "vault-prod").write_text(right)
    assert project.result(both)["changed"] and len(project.stored()) == 2


def test_no_vault_secret(project):
    for arguments in ((), ("--check",)):
        refused = project.result(None, *arguments, vaults=())
        assert refused["failed"] and "no vault secret is loaded" in refused["msg"]
    assert not project.file.exists()


def test_plain_text_is_encrypted_in_place(project):
    project.file.write_text(
        f"postgres_credentials:\n  shop-production-postgres: # mine\n    username: app\n    password: {PASSWORD}\n"
    )
    result = project.result(None, "--diff")
    assert result["changed"] and result["databases"][0]["source"] == "stored"
    assert "password: (plain text)" in result["diff"]["before"]
    assert PASSWORD not in project.file.read_text() and "# mine" in project.file.read_text()
    assert project.stored() == {"shop-production-postgres": ("app", PASSWORD)}

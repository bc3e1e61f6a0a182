# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate of one's own and networks, as they are declared in an inventory: the key is vaulted."""

from __future__ import annotations

import subprocess

import pytest
import yaml
from ansible_collections.vellaric.postgres.tests.unit import certificates
from harness import docker

from playbooks import BIN, Fleet


@pytest.fixture
def network(host):
    name = f"z-{host.prefix}"
    docker("network", "create", name)
    yield name
    host.forget("shop")
    docker("network", "rm", name)


def vaulted(fleet, key):
    """Put a key into a file of variables, encrypted as ansible-vault does, and return the file's name."""
    command = [str(BIN / "ansible-vault"), "encrypt_string", "--stdin-name=own_key"]
    encrypted = subprocess.run(
        [*command, "--vault-password-file=vault-password"],
        input=key,
        env=fleet.environment,
        cwd=fleet.root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "PRIVATE KEY" not in encrypted.stdout
    (fleet.root / "key.yml").write_text(encrypted.stdout)
    return "@key.yml"


def test_by_the_role_and_for_a_fleet(host, network):
    fleet = Fleet(host)
    root = certificates.authority()
    pair = certificates.server(root, ("db.example.com",))
    key = vaulted(fleet, pair.key)
    declared = {
        "address": "db.example.com",
        "sslmode": "verify-full",
        "networks": [network],
        "tls_certificate": pair.certificate,
        "tls_key": "{{ own_key }}",
        "tls_ca": root.certificate,
    }
    outputs = [
        fleet.play("create", "-e", key, "-vvv", "--diff", **{f"database_{name}": declared[name] for name in declared})
    ]
    row = host.one("shop")
    assert (row["networks"], row["certificate"]["fingerprint"]) == ([network], pair.fingerprint)
    (fleet.root / "ca.crt").write_text(row["ca_certificate"])
    login = {"user": row["username"], "password": fleet.password(), "host": "db.example.com", "hostaddr": "127.0.0.1"}
    assert host.query("shop", "SELECT 1", sslmode="verify-full", sslrootcert=str(fleet.root / "ca.crt"), **login)

    # The same, declared for the host.
    entry = {"name": host.name("shop"), "environment": "development", **declared}
    inventory = yaml.safe_load((fleet.root / "inventory/hosts.yml").read_text())
    inventory["postgres_hosts"]["vars"] = {"postgres_databases": [entry]}
    (fleet.root / "inventory/hosts.yml").write_text(yaml.safe_dump(inventory))
    outputs.append(fleet.run("site", "-e", key, "-vvv", "--diff"))
    again = host.one("shop")
    assert (again["networks"], again["certificate"]) == (row["networks"], row["certificate"])
    assert not [output for output in outputs if pair.key.splitlines()[1] in output]

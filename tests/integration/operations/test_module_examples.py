# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EXAMPLES of modules run as they are written, over SSH, each module's in a play of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from ansible_collections.vellaric.postgres.tests.unit import certificates
from ansible_collections.vellaric.postgres.tests.unit.examples import sources
from examples_host import Example
from harness import IMAGE, THOROUGH

pytestmark = pytest.mark.skipif(not THOROUGH, reason="takes minutes: VELLARIC_TEST_THOROUGH=1")
NAMED = {"name": "my-database", "environment": "production"}
# Another server, reached by its name with a certificate of an authority that everybody knows, is not there.
WITHOUT = ("Move a database here from another server", "Show what was checked, left out and compared")
LOGIN = {
    key: f"{{{{ postgres_credentials['my-database-production-postgres'].{key} }}}}" for key in ("username", "password")
}
DELETED = {"vellaric.postgres.postgres_db": {**NAMED, "state": "absent", "deletion_protection": False}}


def shell(command: str, **more: Any) -> dict[str, Any]:
    return {"ansible.builtin.shell": {"cmd": command}, **more}


# What has to be there before a task: by its name.
BEFORE = {
    "Tell the shop how to connect": [shell("useradd shop")],
    "Import a dump file": [shell("echo 'CREATE TABLE imported (id int);' > /tmp/backup.sql")],
    "Refresh staging from production, without the people's addresses": [
        {
            "vellaric.postgres.postgres_db_exec": {
                **NAMED,
                **LOGIN,
                "scripts": [{"sql": "CREATE TABLE customers (id int, email text)"}],
            }
        },
        {"vellaric.postgres.postgres_db_backup": NAMED},
    ],
    "Let containers on network shop reach it by the name of its container": [shell("docker network create shop")],
    "Stop two databases": [
        {
            "ansible.builtin.include_role": {"name": "vellaric.postgres.database"},
            "vars": {"database_name": "{{ item }}", "database_environment": "development"},
            "loop": ["shop", "forum"],
        }
    ],
    "Bring back what was deleted last": [DELETED],
    "Take over a container that compose made, with its data": [
        DELETED,
        shell("docker run -d --name my-database-production-postgres -e POSTGRES_PASSWORD=of-another postgres:15"),
        shell(
            "docker exec my-database-production-postgres psql -h 127.0.0.1 -U postgres -c 'SELECT 1'",
            register="answer",
            until="answer is succeeded",
            retries=60,
            delay=1,
        ),
    ],
}
# What a reader has set.
DECLARED = {"username": "declared", "password": "Of-what-is-declared_1234"}
VARIABLES = {
    "reporting_password": "Of-the-report_1234",
    "orders_password": "Of-the-orders_1234",
    "declared": [{"name": "declared", "environment": "development", "image": IMAGE, **DECLARED}],
    "database_connection": {"host": "docker1", "port": 5432},
}


def examples() -> dict[str, str]:
    """Return EXAMPLES by the module. What deletes what the others are about comes last."""
    found = {one.where.partition(".py")[0]: one.text for one in sources.everything() if "plugins/modules" in one.where}
    return dict(sorted(found.items(), key=lambda item: item[0].endswith("/postgres_db")))


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    options = ("--engine", "--image", IMAGE)
    machine = Example(f"vellaric-test-modules-{os.getpid()}", tmp_path_factory.mktemp("modules"), *options)
    try:
        machine.prepare()
        machine.have_databases()
        authority = certificates.authority("Example CA")
        leaf = certificates.server(authority)
        (machine.root / "example-ca.crt").write_text(authority.certificate)
        (machine.root / "db.example.com.crt").write_text(leaf.certificate)
        (machine.root / "migrations").mkdir()
        (machine.root / "migrations/0042.sql").write_text("CREATE TABLE migrated (id int);\n")
        (machine.root / "inventory/group_vars").mkdir()
        variables = {**VARIABLES, "vaulted_tls_key": leaf.key}
        (machine.root / "inventory/group_vars/all.yml").write_text(yaml.safe_dump(variables))
        yield machine
    finally:
        machine.stop()


@pytest.mark.parametrize("module", examples())
def test_its_examples_run(machine: Example, module: str) -> None:
    tasks = []
    for task in yaml.safe_load(examples()[module].replace("/srv/", f"{machine.root}/srv/")):
        if task["name"] not in WITHOUT:
            tasks += [*BEFORE.get(task["name"], ()), task]
    play = {"hosts": "postgres_hosts", "gather_facts": False, "tasks": tasks}
    (machine.root / "play.yml").write_text(yaml.safe_dump([play], sort_keys=False))
    # There is one vault id, that of which an example speaks.
    more = {"ANSIBLE_VAULT_IDENTITY_LIST": f"prod@{machine.root}/vault-password", "HOME": str(machine.root)}
    finished = machine.command("ansible-playbook", "play.yml", **more)
    assert finished.returncode == 0, finished.stdout + finished.stderr

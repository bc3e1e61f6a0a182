# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventory plugin databases: what it returns lets the modules of community.postgresql work in our databases."""

from __future__ import annotations

import json
import os
import subprocess

import harness
import pytest
import yaml

from playbooks import BIN, Fleet

PLUGIN = "vellaric.postgres.databases"
PLAY = """
- name: Work in the database
  hosts: postgres_databases
  gather_facts: false
  module_defaults:
    group/community.postgresql.all:
      login_host: "{{ login_host }}"
      login_port: "{{ login_port }}"
      login_user: "{{ login_user }}"
      login_password: "{{ login_password }}"
      login_db: "{{ login_db }}"
      ssl_mode: verify-ca
      ca_cert: "{{ ca_cert }}"
  tasks:
    - name: Make a table
      community.postgresql.postgresql_table:
        name: visits
        columns: [id bigint, at timestamptz]
    - name: Let the declared user read it
      community.postgresql.postgresql_privs:
        type: table
        objs: visits
        privs: SELECT
        roles: reporting
"""


@pytest.fixture(scope="module")
def fleet():
    host = harness.Host()
    fleet = Fleet(host)
    users = [{"name": "reporting", "role": "readonly"}]
    # The Docker host itself, from which tasks connect: where the default network lies differs between engines.
    trusted = ["10.0.0.0/8", "172.16.0.0/12"]
    options = {"database_image": harness.IMAGE, "database_pull": "never", "database_trusted_sources": trusted}
    fleet.play("create", database_users=users, **options)
    (fleet.root / "inventory/databases.yml").write_text(yaml.safe_dump({"plugin": PLUGIN}))
    yield fleet
    host.close()


def run(fleet, command, *arguments, inventories=("inventory",)):
    environment = {**os.environ, "ANSIBLE_CONFIG": str(fleet.root / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    options = ["--vault-password-file", "vault-password"]
    options += [option for path in inventories for option in ("-i", path)]
    finished = subprocess.run(
        [str(BIN / command), *arguments, *options],
        env=environment,
        cwd=fleet.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished


def listed(fleet):
    def plain(known):
        """From ansible-core 2.19 on, text that is no template is marked in the list."""
        return known["__ansible_unsafe"] if set(known) == {"__ansible_unsafe"} else known

    return json.loads(run(fleet, "ansible-inventory", "--list").stdout, object_hook=plain)


def login(fleet):
    return {"user": fleet.host.record("shop")["username"], "password": fleet.password()}


def configure(fleet, **options):
    (fleet.root / "inventory/databases.yml").write_text(yaml.safe_dump({"plugin": PLUGIN, **options}))


def test_hosts_groups_and_variables(fleet):
    configure(fleet)
    answer = listed(fleet)
    container = fleet.host.container("shop") + "@local"
    for group in ("databases", "environment_development", "version_15", "status_active", "role_primary", "on_local"):
        assert answer[f"postgres_{group}"]["hosts"] == [container]
    variables = answer["_meta"]["hostvars"][container]
    record = fleet.host.record("shop")
    assert variables["login_port"] == record["port"] and variables["login_user"] == record["username"]
    assert variables["login_host"] == "127.0.0.1" and variables["login_db"] == fleet.host.name("shop")
    assert variables["postgres_database"]["id"] == record["id"]
    assert fleet.password() not in json.dumps(answer)


def test_modules_of_community_postgresql_work_there(fleet):
    configure(fleet)
    (fleet.root / "play.yml").write_text(PLAY)
    output = run(fleet, "ansible-playbook", "play.yml", "-vvv").stdout
    assert "changed=2" in output and fleet.password() not in output
    assert fleet.host.psql("shop", "SELECT 1") == "1"
    query = "SELECT has_table_privilege('reporting', 'visits', 'SELECT')"
    assert fleet.host.query("shop", query, **login(fleet)) == [(True,)]
    assert "changed=0" in run(fleet, "ansible-playbook", "play.yml").stdout


def test_from_the_controller(fleet):
    configure(fleet, connect_from="controller")
    variables = listed(fleet)["_meta"]["hostvars"][fleet.host.container("shop") + "@local"]
    assert variables["ansible_connection"] == "local" and "postgres_certificate_file" in variables["ca_cert"]


def test_a_docker_host_that_cannot_be_asked(fleet):
    """It is named in a warning, and the others are there; with strict it is an error."""
    lost = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_connection": "ssh"}
    hosts = yaml.safe_load((fleet.root / "inventory/hosts.yml").read_text())
    more = {"postgres_hosts": {"hosts": {**hosts["postgres_hosts"]["hosts"], "lost": lost}}}
    (fleet.root / "others.yml").write_text(yaml.safe_dump(more))
    configure(fleet, inventory=["../others.yml"])
    finished = run(fleet, "ansible-inventory", "--list")
    assert fleet.host.container("shop") in finished.stdout
    assert "lost could not be asked" in " ".join(finished.stderr.split())
    configure(fleet, inventory=["../others.yml"], strict=True)
    assert "lost could not be asked" in " ".join(run(fleet, "ansible-inventory", "--list").stderr.split())
    configure(fleet)


def test_a_cache_is_used(fleet):
    cache = str(fleet.root / "cache")
    configure(fleet, cache=True, cache_plugin="ansible.builtin.jsonfile", cache_connection=cache)
    before = listed(fleet)
    fleet.host.run("shop", state="stopped", partial=True, username=None, password=None, image=None, pull=None)
    assert listed(fleet) == before
    run(fleet, "ansible-inventory", "--list", "--flush-cache")
    configure(fleet)
    answer = listed(fleet)
    assert answer["postgres_status_stopped"]["hosts"] == [fleet.host.container("shop") + "@local"]
    assert "postgres_role_primary" not in answer
    fleet.host.run("shop", state="started", partial=True, username=None, password=None, image=None, pull=None)


def documented():
    """The examples of the plugin: two configurations and a playbook."""
    source = (harness.REPOSITORY / "plugins/inventory/databases.py").read_text()
    return source.partition('EXAMPLES = r"""')[2].partition('"""')[0].split("\n---\n")


def test_the_examples_as_they_stand(fleet):
    """From the Docker host, which is among the trusted sources, and from the controller."""
    beside, controller, playbook = documented()
    (fleet.root / "inventory/databases.yml").write_text(beside)
    (fleet.root / "inventory/controller.databases.yml").write_text(controller)
    (fleet.root / "tables.yml").write_text(playbook)
    try:
        for name in ("databases.yml", "controller.databases.yml"):
            fleet.host.query("shop", "DROP TABLE IF EXISTS visits", **login(fleet))
            inventories = ("inventory/hosts.yml", f"inventory/{name}")
            output = run(fleet, "ansible-playbook", "tables.yml", inventories=inventories).stdout
            tasks = output.partition("See to the table]")[2]
            assert "changed: [" + fleet.host.container("shop") + "@local]" in tasks, output
            assert fleet.host.query("shop", "SELECT count(*) FROM visits", **login(fleet)) == [(0,)]
    finally:
        (fleet.root / "inventory/controller.databases.yml").unlink()
        configure(fleet)

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Offers the databases of Docker hosts as hosts of an inventory."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: databases
short_description: The PostgreSQL databases of Docker hosts, as hosts
description:
  - Asks the Docker hosts of another inventory for their databases and offers each as a host, named as its container,
    with the variables that the modules of community.postgresql need to connect.
  - It asks with Ansible itself (module M(vellaric.postgres.postgres_db_info)), so that connection, privilege escalation
    and interpreter are those of the other inventory.
  - Its file is called C(databases.yml) or ends in C(.databases.yml), and stands beside that inventory or names it with
    O(inventory). Use both (C(-i hosts.yml -i databases.yml), or a directory), so that the credentials of the Docker
    hosts are found.
  - "Groups: C(postgres_databases) has all of them, and there is one for each C(postgres_environment_production),
    C(postgres_version_15), C(postgres_status_active), C(postgres_role_primary) and C(postgres_on_docker1) of theirs,
    besides what O(keyed_groups) and O(groups) make. The version and the role of one that does not run are not known."
version_added: 0.1.0
author:
  - Vellaric contributors (@vellaric)
extends_documentation_fragment:
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
options:
  plugin:
    description: Says that the file is for this plugin.
    type: str
    required: true
    choices: [vellaric.postgres.databases]
  inventory:
    description:
      - Inventories that have the Docker hosts, as paths relative to this file.
    type: list
    elements: str
    default: [hosts.yml]
  hosts:
    description: Pattern of the Docker hosts.
    type: str
    default: postgres_hosts
  connect_from:
    description:
      - V(docker_host) lets tasks for a database run on its Docker host and connect to it at the address it is published
        at. That works for each, also where it is published to the Docker host alone. psycopg has to be installed there.
      - V(controller) lets them run on the controller and connect to what applications connect to.
    type: str
    choices: [docker_host, controller]
    default: docker_host
  timeout:
    description: Seconds that the Docker hosts may take to answer, all together.
    type: int
    default: 120
notes:
  - A Docker host that cannot be asked is named in a warning, and the others are there. With O(strict=true) it is an
    error.
  - Variables of the other inventory that are encrypted need the vault secret that ansible.cfg or
    E(ANSIBLE_VAULT_PASSWORD_FILE) or E(ANSIBLE_VAULT_IDENTITY_LIST) name. What is typed in does not reach it.
seealso:
  - module: vellaric.postgres.postgres_db_info
"""

EXAMPLES = r"""
# inventory/databases.yml, beside inventory/hosts.yml
plugin: vellaric.postgres.databases

---
# Only production, from the controller, in groups of one's own
plugin: vellaric.postgres.databases
inventory: [../hosts.yml]
hosts: postgres_hosts:&production
connect_from: controller
keyed_groups:
  - prefix: base
    key: postgres_database.name
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: .cache/databases

---
# A play for the production databases: what the modules of community.postgresql need to connect is there by name.
- name: See to a table in each database
  hosts: postgres_environment_production
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
    - name: See to the table
      community.postgresql.postgresql_table:
        name: visits
        columns: [id bigint, at timestamptz]
"""

import json
import os
import subprocess
import sys
import tempfile

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.utils.unsafe_proxy import wrap_var
from ansible_collections.vellaric.postgres.plugins.plugin_utils.databases import hosts_of

try:
    # From ansible-core 2.19 on, no text is a template that is not marked as one.
    from ansible.template import trust_as_template
except ImportError:
    trust_as_template = None

MODULE = "vellaric.postgres.postgres_db_info"
# Where the roles look for them, as the variables of the Docker hosts say.
ARGUMENTS = {
    "data_root": "{{ database_data_root | default('/var/vellaric/postgres') }}",
    "docker_host": "{{ database_docker_host | default('unix:///var/run/docker.sock') }}",
    "gather": ["settings", "replication"],
}


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    NAME = "vellaric.postgres.databases"

    def verify_file(self, path):
        return super().verify_file(path) and path.endswith(("databases.yml", "databases.yaml"))

    def parse(self, inventory, loader, path, cache=True):
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        self.load_cache_plugin()
        key = self.get_cache_key(path)
        use = cache and self.get_option("cache")
        answers = self._cache.get(key) if use else None
        if answers is None:
            answers = self._ask(path)
            if self.get_option("cache"):
                self._cache[key] = answers
        self._populate(answers)

    def _ask(self, path):
        """Return what is known of each Docker host that answered, as hosts_of takes it."""
        with tempfile.TemporaryDirectory(prefix="vellaric-databases-") as directory:
            # The options of a module may be given as JSON, and are templates of the host's.
            asked = ["adhoc", self.get_option("hosts"), "-m", MODULE, "-a", json.dumps(ARGUMENTS), "--tree", directory]
            finished = self._run(path, asked)
            found = {name: _read(os.path.join(directory, name)) for name in sorted(os.listdir(directory))}
        if not found and finished.returncode:
            said = (finished.stderr or finished.stdout).strip().splitlines()
            raise AnsibleParserError(f"Could not ask the Docker hosts for their databases: {' '.join(said[-3:])}")
        for name, answer in found.items():
            if "databases" not in answer:
                self._complain(f"Docker host {name} could not be asked for its databases: {answer.get('msg')}")
        known = json.loads(self._run(path, ["inventory", "--list"]).stdout or "{}").get("_meta", {}).get("hostvars", {})
        return {
            name: {
                "databases": answer["databases"],
                "connection": sorted(variable for variable in known.get(name, {}) if variable.startswith("ansible_")),
            }
            for name, answer in found.items()
            if "databases" in answer
        }

    def _run(self, path, command):
        """Run one of Ansible's commands on the other inventories."""
        directory = os.path.dirname(os.path.abspath(path))
        for source in self.get_option("inventory"):
            command = [*command, "-i", os.path.normpath(os.path.join(directory, source))]
        try:
            return subprocess.run(
                [sys.executable, "-m", "ansible", *command],
                env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=self.get_option("timeout"),
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise AnsibleParserError(
                f"The Docker hosts did not answer within {self.get_option('timeout')} s (option timeout of {path})"
            ) from None

    def _complain(self, message):
        if self.get_option("strict"):
            raise AnsibleParserError(message)
        self.display.warning(message)

    def _populate(self, answers):
        self.inventory.add_group("postgres_databases")
        for host in hosts_of(answers, self.get_option("connect_from")):
            name = self.inventory.add_host(host.name, group="postgres_databases")
            for group in host.groups:
                self.inventory.add_child(self.inventory.add_group(group), name)
            for variable, value in host.variables.items():
                self.inventory.set_variable(name, variable, _plain(value))
            for variable, expression in host.templates.items():
                self.inventory.set_variable(name, variable, _template(expression))
            strict = self.get_option("strict")
            self._set_composite_vars(self.get_option("compose"), host.variables, name, strict=strict)
            self._add_host_to_composed_groups(self.get_option("groups"), host.variables, name, strict=strict)
            self._add_host_to_keyed_groups(self.get_option("keyed_groups"), host.variables, name, strict=strict)


def _read(path):
    with open(path, encoding="utf-8") as stream:
        return json.load(stream)


def _template(expression):
    """Return our own text as a template."""
    return expression if trust_as_template is None else trust_as_template(expression)


def _plain(value):
    """Return what a Docker host answered so that nothing in it is taken for a template."""
    return wrap_var(value) if trust_as_template is None else value

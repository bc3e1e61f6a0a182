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
  - Asks the Docker hosts of another inventory for their databases and offers each as a host, named as its container and
    its Docker host (C(shop-production-postgres@docker1)), with the variables that the modules of community.postgresql
    need to connect.
  - It asks with Ansible itself (module M(vellaric.postgres.postgres_db_info)), so that connection, privilege escalation
    and interpreter are those of the other inventory.
  - Its file is called C(databases.yml) or ends in C(.databases.yml), and stands beside that inventory or names it with
    O(inventory). Use both (C(-i hosts.yml -i databases.yml), or a directory), so that the credentials of the Docker
    hosts are found.
  - "Groups: C(postgres_databases) has all of them, and there is one for each C(postgres_environment_production),
    C(postgres_version_15), C(postgres_status_active), C(postgres_role_primary) and C(postgres_on_docker1) of theirs,
    besides what O(keyed_groups) and O(groups) make. The version and the role of one that does not run are not known."
  - "Variables: C(login_host), C(login_port), C(login_user), C(login_password), C(login_db), C(ssl_mode), C(ca_cert)
    (a file where the tasks run), C(postgres_database) (what M(vellaric.postgres.postgres_db_info) returns),
    C(postgres_docker_host), C(postgres_version) and C(postgres_role)."
  - "What a Docker host answers is not trusted: none of it is evaluated as a template, it takes no name that the
    inventory has for another host, and O(keyed_groups) add a database to no group that has other hosts in it. A Docker
    host whose answer is not one of the module is left out."
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
        at, also where it is published to the Docker host alone. psycopg has to be installed there. Where the database
        has trusted sources, the Docker host needs to be among them, by its address in the network of the containers,
        such as V(172.17.0.1).
      - V(controller) lets them run on the controller and connect to what applications connect to. psycopg has to be
        installed there, the database to be published to other machines, and the controller to be among its trusted
        sources.
    type: str
    choices: [docker_host, controller]
    default: docker_host
  via:
    description:
      - V(server) lets tasks connect to the servers themselves.
      - V(pooler) lets them connect by way of the pooler, where a database has one, and V(pooler_session) there by the
        name under which they keep a connection to the server.
    type: str
    choices: [server, pooler, pooler_session]
    default: server
  timeout:
    description: Seconds that the Docker hosts may take to answer, all together.
    type: int
    default: 120
notes:
  - A Docker host that cannot be asked is named in a warning, and the others are there. With O(strict=true) it is an
    error. So is one whose answer is odd.
  - Variables of the other inventory that are encrypted need the vault secret that ansible.cfg or
    E(ANSIBLE_VAULT_PASSWORD_FILE) or E(ANSIBLE_VAULT_IDENTITY_LIST) name. What is typed in does not reach it.
seealso:
  - module: vellaric.postgres.postgres_db_info
  - plugin: vellaric.postgres.postgres_certificate_file
    plugin_type: lookup
"""

EXAMPLES = r"""
# inventory/databases.yml, beside inventory/hosts.yml
plugin: vellaric.postgres.databases

---
# inventory/controller.databases.yml: from the controller, where psycopg is beside Ansible, and in groups of one's own
plugin: vellaric.postgres.databases
hosts: postgres_hosts
connect_from: controller
keyed_groups:
  - prefix: base
    key: postgres_database.name
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: .cache/databases

---
# tables.yml, for either of the two: ansible-playbook -i inventory/hosts.yml -i inventory/databases.yml tables.yml
- name: Install what the modules of community.postgresql connect with on the Docker hosts
  hosts: postgres_hosts
  gather_facts: false
  become: true
  tasks:
    - name: Install psycopg
      ansible.builtin.package:
        name: python3-psycopg2

- name: See to a table in each database
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
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.utils.unsafe_proxy import wrap_var
from ansible_collections.vellaric.postgres.plugins.plugin_utils import answers as known
from ansible_collections.vellaric.postgres.plugins.plugin_utils.databases import hosts_of
from ansible_collections.vellaric.postgres.plugins.plugin_utils.typed import clean

if TYPE_CHECKING:
    from ansible_collections.vellaric.postgres.plugins.plugin_utils.databases import InventoryHost

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
# Every host is in one of these.
_EVERYBODY = ("all", "ungrouped")


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    NAME = "vellaric.postgres.databases"

    inventory: InventoryData

    def verify_file(self, path: str) -> bool:
        return super().verify_file(path) and path.endswith(("databases.yml", "databases.yaml"))

    def parse(self, inventory: InventoryData, loader: Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        self.load_cache_plugin()
        key = self.get_cache_key(path)
        use = cache and self.get_option("cache")
        asked = self._cache.get(key) if use else None
        # A cache may have been filled by another release.
        if not isinstance(asked, dict) or not {"answers", "hosts", "groups"} <= set(asked):
            asked = self._ask(path)
            if self.get_option("cache"):
                self._cache[key] = asked
        self._populate(self._read(asked["answers"]), asked["hosts"], asked["groups"])

    def _ask(self, path: str) -> dict[str, Any]:
        """Return what each Docker host answered, how it is reached, and what the other inventories have."""
        with tempfile.TemporaryDirectory(prefix="vellaric-databases-") as directory:
            # The options of a module may be given as JSON, and are templates of the host's.
            asked = ["adhoc", self.get_option("hosts"), "-m", MODULE, "-a", json.dumps(ARGUMENTS), "--tree", directory]
            finished = self._run(path, asked)
            found = {name: _load(os.path.join(directory, name)) for name in sorted(os.listdir(directory))}
        if not found and finished.returncode:
            raise AnsibleParserError(f"Could not ask the Docker hosts for their databases: {_said(finished)}")
        listed = self._run(path, ["inventory", "--list"])
        if listed.returncode:
            raise AnsibleParserError(f"Could not read the inventory of the Docker hosts: {_said(listed)}")
        inventory = json.loads(listed.stdout)
        hosts = inventory.pop("_meta", {}).get("hostvars", {})
        return {
            "answers": {
                name: {
                    "answer": answer,
                    "connection": sorted(each for each in hosts.get(name, {}) if each.startswith("ansible_")),
                }
                for name, answer in found.items()
            },
            "hosts": sorted({*hosts, *(host for group in inventory.values() for host in group.get("hosts", ()))}),
            "groups": sorted(name for name, group in inventory.items() if group.get("hosts") or group.get("children")),
        }

    def _read(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return what hosts_of takes, without the Docker hosts that gave no databases, or none that could be."""
        found = {}
        for name, one in asked.items():
            try:
                if not isinstance(one["answer"], dict) or "databases" not in one["answer"]:
                    text = f"Docker host {name} could not be asked for its databases: {known.message(one['answer'])}"
                    self._complain(text)
                    continue
                databases, odd = known.read(one["answer"])
            except known.Odd as error:
                self._complain(f"Docker host {name} is left out, since its answer is odd: {error}")
                continue
            for text in odd:
                self._complain(f"The answer of Docker host {name} is odd, and what is so is left out: {text}")
            found[name] = {"databases": databases, "connection": one["connection"]}
        return found

    def _run(self, path: str, command: list[str]) -> subprocess.CompletedProcess[str]:
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
                encoding="utf-8",
                errors="replace",
                timeout=self.get_option("timeout"),
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise AnsibleParserError(
                f"The Docker hosts did not answer within {self.get_option('timeout')} s (option timeout of {path})"
            ) from None

    def _complain(self, message: str) -> None:
        message = " ".join(clean(message).split())
        if self.get_option("strict"):
            raise AnsibleParserError(message)
        self.display.warning(message)

    def _populate(self, answers: dict[str, dict[str, Any]], others: list[str], groups: list[str]) -> None:
        """Add a host for each database. others, groups: hosts and groups of other inventories, which stay theirs."""
        found = hosts_of(answers, self.get_option("connect_from"), self.get_option("via"))
        ours = {host.name for host in found if self._is_ours(host, others)}
        # Groups whose members somebody else has chosen. That hosts put themselves into them is not meant.
        taken = {*_EVERYBODY, *groups}
        for name, group in self.inventory.groups.items():
            taken.update([name] if any(member.name not in ours for member in group.get_hosts()) else [])
        self.inventory.add_group("postgres_databases")
        for host in found:
            if host.name not in ours:
                self._complain(f"{host.name} is left out: the inventory has another host, or a group, of that name")
                continue
            name = self.inventory.add_host(host.name, group="postgres_databases")
            for group in host.groups:
                self.inventory.add_child(self.inventory.add_group(group), name)
            values = {variable: _value(value) for variable, value in host.variables.items()}
            for variable, value in values.items():
                self.inventory.set_variable(name, variable, value)
            for variable, expression in host.templates.items():
                self.inventory.set_variable(name, variable, _template(expression))
            strict = self.get_option("strict")
            self._set_composite_vars(self.get_option("compose"), values, name, strict=strict)
            self._add_host_to_composed_groups(self.get_option("groups"), values, name, strict=strict)
            self._add_to_keyed_groups(values, name, taken)

    def _is_ours(self, host: InventoryHost, others: list[str]) -> bool:
        """Say whether a name is free, or that of the same database, which another file for this plugin has named."""
        if host.name in self.inventory.groups or host.name in others:
            return False
        present = self.inventory.hosts.get(host.name)
        return present is None or present.vars.get("postgres_docker_host") == host.docker_host

    def _add_to_keyed_groups(self, values: dict[str, Any], name: str, taken: set[str]) -> None:
        """Add a host to groups that are named by what is known of it, but to none that has others in it already."""
        inventory, self.inventory = self.inventory, InventoryData()
        try:
            self.inventory.add_host(name)
            options = self.get_option("keyed_groups"), values, name
            self._add_host_to_keyed_groups(*options, strict=self.get_option("strict"))
            wanted = {group.name: group for group in self.inventory.groups.values() if group.name not in _EVERYBODY}
        finally:
            self.inventory = inventory
        for group in wanted:
            if group in taken or group in inventory.hosts:
                self._complain(
                    f"{name} is not added to group {group}, which is not one of databases: give keyed_groups a prefix"
                )
        free = {group: made for group, made in wanted.items() if group not in taken and group not in inventory.hosts}
        for group in free:
            inventory.add_group(group)
        for group, made in free.items():
            if any(member.name == name for member in made.hosts):
                inventory.add_child(group, name)
            for child in made.child_groups:
                if child.name in free:
                    inventory.add_child(group, child.name)


def _load(path: str) -> Any:
    """Return what a Docker host answered, or nothing where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return json.load(stream)
    except (ValueError, RecursionError):
        return None


def _said(finished: subprocess.CompletedProcess[str]) -> str:
    """Return the end of what a command of Ansible's said, in one line."""
    return " ".join(clean(" ".join((finished.stderr or finished.stdout).strip().splitlines()[-3:])).split())


def _template(expression: str) -> str:
    """Return our own text as a template."""
    return expression if trust_as_template is None else trust_as_template(expression)


def _value(value: Any) -> Any:
    """Return what a Docker host answered so that nothing in it is taken for a template, wherever it goes."""
    return wrap_var(value) if trust_as_template is None else value

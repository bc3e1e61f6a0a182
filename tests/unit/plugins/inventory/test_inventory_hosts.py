# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventory plugin databases, given what Docker hosts answer: with Ansible's own inventory and templates."""

from __future__ import annotations

import os

import pytest
from ansible.errors import AnsibleError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.vellaric.postgres.plugins.inventory.databases import InventoryModule
from ansible_collections.vellaric.postgres.tests.unit import mutated

try:
    from ansible.template import trust_as_template
except ImportError:

    def trust_as_template(text):
        return text


CONTAINER = "shop-development-postgres"
OPTIONS = {
    "connect_from": "docker_host",
    "via": "server",
    "strict": False,
    "compose": {"composed": "postgres_database.image ~ '!'", "deeper": "postgres_database"},
    "groups": {"with_it": "postgres_database.settings.work_mem is defined"},
    "keyed_groups": [{"key": "postgres_database.name", "prefix": "", "separator": ""}],
    # Deprecated names of these are read, too.
    "use_extra_vars": False,
    "leading_separator": True,
}
# Which of the collection's lookups are found is another matter than whether they are evaluated.
REFERENCES = ("login_password", "ca_cert", "ansible_python_interpreter")


def trusted(value):
    """What a person has written into a file of configuration."""
    if isinstance(value, dict):
        return {key: trusted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [trusted(item) for item in value]
    return trust_as_template(value) if isinstance(value, str) else value


class Inventory:
    """An inventory that has what others have made, and then what the plugin makes of answers."""

    def __init__(self, **options):
        self.data, self.complaints = InventoryData(), []
        self.data.add_group("production")
        self.data.add_host("bastion", group="production")
        self.data.set_variable("bastion", "ansible_host", "192.0.2.1")
        self.plugin = InventoryModule()
        self.plugin._options = trusted({**OPTIONS, **options})
        self.plugin.inventory = self.data
        self.plugin.templar = Templar(loader=DataLoader(), variables={})
        self.plugin.display = self

    def warning(self, message, **more):
        self.complaints.append(message)

    def take(self, hosts=("docker1",), groups=("postgres_hosts",), **answers):
        asked = {name: {"answer": answer, "connection": ["ansible_user"]} for name, answer in answers.items()}
        self.plugin._populate(self.plugin._read(asked), list(hosts), list(groups))
        return self

    def evaluated(self, name):
        """All variables of a host, evaluated as a play does, and once more in a template of the play's."""
        variables = {**self.data.hosts[name].vars, "hostvars": {"docker1": {"ansible_user": "root"}}}
        templar = Templar(loader=DataLoader(), variables=variables)
        used = "{{ " + " ~ ".join(key for key in variables if key not in (*REFERENCES, "hostvars")) + " }}"
        return templar.template(trust_as_template(used))


def answer(**changed):
    database = {**mutated.recorded()["databases"][0], **changed}
    if "name" in changed:
        database["container_name"] = f"{changed['name']}-development-postgres"
    return {"databases": [database]}


@pytest.fixture(autouse=True)
def not_owned():
    yield
    assert not os.path.exists(mutated.OWNED)


def test_a_database_is_a_host():
    inventory = Inventory().take(docker1=answer())
    host = inventory.data.hosts[f"{CONTAINER}@docker1"]
    assert host.vars["composed"] == "vellaric/postgres:15-bookworm!"
    assert {group.name for group in host.groups} >= {"postgres_databases", "postgres_version_15", "shop", "with_it"}
    assert inventory.complaints == []
    inventory.evaluated(host.name)


HOSTILE = [text for text in mutated.TEXTS if "{" in text or "pipe" in text]
NAMES = ["bastion", "localhost", "all", "production", f"x'] ~ {mutated.OWNED} ~ ['"]


# The texts differ from process to process, and the names of the tests do not.
@pytest.mark.parametrize("text", HOSTILE, ids=map(str, range(len(HOSTILE))))
def test_text_of_a_host_is_no_template(text):
    inventory = Inventory().take(docker1=answer(image=text, settings={"work_mem": text, text: text}, username=text))
    (name,) = inventory.data.groups["postgres_databases"].hosts
    assert text in inventory.evaluated(name.name)
    assert name.vars["composed"] == text + "!"


@pytest.mark.parametrize("container", NAMES, ids=map(str, range(len(NAMES))))
def test_a_container_is_not_taken_for_another_host(container):
    inventory = Inventory().take(docker1=answer(container_name=container), docker2=answer())
    assert [host for host in inventory.data.hosts if host != "bastion"] == [f"{CONTAINER}@docker2"]
    assert inventory.data.hosts["bastion"].vars["ansible_host"] == "192.0.2.1"
    (complaint,) = inventory.complaints
    assert complaint.startswith("Docker host docker1 is left out, since its answer is odd: databases[0].container_name")


def test_a_name_that_the_inventory_has_already_is_left_to_it():
    name = f"{CONTAINER}@docker1"
    inventory = Inventory()
    inventory.data.add_host(name, group="production")
    inventory.take(docker1=answer(), docker2=answer())
    assert set(inventory.data.hosts[name].vars) <= {"inventory_file", "inventory_dir"}
    assert inventory.complaints == [f"{name} is left out: the inventory has another host, or a group, of that name"]
    # Of an inventory that is not read yet, too.
    inventory = Inventory().take(hosts=[name], docker1=answer())
    assert list(inventory.data.hosts) == ["bastion"] and len(inventory.complaints) == 1


def test_two_files_for_the_plugin_may_name_the_same_database():
    inventory = Inventory().take(docker1=answer()).take(docker1=answer())
    assert inventory.complaints == []


@pytest.mark.parametrize("name, prefix", [("production", ""), ("all", ""), ("hosts", "postgres_"), ("bastion", "")])
def test_a_host_does_not_put_itself_into_the_groups_of_others(name, prefix):
    keyed = [{"key": "postgres_database.name", "prefix": prefix, "separator": ""}]
    inventory = Inventory(keyed_groups=keyed).take(docker1=answer(name=name))
    (host,) = inventory.data.groups["postgres_databases"].hosts
    assert prefix + name not in {group.name for group in host.groups} - {"all"}
    assert [member.name for member in inventory.data.groups["production"].get_hosts()] == ["bastion"]
    assert len(inventory.complaints) == (0 if name == "all" else 1)


def test_keyed_groups_may_have_a_parent():
    keyed = [{"key": "postgres_database.name", "prefix": "base", "parent_group": "bases"}]
    inventory = Inventory(keyed_groups=keyed).take(docker1=answer())
    assert [group.name for group in inventory.data.groups["bases"].child_groups] == ["base_shop"]
    assert [host.name for host in inventory.data.groups["bases"].get_hosts()] == [f"{CONTAINER}@docker1"]


def test_what_a_host_says_of_itself_reaches_the_terminal_as_text():
    inventory = Inventory().take(docker1={"msg": "\x1b[2Jno\nengine"}, docker2="x", docker3={"databases": None})
    assert inventory.complaints == [
        "Docker host docker1 could not be asked for its databases: \ufffd[2Jno engine",
        "Docker host docker2 could not be asked for its databases: it gave no answer",
        "Docker host docker3 is left out, since its answer is odd: there is no list of databases in it",
    ]


def test_what_is_odd_of_the_figures_leaves_the_database():
    inventory = Inventory().take(docker1=answer(server_settings={"version": 15}))
    assert f"{CONTAINER}@docker1" in inventory.data.hosts
    assert "server_settings.version is no text" in inventory.complaints[0]


def test_strict_makes_an_error_of_it():
    with pytest.raises(AnsibleError, match="its answer is odd"):
        Inventory(strict=True).take(docker1=answer(port=0))


@pytest.mark.parametrize("connect_from", ["docker_host", "controller"])
def test_mutated_answers(connect_from):
    for number, given in enumerate(mutated.answers(mutated.FEW, "inventory")):
        try:
            inventory = Inventory(connect_from=connect_from).take(docker1=given, docker2=answer())
            assert all(text.isprintable() for text in inventory.complaints)
            assert f"{CONTAINER}@docker2" in inventory.data.hosts
            assert inventory.data.hosts["bastion"].vars["ansible_host"] == "192.0.2.1"
            for name in inventory.data.hosts:
                assert name == "bastion" or name.endswith(("-postgres@docker1", "-postgres@docker2"))
            # Evaluating takes the most time.
            for name in list(inventory.data.hosts) if number % 10 == 0 else ():
                if name.endswith("docker1"):
                    inventory.evaluated(name)
        except Exception as error:
            raise AssertionError(f"answer {number}") from error

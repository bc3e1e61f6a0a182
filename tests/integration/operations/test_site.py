# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbook site and role databases: a fleet declared in group and host variables, on the real engine."""

from __future__ import annotations

import json
import re

import harness
import pytest
import yaml

from playbooks import Fleet, changes

GIVEN = "Given-In_The.Inventory1"
STAND_IN = "vellaric/postgres:15-bookworm"
FACTS = """
- name: Keep the facts
  hosts: postgres_hosts
  gather_facts: false
  tasks:
    - name: Write them
      ansible.builtin.copy:
        content: "{{ {'result': databases_result, 'connections': databases_connections,
          'undeclared': databases_undeclared} | to_json }}"
        dest: "{{ inventory_dir }}/../facts.json"
        mode: "0600"
      check_mode: false
"""


class DeclaredFleet(Fleet):
    """A fleet whose databases are in the variables of the group and of the host."""

    def __init__(self, host):
        super().__init__(host)
        (self.root / "facts.yml").write_text(FACTS)
        self.defaults = {"environment": "development", "sslmode": "require", "memory": "256m", "wait_timeout": 60}
        self.defaults["port_range"] = host.defaults["port_range"]
        self.declare()

    def declare(self, group=(), own=(), **variables):
        """Write the inventory: databases of all hosts of the group, and databases that only this host has."""
        of_group = {
            "databases_defaults": self.defaults,
            "fleet_of_the_group": self.named(group),
            "postgres_databases": "{{ fleet_of_the_group + fleet_of_the_host }}",
        }
        self.write("group_vars/postgres_hosts.yml", of_group)
        self.write("host_vars/local/databases.yml", {"fleet_of_the_host": self.named(own), **variables})

    def named(self, databases):
        return [{**options, "name": self.host.name(options["name"])} for options in databases]

    def write(self, path, variables):
        path = self.root / "inventory" / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(variables))

    def site(self, *options, **more):
        return self.run("site", *options, **more)

    def facts(self, *options):
        """Run site, and return (its facts, its output)."""
        output = self.site("facts.yml", *options)
        return json.loads((self.root / "facts.json").read_text()), output


@pytest.fixture
def fleet(host):
    return DeclaredFleet(host)


def tasks(output):
    """How many tasks have reported something."""
    return len(re.findall(r"^(?:ok|changed|failed|fatal): \[local\]", output, re.MULTILINE))


def leaks(fleet, output, *shorts):
    """The databases whose password is in the output."""
    return [short for short in shorts if fleet.password(short) in output]


def test_a_fleet_from_nothing(fleet):
    """Check mode on a host without anything, then three at once, then nothing to do."""
    own = [{"name": "crm", "password": GIVEN, "username": "crm_app", "memory": None, "settings": {"work_mem": "8MB"}}]
    fleet.declare([{"name": "shop"}, {"name": "forum", "version": "15-alpine", "memory": "300m"}], own)

    output = fleet.site("--check", "--diff", "-vvv")
    # The credentials, and the databases.
    assert changes(output) == 2
    assert fleet.host.untouched() and not fleet.credentials.exists()
    for short in ("shop", "forum", "crm"):
        assert f"{fleet.host.container(short)}: would reserve port" in output
    assert GIVEN not in output

    facts, output = fleet.facts("-vvv", "--diff")
    assert fleet.password("crm") == GIVEN
    assert f"Credentials were stored. Commit: {fleet.credentials}\n" in output
    assert leaks(fleet, output, "shop", "forum", "crm") == []
    assert all(fleet.password(short) not in json.dumps(facts) for short in ("shop", "forum", "crm"))
    assert (
        output.count("vellaric.postgres.postgres_db :") + output.count("TASK [vellaric.postgres.databases : Bring") < 3
    )
    assert [one["changed"] for one in facts["result"]["databases"]] == [True] * 3
    # Where database_backup_root says, as of a single database.
    directories = [one["database"]["backup_directory"] for one in facts["result"]["databases"]]
    root = fleet.host.defaults["backup_root"]
    assert directories == [f"{root}/{fleet.host.container(short)}" for short in ("shop", "forum", "crm")]
    assert list(facts["connections"]) == [fleet.host.container(short) for short in ("shop", "forum", "crm")]
    assert facts["undeclared"] == []
    limits = {}
    for short in ("shop", "forum", "crm"):
        connection = facts["connections"][fleet.host.container(short)]
        login = {"user": connection["username"], "password": fleet.password(short), "sslmode": connection["sslmode"]}
        with fleet.host.connect(short, port=connection["port"], **login) as session:
            assert session.execute("SELECT current_database()").fetchone() == (fleet.host.name(short),)
        inspected = fleet.host.inspect(short)
        limits[short] = inspected["HostConfig"]["Memory"] // 2**20
        assert inspected["Config"]["Image"] == STAND_IN
    # What a database has itself goes before the defaults, and null is none of it.
    assert limits == {"shop": 256, "forum": 300, "crm": 0}
    assert facts["connections"][fleet.host.container("crm")]["username"] == "crm_app"

    stored = fleet.credentials.read_bytes()
    idle = fleet.site("-vvv")
    assert changes(idle) == 0 and "Commit:" not in idle and leaks(fleet, idle, "shop", "forum", "crm") == []
    # One task for all that is done, and one module on the host.
    assert len(re.findall(r"^TASK ", idle, re.MULTILINE)) <= 6
    assert len(set(re.findall(r"ansible-tmp-[\d.-]+/AnsiballZ_\w+", idle))) == 1
    # Nor does check mode take the longer way.
    idle = fleet.site("--check", "--diff")
    assert changes(idle) == 0 and len(re.findall(r"^TASK ", idle, re.MULTILINE)) <= 6
    assert fleet.credentials.read_bytes() == stored


def test_change_absent_undeclared(fleet):
    fleet.declare([{"name": "shop"}, {"name": "old"}, {"name": "left"}])
    first = fleet.facts()[1]
    started = fleet.host.inspect("left")["State"]["StartedAt"]
    steps = tasks(first)

    absent = {"name": "old", "state": "absent", "purge": True}
    fleet.declare([{"name": "shop", "memory": "320m"}, absent], databases_forget_credentials=True)
    stored = fleet.credentials.read_bytes()
    output = fleet.site("--check")
    assert "would" in output and fleet.host.inspect("old") is not None
    assert changes(output) == 2 and fleet.credentials.read_bytes() == stored
    facts, output = fleet.facts("-vvv")
    assert fleet.host.inspect("shop")["HostConfig"]["Memory"] == 320 * 2**20
    assert fleet.host.inspect("old") is None and not fleet.host.directory("old").exists()
    assert fleet.host.container("old") not in fleet.credentials.read_text()
    # Nobody declared it: reported, with what it is, and left alone.
    assert facts["undeclared"] == [fleet.host.container("left")]
    assert f"Not declared, and left alone: {fleet.host.container('left')}." in output
    assert fleet.host.inspect("left")["State"]["StartedAt"] == started
    assert fleet.host.container("left") in fleet.credentials.read_text()
    assert list(facts["connections"]) == [fleet.host.container("shop")]
    assert leaks(fleet, output, "shop", "left") == []
    assert changes(fleet.site()) == 0
    # One that is stopped needs no credentials.
    fleet.declare([{"name": "shop", "state": "stopped"}])
    assert changes(fleet.site(vault=False)) == 1
    assert fleet.host.one("shop")["status"] == "stopped"
    # However many there are, there are as many tasks.
    assert tasks(fleet.site()) <= steps


def test_one_that_fails(fleet):
    """A port that is taken fails one database; the others are there, and the play fails with what was wrong."""
    taken = fleet.host.ports[1]
    fleet.declare([{"name": "first"}, {"name": "bad", "port": taken, "password": GIVEN}, {"name": "last"}])
    with harness.listener(taken):
        output = fleet.site("-vvv", succeeds=False)
    assert f"{taken}" in output and "1 of 3 failed" in output
    assert re.search(rf"{fleet.host.container('bad')}: failed: .*{taken}", output)
    # Ansible's own words for it are about that one alone.
    fatal = output[output.index("fatal: [local]") : output.index("PLAY RECAP")]
    assert (
        fleet.host.container("bad") in fatal and fleet.host.container("first") not in fatal and str(taken) not in fatal
    )
    assert fleet.host.one("first")["status"] == fleet.host.one("last")["status"] == "active"
    assert fleet.host.inspect("bad") is None
    assert leaks(fleet, output, "first", "last") == [] and GIVEN not in output
    # A run that is refused stores nothing.
    assert fleet.host.container("bad") not in fleet.credentials.read_text()
    # What was in the way is gone.
    fleet.site()
    assert fleet.host.one("bad")["status"] == "active"
    assert changes(fleet.site()) == 0
    # One that cannot be deleted keeps its credentials.
    kept = {"name": "bad", "state": "absent", "deletion_protection": True}
    fleet.declare([kept, {"name": "last", "state": "absent"}], databases_forget_credentials=True)
    assert "protected from deletion" in fleet.site(succeeds=False)
    assert fleet.host.container("last") not in fleet.credentials.read_text()
    assert fleet.host.container("bad") in fleet.credentials.read_text()


def test_an_image_that_cannot_be_had(fleet):
    fleet.declare([{"name": "good"}, {"name": "bad", "version": "16-nothing-such", "pull": "never"}])
    output = fleet.site(succeeds=False)
    assert fleet.host.one("good")["status"] == "active"
    assert re.search(rf"{fleet.host.container('bad')}: failed: ", output)


def test_declarations_that_are_not_right(fleet):
    del fleet.defaults["environment"]
    named = {"name": "shop", "environment": "development"}
    fleet.declare([named, {"name": "nowhere", "password": GIVEN}])
    output = fleet.site("-vvv", succeeds=False)
    assert "counted from 1, these lack one: 2" in output and GIVEN not in output
    fleet.declare([named, {**named, "password": GIVEN}])
    output = fleet.site("-vvv", succeeds=False)
    assert "twice" in output and GIVEN not in output
    fleet.declare([{**named, "memroy": "1g", "password": GIVEN}])
    output = fleet.site("-vvv", succeeds=False)
    assert f"{fleet.host.container('shop')}: there is no option memroy, did you mean memory?" in output
    assert GIVEN not in output
    fleet.declare([{**named, "sslmode": "always", "password": GIVEN}])
    output = fleet.site("-vvv", succeeds=False)
    assert "value of sslmode must be one of" in output and GIVEN not in output
    # Nothing was made for those that are right, either.
    fleet.declare([{**named, "name": "good"}, {**named, "memory": "much"}])
    assert "Nothing was changed. " in fleet.site(succeeds=False)
    assert fleet.host.untouched() and not fleet.credentials.exists()
    assert fleet.host.untouched()


def test_no_engine_yet(fleet):
    """Check mode on a host that is not prepared predicts all the same; a run says what is missing."""
    fleet.declare([{"name": "shop"}], databases_docker_host=f"unix://{fleet.root}/no-engine.sock")
    assert f"{fleet.host.container('shop')}: would reserve port" in fleet.site("--check")
    assert "vellaric.postgres.docker_host" in fleet.site(succeeds=False)
    assert fleet.host.untouched()


def test_nothing_declared(fleet):
    output = fleet.site()
    assert changes(output) == 0
    assert not fleet.credentials.exists()
    assert "vault" in (fleet.declare([{"name": "shop"}]), fleet.site(vault=False, succeeds=False))[1]
    assert fleet.host.untouched()

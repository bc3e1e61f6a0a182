# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker hosts that mean harm to the controller, or to others: what they answer is shown as text, or not at all."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent))

from controllers import Controller, answer  # noqa: E402

ESCAPES = "\x1b[2J\x1b]0;owned\x07\x00\x9b31m\u202e"
# Also what differs little from what is tried always.
THOROUGH = bool(os.environ.get("VELLARIC_TEST_THOROUGH"))
GOOD = "shop-development-postgres@good"
# All that is known of a database and of a Docker host, in templates of a play's.
PLAY = """
- name: Use what the inventory has
  hosts: postgres_databases
  gather_facts: false
  tasks:
    - name: Use it
      ansible.builtin.debug:
        msg:
          - "{{ postgres_database.settings }} {{ login_user }} {{ login_host }} {{ composed }} {{ deeper }}"
          - "{{ ca_cert }}"
      delegate_to: localhost
    - name: Keep it
      ansible.builtin.set_fact:
        kept: "{{ [composed, postgres_database.settings] }}"
    - name: Use what was kept
      ansible.builtin.debug:
        msg: "{{ kept }}"
      delegate_to: localhost
"""


def hostile(controller):
    """Answers that say of themselves what they like. By name, with whether the database is there all the same."""
    run = f"lookup('pipe', 'touch {controller.owned}')"
    template = f"{{{{ {run} }}}}"
    texts = ("username", "owner", "host", "database", "sslmode", "image", "ca_file", "bind_address", "status_reason")
    deep = []
    for level in range(200):
        deep = [deep]
    named = {"settings": {"work_mem": template, template: template}, "users": [{"name": template}]}
    return {
        "templates": (answer(**dict.fromkeys(texts, template), **named, ca_certificate=template), True),
        "literal": (answer(container_name=f"x'] ~ {run} ~ ['"), False),
        "quotes": (answer(container_name=f"x\"'\\'] ~ {run} ~ [\"'"), False),
        "version": (answer(server_settings={"version": template}, replication={"role": f"primary {template}"}), True),
        "like_bastion": (answer(container_name="bastion"), False),
        "like_localhost": (answer(name="localhost", container_name="localhost"), False),
        "escapes": (answer(image=ESCAPES, username=ESCAPES, settings={ESCAPES: ESCAPES}), True),
        "figures": (answer(statistics={"size_bytes": float("nan")}), True),
        "failing": ({"failed": True, "msg": f"{ESCAPES}{template}"}, False),
        "deep": (answer(settings={"x": deep}), False),
        "nonsense": ({"databases": [[[ESCAPES]]]}, False),
    }


@pytest.fixture(scope="module")
def controller(tmp_path_factory):
    controller = Controller(tmp_path_factory.mktemp("controller"))
    return controller.answering(good=answer(), **{name: given for name, (given, there) in hostile(controller).items()})


@pytest.mark.parametrize("connect_from", ["docker_host", "controller"] if THOROUGH else ["docker_host"])
def test_the_inventory_takes_no_template_and_no_other_host_from_a_docker_host(controller, connect_from):
    configuration = {
        "plugin": "vellaric.postgres.databases",
        "connect_from": connect_from,
        "compose": {"composed": "login_user ~ '-' ~ login_host", "deeper": "postgres_database.settings"},
        "keyed_groups": [{"key": "login_user", "prefix": "", "separator": ""}],
    }
    (controller.root / "inventory/databases.yml").write_text(yaml.safe_dump(configuration))
    try:
        listed = controller.listed()
        variables = listed["_meta"]["hostvars"]
        there = [name for name, (given, there) in hostile(controller).items() if there]
        names = [GOOD, *(f"shop-development-postgres@{name}" for name in there)]
        assert sorted(listed["postgres_databases"]["hosts"]) == sorted(names)
        assert variables["bastion"]["ansible_host"] == "192.0.2.1"
        assert variables["bastion"]["ansible_connection"] == "ssh"
        assert "localhost" not in variables
        template = f"{{{{ lookup('pipe', 'touch {controller.owned}') }}}}"
        said = variables["shop-development-postgres@templates"]
        assert said["login_user"] == template and said["composed"].startswith(template)
        (controller.root / "play.yml").write_text(PLAY)
        # The certificate of one is no certificate.
        output = controller.run("ansible-playbook", "play.yml", succeeds=None)
        assert output.count("touch") > 5 or connect_from == "controller"
        assert f"{GOOD} " in output.partition("PLAY RECAP")[2]
    finally:
        (controller.root / "inventory/databases.yml").unlink()


@pytest.mark.parametrize("view", ["list", "stats", "slow_queries", "check"] if THOROUGH else ["check"])
def test_a_fleet_is_shown_without_what_is_odd(controller, view):
    output = controller.run("ansible-playbook", f"vellaric.postgres.{view}", succeeds=False)
    for name in ("literal", "quotes", "like_bastion", "like_localhost", "deep", "nonsense"):
        assert f"{name}: its answer is odd: databases[0]" in output
    assert "figures: its answer is odd: shop-development-postgres: statistics.size_bytes is out of range" in output
    assert "failing: " in output and "could not be asked" in output
    assert "shop" in output and "good" in output


def test_the_page_and_the_document_are_made(controller):
    controller.run("ansible-playbook", "vellaric.postgres.report", succeeds=False)
    page = (controller.root / "postgres-report/index.html").read_text()
    assert "literal</b> is not in this report: its answer is odd" in page and "\x1b" not in page
    written = controller.root / "stats.json"
    options = ["-e", "output=json", "-e", f"report_dest={written}"]
    output = controller.run("ansible-playbook", "vellaric.postgres.stats", *options, succeeds=False)
    known = json.loads(written.read_text(), parse_constant=pytest.fail)
    assert {one["inventory_host"] for one in known["databases"]} >= {"good", "templates", "escapes"}
    assert "CUSTOM STATS" in output and "NaN" not in output.partition("CUSTOM STATS")[2]


def test_what_a_run_came_to_is_told_as_text(controller):
    """What module postgres_db would return: role databases tells it, sets facts with it, and hands it on."""
    run = f"{{{{ lookup('pipe', 'touch {controller.owned}') }}}}"
    outcome = {
        "container_name": f"{run}{ESCAPES}",
        "database": {**answer()["databases"][0], "host": run, "username": run},
        "actions": [{"verb": "x", "summary": f"{run}{ESCAPES}"}],
        "pending": [{"summary": run}],
    }
    controller.answering(
        telling={"databases": [outcome], "undeclared": [run, ESCAPES, "other-production-postgres"], "changed": True}
    )
    play = {
        "hosts": "telling",
        "gather_facts": False,
        "tasks": [
            {
                "ansible.builtin.include_role": {"name": "vellaric.postgres.databases"},
                "vars": {"postgres_databases": []},
            },
            {"ansible.builtin.debug": {"msg": "{{ databases_connections.values() | first }}"}},
        ],
    }
    (controller.root / "telling.yml").write_text(yaml.safe_dump([play]))
    output = controller.run("ansible-playbook", "telling.yml")
    assert "Not declared, and left alone: other-production-postgres." in output
    assert output.count("touch") > 4


def test_no_fact_of_a_host_is_taken_for_a_declaration(controller):
    """Ansible takes facts from whatever a host answers: it says neither where credentials lie nor what is written."""
    claimed = {name: str(controller.owned) for name in ("database_credentials_file", "report_dest", "report_path")}
    facts = {**claimed, "report_history": str(controller.owned), "report_output": "json"}
    controller.answering(claiming={**answer(), "ansible_facts": facts, "changed": True})
    declared = {"database_name": "shop", "database_environment": "development"}
    play = {
        "hosts": "claiming",
        "gather_facts": False,
        "vars": declared,
        "tasks": [{"ansible.builtin.include_role": {"name": "vellaric.postgres.database"}}],
    }
    (controller.root / "claiming.yml").write_text(yaml.safe_dump([play]))
    output = controller.run("ansible-playbook", "claiming.yml", succeeds=False)
    assert "database_credentials_file was set by an answer of host claiming" in output
    output = controller.run("ansible-playbook", "vellaric.postgres.list", "--limit", "claiming")
    assert "shop" in output
    controller.run("ansible-playbook", "vellaric.postgres.report", "--limit", "claiming", succeeds=None)
    assert (controller.root / "postgres-report/history.jsonl").exists()

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What playbooks make of variables: typos, numbers for texts, the inventory's, and what is not given."""

from __future__ import annotations

import harness
import pytest
import yaml

from playbooks import Fleet, changes


@pytest.fixture(scope="module")
def fleet(shared):
    return Fleet(shared)


def inventory(fleet, **variables):
    """Declare variables of all hosts, or none."""
    path = fleet.root / "inventory/group_vars/postgres_hosts.yml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(variables))


@pytest.mark.parametrize(
    ("playbook", "given", "said"),
    [
        ("create", {"database_memroy": "1g"}, "There is no variable database_memroy, did you mean database_memory?"),
        ("create", {"database_version": 15.10}, "database_version is 15.1: a number to YAML"),
        ("backup", {"backup_formt": "directory"}, "There is no variable backup_formt, did you mean backup_format?"),
        ("restart", {"databse_memory": "1g"}, "There is no variable databse_memory, did you mean database_memory?"),
        ("site", {"databases_defalts": {}}, "There is no variable databases_defalts, did you mean databases_defaults?"),
        ("stats", {"report_lmit": 3}, "There is no variable report_lmit, did you mean report_limit?"),
    ],
)
def test_a_slip_of_the_pen_is_refused(fleet, playbook, given, said):
    output = fleet.play(playbook, short="slip", succeeds=False, **given)
    assert said in " ".join(output.split())
    assert changes(output) == 0 and not fleet.credentials.exists() and fleet.host.untouched()


def test_a_slip_in_the_inventory_is_refused_and_what_is_no_slip_is_somebody_elses(fleet):
    inventory(fleet, database_memroy="1g", backup_window="night", database_xyzzy=1)
    output = " ".join(fleet.play("create", "--check", short="slip", succeeds=False).split())
    assert "did you mean database_memory?" in output and "backup_window" not in output
    assert "Variable database_xyzzy is none of vellaric.postgres" in output
    inventory(fleet, database_password=123456789012)
    output = fleet.play("create", "--check", short="slip", succeeds=False)
    assert "database_password: a number to YAML" in output and "123456789012" not in output
    inventory(fleet)


def test_what_is_not_given_is_as_for_all_databases_and_partial_keeps_it_with_the_image(fleet):
    defaults = {"memory": "300m", "image": harness.OTHER_MAJOR_IMAGE, "settings": {"work_mem": "3MB"}, "cpus": None}
    inventory(
        fleet, databases_defaults=defaults, database_name=fleet.host.name("other"), database_environment="staging"
    )
    fleet.play("create", database_settings={"work_mem": "5MB"}, database_pull="never")
    record = fleet.host.record("shop")
    assert record["declared"]["image"] == harness.OTHER_MAJOR_IMAGE
    assert (record["declared"]["memory"], record["declared"]["settings"]) == ("300m", {"work_mem": "5MB"})
    inventory(fleet)
    # Somebody changed the password there; the stored one is right.
    fleet.host.psql("shop", f"ALTER ROLE {record['username']} PASSWORD 'changed by hand'")
    given = {"database_partial": True, "database_memory": "400m", "database_update_password": "always"}
    output = fleet.play("create", **given)
    assert "vellaric.postgres.image" not in output
    declared = fleet.host.record("shop")["declared"]
    assert declared == {**record["declared"], "memory": "400m"}
    assert fleet.logs_in(fleet.password())
    assert changes(fleet.play("create", **given)) == 0


def test_what_the_inventory_declares_is_changed_there(fleet):
    shop = {"name": fleet.host.name("shop"), "environment": "development", "memory": "400m"}
    inventory(fleet, postgres_databases=[shop])
    before = fleet.host.record("shop")
    output = " ".join(fleet.play("create", succeeds=False).split())
    assert "is declared in postgres_databases" in output and "database_partial=true" in output
    assert fleet.host.record("shop") == before
    fleet.play("create", database_partial=True, database_memory="300m")
    assert fleet.host.record("shop")["declared"] == {**before["declared"], "memory": "300m"}


def test_the_inventory_says_which_database_and_the_run_goes_before_it(fleet):
    inventory(fleet, database_name=fleet.host.name("shop"), database_environment="development")
    named = {"database_name": None, "database_environment": None}
    assert fleet.host.record("shop")["id"] in fleet.play("show", **named)
    assert changes(fleet.play("restart", **named)) == 1
    output = fleet.play("restart", short="gone", succeeds=False)
    assert f"{fleet.host.container('gone')} cannot be restarted: there is no such database" in " ".join(output.split())


def test_what_is_not_there_is_not_taken_over(fleet):
    inventory(fleet)
    output = " ".join(fleet.play("adopt", short="gone", succeeds=False).split())
    assert f"There is no container {fleet.host.container('gone')} to take over" in output
    assert not fleet.host.directory("gone").exists()

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is refused stores no credentials, and decides nothing about a database."""

from __future__ import annotations

import harness
import pytest

from playbooks import Fleet, changes

WRONG = {"no_such_parameter": "1"}


@pytest.fixture(scope="module")
def fleet(shared):
    fleet = Fleet(shared)
    fleet.play("create", database_users=[{"name": "report", "role": "readonly"}])
    return fleet


def entries(fleet):
    return fleet.credentials.read_text() if fleet.credentials.exists() else ""


def declared(fleet, short, **given):
    return {"name": fleet.host.name(short), "environment": "development", **given}


def test_lost_credentials_are_not_invented(fleet):
    """Nor those of a second controller, which has none. What the server has is told, and one playbook settles it."""
    users = [{"name": "report", "role": "readonly"}]
    kept = fleet.credentials.read_text()
    fleet.credentials.unlink()
    assert "vellaric.postgres.rotate" in fleet.play("create", succeeds=False, database_users=users)
    assert entries(fleet) == ""
    output = fleet.run(
        "site",
        succeeds=False,
        postgres_databases=[declared(fleet, "shop", users=users), declared(fleet, "beside")],
        databases_defaults={"image": harness.IMAGE},
    )
    # The others are not stopped.
    assert "vellaric.postgres.rotate" in output and "1 of 2 failed" in output
    assert "Not declared" not in output
    assert fleet.host.container("shop") not in entries(fleet)
    assert fleet.logs_in(fleet.password("beside"), "beside")
    assert "has no stored credentials" in fleet.play(
        "connection", succeeds=False, database_connection_format="url", database_connection_path=f"{fleet.root}/url"
    )
    other = fleet.password("beside")
    lost = {"database_rotate_all": True, "database_rotate_lost": True}
    output = fleet.run("rotate", **lost)
    assert f"{fleet.host.container('shop')}/report: user report, password in" in output
    assert f"{fleet.host.container('beside')}: user" not in output
    assert fleet.credentials.read_text() != kept and fleet.logs_in(fleet.password())
    assert fleet.password("beside") == other
    assert changes(fleet.run("rotate", **lost)) == 0
    assert fleet.logs_in(fleet.password(user="report"), user="report")
    assert changes(fleet.play("create", database_users=users)) == 0


@pytest.mark.parametrize("playbook", ["create", "site"])
def test_a_refused_run_does_not_choose_the_name(fleet, playbook):
    short = f"named-{playbook}"
    before = entries(fleet)

    def run(succeeds=True, **given):
        given = {"image": harness.IMAGE, **given}
        if playbook == "create":
            given = {f"database_{name}": value for name, value in given.items()}
            return fleet.play("create", short=short, succeeds=succeeds, **given)
        declaration = declared(fleet, short, **given)
        return fleet.run("site", succeeds=succeeds, postgres_databases=[declaration])

    assert "no_such_parameter" in run(succeeds=False, settings=WRONG)
    run(succeeds=False, networks=["no-such-network-of-the-tests"])
    assert entries(fleet) == before
    # What only the run itself meets.
    run(succeeds=False, image="localhost:1/none:1")
    assert entries(fleet) == before
    run(username="chosen")
    assert fleet.host.record(short)["username"] == "chosen" and fleet.logs_in(fleet.password(short), short)


def test_a_refused_adoption_does_not_choose_the_name(fleet):
    name = fleet.host.container("theirs")
    variables = ["-e", "POSTGRES_USER=app", "-e", "POSTGRES_DB=app", "-e", "POSTGRES_PASSWORD=secret-of-theirs"]
    harness.docker("run", "-d", "--name", name, *variables, harness.IMAGE, "postgres", "-c", "work_mem=8MB")
    try:
        before = entries(fleet)
        fleet.play("adopt", short="theirs", succeeds=False, database_image=harness.IMAGE)
        assert entries(fleet) == before
    finally:
        harness.docker("rm", "-fv", name)

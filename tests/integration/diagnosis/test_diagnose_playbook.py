# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbook diagnose, as an operator runs it: text, JSON, a file for a ticket, credentials lost, others' containers."""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess

import faults
import harness
import pytest
import yaml

from playbooks import BIN, Fleet, changes

PASSWORD = "Very-Secret_Password7"


thorough = pytest.mark.skipif(not harness.THOROUGH, reason="takes half a minute: VELLARIC_TEST_THOROUGH=1")


@pytest.fixture(scope="module")
def fleet(shared):
    """A database, with its credentials as a person may have stored them: not encrypted."""
    fleet = Fleet(shared)
    shared.run("shop", password=PASSWORD)
    fleet.credentials.parent.mkdir(parents=True)
    stored = {"username": harness.USERNAME, "password": PASSWORD}
    fleet.credentials.write_text(yaml.safe_dump({"postgres_credentials": {shared.container("shop"): stored}}))
    return fleet


def ticket(fleet, **variables):
    """Return what it writes into a file, as JSON."""
    output = fleet.play("diagnose", diagnose_dest="ticket.json", **variables)
    assert PASSWORD not in output
    written = (fleet.root / "ticket.json").read_text()
    assert PASSWORD not in written and (fleet.root / "ticket.json").stat().st_mode & 0o777 == 0o600
    return json.loads(written)


def test_all_holds_and_a_login_with_the_stored_password_proves_it(fleet):
    output = fleet.play("diagnose")
    assert "All checks passed" in output and "The application can log in through the published port" in output
    assert "FAILS" not in output and "unknown" not in output and PASSWORD not in output
    assert changes(output) == 0


@thorough
def test_what_fails_is_told_with_the_command_that_mends_it_which_does(fleet):
    harness.docker("stop", fleet.host.container("shop"))
    told = ticket(fleet)
    assert (told["cause"], told["serves"]) == ("container", False)
    command = told["fix"].split()
    assert command[:2] == ["ansible-playbook", "vellaric.postgres.start"]
    fleet.play("start", short="shop")
    assert ticket(fleet)["serves"]


@thorough
def test_lost_credentials_are_told_from_those_that_cannot_be_read(fleet):
    kept = fleet.credentials.read_bytes()
    fleet.credentials.unlink()
    try:
        told = ticket(fleet)
        assert told["cause"] == "credentials" and "database_rotate_lost=true" in told["fix"]
        # What the command then stores is encrypted.
        fleet.play("rotate", database_rotate_lost=True)
        assert "$ANSIBLE_VAULT" in fleet.credentials.read_text()
        assert ticket(fleet)["serves"]
        without = ticket(fleet, vault=False)
    finally:
        fleet.credentials.write_bytes(kept)
        fleet.host.run("shop", password=PASSWORD)
    checks = {check["check"]: check for check in without["checks"]}
    assert checks["credentials"]["state"] == "unknown" and "vault" in checks["credentials"]["cause"].lower()
    assert checks["password"]["state"] == "unknown" and without["serves"]


@thorough
def test_a_container_of_somebody_elses(fleet):
    name = f"{fleet.host.prefix}-wiki-db-1"
    options = ("-e", "POSTGRES_PASSWORD=secret-of-others", "-e", "POSTGRES_DB=wiki", "-e", "POSTGRES_USER=wiki")
    labels = ("--label", "com.docker.compose.project=wiki")
    harness.docker("run", "-d", "--name", name, *labels, *options, harness.IMAGE)
    harness.eventually(
        lambda: "1" in harness.docker("exec", name, "psql", "-XAtU", "wiki", "-c", "SELECT 1", check=False), 60
    )
    harness.eventually(lambda: harness.docker("exec", name, "cat", "/proc/1/comm") == "postgres", 60)
    output = fleet.run("diagnose", diagnose_container=name, output="json")
    assert "not managed by this collection, but by Docker Compose (wiki)" in output
    assert "secret-of-others" not in output
    told = fleet.run("diagnose", diagnose_container=name)
    assert (
        "Its role exists and may log in: wiki" in told and "The database is there and accepts connections: wiki" in told
    )
    harness.docker("stop", name)
    assert f"docker start {name}" in fleet.run("diagnose", diagnose_container=name)


@thorough
def test_a_slip_of_the_pen_is_refused(fleet):
    output = fleet.play("diagnose", diagnose_timout=3, succeeds=False)
    assert "did you mean diagnose_timeout?" in output


@thorough
@pytest.mark.parametrize(
    "name",
    (
        "removed",
        "no_login",
        "expired_role",
        "tls_off",
        "listens_elsewhere",
        "certificate_ended",
        "other_owner",
        "half_created",
    ),
)
def test_the_command_that_is_told_mends_it(fleet, name):
    place = faults.Place(fleet.host, "shop")
    with contextlib.suppress(RuntimeError), faults.FAULTS[name].cause(place):
        short = "half" if name == "half_created" else "shop"
        told = ticket(fleet, short=short)
        assert told["cause"] == faults.FAULTS[name].check, told
        command = shlex.split(told["fix"])
        assert command[0] == "ansible-playbook"
        more = ["-i", "inventory", "--vault-password-file", "vault-password"]
        # What was never made is declared as a whole.
        more += ["-e", f"database_image={harness.IMAGE}"] if name == "half_created" else []
        finished = subprocess.run(
            [str(BIN / command[0]), *command[1:], *more],
            env=fleet.environment,
            cwd=fleet.root,
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == 0, finished.stdout + finished.stderr
        assert ticket(fleet, short=short)["serves"]


@thorough
def test_another_password_is_mended_by_what_is_told(fleet):
    fleet.host.psql("shop", f"ALTER ROLE {harness.USERNAME} PASSWORD 'Another-Secret_1234'")
    told = ticket(fleet)
    assert told["cause"] == "password" and "Another-Secret" not in str(told)
    given = dict(option.split("=", 1) for option in shlex.split(told["fix"]) if "=" in option)
    fleet.play("create", **given)
    assert ticket(fleet)["serves"]

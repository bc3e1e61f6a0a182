# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts of their own, over SSH: an engine that is broken, stopped or not there, and what the controller meets."""

from __future__ import annotations

import json
import re

import faults
import harness
import pytest
import table
from lab import Machine

pytestmark = pytest.mark.skipif(not harness.THOROUGH, reason="takes minutes: VELLARIC_TEST_THOROUGH=1")
ORDER = [(fault.symptom, fault.caused) for fault in (*faults.FAULTS.values(), *faults.ON_HOSTS)]
NAMED = {"database_name": "shop", "database_environment": "development"}
WANTED = {"database_image": harness.IMAGE, "database_pull": "never", "database_bind_address": "0.0.0.0"}
SOCKETS = ("docker.socket", "docker.service")


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    machine = Machine("diagnose-1", tmp_path_factory.mktemp("machine"), "--engine", "--image", harness.IMAGE)
    try:
        (machine.root / "vault-password").write_text("a vault password of the tests")
        create(machine)
        yield machine
    finally:
        machine.stop()


@pytest.fixture(scope="module")
def caused():
    found = {}
    yield found
    table.write(found, ORDER)


def create(machine, **more):
    # Of several, the one that this machine reaches it by.
    address = re.search(r"ansible_host=(\S+)", (machine.root / "hosts.ini").read_text()).group(1)
    given = {**WANTED, "database_address": address, "database_sslmode": "verify-full", **more}
    machine.play("vellaric.postgres.create", "--vault-password-file", "vault-password", **NAMED, **given)


def diagnose(machine, **more):
    path = machine.root / "diagnosis.json"
    path.unlink(missing_ok=True)
    options = ("--vault-password-file", "vault-password")
    machine.play("vellaric.postgres.diagnose", *options, diagnose_dest=str(path), **{**NAMED, **more})
    return json.loads(path.read_text())


def told(caused, fault, answer):
    assert answer["cause"] == fault.check, answer
    assert fault.fix in answer["fix"], answer["fix"]
    key = (fault.symptom, fault.caused)
    caused[key] = table.row(*key, answer)


def test_the_controller_reaches_it_verifies_it_and_could_log_in(machine):
    answer = diagnose(machine)
    states = {check["check"]: check["state"] for check in answer["checks"]}
    assert answer["serves"] and answer["cause"] is None, answer
    assert {states[f"client_{what}"] for what in ("reach", "certificate", "admitted", "login")} == {"holds"}


def test_a_port_for_the_host_alone_is_no_fault(machine):
    create(machine, database_bind_address="127.0.0.1")
    try:
        checks = {check["check"]: check for check in diagnose(machine)["checks"]}
        assert checks["client_reach"]["state"] == "unknown" and checks["login"]["state"] == "holds"
        assert "database_bind_address=0.0.0.0" in checks["client_reach"]["cause"]
    finally:
        create(machine)


def test_a_name_that_nobody_knows(machine, caused):
    create(machine, database_address="db.nowhere.invalid")
    try:
        told(caused, faults.UNKNOWN_NAME, diagnose(machine))
    finally:
        create(machine)


def test_a_firewall_that_drops(machine, caused):
    rule = ("DOCKER-USER", "-p", "tcp", "--dport", "5432", "-j", "DROP")
    machine.run("iptables", "-I", *rule)
    try:
        told(caused, faults.FIREWALL, diagnose(machine, diagnose_timeout=2))
    finally:
        machine.run("iptables", "-D", *rule)


def test_an_engine_that_was_stopped_and_one_that_is_broken(machine, caused):
    machine.run("systemctl", "stop", *SOCKETS)
    told(caused, faults.STOPPED_ENGINE, diagnose(machine))
    machine.run("sh", "-c", "mkdir -p /etc/docker; echo '{' > /etc/docker/daemon.json")
    machine.run("systemctl", "start", *SOCKETS, code=None)
    machine.run("sh", "-c", "for _ in $(seq 30); do systemctl is-failed -q docker && exit; sleep 1; done; exit 1")
    answer = diagnose(machine)
    told(caused, faults.BROKEN_ENGINE, answer)
    assert any("daemon.json" in line for line in answer["checks"][0]["log"]), answer["checks"][0]
    machine.run("rm", "/etc/docker/daemon.json")
    machine.run("systemctl", "reset-failed", *SOCKETS)
    machine.run("systemctl", "start", *SOCKETS)


def test_a_host_without_an_engine(tmp_path_factory, caused):
    machine = Machine("diagnose-2", tmp_path_factory.mktemp("bare"))
    try:
        (machine.root / "vault-password").write_text("a vault password of the tests")
        told(caused, faults.NO_ENGINE, diagnose(machine))
    finally:
        machine.stop()

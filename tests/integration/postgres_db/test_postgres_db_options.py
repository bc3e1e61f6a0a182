# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each option: declared, predicted, met, met once, and taken back to its default."""

from __future__ import annotations

import time
from pathlib import Path

import psycopg
import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.spec import ARGUMENTS
from harness import IMAGE, derived_image, docker, listener, verbs

GONE = "registry.invalid/vellaric/none:15"
COSTS = {"restart": "restart", "replace": "recreate"}
OF_EACH_START = ("started_at", "restart_count", "health", "container_status", "certificate")


@pytest.fixture(scope="module")
def living(shared):
    """A database that every test leaves as it was declared here: all options at their defaults."""
    shared.run("living")
    shared.query("living", "CREATE TABLE kept AS SELECT 42 AS answer")
    yield "living"
    assert shared.query("living", "TABLE kept") == [(42,)]


def declared_and_taken_back(shared, living, expected, changed=None, **options):
    """Check, run, run again: with options, with some of them changed, and without. Yields while they are declared.

    Each costs what its steps say. Without them, the database is described as before.
    """
    before = described(shared, living)
    answer = shared.converge(living, **options)
    assert verbs(answer) == expected, answer["actions"]
    assert_cost(answer)
    yield shared.one(living)
    shared.run(living, **options)
    if changed:
        answer = shared.converge(living, **{**options, **changed})
        assert verbs(answer) == expected, answer["actions"]
        assert_cost(answer)
    back = shared.converge(living)
    assert set(verbs(back)) == set(expected), back["actions"]
    assert_cost(back)
    assert described(shared, living) == before


def described(shared, living):
    """What info says of it, but for what each start or certificate has of its own."""
    row = shared.one(living)
    names = row["certificate"]["names"]
    return {key: value for key, value in {**row, "names": names}.items() if key not in OF_EACH_START}


def assert_cost(answer):
    """Say that a run interrupted its clients just as long as its steps had said."""
    for step in answer["actions"]:
        assert step["impact"] == COSTS.get(step["verb"], "none"), step
    costs = any(step["impact"] != "none" for step in answer["actions"])
    assert (answer["interruption_seconds"] > 0) is costs


def gateway(shared, living):
    """An address of this machine that is not the loopback."""
    return next(iter(shared.inspect(living)["NetworkSettings"]["Networks"].values()))["Gateway"]


@pytest.mark.parametrize(
    ("options", "taken_back"),
    [
        ({"memory": "256m"}, "replace"),
        ({"cpus": "0.5"}, "replace"),
        ({"memory": "1g", "cpus": 2}, "replace"),
    ],
)
def test_limits_change_in_place_and_go_with_a_new_container(shared, living, options, taken_back):
    before = shared.inspect(living)["Id"]
    answer = shared.converge(living, **options)
    assert verbs(answer) == ["write_record", "update"]
    container = shared.inspect(living)
    assert container["Id"] == before
    memory = {"256m": 256 << 20, "1g": 1 << 30}.get(options.get("memory"), 0)
    assert (container["HostConfig"]["Memory"], container["HostConfig"]["MemorySwap"]) == (memory, memory)
    assert container["HostConfig"]["NanoCpus"] == int(float(options.get("cpus", 0)) * 1e9)
    assert verbs(shared.converge(living)) == ["write_record", taken_back]
    container = shared.inspect(living)
    assert (container["HostConfig"]["Memory"], container["HostConfig"]["NanoCpus"]) == (0, 0)


def test_shm_size(shared, living):
    for row in declared_and_taken_back(
        shared, living, ["write_record", "replace"], {"shm_size": "128m"}, shm_size="64m"
    ):
        assert row["shm_size_bytes"] == 64 << 20
        line = docker("exec", shared.container(living), "df", "-k", "/dev/shm").splitlines()[1]
        assert line.split()[1] == "65536"


def test_port_is_kept_and_can_be_changed(shared, living):
    first, other = shared.one(living)["port"], shared.ports[1]
    for port in (other, first):
        answer = shared.converge(living, port=port)
        assert verbs(answer) == ["reserve", "replace"]
        assert_cost(answer)
        assert shared.one(living)["port"] == port
        assert shared.query(living, "SELECT 1", port=port) == [(1,)]
        # Not declared any more, it stays: a port is kept for life.
        assert shared.converge(living)["actions"] == []
    # Another range is for new databases.
    assert shared.run(living, port_range="29990-29999")["actions"] == []


def test_port_range(host):
    with listener(host.ports[0]):
        row = host.converge("a", port_range=f"{host.ports[0]}-{host.ports[0] + 1}")["database"]
        assert row["port"] == host.ports[0] + 1
        message = host.refused("b", port_range=f"{host.ports[0]}-{host.ports[0] + 1}")
        assert "No port is free" in message and "port_range" in message
        # One that is stopped keeps its port.
        host.run("a", state="stopped")
        assert "No port is free" in host.refused("b", port_range=f"{host.ports[0]}-{host.ports[0] + 1}")


def test_bind_address(shared, living):
    address = gateway(shared, living)
    with pytest.raises(psycopg.OperationalError):
        shared.connect(living, host=address)
    expected = ["write_record", "certificate", "replace"]
    for row in declared_and_taken_back(shared, living, expected, {"bind_address": "0.0.0.0"}, bind_address=address):
        assert row["bind_address"] == row["host"] == address
        ca_file = {"sslmode": "verify-full", "sslrootcert": row["ca_file"]}
        assert shared.query(living, "SELECT 1", host=address, **ca_file) == [(1,)]
        with pytest.raises(psycopg.OperationalError):
            shared.connect(living)


def test_bind_address_of_every_interface(shared, living):
    address = gateway(shared, living)
    expected = ["write_record", "certificate", "replace"]
    everywhere = {"bind_address": "0.0.0.0", "address": "db1.example.com"}
    for row in declared_and_taken_back(shared, living, expected, **everywhere):
        assert (row["bind_address"], row["host"]) == ("0.0.0.0", "db1.example.com")
        for way in (address, "127.0.0.1"):
            assert shared.query(living, "SELECT 1", host=way) == [(1,)]


def test_base_domain_and_address_name_the_host(shared, living):
    expected = ["write_record", "certificate", "reload"]
    changed = {"base_domain": "example.net"}
    for row in declared_and_taken_back(shared, living, expected, changed, base_domain="example.com"):
        assert row["host"] == f"{row['container_name']}.db.example.com"
        # The server itself has it: a client that verifies is let in under that name.
        options = {"host": row["host"], "hostaddr": "127.0.0.1", "sslmode": "verify-full"}
        assert shared.query(living, "SELECT 1", sslrootcert=row["ca_file"], **options) == [(1,)]
    for row in declared_and_taken_back(shared, living, expected, {"address": "192.0.2.8"}, address="192.0.2.7"):
        assert row["host"] == "192.0.2.7"


def test_trusted_sources(shared, living):
    expected = ["write_record", "write_files", "reload"]
    options = {"trusted_sources": ["192.0.2.0/24", "2001:db8::/32"]}
    for row in declared_and_taken_back(shared, living, expected, {"trusted_sources": ["192.0.2.1"]}, **options):
        assert row["trusted_sources"] == ["192.0.2.0/24", "2001:db8::/32"]
        with pytest.raises(psycopg.OperationalError, match="no pg_hba.conf entry"):
            shared.connect(living)
        shared.run(living, trusted_sources=[f"{gateway(shared, living)}/32"])
        assert shared.query(living, "SELECT 1") == [(1,)]
        shared.run(living, trusted_sources=[])
        with pytest.raises(psycopg.OperationalError, match="no pg_hba.conf entry"):
            shared.connect(living)
    assert shared.query(living, "SELECT 1") == [(1,)]


def test_sslmode(shared, living):
    before, insists = described(shared, living), ["write_record", "write_files", "reload"]
    steps = (
        ("require", insists),
        ("verify-full", ["write_record"]),
        ("disable", insists),
        ("prefer", ["write_record"]),
    )
    for sslmode, expected in steps:
        assert verbs(shared.converge(living, sslmode=sslmode)) == expected
        assert shared.one(living)["sslmode"] == sslmode
        if sslmode in ("require", "verify-full"):
            with pytest.raises(psycopg.OperationalError, match="no encryption"):
                shared.connect(living, sslmode="disable")
        else:
            # What clients are told; the server takes both.
            assert shared.query(living, "SELECT 1", sslmode="disable") == [(1,)]
    # Which is the default.
    assert shared.converge(living)["actions"] == []
    assert described(shared, living) == before


def test_pull_is_recorded(shared, living):
    for _row in declared_and_taken_back(shared, living, ["write_record"], pull="missing"):
        assert shared.record(living)["declared"]["pull"] == "missing"


def test_version(shared, living):
    """A tag of the official image, which here is a tag of the image that the tests use."""
    tags = [f"{shared.prefix}-{number}" for number in (1, 2)]
    for tag in tags:
        docker("tag", IMAGE, f"postgres:{tag}")
    try:
        given = {"image": None, "version": tags[0]}
        for row in declared_and_taken_back(shared, living, ["write_record", "replace"], {"version": tags[1]}, **given):
            assert row["image"] == f"postgres:{tags[0]}"
    finally:
        docker("rmi", *[f"postgres:{tag}" for tag in tags])


def test_options_that_change_no_container(shared, living):
    """They say how a run goes about it, and are not what the database is."""
    given = {"wait_timeout": 50, "port_range": "29990-29999", "max_impact": "restart", "purge": True, "trash_days": 3}
    for option, value in given.items():
        assert shared.converge(living, **{option: value})["actions"] == []


def test_every_option_is_in_a_test():
    """A new option is to go the same way: check, run, run again, change, take back."""
    texts = [path.read_text() for path in Path(__file__).parent.parent.glob("*/test_*.py")]
    for option in ARGUMENTS:
        assert any(f"{option}=" in text or f'"{option}":' in text for text in texts), option


def test_settings_that_take_effect_at_once(shared, living):
    options = {"settings": {"work_mem": "12MB", "log_min_duration_statement": 500, "jit": False}}
    expected, changed = ["write_record", "write_files", "reload"], {"settings": {"work_mem": "20MB"}}
    for row in declared_and_taken_back(shared, living, expected, changed, **options):
        assert row["settings"] == {"jit": "off", "log_min_duration_statement": "500", "work_mem": "12MB"}
        assert shared.query(living, "SELECT current_setting('work_mem'), current_setting('jit')") == [("12MB", "off")]
        assert verbs(shared.run(living, settings={"work_mem": "16MB"})) == ["write_record", "write_files", "reload"]
        assert shared.query(living, "SELECT current_setting('work_mem'), current_setting('jit')") == [("16MB", "on")]
    assert shared.query(living, "SHOW work_mem") == [("4MB",)]


def test_settings_that_take_a_restart(shared, living):
    before = shared.inspect(living)["Id"]
    options = {"settings": {"max_connections": 120, "work_mem": "12MB"}}
    expected, changed = ["write_record", "write_files", "restart"], {"settings": {"max_connections": 90}}
    for _row in declared_and_taken_back(shared, living, expected, changed, **options):
        assert shared.query(living, "SHOW max_connections") == [("120",)]
        assert shared.query(living, "SHOW work_mem") == [("12MB",)]
    assert shared.query(living, "SHOW max_connections") == [("100",)]
    assert shared.inspect(living)["Id"] == before


def test_values_reach_the_server_as_they_were_declared(shared, living):
    odd = "it's a \\ backslash, 100%, a # and ${HOME}"
    expected = ["write_record", "write_files", "reload"]
    settings = {"app.odd": odd, "log_line_prefix": "%m "}
    for _row in declared_and_taken_back(shared, living, expected, settings=settings):
        assert shared.query(living, "SHOW app.odd") == [(odd,)]


def test_an_image_of_the_same_major_version(shared, living, image_tag):
    derived_image(image_tag, "LABEL release=2")
    for row in declared_and_taken_back(shared, living, ["write_record", "replace"], image=image_tag):
        assert row["image"] == image_tag
        assert shared.inspect(living)["Config"]["Labels"]["release"] == "2"
        # While the reference stays, what others put under that tag replaces no server that runs.
        derived_image(image_tag, "LABEL release=3")
        assert shared.run(living, image=image_tag)["actions"] == []
        assert shared.inspect(living)["Config"]["Labels"]["release"] == "2"
    assert shared.one(living)["image"] == IMAGE


def test_an_image_held_back_is_still_to_be_replaced(shared, living, image_tag):
    derived_image(image_tag)
    held_back = shared.run(living, image=image_tag, max_impact="restart")
    assert [step["verb"] for step in held_back["pending"]] == ["replace"]
    assert shared.one(living)["image"] == IMAGE
    assert verbs(shared.run(living, image=image_tag)) == ["replace"]
    shared.run(living)


def test_pull_never_with_a_missing_image(host):
    for check in (True, False):
        message = host.refused("a", image=GONE, pull="never", check=check)
        assert GONE in message and "pull is never" in message and "vellaric.postgres.image" in message
    assert host.untouched()


@pytest.mark.parametrize("pull", ["missing", "always"])
def test_pull_where_no_registry_answers(host, pull):
    assert "pull" in verbs(host.check("a", image=GONE, pull="missing"))
    message = host.refused("a", image=GONE, pull=pull)
    assert f"Could not pull image {GONE}" in message and "vellaric.postgres.image" in message
    # What was reserved meanwhile is released: nobody is told of a database that there is not.
    assert not host.containers() and not host.directory("a").exists()
    assert host.run("a")["database"]["status"] == "active"


def test_a_missing_image_leaves_what_runs_alone(shared, living):
    message = shared.refused(living, image=GONE, pull="missing")
    assert "Could not pull" in message
    assert shared.query(living, "TABLE kept") == [(42,)]
    shared.run(living)


def test_wait_timeout(host, image_tag):
    derived_image(image_tag, 'ENTRYPOINT ["sh", "-c", "echo waiting for nothing; sleep 60"]')
    began = time.monotonic()
    message = host.refused("a", image=image_tag, wait_timeout=3)
    assert "was not ready after 3 s (wait_timeout)" in message and "waiting for nothing" in message
    assert time.monotonic() - began < 15
    assert host.one("a")["status"] == "error"
    assert host.run("a")["database"]["status"] == "active"


def test_deletion_protection_is_recorded(shared, living):
    changed = {"deletion_protection": False}
    for row in declared_and_taken_back(shared, living, ["write_record"], changed, deletion_protection=True):
        assert row["deletion_protection"] is True


def test_backup_root(shared, living, tmp_path):
    expected, changed = ["write_record", "replace"], {"backup_root": str(tmp_path / "other")}
    for row in declared_and_taken_back(shared, living, expected, changed, backup_root=str(tmp_path)):
        assert row["backup_directory"] == f"{tmp_path}/{shared.container(living)}"
        (tmp_path / shared.container(living) / "probe").write_text("seen")
        assert docker("exec", shared.container(living), "cat", "/var/lib/vellaric/backups/probe") == "seen"


def test_username_is_for_life_and_password_is_not(shared, living):
    message = shared.refused(living, username="somebody_else")
    assert "username" in message and "belongs to" in message
    other = "Another-Password_7777"
    answer = shared.converge(living, password=other)
    assert verbs(answer) == ["role", "prove_login"]
    assert shared.query(living, "SELECT 1", password=other) == [(1,)]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        shared.connect(living)
    shared.run(living)

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import json

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import container as containers
from ansible_collections.vellaric.postgres.plugins.module_utils._planning import view
from ansible_collections.vellaric.postgres.tests.unit import builders

# The keys that users know from the API: one taken away breaks somebody's playbook.
SEED_KEYS = [
    "id",
    "name",
    "environment",
    "container_name",
    "host",
    "port",
    "username",
    "database",
    "sslmode",
    "status",
    "created_at",
]


def described(**given):
    spec = builders.declared(**given)
    record = builders.record_of(spec)
    return view.database(spec, record, builders.settled(spec).container)


@pytest.mark.parametrize(
    ("mode", "ini", "expected"),
    [
        ("transaction", None, None),
        ("transaction", "[pgbouncer]\nmax_prepared_statements = 200\n", True),
        ("transaction", "[pgbouncer]\nmax_prepared_statements = 0\n", False),
        ("transaction", "[pgbouncer]\n", False),
        ("session", "[pgbouncer]\n", True),
    ],
)
def test_whether_clients_of_a_pooler_may_prepare_statements(mode, ini, expected):
    spec = builders.declared(pooler={"mode": mode})
    found = view.database(spec, builders.pooled_record(spec), None, pgbouncer_ini=ini)["pooler"]
    assert found["prepared_statements"] is expected


def test_the_keys_of_the_seed_are_there():
    assert set(SEED_KEYS) <= set(described())


def test_a_database_as_it_is_described():
    found = described(
        memory="1g", cpus="1.5", trusted_sources=["10.0.0.0/8"], settings={"jit": False}, sslmode="require"
    )
    assert found["id"] == builders.IDENTITY
    assert (found["name"], found["database"], found["container_name"]) == ("app", "app", builders.NAME)
    assert (found["host"], found["port"], found["username"]) == ("127.0.0.1", 5432, builders.USERNAME)
    assert (found["sslmode"], found["status"], found["status_reason"]) == ("require", "active", None)
    assert found["created_at"] == builders.NOW
    assert (found["memory_limit_bytes"], found["cpus"], found["shm_size_bytes"]) == (1 << 30, 1.5, 256 << 20)
    assert (found["trusted_sources"], found["settings"]) == (["10.0.0.0/8"], {"jit": "off"})
    assert (found["container_status"], found["health"], found["restart_count"]) == ("running", "healthy", 0)
    assert found["data_directory"] == f"/var/vellaric/postgres/{builders.NAME}"
    assert found["ca_file"] == f"/var/vellaric/certificates/{builders.NAME}.crt"
    assert found["backup_directory"] == f"/var/vellaric/backups/{builders.NAME}"
    assert found["deletion_protection"] is False
    assert found["started_at"]


def test_what_clients_verify_with_is_described():
    spec = builders.declared()
    container = builders.settled(spec).container
    shown = {"subject": "CN=x", "issuer": "CN=y", "names": ["x"], "not_after": builders.FAR_OFF, "fingerprint": "0a"}
    facts = {**shown, "not_before": builders.NOW}
    found = view.database(spec, builders.record_of(spec), container, tls=("authority", facts))
    assert (found["ca_certificate"], found["certificate"]) == ("authority", {"own": False, **shown})
    # Of one's own, with an authority that clients know from elsewhere.
    own = dataclasses.replace(spec, tls_fingerprint="0a")
    found = view.database(own, builders.record_of(own), container, tls=(None, facts))
    assert (found["ca_file"], found["ca_certificate"], found["certificate"]["own"]) == (None, None, True)
    assert described()["certificate"] is None


def test_what_is_described_can_be_written_as_json_and_holds_no_secret():
    text = json.dumps(described(trusted_sources=["10.0.0.0/8"], settings={"jit": False}))
    assert builders.PASSWORD not in text
    assert "SCRAM" not in text


def test_what_the_container_has_counts_more_than_what_is_declared():
    spec = builders.declared(memory="1g", bind_address="0.0.0.0", image="postgres:15.1")
    config = containers.desired(
        builders.declared(memory="512m", image="postgres:15.0"), builders.record_of(spec), builders.image()
    )
    found = view.database(spec, builders.record_of(spec), builders.running(config))
    assert found["memory_limit_bytes"] == 512 << 20
    assert found["bind_address"] == "127.0.0.1"
    assert found["image"] == "postgres:15.0"


STATUS = [
    ({}, "active", None),
    ({"health": "starting"}, "active", None),
    ({"health": None}, "active", None),
    ({"health": "unhealthy"}, "error", "health check"),
    ({"status": "exited"}, "stopped", None),
    # What the engine last thought of a container that is stopped.
    ({"status": "exited", "health": "unhealthy"}, "stopped", None),
    ({"status": "exited", "exit_code": 137}, "error", "exit code 137"),
    ({"status": "exited", "exit_code": 137, "oom_killed": True}, "error", "OOM killer"),
    ({"status": "created"}, "error", "never started"),
    ({"status": "restarting", "exit_code": 1}, "error", "restarting"),
    ({"status": "paused"}, "error", "paused"),
    ({"status": "dead"}, "error", "dead"),
]


@pytest.mark.parametrize(("state", "status", "reason"), STATUS, ids=[str(case[0]) for case in STATUS])
def test_the_status_and_for_an_error_its_reason(state, status, reason):
    spec = builders.declared()
    container = dataclasses.replace(builders.settled(spec).container, **state)
    found = view.database(spec, builders.record_of(spec), container)
    assert found["status"] == status
    assert (found["status_reason"] is None) == (reason is None)
    assert reason is None or reason in found["status_reason"]
    assert (found["started_at"] is not None) == container.running


def test_a_missing_container_is_an_error_that_says_what_mends_it():
    spec = builders.declared()
    found = view.database(spec, builders.record_of(spec, port=5440), None)
    assert (found["status"], found["container_status"]) == ("error", "absent")
    assert "state: started" in found["status_reason"]
    assert (found["id"], found["port"], found["health"], found["started_at"]) == (builders.IDENTITY, 5440, None, None)


def test_a_missing_record_leaves_what_the_container_says():
    spec = builders.declared()
    found = view.database(spec, None, builders.settled(spec, record=builders.record_of(spec, port=5440)).container)
    assert (found["id"], found["port"], found["username"]) == (builders.IDENTITY, 5440, None)


def test_a_first_start_that_is_not_complete_is_no_active_database():
    spec = builders.declared()
    found = view.database(spec, builders.record_of(spec, initialised=False), builders.settled(spec).container)
    assert found["status"] == "error"
    assert "first start" in found["status_reason"]


def test_what_a_record_declares_is_read_back():
    spec = builders.declared(memory="1g", settings={"jit": False})
    again = view.from_record(builders.record_of(spec), spec.data_root)
    assert again.declared() == spec.declared()
    assert again.data_root == spec.data_root
    assert view.from_record(builders.record_of(spec, declared={}), spec.data_root) is None
    assert view.from_record(builders.record_of(spec, declared={"memory": "lots"}), spec.data_root) is None


def test_nothing_is_there_before_the_first_run():
    spec = builders.declared()
    assert view.before(spec, builders.empty()) == {}


def test_the_two_sides_of_the_diff_are_equal_for_a_database_as_declared():
    spec = builders.declared(memory="1g", settings={"jit": False}, trusted_sources=["10.0.0.0/8"])
    seen = builders.settled(spec)
    texts = {path: known.content.decode("utf-8") for path, known in seen.files.items() if path.startswith("conf/")}
    assert view.before(spec, seen) == view.after(spec, seen, seen.record, seen.container.config, texts)


def test_the_diff_shows_what_changes_and_no_secret():
    old, new = (
        builders.declared(memory="1g"),
        builders.declared(memory="2g", settings={"jit": False}, sslmode="require"),
    )
    seen = builders.settled(old)
    before = view.before(new, seen)
    after = view.after(new, seen, builders.record_of(new), containers.desired(new, seen.record, builders.image()), {})
    changed = {key for key in {*before, *after} if before.get(key) != after.get(key)}
    assert changed == {"memory", "sslmode", "parameters", "access"}
    assert (before["memory"], after["memory"]) == ("1g", "2g")
    assert after["parameters"]["jit"] == "off"
    assert builders.PASSWORD not in str(before) + str(after)


def test_the_diff_before_the_image_is_known():
    spec = builders.declared()
    after = view.after(spec, builders.empty(image=None), builders.record_of(spec), None, {})
    assert (after["status"], after["database"], after["port"]) == ("running", "app", 5432)


@pytest.mark.parametrize(
    ("given", "status", "expected"),
    [
        ({}, "running", "running"),
        ({}, "exited", "running"),
        ({"state": "present"}, "exited", "stopped"),
        ({"state": "present"}, "running", "running"),
    ],
)
def test_the_status_that_will_be(given, status, expected):
    spec = builders.declared(**given)
    seen = builders.settled(spec)
    seen = seen if status == "running" else builders.stopped(seen)
    assert view.after(spec, seen, seen.record, seen.container.config, {})["status"] == expected


def test_differences_are_said_as_they_are_declared():
    spec = builders.declared(memory="512m", cpus="0.5")
    current = builders.settled(spec).container.config
    wanted = dataclasses.replace(
        current, memory=1 << 30, nano_cpus=None, image_id="sha256:" + "a" * 64, mounts=(), port=5440
    )
    said = view.field_changes(["memory", "nano_cpus", "image_id", "mounts", "port"], current, wanted)
    assert said == (
        f"memory 512m -> 1g, cpus 0.5 -> none, image_id {current.image_id[:19]} -> sha256:aaaaaaaaaaaa, mounts,"
        " port 5432 -> 5440"
    )


def test_changed_options_name_what_the_record_declares_differently():
    old = builders.record_of(builders.declared(memory="1g"))
    new = builders.record_of(builders.declared(settings={"jit": False}), initialised=False)
    assert view.changed_options(old, new) == ["memory", "settings", "initialised"]
    assert view.changed_options(old, old) == []


@pytest.mark.parametrize(
    ("status", "word"), [("running", "running"), ("exited", "stopped"), ("created", "stopped"), ("paused", "paused")]
)
def test_status_words(status, word):
    spec = builders.declared()
    assert view.status_word(dataclasses.replace(builders.settled(spec).container, status=status)) == word
    assert view.status_word(None) == "absent"

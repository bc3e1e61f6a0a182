# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbook rotate on the real engine: store and server agree after it, also after a run that was killed anywhere."""

from __future__ import annotations

import itertools

import pytest

from playbooks import Fleet, changes


@pytest.fixture(scope="module")
def fleet(shared):
    fleet = Fleet(shared).let_kill()
    fleet.play("create")
    return fleet


def under_way(fleet, short="shop"):
    """Whether a rotation of the database's own password is. Users have entries of their own, which outlive them."""
    entry = fleet.credentials.read_text().partition(f"{fleet.host.container(short)}:\n")[2]
    own = list(itertools.takewhile(lambda line: line.startswith("    "), entry.splitlines()))
    assert own
    return any(line.strip().startswith("next_password") for line in own)


def agree(fleet, short="shop"):
    """Store and server have the same password, and no rotation is under way."""
    assert not under_way(fleet, short)
    return fleet.logs_in(fleet.password(short), short)


def test_rotation(fleet):
    old, stored = fleet.password(), fleet.credentials.read_bytes()
    output = fleet.play("rotate", "--check", "--diff")
    assert changes(output) == 2 and "next_password: (encrypted)" in output
    assert fleet.credentials.read_bytes() == stored and fleet.logs_in(old)

    output = fleet.play("rotate", "-vvv", "--diff")
    assert changes(output) == 3
    new = fleet.password()
    user = fleet.host.record("shop")["username"]
    assert f"user {user}, password in {fleet.credentials}" in output
    assert f"written again  {fleet.credentials}: commit it" in output
    assert new != old and agree(fleet) and not fleet.logs_in(old)
    assert old not in output and new not in output and "SCRAM-SHA-256$" not in output
    assert changes(fleet.play("create")) == 0


def test_a_password_of_ones_own(fleet):
    output = fleet.play("rotate", database_password="Chosen-by_a.Person1")
    assert fleet.password() == "Chosen-by_a.Person1" and agree(fleet)
    assert "Chosen-by_a" not in output
    output = fleet.play("rotate", database_password="Chosen-by_a.Person1", succeeds=False)
    assert "is the one that it has" in output and agree(fleet)


def test_lost_credentials_are_rotated(fleet):
    old, kept = fleet.password(), fleet.credentials.read_text()
    fleet.credentials.unlink()
    output = fleet.play("create", succeeds=False)
    assert "vellaric.postgres.rotate" in output and fleet.logs_in(old)
    fleet.play("rotate")
    assert agree(fleet) and not fleet.logs_in(old)
    # An old copy of the file comes back: the two disagree, and it is said how to settle it.
    fleet.credentials.write_text(kept)
    for check in ([], ["--check"]):
        output = fleet.play("create", *check, succeeds=False)
        assert "is not the one that" in output and "update_password: always" in output
    assert not fleet.logs_in(old)
    fleet.play("create", database_update_password="always")
    assert fleet.logs_in(old) and agree(fleet)
    fleet.host.psql("shop", f"ALTER ROLE {fleet.host.record('shop')['username']} PASSWORD 'changed-by-hand'")
    assert "is not the one that" in fleet.play("create", succeeds=False)
    fleet.play("rotate")
    assert agree(fleet)


def test_users_are_rotated_too(fleet):
    declared = [{"name": "report", "role": "readonly"}, {"name": "app", "role": "readwrite"}]
    fleet.play("create", database_users=declared)
    before = [fleet.password(user=name) for name in (None, "report", "app")]
    output = fleet.play("rotate", "-vvv", "--diff")
    after = [fleet.password(user=name) for name in (None, "report", "app")]
    assert agree(fleet) and not set(before) & set(after)
    for name, old, new in zip(("report", "app"), before[1:], after[1:]):
        assert old not in output and new not in output
        assert fleet.logs_in(new, user=name) and not fleet.logs_in(old, user=name)
    fleet.play("rotate", database_rotate_user="app")
    assert [fleet.password(user=name) for name in (None, "report")] == after[:2]
    assert fleet.logs_in(fleet.password(user="app"), user="app") and fleet.password(user="app") != after[2]
    assert "There is no user nobody" in fleet.play("rotate", database_rotate_user="nobody", succeeds=False)
    assert changes(fleet.play("create", database_users=declared)) == 0


def test_what_cannot_be_read_is_not_rotated(fleet):
    stored = fleet.credentials.read_bytes()
    (fleet.root / "vault-password").write_text("another")
    output = fleet.play("rotate", succeeds=False)
    assert "none of the vault secrets loaded" in output and "remove the entry" in output
    assert fleet.credentials.read_bytes() == stored
    (fleet.root / "vault-password").write_text("a vault password of the tests")
    assert agree(fleet)


def test_killed_before_each_task(fleet):
    old, pending = fleet.password(), 0
    # Those before the first only look, and after the last nothing is left to do.
    first = fleet.moments("rotate", "Take them")[0]
    last = fleet.moments("rotate", "Let the new passwords")[0]
    for moment in range(first, last + 2):
        assert fleet.killed("rotate", VELLARIC_KILL_BEFORE_TASK=str(moment)) != 0
        # One of the two that are stored works, whatever happened.
        pending += under_way(fleet)
        assert fleet.logs_in(fleet.password()) or fleet.logs_in(fleet.password(key="next_password"))
        if moment == last:
            # The server has the new one, applications the old one: so does the server again.
            assert not fleet.logs_in(fleet.password())
            assert "was interrupted" in fleet.play("create") and fleet.logs_in(fleet.password())
        new = fleet.password(key="next_password") if moment <= last else fleet.password()
        fleet.play("rotate")
        assert agree(fleet) and (fleet.password() == new) is (moment <= last)
    assert pending == 3 and fleet.password() != old
    assert changes(fleet.play("create")) == 0


def test_all_of_a_host(fleet):
    fleet.play("create", short="second")
    fleet.play("create", short="still")
    fleet.play("stop", short="still")
    before = [fleet.password(short) for short in ("shop", "second", "still")]
    named = {"database_name": None, "database_environment": None}
    assert "say which database" in fleet.play("rotate", succeeds=False, **named)
    output = fleet.play("rotate", database_rotate_all=True, **named)
    assert f"Left out, since it does not run: {fleet.host.container('still')}" in output
    after = [fleet.password(short) for short in ("shop", "second", "still")]
    assert [one == other for one, other in zip(before, after)] == [False, False, True]
    assert agree(fleet) and agree(fleet, "second")
    assert "does not run: start it first" in fleet.play("rotate", short="still", succeeds=False)
    assert "There is no such database" in fleet.play("rotate", short="unknown", succeeds=False)

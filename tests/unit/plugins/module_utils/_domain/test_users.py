# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Declared users, and the two logins that take turns: what is planned from what the server says of its roles."""

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import configuration, users
from ansible_collections.vellaric.postgres.plugins.module_utils._server import roles
from ansible_collections.vellaric.postgres.tests.unit import builders
from ansible_collections.vellaric.postgres.tests.unit.builders import plan, refusal

SECRET = "password-of-a-user"
REPORT = {"name": "report", "role": "readonly", "password": SECRET}
A, B = builders.USERNAME + "_a", builders.USERNAME + "_b"


def settled(**given):
    wanted = builders.declared(users=[REPORT])
    known = builders.users_of(wanted)
    for key, value in given.items():
        known[key] = value
    return builders.settled(wanted, server=builders.server(users=known))


def with_role(name, **fields):
    known = builders.users_of(builders.declared(users=[REPORT]))["roles"]
    return settled(roles={**known, name: {**known[name], **fields}})


def test_a_new_user_is_let_in_and_made():
    planned = plan(builders.declared(users=[REPORT]), builders.settled(builders.declared()))
    assert builders.verbs(planned) == ["write_record", "write_files", "reload", "users"]
    assert (
        builders.summary(planned, "users")
        == "users: create report (readonly), grant missing privileges to readonly users"
    )
    hba = builders.texts(planned)[configuration.PG_HBA_CONF]
    assert f'host "app" "{builders.USERNAME}","report" ' in hba
    assert SECRET not in str(planned) and "SCRAM" not in str(planned)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"privileged": True}, "make report an ordinary readonly user"),
        ({"member_of": [builders.USERNAME]}, "make report an ordinary readonly user"),
        ({"works_as": builders.USERNAME}, "let report work as itself"),
        ({"connection_limit": 7}, "limit report to any number of connections"),
        ({"ends_in": 60.0}, "remove the expiry of report"),
        ({"verifier": None}, "set the password of report"),
        ({"marked": False}, "take report over"),
    ],
)
def test_drift_of_a_role(fields, words):
    planned = plan(builders.declared(users=[REPORT]), with_role("report", **fields))
    assert builders.summary(planned, "users") == "users: " + words


@pytest.mark.parametrize("given", [{"ungranted": ["vellaric_readonly"]}, {"defaults": []}, {"database": []}])
def test_drift_of_what_is_granted(given):
    planned = plan(builders.declared(users=[REPORT]), settled(**given))
    assert builders.summary(planned, "users") == "users: grant missing privileges to readonly users"


def test_what_was_declared_goes_and_what_was_not_stays():
    seen = settled()
    seen.server.users["roles"]["by_hand"] = builders.user_role(marked=False)
    planned = plan(builders.declared(), seen)
    assert builders.summary(planned, "users") == (
        "users: remove report, remove role vellaric_readonly, which is no longer needed"
    )


def test_a_new_user_needs_a_password():
    without = [{"name": "report", "role": "readonly"}]
    assert "report of app-development-postgres is new" in refusal(
        builders.declared(users=without), builders.settled(builders.declared())
    )
    # One that is there keeps its own.
    assert plan(builders.declared(users=without), settled()).steps == ()
    # A partial run that does not declare it has no password for it, and leaves it out.
    partial = builders.declared(users=users.recorded(without), partial=True)
    assert "users" not in builders.verbs(plan(partial, builders.settled(builders.declared())))


def test_a_stored_password_is_not_forced_upon_a_user():
    seen = with_role("report", verifier=builders.verifier("another-password"))
    assert "password of report is not the one" in refusal(
        builders.declared(users=[{**REPORT, "update_password": "on_create"}]), seen
    )


def test_the_script_keeps_to_names_and_quotes():
    wanted = builders.declared(users=[REPORT])
    text = roles.script("it's-db", wanted.users, 'o"ne', users.NOTHING)
    assert SECRET not in text and "PASSWORD 'SCRAM-SHA-256$" in text
    assert '\\connect "it\'s-db"' in text and 'FOR ROLE "o""ne" GRANT SELECT ON TABLES TO "vellaric_readonly";' in text
    # Verifiers come in the session that logs nothing.
    assert text.index("log_statement") < text.index("SCRAM") < text.index("\\connect")


# --- two logins that take turns


def turning(login, seen=None, **given):
    """What is planned where that login's turn comes."""
    wanted = builders.declared(username=login, password=SECRET, **given)
    return plan(wanted, seen or builders.settled(builders.declared()))


def taken(**ends):
    """What is observed where login _a has its turn; ends: by role, the seconds after which its login ends."""
    wanted = builders.declared()
    role = {"member_of": [builders.USERNAME], "works_as": builders.USERNAME, "verifier": builders.verifier(SECRET)}
    known = {name: builders.user_role(**role, ends_in=ends.get(name)) for name in (A, *ends)}
    known[builders.USERNAME] = builders.user_role(
        marked=False, verifier=builders.verifier("old"), ends_in=ends.get(builders.USERNAME)
    )
    record = builders.record_of(wanted, login=A)
    texts = builders.texts_of(builders.declared(users=[{"name": A, "role": "owner"}, {"name": B, "role": "owner"}]))
    files = {**texts, **builders.tls_files()}
    server = builders.server(users={**users.NOTHING, "roles": known})
    return builders.settled(wanted, record=record, files=files, server=server)


def test_the_first_turn():
    planned = turning(A)
    assert builders.verbs(planned) == ["write_record", "write_files", "reload", "users"]
    assert (planned.record.username, planned.record.login) == (builders.USERNAME, A)
    assert builders.summary(planned, "users") == f"users: create {A} (owner)"
    # The application's own role keeps its password, and its login until that is ended.
    assert (
        planned.spec.password is None and f'"{builders.USERNAME}","{A}","{B}"' in builders.texts(planned)[builders.HBA]
    )
    assert turning(A, taken()).steps == ()


def test_the_turn_that_is_over_ends():
    planned = turning(A, taken(), login_grace=60)
    assert builders.summary(planned, "end_logins") == f"expire the login of {builders.USERNAME} in 60 s"
    assert turning(A, taken(**{builders.USERNAME: 30.0}), login_grace=60).steps == ()


def test_a_login_that_is_still_used_gets_no_new_password():
    wanted = builders.declared(username=B, password="another-password")
    for ends, words in ((900.0, "for another 900 s"), (None, "until its login is ended")):
        assert words in refusal(wanted, taken(**{B: ends}))
    assert builders.verbs(plan(wanted, taken(**{B: -1.0})))[-1] == "users"
    # With the password that it has, it is only its turn again.
    assert builders.verbs(turning(B, taken(**{B: 900.0})))[-1] == "users"


def test_what_knows_nothing_of_logins_leaves_them():
    wanted = builders.declared(username=None, password=None, partial=True)
    assert plan(wanted, taken()).record.login == A
    assert plan(wanted, taken()).steps == ()


def test_back_to_a_single_login():
    planned = plan(builders.declared(), taken())
    assert planned.record.login is None and f"remove {A}" in builders.summary(planned, "users")


def test_another_name_is_no_login():
    message = refusal(builders.declared(username=builders.USERNAME + "_c"), builders.settled(builders.declared()))
    assert "belongs to" in message
    taken_name = builders.declared(username=A, password=SECRET, users=[{**REPORT, "name": B}])
    assert "is a login of the application's own role" in refusal(taken_name, builders.settled(builders.declared()))

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody gave the application's role besides its database is taken from it, and what outranks a declaration."""

from __future__ import annotations

import psycopg
import pytest
from harness import IMAGE, OTHER_MAJOR_IMAGE, PASSWORD, THOROUGH, USERNAME, docker, eventually, verbs

IMAGES = {"15": IMAGE, "17": OTHER_MAJOR_IMAGE, "18": "vellaric/postgres:18-forky"}
# Each gives the role what it must not have, some by way of another role.
GRANTS = f"""CREATE ROLE helper CREATEDB; CREATE ROLE between; GRANT helper TO between; GRANT between TO {USERNAME};
GRANT postgres TO {USERNAME} WITH ADMIN OPTION;
GRANT pg_execute_server_program, pg_monitor TO {USERNAME};
CREATE ROLE other SUPERUSER; SET ROLE other; GRANT pg_read_server_files TO {USERNAME}; RESET ROLE;
CREATE ROLE plain; GRANT plain TO {USERNAME};
GRANT ALTER SYSTEM ON PARAMETER archive_command TO {USERNAME}; GRANT SET ON PARAMETER log_statement TO {USERNAME};
ALTER DATABASE template1 OWNER TO {USERNAME};
GRANT vellaric_readonly TO {USERNAME}; GRANT pg_write_server_files TO vellaric_readonly"""
GRANTS_HERE = f"""GRANT EXECUTE ON FUNCTION pg_read_file(text) TO {USERNAME};
GRANT EXECUTE ON FUNCTION lo_import(text) TO PUBLIC;
GRANT SELECT ON pg_authid TO PUBLIC; GRANT SELECT (passwd) ON pg_shadow TO vellaric_readonly"""
BECOMES = (
    "SET ROLE postgres",
    "SET ROLE helper",
    "COPY (SELECT 1) TO PROGRAM 'cat > /dev/null'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT rolpassword FROM pg_authid",
    "SET ROLE vellaric_readonly; SELECT passwd FROM pg_shadow",
    "ALTER SYSTEM SET archive_command = 'true'",
    "ALTER DATABASE template1 SET work_mem = '1MB'",
    "SET ROLE pg_write_server_files",
)
READER = [{"name": "reader", "role": "readonly", "password": PASSWORD}]


@pytest.fixture(scope="module", params=IMAGES)
def options(request, shared):
    given = {"image": IMAGES[request.param], "users": READER, "settings": {"work_mem": "64MB"}}
    shared.run("a", **given)
    yield given
    shared.forget("a")


def findings(host):
    return {one["code"]: one for one in host.info(gather=["findings"])[0]["findings"]}


def test_what_the_role_was_given_is_taken_from_it(shared, options):
    host = shared
    # As a script: what SET ROLE does is to last.
    host.psql("a", GRANTS)
    host.psql_in("a", GRANTS_HERE)
    for attack in BECOMES:
        host.query("a", f"BEGIN; {attack}; ROLLBACK" if "SYSTEM" not in attack else attack)
    found = findings(host)
    assert found["excess_privileges"]["severity"] == "critical"
    answer = host.converge("a", **options)
    assert "privileges" in verbs(answer)
    before = answer["diff"]["before"]["not_declared"]
    for words in (
        "member of postgres",
        "between (and so of helper)",
        "lo_import",
        "pg_authid",
        "archive_command",
        "template1",
    ):
        assert any(words in one for one in before), (words, before)
    assert "not_declared" not in answer["diff"]["after"]
    for attack in BECOMES:
        with pytest.raises(psycopg.Error, match="permission denied|must be owner|must be superuser"):
            host.query("a", attack)
    # What is only odd is left, and said; so is what is declared.
    assert host.query("a", "SELECT pg_has_role('pg_monitor', 'member'), pg_has_role('plain', 'member')") == [
        (True,) * 2
    ]
    assert host.query("a", "SELECT 1", user="reader") == [(1,)]
    found = findings(host)
    assert "excess_privileges" not in found and "pg_monitor" in found["odd_privileges"]["message"]


def test_what_was_set_by_hand_does_not_outrank_what_is_declared(shared, options):
    """TLS is off, upon which nobody gets in; the application's role has parameters of its own."""
    host, name = shared, shared.name("a")
    for statement in (
        "ALTER SYSTEM SET ssl = off",
        "ALTER SYSTEM SET work_mem = '1MB'",
        "ALTER SYSTEM SET log_connections = on",
        f"ALTER DATABASE \"{name}\" SET work_mem = '2MB'",
        f"ALTER ROLE {USERNAME} IN DATABASE \"{name}\" SET work_mem = '3MB'",
        f"ALTER ROLE {USERNAME} SET password_encryption = md5",
        f"ALTER ROLE {USERNAME} SET search_path = public",
        f"ALTER ROLE {USERNAME} CONNECTION LIMIT 7",
        "SELECT pg_reload_conf()",
    ):
        host.psql("a", statement)
    eventually(lambda: host.psql("a", "SHOW ssl") == "off")
    known = findings(host)
    assert known["outranked"]["severity"] == "critical" and "ssl" in known["outranked"]["message"]
    assert "log_connections" in known["set_by_hand"]["message"] and "has 7" in known["connection_limit"]["message"]
    answer = host.converge("a", **options)
    assert verbs(answer) == ["altered", "reload", "overrides"]
    assert "ALTER SYSTEM SET ssl" in answer["diff"]["before"]["not_declared"]
    shown = "SELECT current_setting('work_mem'), current_setting('password_encryption'), current_setting('search_path')"
    assert host.query("a", shown, sslmode="require") == [("64MB", "scram-sha-256", "public")]
    known = findings(host)
    assert "outranked" not in known and "log_connections" in known["set_by_hand"]["message"]


def test_what_takes_a_restart_is_held_back_where_none_is_allowed(shared, options):
    if options["image"] != IMAGE and not THOROUGH:
        pytest.skip("the same on all versions")
    host, wanted = shared, {**options, "settings": {"work_mem": "64MB", "max_connections": 90}}
    host.run("a", **wanted)
    host.psql("a", "ALTER SYSTEM SET max_connections = 80")
    host.psql("a", "ALTER SYSTEM SET work_mem = '1MB'")
    assert verbs(host.check("a", **wanted)) == ["altered", "reload"]
    host.run("a", state="restarted")
    assert host.query("a", "SHOW max_connections") == [("80",)]
    held = host.run("a", max_impact="none", **wanted)
    assert verbs(held) == ["altered", "reload"] and [step["verb"] for step in held["pending"]] == ["restart"]
    assert verbs(host.converge("a", **wanted)) == ["altered", "restart"]
    assert host.query("a", "SELECT current_setting('max_connections'), current_setting('work_mem')") == [("90", "64MB")]
    # With this one it does not even start.
    host.psql("a", "ALTER SYSTEM SET ssl_cert_file = '/nowhere'")
    host.psql("a", "ALTER SYSTEM SET log_connections = on")
    docker("restart", "-t", "60", host.container("a"))
    eventually(lambda: host.inspect("a")["RestartCount"] > 0, 60)
    docker("stop", "-t", "5", host.container("a"))
    assert verbs(host.converge("a", **wanted)) == ["altered", "start"]
    assert host.query("a", "SHOW log_connections", sslmode="require") == [("on",)]

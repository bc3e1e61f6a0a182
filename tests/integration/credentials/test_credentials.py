# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""postgres_db_credentials in real runs of ansible-playbook, with vault password files."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import time

import pytest
from project import DATABASE, PASSWORD, Project, credentials


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_generated_then_stored_then_forgotten(project):
    predicted = project.result(None, "--check", "--diff")
    assert predicted["changed"] and not project.file.exists()
    assert predicted["databases"][0]["username"] is None

    first = project.result(None, "--diff")
    assert first["changed"]
    assert first["path"] == str(project.file)
    assert first["vault_id"] == "prod"
    database = first["databases"][0]
    username = database.pop("username")
    assert re.fullmatch("db_user_[0-9a-f]{12}", username)
    assert database == {
        "name": "shop",
        "environment": "production",
        "container_name": "shop-production-postgres",
        "entry": "shop-production-postgres",
        "user": None,
        "source": "generated",
        "rotating": False,
        "next_username": None,
        "changed": True,
        "added": True,
    }
    assert first["diff"] == predicted["diff"]
    content = project.file.read_bytes()
    assert b"$ANSIBLE_VAULT;1.2;AES256;prod\n" in content
    assert mode(project.file) == 0o600
    stored_username, password = project.stored()["shop-production-postgres"]
    assert stored_username == username
    assert re.fullmatch("[A-Za-z0-9]{24}", password)
    assert password.encode() not in content
    read = project.results(
        [
            {"ansible.builtin.include_vars": {"file": str(project.file)}, "no_log": True},
            {"ansible.builtin.set_fact": {"read": "{{ postgres_credentials['shop-production-postgres'].password }}"}},
        ]
    )
    assert read[1]["ansible_facts"]["read"] == password

    second, checked = project.result(), project.result(None, "--check", "--diff")
    for result in (second, checked):
        assert not result["changed"]
        assert result["databases"] == [dict(database, username=username, source="stored", added=False, changed=False)]
    assert project.file.read_bytes() == content

    absent = {"state": "absent"}
    assert project.result(absent, "--check")["changed"] and project.file.exists()
    # Forgetting needs no vault secret.
    assert project.result(absent, "--diff", vaults=())["changed"]
    assert not project.file.exists()
    assert not project.result(absent)["changed"]
    assert not [name for name in os.listdir(project.root) if "vellaric" in name]


def test_many_in_one_call_beside_the_users_own_variables(project):
    own = (
        "# Mine.\nregion:   eu-1   # where\nother: !vault |\n  $ANSIBLE_VAULT;1.1;AES256;unknown\n  6162\n"
        "\nlast: [1,\n  2]\n"
    )
    project.file.write_text(own)
    project.file.chmod(0o644)
    databases = [{"name": f"db{number}", "environment": "staging"} for number in range(5)]
    databases[1].update(username="app", password=PASSWORD)
    first = project.result({"databases": databases}, "--diff")
    assert [database["source"] for database in first["databases"]] == ["generated", "given"] + ["generated"] * 3
    assert "mode: 0644" in first["diff"]["before"] and "mode: 0600" in first["diff"]["after"]
    content = project.file.read_text()
    assert content.startswith(own)
    assert mode(project.file) == 0o600
    stored = project.stored()
    assert stored["db1-staging-postgres"] == ("app", PASSWORD)
    assert len({password for _username, password in stored.values()}) == 5

    databases[3]["password"] = "Another-password-2"
    second = project.result({"databases": databases})
    assert [database["changed"] for database in second["databases"]] == [False, False, False, True, False]
    # It waits beside the stored one until the server has it.
    assert project.stored() == stored and "next_password" in project.file.read_text()
    assert project.result({"databases": databases, "state": "rotated"})["changed"]
    after = project.stored()
    assert after.pop("db3-staging-postgres")[1] == "Another-password-2"
    assert stored.pop("db3-staging-postgres") and after == stored
    # The other passwords are not encrypted anew.
    changed = set(project.file.read_text().splitlines()) ^ set(content.splitlines())
    assert len(changed) < 14

    project.file.chmod(0o640)
    third = project.result({"databases": databases})
    assert third["changed"] and mode(project.file) == 0o600
    assert not any(database["changed"] for database in third["databases"])

    removed = project.result({"databases": databases, "state": "absent"})
    assert removed["changed"] and project.file.read_text() == own


def test_options_and_files_refused(project):
    secret = "Secret-in-clear-3"
    files = {
        "whole.yml": "$ANSIBLE_VAULT;1.1;AES256\n6162\n",
        "list.yml": f"- {secret}\n",
        "broken.yml": f"a: [{secret}\nb: {secret}\n",
        "twice.yml": "postgres_credentials: {}\npostgres_credentials: {}\n",
        "section.yml": f"postgres_credentials: {secret}\n",
        "entry.yml": f"postgres_credentials:\n  shop-production-postgres:\n    password: {secret}\n",
        "file": "",
    }
    for name, content in files.items():
        (project.root / name).write_text(content)
    cases = [
        (credentials(path="whole.yml"), "encrypted as a whole"),
        (credentials(path="list.yml"), "must be a mapping"),
        (credentials(path="broken.yml"), "line 2, column 2: it is not valid YAML"),
        (credentials(path="twice.yml"), "twice"),
        (credentials(path="section.yml"), "postgres_credentials must be a mapping"),
        (credentials(path="entry.yml"), "has no username"),
        (credentials(path="file/c.yml"), "a part of the path is a file"),
        (credentials(path="/proc/none/c.yml"), "path: cannot"),
        (credentials(path="."), "not a regular file"),
        (credentials(path=None), "path"),
        (credentials(name="Shop"), "name: 'Shop' is not a database name"),
        (credentials(name="s" * 50), "at most 43 characters"),
        (credentials(environment="prod"), "production, staging, development"),
        (credentials(environment=None), "environment"),
        (credentials(username="pg_app"), "username: 'pg_app' is reserved"),
        (credentials(password="short-pass"), "password: the value given is not accepted"),
        (credentials(password=[secret]), "list or a mapping"),
        (credentials(databases=[dict(DATABASE, password={"a": secret})]), "list or a mapping"),
        (credentials(databases=[dict(DATABASE, password=secret, port=1)]), "port"),
        (credentials(databases=[DATABASE, DATABASE]), "there twice"),
        (credentials(databases=[DATABASE], **DATABASE), "mutually exclusive"),
        (credentials(name=None, environment=None), "one of the following is required: name, databases"),
        (credentials(state="gone", password=secret), "state"),
        (credentials(passwort=secret), "passwort"),
    ]
    results = project.results([task for task, _message in cases], "-vvv")
    for (task, message), result in zip(cases, results):
        assert result["failed"], task
        assert message in result["msg"], (task, result["msg"])
        assert secret not in result["msg"] and "short-pass" not in result["msg"]
        assert "Traceback" not in str(result.get("exception"))
    assert {path.name: path.read_text() for path in project.root.iterdir() if path.name in files} == files


def test_no_password_in_the_output(project):
    given = "Given-and-not-shown-4"
    (project.root / "vars.yml").write_text(f"given: {given}\n")
    tasks = [
        {"ansible.builtin.include_vars": {"file": str(project.root / "vars.yml")}, "no_log": True},
        credentials(),
        credentials(password="{{ given }}", name="two"),
        credentials(databases=[dict(DATABASE, password="{{ given }}")]),
        credentials(password="{{ given }}", state="rotated"),
        dict(credentials(password="{{ given }}x y"), ignore_errors=True),
        {"ansible.builtin.include_vars": {"file": str(project.root / "credentials.yml")}, "no_log": True},
    ]
    generated = None
    for arguments in ((), ("--check",)):
        done = project.run(tasks[:2], "-vvvvv", "--diff", *arguments)
        assert done.returncode == 0
        generated = project.stored()["shop-production-postgres"][1]
        assert generated not in done.stdout + done.stderr
    for arguments in (("--check",), (), ()):
        done = project.run(tasks, "-vvvvv", "--diff", *arguments)
        output = done.stdout + done.stderr
        assert done.returncode == 0, output
        # Ansible may wrap or quote what it prints: a part would do, too.
        for shown in (given, given[:12], given[-12:], generated, "the vault password of prod"):
            assert shown not in output
        assert not re.search("[0-9a-f]{60}", output)
    assert project.stored()["shop-production-postgres"][1] == given


def test_runs_at_the_same_time_into_one_file(project):
    runs = []
    for number in range(6):
        play = project.play(
            [credentials(databases=[{"name": f"n{number}-{i}", "environment": "staging"} for i in range(4)])],
            f"play{number}.yml",
        )
        environment = dict(project.environment(), ANSIBLE_LOCAL_TEMP=str(project.root / (f"tmp{number}")))
        runs.append(
            subprocess.Popen(
                project.command(play), env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
        )
    for run in runs:
        output = run.communicate(timeout=120)[0]
        assert run.returncode == 0, output
    assert len(project.stored()) == 24


def test_hosts_of_one_play_into_one_file(project):
    done = project.run(
        [credentials(name="{{ inventory_hostname }}"), credentials(name="shared")],
        "-i",
        "host1,host2,host3,host4,host5,host6",
        "-f",
        "6",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r"^changed:", done.stdout, re.MULTILINE)) == 8, done.stdout
    assert len(project.stored()) == 8


def test_killed_in_the_middle(project):
    project.result({"databases": [{"name": f"old{number}", "environment": "staging"} for number in range(5)]})
    before = project.stored()
    databases = [{"name": f"new{number}", "environment": "staging"} for number in range(40)]
    play = project.play([credentials(databases=databases)], "kill.yml")
    sizes = {project.file.stat().st_size}
    for delay in (0.0, 0.1, 0.25, 0.4, 0.6):
        run = subprocess.Popen(
            project.command(play, "-vv"),
            env=project.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        for line in run.stdout:
            if line.startswith("TASK ["):
                break
        time.sleep(delay)
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        run.stdout.close()
        stored = project.stored()
        assert len(stored) in (5, 45)
        assert {key: stored[key] for key in before} == before
        sizes.add(project.file.stat().st_size)
    again = project.result({"databases": databases})
    assert not again.get("failed")
    assert len(project.stored()) == 45
    assert not [name for name in os.listdir(project.root) if "vellaric" in name]


def test_handed_on_from_job_to_job(project):
    """A controller whose files are thrown away: refused, unless the credentials are handed on, encrypted."""
    job = {"AWX_PRIVATE_DATA_DIR": str(project.root)}
    for arguments in ((), ("--check",)):
        refused = project.result(None, *arguments, **job)
        assert refused["failed"] and "thrown away" in refused["msg"] and "return_artifact" in refused["msg"]
    assert not project.file.exists()
    first = project.result({"return_artifact": True}, **job)
    password = project.stored()["shop-production-postgres"][1]
    assert first["artifact"]["shop-production-postgres"]["password"].startswith("$ANSIBLE_VAULT;1.2;AES256;prod")
    assert password not in str(first)
    project.file.unlink()
    second = project.result({"artifact": first["artifact"], "return_artifact": True}, **job)
    assert second["changed"] and second["artifact"] == first["artifact"]
    assert second["databases"][0]["source"] == "stored"
    assert project.stored()["shop-production-postgres"][1] == password
    # What is there is only read, which is no reason to refuse.
    assert not project.result(None, **job)["changed"]
    refused = project.result({"artifact": first["artifact"]}, vaults=("wrong",))
    assert refused["failed"] and "artifact: shop-production-postgres.password cannot be read" in refused["msg"]

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several new databases at once: one initdb for all, and no two clusters that take each other for themselves."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import harness
import pytest
from harness import THOROUGH, Host, docker, inspect

DRIVER = [sys.executable, str(Path(__file__).with_name("killed.py"))]
NAMES = ("a", "b", "c", "d")
# What initdb says in the log of a container whose entrypoint runs it.
INITDB = "The files belonging to this database system"


def declared(host, *shorts):
    return [{"name": host.name(short)} for short in shorts or NAMES]


def identifiers(host, *shorts):
    """Return the system identifiers, as each server says itself."""
    return {host.psql(short, "SELECT system_identifier FROM pg_control_system()") for short in shorts or NAMES}


def initialised_themselves(host, *shorts):
    logs = {short: docker("logs", host.container(short)) for short in shorts or NAMES}
    return [short for short, log in logs.items() if INITDB in log]


def serve(host, *shorts):
    """What the next run has to bring about, whatever was left."""
    host.run(databases=declared(host, *shorts))
    for short in shorts or NAMES:
        assert host.query(short, "SELECT current_database()") == [(host.name(short),)]
    assert len(identifiers(host, *shorts)) == len(shorts or NAMES)
    assert not host.run(databases=declared(host, *shorts))["changed"]
    assert not os.path.exists(f"{host.data_root}/.models")


@pytest.fixture(scope="module", params=[harness.IMAGE, harness.OTHER_MAJOR_IMAGE])
def fleet(request):
    host = Host()
    host.defaults["image"] = request.param
    host.run(databases=declared(host), wait_timeout=240)
    yield host
    host.close()


def test_initdb_ran_once(fleet):
    assert initialised_themselves(fleet) == []
    assert not os.path.exists(f"{fleet.data_root}/.models")
    assert not fleet.run(databases=declared(fleet))["changed"]


def test_each_is_a_cluster_of_its_own(fleet):
    assert len(identifiers(fleet)) == len(NAMES)
    # The secret of the salts that logins as nobody get (mock_authentication_nonce), which pg_controldata shows.
    shown = {
        docker("exec", fleet.container(short), "sh", "-c", "pg_controldata $PGDATA | grep 'Mock auth'")
        for short in NAMES
    }
    assert len(shown) == len(NAMES)
    for short in NAMES:
        assert fleet.query(short, "SELECT current_user") == [(harness.USERNAME,)]


def test_it_is_as_initdb_makes_it(fleet):
    """Compared with a database whose own entrypoint has made it: databases, roles, parameters and files."""
    fleet.run("own")
    assert initialised_themselves(fleet, "own") == ["own"]

    def facts(short):
        said = [
            fleet.psql(
                short, "SELECT name, setting FROM pg_settings WHERE source = 'configuration file' ORDER BY name"
            ),
            fleet.psql(short, "SELECT datname, encoding, datcollate, datctype FROM pg_database ORDER BY oid"),
            fleet.psql(short, "SELECT rolname, rolsuper, rolcanlogin, rolpassword IS NULL FROM pg_roles ORDER BY 1"),
            docker("exec", fleet.container(short), "sh", "-c", "cd $PGDATA && cat postgresql.conf PG_VERSION && ls -l"),
            docker("exec", fleet.container(short), "sh", "-c", "stat -c '%n %U %a' $PGDATA $PGDATA/* $PGDATA/base"),
            docker("exec", fleet.container(short), "sh", "-c", "pg_controldata $PGDATA | grep -i 'checksum\\|segment'"),
        ]
        kept = "\n".join(line for text in said for line in text.splitlines() if not line.startswith(("-rw", "drwx")))
        return kept.replace(fleet.name(short), "DATABASE")

    assert facts("a") == facts("own")
    fleet.forget("own")


def test_it_survives_a_crash(fleet):
    """The WAL is of the same system as the control file, or the server would not recover."""
    fleet.query("b", "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    docker("kill", fleet.container("b"))
    fleet.run("b")
    assert fleet.query("b", "SELECT count(*) FROM kept") == [(1000,)]
    logs = ["docker", "logs", "--tail", "30", fleet.container("b")]
    log = subprocess.run(logs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True).stdout
    assert "redo done" in log and "different database system" not in log


def test_its_checksums_are_right(fleet):
    image = inspect(fleet.container("c"))["Config"]["Image"]
    docker("stop", fleet.container("c"))
    mounted = f"{fleet.directory('c')}/pgdata:/var/lib/postgresql:ro"
    check = 'pg_checksums --check -D "$(dirname /var/lib/postgresql/*/docker/PG_VERSION)"'
    run = ["docker", "run", "--rm", "-u", "postgres", "-v", mounted, "--entrypoint", "sh", image, "-c", check]
    said = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert "Bad checksums:  0" in said
    fleet.run("c")


def test_an_image_that_does_more_at_the_first_start(host, image_tag):
    """Its scripts run for each database."""
    script = "printf 'CREATE ROLE made_by_the_script;' > /docker-entrypoint-initdb.d/roles.sql"
    entrypoint = json.loads(docker("image", "inspect", "-f", "{{json .Config.Entrypoint}}", harness.IMAGE))
    container = docker("create", "--entrypoint", "sh", harness.IMAGE, "-c", script)
    docker("start", "-a", container)
    changes = (f"ENTRYPOINT {json.dumps(entrypoint)}", 'CMD ["postgres"]', f"LABEL {harness.TEST_LABEL}={image_tag}")
    docker("commit", *[option for change in changes for option in ("--change", change)], container, image_tag)
    docker("rm", container)
    host.run(databases=declared(host, "a", "b", "c"), image=image_tag, wait_timeout=240)
    for short in "abc":
        assert host.psql(short, "SELECT 1 FROM pg_roles WHERE rolname = 'made_by_the_script'") == "1"
    assert initialised_themselves(host, "a", "b", "c") == ["a", "b", "c"]


def test_another_run_makes_some_too(host):
    """Each of them then has its own initdb; what the other one has made so far is not touched."""
    os.makedirs(f"{host.data_root}/.locks")
    os.makedirs(f"{host.data_root}/.models/of-the-other")
    with open(f"{host.data_root}/.locks/models", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        host.run(databases=declared(host, "a", "b", "c"), wait_timeout=240)
        assert initialised_themselves(host, "a", "b", "c") == ["a", "b", "c"]
        assert os.listdir(f"{host.data_root}/.models") == ["of-the-other"]
    # It was killed: the next run of any kind clears it away.
    host.run(databases=declared(host, "a", "b"))
    assert not os.path.exists(f"{host.data_root}/.models")


def test_killed(host):
    """Before the second of the four has that done to it, and before what initdb made for all of them is removed."""
    for effect in (
        ("renew:2", "create:2", "start:2", "update:2", "remove_tree:1") if THOROUGH else ("renew:2", "start:2")
    ):
        arguments = host.arguments(databases=declared(host), wait_timeout=240)
        process = host.start(arguments=arguments, command=[*DRIVER, effect])
        stdout, stderr = process.communicate()
        assert process.returncode == -signal.SIGKILL, stdout + stderr
        assert os.path.isdir(f"{host.data_root}/.models")
        serve(host)
        host.run(databases=declared(host), state="absent", purge=True)


def test_killed_at_any_moment(host):
    """Also while initdb runs, and while what it made is copied: by time, since neither is one call."""
    for milliseconds in (700, 1100, 1500, 1900, 2300):
        process = host.start(arguments=host.arguments(databases=declared(host), wait_timeout=240))
        time.sleep(milliseconds / 1000)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    serve(host)


def test_no_space_for_the_copies(host):
    os.mkdir(host.data_root)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100m,mode=0755", "vellaric-test", host.data_root], check=True)
    try:
        answer = host.start(arguments=host.arguments(databases=declared(host))).communicate()[0]
        assert "No space left on device" in answer
        subprocess.run(["mount", "-o", "remount,size=900m", host.data_root], check=True)
        serve(host)
    finally:
        docker("rm", "-fv", *host.containers(), check=False)
        subprocess.run(["umount", "-l", host.data_root], check=True)

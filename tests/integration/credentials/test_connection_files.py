# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that tell applications how to connect, used by psql, which shares nothing with us; and playbook connection."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from harness import IMAGE, USERNAME, Failed

from playbooks import Fleet, changes

ODD = 'p"a$s`w\\:o@r/d#%;&+='
# What all readers of .env files take for the same.
READABLE = 'p"a*s`w:o@r/d#%;&+=~!()<>{}|^[]?,.'
CLIENTS = {
    "env": "set -a; . {files}/env; psql -XAtc 'SELECT user'; psql \"$DATABASE_URL\" -XAtc 'SELECT user'",
    "pgpass": "PGPASSFILE={files}/pgpass psql -wXAt -h 127.0.0.1 -p {port} -U {user} -d {name} -c 'SELECT user'",
    "pg_service": "PGSERVICEFILE={files}/pg_service psql service={name} -wXAtc 'SELECT current_user'",
    "url": "psql \"$(cat {files}/url)\" -wXAtc 'SELECT current_user'",
}


@pytest.fixture(scope="module")
def files(shared):
    shared.run("a", password=ODD, sslmode="require")
    shared.run("b", password=READABLE, sslmode="verify-full", address="127.0.0.1")
    directory = Path(shared.root, "files")
    directory.mkdir()
    return directory


def target(shared, kind):
    """The form that not everybody can read is of another database, which clients verify."""
    short = "b" if kind in ("env", "docker_env") else "a"
    given = {"host": "127.0.0.1", "port": shared.record(short)["port"], "database": shared.name(short)}
    if short == "a":
        return {**given, "password": ODD, "sslmode": "require"}
    authority = shared.one("b")["ca_certificate"]
    return {**given, "password": READABLE, "sslmode": "verify-full", "ca_certificate": authority}


def write(shared, files, kind, check=False, **more):
    given = {"path": str(files / kind), "format": kind, "username": USERNAME, **target(shared, kind), **more}
    return shared._result("postgres_db_connection", {**given, "_ansible_check_mode": check, "_ansible_diff": True})


@pytest.mark.parametrize("kind", [*CLIENTS, "docker_env", "jdbc"])
def test_written_once_and_used_by_psql(shared, files, kind):
    assert write(shared, files, kind, check=True)["changed"] and not (files / kind).exists()
    answer = write(shared, files, kind)
    assert answer["changed"] and ODD not in str(answer) and READABLE not in str(answer)
    assert "%40r%2Fd" not in str(answer)
    status = (files / kind).stat()
    assert status.st_mode & 0o777 == 0o600
    assert not write(shared, files, kind)["changed"] and (files / kind).stat().st_ino == status.st_ino
    (files / kind).chmod(0o644)
    assert write(shared, files, kind)["changed"] and (files / kind).stat().st_mode & 0o777 == 0o600
    assert not [name for name in os.listdir(files) if name.endswith(".partial")]
    if kind in CLIENTS:
        port, name = (target(shared, kind)[key] for key in ("port", "database"))
        used_by_psql(files, [], CLIENTS[kind].format(port=port, user=USERNAME, name=name, files=files))
    elif kind == "docker_env":
        script = """psql -XAtc 'SELECT current_user'; psql "$DATABASE_URL" -XAtc 'SELECT current_user'"""
        used_by_psql(files, ["--env-file", str(files / kind)], script)


def used_by_psql(files, options, script):
    client = [
        "docker",
        "run",
        "--rm",
        "--network=host",
        "-v",
        f"{files}:{files}:ro",
        *options,
        "--entrypoint=sh",
        IMAGE,
    ]
    done = subprocess.run([*client, "-ec", script], capture_output=True, text=True, check=False)
    assert set(done.stdout.split()) == {USERNAME}, done


def test_the_certificate_of_the_authority_is_written_beside(shared, files):
    file = files / f"{shared.name('b')}-ca.crt"
    file.unlink(missing_ok=True)
    answer = write(shared, files, "env", check=True)
    assert answer["changed"] and not file.exists()
    assert write(shared, files, "env")["changed"] and file.read_text() == shared.one("b")["ca_certificate"]
    assert file.stat().st_mode & 0o777 == 0o644
    assert f"PGSSLROOTCERT={file}\n" in (files / "env").read_text()
    assert not write(shared, files, "env")["changed"]
    other = files / "mine.txt"
    other.write_text("mine")
    with pytest.raises(Failed, match="something else"):
        write(shared, files, "env", ca_file=str(other))
    assert other.read_text() == "mine"


def test_what_is_refused(shared, files):
    for more, words in (
        ({"path": str(files / "no/where")}, "create it first"),
        ({"path": str(files)}, "Is a directory"),
        ({"password": "short"}, "at least 12"),
        ({"service": "a]b"}, "bracket"),
        ({"host": ""}, "host is empty"),
        ({"owner": "nobody-such"}, "does not know"),
        ({"password": "both'and\"quoted$"}, "rotate it"),
        ({"password": "dollars$(id)$HOME"}, "rotate it"),
        ({"password": "back\\\\slash-and-more"}, "rotate it"),
        ({"ca_certificate": "no certificate"}, "not a PEM certificate"),
    ):
        with pytest.raises(Failed, match=words):
            write(shared, files, "env", **more)
    (files / "mine").write_text("SECRET=mine\n")
    with pytest.raises(Failed, match="something else") as failure:
        write(shared, files, "url", path=str(files / "mine"))
    assert "SECRET" not in str(failure.value.result) and (files / "mine").read_text() == "SECRET=mine\n"


def test_playbook(host):
    fleet = Fleet(host)
    declared = {"database_sslmode": "verify-full", "database_address": "127.0.0.1"}
    fleet.play("create", database_users=[{"name": "report", "role": "readonly"}], **declared)
    # Relative to where Ansible was started.
    path = fleet.root / "shop.env"
    options = {"database_connection_path": "shop.env", "database_connection_format": "env"}
    assert changes(fleet.play("connection", "--check", "--diff", **options)) == 1 and not path.exists()
    output = fleet.play("connection", "-vvv", "--diff", **options)
    assert f"PGSSLROOTCERT={fleet.root}/{fleet.host.container('shop')}-ca.crt" in path.read_text()
    used_by_psql(fleet.root, [], f"set -a; . {path}; psql -XAtc \"SELECT '{USERNAME}'\"")
    assert fleet.password() in path.read_text() and fleet.password() not in output
    assert changes(fleet.play("connection", **options)) == 0
    assert changes(fleet.play("connection", database_connection_user="report", **options)) == 1
    assert "PGUSER=report" in path.read_text() and fleet.password(user="report") in path.read_text()
    output = fleet.play("connection", database_connection_user="nobody", succeeds=False, **options)
    assert "rotated (playbook vellaric.postgres.rotate)" in output.replace("\n", " ")

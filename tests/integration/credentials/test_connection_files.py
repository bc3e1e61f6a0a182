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
CLIENTS = {
    "env": "set -a; . /files/env; psql -XAtc 'SELECT current_user'; psql \"$DATABASE_URL\" -XAtc 'SELECT current_user'",
    "pgpass": "PGPASSFILE=/files/pgpass psql -wXAt -h 127.0.0.1 -p {port} -U {user} -d {name} -c 'SELECT current_user'",
    "pg_service": "PGSERVICEFILE=/files/pg_service psql service={name} -wXAtc 'SELECT current_user'",
    "url": "psql \"$(cat /files/url)\" -wXAtc 'SELECT current_user'",
}


@pytest.fixture(scope="module")
def files(shared):
    shared.run("a", password=ODD, sslmode="require")
    directory = Path(shared.root, "files")
    directory.mkdir()
    return directory


def write(shared, files, kind, check=False, **more):
    port = shared.record("a")["port"]
    target = {"host": "127.0.0.1", "port": port, "database": shared.name("a"), "sslmode": "require"}
    given = {"path": str(files / kind), "format": kind, "username": USERNAME, "password": ODD, **target, **more}
    return shared._result("postgres_db_connection", {**given, "_ansible_check_mode": check, "_ansible_diff": True})


@pytest.mark.parametrize("kind", [*CLIENTS, "jdbc"])
def test_written_once_and_used_by_psql(shared, files, kind):
    assert write(shared, files, kind, check=True)["changed"] and not (files / kind).exists()
    answer = write(shared, files, kind)
    assert answer["changed"] and ODD not in str(answer) and "%40r%2Fd" not in str(answer)
    status = (files / kind).stat()
    assert status.st_mode & 0o777 == 0o600
    assert not write(shared, files, kind)["changed"] and (files / kind).stat().st_ino == status.st_ino
    (files / kind).chmod(0o644)
    assert write(shared, files, kind)["changed"] and (files / kind).stat().st_mode & 0o777 == 0o600
    assert not [name for name in os.listdir(files) if name.endswith(".partial")]
    if kind in CLIENTS:
        script = CLIENTS[kind].format(port=shared.record("a")["port"], user=USERNAME, name=shared.name("a"))
        client = ["docker", "run", "--rm", "--network=host", "-v", f"{files}:/files:ro", "--entrypoint=sh", IMAGE]
        done = subprocess.run([*client, "-ec", script], capture_output=True, text=True, check=False)
        assert set(done.stdout.split()) == {USERNAME}, done


def test_what_is_refused(shared, files):
    for more, words in (
        ({"path": str(files / "no/where")}, "create it first"),
        ({"path": str(files)}, "Is a directory"),
        ({"password": "short"}, "at least 12"),
        ({"service": "a]b"}, "bracket"),
        ({"host": ""}, "host is empty"),
        ({"owner": "nobody-such"}, "does not know"),
        ({"password": "both'and\"quoted$"}, "rotate it"),
    ):
        with pytest.raises(Failed, match=words):
            write(shared, files, "env", **more)
    (files / "mine").write_text("SECRET=mine\n")
    with pytest.raises(Failed, match="something else") as failure:
        write(shared, files, "url", path=str(files / "mine"))
    assert "SECRET" not in str(failure.value.result) and (files / "mine").read_text() == "SECRET=mine\n"


def test_playbook(host):
    fleet = Fleet(host)
    output = fleet.play("create", database_users=[{"name": "report", "role": "readonly"}])
    path = fleet.root / "shop.env"
    options = {"database_connection_path": str(path), "database_connection_format": "env"}
    assert changes(fleet.play("connection", "--check", "--diff", **options)) == 1 and not path.exists()
    output = fleet.play("connection", "-vvv", "--diff", **options)
    assert fleet.password() in path.read_text() and fleet.password() not in output
    assert changes(fleet.play("connection", **options)) == 0
    assert changes(fleet.play("connection", database_connection_user="report", **options)) == 1
    assert "PGUSER=report" in path.read_text() and fleet.password(user="report") in path.read_text()
    output = fleet.play("connection", database_connection_user="nobody", succeeds=False, **options)
    assert "rotated (playbook vellaric.postgres.rotate)" in output.replace("\n", " ")

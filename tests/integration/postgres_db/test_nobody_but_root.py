# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""On the host, nobody but root reads what belongs to a database: also not who has the id of an image's user there."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path

import harness
import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._host import images

# The user of the images has 999 and 999, on a host they are anybody's; and one who has nothing to do with any of it.
STRANGERS = [(999, 999), (54321, 54321)]
# Reads what it can of the paths that it is given, and writes, removes or makes nothing.
_TRY = """
import json, os, sys
found = []
for path in json.load(sys.stdin):
    try:
        (os.listdir if os.path.isdir(path) else lambda name: open(name, "rb").read(1))(path)
        found.append(path)
    except OSError as error:
        if not isinstance(error, (PermissionError, FileNotFoundError)):
            found.append(f"{path}: {error}")
    for mode, what in ((os.W_OK, "writes"), (os.F_OK, "sees")):
        if os.access(path, mode):
            found.append(f"{what} {path}")
json.dump(found, sys.stdout)
"""


def everything(*roots):
    """All paths below some directories, these too, as root finds them."""
    found = []
    for root in map(str, roots):
        found.append(root)
        for directory, names, files in os.walk(root):
            found += [os.path.join(directory, name) for name in (*names, *files)]
    return [path for path in found if not stat.S_ISFIFO(os.lstat(path).st_mode)]


def read_by(identity, paths):
    """What of some paths a process with the ids of a user of the host reads, writes or sees."""
    uid, gid = identity
    command = ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "/usr/bin/python3", "-c", _TRY]
    finished = subprocess.run(command, input=json.dumps(paths), capture_output=True, text=True, check=True)
    return json.loads(finished.stdout)


def assert_closed(host):
    paths = everything(host.data_root, host.defaults["backup_root"])
    roots = {f"sees {path}" for path in (host.data_root, host.defaults["backup_root"])}
    for identity in STRANGERS:
        # That there are such directories may be known.
        assert set(read_by(identity, paths)) <= roots
    return paths


def backup(host, short, **options):
    arguments = {"name": host.name(short), "environment": host.environment, "data_root": host.data_root}
    return host._result("postgres_db_backup", {**arguments, **options})


@pytest.fixture(scope="module")
def lived_in(shared):
    """A host with all that a database leaves there."""
    host = shared
    # What other tests of this process know of the image already is written down on this host, too.
    images._described.clear()
    host.run("a", settings={"log_line_prefix": "a secret"})
    host.run("gone")
    host.run("gone", state="absent")
    backup(host, "a")
    (host.directory("a") / "postgresql.conf").write_text("# mine\nwork_mem = 5MB\n")
    return host


def test_strangers_of_the_host_read_nothing_of_a_database(lived_in):
    host = lived_in
    found = "\n".join(assert_closed(host))
    for part in (
        "database.json",
        "conf/pg_hba.conf",
        "/postgresql.conf",
        "tls/server.key",
        "docker/PG_VERSION",
        "/.trash/",
        "/.images/",
        "/.locks/",
        "/.tls/ca.key",
        ".sql.gz.json",
        ".sql.gz.globals.sql",
    ):
        assert part in found, part
    # It serves all the same, and so do the image's own user and what clients on the host need.
    assert host.query("a", "SELECT 1") == [(1,)]
    public = host.one("a")["ca_file"]
    (private,) = host.directory("a").glob("tls/ca.crt")
    assert read_by(STRANGERS[1], [public]) == [public, f"sees {public}"]
    assert Path(public).read_bytes() == private.read_bytes()
    assert host.query("a", "SELECT 1", sslmode="verify-full", sslrootcert=public) == [(1,)]
    host.run("a", state="absent")
    assert not os.path.exists(public)
    assert "publish" not in harness.verbs(host.check("a", state="undeleted"))
    host.run("a", state="undeleted")
    assert os.path.exists(public)


def test_they_read_nothing_while_a_backup_is_taken_and_verified(lived_in):
    host = lived_in
    host.query("a", "CREATE TABLE t AS SELECT i, repeat('secret', 20) FROM generate_series(1, 200000) i")
    arguments = {"name": host.name("a"), "environment": host.environment, "data_root": host.data_root}
    seen = set()
    for state in ("present", "verified"):
        process = host.start("postgres_db_backup", {**arguments, "state": state})
        while process.poll() is None:
            try:
                seen.update(assert_closed(host))
            except FileNotFoundError:
                # What is made and removed meanwhile.
                continue
        harness.result(process)
    assert any("/.verify/" in path for path in seen) and any("/.work" in path for path in seen)


def test_a_host_of_before_is_closed_by_the_next_run_without_a_restart(lived_in):
    host = lived_in
    roots = [host.data_root, host.defaults["backup_root"]]
    for root in roots:
        os.chmod(root, 0o755)
    os.chmod(host.directory("a") / "database.json", 0o644)
    os.unlink(host.one("a")["ca_file"])
    assert read_by(STRANGERS[0], everything(*roots))
    findings = host.info(name=host.name("a"), gather=["findings"])[0]["findings"]
    assert [found["code"] for found in findings].count("open_to_host") == 2
    started = host.inspect("a")["State"]["StartedAt"]
    predicted = host.check("a", settings={"log_line_prefix": "a secret"})
    assert harness.verbs(predicted)[:2] == ["close", "close"] and "publish" in harness.verbs(predicted)
    assert predicted["diff"]["before"]["directories"] == dict.fromkeys(roots, "0755")
    assert predicted["diff"]["after"]["directories"] == dict.fromkeys(roots, "0700")
    assert [stat.S_IMODE(os.stat(root).st_mode) for root in roots] == [0o755, 0o755]
    host.converge("a", settings={"log_line_prefix": "a secret"})
    assert_closed(host)
    assert host.inspect("a")["State"]["StartedAt"] == started
    assert host.query("a", "SELECT 1") == [(1,)]


def test_a_directory_that_holds_other_things_is_not_closed_and_gets_no_new_database(host):
    os.makedirs(f"{host.root}/shared/www")
    os.chmod(f"{host.root}/shared", 0o755)
    host.run("old")
    for option in ("data_root", "backup_root"):
        message = host.refused("a", **{option: f"{host.root}/shared"})
        assert option in message and "'www'" in message and "chmod o-rwx" in message
    assert os.listdir(f"{host.root}/shared") == ["www"] and not host.directory("a").exists()
    assert stat.S_IMODE(os.stat(f"{host.root}/shared").st_mode) == 0o755
    # One that is there is spoken of; and closed by a person, it will do.
    answer = host.check("old", backup_root=f"{host.root}/shared")
    assert any("'www'" in str(warning) for warning in answer["warnings"])
    os.chmod(f"{host.root}/shared", 0o750)
    assert host.check("a", backup_root=f"{host.root}/shared")["changed"]

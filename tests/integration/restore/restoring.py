# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of restores, imports and clones share."""

from __future__ import annotations

import importlib
import re
import subprocess
from pathlib import Path

from harness import USERNAME, docker

PACKAGE = "ansible_collections.vellaric.postgres.plugins.module_utils."
SAMPLE = Path(__file__).with_name("sample.sql").read_text()

dump = importlib.import_module(PACKAGE + "_dumps.dump")
dump_options = importlib.import_module(PACKAGE + "_backups.dump_options")
target = importlib.import_module(PACKAGE + "_backups.target")
Engine = importlib.import_module(PACKAGE + "_host.engine").Engine


def in_container(container, *command, text="", user="postgres", check=True):
    """Run a command in a container, feed it text (or bytes), and return what it printed."""
    data = text.encode() if isinstance(text, str) else text
    finished = subprocess.run(
        ["docker", "exec", "-i", "-u", user, container, *command], input=data, capture_output=True, check=False
    )
    if check and finished.returncode:
        raise RuntimeError(f"{command}: {finished.stderr.decode()}")
    return finished.stdout


def psql(container, where, script, **variables):
    """Run a script as the superuser."""
    given = [part for name, value in variables.items() for part in ("-v", f"{name}={value}")]
    command = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", *given, "-d", where]
    return in_container(container, *command, text=script).decode().strip()


def make_sample(host, short):
    """A new database with the sample in it."""
    host.run(short)
    psql(host.container(short), host.name(short), SAMPLE, app=USERNAME, database=host.name(short))


def take(host, short, **options):
    """Take a backup, and return it."""
    engine = Engine()
    engine.connect()
    root = host.defaults["backup_root"]
    of = target.observe_target(engine, host.data_root, host.name(short), host.environment, root)
    return dump.take(engine, of, dump_options.Options(**options))[0]


def arguments(host, short, check=False, **options):
    given = {key: host.defaults[key] for key in ("data_root", "backup_root", "environment")}
    given = {**given, "name": host.name(short), **options}
    return {**given, "_ansible_check_mode": check, "_ansible_diff": True}


def run(host, short, module="postgres_db_restore", **options):
    return host._result(module, arguments(host, short, **options))


def dumped(host, short, *options):
    """The whole of a database as text, with what pg_dump writes only where it makes the database."""
    text = in_container(host.container(short), "pg_dump", "-C", *options, "-d", host.name(short)).decode()
    return re.sub(r"^\\(un)?restrict .*\n", "", text, flags=re.M)


def databases(host, short):
    """The databases of the server but the server's own."""
    return psql(
        host.container(short),
        "postgres",
        "SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres' ORDER BY 1",
    ).split()


def nothing_left(host, short, kept=()):
    """Say that nothing is left of a restore but the database itself and what was kept."""
    assert databases(host, short) == sorted([host.name(short), *kept])
    assert not (host.directory(short) / "load").exists()
    assert not list(Path(host.root, "backups", host.container(short)).glob(".*.partial"))
    there = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE application_name ~ 'vellaric|pg_restore|psql' AND pid <> pg_backend_pid()"
    )
    assert psql(host.container(short), "postgres", there) == "0"
    assert "pg_restore" not in docker("top", host.container(short))

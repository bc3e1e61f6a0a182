# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers that somebody else made, for the tests that take them over."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from harness import IMAGE, docker, eventually, inspect

OLD_PASSWORD = "the-old-password"
DATA = "/var/lib/postgresql/data"


class Foreign:
    """A container of a database's name, made by hand from the image."""

    def __init__(self, host, short, *options, data=None, command=(), image=IMAGE, user="postgres", database=None):
        self.host, self.short, self.user, self.name = host, short, user, host.container(short)
        self.database = database or user
        self.data = data
        mount = ["-v", f"{data}:{DATA}"] if data else []
        environment = {"POSTGRES_USER": user, "POSTGRES_PASSWORD": OLD_PASSWORD, "POSTGRES_DB": self.database}
        given = [option for key, value in environment.items() for option in ("-e", f"{key}={value}")]
        docker("run", "-d", "--name", self.name, *given, *mount, *options, image, *command)
        eventually(self.serves, 180)

    def serves(self):
        """Over TCP, which the server of the initialisation does not open."""
        return self.psql("SELECT 1", check=False) == "1"

    def psql(self, script, check=True, database=None):
        command = ["psql", "-XAtq", "-h", "127.0.0.1", "-U", self.user, "-d", database or self.database]
        command += [option for statement in script.split("; ") for option in ("-c", statement)]
        return docker("exec", "-u", "postgres", self.name, *command, check=check)

    def fill(self):
        self.psql("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS number; CREATE SEQUENCE counter;")
        self.psql("CREATE SCHEMA shelf; CREATE VIEW shelf.seen AS TABLE kept; CREATE TYPE mood AS ENUM ('well');")
        self.psql("CREATE FUNCTION answer() RETURNS int LANGUAGE sql AS 'SELECT 42'; CREATE EXTENSION pgcrypto;")
        return self

    @property
    def mount(self):
        return inspect(self.name)["Mounts"][0]


def from_template(host, short, template, *options):
    data = Path(host.root) / f"{short}-data"
    shutil.copytree(template, data)
    for path in [data, *data.rglob("*")]:
        os.chown(path, 999, 999)
    return Foreign(host, short, *options, data=data, user="app", database="app_db")


def adoptable(host, template, method, volume):
    if method == "move":
        return from_template(host, "a", template)
    docker("volume", "create", volume)
    source = docker("volume", "inspect", "-f", "{{.Mountpoint}}", volume)
    shutil.copytree(template, source, dirs_exist_ok=True)
    return Foreign(host, "a", data=volume, user="app", database="app_db")

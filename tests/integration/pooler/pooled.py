# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database with a pooler, as the tests of poolers see it."""

from __future__ import annotations

import contextlib
import importlib
import json
import subprocess
import threading
import time

import psycopg
from harness import PASSWORD, USERNAME, docker, eventually

PARTS = "ansible_collections.vellaric.postgres.plugins.module_utils."
console = importlib.import_module(PARTS + "_server.console")
pgbouncer = importlib.import_module(PARTS + "_domain.pgbouncer")
pooler = importlib.import_module(PARTS + "_domain.pooler")
REPORTING = {"name": "reporting", "role": "readonly", "password": PASSWORD}
UID = 996


class Pooled:
    """A database with a pooler, as its clients and an operator see it."""

    username, password = USERNAME, PASSWORD

    def __init__(self, host, short):
        self.host, self.short, self.name = host, short, host.name(short)
        self.container = f"{host.container(short)}-pool"

    def run(self, **options):
        return self.host.run(self.short, **{"pooler": True, **options})

    def converge(self, **options):
        return self.host.converge(self.short, **{"pooler": True, **options})

    def facts(self):
        answer = docker("inspect", "--type", "container", self.container, check=False)
        return json.loads(answer)[0] if answer and answer != "[]" else None

    def console(self, command, seconds=5):
        facts = self.facts()
        return console.run(facts["State"]["Pid"], facts["Id"], UID, UID, command, seconds)

    def connect(self, session=False, **options):
        parameters = {
            "host": "127.0.0.1",
            "port": self.host.pooler(self.short)["port"],
            "user": self.username,
            "password": self.password,
            "dbname": pgbouncer.session_name(self.name) if session else self.name,
            "connect_timeout": 10,
            "autocommit": True,
            "sslmode": "verify-full",
            "sslrootcert": f"{self.host.directory(self.short)}/tls/ca.crt",
            # What psycopg prepares by itself is another test's.
            "prepare_threshold": None,
        }
        return psycopg.connect(**{**parameters, **options})

    def answers(self, **options):
        with contextlib.suppress(psycopg.OperationalError), self.connect(**options) as client:
            return client.execute("SELECT 1").fetchone() == (1,)
        return False

    def logs(self):
        told = subprocess.run(["docker", "logs", self.container], capture_output=True, text=True, check=True)
        return told.stdout + told.stderr

    def paused(self):
        return [row["name"] for row in self.console("SHOW DATABASES") if row["paused"] == "1"]

    def network(self):
        return docker("network", "ls", "-q", "--filter", f"name=^{self.container}$")

    @contextlib.contextmanager
    def clients(self, most=5):
        """Clients that ask all the time, half of them with a new connection each time. Gives what they have to tell."""
        told = {"errors": [], "answers": 0, "longest": 0.0}
        over = threading.Event()

        def ask(stays):
            client = None
            while not over.is_set():
                began = time.monotonic()
                try:
                    client = client or self.connect()
                    client.execute("SELECT 1").fetchone()
                    told["answers"] += 1
                except psycopg.Error as error:
                    told["errors"].append(str(error))
                    client = None
                told["longest"] = max(told["longest"], time.monotonic() - began)
                if client is not None and not stays:
                    client.close()
                    client = None
                time.sleep(0.01)
            if client is not None:
                client.close()

        threads = [threading.Thread(target=ask, args=(number % 2 == 0,)) for number in range(most)]
        for thread in threads:
            thread.start()
        try:
            eventually(lambda: told["answers"] > most)
            yield told
            count = told["answers"]
            eventually(lambda: told["answers"] > count + most)
        finally:
            over.set()
            for thread in threads:
                thread.join()

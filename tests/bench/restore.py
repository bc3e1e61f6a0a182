# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a restore costs, against `gzip -dc | psql` inside the container and `zcat | docker exec -i psql` from outside.

Usage: tests/bench/restore.py [--megabytes 600] [--rounds 2] [--image IMAGE]

The data are pgbench's, and a table of texts that compress as such do, half of the size each. The load alone is
compared, each into a fresh database; the whole module, with checksum, census and ANALYZE, is measured beside it. zstd
is there from PostgreSQL 16 on: --image vellaric/postgres:17-trixie.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / "integration")]
sys.path[:0] = [str(Path(__file__).resolve().parent.parent / "integration/restore")]

import harness  # noqa: E402

sys.path.insert(0, str(harness.COLLECTIONS))

import restoring  # noqa: E402

load = importlib.import_module(restoring.PACKAGE + "_dumps.load")
exchange = importlib.import_module(restoring.PACKAGE + "_dumps.exchange")
filling = importlib.import_module(restoring.PACKAGE + "_dumps.filling")
rules = importlib.import_module(restoring.PACKAGE + "_dumps.dump_rules")
session = importlib.import_module(restoring.PACKAGE + "_server.session")
formats = importlib.import_module(restoring.PACKAGE + "_backups.formats")
TEXTS = (
    "CREATE TABLE texts AS SELECT n, md5(n::text) AS key, repeat(md5((n % 1000)::text) || ' the quick brown fox ', 4)"
    " AS words, now() + n * interval '1 second' AS at FROM generate_series(1, {rows}) AS n;"
    " CREATE INDEX ON texts (key); ALTER TABLE texts ADD PRIMARY KEY (n)"
)


# What one of pgbench's scale comes to, and one row of the texts, with their indexes.
SCALE_BYTES, ROW_BYTES = 15e6, 330


class Bench:
    def __init__(self, host, megabytes, rounds):
        scale, rows = max(1, round(megabytes * 5e5 / SCALE_BYTES)), int(megabytes * 5e5 / ROW_BYTES)
        self.rounds = rounds
        self.host, self.container, self.database = host, host.container("a"), host.name("a")
        host.run("a")
        restoring.in_container(self.container, "pgbench", "-i", "-q", "-s", str(scale), self.database)
        restoring.psql(self.container, self.database, TEXTS.format(rows=rows))
        self.engine = restoring.Engine()
        self.engine.connect()
        uid, gid = map(int, restoring.in_container(self.container, "sh", "-c", "id -u; id -g").split())
        self.exchange = exchange.Exchange(
            f"{host.directory('a')}/{exchange.DIRECTORY}", f"{exchange.HOME_MOUNT}/{exchange.DIRECTORY}", uid, gid
        )

    def fresh(self):
        restoring.psql(self.container, "postgres", "DROP DATABASE IF EXISTS fresh; CREATE DATABASE fresh; CHECKPOINT")

    def timed(self, function, prepare=None):
        best = float("inf")
        for turn in range(self.rounds):
            (prepare or self.fresh)()
            began = time.monotonic()
            function()
            best = min(best, time.monotonic() - began)
        return best

    def inside(self, name):
        """gzip -dc | psql, in the container."""
        script = f"gzip -dc '{name}' | psql -Xq -v ON_ERROR_STOP=1 -o /dev/null -d fresh"
        return lambda: restoring.in_container(self.container, "sh", "-c", script)

    def outside(self, path):
        command = f"zcat '{path}' | docker exec -i -u postgres {self.container} psql -Xq -o /dev/null -d fresh"
        return lambda: subprocess.run(command, shell=True, check=True)

    def ours(self, backup, jobs=1):
        dump = formats.detect(backup.path)
        inside = f"/var/lib/vellaric/backups/{backup.file_name}"
        target = restoring.target.observe_target(
            self.engine,
            self.host.data_root,
            self.database,
            self.host.environment,
            self.host.defaults["backup_root"],
        )
        fill = filling.Filling(
            self.engine,
            self.container,
            "fresh",
            self.exchange,
            target.image,
            lambda script, database=None: session.psql(
                self.engine, self.container, script, 600, database or session.SUPERUSER
            ),
            str(self.host.directory("a") / "conf/pg_hba.conf"),
            lambda: 600,
        )
        of = backup.manifest.database

        def prepare():
            fill.begin(of["encoding"], of["locale"], jobs)
            restoring.psql(self.container, "postgres", "CHECKPOINT")

        def work():
            fill.load(dump, rules.OWN, inside, jobs, frozenset(), "public", lambda done, total: None, backup=True)

        try:
            return self.timed(work, prepare)
        finally:
            fill.end()

    def module(self, backup):
        """The seconds and the memory (MB) of the whole module."""
        arguments = restoring.arguments(self.host, "a", backup=backup.file_name, backup_first=False, keep_old=0)
        command = [sys.executable, "-m", harness.MODULES + "postgres_db_restore", self.host.written(arguments)]
        began = time.monotonic()
        process = subprocess.Popen(command, env=harness.environment(), stdout=subprocess.PIPE)
        answer = process.stdout.read()
        usage = os.wait4(process.pid, 0)[2]
        if not json.loads(answer)["changed"]:
            raise SystemExit(answer)
        return time.monotonic() - began, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--image", default=harness.IMAGE)
    options = parser.parse_args()
    host = harness.Host()
    host.defaults["image"] = options.image
    try:
        bench = Bench(host, options.megabytes, options.rounds)
        size = restoring.psql(bench.container, "postgres", f"SELECT pg_database_size('{bench.database}') >> 20")
        plain = restoring.take(host, "a")
        kinds = [("plain", plain, 1), ("custom", restoring.take(host, "a", format="custom"), 2)]
        for compression in ("gzip", "zstd")[: 1 if int(plain.manifest.server_version.split(".")[0]) < 16 else 2]:
            taken = restoring.take(host, "a", format="directory", jobs=2, compression=compression)
            kinds.append((f"directory {compression}", taken, 2))
        print(f"restoring a database of {size} MB from {plain.size_bytes >> 20} MB of .sql.gz")
        inside = bench.timed(bench.inside(f"/var/lib/vellaric/backups/{plain.file_name}"))
        outside = bench.timed(bench.outside(plain.path))
        print(f"  gzip -dc | psql inside the container  {inside:7.2f} s")
        print(f"  zcat | docker exec -i psql            {outside:7.2f} s")
        for words, backup, jobs in kinds:
            seconds = bench.ours(backup, jobs)
            shown = f"  ours, {words}, {jobs} jobs"
            allowed = 1.1 if words == "plain" else 1
            print(f"{shown:38}  {seconds:7.2f} s   {seconds / inside:.2f} times (allowed: {allowed})")
        seconds, memory = bench.module(plain)
        print(f"  the whole module, plain               {seconds:7.2f} s   {memory:.0f} MB of memory (allowed: 64)")
    finally:
        host.close()


if __name__ == "__main__":
    main()

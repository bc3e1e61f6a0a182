# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a backup costs, against the alternatives in the same run.

Usage: tests/bench/backup.py [--megabytes 1000] [--rounds 3] [--image IMAGE] [--data mixed|rows|texts]

How much faster than gzip one can be depends on the data: `rows` (short, of many types) cost the server most to write
out, and `texts` (of words) cost gzip most to compress. With two processors, the bare dump of `rows` alone takes a
quarter of the time of `docker exec pg_dump | gzip`. `mixed` is half of each.

The best of the rounds is compared, each with the bare `pg_dump > /dev/null` inside the container: what people do today
(`docker exec pg_dump | gzip`, community.postgresql's dump by way of a client on the host), and our formats, with all
that belongs to a backup (snapshot, row counts, check, checksum, fsync, manifest, roles). Memory is that of the module's
process, its greatest. zstd is there from PostgreSQL 16 on: --image vellaric/postgres:17-trixie.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / "integration")]
sys.path[:0] = [str(Path(__file__).resolve().parent.parent / "integration/backup")]

import harness  # noqa: E402

sys.path.insert(0, str(harness.COLLECTIONS))

from backups import Backups  # noqa: E402

# Rows as shops have them: some 150 bytes, of which a third is left when it is compressed.
ROWS = (
    "CREATE TABLE {table} AS SELECT i AS id, 'customer-' || (random() * 100000)::int AS customer,"
    " md5(i::text) AS token,"
    " now() - i * interval '1 minute' AS at, (random() * 10000)::numeric(10, 2) AS amount,"
    " 'The quick order of item ' || (i % 977) || ' was shipped to street ' || (i % 3571) AS note"
    " FROM generate_series(1, {rows}) AS i; ALTER TABLE {table} ADD PRIMARY KEY (id)"
)
# Messages of eight sentences of twelve words, the first words far more often than the last: gzip leaves a third of it.
WORDS = """
CREATE TEMP TABLE words AS SELECT n,
    string_agg(substr('etaoinshrdlucmfwypvbgk', 1 + floor(22 * random() * random())::int, 1), '') AS word
  FROM generate_series(1, 4000) AS n, generate_series(1, 2 + n % 8) AS letter GROUP BY n;
CREATE TEMP TABLE sentences AS SELECT drawn.n, string_agg(word, ' ') AS sentence
  FROM (SELECT n, 1 + floor(4000 * random() ^ 3)::int AS chosen FROM generate_series(1, 30000) AS n,
    generate_series(1, 12) AS position) AS drawn JOIN words ON words.n = chosen GROUP BY drawn.n;
"""
TEXTS = (
    "CREATE TABLE {table} AS SELECT i AS id, (random() * 100000)::int AS author, now() - i * interval '1 minute' AS at,"
    " min(sentence) AS subject, string_agg(sentence, '. ') AS body"
    " FROM (SELECT i, 1 + floor(30000 * random())::int AS n FROM generate_series(1, {rows}) AS i,"
    " generate_series(1, 8) AS position) AS drawn JOIN sentences USING (n) GROUP BY i;"
    " ALTER TABLE {table} ADD PRIMARY KEY (id)"
)
# What makes a table, and the bytes of a row in a dump.
TABLES = {"rows": (ROWS, 150), "texts": (TEXTS, 740)}
DATA = {"mixed": ("rows", "texts"), "rows": ("rows", "rows"), "texts": ("texts", "texts")}


class Bench:
    def __init__(self, host, data, megabytes, rounds):
        self.host, self.rounds = host, rounds
        host.run("bench")
        self.container, self.database = host.container("bench"), host.name("bench")
        self.backups = Backups(host, "bench")
        # Two tables, so that two processes have something to do.
        script = WORDS
        for name, kind in zip(("sent", "received"), DATA[data]):
            table, bytes_of_a_row = TABLES[kind]
            script += table.format(table=name, rows=megabytes * 1000000 // bytes_of_a_row // 2) + ";"
        host.query("bench", script)
        host.psql("bench", "CHECKPOINT")
        self.figures = {}

    def measure(self, name, function):
        best, size, memory = float("inf"), 0, 0
        for turn in range(self.rounds):
            self.backups.forget()
            began = time.monotonic()
            found = function() or {}
            best = min(best, time.monotonic() - began)
            size, memory = found.get("size", 0), max(memory, found.get("memory", 0))
        self.figures[name] = best
        bare = self.figures["bare pg_dump"]
        parts = [f"{name:42}{best:8.2f} s{best / bare:7.2f} x bare"]
        if size:
            parts.append(f"{size / 1e6:9.1f} MB")
        if memory:
            parts.append(f"{memory / 1024:7.0f} MB of memory")
        print("".join(parts), flush=True)
        return best, size

    def inside(self, *command):
        subprocess.run(["docker", "exec", "-u", "postgres", self.container, *command], check=True)

    def bare(self):
        self.inside("sh", "-c", f"pg_dump {self.database} >/dev/null")

    def docker_exec_gzip(self):
        path = f"{self.host.root}/gzip.sql.gz"
        command = f"docker exec -u postgres {self.container} pg_dump {self.database} | gzip >{path}"
        subprocess.run(["bash", "-o", "pipefail", "-c", command], check=True)
        return {"size": os.path.getsize(path)}

    def client_gzip(self):
        """As community.postgresql's postgresql_db does with state dump: a client on the host, piped into gzip."""
        path = f"{self.host.root}/client.sql.gz"
        port = self.host.record("bench")["port"]
        command = f"pg_dump -h 127.0.0.1 -p {port} -U {harness.USERNAME} {self.database} | gzip >{path}"
        subprocess.run(
            ["bash", "-o", "pipefail", "-c", command], check=True, env={**os.environ, "PGPASSWORD": harness.PASSWORD}
        )
        return {"size": os.path.getsize(path)}

    def ours(self, path=None, **options):
        def take():
            process = self.host.start(
                "postgres_db_backup", self.backups.arguments(**options), env={"PATH": path} if path else {}
            )
            peak = [0]
            watch = threading.Thread(target=watch_memory, args=(process.pid, peak))
            watch.start()
            answer = harness.result(process)
            watch.join()
            return {"size": answer["backup"]["size_bytes"], "memory": peak[0]}

        return take


def watch_memory(pid, peak):
    """Keep the greatest memory of a process, in kB, until it ends."""
    while True:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        if found is None:
            return
        peak[0] = int(found.group(1))
        time.sleep(0.05)


def without(tool):
    """A PATH on which a tool is not found."""
    return os.pathsep.join(
        directory for directory in os.environ["PATH"].split(os.pathsep) if not os.path.exists(f"{directory}/{tool}")
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--image", default=harness.IMAGE)
    parser.add_argument("--data", choices=sorted(DATA), default="mixed")
    arguments = parser.parse_args()
    host = harness.Host()
    host.defaults["image"] = arguments.image
    try:
        bench = Bench(host, arguments.data, arguments.megabytes, arguments.rounds)
        figures = run(bench, zstd="15" not in arguments.image)
    finally:
        host.close()
    print(json.dumps({name: round(seconds, 2) for name, seconds in figures.items()}))


def run(bench, zstd):
    print(f"load of the machine: {os.getloadavg()[0]:.1f}, processors: {os.cpu_count()}", flush=True)
    bench.figures["bare pg_dump"] = float("inf")
    bench.measure("bare pg_dump", bench.bare)
    today, gzip_size = bench.measure("docker exec pg_dump | gzip", bench.docker_exec_gzip)
    if shutil.which("pg_dump"):
        # That of an older version refuses to.
        with contextlib.suppress(subprocess.CalledProcessError):
            bench.measure("pg_dump over TCP | gzip, as a client", bench.client_gzip)
    fast, size = bench.measure("ours: plain, gzip", bench.ours())
    bench.measure("ours: plain, gzip, rows not counted", bench.ours(row_counts=False))
    # With igzip hidden from it, unless that hides everything else too.
    if shutil.which("gzip", path=without("igzip")):
        slow, _size = bench.measure("ours: plain, gzip, without ISA-L", bench.ours(path=without("igzip")))
    else:
        slow, _size = bench.measure("ours: plain, gzip by pg_dump", bench.ours(compression_level=1))
    bench.measure("ours: custom, gzip", bench.ours(format="custom"))
    bench.measure("ours: directory, 2 jobs, gzip", bench.ours(format="directory", jobs=2))
    if zstd:
        bench.measure("ours: plain, zstd", bench.ours(compression="zstd"))
        parallel, _size = bench.measure(
            "ours: directory, 2 jobs, zstd", bench.ours(format="directory", jobs=2, compression="zstd")
        )
    bare = bench.figures["bare pg_dump"]
    figures = [
        ("plain against the bare dump", fast / bare, "at most 1.8"),
        ("faster than docker exec | gzip", today / fast, "at least 4"),
        ("the same without ISA-L", today / slow, "at least 2.5"),
        ("size against gzip's", size / gzip_size, "at most 1"),
    ]
    if zstd:
        figures.append(("directory, 2 jobs, zstd against plain", parallel / fast, "less than 1"))
    for words, value, limit in figures:
        print(f"{words:42}{value:8.2f}    ({limit})")
    return bench.figures


if __name__ == "__main__":
    main()

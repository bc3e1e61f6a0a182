# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pooler brings and costs, beside the same database without it.

Usage: tests/bench/pooler.py [--seconds 10] [--clients 1000] [--users 20] [--image vellaric/pgbouncer:trixie]

connections  pgbench -C, a new connection with TLS for each transaction, through the pooler and to the server
interruption a restart, and a new container of the server, under clients that ask all the time: errors, longest wait
idle         what the pooler uses of memory for many clients that do nothing
stop         docker stop of the pooler with idle clients
"""

from __future__ import annotations

import argparse
import contextlib
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / "integration")]
sys.path[:0] = [str(Path(__file__).resolve().parent.parent / "integration/pooler")]

import harness  # noqa: E402

sys.path.insert(0, str(harness.COLLECTIONS))

import psycopg  # noqa: E402
from pooled import Pooled  # noqa: E402

# Of the figures.
TIMES_FASTER, LONGEST_WAIT, STOP_SECONDS, KILLED = 5, 3.0, 10.0, 137
SHORT = "bench"
# As many as pgbench has: with more, two processors are busy with the clients themselves.
PGBENCH_CLIENTS = 8


class Bench:
    def __init__(self, host, options):
        self.host, self.options = host, options
        self.pooled = Pooled(host, SHORT)
        # Each transaction of pgbench's is of one user.
        self.declared = {"max_clients": max(100, options.clients + 100), "image": options.image}
        self.run()
        self.ports = {"pooler": host.pooler(SHORT)["port"], "server": host.record(SHORT)["port"]}

    def run(self, **changes):
        return self.pooled.run(pooler=self.declared, sslmode="require", wait_timeout=240, **changes)

    def connect(self, way):
        known = {"user": harness.USERNAME, "password": harness.PASSWORD, "dbname": self.pooled.name}
        return psycopg.connect(
            host="127.0.0.1", port=self.ports[way], sslmode="require", autocommit=True, prepare_threshold=None, **known
        )

    def connections(self):
        rates = {way: self.pgbench(way) for way in ("server", "pooler")}
        times = rates["pooler"] / rates["server"]
        print(
            f"a new connection with TLS for each transaction, {PGBENCH_CLIENTS} clients, {self.options.seconds:.1f} s"
        )
        print(f"  to the server       {rates['server']:8.1f} transactions per second")
        print(f"  through the pooler  {rates['pooler']:8.1f}   {times:.1f} times as many (goal: {TIMES_FASTER})")

    def pgbench(self, way):
        script = Path(self.host.root, "one.sql")
        script.write_text("SELECT 1;\n")
        script.chmod(0o644)
        finished = subprocess.run(
            [
                *("docker", "run", "--rm", "--network", "host", "--user", "65534:65534", "--entrypoint", "sh"),
                *("-v", f"{script}:/one.sql:ro", "-e", "PGPASSWORD", "-e", "PGSSLMODE=require", harness.IMAGE, "-c"),
                'PATH="$PATH:$(echo /usr/lib/postgresql/*/bin)"; exec pgbench "$@"',
                *("pgbench", "-n", "-C", "-f", "/one.sql", "-j", "2", "-c", str(PGBENCH_CLIENTS)),
                *("-T", str(self.options.seconds), "-h", "127.0.0.1", "-p", str(self.ports[way])),
                *("-U", harness.USERNAME, self.pooled.name),
            ],
            env=harness.environment(PGPASSWORD=harness.PASSWORD),
            capture_output=True,
            text=True,
            check=False,
        )
        found = re.search(r"tps = ([0-9.]+) \(including reconnection times\)", finished.stdout)
        if found is None:
            raise SystemExit(f"pgbench: {finished.stdout}{finished.stderr}")
        return float(found.group(1))

    def interruption(self):
        newer = harness.derived_image(f"vellaric.test/{self.host.prefix}:newer")
        changes = {
            "restart": lambda: self.host.run(SHORT, state="restarted"),
            "another image": lambda: self.run(image=newer),
        }
        for name, change in changes.items():
            told = {way: Asked() for way in ("server", "pooler")}
            with contextlib.ExitStack() as stack:
                for way, asked in told.items():
                    stack.enter_context(asked.asking(lambda way=way: self.connect(way), self.options.users))
                answer = change()
            print(f"{name}: {self.options.users} clients each, {answer['interruption_seconds']:.1f} s interrupted")
            for way, asked in told.items():
                print(
                    f"  {'through the pooler' if way == 'pooler' else 'to the server':<19} {asked.errors:6} errors,"
                    f" longest wait {asked.longest:.1f} s" + (f" (allowed: 0, {LONGEST_WAIT} s)" * (way == "pooler"))
                )

    def idle(self):
        before = self.memory()
        with contextlib.ExitStack() as stack:
            for _number in range(self.options.clients):
                stack.enter_context(self.connect("pooler"))
            time.sleep(1)
            used = self.memory()
            print(f"{self.options.clients} clients that do nothing")
            print(
                f"  the pooler uses {used / 2**20:.1f} MB, {before / 2**20:.1f} MB without them:"
                f" {(used - before) / 1024 / self.options.clients:.1f} kB each"
            )
            began = time.monotonic()
            harness.docker("stop", self.pooled.container)
            seconds, code = time.monotonic() - began, self.pooled.facts()["State"]["ExitCode"]
        print(f"docker stop with {self.options.clients} idle clients")
        print(f"  {seconds:.1f} s (allowed: {STOP_SECONDS}), exit code {code}{', killed' * (code == KILLED)}")

    def memory(self):
        """What its processes have, as the kernel counts: those of the container."""
        pids = harness.docker("top", self.pooled.container, "-o", "pid").split()[1:]
        found = [re.search(r"Pss:\s+([0-9]+)", Path(f"/proc/{pid}/smaps_rollup").read_text()) for pid in pids]
        return sum(int(match.group(1)) << 10 for match in found if match)


class Asked:
    """Clients that ask all the time and keep their connections. errors: they got; longest: they waited, in seconds."""

    def __init__(self):
        self.errors, self.longest, self.answers = 0, 0.0, 0
        self.lock, self.over = threading.Lock(), threading.Event()

    @contextlib.contextmanager
    def asking(self, connect, most):
        threads = [threading.Thread(target=self._ask, args=(connect,)) for _number in range(most)]
        for thread in threads:
            thread.start()
        harness.eventually(lambda: self.answers >= most)
        try:
            yield
            time.sleep(1)
        finally:
            self.over.set()
            for thread in threads:
                thread.join()

    def _ask(self, connect):
        client, began = None, time.monotonic()
        while not self.over.is_set():
            try:
                client = client or connect()
                client.execute("SELECT 1").fetchone()
                with self.lock:
                    self.answers += 1
                    self.longest = max(self.longest, time.monotonic() - began)
                began = time.monotonic()
            except psycopg.Error:
                with self.lock:
                    self.errors += 1
                client = None
            time.sleep(0.02)
        if client is not None:
            client.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--image", default="vellaric/pgbouncer:trixie")
    options = parser.parse_args()
    host = harness.Host()
    try:
        bench = Bench(host, options)
        bench.connections()
        bench.interruption()
        bench.idle()
    finally:
        harness.docker("rm", "-fv", f"{host.container(SHORT)}-pool", check=False)
        host.close()
        harness.remove_images(f"vellaric.test/{host.prefix}:newer")


if __name__ == "__main__":
    main()

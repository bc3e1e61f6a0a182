# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a declared fleet costs, against today's practice in the same run: docker_container and postgresql_ping in loops.

Usage: tests/bench/declared.py idle [--databases 50] | create [--databases 10] | update

idle    a run that changes nothing: whole-playbook time, and the module's memory
create  new databases, until each answers; also against bare `docker run`
update  another image of the same major version: how long a client that connects every 50 ms is refused; against a bare
        stop and start
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "integration"))

import harness  # noqa: E402
import psycopg  # noqa: E402

# A fork of this process runs the module at once.
sys.path.insert(0, str(harness.COLLECTIONS))

# Ports of this machine that nothing else uses, for as many databases as are measured.
PRACTICE_PORTS, OUR_PORTS, BARE_PORTS = 30000, 31000, 32000
# Seconds, for fifty databases and more.
SETTLING = 60
PLAYBOOK = str(Path(sys.executable).parent / "ansible-playbook")


class Practice:
    """Today's practice: a loop of community.docker's docker_container, then one of community.postgresql's ping."""

    def __init__(self, host, count):
        self.host, self.count = host, count
        harness.spread(f"{host.root}/practice")

    def items(self):
        root = f"{self.host.root}/practice"
        return [
            {"name": f"{self.host.prefix}-practice-{n}", "port": PRACTICE_PORTS + n, "data": f"{root}/{n}"}
            for n in range(self.count)
        ]

    def tasks(self):
        return [
            {
                "name": "Run the containers",
                "community.docker.docker_container": {
                    "name": "{{ item.name }}",
                    "image": harness.IMAGE,
                    "pull": "never",
                    "restart_policy": "unless-stopped",
                    "published_ports": ["127.0.0.1:{{ item.port }}:5432"],
                    "volumes": ["{{ item.data }}:/var/lib/postgresql/data"],
                    "shm_size": "256m",
                    "env": {"POSTGRES_PASSWORD": harness.PASSWORD},
                },
                "loop": "{{ items }}",
            },
            {
                "name": "Wait until each answers",
                "community.postgresql.postgresql_ping": {
                    "login_host": "127.0.0.1",
                    "login_port": "{{ item.port }}",
                    "login_user": "postgres",
                    "login_password": harness.PASSWORD,
                    "login_db": "postgres",
                },
                "loop": "{{ items }}",
                "register": "ping",
                "until": "ping.is_available",
                "retries": 60,
                "delay": 1,
            },
        ]

    def play(self):
        return play(self.host, "practice", self.tasks(), items=self.items())


class Ours:
    """One task that declares them all."""

    def __init__(self, host, count):
        self.host = host
        host.defaults["port_range"] = f"{OUR_PORTS}-{OUR_PORTS + 999}"
        harness.spread(host.data_root)
        self.declared = [{"name": host.name(f"n{n}")} for n in range(count)]

    def play(self):
        options = self.host.arguments()
        for private in ("_ansible_check_mode", "_ansible_diff"):
            options.pop(private)
        task = {"name": "Bring all databases to what is declared"}
        task["vellaric.postgres.postgres_db"] = {**options, "databases": "{{ declared }}"}
        return play(self.host, "ours", [task], declared=self.declared)


def play(host, name, tasks, **variables):
    """Run tasks as a playbook of their own; returns the seconds that all of it took."""
    root = Path(host.root, name)
    root.mkdir(exist_ok=True)
    content = [{"name": name, "hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": tasks}]
    content[0]["vars"]["ansible_python_interpreter"] = sys.executable
    (root / "play.json").write_text(json.dumps(content))
    started = time.monotonic()
    finished = subprocess.run(
        [PLAYBOOK, "-i", "localhost,", "-c", "local", str(root / "play.json")],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(harness.COLLECTIONS)},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - started
    if finished.returncode:
        raise SystemExit(finished.stdout[-3000:] + finished.stderr[-3000:])
    return seconds


def best(function, turns=3):
    """The least of several turns: what else the machine does only adds to it."""
    return min(function() for turn in range(turns))


def idle(host, count):
    practice, ours = Practice(host, count), Ours(host, count)
    print(f"creating {count} databases twice ...", flush=True)
    practice.play()
    ours.play()
    # A hundred new databases leave the disk, and themselves, something to do for a while.
    os.sync()
    time.sleep(min(SETTLING, count * SETTLING / 50))
    # Before the loops and after them: what else the machine does changes within a minute.
    turns = [ours.play() for turn in range(3)]
    loops = practice.play()
    turns += [ours.play() for turn in range(3)]
    single = statistics.median(turns)
    print(f"a run that changes nothing over {count} databases")
    print(f"  loops of docker_container and postgresql_ping  {loops:8.2f} s")
    print(f"  one task of postgres_db                        {single:8.2f} s   {loops / single:.1f} times faster")
    print(f"  from {min(turns):.2f} to {max(turns):.2f} s")
    print(f"  allowed: 4 s + 20 ms for each                  {4 + 0.02 * count:8.2f} s")
    arguments = host.arguments(databases=ours.declared)
    command = [sys.executable, "-m", harness.MODULES + "postgres_db", str(_arguments_file(host, arguments))]
    process = subprocess.Popen(command, env=harness.environment(), stdout=subprocess.DEVNULL)
    usage = os.wait4(process.pid, 0)[2]
    print(f"  the module's memory                            {usage.ru_maxrss / 1024:8.1f} MB (allowed: 120)")


def _arguments_file(host, arguments):
    path = Path(host.root, "arguments.json")
    path.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}))
    return path


def create(host, count):
    ours = Ours(host, count).play()
    loops = Practice(host, count).play()
    bare = bare_runs(host, count)
    print(f"creating {count} databases until each answers")
    print(f"  loops of docker_container and postgresql_ping  {loops:8.2f} s")
    print(f"  bare docker run                                {bare:8.2f} s")
    print(f"  one task of postgres_db                        {ours:8.2f} s")
    print(f"  {loops / ours:.1f} times faster than the loops, {ours / bare:.2f} times bare docker run")


def bare_runs(host, count):
    """Start the same containers one after the other, then ask each until it answers."""
    names = [f"{host.prefix}-bare-{n}" for n in range(count)]
    harness.spread(f"{host.root}/bare")
    options = ["-e", "POSTGRES_PASSWORD=x", "--restart", "unless-stopped", "--shm-size", "256m"]
    started = time.monotonic()
    for n, name in enumerate(names):
        place = ["-p", f"127.0.0.1:{BARE_PORTS + n}:5432", "-v", f"{host.root}/bare/{n}:/var/lib/postgresql/data"]
        harness.docker("run", "-d", "--name", name, *options, *place, harness.IMAGE)
    for name in names:
        ready = ["exec", name, "pg_isready", "-q", "-h", "127.0.0.1"]
        while subprocess.run(["docker", *ready], check=False, capture_output=True).returncode:
            time.sleep(0.05)
    return time.monotonic() - started


class Client(threading.Thread):
    """Connects every 50 ms; `outage` is the longest time between two connections that were served."""

    def __init__(self, host, short):
        super().__init__(daemon=True)
        self.options = {"port": host.record(short)["port"], "dbname": host.name(short), "connect_timeout": 1}
        self.outage, self.stopped = 0.0, threading.Event()

    def run(self):
        last = time.monotonic()
        while not self.stopped.is_set():
            try:
                psycopg.connect(
                    host="127.0.0.1", user=harness.USERNAME, password=harness.PASSWORD, **self.options
                ).close()
                now = time.monotonic()
                self.outage, last = max(self.outage, now - last), now
            except psycopg.OperationalError:
                pass
            time.sleep(0.05)


def outage(host, short, change):
    client = Client(host, short)
    client.start()
    time.sleep(0.5)
    change()
    time.sleep(1.0)
    client.stopped.set()
    client.join()
    return client.outage


def update(host):
    tags = [f"{host.prefix}/update:{n}" for n in range(3)]
    for tag in tags:
        harness.derived_image(tag, f"LABEL build={tag}")
    host.run("a", image=tags[0])
    container = host.container("a")

    def stop_and_start():
        harness.docker("stop", container)
        harness.docker("start", container)

    bare = min(outage(host, "a", stop_and_start) for turn in range(3))
    ours = min(outage(host, "a", lambda tag=tag: host.run("a", image=tag)) for tag in (tags[1], tags[2], tags[0]))
    harness.docker("rmi", "-f", *tags, check=False)
    print("another image of the same major version: seconds without service")
    print(f"  bare docker stop and start  {bare:6.2f} s")
    print(f"  postgres_db                 {ours:6.2f} s   {ours / bare:.2f} times (allowed: 1.3)")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["idle", "create", "update"])
    parser.add_argument("--databases", type=int)
    options = parser.parse_args()
    host = harness.Host()
    try:
        if options.what == "idle":
            idle(host, options.databases or 50)
        elif options.what == "create":
            create(host, options.databases or 10)
        else:
            update(host)
    finally:
        host.close()


if __name__ == "__main__":
    main()

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it costs to look at a host, against today's practice in the same run: docker_container_info and postgresql_info.

Usage: tests/bench/gather.py speed [--databases 50] | cost [--databases 1] [--calls 20]

speed   statistics of all databases in one call, as a playbook and as the module alone; against the loops, and against
        `docker stats --no-stream` of the same containers
cost    what the database itself pays: the use of its processors for a call every 10 s
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import declared  # noqa: E402
import harness  # noqa: E402

# Allowed, of the figures.
MODULE_SECONDS = 3.0
TIMES_FASTER = 20
TIMES_DOCKER_STATS = 3
PERCENT_OF_A_CORE = 1.0
EVERY_SECONDS = 10
GATHERED = ["statistics", "sizes", "settings", "activity", "replication", "backups", "tls", "findings"]


def module(host, gather):
    """Run the module from nothing; returns the seconds, and its rows."""
    arguments = {"data_root": host.data_root, "gather": gather, "timeout": 30}
    started = time.monotonic()
    answer = harness.result(host.start("postgres_db_info", arguments=arguments))
    return time.monotonic() - started, answer["databases"]


def loops(host, rows):
    items = [{"container": row["container_name"], "port": row["port"], "name": row["name"]} for row in rows]
    tasks = [
        {
            "name": "Ask for the containers",
            "community.docker.docker_container_info": {"name": "{{ item.container }}"},
            "loop": "{{ items }}",
        },
        {
            "name": "Ask the servers",
            "community.postgresql.postgresql_info": {
                "login_host": "127.0.0.1",
                "login_port": "{{ item.port }}",
                "login_user": harness.USERNAME,
                "login_password": harness.PASSWORD,
                "login_db": "{{ item.name }}",
            },
            "loop": "{{ items }}",
        },
    ]
    return declared.play(host, "loops", tasks, items=items)


def ours(host, gather):
    options = {"data_root": host.data_root, "gather": gather}
    return declared.play(host, "ours", [{"name": "Look", "vellaric.postgres.postgres_db_info": options}])


def docker_stats(rows):
    started = time.monotonic()
    words = ["docker", "stats", "--no-stream", *[row["container_name"] for row in rows]]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - started


def speed(host, count):
    print(f"creating {count} databases ...", flush=True)
    host.run(databases=[{"name": host.name(f"n{n}")} for n in range(count)], wait_timeout=600)
    alone, rows = min((module(host, ["statistics"]) for turn in range(3)), key=lambda taken: taken[0])
    missing = [row["missing"] for row in rows if row["missing"]]
    if len(rows) != count or missing:
        raise SystemExit(f"{len(rows)} rows, missing: {missing}")
    everything = declared.best(lambda: module(host, GATHERED)[0])
    stats = declared.best(lambda: docker_stats(rows), 2)
    single, practice = declared.best(lambda: ours(host, ["statistics"])), loops(host, rows)
    print(f"statistics of {count} databases")
    print(f"  loops of docker_container_info and postgresql_info  {practice:8.2f} s")
    print(
        f"  one task of postgres_db_info                        {single:8.2f} s   {practice / single:.1f} times faster"
    )
    print(f"  (allowed: {TIMES_FASTER} times faster)")
    print(f"  the module alone                                    {alone:8.2f} s   (allowed: {MODULE_SECONDS} s)")
    print(f"  docker stats --no-stream                            {stats:8.2f} s   {alone / stats:.2f} times")
    print(f"  (allowed: {TIMES_DOCKER_STATS} times)")
    print(f"  the module alone, of everything                     {everything:8.2f} s")


def processor_seconds(container):
    """What the container has used, as the kernel counts for its control group."""
    for path in (f"/sys/fs/cgroup/cpuacct/docker/{container}/cpuacct.usage",):
        if Path(path).exists():
            return int(Path(path).read_text()) / 1e9
    group = f"/sys/fs/cgroup/system.slice/docker-{container}.scope/cpu.stat"
    return int(Path(group).read_text().split()[1]) / 1e6


def cost(host, count, calls):
    host.run(databases=[{"name": host.name(f"n{n}")} for n in range(count)], wait_timeout=600)
    containers = [harness.inspect(host.container(f"n{n}"))["Id"] for n in range(count)]
    for gather in (["statistics"], GATHERED):
        module(host, gather)
        time.sleep(2)
        idle = -sum(map(processor_seconds, containers))
        time.sleep(5)
        idle += sum(map(processor_seconds, containers))
        before, started = sum(map(processor_seconds, containers)), time.monotonic()
        for turn in range(calls):
            module(host, gather)
        used = sum(map(processor_seconds, containers)) - before - idle * (time.monotonic() - started) / 5
        percent = 100 * used / count / calls / EVERY_SECONDS
        print(f"gathering {json.dumps(gather)} every {EVERY_SECONDS} s")
        print(f"  costs a database {percent:.3f} % of a processor (allowed: {PERCENT_OF_A_CORE})")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "cost"])
    parser.add_argument("--databases", type=int)
    parser.add_argument("--calls", type=int, default=20)
    options = parser.parse_args()
    host = harness.Host()
    host.defaults["port_range"] = f"{declared.OUR_PORTS}-{declared.OUR_PORTS + 999}"
    try:
        if options.what == "speed":
            speed(host, options.databases or 50)
        else:
            cost(host, options.databases or 1, options.calls)
    finally:
        host.close()


if __name__ == "__main__":
    main()

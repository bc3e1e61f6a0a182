# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where there is no systemd: the table that role backup writes, run by Debian's cron when the minute comes round.

cron has its places written into it. It gets them to itself, in name spaces of its own: what this machine has there is
neither seen nor changed.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import harness
import pytest

from playbooks import BIN, Fleet

# Nobody waits for a minute to be over in every run.
pytestmark = pytest.mark.skipif(not harness.THOROUGH, reason="takes a minute: VELLARIC_TEST_THOROUGH=1")
PLACES = """set -eu
touch "$1/docker.sock"; mount --bind /var/run/docker.sock "$1/docker.sock"
for place in /etc/cron.d /var/spool /run; do mount -t tmpfs -o mode=755 cron "$place"; done
mkdir -p /var/spool/cron/crontabs /run/lock; touch /run/docker.sock; mount --bind "$1/docker.sock" /run/docker.sock
cron=$2; shift 2
if "$@" >&2; then echo "the role took a host on which no cron runs" >&2; exit 1; fi
"$cron" -f & daemon=$!
"$@" >&2
wait $daemon
"""


@pytest.fixture(scope="module")
def cron(tmp_path_factory):
    """The program, from Debian's archive where this machine does not have it."""
    found = shutil.which("cron")
    if found is None:
        place = tmp_path_factory.mktemp("cron")
        subprocess.run(["apt-get", "download", "cron"], cwd=place, check=True, capture_output=True)
        subprocess.run(["dpkg", "-x", str(next(place.glob("cron_*.deb"))), str(place)], check=True)
        found = str(place / "usr/sbin/cron")
    return found


def test_cron_runs_what_the_role_has_written(cron, host):
    host.run("shop")
    host.query("shop", "CREATE TABLE orders AS SELECT generate_series(1, 1000) AS id")
    fleet = Fleet(host)
    given = {
        "backup_scheduler": "cron",
        "backup_archive": f"{host.root}/program/backup.pyz",
        "backup_delay": 1,
        # A per cent sign ends a command in cron's table.
        "backup_environments": {"development": {"calendar": "* * * * *", "retention": {"last": 2}}},
        "backup_notify_command": [sys.executable, "-c", "pass", "100 %"],
        "backup_notify_when": "always",
    }
    play = [str(BIN / "ansible-playbook"), "-i", "inventory", "--vault-password-file", "vault-password"]
    play += ["vellaric.postgres.schedule", "-e", json.dumps(given)]
    daemon = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", PLACES, "sh", host.root, cron, *play],
        env=fleet.environment,
        cwd=fleet.root,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    directory = Path(host.root, "backups", host.container("shop"))
    status = Path(host.data_root, ".schedule/status/development.json")

    def ended():
        return status.exists() and json.loads(status.read_text())["finished_at"]

    try:
        harness.eventually(lambda: ended() or daemon.poll() is not None, seconds=150)
        assert daemon.poll() is None, daemon.stderr.read()
    finally:
        os.killpg(daemon.pid, signal.SIGTERM)
        daemon.communicate()
    manifest = json.loads(next(directory.glob("*.json")).read_text())
    assert manifest["taken_by"] == "schedule" and manifest["row_counts"] == {"public.orders": 1000}
    known = host.info(name=host.name("shop"), gather=["backups"])[0]["backups"]["schedule"]
    assert (known["active"], known["last_outcome"], known["calendar"]) == (True, "ok", "* * * * *")
    assert not os.path.exists("/etc/cron.d/vellaric-backup")

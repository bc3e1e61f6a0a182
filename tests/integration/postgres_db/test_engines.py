# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Engines whose own settings keep databases from running: refused before anything is made, naming the setting."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time

import harness
import pytest

SETTINGS = {
    # Without a bridge, too: the default one belongs to the other engine of this machine.
    "userns-remap": ["--bridge=none", "--userns-remap=daemon"],
    "bridge: none": ["--bridge=none"],
}
# The ids of the remapping are for this engine alone.
_START = """
mount --bind "$0/subid" /etc/subuid && mount --bind "$0/subid" /etc/subgid || exit 1
exec dockerd --data-root "$0/data" --exec-root "$0/exec" --pidfile "$0/pid" -H "unix://$0/sock" --iptables=false \\
    --ip-forward=false "$@"
"""


@pytest.fixture(params=SETTINGS)
def engine(request):
    """A second engine on this machine, with a setting of its own: its socket, and what a message is to name."""
    directory = tempfile.mkdtemp(prefix="vellaric-test-")
    # As the engine wants it for the users that it maps.
    os.chmod(directory, 0o711)
    with open(f"{directory}/subid", "w") as stream:
        stream.write("daemon:200000:65536\n")
    with open(f"{directory}/log", "wb") as log:
        # In a network of its own: an engine without a bridge removes the default one of the other engine.
        command = ["unshare", "--mount", "--net", "sh", "-c", _START, directory, *SETTINGS[request.param]]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        socket = f"unix://{directory}/sock"
        deadline = time.monotonic() + 60
        while subprocess.run(["docker", "-H", socket, "version"], capture_output=True, check=False).returncode:
            assert process.poll() is None and time.monotonic() < deadline, open(f"{directory}/log").read()
            time.sleep(0.1)
        yield socket, request.param
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(directory, ignore_errors=True)


def test_an_engine_that_cannot_run_databases_is_refused_before_anything_is_made(host, engine):
    socket, setting = engine
    for attempt in (host.check, host.run):
        with pytest.raises(harness.Failed) as failure:
            attempt("a", docker_host=socket, pull="missing")
        assert setting in failure.value.message and "Nothing was changed" in failure.value.message
    entries = [entry for entry in os.listdir(host.data_root) if entry not in (".locks",)]
    assert entries == []

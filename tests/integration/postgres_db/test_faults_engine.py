# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts without what the modules need: an engine, the permission to use it, the libraries to talk to it."""

from __future__ import annotations

import codecs
import concurrent.futures
import contextlib
import gc
import grp
import os
import socket
import sys
import threading
import time

import pytest
from harness import COLLECTIONS, IMAGE, Failed, Fork, docker, inspect, result, verbs

NOBODY = 65534


def as_nobody(*groups):
    # What the interpreter would look for in directories that nobody may read.
    codecs.lookup("ascii")

    def become():
        os.setgroups(groups)
        os.setgid(NOBODY)
        os.setuid(NOBODY)

    return become


def refused_to(host, before, module="postgres_db", **options):
    path = host.written(host.arguments("a", **options) if module == "postgres_db" else options)
    os.chmod(path, 0o644)
    with pytest.raises(Failed) as failure:
        result(Fork(module, path, before))
    return failure.value.message


def run_with(host, shadow, name, content, **options):
    """Run the module where a library is shadowed by another one, and return its result."""
    package = shadow / name
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text(content)
    kinds = ("DockerException(Exception)", "APIError(DockerException)", "NotFound(APIError)")
    (package / "errors.py").write_text("\n".join(f"class {kind}: pass" for kind in kinds))
    arguments = host.arguments("a", **options)
    return result(host.start(arguments=arguments, env={"PYTHONPATH": f"{shadow}:{COLLECTIONS}"}))


def refused_with(host, shadow, name, content):
    with pytest.raises(Failed) as failure:
        run_with(host, shadow, name, content)
    return failure.value.message


def test_no_engine(host):
    nowhere = f"unix://{host.root}/nowhere.sock"
    message = host.refused("a", docker_host=nowhere)
    assert "No Docker Engine answers" in message and f"{host.root}/nowhere.sock" in message
    assert "vellaric.postgres.docker_host" in message
    assert not os.path.exists(host.data_root)
    with pytest.raises(Failed, match="No Docker Engine answers"):
        host.info(docker_host=nowhere)


def test_no_engine_yet_in_check_mode(host):
    """The first run in check mode, on a host where the engine would be installed before."""
    answer = host.check("a", docker_host=f"unix://{host.root}/nowhere.sock", pull="missing")
    assert {"reserve", "pull", "create"} <= set(verbs(answer))
    assert "No Docker Engine answers" in str(answer["warnings"])
    assert not os.path.exists(host.data_root)


def test_a_socket_of_which_nobody_is_at_the_other_end(host):
    path = f"{host.root}/dead.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    assert "No Docker Engine answers" in host.refused("a", docker_host=f"unix://{path}")


@pytest.mark.parametrize("url", ["tcp://127.0.0.1:2375", "ssh://root@localhost", "/var/run/docker.sock", "unix://x"])
def test_an_engine_that_is_not_of_this_host(host, url):
    message = host.refused("a", docker_host=url)
    assert "docker_host" in message and "unix:///path" in message
    # In check mode too: that is no engine which is still to come.
    assert "docker_host" in host.refused("a", docker_host=url, check=True)


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-something else\r\n", None])
def test_something_else_on_the_socket(host, answer):
    path = f"{host.root}/other.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)
        other.listen()

        def serve():
            while True:
                try:
                    connection = other.accept()[0]
                except OSError:
                    return
                kept.append(connection)
                if answer is not None:
                    with contextlib.suppress(OSError), connection:
                        connection.sendall(answer)

        kept = []
        threading.Thread(target=serve, daemon=True).start()
        began = time.monotonic()
        message = host.refused("a", docker_host=f"unix://{path}", docker_timeout=2)
        assert "reach the engine" in message
        assert time.monotonic() - began < 20
        other.shutdown(socket.SHUT_RDWR)
    assert not os.path.exists(host.data_root)


def test_no_permission_on_the_socket(host):
    for module, options in (("postgres_db", {}), ("postgres_db_info", {"data_root": host.data_root})):
        message = refused_to(host, as_nobody(), module, **options)
        assert "No permission on the engine's socket" in message
        assert "become: true" in message and "group docker" in message
    # There is an engine, so that check mode must not take the host for an empty one.
    assert "No permission" in refused_to(host, as_nobody(), check=True)
    assert not os.path.exists(host.data_root)


def test_no_permission_on_the_directory(host):
    """A member of the group docker may use the engine, but not write below data_root."""
    group = os.stat("/var/run/docker.sock").st_gid
    assert grp.getgrgid(group).gr_name == "docker"
    message = refused_to(host, as_nobody(group))
    # What all runs share comes first, and is root's alone.
    assert "/run/vellaric.postgres" in message and "Permission denied" in message
    assert "become: true" in message
    assert not host.containers()


def test_no_sdk(host, tmp_path):
    message = refused_with(host, tmp_path, "docker", "raise ImportError('no module named docker')")
    assert "Docker SDK for Python" in message and "python3-docker" in message and sys.executable in message


def test_sdk_too_old(host, tmp_path):
    old = "__version__ = '4.1.0'\nfrom . import errors"
    message = refused_with(host, tmp_path, "docker", old)
    assert "is 4.1.0, at least 5.0.3 is needed" in message and "python3-docker" in message
    assert not host.directory("a").exists()
    # A task before it may install another one, which check mode has not done.
    predicted = run_with(host, tmp_path, "docker", old, check=True, pull="missing")
    assert "create" in verbs(predicted) and message in str(predicted["warnings"])


def test_an_sdk_that_does_not_reach_the_engine(host, tmp_path):
    """Two libraries of it may be of versions that do not go together, which shows when it is used."""
    # What the image is, is known then, so that nothing else would show it before something is made.
    host.run("b")
    client = "class APIClient:\n    def __init__(self, **options):\n        raise errors.DockerException('http+docker')"
    message = refused_with(host, tmp_path, "docker", f"__version__ = '7.1.0'\nfrom . import errors\n{client}\n")
    assert message.endswith("Could not reach the engine: http+docker")
    assert not host.directory("a").exists()


def test_a_run_that_changes_nothing_loads_none_of_the_libraries(host, tmp_path):
    """They are slow to load, and a fleet that is as declared is looked at over and over."""
    host.run("a")
    for name in ("docker", "cryptography"):
        assert run_with(host, tmp_path, name, "raise RuntimeError('it was loaded')")["actions"] == []
    docker("stop", host.container("a"))
    with pytest.raises(Failed, match="it was loaded"):
        run_with(host, tmp_path, "docker", "raise RuntimeError('it was loaded')")


def test_no_cryptography(host, tmp_path):
    message = refused_with(host, tmp_path, "cryptography", "raise ImportError('no module named cryptography')")
    assert "cryptography" in message and "python3-cryptography" in message
    assert not host.containers()
    # What was written until then does not stand in the way.
    assert host.run("a")["database"]["status"] == "active"


@pytest.fixture
def engine():
    sys.path.insert(0, str(COLLECTIONS))
    from ansible_collections.vellaric.postgres.plugins.module_utils._host.engine import Engine

    engine = Engine()
    engine.connect()
    return engine


def test_commands_leave_no_connection_open(host, engine):
    """A server that is waited for is asked over and over. Without the collector: it may come late."""
    host.run("a")
    engine.get_ready()
    gc.disable()
    try:
        # The SDK keeps its last 25 connections.
        open_files = [ran(engine, host.container("a")) for turn in range(60)]
    finally:
        gc.enable()
    assert open_files[-1] <= open_files[30]


def ran(engine, container):
    """Run a command in a container, and return how many files this process then has open."""
    assert engine.execute(container, ["true"], "postgres", "", 10).exit_code == 0
    return len(os.listdir("/proc/self/fd"))


def test_a_container_that_several_runs_remove_at_once(host, engine):
    """Each of them may go on when it is gone, whoever was first."""
    for turn in range(3):
        container = docker("run", "-d", "--name", f"{host.prefix}-gone-{turn}", "--entrypoint", "sleep", IMAGE, "99")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _turn, name=container: engine.remove(name), range(8)))
        assert inspect(container) is None

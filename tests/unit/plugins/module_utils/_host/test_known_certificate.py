# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._host import known_certificate, tls


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return tls.authority(str(tmp_path_factory.mktemp("root")))


@pytest.fixture(scope="module")
def server(authority):
    return tls.server_certificate(authority, "app", ("localhost",))


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "tls").mkdir()
    return str(tmp_path)


def describe(directory, *contents, remember=True):
    return known_certificate.describe(directory, *contents, remember)


def remembered(directory):
    return os.path.exists(os.path.join(directory, known_certificate.FILE_NAME))


def test_what_is_remembered_is_what_is_read(directory, server, authority):
    fresh = tls.describe(*server, authority[0])
    for _turn in range(2):
        assert describe(directory, *server, authority[0]) == fresh
        assert known_certificate.facts(directory, server[0]) == tls.facts(server[0])
    assert remembered(directory)


def test_what_is_known_takes_no_library(directory, server, authority):
    describe(directory, *server, authority[0])
    paths = [os.path.join(directory, name) for name in ("crt", "key", "ca")]
    for path, content in zip(paths, (*server, authority[0])):
        with open(path, "wb") as stream:
            stream.write(content)
    script = (
        "import sys, pathlib;"
        f"from {known_certificate.__package__} import known_certificate as known;"
        "given = [pathlib.Path(path).read_bytes() for path in sys.argv[2:]];"
        "assert known.describe(sys.argv[1], *given, True)['ours'] and known.facts(sys.argv[1], given[0]);"
        "assert 'cryptography' not in sys.modules"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", script, directory, *paths], env=environment, check=True)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_nothing_is_taken_for_something_else(directory, server, authority, place):
    contents = [*server, authority[0]]
    describe(directory, *contents)
    other = [*tls.server_certificate(authority, "other", ("localhost",)), server[0]]
    contents[place] = other[place]
    assert describe(directory, *contents) is None
    assert known_certificate.facts(directory, other[0]) == tls.facts(other[0])
    # Nor is what is none remembered in the place of the one that is.
    assert describe(directory, *server, authority[0])["ours"]


def test_a_new_one_takes_its_place(directory, server, authority):
    describe(directory, *server, authority[0])
    renewed = tls.server_certificate(authority, "app", ("localhost", "db.example.com"))
    assert describe(directory, *renewed, authority[0])["names"] == ["db.example.com", "localhost"]
    assert known_certificate.facts(directory, renewed[0])["names"] == ["db.example.com", "localhost"]


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"{}", b'{"proved_by": '])
def test_what_is_damaged_is_read_anew(directory, server, authority, content):
    with open(os.path.join(directory, known_certificate.FILE_NAME), "wb") as stream:
        stream.write(content)
    assert known_certificate.facts(directory, server[0]) == tls.facts(server[0])
    assert describe(directory, *server, authority[0])["ours"]
    with open(os.path.join(directory, known_certificate.FILE_NAME), encoding="utf-8") as stream:
        assert json.load(stream)["described"]["ours"]


def test_what_cannot_be_read_is_not_known(directory, server, authority):
    os.mkdir(os.path.join(directory, known_certificate.FILE_NAME))
    assert describe(directory, *server, authority[0])["ours"]
    assert known_certificate.facts(directory, server[0]) == tls.facts(server[0])


def test_nothing_is_written_unless_it_may_be(directory, server, authority):
    assert describe(directory, *server, authority[0], remember=False)["ours"]
    assert known_certificate.facts(directory, b"none") is None
    assert not remembered(directory)


def test_where_nothing_can_be_kept_it_is_read_all_the_same(directory, server, authority):
    assert describe(os.path.join(directory, "missing"), *server, authority[0])["ours"]

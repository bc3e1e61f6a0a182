# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._host.locked_file import FileError
from ansible_collections.vellaric.postgres.plugins.modules import postgres_db_credentials_file as module
from ansible_collections.vellaric.postgres.plugins.plugin_utils.remote_file import Conflict, RemoteFile


def here(check_mode=False):
    """The host's half, on this machine."""

    def run(options):
        try:
            if options["action"] == "read":
                return module.read(options["path"])
            return module.change(
                options["path"], options["action"], options.get("content"), options["seen"], check_mode
            )
        except FileError as error:
            return {"failed": True, "msg": str(error)}

    return run


def test_written_and_read_and_removed(tmp_path):
    path = tmp_path / "new/c.yml"
    file = RemoteFile(here(), str(path))
    assert file.content is None and not file.too_open
    file.write("ä: 1\n".encode())
    assert path.read_text() == "ä: 1\n" and path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    file = RemoteFile(here(), str(path))
    assert file.content == "ä: 1\n".encode() and file.too_open
    file.narrow()
    assert not RemoteFile(here(), str(path)).too_open
    RemoteFile(here(), str(path)).remove()
    assert not path.exists()


@pytest.mark.parametrize("before", [None, b"", b"old"])
@pytest.mark.parametrize("change", ["write", "narrow", "remove"])
def test_what_another_run_has_written_stays(tmp_path, before, change):
    path = tmp_path / "c.yml"
    if before is not None:
        path.write_bytes(before)
    file = RemoteFile(here(), str(path))
    path.write_bytes(b"another run's")
    with pytest.raises(Conflict):
        file.write(b"mine") if change == "write" else getattr(file, change)()
    assert path.read_bytes() == b"another run's"


def test_check_mode_changes_nothing(tmp_path):
    file = RemoteFile(here(check_mode=True), str(tmp_path / "new/c.yml"))
    file.check_writable()
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="a part of the path is a file"):
        RemoteFile(here(check_mode=True), str(tmp_path / "file/c.yml")).check_writable()


def test_a_host_that_cannot_be_asked():
    with pytest.raises(FileError, match="no route"):
        RemoteFile(lambda options: {"unreachable": True, "msg": "no route to host"}, "/c.yml")

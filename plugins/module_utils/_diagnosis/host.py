# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host itself says, without its engine: a service, file systems, who listens on a port, the firewall.

Each answers in bounds of time, and says nothing where there is nothing to ask.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import socket
import stat
import subprocess

from .._domain.errors import DatabaseError
from .._host import disk, engine, files, ports
from .nouns import DiskFacts, EngineFacts

_SECONDS = 10
_LOG_LINES = 60
_PROGRAMS = ("dockerd", "rootlesskit")
_SERVICE = "docker.service"


def run(*command: str) -> str | None:
    """Return what a program prints, None where it is not there, fails or does not end."""
    program = _found(command[0])
    if program is None:
        return None
    try:
        finished = subprocess.run(
            [program, *command[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            env={**os.environ, "LC_ALL": "C"},
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return finished.stdout if finished.returncode == 0 else None


def _found(program: str) -> str | None:
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])
    return shutil.which(program, path=path)


def engine_facts(asked: engine.Engine, url: str) -> EngineFacts:
    """Say whether the engine answers, and where it does not, what kind of trouble that is.

    Raises DatabaseError where what was given as its address is none.
    """
    if not url.startswith("unix:///"):
        asked.connect()
    try:
        asked.connect()
        asked.get_ready()
        unusable, root = asked.unusable(), asked.root()
        return EngineFacts("answers", unusable=unusable, root=root)
    except DatabaseError as error:
        kind = _kind(error, url[len("unix://") :])
        service = None if kind in ("library", "permission") else _service()
        log = (
            (run("journalctl", "-u", _SERVICE, "-n", str(_LOG_LINES), "-o", "cat", "--no-pager") or "")
            if service
            else ""
        )
        return EngineFacts(kind, error.message, service, tuple(log.splitlines()))


def _kind(error: DatabaseError, path: str) -> str:
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(_SECONDS)
            probe.connect(path)
    except PermissionError:
        return "permission"
    except OSError:
        there = any(_found(name) for name in _PROGRAMS) or _service() is not None
        return "stopped" if there else "none"
    missing = importlib.util.find_spec("docker") is None or isinstance(error, engine.NoEngine)
    return "library" if missing else "silent"


def _service() -> str | None:
    """Return what systemd says of the engine's service, such as C(failed: exit-code)."""
    said = run("systemctl", "show", _SERVICE, "-p", "LoadState", "-p", "ActiveState", "-p", "Result")
    known = dict(line.partition("=")[::2] for line in (said or "").splitlines())
    if known.get("LoadState") in (None, "", "not-found"):
        return None
    if known["LoadState"] == "masked":
        return "masked"
    result = known.get("Result")
    return known.get("ActiveState", "unknown") + (f": {result}" if result and result != "success" else "")


def disk_facts(what: str, path: str) -> DiskFacts | None:
    """Return the room of the file system of a path, or of the nearest directory above that is there."""
    try:
        space, status = disk.space(path), os.statvfs(disk.existing(path))
    except (DatabaseError, OSError):
        return None
    return DiskFacts(
        what=what,
        path=path,
        total=space["used_bytes"] + space["free_bytes"],
        free=space["free_bytes"],
        inodes=status.f_files or None,
        inodes_free=status.f_favail if status.f_files else None,
        read_only=bool(status.f_flag & os.ST_RDONLY),
    )


def holder(port: int) -> str | None:
    """Return who listens on a port of this host, in words; None where nobody does."""
    if port not in ports.listening():
        return None
    inodes = ports.sockets(port)
    for pid in (name for name in os.listdir("/proc") if name.isdigit()):
        with contextlib.suppress(OSError):
            for name in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    if os.readlink(f"/proc/{pid}/fd/{name}") in inodes:
                        return f"process {pid} ({_name(pid)})"
    return "a process of another user or container"


def _name(pid: str) -> str:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as stream:
        return "".join(character for character in stream.read().strip() if character.isprintable())
    return "unknown"


def firewall(port: int) -> tuple[bool | None, tuple[str, ...]]:
    """Return whether the firewall leads a port to a container (None: cannot be seen), and what may block it."""
    nat = run("iptables", "-t", "nat", "-S", "DOCKER")
    leads = None if nat is None else any(f"--dport {port} " in f"{line} " for line in nat.splitlines())
    lines = [
        line
        for chain in ("INPUT", "OUTPUT", "DOCKER-USER")
        for line in (run("iptables", "-S", chain) or "").splitlines()
    ]
    blocks = [line for line in lines if line.rstrip().endswith(("DROP", "REJECT")) or " -j REJECT" in line]
    about = [line for line in blocks if f"--dport {port}" in line or "--dport" not in line]
    return leads, tuple(about[:5])


def ownership(path: str) -> tuple[int | None, int | None, int | None]:
    """Return whom a data directory belongs to, whom its PG_VERSION does, and its mode."""
    try:
        there = os.lstat(path)
        mark = os.lstat(os.path.join(path, "PG_VERSION"))
        return there.st_uid, mark.st_uid, stat.S_IMODE(there.st_mode)
    except OSError:
        return None, None, None


def holds_anything(path: str) -> bool:
    try:
        return bool(files.entries(path))
    except DatabaseError:
        return False

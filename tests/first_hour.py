# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs what docs/first-hour.md says, to the letter, and writes docs/transcripts/first-hour.md of it.

A lab host with an engine stands for docker1.example.com, in an empty directory that is gone afterwards. Not a part of
CI. Usage: python3 tests/first_hour.py [RELEASE of Debian, bookworm when it is not given]
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
LAB = PROJECT / "tests/lab/host"
COLLECTIONS = PROJECT / ".venv/collections"
TRANSCRIPT = PROJECT / "docs/transcripts/first-hour.md"
HOST, NAME = "docker1.example.com", "vellaric-first-hour"
IMAGE = "vellaric/postgres:15-bookworm"
SECONDS = 600
# What a person types into psql.
TYPED = b"SELECT current_database(), count(*) AS tables FROM pg_tables WHERE schemaname = 'public';\n\\q\n"
COMMANDS, LINES = 3, 25


def blocks() -> list[str]:
    """The commands of the page, in order."""
    return re.findall(r"^```sh\n(.*?)\n```$", (PROJECT / "docs/first-hour.md").read_text(), re.MULTILINE | re.DOTALL)


def run(command: str, directory: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Run a command in a terminal, as a person does; returns its exit code and what it printed."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(directory)
        # Without a size, psql takes whatever it prints for more than fits, and asks its pager.
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 120, 0, 0))
        os.execve("/bin/bash", ["bash", "-c", command], environment)
    printed, typed, until = b"", False, time.monotonic() + SECONDS
    while time.monotonic() < until:
        if select.select([terminal], [], [], 1)[0]:
            try:
                data = os.read(terminal, 65536)
            except OSError:
                break
            printed += data
            if not data:
                break
            if not typed and b"=# " in printed:
                typed = True
                os.write(terminal, TYPED)
    else:
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", printed.decode())
    return code, text.strip("\n")


def main() -> int:
    release = sys.argv[1] if len(sys.argv) > 1 else "bookworm"
    # What a run that was interrupted has left.
    subprocess.run([LAB, "stop", NAME], capture_output=True, check=True)
    started = subprocess.run(
        [LAB, "start", NAME, "--init", "systemd", "--release", release, "--engine", "--image", IMAGE],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    address = re.search(r"ansible_host=(\S+)", started).group(1)
    key = re.search(r"ansible_ssh_private_key_file=(\S+)", started).group(1)
    try:
        with tempfile.TemporaryDirectory(prefix="vellaric-first-hour-") as made:
            told = transcript(Path(made), address, key)
    finally:
        subprocess.run([LAB, "stop", NAME], check=True)
    head = (
        "# The first hour, as it was printed\n\nMade by `tests/first_hour.py`, which runs the commands of"
        f" [first-hour.md](../first-hour.md) against a lab host (Debian {release}, with an engine, root over SSH), with"
        " ansible-core " + version() + ". What is asked of psql is typed by it.\n"
    )
    TRANSCRIPT.write_text(head + told)
    return 0


def version() -> str:
    asked = subprocess.run(["ansible", "--version"], capture_output=True, text=True, check=True).stdout
    return re.search(r"core ([0-9.]+)", asked).group(1)


def transcript(home: Path, address: str, key: str) -> str:
    """Run all of the page in a directory, and return the text of it."""
    directory = home / "repository"
    directory.mkdir()
    # Whatever this machine knows of SSH is not the newcomer's.
    ssh = home / "ssh"
    ssh.write_text(
        f"#!/bin/sh\nexec /usr/bin/ssh -q -i {key} -o User=root -o StrictHostKeyChecking=no"
        ' -o UserKnownHostsFile=/dev/null "$@"\n'
    )
    ssh.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{home}:{os.environ['PATH']}",
        "ANSIBLE_SSH_EXECUTABLE": str(ssh),
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_PYTHON_INTERPRETER": "auto_silent",
        "ANSIBLE_NOCOLOR": "1",
        "TERM": "dumb",
        "PSQL_PAGER": "cat",
    }
    told, counted = [], 0
    for number, command in enumerate(blocks(), 1):
        code, text = run(command.replace(HOST, address), directory, environment)
        # As a newcomer has it.
        text = text.replace(address, HOST).replace(str(directory), "~/repository")
        text = text.replace(str(COLLECTIONS), "~/.ansible/collections")
        if code:
            raise SystemExit(f"{command}\nended with {code}:\n{text}")
        # Of psql, what is there when it asks for the first statement.
        counted += len(text.partition("=# ")[0].splitlines()) if number <= COMMANDS else 0
        told.append(f"\n```console\n$ {command}\n{text}\n```\n" if text else f"\n```console\n$ {command}\n```\n")
        if number == COMMANDS:
            told.append(f"\nSo far {COMMANDS} commands, and {counted} lines of output up to psql's first question.\n")
    if counted > LINES:
        raise SystemExit(f"{counted} lines up to psql: at most {LINES} are wanted\n{''.join(told)}")
    return "".join(told)


if __name__ == "__main__":
    sys.exit(main())

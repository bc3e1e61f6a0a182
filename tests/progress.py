# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs commands, several at the same time, and never is silent for long.

    progress.py COMMAND [ARGUMENT]...     one command, whose output passes as it is
    progress.py --tasks COMMAND...        the same for ansible-playbook, without the tasks that have nothing to tell
    progress.py --each NAME=COMMAND...    several, by the shell; the name is before each line
    progress.py --each -j NUMBER ...      so many of them at a time

Where nothing was said for some seconds, a line says what is being waited for. Needs nothing but Python, since it runs
before there is a virtual environment.
"""

import os
import re
import selectors
import shutil
import subprocess
import sys
import time

# Seconds without a word.
PATIENCE = float(os.environ.get("VELLARIC_PROGRESS_SECONDS", "20"))


class Tasks:
    """Leaves out of a playbook's output the tasks that changed nothing and say nothing."""

    COLOUR = re.compile(rb"\x1b\[[0-9;]*m")
    NOTHING = re.compile(rb"((ok|skipping): \[[^\]]*\]( => \(item=.*\))?|included: .*)\s*$")

    def __init__(self):
        self._header, self._blank = None, False

    def __call__(self, lines):
        for line in lines:
            plain = self.COLOUR.sub(b"", line)
            if plain.startswith(b"PLAY "):
                self._header = None
            if plain.startswith((b"TASK [", b"RUNNING HANDLER [")):
                self._header = line
            elif not plain.strip():
                self._blank = True
            elif not self.NOTHING.match(plain):
                if self._header is not None or self._blank:
                    yield b""
                if self._header is not None:
                    yield self._header
                yield line
                self._header, self._blank = None, False
            else:
                self._blank = False


class Running:
    def __init__(self, name, command, shell, tasks=False):
        self.name, self.began, self.ended = name, None, None
        self._command, self._shell, self.process = command, shell, None
        self._filter = Tasks() if tasks or name else None
        self.silent = self._filter is not None
        self.rest, self.last, self.tail = b"", "", []

    def start(self):
        self.began = time.monotonic()
        # Nobody sees the pipe: what would be coloured still is.
        more = {"ANSIBLE_FORCE_COLOR": "1", "PY_COLORS": "1"} if sys.stdout.isatty() and not self.name else {}
        if self.name:
            # One says what is waited for, not each of a row.
            more["VELLARIC_PROGRESS_SECONDS"] = "inf"
        self.process = subprocess.Popen(
            self._command,
            shell=self._shell,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **more},
        )
        os.set_blocking(self.process.stdout.fileno(), False)

    def take(self, data):
        """Return what is to be shown of what the command has said."""
        lines = (self.rest + data).split(b"\n")
        self.rest = lines.pop()
        told = [line for line in lines if line.strip()]
        if told:
            task = next(
                (line for line in reversed(told) if Tasks.COLOUR.sub(b"", line).startswith(b"TASK [")), told[-1]
            )
            self.last = Tasks.COLOUR.sub(b"", task).decode("utf-8", "replace").strip("\r* ")
            self.tail = (self.tail + told)[-40:]
        if self._filter is None:
            return data
        before = f"{self.name:<6} | ".encode() if self.name else b""
        return b"".join(before + line + b"\n" for line in self._filter(lines))

    def finish(self):
        self.ended = time.monotonic()
        shown = self.take(b"\n") if self._filter and self.rest else b""
        self.process.stdout.close()
        return shown

    @property
    def seconds(self):
        return int((self.ended or time.monotonic()) - self.began)


def write(data):
    sys.stdout.buffer.write(data)
    sys.stdout.flush()


def keep_sudo():
    """Have sudo not ask for a password again in the middle. Returns the seconds until the next time."""
    if os.getuid() == 0 or not shutil.which("sudo"):
        return float("inf")
    asked = subprocess.run(["sudo", "-n", "true"], stderr=subprocess.DEVNULL, check=False)
    return 60 if asked.returncode == 0 else float("inf")


def waiting(running):
    told = []
    for each in running:
        # What passes as it is has been seen.
        last = each.last if each.silent and (len(running) == 1 or each.last.startswith("TASK")) else ""
        told.append(f"{each.name or 'still running'}, {each.seconds} s{': ' + last[:100] if last else ''}")
    return f"... {'; '.join(told)}\n".encode()


def follow(commands, at_once):
    """Show what the commands say until all have ended."""
    selector, running, spoken, fresh = selectors.DefaultSelector(), [], time.monotonic(), True
    ask_sudo, later = time.monotonic() + keep_sudo(), list(commands)
    while running or later:
        while later and len(running) < at_once:
            command = later.pop(0)
            command.start()
            running.append(command)
            selector.register(command.process.stdout, selectors.EVENT_READ, command)
        for key, _events in selector.select(timeout=1):
            command, shown = key.data, b""
            data = os.read(key.fd, 65536)
            if data:
                shown = command.take(data)
            else:
                selector.unregister(key.fileobj)
                shown = command.finish()
                running.remove(command)
            if shown:
                write(shown)
                spoken, fresh = time.monotonic(), shown.endswith(b"\n")
        if running and time.monotonic() - spoken > PATIENCE:
            write((b"" if fresh else b"\n") + waiting(running))
            spoken, fresh = time.monotonic(), True
        if time.monotonic() > ask_sudo:
            ask_sudo = time.monotonic() + keep_sudo()


def main(arguments):
    if not arguments:
        sys.stderr.write(__doc__)
        return 2
    if arguments[0] != "--each":
        at_once = 1
        tasks = arguments[0] == "--tasks"
        commands = [Running("", arguments[1:] if tasks else arguments, False, tasks)]
    else:
        at_once, each = (
            (int(arguments[2]), arguments[3:]) if arguments[1:2] == ["-j"] else (len(arguments), arguments[1:])
        )
        commands = [Running(*one.split("=", 1), True) for one in each]
    try:
        follow(commands, at_once)
    except KeyboardInterrupt:
        # They were interrupted, too, and clean up after themselves.
        for command in commands:
            if command.process:
                command.process.wait()
        return 130
    codes = [command.process.wait() for command in commands]
    for command, code in zip(commands, codes):
        if command.name and code:
            write(f"\n{command.name} failed after {command.seconds} s:\n".encode() + b"\n".join(command.tail) + b"\n")
    if commands[0].name:
        told = [
            f"{each.name} {'failed' if code else 'passed'} ({each.seconds} s)" for each, code in zip(commands, codes)
        ]
        write(f"\n{', '.join(told)}\n".encode())
    return next((code if code > 0 else 1 for code in codes if code), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

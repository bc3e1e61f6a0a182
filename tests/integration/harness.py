# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests on the real engine share: a host of their own, the modules run on it, and outside readers."""

from __future__ import annotations

import contextlib
import fcntl
import gc
import importlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

import psycopg

REPOSITORY = Path(__file__).resolve().parent.parent.parent
COLLECTIONS = REPOSITORY / ".venv" / "collections"
MODULES = "ansible_collections.vellaric.postgres.plugins.modules."
IMAGE = os.environ.get("VELLARIC_TEST_IMAGE", "vellaric/postgres:15-bookworm")
OTHER_MAJOR_IMAGE = os.environ.get("VELLARIC_TEST_OTHER_IMAGE", "vellaric/postgres:17-trixie")
TEST_LABEL = "vellaric.test"
# Also those moments of a kill that are left out to save time.
THOROUGH = bool(os.environ.get("VELLARIC_TEST_THOROUGH"))
USERNAME = "db_user_0123456789ab"
PASSWORD = "Correct-Horse_Battery9"


def _on_disk() -> None:
    """Have all that the tests make lie on a disk: databases in a tmpfs take the memory that their servers need."""
    answer = subprocess.run(
        ["stat", "-f", "-c", "%T", tempfile.gettempdir()], capture_output=True, text=True, check=True
    )
    if answer.stdout.strip() in ("tmpfs", "ramfs"):
        # Also what pytest and the modules make.
        tempfile.tempdir = os.environ["TMPDIR"] = "/var/tmp"


_on_disk()

# Where hosts get their ports from, and how many each has.
_PORTS = range(20000, 29975)
_PORTS_OF_A_HOST = 25


def _take_ports():
    """Find ports that no other host of any test run has and that nothing listens on.

    Returns the first of them, and the file whose lock keeps them: the kernel lets go of it whatever ends the run.
    """
    locks = Path("/var/tmp/vellaric-ports")
    locks.mkdir(exist_ok=True)
    for first in _PORTS[::_PORTS_OF_A_HOST]:
        lock = open(locks / str(first), "w")
        with contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for port in range(first, first + _PORTS_OF_A_HOST):
                listener(port, "0.0.0.0").close()
            return first, lock
        lock.close()
    raise RuntimeError(f"no {_PORTS_OF_A_HOST} ports in a row are free between {_PORTS.start} and {_PORTS.stop}")


class Failed(Exception):
    """A module failed; result is what it said."""

    def __init__(self, result):
        super().__init__(result.get("msg"))
        self.result = result

    @property
    def message(self):
        return self.result["msg"]


def docker(*arguments, check=True):
    finished = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if check and finished.returncode:
        raise RuntimeError(f"docker {' '.join(arguments)}: {finished.stderr}")
    return finished.stdout.strip()


def remove_images(tag):
    """Remove what derived_image made under a tag, also what has lost it to a later one."""
    images = docker("images", "-aq", "--filter", f"label={TEST_LABEL}={tag}").split()
    if images:
        docker("rmi", "-f", *sorted(set(images)), check=False)


def inspect(container):
    """The engine's own answer on a container, or None."""
    answer = docker("inspect", "--type", "container", container, check=False)
    return json.loads(answer)[0] if answer and answer != "[]" else None


def derived_image(tag, *changes, image=IMAGE):
    """Make an image of the same server with other metadata, such as a label or an entrypoint."""
    container = docker("create", image, "true")
    options = [option for change in (f"LABEL {TEST_LABEL}={tag}", *changes) for option in ("--change", change)]
    docker("commit", *options, container, tag)
    docker("rm", container)
    return tag


def environment(**more):
    return {**os.environ, "PYTHONPATH": str(COLLECTIONS), **more}


class Fork:
    """A module run in a process of its own that need not import everything first: half a second less than `start`."""

    def __init__(self, module, arguments_file, before=None):
        if "ansible._internal" in sys.modules:
            raise RuntimeError("a test has imported Ansible's controller code, in which a module loses its warnings")
        main = importlib.import_module(MODULES + module).main
        # A module that ends soon does without; the tests do not end soon.
        gc.enable()
        self._outputs = [tempfile.TemporaryFile("w+") for turn in range(2)]
        self.pid = os.fork()
        if self.pid == 0:
            self._run(main, ["module", arguments_file], before)

    def _run(self, main, arguments, before):
        code = 1
        # A test that waits in another thread for the end of what it has sent would wait for this process, too.
        ours = {0, 1, 2, *(stream.fileno() for stream in self._outputs)}
        others, nothing = {int(name) for name in os.listdir("/proc/self/fd")} - ours, os.open(os.devnull, os.O_RDWR)
        for descriptor in others - {nothing}:
            # Not just closed: the number would be given again, and end with the test's object that had it.
            with contextlib.suppress(OSError):
                os.dup2(nothing, descriptor)
        try:
            if before:
                before()
            sys.argv = arguments
            sys.stdin, sys.stdout, sys.stderr = open(os.devnull), *self._outputs
            main()
        except SystemExit as end:
            code = end.code or 0
        except BaseException:
            traceback.print_exc(file=sys.stderr)
        finally:
            for stream in self._outputs:
                stream.flush()
            os._exit(code)

    def communicate(self):
        self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return [(stream.seek(0), stream.read(), stream.close())[1] for stream in self._outputs]


def new_root():
    """Make a directory of a test's own, on a disk."""
    parent = Path(tempfile.gettempdir(), "vellaric-tests")
    spread(parent)
    return tempfile.mkdtemp(prefix="vellaric-test-", dir=parent)


def spread(directory):
    """Make a directory, and have what is made in it lie far apart on the disk, where the file system can.

    Before ext4 makes a file, it looks at all that were removed near it in the last seconds. Where databases come and go
    all the time, this doubles what initdb takes. https://man7.org/linux/man-pages/man1/chattr.1.html (attribute T)
    """
    Path(directory).mkdir(exist_ok=True)
    if shutil.which("chattr"):
        subprocess.run(["chattr", "+T", str(directory)], capture_output=True, check=False)


class Host:
    """Directories and ports of a test's own on this machine's engine; `close` leaves nothing of them."""

    def __init__(self, root=None, environment="development"):
        self.environment = environment
        self.root = root or new_root()
        os.chmod(self.root, 0o755)
        spread(self.root)
        self.prefix = os.path.basename(self.root).replace("_", "x").lower().replace("vellaric-test-", "vt")
        first, self._ports_lock = _take_ports()
        self.ports = (first, first + _PORTS_OF_A_HOST - 1)
        self.data_root = f"{self.root}/data"
        self.defaults = {
            "data_root": self.data_root,
            "backup_root": f"{self.root}/backups",
            "port_range": f"{self.ports[0]}-{self.ports[1]}",
            "environment": environment,
            "image": IMAGE,
            "pull": "never",
            "username": USERNAME,
            "password": PASSWORD,
            "wait_timeout": 60,
        }

    def name(self, short):
        return f"{self.prefix}-{short}"

    def container(self, short):
        return f"{self.prefix}-{short}-{self.environment}-postgres"

    def directory(self, short):
        return Path(self.data_root, self.container(short))

    def record(self, short):
        """The record of a database, with what is its primary's."""
        content = json.loads((self.directory(short) / "database.json").read_text())
        (primary,) = [instance for instance in content["instances"] if instance["role"] == "primary"]
        return {**primary, **content}

    def arguments(self, short=None, check=False, **options):
        """The module's arguments: this host's defaults, without those that are given as None."""
        named = {} if short is None else {"name": self.name(short)}
        given = {**self.defaults, **named, **options}
        given = {key: value for key, value in given.items() if value is not None}
        return {**given, "_ansible_check_mode": check, "_ansible_diff": True}

    def written(self, arguments):
        """Write a module's arguments as Ansible does, and return the path."""
        descriptor, path = tempfile.mkstemp(prefix="arguments-", suffix=".json", dir=self.root)
        with os.fdopen(descriptor, "w") as stream:
            json.dump({"ANSIBLE_MODULE_ARGS": arguments}, stream)
        return path

    def _result(self, module, arguments):
        return result(Fork(module, self.written(arguments)))

    def start(self, module="postgres_db", arguments=None, command=None, **more):
        """Start a module as a process from nothing, and return that."""
        return subprocess.Popen(
            [*(command or [sys.executable, "-m", MODULES + module]), self.written(arguments)],
            env=environment(**more.pop("env", {})),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **more,
        )

    def run(self, short=None, check=False, module="postgres_db", **options):
        """Run the module and return its result. Raises Failed with what it said where it fails."""
        return self._result(module, self.arguments(short, check, **options))

    def check(self, short=None, **options):
        return self.run(short, check=True, **options)

    def refused(self, short=None, **options):
        """Run the module, which has to fail, and return the message."""
        try:
            answer = self.run(short, **options)
        except Failed as failure:
            return failure.message
        raise AssertionError(f"not refused: {answer}")

    def converge(self, short, **options):
        """Check, run, run again: the prediction holds and the second run changes nothing. Returns the first result."""
        predicted = self.check(short, **options)
        answer = self.run(short, **options)
        assert verbs(predicted) == verbs(answer)
        assert predicted["diff"]["before"] == answer["diff"]["before"]
        assert predicted["diff"]["after"] == answer["diff"]["after"]
        again = self.run(short, **options)
        assert verbs(again) == [] and not again["changed"], again["actions"]
        assert again["diff"]["before"] == again["diff"]["after"]
        return answer

    def info(self, **options):
        arguments = {"data_root": self.data_root, **options}
        return self._result("postgres_db_info", arguments)["databases"]

    def one(self, short):
        """What info says of one database."""
        return self.info(name=self.name(short))[0]

    def connect(self, short, **options):
        """Log in from outside, through the published port."""
        parameters = {
            "host": "127.0.0.1",
            "port": self.record(short)["port"],
            "user": USERNAME,
            "password": PASSWORD,
            "dbname": self.name(short),
            "connect_timeout": 10,
            "autocommit": True,
        }
        return psycopg.connect(**{**parameters, **options})

    def pooler(self, short):
        """What the record keeps of a database's pooler."""
        content = json.loads((self.directory(short) / "database.json").read_text())
        (own,) = [instance for instance in content["instances"] if instance["role"] == "pooler"]
        return own

    def query(self, short, sql, **options):
        """Run SQL as the application and return the rows (none for a statement without)."""
        with self.connect(short, **options) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def psql(self, short, sql):
        """Run SQL as the superuser, inside the container."""
        return docker(
            "exec", "-u", "postgres", self.container(short), "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql
        )

    def psql_in(self, short, sql):
        """Run SQL as the superuser, in the database."""
        command = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self.name(short), "-c", sql]
        return docker("exec", "-u", "postgres", self.container(short), *command)

    def inspect(self, short):
        return inspect(self.container(short))

    def untouched(self):
        """Say whether nothing has been created: no container and no directory of a database."""
        entries = os.listdir(self.data_root) if os.path.isdir(self.data_root) else []
        return not self.containers() and not [entry for entry in entries if not entry.startswith(".")]

    def containers(self):
        return docker("ps", "-aq", "--filter", f"name=^/?{self.prefix}-").split()

    def forget_container(self, short):
        docker("rm", "-fv", self.container(short), check=False)

    def forget(self, short):
        docker("rm", "-fv", self.container(short), check=False)
        shutil.rmtree(self.directory(short), ignore_errors=True)

    def close(self):
        containers = self.containers()
        if containers:
            docker("rm", "-fv", *containers, check=False)
        networks = docker("network", "ls", "-q", "--filter", f"name=^{self.prefix}-").split()
        if networks:
            docker("network", "rm", *networks, check=False)
        shutil.rmtree(self.root, ignore_errors=True)
        for path in Path("/var/vellaric/certificates").glob(f"{self.prefix}-*"):
            path.unlink(missing_ok=True)
        if not self._ports_lock.closed:
            # Not just closed: a module that outlives the test has the file as well.
            fcntl.flock(self._ports_lock, fcntl.LOCK_UN)
            self._ports_lock.close()


def result(process):
    """Wait for a module and return what it said. Raises Failed where that is a failure."""
    stdout, stderr = process.communicate()
    lines = [line for line in stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise AssertionError(f"no result (exit code {process.returncode}):\n{stdout}\n{stderr}")
    answer = json.loads(lines[-1])
    if answer.get("failed"):
        assert "Traceback" not in stdout + stderr, answer
        raise Failed(answer)
    return answer


def verbs(answer):
    return [action["verb"] for action in answer["actions"]]


def listener(port, address="127.0.0.1"):
    """Something foreign that listens on a port, until it is closed."""
    foreign = socket.socket()
    foreign.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    foreign.bind((address, port))
    foreign.listen()
    return foreign


def playbook(host, module, arguments, *options):
    """Run one module from a playbook, as a user does; returns (its result, all of the output)."""
    root = Path(host.root, "playbook")
    root.mkdir(exist_ok=True)
    secret = root / "arguments.json"
    secret.write_text(json.dumps({"arguments": arguments}))
    secret.chmod(0o600)
    (root / "ansible.cfg").write_text(f"[defaults]\ncollections_path = {COLLECTIONS}\n")
    task = {"name": "Run the module", module: "{{ arguments }}", "register": "answer"}
    keep = {"content": "{{ answer | to_json }}", "dest": str(root / "answer.json"), "mode": "0600"}
    play = {
        "name": "Test",
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": sys.executable},
        "tasks": [task, {"name": "Keep the answer", "ansible.builtin.copy": keep}],
    }
    (root / "play.json").write_text(json.dumps([play]))
    finished = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), "play.json", "-e", "@arguments.json", *options],
        env={**os.environ, "ANSIBLE_CONFIG": str(root / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    output = finished.stdout + finished.stderr
    if finished.returncode:
        raise AssertionError(output)
    return json.loads((root / "answer.json").read_text()), output


def eventually(true, seconds=15):
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(f"did not come to hold within {seconds} s")
        time.sleep(0.05)

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Docker Engine of this host: the only importer of the Docker SDK, by way of its low-level client.

What is only asked goes over the engine's socket; what changes anything goes through the SDK, which is loaded then.
Every answer is a plain value; every failure is a DatabaseError that says what the engine said.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib.util
import json
import socket
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .._domain import labels as known_labels
from .._domain import networks
from .._domain.container import confinement
from .._domain.errors import DatabaseError
from . import engine_socket
from .execution import Execution, Finished, State

if TYPE_CHECKING:
    from .._domain.networks import NetworkFacts

# Debian 12's python3-docker; earlier ones do not know the options of the API that we need.
MINIMUM_SDK = (5, 0, 3)
# On containers that are not databases and live as long as one run at most. The value is the time from which on that run
# cannot need it any more, in seconds since 1970.
THROW_AWAY = known_labels.PREFIX + "throw-away"
# Of a throw-away container: initdb has some dozens.
_FEW_PROCESSES = 256
DEFAULT_URL = "unix:///var/run/docker.sock"
# https://docs.docker.com/reference/api/engine/version-history/#v148-api-changes
_GATEWAY_PRIORITY_API = (1, 48)


# The files of a database belong to the users of its image, as this host and its containers both have to know them.
_UNUSABLE = {
    "name=userns": "This engine gives containers users of their own (userns-remap in /etc/docker/daemon.json), who"
    " cannot have the files that are made for them here. Nothing was changed: take that setting out and restart the"
    " engine, or use another host",
    "name=rootless": "This engine runs without root (rootless), so that its containers cannot have the files that are"
    " made for them here. Nothing was changed: use the engine of the system (docker_host)",
}


class NoEngine(DatabaseError):
    """There is no engine yet, or what is needed to talk to it is missing."""


@functools.lru_cache(maxsize=None)
def _sdk() -> Any:
    """Load the SDK. Raises NoEngine, naming the interpreter and the distribution's package, where that cannot be."""
    try:
        import docker
        import docker.errors
    except ImportError as error:
        raise _no_sdk(f"(docker, at least {_minimum()}) is not there: {error}") from None
    version = getattr(docker, "__version__", "0")
    if tuple(int(part) for part in version.split(".")[:3] if part.isdigit()) < MINIMUM_SDK:
        raise _no_sdk(f"is {version}, at least {_minimum()} is needed")
    # It leaves circles behind. Only a run that does without it does without the collector (modules/postgres_db.py).
    gc.enable()
    return docker


def _minimum() -> str:
    return ".".join(map(str, MINIMUM_SDK))


def _no_sdk(what: str) -> NoEngine:
    return NoEngine(
        f"The Docker SDK for Python {what}. The modules ran under {sys.executable}. For the distribution's Python"
        " install its package python3-docker (role vellaric.postgres.docker_host does); for another one, install docker"
        " into its environment, or point ansible_python_interpreter to an interpreter that has it"
    )


class Engine:
    """An engine that listens on a socket of this host: it mounts this host's directories into its containers."""

    def __init__(self, url: str = DEFAULT_URL, timeout: int = 60) -> None:
        self._url = url
        self._socket = url[len("unix://") :]
        self._timeout = timeout
        # A client is one HTTP session, which threads cannot share.
        self._threads = threading.local()
        self._api_version = ""
        self._ready = False

    def connect(self) -> None:
        """Find the engine.

        Raises NoEngine where there is none, which another task may fix, and DatabaseError where it cannot be used.
        """
        if importlib.util.find_spec("docker") is None:
            raise _no_sdk(f"(docker, at least {_minimum()}) is not there")
        if self._timeout < 1:
            raise DatabaseError(f"docker_timeout is {self._timeout}: at least 1 second")
        if not self._url.startswith("unix:///"):
            raise DatabaseError(
                f"docker_host is {self._url!r}: the engine mounts directories of the host that this module runs on, so"
                " it is reached by a socket there, unix:///path. Run the task on the Docker host itself"
            )
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.settimeout(self._timeout)
                probe.connect(self._socket)
            except PermissionError:
                raise DatabaseError(
                    f"No permission on the engine's socket {self._socket}: use become: true, or a user of the group"
                    " docker"
                ) from None
            except OSError as error:
                raise NoEngine(
                    f"No Docker Engine answers on {self._socket} ({error.strerror or error}): start it, or install one"
                    " with role vellaric.postgres.docker_host"
                ) from None
        version = engine_socket.get(self._socket, "reach the engine", "/version", self._timeout)
        if "ApiVersion" not in version:
            raise DatabaseError(f"Could not reach the engine: {self._socket} is not the socket of a Docker Engine")
        self._api_version = version["ApiVersion"]

    def get_ready(self) -> None:
        """Load what changes anything, and try it, so that nothing is begun where it is of no use.

        Raises NoEngine where it is missing or too old, and DatabaseError where it does not reach the engine.
        """
        if not self._ready:
            with _errors("reach the engine"):
                self._api.version(api_version=False)
            self._ready = True

    def _get(self, what: str, path: str, **parameters: Any) -> Any:
        return engine_socket.get(self._socket, what, f"/v{self._api_version}{path}", self._timeout, **parameters)

    @property
    def _api(self) -> Any:
        client = getattr(self._threads, "client", None)
        if client is None:
            client = _sdk().APIClient(base_url=self._url, version=self._api_version, timeout=self._timeout)
            # A socket is reached by no proxy: to look for one in the environment is half the cost of a request.
            client.trust_env = False
            self._threads.client = client
        return client

    def unusable(self) -> str | None:
        """Return what keeps this engine from running databases, with the setting that does; None where nothing does."""
        kinds = [option.split(",")[0] for option in self._get("ask the engine", "/info").get("SecurityOptions") or ()]
        for kind, why in _UNUSABLE.items():
            if kind in kinds:
                return why
        return None

    def root(self) -> str | None:
        """Return the directory of the host that the engine keeps images, volumes and containers in."""
        found: str | None = self._get("ask the engine", "/info").get("DockerRootDir")
        return found

    def containers(self) -> list[dict[str, Any]]:
        """Return the engine's list of all containers, running or not, without those that are being removed."""
        return [entry for entry in self._get("list the containers", "/containers/json", all=1) if entry.get("Names")]

    def inspect(self, container: str) -> dict[str, Any] | None:
        """Return the engine's answer on a container, or None where there is none."""
        answer: dict[str, Any] | None = self._get(
            f"inspect container {container}", f"/containers/{container}/json", may_be_missing=True
        )
        return answer

    def inspect_image(self, reference: str) -> dict[str, Any] | None:
        """Return the engine's answer on an image, or None where it is not on the host."""
        answer: dict[str, Any] | None = self._get(
            f"inspect image {reference}", f"/images/{reference}/json", may_be_missing=True
        )
        return answer

    def pull(self, reference: str) -> None:
        """Pull an image. The error says when no registry answered and an image can be built instead."""
        repository, separator, digest = reference.partition("@")
        tag = digest if separator else None
        if not separator and ":" in reference.rsplit("/", 1)[-1]:
            repository, tag = reference.rsplit(":", 1)
        try:
            with _errors(f"pull image {reference}"):
                for line in self._api.pull(repository, tag=tag or "latest", stream=True, decode=True):
                    if line.get("error"):
                        raise DatabaseError(f"Could not pull image {reference}: {line['error']}")
        except DatabaseError as error:
            raise DatabaseError(
                f"{error.message}. Where no registry can be reached, role vellaric.postgres.image builds an image"
                " from the distribution's packages: give it as `image`"
            ) from None

    def create(self, name: str, arguments: Mapping[str, Any]) -> None:
        with _errors(f"create container {name}"):
            api = self._api
            api._result(api._post_json(api._url("/containers/create"), data=arguments, params={"name": name}), True)

    def start(self, container: str) -> None:
        with _errors(f"start container {container}"):
            self._api.start(container)

    def stop(self, container: str, seconds: int) -> None:
        """Stop a container, leaving it that many seconds for a clean shutdown. One that does not run is left alone."""
        with _errors(f"stop container {container}"):
            self._api.stop(container, timeout=seconds)

    def restart(self, container: str, seconds: int) -> None:
        with _errors(f"restart container {container}"):
            self._api.restart(container, timeout=seconds)

    def unpause(self, container: str) -> None:
        with _errors(f"unpause container {container}"):
            self._api.unpause(container)

    def networks(self) -> dict[str, NetworkFacts]:
        """Return the NetworkFacts of the engine's networks, by name."""
        return networks.from_list(self._get("list the networks", "/networks"), self._knows_gateway_priority)

    def create_network(self, name: str, labels: Mapping[str, str]) -> None:
        """Create a network of this host's that leads nowhere else."""
        with _errors(f"create network {name}"):
            self._api.create_network(name, driver="bridge", internal=True, labels=dict(labels), check_duplicate=True)

    def remove_network(self, name: str) -> None:
        """Remove a network, whoever is still on it; nothing where there is none."""
        with _errors(f"remove network {name}", may_be_missing=True):
            for identity in self._api.inspect_network(name).get("Containers") or {}:
                self._api.disconnect_container_from_network(identity, name, force=True)
            self._api.remove_network(name)

    @property
    def _knows_gateway_priority(self) -> bool:
        version = tuple(int(part) for part in self._api_version.split("."))
        return version >= _GATEWAY_PRIORITY_API

    def join(self, container: str, network: NetworkFacts, aliases: Iterable[str] = ()) -> None:
        """Let a container join a network (NetworkFacts), without taking its published ports there where possible.

        aliases: names that it has there beside its own.
        """
        with _errors(f"let container {container} join network {network.name}"):
            api = self._api
            endpoint: dict[str, Any] = {"GwPriority": network.priority} if network.priority else {}
            if aliases:
                endpoint["Aliases"] = list(aliases)
            body = {"Container": container, "EndpointConfig": endpoint}
            api._raise_for_status(api._post_json(api._url("/networks/{0}/connect", network.id), data=body))

    def leave(self, container: str, network: str) -> None:
        """Let a container leave a network, by its name: the network itself may be gone."""
        with _errors(f"let container {container} leave network {network}"):
            self._api.disconnect_container_from_network(container, network)

    def rename(self, container: str, name: str) -> None:
        with _errors(f"rename container {container}"):
            self._api.rename(container, name)

    def signal(self, container: str, signal: str) -> None:
        with _errors(f"signal container {container}"):
            self._api.kill(container, signal)

    def update(self, container: str, limits: Mapping[str, Any]) -> None:
        with _errors(f"update container {container}"):
            api = self._api
            url = api._url("/containers/{0}/update", container)
            api._result(api._post_json(url, data=limits), True)

    def remove(self, container: str, volumes: bool = True) -> None:
        """Remove a container, with its anonymous volumes if so wished; nothing where there is none."""
        with _errors(f"remove container {container}", may_be_missing=True):
            try:
                self._api.remove_container(container, v=volumes, force=True)
            except _sdk().errors.APIError as error:
                if "already in progress" not in _explanation(error):
                    raise
                # By another run, or by a call of ours whose answer was lost.
                self._await_removal(container)

    def _await_removal(self, container: str) -> None:
        deadline = time.monotonic() + self._timeout
        while time.monotonic() < deadline:
            if self.inspect(container) is None:
                return
            time.sleep(0.1)
        raise DatabaseError(
            f"The removal of container {container} has not finished after {self._timeout} s: see the engine's log"
        )

    def logs(self, container: str, lines: int = 20, since: str = "") -> str:
        """Return the last lines that a container wrote, or nothing where it cannot be asked.

        since: only what it wrote from then on, a time as the engine has it, such as that of its last start.
        """
        try:
            with _errors(f"read the log of container {container}"):
                text = self._api.logs(container, tail=lines, timestamps=True).decode("utf-8", "replace")
        except DatabaseError:
            return ""
        # Of these all nine digits are written, of other times none at the end that is a zero.
        first = f"{since.rstrip('Z').ljust(29, '0')}Z" if "." in since else since
        stamped = (line.partition(" ") for line in text.splitlines())
        return "\n".join(line for stamp, _blank, line in stamped if stamp >= first).rstrip()

    def execute(
        self,
        container: str,
        command: list[str],
        user: str,
        stdin: str,
        seconds: float,
        environment: Mapping[str, str] | None = None,
    ) -> Finished:
        """Run a command in a container, feed it text and return what it came to. Raises DatabaseError after seconds."""
        with self.open(container, command, user, environment) as execution:
            try:
                execution.send(stdin)
                execution.end_input()
                return execution.finish(time.monotonic() + seconds)
            except socket.timeout:
                raise DatabaseError(
                    f"{container} did not answer within {seconds} s: it may be hung or overloaded"
                ) from None

    @contextlib.contextmanager
    def open(
        self, container: str, command: list[str], user: str, environment: Mapping[str, str] | None = None
    ) -> Iterator[Execution]:
        """Run a command in a container, as an Execution that is talked with while it runs. Leaving it does not end the
        command, but its standard input. A socket.timeout passes through."""
        timeout = None
        with _errors(f"run {command[0]} in container {container}"):
            api = self._api
            identity = api.exec_create(container, command, stdin=True, user=user, environment=environment)["Id"]
            stream = api.exec_start(identity, socket=True)
            execution = Execution(container, stream, lambda: self._state(container, identity))
            try:
                yield execution
            except socket.timeout as error:
                timeout = error
            finally:
                execution.close()
        if timeout is not None:
            raise timeout

    def _state(self, container: str, identity: str) -> State:
        with _errors(f"get the result of a command in container {container}"):
            answer = self._api.exec_inspect(identity)
        if answer["ExitCode"] is not None:
            return State(answer["ExitCode"], False)
        return State(None, self._is_alive(answer.get("Pid") or 0, answer.get("ContainerID") or container))

    def _is_alive(self, pid: int, container: str) -> bool:
        """Say whether a process of a container, by its id, is there.

        Where the container's first process is not to be seen either, the engine numbers otherwise, and is believed.
        """
        if _is_of(pid, container):
            return True
        state = (self.inspect(container) or {}).get("State") or {}
        return bool(state.get("Running")) and not _is_of(state.get("Pid") or 0, container)

    def run(
        self,
        image: str,
        command: list[str],
        seconds: int = 60,
        mounts: Iterable[tuple[str, str]] = (),
        user: str = "postgres",
    ) -> Finished:
        """Run a command in a throw-away container, without a network and as a user of the image, and return what it
        came to. mounts: pairs of a directory of the host's and the one that it is in the container."""
        self.remove_throw_aways()
        with _errors(f"run image {image}"):
            api = self._api
            host_config = {
                **confinement(read_only=True, tmpfs=("/tmp",), capabilities=()),
                "NetworkMode": "none",
                "PidsLimit": _FEW_PROCESSES,
                "Mounts": [_sdk().types.Mount(target, source, type="bind") for source, target in mounts],
            }
            container = api.create_container(
                image,
                entrypoint=command[:1],
                command=command[1:],
                user=user,
                host_config=host_config,
                labels=throw_away(2 * seconds),
            )["Id"]
            try:
                api.start(container)
                code = api.wait(container, timeout=seconds)["StatusCode"]
                stdout = api.logs(container, stdout=True, stderr=False).decode("utf-8", "replace")
                stderr = api.logs(container, stdout=False, stderr=True).decode("utf-8", "replace")
            finally:
                self.remove(container)
        return Finished(code, stdout, stderr)

    def remove_throw_aways(self) -> None:
        """Remove the throw-away containers of killed runs."""
        labelled = json.dumps({"label": [THROW_AWAY]})
        for entry in self._get("list the containers", "/containers/json", all=1, filters=labelled):
            end = (entry.get("Labels") or {}).get(THROW_AWAY, "")
            if not end.isdigit() or int(end) < time.time():
                self.remove(entry["Id"])


def _is_of(pid: int, container_id: str) -> bool:
    """Say whether a process of this host is of a container and has not ended. Its number is given again after that."""
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8") as stream:
            if container_id not in stream.read():
                return False
        # One that nobody has fetched is still there.
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stream:
            return stream.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def throw_away(seconds: float) -> dict[str, str]:
    """Return the labels of a container that nobody needs after so many seconds."""
    return {THROW_AWAY: str(int(time.time() + seconds))}


@contextlib.contextmanager
def _errors(what: str, may_be_missing: bool = False) -> Iterator[None]:
    """Turn the SDK's exceptions into ours. may_be_missing: what is not there is no error."""
    errors = _sdk().errors
    try:
        yield
    except errors.NotFound as error:
        if not may_be_missing:
            raise DatabaseError(f"Could not {what}: {_explanation(error)}") from error
    except errors.APIError as error:
        raise DatabaseError(f"Could not {what}: the engine said: {_explanation(error)}") from error
    # Those of requests are OSErrors, too.
    except (errors.DockerException, OSError, json.JSONDecodeError) as error:
        raise DatabaseError(f"Could not {what}: {error}") from error


def _explanation(error: Any) -> str:
    text = error.explanation or str(error)
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text

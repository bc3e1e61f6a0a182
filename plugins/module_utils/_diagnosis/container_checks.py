# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds while a container runs: its memory, what the server is told, its port, that it runs and answers. Pure."""

from __future__ import annotations

from .._domain import show
from .._domain.facts import ContainerFacts
from . import logs
from .judgement import Check, Outcome, fails, holds, unknown, warns
from .nouns import Facts

# What SIGKILL gives, whoever sends it.
_KILLED = 137
_COMMAND_NOT_RUN = (126, 127)
_MUCH = 0.75
_RESTARTS = 3


def _play_start(facts: Facts) -> str:
    return facts.subject.play("start") if facts.ours else f"docker start {facts.subject.container}"


def _play_restart(facts: Facts) -> str:
    return facts.subject.play("restart") if facts.ours else f"docker restart {facts.subject.container}"


def _more_memory(facts: Facts) -> str:
    if not facts.ours:
        return "give the container more memory (docker update --memory), or lower shared_buffers"
    now = facts.memory_limit or 0
    wanted = max(2 * now, 2 * (facts.shared_buffers or 0), 256 << 20)
    return facts.subject.play("resize", database_memory=f"{wanted >> 20}m")


def _hint(facts: Facts) -> tuple[str, str] | None:
    """Return what the log says of why it does not run."""
    container = facts.container
    return None if container is None or container.running else logs.reason(facts.log)


def _memory(facts: Facts) -> Outcome | None:
    container = facts.container
    if container is None:
        return None
    limit = f"limit {show.size(facts.memory_limit)}" if facts.memory_limit else "no limit"
    need = f", shared_buffers {show.size(facts.shared_buffers)}" if facts.shared_buffers else ""
    hint = _hint(facts)
    if not container.running and container.oom_killed:
        return fails(
            f"{limit}{need}; the OOM killer has killed it (exit code {container.exit_code})",
            "It was killed because it needs more memory than its container's limit.",
            _more_memory(facts),
            logs.that_matter(facts.log),
        )
    if hint is not None and hint[0] == "memory":
        cause = "The server cannot allocate its memory when it starts: shared_buffers is too large for the host."
        return fails(f"{limit}{need}", cause, _less_buffers(facts), (hint[1],))
    if facts.memory_limit and facts.shared_buffers and facts.shared_buffers >= facts.memory_limit:
        cause = "shared_buffers alone exceeds the container's memory limit: the OOM killer kills it once that is used."
        return (warns if container.running else fails)(f"{limit}{need}", cause, _more_memory(facts))
    if facts.oom_kills:
        lines = tuple(line for line in facts.log if "terminated by signal 9" in line)[-2:]
        return warns(
            f"{limit}{need}; since it started, {facts.oom_kills} of its processes were killed by the OOM killer",
            "Each process that the OOM killer kills ends all connections, and the server restarts.",
            _more_memory(facts),
            lines,
        )
    if facts.memory_limit and facts.shared_buffers and facts.shared_buffers > _MUCH * facts.memory_limit:
        cause = "shared_buffers leaves too little of the container's memory for sessions."
        return warns(f"{limit}{need}", cause, _more_memory(facts))
    return holds(f"{limit}{need}")


def _less_buffers(facts: Facts) -> str:
    if not facts.ours:
        return "lower shared_buffers in its configuration"
    return facts.create(database_tune="true")


def _settings(facts: Facts) -> Outcome | None:
    container = facts.container
    if container is None:
        return None
    hint = _hint(facts)
    if hint is not None and hint[0] in ("configuration", "certificate", "shared_memory"):
        return _refused(facts, hint)
    answer = facts.server.answer if facts.server is not None else {}
    wrong = [*(answer.get("file_errors") or []), *(f"pg_hba.conf {one}" for one in answer.get("access_errors") or [])]
    if wrong:
        return warns(
            "; ".join(wrong[:3]),
            "Its configuration has errors: the server runs with the previous one, and will not start again.",
            _fix_settings(facts, " ".join(wrong)),
        )
    waiting = answer.get("pending_restart") or []
    if waiting:
        return warns(
            ", ".join(waiting[:5]),
            "Parameters wait for a restart: it still runs with the previous values.",
            _play_restart(facts),
        )
    if not container.running:
        return holds("its log shows no error in them")
    return holds("it has read them without an error") if answer else unknown("the server does not say")


def _refused(facts: Facts, hint: tuple[str, str]) -> Outcome:
    kind, line = hint
    if kind == "certificate":
        cause = "The server cannot load its certificate or its key."
        return fails(line, cause, facts.create() if facts.ours else "fix the files that it names", (line,))
    if kind == "shared_memory":
        cause = "The shared memory of its container (/dev/shm) is too small."
        fix = facts.create(database_shm_size="256m") if facts.ours else "docker run --shm-size=256m"
        return fails(line, cause, fix, (line,))
    cause = "The server does not start because of a parameter in its configuration."
    about = logs.around(facts.log, line)
    return fails(line, cause, _fix_settings(facts, " ".join(about)), about)


def _fix_settings(facts: Facts, said: str) -> str:
    """Return what fixes it by the file that the server names."""
    directory = f"{facts.data_root}/{facts.subject.container}"
    if not facts.ours:
        return f"fix the file that it names, then: {_play_start(facts)}"
    named = "postgresql.auto.conf" in said or any(name in said for name in facts.altered)
    if "/etc/vellaric/postgresql.conf" in said and not named:
        return f"fix {directory}/postgresql.conf, then: {_play_start(facts)}"
    if facts.data is not None and (named or (facts.altered and ".conf" not in said)):
        what = ", ".join(facts.altered) or "the line"
        file = f"{facts.data.path}/postgresql.auto.conf"
        return f"remove {what} from {file} (ALTER SYSTEM), then: {_play_start(facts)}"
    return f"fix what is declared (database_settings), then: {facts.create()}"


def _mounts(facts: Facts) -> Outcome | None:
    container, data = facts.container, facts.data
    if container is None or not container.running:
        return None
    if not facts.replaced:
        return holds("they are the present ones of the host")
    seen = f"the container has another {', '.join(facts.replaced)} than the host"
    path = f"{data.path}/" if data is not None and data.path else ""
    if any(path.startswith(f"{source}/") for source in facts.replaced):
        cause = (
            "Its data directory was removed, replaced or mounted over while it ran: it still writes to the old one,"
            " which would be lost at a restart."
        )
        fix = facts.subject.play("backup") if facts.ours else f"docker exec {container.name} pg_dumpall"
        return warns(seen, cause, f"{fix}, then put the old directory back (umount, mv) before any restart")
    cause = (
        f"{facts.replaced[0]} was removed, replaced or mounted over while it ran: the container still has the old one,"
        " and what it writes there is lost."
    )
    return warns(seen, cause, _play_restart(facts))


def _port(facts: Facts) -> Outcome | None:
    port, container = facts.port, facts.container
    if port is None:
        return None
    if port.port is None:
        return warns(
            "the container publishes no port",
            "Only containers on its networks can reach it.",
            facts.subject.play("adopt") if facts.subject.name else "recreate it with -p 127.0.0.1:5432:5432",
        )
    where = f"{port.address}:{port.port}"
    if port.holder is not None and (container is None or not container.active):
        return fails(
            f"{port.holder} listens on {where}",
            "Another process uses its port, so that it cannot be started.",
            f"end {port.holder}, or declare another database_port; then: {_play_start(facts)}",
        )
    if "address already in use" in facts.says or "port is already allocated" in facts.says:
        if container is not None and not container.running:
            cause = "Its port was in use when it was started; it is free now."
            return fails(f"the engine said: {facts.says}", cause, _play_start(facts))
    if container is not None and container.running and not port.published:
        return fails(
            f"{where} should be published, but is not",
            "The engine does not publish its port: when it started, it was on no network that can publish one.",
            _play_restart(facts),
        )
    return holds(f"{where} is published" if container is not None and container.running else f"{where} is free")


def _container(facts: Facts) -> Outcome | None:
    container = facts.container
    if container is None:
        if not facts.recorded:
            return fails("there is none", "There is no container of that name.", facts.create())
        if facts.initialised:
            cause = "Its container was removed; its data is there, and a new container will use it."
            return fails("there is none", cause, facts.create())
        cause = "Its creation was interrupted, or refused, before there was a container."
        return fails("there is none", cause, facts.create())
    seen = f"{container.status}, exit code {container.exit_code}" + (
        f", restarted {container.restart_count} times" if container.restart_count else ""
    )
    if container.status == "paused":
        fix = f"docker unpause {container.name}"
        return fails("paused", "It is paused (docker pause): it accepts connections, but does not answer.", fix)
    if container.running:
        if facts.initialised is False and facts.server is not None and facts.server.kind == "answers":
            cause = "Its creation was interrupted: the server runs, but its role and its database are missing."
            return fails(
                "it runs; its record says that its first start has not been completed",
                cause,
                facts.create(),
            )
        if container.restart_count >= _RESTARTS:
            cause = "It has exited several times, and the engine has restarted it each time."
            return warns(
                f"running, {seen}", cause, facts.subject.play("logs") if facts.ours else f"docker logs {container.name}"
            )
        return holds(f"running since {container.started_at[:19]}Z")
    return _ended(facts, container, seen)


def _ended(facts: Facts, container: ContainerFacts, seen: str) -> Outcome:
    lines = logs.that_matter(facts.log)
    if facts.initialised is False:
        cause = "Its first start failed or was interrupted; it has no data yet."
        return fails(seen, cause, facts.create(), lines)
    if container.status == "created":
        said = f"; the engine said: {facts.says}" if facts.says else ""
        return fails(
            f"created, never started{said}", "Its container was created, but could not be started.", _play_start(facts)
        )
    if container.status == "restarting":
        cause = "It exits at every start: its log says why."
        return fails(seen, cause, "fix what the log says; the engine keeps restarting it", lines)
    if container.exit_code == 0:
        cause = "It was stopped, by playbook stop or by hand (docker stop)."
        return fails(seen, cause, _play_start(facts))
    if facts.says:
        return fails(
            f"{seen}; the engine said: {facts.says}", "The engine could not start it.", _play_start(facts), lines
        )
    if container.exit_code == _KILLED:
        cause = "It was killed (SIGKILL): by hand, by the timeout of docker stop, or with its engine."
        return fails(seen, cause, _play_start(facts), lines)
    if container.exit_code in _COMMAND_NOT_RUN:
        return fails(seen, "The command of its image cannot be run.", _image_again(facts), lines)
    hint = logs.reason(facts.log)
    if hint is not None and hint[0] == "superuser_password":
        fix = "set POSTGRES_PASSWORD, or create a database with playbook create"
        return fails(
            seen, "It was created without a password for its superuser, which its image requires.", fix, (hint[1],)
        )
    cause = "It has exited with an error: its log says why."
    return fails(seen, cause, f"fix what the log says, then: {_play_start(facts)}", lines)


def _image_again(facts: Facts) -> str:
    return facts.create() if facts.ours else "recreate it from a complete image"


def _answers(facts: Facts) -> Outcome | None:
    server = facts.server
    if facts.container is None:
        return None
    if server is None:
        return unknown("the container does not run")
    if server.kind == "answers":
        standby = " (a standby: read-only)" if server.answer["standby"] else ""
        return holds(f"PostgreSQL {server.answer['version'].split()[0]}{standby}")
    lines = logs.that_matter(facts.log)
    if server.kind == "initialising":
        cause = (
            "Its first start is in progress: the database is being initialised."
            if not facts.initialised
            else "It is being started."
        )
        return fails(server.words, cause, "wait a minute, and run this again", lines)
    if server.kind == "starting":
        cause = "It is starting up: after a crash it replays its WAL first, which can take minutes."
        return fails(server.words, cause, "wait, and run this again; its log says how far it is", lines)
    if server.kind == "none":
        return fails(server.words, "No PostgreSQL runs in that container.", "docker ps: see which container is meant")
    if server.kind == "full":
        return fails(
            server.words,
            "All of its connections are in use, including those reserved for superusers.",
            _play_restart(facts),
        )
    if server.kind == "silent":
        cause = "The server runs, but does not answer: it hangs, or is overloaded."
        return fails(
            server.words, cause, f"docker top {facts.container.name}; where it hangs: {_play_restart(facts)}", lines
        )
    return fails(server.words, "The server refuses its own superuser.", _play_restart(facts), lines)


CHECKS = (
    Check("memory", "It has enough memory", _memory, needs=("engine",), follows=("known",)),
    Check(
        "settings",
        "The server accepts its configuration",
        _settings,
        needs=("engine",),
        follows=("disk", "data", "known"),
    ),
    Check("mounts", "It uses the present directories", _mounts, needs=("engine",), follows=("known",)),
    Check("port", "Its port is free, or published", _port, needs=("engine",), follows=("known", "memory")),
    Check(
        "container",
        "Its container runs",
        _container,
        needs=("engine", "engine_usable"),
        follows=("disk", "known", "data", "image", "memory", "settings", "port"),
    ),
    Check(
        "answers",
        "The server answers",
        _answers,
        needs=("engine", "container"),
        follows=("disk", "known", "data", "memory", "settings"),
    ),
)

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a database that is to be there as declared: made for the first time, or changed at least cost. Pure."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .._domain import configuration, layout, networks, tuning
from .._domain import container as containers
from .._domain.errors import Refused, sure
from .._domain.spec import IMPACTS
from .._domain.units import format_size
from . import certification, server_steps, view
from .new_record import new_record
from .sql_steps import Altered
from .steps import (
    Create,
    Initialise,
    Networks,
    Plan,
    Publish,
    Pull,
    PutBack,
    Reload,
    RemovePrevious,
    Replace,
    Reserve,
    Reset,
    Restart,
    Start,
    Update,
    WriteFiles,
    WriteRecord,
)

if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from .._domain.facts import ContainerConfig, Observed
    from .._domain.record import Record
    from .._domain.spec import DatabaseSpec
    from .certification import Certification
    from .steps import Step


def planned(spec: DatabaseSpec, seen: Observed, new_id: str | None) -> Plan:
    record = new_record(spec, seen, new_id)
    spec = server_steps.with_logins(spec, seen, record)
    steps: list[Step] = []
    if seen.record is None or seen.record.ports != {**seen.record.ports, **record.ports}:
        steps.append(Reserve(record))
    elif _says_otherwise(seen.record, record):
        changed = view.changed_options(seen.record, record)
        steps.append(WriteRecord(record, tuple(changed)))
    certificate = certification.decide(spec, seen)
    pooled = pooling() if spec.pooler is not None or seen.others else None
    steps += pooled.first(spec, seen) if pooled is not None else []
    if seen.image is None:
        return _fetch_image(spec, seen, record, steps, certificate, pooled)
    config, texts = desired(spec, seen, record)
    wanting = _wanting_memory(spec, seen, record)
    change = _initialise if not record.initialised else _change
    more, pending = change(spec, seen, record, config, dict(texts), certificate)
    if pooled is not None:
        later = pooled.last(spec, seen, record, more, certificate)
        more, pending = [*more, *later.steps], (*pending, *later.pending)

    def sides() -> tuple[dict[str, Any], dict[str, Any]]:
        before = view.before(spec, seen)
        after = view.after(spec, seen, record, config, texts, certificate.own)
        return pooled.shown(spec, seen, record, more, (before, after)) if pooled is not None else (before, after)

    return Plan(
        steps=(*steps, *more),
        pending=pending,
        record=record,
        sides=sides,
        warnings=(*certificate.warnings, *wanting, *_few_connections(spec, seen)),
        spec=spec,
        final=_is_final(seen, record, texts, [*steps, *more]),
    )


def pooling() -> ModuleType:
    """Load what plans a pooler only where there is one: each run compiles anew what it loads of Ansible's archive."""
    from . import pooling as planned_pooling

    return planned_pooling


def _says_otherwise(old: Record, new: Record) -> bool:
    """Say whether a record is to be written anew: not for an option that it does not know and nobody gives."""
    same = dataclasses.replace(old, declared=new.declared) == new
    return not same or bool(view.changed_options(old, new))


def desired(spec: DatabaseSpec, seen: Observed, record: Record) -> tuple[ContainerConfig, dict[str, str]]:
    """Return the container and the managed files as they are to be. Raises Refused where they cannot be so."""
    if seen.settings_error:
        raise Refused(f"settings: the server does not accept them: {seen.settings_error}")
    server_steps.refuse(spec, seen, record)
    networks.refuse_missing(spec, seen)
    personal = configuration.personal_parameters(_text(seen, configuration.PERSONAL_CONF))
    config = containers.desired(spec, record, seen.known_image, personal=personal)
    current = seen.container.config if seen.container is not None else None
    if current is not None and spec.read_only is None:
        config = containers.as_confined(current, config)
    texts = configuration.render(spec, record, seen.known_image.major, networks.access(spec, seen.networks))
    return config, configuration.keep_access(texts, {path: _text(seen, path) for path in texts})


def _wanting_memory(spec: DatabaseSpec, seen: Observed, record: Record) -> tuple[str, ...]:
    """Return a warning where the server has less memory than it needs. Raises Refused where this run would do that."""
    personal = configuration.personal_parameters(_text(seen, configuration.PERSONAL_CONF))
    parameters = {**personal, **spec.parameters}
    least = tuning.least_memory(parameters)
    if spec.memory is None or spec.memory >= least:
        return ()
    names = {"shared_buffers": "128MB", "max_connections": "100"}
    needs = ", ".join(f"{name} {parameters.get(name, default)}" for name, default in names.items())
    text = (
        f"memory is {format_size(spec.memory)}, but with {needs} the server needs {math.ceil(least / (1 << 20))}m, or"
        " it is killed over and over when they are used. Give it that much, declare smaller ones in settings, or"
        " tune: true"
    )
    before = {**personal, **configuration.parameters(_text(seen, configuration.POSTGRESQL_CONF))}
    current = seen.container.config if seen.container is not None else None
    limit = current.memory if current is not None else spec.memory
    if record.initialised and limit == spec.memory and tuning.least_memory(before) >= least:
        return (text,)
    raise Refused(f"{text}. Nothing was changed")


def _few_connections(spec: DatabaseSpec, seen: Observed) -> tuple[str, ...]:
    """Return a warning where the limits give fewer connections than a server has by default, when they begin to."""
    derived = spec.derived.get("max_connections")
    before = configuration.parameters(_text(seen, configuration.POSTGRESQL_CONF)).get("max_connections")
    if derived is None or str(derived) == str(before) or int(derived) >= tuning.DEFAULT_CONNECTIONS:
        return ()
    return (
        f"with memory {format_size(spec.memory)}, tune gives max_connections {derived}: 25 for each GiB, 25 at least,"
        f" and {tuning.RESERVED_CONNECTIONS} that are the superuser's, so that each has memory to work with. For more"
        " clients put a pooler (such as PgBouncer) before it, or declare max_connections in settings, which the rest"
        " then follows",
    )


def _is_final(seen: Observed, record: Record, texts: dict[str, str], steps: Sequence[Step]) -> bool:
    """Say whether nothing can come to light that needs more than these steps.

    A server that could not be asked may need more. So may one that reads parameters which the image does not know to
    need a restart: those of extensions, and those of files that an earlier run wrote. Before users are changed, what a
    killed run has left to do there is waited for.
    """
    if any(step.ends_round for step in steps):
        return False
    if not record.initialised or not steps:
        return True
    if seen.server is None or seen.unread or any(step.observed_after for step in steps):
        return False
    before = _text(seen, configuration.POSTGRESQL_CONF)
    changed = configuration.changed_parameters(before, texts[configuration.POSTGRESQL_CONF])
    return all(name in seen.known_image.parameters for name in changed)


def _fetch_image(
    spec: DatabaseSpec,
    seen: Observed,
    record: Record,
    steps: list[Step],
    certificate: Certification,
    pooled: ModuleType | None,
) -> Plan:
    if spec.pull == "never":
        raise Refused(
            f"Image {spec.image} is not on the host and pull is never. Nothing was changed: load or build the image"
            " (role vellaric.postgres.image), or set pull: missing"
        )
    steps.append(Pull(spec.image))
    if not record.initialised:
        steps += _creation(spec, seen, record, None, {}, certificate)
        steps += pooled.last(spec, seen, record, steps, certificate).steps if pooled is not None else ()
    return Plan(
        steps=tuple(steps),
        record=record,
        sides=lambda: (view.before(spec, seen), view.after(spec, seen, record, None, {}, certificate.own)),
        final=False,
    )


def _creation(
    spec: DatabaseSpec,
    seen: Observed,
    record: Record,
    config: ContainerConfig | None,
    texts: dict[str, str],
    certificate: Certification,
) -> list[Step]:
    """config, texts: nothing as long as the image is not known, upon which they depend."""
    return [
        certificate.first,
        WriteFiles(texts or dict.fromkeys(configuration.MANAGED, "")),
        Create(spec.container, config, first=True),
        *server_steps.creation(spec, seen, record, certificate.verifiable),
    ]


def _initialise(
    spec: DatabaseSpec,
    seen: Observed,
    record: Record,
    config: ContainerConfig,
    texts: dict[str, str],
    certificate: Certification,
) -> tuple[list[Step], tuple[Step, ...]]:
    """A first start, or one that was interrupted: nothing of value is in the data directory yet."""
    steps = _creation(spec, seen, record, config, texts, certificate)
    if seen.container is None and not seen.half_made:
        return steps, ()
    running = seen.container is not None and seen.container.running
    first_config = dataclasses.replace(config, restart_policy=containers.INITIAL_RESTART_POLICY)
    if running and not containers.changed_by_replacement(sure(sure(seen.container).config), first_config):
        # It may have read its files already: they have to be the right ones.
        if certificate.step is None and not _differing_files(seen, texts):
            created = [type(step) for step in steps].index(Create)
            joins = _networks(spec, seen)
            return [Initialise(spec.container, config), *([joins] if joins else []), *steps[created + 1 :]], ()
    return [Reset(spec.container), *steps], ()


def _change(
    spec: DatabaseSpec,
    seen: Observed,
    record: Record,
    config: ContainerConfig,
    texts: dict[str, str],
    certificate: Certification,
) -> tuple[list[Step], tuple[Step, ...]]:
    """A database that has served: bring it to its declaration at the least cost.

    texts: the managed files; one that is not to be written yet is taken out.
    """
    _refuse_other_data(spec, seen)
    steps: list[Step] = []
    pending: list[Step] = []

    def allowed(step: Step) -> bool:
        if IMPACTS.index(step.impact) <= IMPACTS.index(spec.max_impact):
            return True
        pending.append(step)
        return False

    original = seen.previous is not None and seen.previous.config is None
    if seen.previous is not None and not original:
        if seen.server is None:
            # A replacement was interrupted, and nothing says that the new container ever served.
            return [PutBack(spec.container)], ()
        steps.append(RemovePrevious(seen.previous.name, ours=True))
    running = seen.container is not None and seen.container.running
    if certificate.step is not None:
        steps.append(certificate.step)
    differing = _differing_files(seen, texts)
    altered = server_steps.altered(spec, seen)
    replace = _replacement(spec, seen, config)
    if replace is not None and not allowed(replace):
        replace = None
    replaces = replace is not None
    if replaces:
        refuse_loss(spec, seen)
    restart = _restart(spec, seen, texts, altered) if running and not replaces else None
    if restart is not None and not allowed(restart):
        # Written now, it would take effect at the next restart, whatever that is for.
        del texts[configuration.POSTGRESQL_CONF]
        differing = [path for path in differing if path in texts]
        altered = server_steps.altered(spec, seen, restarts=False)
        restart = None
    if replaces or restart is not None:
        refuse_broken_files(spec, seen, rewritten=differing)
    if altered:
        steps.append(Altered(tuple(altered), seen.data_majors[-1] if seen.server is None else None))
    if differing:
        steps.append(WriteFiles({path: texts[path] for path in differing}))
    if seen.unpublished and certificate.step is None:
        steps.append(Publish(layout.public_authority(spec.container)))
    joins = None if replaces else _networks(spec, seen)
    if joins is not None and allowed(joins):
        steps.append(joins)
    if replace is not None:
        steps.append(replace)
    update = None if replaces else _update(spec, seen, config)
    if update is None:
        steps += [restart] if restart is not None else []
    elif not _shrinks(seen, config):
        steps += [update, *([restart] if restart is not None else [])]
    elif any(isinstance(step, Restart) for step in pending):
        # With the parameters that it runs with, the server may need more than what it would be left with.
        reason = "with the parameters that it runs with the server may need more memory: first it is to be restarted"
        pending.append(dataclasses.replace(update, impact="restart", reason=reason))
    else:
        steps += [*([restart] if restart is not None else []), update]
    if restart is None and running and not replaces and (differing or certificate.step or seen.unread or altered):
        steps.append(Reload())
    if not running and not replaces and (spec.serves or seen.container is None):
        steps.append(
            Start(spec.container, seen.container.status)
            if seen.container is not None
            else Create(spec.container, config, first=False)
        )
    steps += server_steps.change(spec, seen, record, certificate.verifiable)
    if original:
        # It was taken over: its data has been read by another server since, so that it never comes back.
        steps.append(removal_of_original(spec))
    return steps, tuple(pending)


def removal_of_original(spec: DatabaseSpec) -> RemovePrevious:
    return RemovePrevious(layout.previous_container(spec.container), ours=False)


def _refuse_other_data(spec: DatabaseSpec, seen: Observed) -> None:
    if not seen.data_majors:
        raise Refused(
            f"{spec.container} has been in use, but {spec.directory}/pgdata holds no data. Nothing was changed: put the"
            " data back, or delete the database and create it anew"
        )
    major, image = seen.data_majors[-1], seen.known_image
    if major != image.major:
        raise Refused(
            f"Image {spec.image} is PostgreSQL {image.major}, the data of {spec.container} is PostgreSQL {major}."
            f" Nothing was changed: declare an image of version {major}; to move to another major version, dump the"
            " database and restore it into a new one"
        )
    known = seen.record.libc if seen.record else None
    if known is not None and known != image.libc:
        raise Refused(
            f"Image {spec.image} has {image.libc}, the data of {spec.container} was made under {known}, which"
            " sorts text otherwise: indexes would miss rows. Nothing was changed: declare an image with the same C"
            " library; to move to another one, dump the database and restore it into a new one"
        )


def refuse_loss(spec: DatabaseSpec, seen: Observed) -> None:
    """Raise Refused where data would go with the container."""
    if seen.strays and seen.container is not None:
        raise Refused(
            f"Part of the data of {spec.container} is inside the container ({', '.join(seen.strays)}), and would"
            " be lost with it. Nothing was changed: stop the database (state: stopped), copy that with docker cp to"
            f" the place of the link in {spec.directory}/pgdata/{seen.data_majors[-1]}/docker, with the owner of the"
            " files beside it, and start it again"
        )


def _differing_files(seen: Observed, texts: dict[str, str]) -> list[str]:
    return [
        path
        for path, text in sorted(texts.items())
        if path not in seen.files or seen.files[path].content != text.encode("utf-8") or seen.files[path].mode != 0o644
    ]


def _replacement(spec: DatabaseSpec, seen: Observed, config: ContainerConfig) -> Replace | None:
    if seen.container is None:
        return None
    current = sure(seen.container.config)
    fields = containers.changed_by_replacement(current, config)
    if not fields:
        return None
    changes = view.field_changes(fields, current, config)
    return Replace(spec.container, config, changes, containers.grace(seen.container))


def _networks(spec: DatabaseSpec, seen: Observed) -> Networks | None:
    """Return the change of the networks of a container that is there, or None."""
    if seen.container is None or seen.networks is None:
        return None
    joined = seen.container.networks
    leave, join = networks.changes(spec, joined, seen.networks)
    if not leave and not join:
        return None
    moves = seen.container.running and networks.moves_ports(joined, leave, join, seen.networks)
    return Networks(spec.container, tuple(leave), tuple(join), moves)


def _update(spec: DatabaseSpec, seen: Observed, config: ContainerConfig) -> Update | None:
    if seen.container is None:
        return None
    current = sure(seen.container.config)
    fields = containers.changed_in_place(current, config)
    return Update(spec.container, config, view.field_changes(fields, current, config)) if fields else None


def _shrinks(seen: Observed, config: ContainerConfig) -> bool:
    return containers.less_memory(sure(sure(seen.container).config), config)


def _text(seen: Observed, path: str) -> str:
    return seen.files[path].content.decode("utf-8", "replace") if path in seen.files else ""


def refuse_broken_files(spec: DatabaseSpec, seen: Observed, rewritten: Sequence[str] = ()) -> None:
    """A server that serves is not taken down while a file of a person's would keep it from coming back.

    rewritten: the files of ours that are written first, so that what is wrong with them counts no more.
    """
    found = seen.server.file_errors if seen.server is not None else ()
    ours = [f"{containers.HOME_MOUNT}/{path}" for path in rewritten]
    errors = [error for error in found if not any(path in error for path in ours)]
    if errors:
        raise Refused(
            f"The configuration of {spec.container} has errors with which the server would not start again:"
            f" {'; '.join(errors)}. Nothing was changed: fix {spec.directory}/postgresql.conf first"
        )


def _restart(spec: DatabaseSpec, seen: Observed, texts: dict[str, str], altered: Sequence[str]) -> Restart | None:
    """Return the restart that changed parameters need, or that earlier ones still wait for.

    altered: the names of those that are to be as declared again, of which the server may run with the other value.
    """
    before = _text(seen, configuration.POSTGRESQL_CONF)
    text = texts[configuration.POSTGRESQL_CONF]
    changed = configuration.changed_parameters(before, text)
    waiting, withdrawn = (seen.server.pending_restart, seen.server.withdrawn) if seen.server else ((), ())
    names = configuration.needs_restart(changed, seen.known_image.parameters)
    ours = {
        *configuration.parameters(text),
        *configuration.personal_parameters(_text(seen, configuration.PERSONAL_CONF)),
        # Set when the server started, and no longer: an earlier run took them out, and came no further.
        *withdrawn,
    }
    applied = seen.server.applied if seen.server else ()
    names += configuration.needs_restart([name for name in altered if name in applied], seen.known_image.parameters)
    names += [name for name in waiting if name in ours and name not in altered]
    names = list(dict.fromkeys(names))
    if not names:
        return None
    return Restart(spec.container, containers.grace(seen.container), tuple(names))

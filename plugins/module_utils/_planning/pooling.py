# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of a plan that is a pooler's: what comes before the server is touched, and what comes after. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .._domain import configuration, labels, networks, pgbouncer, pooler, pooler_container, pooler_facts, stand_ins
from .._domain import container as containers
from .._domain.errors import InvalidOption, Refused, sure
from .._domain.spec import IMPACTS
from . import certification, view
from .pooler_steps import (
    PoolerCreate,
    PoolerFiles,
    PoolerNetwork,
    PoolerNetworks,
    PoolerRemove,
    PoolerReplace,
    PoolerRestart,
    PoolerResume,
    PoolerStart,
    PoolerStop,
    PoolerTidy,
    PoolerUpdate,
)
from .steps import Pull

if TYPE_CHECKING:
    from .._domain.facts import ContainerConfig, Observed
    from .._domain.pooler_facts import PoolerFacts, PoolerImage
    from .._domain.record import Instance, Record
    from .._domain.spec import DatabaseSpec
    from .steps import Step

# What the server has where nobody declares it.
_CONNECTIONS = {"max_connections": 100, "superuser_reserved_connections": 3, "reserved_connections": 0}


def first(spec: DatabaseSpec, seen: Observed) -> list[Step]:
    """Return the steps that come before all others: what comes after them can only be known then."""
    if spec.pooler is None:
        return []
    steps: list[Step] = []
    found = pooler_facts.of(seen)
    if found is None or found.runs is None:
        steps.append(_fetch(spec))
    network = (seen.networks or {}).get(spec.pooler_container)
    if network is not None and not network.ours:
        raise Refused(
            f"There is a network {network.name} that this collection did not create, where that of the pooler belongs."
            " Nothing was changed: remove that network"
        )
    if seen.networks is not None and network is None:
        steps.append(PoolerNetwork(spec.pooler_container))
    return steps


def _fetch(spec: DatabaseSpec) -> Pull:
    image = spec.declared_pooler.image
    ours = image.partition(":")[0] == stand_ins.POOLER_REPOSITORY
    if spec.pull == "never" or ours:
        how = (
            f"role vellaric.postgres.image builds it (image_reference: {image})"
            if ours
            else "load it, or pull: missing"
        )
        raise Refused(f"Image {image} of the pooler is not on the host. Nothing was changed: {how}")
    return Pull(image)


def sizes(spec: DatabaseSpec, seen: Observed) -> pooler.Sizes:
    """Return how many connections the pooler gets. Raises Refused with the sum where the server has not so many."""
    personal = seen.files.get(configuration.PERSONAL_CONF)
    text = personal.content.decode("utf-8", "replace") if personal else ""
    known = {**configuration.personal_parameters(text), **spec.parameters}
    numbers = {name: _whole(known.get(name), default) for name, default in _CONNECTIONS.items()}
    most, *reserved = numbers.values()
    try:
        return pooler.sizes(spec.declared_pooler, spec.nano_cpus, most, sum(reserved))
    except InvalidOption as error:
        raise Refused(f"{error.message}. Nothing was changed") from error


def _whole(text: str | None, default: int) -> int:
    return int(text) if text is not None and text.isdigit() else default


@dataclasses.dataclass(frozen=True)
class Later:
    """What comes after the server's own steps, and what max_impact holds back."""

    steps: tuple[Step, ...] = ()
    pending: tuple[Step, ...] = ()


def last(
    spec: DatabaseSpec, seen: Observed, record: Record, before: Sequence[Step], certificate: certification.Certification
) -> Later:
    """before: the server's own steps; certificate: what becomes of its certificate."""
    found = pooler_facts.of(seen)
    if spec.pooler is None:
        return Later((_removal(spec, seen, found, files=True),)) if found is not None and found.there else Later()
    runs = spec.serves or seen.container is None or seen.container.running
    if not runs:
        # With the server it comes back.
        return Later()
    own = instance(record)
    if found is None or found.runs is None:
        unknown = PoolerFiles({}, True, ("pgbouncer.ini", "who may log in", "certificate"), False)
        return Later((unknown, PoolerCreate(own.container, None)))
    if found.settings_error:
        raise Refused(f"pooler.settings: PgBouncer does not accept them: {found.settings_error}. Nothing was changed")
    config = pooler_container.wanted(spec, record, own, found.runs)
    texts = _texts(spec, seen, found.runs)
    return _later(spec, seen, found, config, texts, before, certificate)


def _later(
    spec: DatabaseSpec,
    seen: Observed,
    found: PoolerFacts,
    config: ContainerConfig,
    texts: dict[str, str],
    before: Sequence[Step],
    certificate: certification.Certification,
) -> Later:
    container = found.container
    running = container is not None and container.running
    replace = _replacement(spec, found, config)
    changed = pgbouncer.changed_parameters(_text(found, pooler_facts.INI), texts[pooler_facts.INI])
    fixed = [name for name in changed if name in pgbouncer.READ_AT_START] if running and replace is None else []
    restart = PoolerRestart(spec.pooler_container, tuple(fixed)) if fixed else None
    pending = [
        step
        for step in (replace, restart)
        if step is not None and IMPACTS.index(step.impact) > IMPACTS.index(spec.max_impact)
    ]
    if pending:
        # Written now, it would be for another version, or take effect at the next restart, whatever that is for.
        replace = restart = None
        texts = {path: text for path, text in texts.items() if path != pooler_facts.INI}
    steps: list[Step] = [PoolerTidy(found.previous.name)] if found.previous is not None else []
    files = _files(spec, seen, found, texts, before, certificate)
    reloads = running and replace is None and restart is None
    if files is None and reloads and pooler_facts.UNREAD in found.files:
        files = PoolerFiles({}, False, ("it has not read what an interrupted run has written",), True)
    if files is not None:
        steps.append(dataclasses.replace(files, reloads=reloads))
    if container is None:
        steps.append(PoolerCreate(spec.pooler_container, config))
    elif replace is not None:
        steps.append(replace)
    else:
        steps += _in_place(spec, seen, found, config)
        steps += [restart] if restart is not None else []
        if not running:
            steps.append(PoolerStart(spec.pooler_container, container.status))
    if found.paused and running:
        steps.append(PoolerResume(spec.pooler_container, found.paused))
    return Later(tuple(steps), tuple(pending))


def _replacement(spec: DatabaseSpec, found: PoolerFacts, config: ContainerConfig) -> PoolerReplace | None:
    if found.container is None:
        return None
    current = sure(found.container.config)
    fields = containers.changed_by_replacement(current, config)
    changes = view.field_changes(fields, current, config)
    return PoolerReplace(spec.pooler_container, config, changes) if fields else None


def _in_place(spec: DatabaseSpec, seen: Observed, found: PoolerFacts, config: ContainerConfig) -> list[Step]:
    container = sure(found.container)
    current = sure(container.config)
    steps: list[Step] = []
    leave, join = networks.changes(spec, container.networks, seen.networks or {}, aliases=())
    if leave or join:
        steps.append(PoolerNetworks(spec.pooler_container, tuple(leave), tuple(join)))
    fields = containers.changed_in_place(current, config)
    if fields:
        steps.append(PoolerUpdate(spec.pooler_container, config, view.field_changes(fields, current, config)))
    return steps


def _texts(spec: DatabaseSpec, seen: Observed, image: PoolerImage) -> dict[str, str]:
    """Return the files that tell nothing secret."""
    server = pgbouncer.Server(spec.container, containers.SERVER_PORT, _verification(spec, seen))
    arguments = (spec.name, spec.declared_pooler, sizes(spec, seen), server, spec.sslmode, image.version)
    # Nobody comes by the network that it shares with the server.
    access = networks.access(dataclasses.replace(spec, pooler=None), seen.networks)
    sources = configuration.EVERYWHERE if spec.trusted_sources is None else spec.trusted_sources
    return {
        pooler_facts.INI: pgbouncer.ini(spec.pooler_container, *arguments),
        pooler_facts.HBA: pgbouncer.hba_conf(spec.pooler_container, spec.sslmode, sources, access),
    }


def _verification(spec: DatabaseSpec, seen: Observed) -> str:
    """Return how far the server's certificate can be verified: one of a person's own may have other names, or be of an
    authority that is known elsewhere."""
    if spec.tls_fingerprint is None:
        return "verify-full"
    known = seen.own_tls.authority if seen.own_tls is not None else seen.files.get(certification.AUTHORITY)
    if known is None:
        return "require"
    names = seen.own_tls.facts.get("names") if seen.own_tls is not None else sure(seen.certificate)["names"]
    return "verify-full" if certification.covers(names or (), spec.container) else "verify-ca"


def _text(found: PoolerFacts, path: str) -> str:
    return found.files[path].content.decode("utf-8", "replace") if path in found.files else ""


def _files(
    spec: DatabaseSpec,
    seen: Observed,
    found: PoolerFacts,
    texts: dict[str, str],
    before: Sequence[Step],
    certificate: certification.Certification,
) -> PoolerFiles | None:
    """Return the step that writes what differs, or None."""
    there = found.files
    differing = {
        path: text
        for path, text in texts.items()
        if path not in there or there[path].content != text.encode("utf-8") or there[path].mode != 0o644
    }
    changes = []
    if pooler_facts.INI in differing:
        names = pgbouncer.changed_parameters(_text(found, pooler_facts.INI), differing[pooler_facts.INI])
        new = pooler_facts.INI not in there
        changes.append("pgbouncer.ini" if new or not names else f"pgbouncer.ini: {', '.join(names)}")
    if pooler_facts.HBA in differing:
        changes.append("trusted sources")
    who = _who(found, before)
    if who:
        changes.append(who)
    reason = _certificate_reason(spec, seen, found, certificate)
    if reason:
        changes.append(f"certificate: {reason}")
    if not reason and _another_authority(seen, found, certificate):
        changes.append("what verifies the server")
    return PoolerFiles(differing, bool(reason), tuple(changes), False) if changes else None


def _who(found: PoolerFacts, before: Iterable[Step]) -> str | None:
    """Say what is to be done to the file of who may log in, or return None."""
    known = found.files.get(pooler_facts.USERS)
    if known is None:
        return "who may log in"
    if known.mode != 0o600 or known.uid != pooler_container.UID:
        return "who may log in: the file has another owner or mode"
    if any(step.changes_logins for step in before):
        return "who may log in"
    text = known.content.decode("utf-8", "replace")
    if found.logins is not None and pgbouncer.auth_file(found.logins, text) != text:
        return "who may log in"
    return None


def _certificate_reason(
    spec: DatabaseSpec, seen: Observed, found: PoolerFacts, certificate: certification.Certification
) -> str | None:
    """Say why it is to have another certificate, or return None."""
    key = found.files.get(pooler_facts.KEY)
    safe = key is not None and key.mode == 0o600 and key.uid == pooler_container.UID
    if spec.tls_fingerprint is None:
        names = certificate_names(spec)
        return certification.reason(found.certificate, names, seen.now, safe)
    if certificate.step is not None:
        return "that of the server, which is declared"
    same = all(
        _content(found.files, ours) == _content(seen.files, servers)
        for ours, servers in (
            (pooler_facts.CERTIFICATE, certification.CERTIFICATE),
            (pooler_facts.KEY, certification.KEY),
        )
    )
    return None if same and safe else "that of the server, which is declared"


def _another_authority(seen: Observed, found: PoolerFacts, certificate: certification.Certification) -> bool:
    if certificate.step is not None:
        # What is issued anew is mostly of the same authority; whether it is shows when it is there.
        return bool(certificate.step.contents) or certification.renews_authority(seen)
    path = certification.AUTHORITY if certification.AUTHORITY in seen.files else certification.CERTIFICATE
    return _content(found.files, pooler_facts.SERVER_AUTHORITY) != _content(seen.files, path)


def _content(files: Any, path: str) -> bytes | None:
    return files[path].content if path in files else None


def certificate_names(spec: DatabaseSpec) -> tuple[str, ...]:
    """Return the names and addresses under which clients may verify it, sorted."""
    bound = spec.declared_pooler.bind_address or spec.bind_address
    names = {view.pooler_host(spec), spec.host, spec.pooler_container, "localhost", "127.0.0.1", bound}
    return tuple(sorted(names - {"0.0.0.0", "::"}))


def instance(record: Record) -> Instance:
    return next(one for one in record.instances if one.role == pooler.POOLER)


def _removal(spec: DatabaseSpec, seen: Observed, found: PoolerFacts, files: bool) -> PoolerRemove:
    if files and IMPACTS.index(PoolerRemove.impact) > IMPACTS.index(spec.max_impact):
        raise Refused(
            f"pooler is not declared any more, and to remove {spec.pooler_container} interrupts its clients, which"
            f" max_impact: {spec.max_impact} does not allow. Nothing was changed: declare pooler, or allow recreate"
        )
    return PoolerRemove(*_remains(spec, seen, found), files)


def _remains(spec: DatabaseSpec, seen: Observed, found: PoolerFacts | None) -> tuple[tuple[str, ...], str | None]:
    there = (found.container, found.previous) if found is not None else ()
    known = (seen.networks or {}).get(spec.pooler_container)
    network = known.name if known is not None and known.ours else None
    return tuple(one.name for one in there if one is not None), network


def deletion(spec: DatabaseSpec, seen: Observed) -> list[Step]:
    """Return what takes it away with its database. Its files go where those of the database go."""
    named, network = _remains(spec, seen, pooler_facts.of(seen))
    return [PoolerRemove(named, network, files=False)] if named or network else []


def return_of(spec: DatabaseSpec, seen: Observed, trashed: Record) -> tuple[list[Step], list[Step]]:
    """Return what brings it back with a database from the trash: before the server and after. Raises Refused."""
    found = [one for one in trashed.others if one.role == pooler.POOLER]
    for one in found:
        if one.port in seen.ports_taken:
            raise Refused(
                f"Port {one.port} of {one.container} is taken by {seen.ports_taken[one.port].words}. Nothing was"
                " changed: free it, or declare another pooler.port"
            )
    network: list[Step] = [PoolerNetwork(one.container) for one in found if one.container not in (seen.networks or {})]
    return network, [PoolerCreate(one.container, None) for one in found]


def lifecycle(spec: DatabaseSpec, seen: Observed) -> tuple[list[Step], list[Step]]:
    """Return what is done to it before the server is stopped or restarted, and what after."""
    found = pooler_facts.of(seen)
    container = found.container if found is not None else None
    if found is None or container is None:
        return [], []
    if spec.state == "stopped":
        return ([PoolerStop(container.name)] if container.active else []), []
    if not container.running:
        return [], [PoolerStart(container.name, container.status)]
    return [], [PoolerResume(container.name, found.paused)] if found.paused else []


def shown(
    spec: DatabaseSpec,
    seen: Observed,
    record: Record,
    steps: Iterable[Step],
    sides: tuple[dict[str, Any], dict[str, Any]],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the two sides of the diff with the pooler's part."""
    ours = _before(seen), _after(spec, seen, record, any(step.changes_logins for step in steps))
    before, after = ({**side, **({"pooler": own} if own else {})} for side, own in zip(sides, ours))
    return before, after


def _before(seen: Observed) -> dict[str, Any] | None:
    """Return what is there now, for the diff; None where there is none."""
    found = pooler_facts.of(seen)
    if found is None or not found.there:
        return None
    config = found.container.config if found.container is not None else None
    names = found.certificate["names"] if found.certificate is not None else None
    return _shown(
        config, _text(found, pooler_facts.INI), _text(found, pooler_facts.HBA), names, view.status_word(found.container)
    ) | {
        "users": pgbouncer.who(_text(found, pooler_facts.USERS)),
        "networks": sorted(found.container.networks) if found.container is not None else [],
    }


def _after(spec: DatabaseSpec, seen: Observed, record: Record, changes_logins: bool) -> dict[str, Any] | None:
    """Return what will be there, for the diff; None where none is declared."""
    found = pooler_facts.of(seen)
    if spec.pooler is None:
        return None
    if found is None or found.runs is None:
        return {"status": "running", "port": instance(record).port, "image": spec.declared_pooler.image}
    config = pooler_container.wanted(spec, record, instance(record), found.runs)
    texts = _texts(spec, seen, found.runs)
    names = certificate_names(spec) if spec.tls_fingerprint is None else None
    shown = _shown(config, texts[pooler_facts.INI], texts[pooler_facts.HBA], names, "running")
    if found.logins is None or changes_logins:
        users = [record.username] if record.login is None else []
        users += [user.name for user in spec.users]
    else:
        users = [login.name for login in found.logins if login.verifier and not login.expired]
    return {**shown, "users": sorted(users), "networks": sorted(networks.wanted(spec, seen.networks))}


def _shown(
    config: ContainerConfig | None, ini: str, hba: str, names: Sequence[str] | None, status: str
) -> dict[str, Any]:
    shown: dict[str, Any] = {"status": status}
    if config is not None:
        shown.update(view.fields(config, ("port", "bind_address", "memory")))
        shown["image"] = config.labels.get(labels.IMAGE)
    if ini:
        shown["parameters"] = pgbouncer.parameters(ini)
        shown["databases"] = pgbouncer.databases(ini)
    if hba:
        shown["access"] = [line for line in hba.splitlines() if line[:1] not in ("", "#")]
    if names is not None:
        shown["certificate_names"] = list(names)
    return shown

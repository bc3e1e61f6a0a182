# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a host with one database, step by step, without a host."""

from __future__ import annotations

import dataclasses

from ansible_collections.vellaric.postgres.plugins.module_utils._domain import (
    configuration,
    facts,
    layout,
    pooler_facts,
    users,
)
from ansible_collections.vellaric.postgres.tests.unit.builders import (
    CONF,
    HBA,
    NAME,
    POOL,
    certificate_of,
    empty,
    endpoints,
    image,
    network,
    no_pooler,
    other,
    pooler_files,
    running,
    server,
    tls_files,
    users_of,
    verifier,
    with_instance,
)


@dataclasses.dataclass(frozen=True)
class Host:
    """A host with one database, as far as a plan can change it.

    seen: what is observed of it; server: what is in its data, which is observed where it runs; loaded: what its server
    has read. The steps change it as module `apply` changes a real one (the integration tests show that they do, on a
    real engine); a test breaks off between any two.
    """

    seen: object
    server: object
    loaded: dict

    @classmethod
    def of(cls, seen):
        blank = server(role=None, database=None, superuser_has_password=True)
        runs = seen.container is not None and seen.container.running
        return cls(seen, seen.server or (server() if seen.data_majors else blank), _parameters(seen) if runs else {})

    @property
    def consistent(self):
        """Whether the server that runs has read the files that are there."""
        return self.loaded == _parameters(self.seen)

    def perform(self, step, wanted, plan):
        return getattr(self, "_" + step.verb)(wanted, plan, step)

    def _with(self, **fields):
        truth = dataclasses.replace(self.server, **fields.pop("server", {}))
        seen = other(self.seen, **fields)
        return Host(seen, truth, self.loaded)._asked()

    def _asked(self):
        """Let the server that runs be asked, also for whether it has read the files that are there."""
        seen = self.seen
        asks = seen.container is not None and seen.container.running and seen.record and seen.record.initialised
        unread = bool(asks and not self.consistent)
        return dataclasses.replace(
            self, seen=dataclasses.replace(seen, server=self.server if asks else None, unread=unread)
        )

    def _started(self, container, **fields):
        host = self._with(
            container=container, data_majors=(15,), half_made=True, server={"pending_restart": ()}, **fields
        )
        return dataclasses.replace(host, loaded=_parameters(host.seen))._asked()

    def _reserve(self, wanted, plan, step):
        return self._with(directory_exists=True, record=plan.record, journal=plan.journal)

    def _write_record(self, wanted, plan, step):
        return self._with(record=plan.record)

    def _pull(self, wanted, plan, step):
        return self._with(image=image())

    def _pooler(self, **fields):
        found = pooler_facts.of(self.seen) or no_pooler()
        return dataclasses.replace(self, seen=with_instance(self.seen, dataclasses.replace(found, **fields)))

    def _pooler_network(self, wanted, plan, step):
        host = self._pooler(directory=True)
        return host._with(
            networks={**self.seen.networks, step.network: network(step.network, 30, carries=False, ours=True)}
        )

    def _pooler_files(self, wanted, plan, step):
        return self._pooler(**pooler_files(wanted, self.seen))

    def _pooler_create(self, wanted, plan, step):
        return self._pooler(container=running(step.config, name=POOL, networks=endpoints(wanted)))

    _pooler_replace = _pooler_update = _pooler_create

    def _pooler_start(self, wanted, plan, step):
        container = pooler_facts.of(self.seen).container
        return self._pooler(container=dataclasses.replace(container, status="running"))

    def _pooler_restart(self, wanted, plan, step):
        return self

    def _pooler_networks(self, wanted, plan, step):
        container = pooler_facts.of(self.seen).container
        return self._pooler(container=dataclasses.replace(container, networks=endpoints(wanted)))

    def _pooler_pause(self, wanted, plan, step):
        return self._pooler(paused=(step.database,))

    def _pooler_resume(self, wanted, plan, step):
        return self._pooler(paused=())

    def _pooler_stop(self, wanted, plan, step):
        container = pooler_facts.of(self.seen).container
        return self._pooler(container=dataclasses.replace(container, status="exited"))

    def _pooler_remove(self, wanted, plan, step):
        left = {name: known for name, known in self.seen.networks.items() if name != step.network}
        return self._with(networks=left)._pooler(
            container=None, previous=None, files={}, certificate=None, directory=not step.files
        )

    def _pooler_tidy(self, wanted, plan, step):
        return self._pooler(previous=None)

    def _publish(self, wanted, plan, step):
        return self._with(unpublished=False)

    def _reset(self, wanted, plan, step):
        blank = {"role": None, "database": None, "superuser_has_password": True}
        return self._with(container=None, half_made=False, data_majors=(), server=blank)

    def _certificate(self, wanted, plan, step):
        others = {path: known for path, known in self.seen.files.items() if not path.startswith("tls/")}
        return self._with(certificate=certificate_of(wanted), files={**others, **tls_files(wanted)}, unpublished=False)

    def _write_files(self, wanted, plan, step):
        written = {path: facts.FileFacts(text.encode("utf-8"), 0o644, 0) for path, text in step.texts.items()}
        return self._with(files={**self.seen.files, **written})

    def _create(self, wanted, plan, step):
        container = running(step.config, networks=endpoints(wanted))
        return self._started(container, record=plan.record.with_primary(initialised=True))

    _initialise = _create

    def _start(self, wanted, plan, step):
        return self._started(dataclasses.replace(self.seen.container, status="running"))

    _restart = _start

    def _reload(self, wanted, plan, step):
        return dataclasses.replace(self, loaded=_parameters(self.seen))._asked()

    def _update(self, wanted, plan, step):
        config = self.seen.container.config
        for field in ("memory", "nano_cpus"):
            # To the engine's update, nothing is "leave as it is".
            config = dataclasses.replace(config, **{field: getattr(step.config, field) or getattr(config, field)})
        config = dataclasses.replace(config, restart_policy=step.config.restart_policy)
        return self._with(container=dataclasses.replace(self.seen.container, config=config))

    def _replace(self, wanted, plan, step):
        if self.seen.container.active or wanted.state == "started":
            return self._started(running(step.config, networks=endpoints(wanted)), previous=None)
        made = running(step.config, status="created", networks=endpoints(wanted))
        return self._with(container=made, previous=None)

    def _networks(self, wanted, plan, step):
        container = dataclasses.replace(self.seen.container, networks=endpoints(wanted))
        return self._with(container=container)

    def _put_back(self, wanted, plan, step):
        return self._started(dataclasses.replace(self.seen.previous, name=NAME, status="running"), previous=None)

    def _adopt(self, wanted, plan, step):
        """The old container stands aside, the data is in its place, and a new one lets nobody in."""
        original = self.seen.previous or self.seen.container
        aside = dataclasses.replace(original, name=layout.previous_container(NAME), status="exited")
        started = running(step.config, networks=endpoints(wanted))
        return self._with(previous=aside, container=started, adoptable=None, data_majors=(15,), half_made=True)

    def _arrange(self, wanted, plan, step):
        there = self.server
        role = there.role or {"verifier": None, "login": False, "privileged": False}
        if plan.journal.before["bootstrap"] == plan.record.username or there.role is None:
            role = {"verifier": None, "login": False, "privileged": False}
        elif role["verifier"] != verifier(wanted.password):
            role = {**role, "verifier": None}
        database = {**(there.database or {"public": True}), "owner": plan.record.username}
        record = plan.record.with_primary(initialised=True)
        host = self._with(record=record, server={"role": role, "database": database})
        return dataclasses.replace(host, loaded=_parameters(host.seen))._asked()

    def _final_backup(self, wanted, plan, step):
        return self

    def _remove_previous(self, wanted, plan, step):
        return self._with(previous=None)

    def _stop(self, wanted, plan, step):
        return self._with(container=dataclasses.replace(self.seen.container, status="exited"))

    def _remove(self, wanted, plan, step):
        return self._with(container=None)

    def _trash(self, wanted, plan, step):
        return Host.of(empty(previous=self.seen.previous, image=self.seen.image))

    _purge = _trash

    def _undelete(self, wanted, plan, step):
        return self._with(directory_exists=True, trash=self.seen.trash[:-1])

    def _expire(self, wanted, plan, step):
        return self._with(trash=())

    def _role(self, wanted, plan, step):
        had = self.server.role or {}
        known = verifier(wanted.password) if wanted.password else had.get("verifier")
        return self._with(server={"role": {"verifier": known, "login": True, "privileged": False}})

    def _database(self, wanted, plan, step):
        public = self.server.database["public"] if self.server.database else True
        return self._with(server={"database": {"owner": plan.record.username, "public": public}})

    def _restrict(self, wanted, plan, step):
        return self._with(server={"database": {**self.server.database, "public": False}})

    def _lock_superuser(self, wanted, plan, step):
        return self._with(server={"superuser_has_password": False})

    def _extensions(self, wanted, plan, step):
        installed = {
            name: {"version": version or "1.0", "declared": True} for name, version in wanted.extensions.items()
        }
        return self._with(server={"extensions": installed})

    def _users(self, wanted, plan, step):
        return self._with(server={"users": users_of(wanted, known=self.server.users)})

    def _altered(self, wanted, plan, step):
        return self._with(server={"altered": ()})

    def _privileges(self, wanted, plan, step):
        known = self.server.privileges
        taken = {"memberships": [], "functions": [], "parameters": [], "maintenance": [], "triggers": []}
        return self._with(server={"privileges": {**known, **taken}})

    def _overrides(self, wanted, plan, step):
        return self._with(server={"privileges": {**self.server.privileges, "overrides": []}})

    def _end_logins(self, wanted, plan, step):
        known = self.server.users
        going = users.unended(plan.record.username, plan.record.login, known)
        roles = {
            name: {**role, "ends_in": wanted.login_grace} if name in going else role
            for name, role in known["roles"].items()
        }
        return self._with(server={"users": {**known, "roles": roles}})

    def _end_sessions(self, wanted, plan, step):
        return self

    def _prove_login(self, wanted, plan, step):
        return self


def _parameters(seen):
    texts = {path: known.content.decode("utf-8") for path, known in seen.files.items() if path in (CONF, HBA)}
    return {**configuration.parameters(texts.get(CONF, "")), HBA: texts.get(HBA)}

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of the plan observe: a host with nothing, and a database as declared.

Every value is right for a database that is as declared; a test names only what it is about.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import json
from pathlib import Path

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import (
    configuration,
    facts,
    layout,
    networks,
    pgbouncer,
    pooler_container,
    pooler_facts,
    scram,
    spec,
    users,
)
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import container as containers
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import record as records
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import Refused
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.pooler import POOLER
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.record import PRIMARY, Instance, Record
from ansible_collections.vellaric.postgres.plugins.module_utils._host import own_tls
from ansible_collections.vellaric.postgres.plugins.module_utils._planning import pooling
from ansible_collections.vellaric.postgres.plugins.module_utils._planning.plan import plan_database

FIXTURES = Path(__file__).resolve().parent / "fixtures"

NOW = "2026-01-15T12:00:00.000Z"
# Of Observed, what is of an instance.
OF_INSTANCE = ("container", "previous", "image", "files")
FAR_OFF = "2027-02-01T12:00:00Z"
USERNAME = "db_user_0123456789ab"
PASSWORD = "correct-horse-battery"
IDENTITY = "db-0123456789abcdef01234567"
NAME = "app-development-postgres"
CONF, HBA, IDENT = configuration.MANAGED


@functools.lru_cache(maxsize=None)
def _text(path):
    return (FIXTURES / path).read_text(encoding="utf-8")


def days_until_now():
    """Return how many days ago, as a negative number, it was no later on the tests' host, which has its own time."""
    moment = datetime.datetime.fromisoformat(NOW.rstrip("Z")).replace(tzinfo=datetime.timezone.utc)
    return min((moment - datetime.datetime.now(datetime.timezone.utc)).days, 0) - 1


def fixture(path):
    """Return the recorded answer of that path below `fixtures`."""
    return json.loads(_text(path))


def declared(**given):
    """Return a DatabaseSpec: the options given, and credentials as role `database` passes them."""
    parameters = {"name": "app", "environment": "development", "username": USERNAME, "password": PASSWORD}
    return spec.from_parameters({**parameters, **given})


def image(**given):
    recorded = fixture("image-15-bookworm.json")
    return facts.ImageFacts(
        **{**recorded, "volumes": tuple(recorded["volumes"]), "extensions": tuple(recorded["extensions"]), **given}
    )


def record_of(wanted, **given):
    """Return a record; port, initialised and libc are its primary's."""
    own = {"port": wanted.port or 5432, "initialised": True, "libc": image().libc}
    own = {key: given.pop(key, value) for key, value in own.items()}
    known = {
        "id": IDENTITY,
        "name": wanted.name,
        "environment": wanted.environment,
        "created_at": NOW,
        "username": wanted.username or USERNAME,
        "declared": wanted.declared(),
        "instances": (records.primary(wanted.container, **own),),
    }
    return Record(**{**known, **given})


def running(config, **given):
    """Return the ContainerFacts of a container of ours that serves."""
    known = {
        "id": "c0ffee",
        "name": NAME,
        "status": "running",
        "exit_code": 0,
        "restart_count": 0,
        "started_at": "2026-01-15T11:00:00.123456789Z",
        "created_at": "2026-01-15T11:00:00.012345678Z",
        "health": "healthy",
        "oom_killed": False,
        "ip_address": "172.17.0.2",
        "networks": joined("bridge"),
        "labels": dict(config.labels) if config else {},
        "config": config,
    }
    return facts.ContainerFacts(**{**known, **given})


def network(name, number, **given):
    known = {"id": f"id-of-{name}", "subnets": (f"172.{number}.0.0/16",), "gateways": (f"172.{number}.0.1",)}
    return networks.NetworkFacts(name=name, **{**known, **given})


def host_networks(**given):
    """Return what the host has: the default network, one that sorts before it and one that sorts after it."""
    found = (network("bridge", 17), network("apps", 18), network("shop", 19))
    return {**{one.name: one for one in found}, **given}


def joined(*names, **given):
    return {name: networks.EndpointFacts(network_id=f"id-of-{name}", address="172.17.0.2", **given) for name in names}


def endpoints(wanted):
    shared = (wanted.pooler_container,) if wanted.pooler is not None else ()
    return {**joined("bridge", *shared), **joined(*wanted.networks, aliases=wanted.network_aliases)}


def foreign(**given):
    return running(None, **given)


@functools.lru_cache(maxsize=None)
def verifier(password):
    # One iteration: the plan compares it for each of many examples.
    return scram._verifier(password, b"salt of the test", 1)


def server(**given):
    known = {
        "role": {"verifier": verifier(PASSWORD), "login": True, "privileged": False},
        "database": {"owner": USERNAME, "public": False},
        "superuser_has_password": False,
        "pending_restart": (),
        "version": "15.20",
    }
    return facts.ServerFacts(**{**known, **given})


def user_role(**given):
    """Return what the server says of a role that was made as declared."""
    known = {
        "verifier": None,
        "login": True,
        "privileged": False,
        "connection_limit": users.UNLIMITED,
        "ends_in": None,
        "marked": True,
        "member_of": [],
        "works_as": None,
    }
    return {**known, **given}


def users_of(wanted, owner=USERNAME, known=None):
    """Return what the server says where the declared users, and nobody else, are there."""
    groups = users.groups(wanted.users)
    roles = {users.GROUPS[kind]: user_role(login=False) for kind in groups}
    for user in wanted.users:
        before = (known or users.NOTHING)["roles"].get(user.name, {})
        roles[user.name] = user_role(
            verifier=verifier(user.password) if user.password else before.get("verifier"),
            connection_limit=user.connection_limit or users.UNLIMITED,
            member_of=[users.membership(user, owner)],
            works_as=owner if user.role == users.OWNER else None,
        )
    granted = [(users.GROUPS[kind], objects) for kind in groups for objects in users.PRIVILEGES[kind].items()]
    return {
        "roles": roles,
        "database": [[users.GROUPS[kind], each] for kind in groups for each in users.DATABASE_PRIVILEGES[kind]],
        "defaults": [
            [group, creator, objects, privilege]
            for group, (objects, privileges) in granted
            for privilege in privileges
            for creator in users.creators(wanted.users, owner)
        ],
        "ungranted": [],
    }


def empty(**given):
    """Return what is observed of a database that was never there, on a host that has the image."""
    known = {
        "directory_exists": False,
        "doomed": False,
        "trash": (),
        "record": None,
        "container": None,
        "previous": None,
        "image": image(),
        "files": {},
        "data_majors": (),
        "half_made": False,
        "server": None,
        "ports_taken": {},
        "mounted_by": (),
        "certificate": None,
        "now": NOW,
        "networks": host_networks(),
    }
    known = {**known, **given}
    own = {name: known.pop(name) for name in OF_INSTANCE}
    return facts.Observed(instances=(facts.InstanceFacts(records.PRIMARY, records.PRIMARY, **own),), **known)


def other(seen, **fields):
    """Return what is observed with other fields, those of the primary among them."""
    own = {name: fields.pop(name) for name in OF_INSTANCE if name in fields}
    return dataclasses.replace(seen.with_primary(**own), **fields)


def texts_of(wanted, record=None, major=15):
    access = networks.access(wanted, host_networks())
    rendered = configuration.render(wanted, record or record_of(wanted), major, access)
    return {path: facts.FileFacts(text.encode("utf-8"), 0o644, 0) for path, text in rendered.items()}


def tls_files(wanted=None):
    if wanted is not None and wanted.tls is not None:
        return _installed(wanted.tls.certificate, wanted.tls.key, examined(wanted.tls).authority)
    return {
        "tls/ca.crt": facts.FileFacts(b"authority", 0o644, 0),
        "tls/server.crt": facts.FileFacts(b"certificate", 0o644, 0),
        "tls/server.key": facts.FileFacts(b"key", 0o600, 999),
    }


@functools.lru_cache(maxsize=None)
def examined(declared_tls):
    """Return what is observed of a declared certificate, None where none is declared."""
    return declared_tls and own_tls.examine(declared_tls, NOW)


def _installed(certificate, key, authority):
    known = {
        "tls/server.crt": facts.FileFacts(certificate.encode("ascii"), 0o644, 0),
        "tls/server.key": facts.FileFacts(key.encode("ascii"), 0o600, 999),
    }
    return {**known, **({"tls/ca.crt": facts.FileFacts(authority.encode("ascii"), 0o644, 0)} if authority else {})}


def certificate_of(wanted):
    if wanted.tls is not None:
        return {**examined(wanted.tls).facts, "ours": False}
    names = list(wanted.certificate_names)
    known = {"subject": f"CN={NAME}", "fingerprint": "0" * 64, "names": names, "not_after": FAR_OFF}
    return {**known, "ours": True, "authority_not_after": "2035-01-15T12:00:00Z", "current": True}


def settled(wanted, **given):
    """Return what is observed of a database that is as declared and serves."""
    record = given.pop("record", None) or record_of(wanted)
    known = {
        "directory_exists": True,
        "record": record,
        "container": running(containers.desired(wanted, record, image()), networks=endpoints(wanted)),
        "files": {**texts_of(wanted, record), **tls_files(wanted)},
        "data_majors": (15,),
        "half_made": True,
        "server": server(users=users_of(wanted)),
        "certificate": certificate_of(wanted),
        "own_tls": examined(wanted.tls),
    }
    return empty(**{**known, **given})


def replaced(observed, **fields):
    """Return what is observed where the container has another config: the fields given."""
    config = dataclasses.replace(observed.container.config, **fields)
    return other(observed, container=dataclasses.replace(observed.container, config=config))


POOL = f"{NAME}-pool"
POOLER_IMAGE = pooler_facts.PoolerImage("sha256:pooler", pgbouncer.Version(1, 24, 1), True)
POOLED_NETWORKS = host_networks(**{POOL: network(POOL, 30, carries=False, ours=True)})


def logins(password=PASSWORD, **given):
    return (pgbouncer.Login(USERNAME, verifier(password), **{"expired": False, **given}),)


def no_pooler():
    """Return what is observed of a pooler that is declared and not there."""
    return pooler_facts.PoolerFacts(POOLER, POOLER, None, None, None, {}, runs=POOLER_IMAGE, logins=logins())


def with_instance(observed, instance):
    """Return what is observed with another instance, in the place of one of that name."""
    others = tuple(one for one in observed.instances if one.name != instance.name)
    return dataclasses.replace(observed, instances=(*others, instance))


def pooled_record(wanted):
    own = Instance(POOLER, POOLER, POOL, 6432, initialised=True, depends_on=(PRIMARY,))
    record = record_of(wanted)
    return dataclasses.replace(record, instances=(*record.instances, own))


def pooler_files(wanted, seen):
    """Return what is observed of the files of a pooler as they were just written."""
    texts = pooling._texts(wanted, seen, POOLER_IMAGE)
    files = {path: facts.FileFacts(text.encode(), 0o644, 0) for path, text in texts.items()}
    files[pooler_facts.USERS] = facts.FileFacts(pgbouncer.auth_file(logins()).encode(), 0o600, 996)
    files[pooler_facts.KEY] = facts.FileFacts(b"key", 0o600, 996)
    files[pooler_facts.SERVER_AUTHORITY] = facts.FileFacts(b"authority", 0o644, 0)
    names = list(pooling.certificate_names(wanted))
    return {"directory": True, "files": files, "certificate": {**certificate_of(wanted), "names": names}}


def pooled(wanted, **given):
    """Return what is observed of a database and its pooler that are as declared and serve."""
    record = pooled_record(wanted)
    seen = settled(wanted, record=record, networks=POOLED_NETWORKS)
    config = pooler_container.wanted(wanted, record, record.others[0], POOLER_IMAGE)
    container = running(config, name=POOL, networks=endpoints(wanted))
    known = {"container": container, **pooler_files(wanted, seen), **given}
    return with_instance(seen, dataclasses.replace(no_pooler(), **known))


def stopped(observed, **fields):
    """Return what is observed where the container is stopped."""
    container = dataclasses.replace(observed.container, **{"status": "exited", "health": None, **fields})
    return other(observed, container=container, server=None)


def plan(wanted, seen):
    return plan_database(wanted, seen, IDENTITY)


def refusal(wanted, seen):
    """Plan what has to be refused, and return the message."""
    with pytest.raises(Refused) as refused:
        plan(wanted, seen)
    return refused.value.message


def verbs(planned):
    return [step.verb for step in planned.steps]


def step(planned, verb):
    return next(step for step in planned.steps if step.verb == verb)


def summary(planned, verb):
    return step(planned, verb).summary


def texts(planned):
    """The managed files that are written."""
    return step(planned, "write_files").texts


def previous_of(observed):
    """Return the container that a replacement which was interrupted has left."""
    name = layout.previous_container(NAME)
    return dataclasses.replace(observed.container, id="decaf", name=name, status="exited")

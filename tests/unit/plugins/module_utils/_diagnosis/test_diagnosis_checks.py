# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of facts: also in the cases that are hard to cause. The others are caused in tests/integration."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._diagnosis import checks
from ansible_collections.vellaric.postgres.plugins.module_utils._diagnosis.attempt import Attempt
from ansible_collections.vellaric.postgres.plugins.module_utils._diagnosis.judgement import cause, judge
from ansible_collections.vellaric.postgres.plugins.module_utils._diagnosis.nouns import (
    ClientFacts,
    DataFacts,
    DiskFacts,
    EngineFacts,
    Facts,
    PortFacts,
    ServerFacts,
    Subject,
)
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import scram
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.facts import ContainerFacts

PASSWORD = "Correct-Horse_Battery9"
SUBJECT = Subject("shop-production-postgres", "shop", "production", "shop", "app", PASSWORD)
NOW = "2026-01-31T09:26:53.000Z"
GB = 1 << 30
CONTAINER = ContainerFacts(
    id="a" * 64,
    name=SUBJECT.container,
    status="running",
    exit_code=0,
    restart_count=0,
    started_at="2026-01-30T00:00:00.0Z",
    created_at="2026-01-30T00:00:00.0Z",
    health="healthy",
    oom_killed=False,
    ip_address="172.17.0.2",
    labels={},
    config=object(),
)
ANSWER = {
    "version": "15.6 (Debian)",
    "standby": False,
    "settings": {
        "ssl": {"value": "on", "from": "/etc/vellaric/conf/postgresql.conf"},
        "listen_addresses": {"value": "*", "from": "configuration file"},
        "port": {"value": "5432", "from": "configuration file"},
        "default_transaction_read_only": {"value": "off", "from": "default"},
    },
    "access_errors": [],
    "role": {
        "verifier": scram.new_verifier(PASSWORD),
        "login": True,
        "ended": False,
        "until": None,
        "limit": -1,
        "sessions": 1,
    },
    "database": {"open": True, "limit": -1, "sessions": 1, "owner": "app", "let_in": True},
    "databases": ["shop"],
    "logins": ["app", "postgres"],
    "taken": 1,
    "slots": 97,
    "holders": [],
    "read_only": [],
    "file_errors": [],
    "pending_restart": [],
}
INSIDE = {"no_schema": [], "no_tables": [], "unanalyzed": [], "dead": []}
CERTIFICATE = {"names": ["db.example.com"], "not_after": "2027-01-31T00:00:00Z"}
WELL = Facts(
    subject=SUBJECT,
    now=NOW,
    engine=EngineFacts("answers", root="/var/lib/docker"),
    ours=True,
    recorded=True,
    initialised=True,
    data_root="/var/vellaric/postgres",
    disks=(DiskFacts("the data", "/data", 100 * GB, 50 * GB, 1000, 500, False),),
    data=DataFacts("/data/pgdata/15/docker", there=True, major=15, wanted_major=15, uid=999, files_uid=999, mode=0o700),
    image="postgres:15",
    image_there=True,
    container=CONTAINER,
    port=PortFacts("127.0.0.1", 5432, published=True),
    server=ServerFacts("answers", answer=ANSWER, inside=INSIDE),
    attempt=Attempt(tls=True, protocol="TLSv1.3", wanted="SCRAM", logged_in=True, works=True),
    sslmode="verify-full",
    host="db.example.com",
    authority="-----BEGIN CERTIFICATE-----",
    certificate=CERTIFICATE,
)


def changed(**fields):
    return dataclasses.replace(WELL, **fields)


def ended(status="exited", code=1, log=(), **more):
    container = dataclasses.replace(CONTAINER, status=status, exit_code=code, **more)
    return {"container": container, "server": None, "attempt": None, "log": log}


def first(facts):
    found = cause(judge(checks.CHECKS, facts))
    return None if found is None else (found["check"], found["state"])


def answer(**fields):
    return ServerFacts("answers", answer={**ANSWER, **fields}, inside=INSIDE)


def test_nothing_is_the_matter():
    assert first(WELL) is None


@pytest.mark.parametrize(
    ("wanted", "facts"),
    [
        *[(("engine", "fails"), {"engine": EngineFacts(kind)}) for kind in ("none", "stopped", "library", "silent")],
        (("engine", "fails"), {"engine": EngineFacts("permission")}),
        (("engine", "fails"), {"engine": EngineFacts("stopped", service="masked")}),
        (("engine", "fails"), {"engine": EngineFacts("stopped", service="failed: exit-code")}),
        (("engine_usable", "fails"), {"engine": EngineFacts("answers", unusable="rootless"), "container": None}),
        (("disk", "fails"), {"disks": (DiskFacts("the data", "/d", GB, 0, None, None, False),)}),
        (("disk", "fails"), {"disks": (DiskFacts("the data", "/d", GB, GB, 1000, 0, False),)}),
        (("disk", "fails"), {"disks": (DiskFacts("the engine", "/d", GB, GB, 1000, 9, True),)}),
        (("disk", "warns"), {"disks": (DiskFacts("the backups", "/d", GB, 0, None, None, False),)}),
        (("disk", "warns"), {"disks": (DiskFacts("the data", "/d", 10 * GB, GB // 2, None, None, False),)}),
        (("known", "fails"), {"container": dataclasses.replace(CONTAINER, config=None)}),
        (("known", "fails"), {"recorded": False}),
        (("data", "fails"), {"data": DataFacts("/d", there=True, rivals=("other",))}),
        (("data", "fails"), {"data": DataFacts("/d", there=True, major=15, wanted_major=17)}),
        (("data", "fails"), {"data": DataFacts("/d", there=True, uid=0, files_uid=999)}),
        (("data", "fails"), {"data": DataFacts("/d", there=True, mode=0o755)}),
        (("data", "fails"), {"data": DataFacts("/d")}),
        (("data", "fails"), ended(log=("PANIC:  could not locate a valid checkpoint record",))),
        (("memory", "fails"), ended(code=137, oom_killed=True)),
        (("memory", "fails"), {**ended(code=137), "memory_limit": GB, "shared_buffers": 2 * GB}),
        (("memory", "warns"), {"memory_limit": GB, "shared_buffers": GB - 1}),
        (("memory", "warns"), {"memory_limit": GB, "oom_kills": 2}),
        (("settings", "fails"), ended("restarting", log=("FATAL: unrecognized configuration parameter",))),
        (("settings", "warns"), {"server": answer(file_errors=["x line 3 a = b wrong"])}),
        (("settings", "warns"), {"server": answer(access_errors=["line 3: wrong"])}),
        (("settings", "warns"), {"server": answer(pending_restart=["shared_buffers"])}),
        (("mounts", "warns"), {"replaced": ("/var/vellaric/backups/shop-production-postgres",)}),
        (("mounts", "warns"), {"replaced": ("/var/vellaric/postgres/shop-production-postgres/pgdata",)}),
        (("port", "fails"), {**ended(), "port": PortFacts("127.0.0.1", 5432, holder="process 3 (nginx)")}),
        (("port", "fails"), {"port": PortFacts("127.0.0.1", 5432, published=False)}),
        (("port", "warns"), {"port": PortFacts(None, None)}),
        (("container", "fails"), ended(code=0)),
        (("container", "fails"), ended(code=126)),
        (("container", "fails"), ended(code=137)),
        (("container", "fails"), ended("created")),
        (("container", "fails"), ended("paused")),
        (("container", "fails"), ended("dead")),
        (("container", "fails"), {**ended(code=1), "initialised": False}),
        (("container", "fails"), {"initialised": False}),
        (("container", "warns"), {"container": dataclasses.replace(CONTAINER, restart_count=4)}),
        *[
            (("answers", "fails"), {"server": ServerFacts(kind), "attempt": None})
            for kind in ("initialising", "starting", "full", "silent", "refused", "none")
        ],
        *[
            (("reach", "fails"), {"attempt": Attempt(network=kind, words="said")})
            for kind in ("refused", "silent", "unreachable", "closed")
        ],
        (("reach", "fails"), {"attempt": Attempt(network="silent"), "port": PortFacts("::", 5432, True, None, False)}),
        (("certificate", "fails"), {"attempt": Attempt(tls=True, untrusted=(10, "expired"), works=True)}),
        (
            ("certificate", "warns"),
            {"attempt": Attempt(tls=True, untrusted=(62, "no"), works=True), "sslmode": "prefer"},
        ),
        (("admitted", "fails"), {"attempt": Attempt(tls=True, refused=("28000", "no pg_hba.conf entry"))}),
        (("database", "fails"), {"server": answer(database=None)}),
        (("database", "fails"), {"server": answer(database={**ANSWER["database"], "open": False})}),
        (("database", "fails"), {"server": answer(database={**ANSWER["database"], "limit": 0})}),
        (("role", "fails"), {"server": answer(role=None)}),
        (("role", "fails"), {"server": answer(role={**ANSWER["role"], "login": False})}),
        (("role", "fails"), {"server": answer(role={**ANSWER["role"], "ended": True})}),
        (("role", "fails"), {"server": answer(role={**ANSWER["role"], "limit": 1})}),
        (("credentials", "fails"), {"subject": dataclasses.replace(SUBJECT, password=None, lost=True)}),
        (("password", "fails"), {"server": answer(role={**ANSWER["role"], "verifier": None})}),
        (("password", "fails"), {"subject": dataclasses.replace(SUBJECT, password="another")}),
        (("slots", "fails"), {"server": answer(taken=97)}),
        (("privileges", "fails"), {"server": answer(database={**ANSWER["database"], "let_in": False})}),
        (("login", "fails"), {"attempt": Attempt(tls=True, wanted="SCRAM", refused=("42704", "unknown parameter"))}),
        (("login", "warns"), {"attempt": Attempt(tls=True, wanted="the password as MD5")}),
        (("writable", "fails"), {"server": answer(standby=True)}),
        (("writable", "fails"), {"server": answer(read_only=["ALTER ROLE"])}),
        (("log", "warns"), {"log": ("PANIC:  could not write to file",)}),
    ],
)
def test_the_cause(wanted, facts):
    assert first(changed(**facts)) == wanted


def test_a_disk_that_is_full_is_the_cause_of_a_server_that_ends_again_and_again():
    full = (DiskFacts("the data", "/d", GB, 0, None, None, False),)
    found = judge(checks.CHECKS, changed(disks=full, **ended("restarting", log=("PANIC: No space left on device",))))
    states = {one["check"]: (one["state"], one["because"]) for one in found}
    assert cause(found)["check"] == "disk"
    assert states["container"] == states["answers"] == states["login"] == ("unknown", "disk")


def test_a_container_that_is_nobody_of_ours_is_looked_at_all_the_same():
    theirs = changed(
        ours=False, recorded=False, initialised=None, container=dataclasses.replace(CONTAINER, config=None)
    )
    found = {one["check"]: one for one in judge(checks.CHECKS, theirs)}
    assert found["known"]["state"] == "warns" and "vellaric.postgres.adopt" in found["known"]["fix"]
    assert found["login"]["state"] == "holds" and found["backups"]["state"] == "unknown"


def test_no_check_shows_a_password_or_a_verifier():
    for facts in (WELL, changed(subject=dataclasses.replace(SUBJECT, password="Another-Secret"))):
        shown = str(judge(checks.CHECKS, facts))
        assert PASSWORD not in shown and "Another-Secret" not in shown and "SCRAM-SHA-256$" not in shown


@pytest.mark.parametrize(
    ("wanted", "fields"),
    [
        (None, {"attempt": WELL.attempt}),
        (("client_reach", "fails"), {"attempt": Attempt(network="name")}),
        (("client_reach", "fails"), {"attempt": Attempt(network="silent")}),
        (None, {"attempt": Attempt(network="refused"), "bind_address": "127.0.0.1"}),
        (("client_certificate", "fails"), {"attempt": Attempt(tls=True, untrusted=(20, "unknown"), works=True)}),
        (("client_admitted", "fails"), {"attempt": Attempt(tls=True, refused=("28000", "no entry"))}),
        (("client_login", "fails"), {"attempt": Attempt(tls=True, wanted="SCRAM", refused=("28P01", "failed"))}),
    ],
)
def test_what_a_client_elsewhere_meets(wanted, fields):
    facts = ClientFacts(
        **{
            "subject": SUBJECT,
            "now": NOW,
            "host": "db.example.com",
            "port": 5432,
            "sslmode": "verify-full",
            "authority": "PEM",
            "certificate": CERTIFICATE,
            **fields,
        }
    )
    found = cause(judge(checks.CLIENT_CHECKS, facts))
    assert (None if found is None else (found["check"], found["state"])) == wanted


def test_commands_are_quoted():
    subject = Subject("a", "shop", "production")
    assert subject.play("create", database_image="a b;c").endswith("-e database_image='a b;c'")

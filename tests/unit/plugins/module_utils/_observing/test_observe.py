# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which databases and instances an engine's list of containers shows."""

from __future__ import annotations

import dataclasses

from ansible_collections.vellaric.postgres.plugins.module_utils._domain import labels
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.record import Instance
from ansible_collections.vellaric.postgres.plugins.module_utils._observing import listing, observe
from ansible_collections.vellaric.postgres.tests.unit import builders

ROOT = "/var/vellaric/postgres"
NAME = "app-development-postgres"


def entry(name=NAME, role="primary", source="pgdata", whose=("app", "development")):
    given = labels.of_instance(labels.Owner(*whose, role), builders.IDENTITY, "postgres:15-alpine")
    if role is None:
        # As the versions before made it.
        given = {key: value for key, value in given.items() if key != labels.ROLE}
    mounts = [{"Source": f"{ROOT}/{NAME}/{source}", "Destination": "/mnt"}]
    return {"Id": f"id-of-{name}", "Names": [f"/{name}"], "Labels": given, "Mounts": mounts}


def host(*listed, records=None):
    mounting = observe._mounting(listed, ROOT)
    return observe.Host(ROOT, listed, records or {}, {}, {}, mounting=mounting)


def test_a_container_is_a_database_where_it_is_a_primary_or_says_nothing_of_its_role():
    known = {NAME: ("app", "development")}
    assert observe.known(host(entry())) == observe.known(host(entry(role=None))) == known
    pool = entry(f"{NAME}-pool", "pooler", "pool")
    assert observe.known(host(pool)) == {} and observe.known(host(pool, entry())) == known
    # Whatever it is called, and wherever it is listed first.
    assert observe.known(host(entry(role="pooler"))) == {}
    # What is called otherwise than its labels say is not it.
    assert observe.known(host(entry("renamed"))) == {}


def test_other_instances_are_those_of_the_record_and_those_whose_containers_say_so():
    pool = observe.OtherInstance("pooler", "pooler", f"{NAME}-pool")
    listed = host(
        entry(),
        entry(f"{NAME}-pool", "pooler", "pool"),
        entry(f"{NAME}-pool-previous", "pooler", "pool"),
        entry("shop-development-postgres-pool", "pooler", "pool", ("shop", "development")),
        entry("app-production-postgres-pool", "pooler", "pool", ("app", "production")),
    )
    assert observe.other_instances(listed, "app", "development", None) == (pool,)
    record = builders.record_of(builders.declared())
    assert observe.other_instances(host(entry()), "app", "development", record) == ()
    recorded = Instance("east", "pooler", f"{NAME}-pool", 6432, True)
    record = dataclasses.replace(record, instances=(*record.instances, recorded))
    assert observe.other_instances(listed, "app", "development", record) == (pool._replace(name="east"),)


def test_another_instance_may_have_files_beside_the_data_but_not_the_data():
    spec = builders.declared(data_root=ROOT)
    of_it = entry(f"{NAME}-pool", "pooler", "pool")
    assert observe._mounted_by(host(entry(), of_it), spec) == ()
    for intruder in (
        entry(f"{NAME}-pool", "pooler", "pgdata/15"),
        entry("copy", "primary", "pgdata"),
        entry("shop-development-postgres-pool", "pooler", "pool", ("shop", "development")),
        {**entry("foreign", source="conf"), "Labels": None},
    ):
        assert observe._mounted_by(host(entry(), intruder), spec) == (intruder["Names"][0].lstrip("/"),)


def test_a_listing_shows_each_database_once_with_the_containers_of_its_instances(tmp_path, monkeypatch):
    answer = builders.fixture("engine-20.10/running.json")
    name, root = "unitfix-development-postgres", str(tmp_path)
    source = f"{root}/{name}"

    def of_role(container, role, inside):
        given = labels.of_instance(labels.Owner("unitfix", "development", role), None, "")
        return {**entry(container), "Labels": given, "Mounts": [{"Source": f"{source}/{inside}"}], "Ports": []}

    class Engine:
        def containers(self):
            return [of_role(f"{name}-pool", "pooler", "pool"), of_role(name, "primary", "pgdata")]

        def networks(self):
            return {}

        def inspect(self, container):
            return {**answer, "Name": f"/{container}"}

    monkeypatch.setattr(observe.roots, "others", lambda *_: [])
    (only,) = listing.databases(Engine(), root)
    assert only.container.name == name and only.shown["container_name"] == name
    assert {role: found.name for role, found in only.containers.items()} == {"primary": name, "pooler": f"{name}-pool"}

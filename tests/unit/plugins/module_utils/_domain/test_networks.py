# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks of a database: joined and left in place, and what that costs those who use it."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import networks
from ansible_collections.vellaric.postgres.tests.unit import builders
from ansible_collections.vellaric.postgres.tests.unit.builders import HBA, plan, refusal


def on(observed, *names, **endpoint):
    """Return what is observed where the container is on those networks."""
    container = dataclasses.replace(observed.container, networks=builders.joined(*names, **endpoint))
    return builders.other(observed, container=container)


@pytest.mark.parametrize(
    ("old", "new", "summary"),
    [
        ([], ["shop"], "networks: join shop"),
        (["shop"], None, "networks: leave shop"),
        (["shop"], [], "networks: leave shop"),
        (["shop"], ["web"], "networks: join web, leave shop"),
    ],
)
def test_networks_are_joined_and_left_in_place(old, new, summary):
    known = builders.host_networks(web=builders.network("web", 20))
    seen = builders.settled(builders.declared(networks=old), networks=known)
    planned = plan(builders.declared(networks=new), seen)
    assert builders.verbs(planned) == ["write_record", "networks"]
    assert builders.summary(planned, "networks") == summary
    assert planned.steps[-1].impact == "none"
    assert planned.before["networks"] == ["bridge", *old]
    assert planned.after["networks"] == ["bridge", *(new or [])]


@pytest.mark.parametrize(("there", "summary"), [(["bridge"], "join shop"), (["shop"], "join bridge")])
def test_a_network_that_somebody_left_is_joined_again(there, summary):
    wanted = builders.declared(networks=["shop"])
    planned = plan(wanted, on(builders.settled(wanted), *there))
    assert builders.verbs(planned) == ["networks"]
    assert summary in builders.summary(planned, "networks")


def test_a_network_that_nobody_declared_is_left():
    assert builders.verbs(plan(builders.declared(), on(builders.settled(builders.declared()), "bridge", "shop"))) == [
        "networks"
    ]


def test_a_network_that_was_made_again_is_joined_again_before_the_start():
    # With an endpoint of the one that is gone, the engine does not start the container.
    wanted = builders.declared(networks=["shop"])
    seen = builders.stopped(builders.settled(wanted))
    known = builders.host_networks(shop=builders.network("shop", 19, id="another"))
    planned = plan(wanted, dataclasses.replace(seen, networks=known))
    assert builders.verbs(planned) == ["networks", "start"]
    assert builders.summary(planned, "networks") == "networks: join again shop"


@pytest.mark.parametrize(("old", "new"), [([], ["apps"]), (["apps"], []), (["apps", "shop"], ["shop"])])
def test_a_published_port_that_moves_is_an_interruption(old, new):
    # The engine publishes on the first network by name: apps is before bridge.
    planned = plan(builders.declared(networks=new), builders.settled(builders.declared(networks=old)))
    assert builders.verbs(planned) == ["write_record", "networks"]
    assert planned.steps[-1].impact == "restart"
    assert "have to reconnect" in planned.steps[-1].summary
    held = plan(builders.declared(networks=new, max_impact="none"), builders.settled(builders.declared(networks=old)))
    assert builders.verbs(held) == ["write_record"]
    assert [step.verb for step in held.pending] == ["networks"]


def test_a_published_port_stays_where_the_engine_can_be_told():
    known = builders.host_networks(apps=builders.network("apps", 18, priority=-1))
    planned = plan(builders.declared(networks=["apps"]), builders.settled(builders.declared(), networks=known))
    assert planned.steps[-1].impact == "none"
    # It was told when it joined.
    seen = on(builders.settled(builders.declared(), networks=known), "bridge", "apps", priority=-1)
    seen.container.networks["bridge"] = builders.joined("bridge")["bridge"]
    assert plan(builders.declared(), seen).steps[-1].impact == "none"


def test_nobody_is_interrupted_where_nothing_is_published():
    wanted = builders.declared(networks=["apps"], state="present")
    planned = plan(wanted, builders.stopped(builders.settled(builders.declared())))
    assert [(step.verb, step.impact) for step in planned.steps] == [("write_record", "none"), ("networks", "none")]
    internal = builders.host_networks(apps=builders.network("apps", 18, carries=False))
    planned = plan(builders.declared(networks=["apps"]), builders.settled(builders.declared(), networks=internal))
    assert planned.steps[-1].impact == "none"


def test_a_replacement_joins_them_itself():
    planned = plan(builders.declared(networks=["shop"], shm_size="512m"), builders.settled(builders.declared()))
    assert builders.verbs(planned) == ["write_record", "replace"]
    held = plan(
        builders.declared(networks=["shop"], shm_size="512m", max_impact="none"), builders.settled(builders.declared())
    )
    assert builders.verbs(held) == ["write_record", "networks"]


def test_a_missing_network_is_refused_with_what_makes_it():
    for seen in (builders.empty(), builders.settled(builders.declared())):
        message = refusal(builders.declared(networks=["shop", "web"]), seen)
        assert "networks has web" in message
        assert "docker network create web" in message


def test_a_network_of_the_swarm_is_refused():
    known = builders.host_networks(shop=builders.network("shop", 19, attachable=False))
    assert "--attachable" in refusal(builders.declared(networks=["shop"]), builders.empty(networks=known))


def test_nothing_is_refused_where_no_engine_answers_yet():
    planned = plan(builders.declared(networks=["web"]), builders.empty(networks=None))
    assert planned.after["networks"] == ["bridge", "web"]


@pytest.mark.parametrize("name", ["", "a b", "-a", "bridge", "host", "none", 7])
def test_what_is_no_network_to_join_is_refused(name):
    with pytest.raises(ValueError, match="networks has"):
        networks.from_option(["shop", name])


def test_a_declared_network_counts_once():
    assert networks.from_option(["web", "shop", "web"]) == ("shop", "web")


# --- who gets in


def lines(**given):
    wanted = builders.declared(networks=["shop"], **given)
    return [
        line.split()[-2:] for line in builders.texts(plan(wanted, builders.empty()))[HBA].splitlines() if "172." in line
    ]


def test_everybody_gets_in_anyway_by_default():
    assert lines() == []


@pytest.mark.parametrize("sources", [[], ["10.0.0.0/8"], ["172.17.0.2"]])
def test_containers_of_a_joined_network_get_in_and_the_host_does_not(sources):
    # What is published may come from the host's address there, also on behalf of others.
    found = lines(trusted_sources=sources)
    assert found[-2:] == [["172.19.0.1/32", "reject"], ["172.19.0.0/16", "scram-sha-256"]]


@pytest.mark.parametrize("source", ["172.17.0.1", "172.16.0.0/12"])
def test_the_host_gets_in_from_everywhere_where_it_is_trusted(source):
    found = lines(trusted_sources=[source])
    assert ["172.19.0.0/16", "scram-sha-256"] in found
    assert "reject" not in str(found)


def test_they_get_in_over_tls_only_where_it_is_insisted_on():
    wanted = builders.declared(networks=["shop"], trusted_sources=[], sslmode="require")
    text = builders.texts(plan(wanted, builders.empty()))[HBA]
    assert [line.split()[0] for line in text.splitlines() if "172.19" in line] == ["host", "hostssl"]


def test_other_subnets_under_the_same_name_are_a_reload():
    wanted = builders.declared(networks=["shop"], trusted_sources=[])
    known = builders.host_networks(shop=builders.network("shop", 33))
    assert builders.verbs(plan(wanted, builders.settled(wanted, networks=known))) == ["write_files", "reload"]


# --- what the engine says


def entry(name="shop", **given):
    known = {"Id": "4e30", "Name": name, "Scope": "local", "Internal": False, "EnableIPv6": False, "Attachable": False}
    return {**known, "IPAM": {"Config": [{"Subnet": "172.19.0.0/16", "Gateway": "172.19.0.1"}]}, **given}


@pytest.mark.parametrize(
    ("ipam", "gateway"),
    [
        ({"Subnet": "172.19.0.0/16", "Gateway": "172.19.0.1"}, "172.19.0.1"),
        ({"Subnet": "172.19.0.0/16"}, "172.19.0.1"),
        ({"Subnet": "172.19.0.0/16", "IPRange": "172.19.5.0/24"}, "172.19.5.0"),
        ({"Subnet": "172.19.0.0/16", "IPRange": "172.19.0.0/24"}, "172.19.0.1"),
        ({"Subnet": "fd00:1::/64", "Gateway": "fd00:1::1/64"}, "fd00:1::1"),
    ],
)
def test_the_address_of_the_host_in_a_network(ipam, gateway):
    # As Docker Engine 20.10 assigned them.
    assert networks.from_list([entry(IPAM={"Config": [ipam]})], False)["shop"].gateways == (gateway,)


def test_networks_are_read_from_the_answer_of_the_engine():
    answer = [entry(), entry("bridge"), entry("none", IPAM={"Driver": "default", "Options": None, "Config": []})]
    found = networks.from_list(answer, True)
    assert (found["shop"].id, found["shop"].subnets, found["shop"].priority) == ("4e30", ("172.19.0.0/16",), -1)
    assert found["bridge"].priority == 0
    assert found["none"].subnets == ()
    assert networks.from_list([entry(Scope="swarm")], False)["shop"].attachable is False
    assert networks.from_list([entry(IPAM=None)], False)["shop"].gateways == ()


def test_aliases_are_given_to_what_joins():
    wanted = builders.declared(networks=["shop"], network_aliases=["db", "a.b", "db"])
    assert wanted.network_aliases == ("a.b", "db") and "db" in wanted.certificate_names
    assert plan(wanted, builders.settled(wanted)).steps == ()
    seen = builders.settled(builders.declared(networks=["shop"]))
    assert "join again shop" in builders.summary(plan(wanted, seen), "networks")
    assert "network_aliases" not in seen.record.declared
    # An engine gives a container its id and its name.
    answer = {"Aliases": ["db", "0123456789ab", "app"]}
    assert networks.aliases(answer, "app", "0123456789ab" + 52 * "c") == ("db",)


@pytest.mark.parametrize("alias", ["DB", "-db", "d b", "db.", "", "a\nb", 5])
def test_what_is_no_alias(alias):
    with pytest.raises(ValueError, match="network_aliases has"):
        networks.aliases_from_option([alias], ["shop"])


def test_aliases_need_networks():
    with pytest.raises(ValueError, match="declare networks"):
        networks.aliases_from_option(["db"], [])

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate of one's own instead of the authority's: installed, kept, replaced and taken back."""

from __future__ import annotations

import dataclasses
import datetime

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import facts, spec
from ansible_collections.vellaric.postgres.plugins.module_utils._host import own_tls
from ansible_collections.vellaric.postgres.plugins.module_utils._planning import certification
from ansible_collections.vellaric.postgres.tests.unit import builders, certificates
from ansible_collections.vellaric.postgres.tests.unit.builders import plan, refusal

HOST = "app-development-postgres.db.example.com"
ROOT = certificates.authority()
PAIR = certificates.server(ROOT, (HOST,))
OTHER = certificates.server(ROOT, (HOST,), days=300)


def options(pair=PAIR, root=ROOT, **more):
    tls = {"tls_certificate": pair.certificate, "tls_key": pair.key, "tls_ca": root and root.certificate}
    return {"base_domain": "example.com", **tls, **more}


def at(days=0):
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def has(pair=PAIR, root=ROOT, **given):
    """Return what is observed of a database that has a certificate of its own."""
    wanted = builders.declared(**options(pair, root))
    seen = builders.settled(wanted, now=at())
    contents = {
        "tls/ca.crt": (root or pair).certificate,
        "tls/server.key": pair.key,
        "tls/server.crt": pair.certificate,
    }
    known = {path: facts.FileFacts(text.encode(), 0o644, 0) for path, text in contents.items()}
    known["tls/server.key"] = dataclasses.replace(known["tls/server.key"], mode=0o600, uid=999)
    return builders.other(seen, **{"files": {**seen.files, **known}, **given})


def given_now(seen, wanted, now=None):
    """Return what is observed when that is declared."""
    now = now or at()
    return dataclasses.replace(seen, now=now, own_tls=wanted.tls and own_tls.examine(wanted.tls, now))


def planned(seen, now=None, **declared):
    wanted = builders.declared(**declared)
    return plan(wanted, given_now(seen, wanted, now))


def verifiable(seen, now=None, **declared):
    wanted = builders.declared(**declared)
    return certification.decide(wanted, given_now(seen, wanted, now)).verifiable


def test_installed_while_it_serves():
    seen = builders.settled(builders.declared(base_domain="example.com"))
    found = planned(seen, **options())
    assert builders.verbs(found) == ["write_record", "certificate", "reload"]
    assert {step.impact for step in found.steps} == {"none"}
    assert builders.summary(found, "write_record") == "record the declaration (tls_fingerprint)"
    assert f"install the declared certificate for {HOST}, until" in builders.summary(found, "certificate")
    assert "certificate" not in found.before
    shown = found.after["certificate"]
    assert (shown["fingerprint"], shown["subject"], shown["names"]) == (PAIR.fingerprint, f"CN={HOST}", [HOST])
    assert shown["authority"] == [ROOT.fingerprint]
    assert found.after["certificate_names"] == [HOST]
    assert found.warnings == ()
    assert verifiable(seen, **options())


def test_with_a_new_database():
    wanted = builders.declared(**options())
    found = plan(wanted, given_now(builders.empty(), wanted))
    assert builders.verbs(found)[:2] == ["reserve", "certificate"]
    assert "install the declared certificate" in builders.summary(found, "certificate")
    without_image = plan(wanted, given_now(builders.empty(image=None), wanted))
    assert "install the declared certificate" in builders.summary(without_image, "certificate")


def test_nothing_to_do_where_it_is_there():
    assert planned(has(), **options()).steps == ()


def test_the_key_is_in_no_plan():
    secret = PAIR.key.splitlines()[1]
    seen = builders.settled(builders.declared(base_domain="example.com"))
    found = planned(seen, **options())
    assert builders.step(found, "certificate").contents["tls/server.key"] == PAIR.key.encode()
    assert secret not in repr(found) + repr(builders.declared(**options()))
    assert secret not in str(found.record.declared)
    assert PAIR.fingerprint in str(found.record.declared)


@pytest.mark.parametrize(("pair", "root"), [(OTHER, ROOT), (PAIR, None)])
def test_another_one_is_installed(pair, root):
    found = planned(has(), **options(pair, root))
    assert builders.verbs(found)[-2:] == ["certificate", "reload"]


def test_what_is_damaged_is_installed_again():
    for path in certification.FILES:
        seen = has()
        files = {**seen.files, path: dataclasses.replace(seen.files[path], content=b"damaged")}
        found = planned(builders.other(seen, files=files), **options())
        assert builders.verbs(found) == ["certificate", "reload"], path
        files.pop(path)
        assert builders.verbs(planned(builders.other(seen, files=files), **options())) == ["certificate", "reload"]


@pytest.mark.parametrize("partial", [True, False])
@pytest.mark.parametrize(("mode", "uid"), [(0o644, 999), (0o600, 0)])
def test_a_key_that_the_server_would_refuse_is_written_again(partial, mode, uid):
    seen = has()
    files = {**seen.files, "tls/server.key": dataclasses.replace(seen.files["tls/server.key"], mode=mode, uid=uid)}
    seen = builders.other(seen, files=files)
    found = plan(kept(seen), seen) if partial else planned(seen, **options())
    assert builders.verbs(found) == ["certificate", "reload"]
    assert "owner or mode" in builders.summary(found, "certificate")
    assert builders.step(found, "certificate").contents["tls/server.key"] == PAIR.key.encode()


def test_taken_back_to_the_authoritys():
    found = planned(has(), base_domain="example.com")
    assert builders.verbs(found) == ["write_record", "certificate", "reload"]
    assert builders.summary(found, "certificate").startswith("issue a server certificate")
    assert found.before["certificate"]["fingerprint"] == PAIR.fingerprint
    assert "certificate" not in found.after
    assert not builders.step(found, "certificate").contents


# --- partial declarations


def kept(seen, **given):
    parameters = {"name": "app", "environment": "development", "partial": True, **given}
    return spec.from_parameters(spec.complete(parameters, seen.record.declared))


def test_a_partial_declaration_keeps_it():
    found = plan(kept(has(), memory="1g"), has())
    assert builders.verbs(found) == ["write_record", "update"]
    assert found.before["certificate"] == found.after["certificate"]
    assert found.record.declared["tls_fingerprint"] == PAIR.fingerprint


def test_a_partial_declaration_replaces_it():
    wanted = kept(has(), tls_certificate=OTHER.certificate, tls_key=OTHER.key, tls_ca=ROOT.certificate)
    found = plan(wanted, given_now(has(), wanted))
    assert builders.verbs(found) == ["write_record", "certificate", "reload"]
    assert found.record.declared["tls_fingerprint"] == OTHER.fingerprint


def test_a_partial_declaration_takes_it_back_with_an_empty_text():
    found = plan(kept(has(), tls_certificate=""), has())
    assert builders.verbs(found) == ["write_record", "certificate", "reload"]
    assert found.record.declared["tls_fingerprint"] is None


def test_what_is_to_be_kept_and_is_not_there_any_more():
    message = refusal(kept(has()), has(certificate=None))
    assert PAIR.fingerprint in message and "give tls_certificate and tls_key too" in message


# --- refused, or said


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        (certificates.server(ROOT, (HOST,), begins=-10, days=5), "tls_certificate ended on"),
        (certificates.server(ROOT, (HOST,), begins=5), "not yet valid"),
        (dataclasses.replace(PAIR, key=OTHER.key), "tls_key is not the key"),
        (certificates.server(certificates.authority("Another CA"), (HOST,)), "does not lead to tls_ca"),
    ],
)
def test_what_cannot_be_used_is_refused(pair, message):
    wanted = builders.declared(**options(pair))
    for there in (builders.empty(), builders.settled(builders.declared(base_domain="example.com")), has()):
        refused = refusal(wanted, given_now(there, wanted))
        assert message in refused and "Nothing was changed" in refused


def test_one_that_ended_since_it_was_installed_stands_in_the_way_of_nothing():
    found = planned(has(), at(300), **options(memory="1g"))
    assert builders.verbs(found) == ["write_record", "update"]
    assert "ended on" in found.warnings[0]
    assert not verifiable(has(), at(300), **options())


def test_the_end_is_said_thirty_days_before():
    assert planned(has(), at(150), **options()).warnings == ()
    for found in (planned(has(), at(180), **options()), plan(kept(has()), has(now=at(180)))):
        assert found.steps == ()
        assert "declare another one before" in found.warnings[0]


def test_one_for_another_host_is_refused_where_clients_are_told_to_compare():
    given = options(certificates.server(ROOT, ("other.example.com",)))
    seen = builders.settled(builders.declared(base_domain="example.com"))
    found = planned(seen, **given)
    assert f"refuse it as that of {HOST}" in found.warnings[0]
    wanted = builders.declared(**given, sslmode="verify-full")
    message = refusal(wanted, given_now(seen, wanted))
    assert f"is for other.example.com, but with sslmode: verify-full clients connect to {HOST}" in message


def test_one_without_what_leads_to_a_known_authority_is_said_to_be():
    seen = builders.settled(builders.declared(base_domain="example.com"))
    found = planned(seen, **options(root=None))
    assert "Give the whole chain" in found.warnings[0]
    assert not verifiable(seen, **options(root=None))
    assert builders.step(found, "certificate").contents["tls/ca.crt"] is None
    between = certificates.authority("Example Issuing CA", ROOT)
    pair = certificates.server(between, (HOST,))
    whole = dataclasses.replace(pair, certificate=pair.certificate + between.certificate)
    assert planned(seen, **options(whole, None)).warnings == ()


@pytest.mark.parametrize("current", [True, False])
def test_the_renewed_authority_is_told_of(current):
    """By the run that renews it, and by those that bring it to the other databases of the host."""
    ends = {"authority_not_after": "2027-03-01T00:00:00Z", "current": current}
    known = {**builders.certificate_of(builders.declared()), **ends}
    found = plan(builders.declared(), builders.settled(builders.declared(), certificate=known))
    assert builders.verbs(found) == ["certificate", "reload"]
    assert "need the new one by 2027-03-01" in found.warnings[0]


COVERED = [
    (["db.example.com"], "db.example.com", True),
    (["DB.example.com"], "db.Example.com", True),
    (["*.example.com"], "db.example.com", True),
    (["*.example.com"], "a.db.example.com", False),
    (["*.com"], "example.com", True),
    (["example.com"], "db.example.com", False),
    (["*"], "localhost", False),
    (["10.0.0.1"], "10.0.0.1", True),
    (["2001:db8::1"], "2001:0db8:0::1", True),
    (["10.0.0.1"], "10.0.0.2", False),
    (["db.example.com"], "10.0.0.1", False),
    ([], "db.example.com", False),
]


@pytest.mark.parametrize(("names", "host", "covered"), COVERED)
def test_names_are_compared_as_clients_do(names, host, covered):
    assert certification.covers(names, host) is covered

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import json

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import record as records
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import DatabaseError
from ansible_collections.vellaric.postgres.tests.unit import builders

PATH = "/srv/databases/app-development-postgres/database.json"


def test_a_record_survives_being_written_and_read():
    record = builders.record_of(
        builders.declared(memory="1g", settings={"work_mem": "8MB"}, trusted_sources=["10.0.0.0/8"])
    )
    assert records.from_json(records.to_json(record), PATH) == record
    assert record.container == "app-development-postgres"


def test_a_record_holds_no_secret_and_says_its_schema():
    content = records.to_json(builders.record_of(builders.declared()))
    assert builders.PASSWORD not in content
    assert json.loads(content)["schema"] == records.SCHEMA
    assert content.endswith("}\n")


def test_the_same_record_is_written_the_same():
    one = builders.record_of(builders.declared(settings={"jit": True, "work_mem": "8MB"}))
    other = dataclasses.replace(one, declared=dict(reversed(list(one.declared.items()))))
    assert records.to_json(one) == records.to_json(other)


def test_a_record_of_the_schema_before_is_read_and_says_so():
    text = (builders.FIXTURES / "database.json").read_text()
    assert json.loads(text)["schema"] == 1
    record = records.from_json(text, PATH)
    assert record.schema == 1 and (record.port, record.initialised, record.libc) == (5990, True, None)
    (primary,) = record.instances
    assert (primary.name, primary.role, primary.container) == ("primary", "primary", "unitfix-development-postgres")
    written = records.from_json(records.to_json(record), PATH)
    assert written == dataclasses.replace(record, schema=2)


def test_only_the_primary_is_changed():
    record = builders.record_of(builders.declared())
    replica = records.Instance("replica-1", "replica", "x", 5433, True, depends_on=("primary",))
    both = dataclasses.replace(record, instances=(*record.instances, replica))
    changed = both.with_primary(port=6000)
    assert changed.port == 6000 and changed.instances[1] == replica
    assert records.from_json(records.to_json(changed), PATH) == changed


def damaged():
    content = json.loads(records.to_json(builders.record_of(builders.declared())))
    yield ""
    yield "{"
    yield "[]"
    yield "null"
    yield "7"
    yield '"text"'
    yield "{}"
    yield json.dumps({**content, "surplus": 1})
    yield json.dumps({key: value for key, value in content.items() if key != "instances"})
    yield json.dumps({**content, "instances": []})
    yield json.dumps({key: value for key, value in content.items() if key != "schema"})


@pytest.mark.parametrize("text", damaged())
def test_a_damaged_record_is_named_and_how_to_mend_it(text):
    with pytest.raises(DatabaseError, match=PATH) as error:
        records.from_json(text, PATH)
    assert "Restore the file from a copy" in error.value.message


def test_a_record_of_a_later_version_asks_for_an_update():
    content = json.loads(records.to_json(builders.record_of(builders.declared())))
    with pytest.raises(DatabaseError, match=r"has schema 99, .* update the collection"):
        records.from_json(json.dumps({**content, "schema": 99, "surplus": 1}), PATH)

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever an owner sets for a database or a role, the operator gets in, and what is done there comes to its end."""

from __future__ import annotations

import gzip
import importlib
import json
from pathlib import Path

import harness
import psycopg
import pytest
from harness import PASSWORD, USERNAME, verbs

PACKAGE = "ansible_collections.vellaric.postgres.plugins.module_utils."
parameters = importlib.import_module(PACKAGE + "_domain.parameters")
naming = importlib.import_module(PACKAGE + "_backups.naming")
IMAGES = {15: harness.IMAGE, 17: harness.OTHER_MAJOR_IMAGE, 18: "vellaric/postgres:18-forky"}
READER = [{"name": "reader", "role": "readonly", "password": PASSWORD}]
# Neither end, block nor mislead a session of ours: what a plan costs and which it is; what memory, workers and writing
# may take; what is for connections by TCP, for replication, for those who are no superusers and for the log.
HARMLESS = (
    "application_name backend_flush_after client_connection_check_interval commit_delay commit_siblings cpu_ cursor_"
    " createrole_self_grant debug_logical_replication_streaming debug_pretty_print default_statistics_target"
    " default_text_search_config default_toast_compression effective_ enable_ escape_string_warning file_copy_method"
    " from_collapse_limit geqo gin_ hash_mem_multiplier icu_validation_level io_combine_limit jit_ join_collapse_limit"
    " lc_monetary lc_numeric lc_time log_parameter_max_length_on_error logical_decoding_work_mem maintenance_"
    " max_parallel md5_password_warnings min_parallel parallel_ password_encryption plan_cache_mode random_page_cost"
    " recursive_worktable_factor scram_iterations seq_page_cost stats_fetch_consistency synchronize_seqscans"
    " synchronous_commit tcp_ temp_buffers timezone_abbreviations trace_ transaction_deferrable transaction_isolation"
    " transaction_read_only vacuum_ wal_sender_timeout wal_skip_threshold work_mem"
).split()
# Where the lowest or the highest value says less.
ODD = {
    "client_encoding": ["LATIN1", "SQL_ASCII"],
    "DateStyle": ["German", "SQL, DMY"],
    "TimeZone": ["Asia/Kathmandu", "Pacific/Apia"],
    "search_path": ["nothing", "public, pg_catalog"],
    "temp_tablespaces": ["gone"],
    "restrict_nonsystem_relation_kind": ["view, foreign-table"],
    "local_preload_libraries": ["gone"],
}
BEYOND_THE_LIST = {"role": USERNAME, "session_authorization": USERNAME}


def odd_values(name, kind, value, least, most, choices):
    """Return two values of a parameter that nobody would give it."""
    if name in ODD:
        return ODD[name]
    if kind == "bool":
        return ["off" if value == "on" else "on"]
    if kind == "enum":
        others = [choice for choice in choices if choice != value]
        return [others[0], others[-1]]
    if kind in ("integer", "real"):
        # The least that a time-out can be is none.
        return ["1" if least == "0" and float(most) >= 1 else least, most]
    return ["gone"]


@pytest.mark.parametrize("major", [major for major in IMAGES if harness.THOROUGH or major != 15])
def test_every_parameter_that_an_owner_may_set(host, major):
    host.run("a", image=IMAGES[major], extensions=["pg_stat_statements"])
    host.query("a", "CREATE TABLE public.t AS SELECT g AS i, now() AS at FROM generate_series(1, 10) AS g")
    name, refused = host.name("a"), []
    known = host.query(
        "a",
        "SELECT name, vartype, setting, min_val, max_val, enumvals FROM pg_settings WHERE context = 'user' ORDER BY 1",
    )
    given = parameters.superuser(major)
    unjudged = [one[0] for one in known if one[0] not in given and not one[0].startswith(tuple(HARMLESS))]
    assert unjudged == [], "these are either overridden (_domain/parameters.py) or harmless"
    for turn in range(2):
        with host.connect("a") as owner:
            for one in [*known, *[(key, "string", None, None, None, None) for key in BEYOND_THE_LIST]]:
                values = [BEYOND_THE_LIST[one[0]]] if one[0] in BEYOND_THE_LIST else odd_values(*one)
                quoted = values[min(turn, len(values) - 1)].replace("'", "''")
                wanted = quoted if one[0] in ("search_path", "temp_tablespaces", *BEYOND_THE_LIST) else f"'{quoted}'"
                try:
                    owner.execute(f'ALTER DATABASE "{name}" SET {one[0]} = {wanted}')
                except psycopg.Error:
                    refused.append(one[0])
        shown = host.info(name=name, gather=["statistics", "settings", "sizes", "queries", "activity", "findings"])[0]
        assert shown["missing"] == {}
        answer = host.converge("a", image=IMAGES[major], extensions=["pg_stat_statements"], users=READER)
        assert verbs(answer)[-1] == "users"
        taken = host._result(
            "postgres_db_backup",
            {"name": name, "environment": host.environment, "data_root": host.data_root, "_ansible_check_mode": False},
        )["backup"]
        assert json.loads(Path(naming.manifest_name(taken["path"])).read_text())["row_counts"] == {"public.t": 10}
        with gzip.open(taken["path"], "rt") as dump:
            assert "SET client_encoding = 'UTF8';" in dump.read()
        host.psql("a", f'ALTER DATABASE "{name}" RESET ALL')
        host.converge("a", image=IMAGES[major], extensions=["pg_stat_statements"])
    # What somebody else has set who may keeps the application out, but not us.
    host.psql("a", f"ALTER DATABASE \"{name}\" SET session_preload_libraries = 'gone'")
    assert host.info(name=name, gather=["statistics", "activity", "findings"])[0]["missing"] == {}
    # The others are the server's own, of one transaction or of a place that is not there.
    assert len(set(refused)) < 15, refused


@pytest.mark.parametrize(
    "setting", ["local_preload_libraries = 'gone'", "idle_session_timeout = '1ms'", "role = reader"]
)
def test_a_login_is_proved_whatever_is_set_for_the_role(host, setting):
    host.run("a", users=READER)
    host.psql("a", f'ALTER ROLE "{USERNAME}" SET {setting}')
    answer = host.run("a", users=READER, password="Another-Horse_Battery7", update_password="always")
    assert "role" in verbs(answer)

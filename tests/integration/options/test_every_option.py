# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No option of any module or of what runs on the controller, whatever is given for it, ends in a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import harness
import pytest

NUMBER = 10_000 if harness.THOROUGH else 400
HERE = Path(__file__).resolve().parent


def right(host: harness.Host) -> dict[str, list[dict]]:
    """Options of right runs, by module: on a database that serves, and on none."""
    there = {"name": host.name("shop"), "environment": "development", "data_root": host.data_root}
    gone = {**there, "name": host.name("gone")}
    declared = {**host.defaults, "name": host.name("new"), "memory": "512m", "settings": {"work_mem": "8MB"}}
    users = [{"name": "reporting", "role": "readonly", "password": harness.PASSWORD}]
    connection = {"path": f"{host.root}/.env", "format": "env", "host": "127.0.0.1", "port": 5432, "database": "shop"}
    url = "postgresql://app@127.0.0.1:1/shop?sslmode=require"
    return {
        "postgres_db": [
            declared,
            {**declared, "name": host.name("shop"), "users": users, "extensions": ["pg_trgm"]},
            {**there, "state": "absent"},
            {"databases": [declared], "data_root": host.data_root},
        ],
        "postgres_db_info": [there, gone, {**there, "gather": ["backups"], "history": {"a": []}}],
        "postgres_db_backup": [there, gone, {**there, "state": "pruned", "retention": {"daily": 7}, "max_age": "1h"}],
        "postgres_db_restore": [{**there, "backup": "latest", "mask": ["SELECT 1"]}, gone],
        "postgres_db_import": [
            {**there, "path": f"{host.root}/dump.sql"},
            {**there, "url": url, "password": "secret"},
        ],
        "postgres_db_collations": [there, {**gone, "everything": True, "timeout": 60}],
        "postgres_db_presence": [there, gone],
        "postgres_db_exec": [
            {**there, "scripts": [{"name": "a.sql", "sql": "SELECT 1"}], "username": "b", "password": "secret"},
            {**gone, "scripts": [{"sql": "SELECT 1"}], "atomic": False, "timeout": 60},
        ],
        "postgres_db_image": [
            {
                "images": [{"reference": harness.IMAGE, "pull": "never", "build": "never"}],
                "receipt": f"{host.root}/image.json",
            }
        ],
        "postgres_db_diagnosis": [
            {**there, "password": harness.PASSWORD, "timeout": 2},
            {"container": host.container("gone"), "data_root": host.data_root},
            {"client": {"host": "127.0.0.1", "port": 1, "ca_certificate": "PEM"}, "database": "a", "username": "b"},
        ],
        "postgres_db_connection": [{**connection, "username": harness.USERNAME, "password": harness.PASSWORD}],
        "postgres_db_credentials_file": [{"path": f"{host.root}/credentials.yml", "action": "read"}],
        "postgres_db_credentials": [{"path": f"{host.root}/credentials.yml", **gone}],
        "postgres_db_view": [{"answers": {}}],
        "postgres_db_report": [{"answers": {}, "path": f"{host.root}/index.html"}],
    }


def tried(script: str, *arguments: str) -> None:
    """Run a script with odd options in a process of its own, and look at what did not end in words."""
    command = [os.environ.get("VELLARIC_TEST_PYTHON", sys.executable), str(HERE / script), str(NUMBER), "20261130"]
    environment = harness.environment()
    finished = subprocess.run([*command, *arguments], env=environment, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    answer = json.loads(finished.stdout.splitlines()[-1])
    # The last line of each tells them apart.
    print(sorted({one[0] + ": " + one[2].strip().splitlines()[-1] for one in answer["found"]}))
    print(answer["runs"], "runs in", answer["seconds"], "s")
    assert not answer["found"], "\n".join(map("\n".join, answer["found"][:10]))


def test_no_option_of_any_module_ends_in_a_traceback(shared):
    shared.run("shop")
    Path(shared.root, "dump.sql").write_text("SELECT 1;\n")
    modules = {path.stem for path in (harness.REPOSITORY / "plugins/modules").glob("postgres_db*.py")}
    # These run on the controller. What they take is made by playbooks, of answers that were checked, and by role
    # databases, of declarations that the next test looks at.
    assert modules - set(right(shared)) == {"postgres_db_outcome", "postgres_db_say", "postgres_db_declared"}
    tried("modules.py", json.dumps(right(shared)))
    assert len(shared.containers()) == 1


def test_no_option_of_what_runs_on_the_controller_does_either(shared):
    tried("controller.py", shared.root, str(harness.COLLECTIONS))


@pytest.mark.parametrize("module", ["postgres_db_backup", "postgres_db_restore", "postgres_db_import"])
def test_an_ordinary_bad_name_is_refused_in_words(shared, module):
    given = {"path": "/dump.sql"} if module == "postgres_db_import" else {}
    options = {"data_root": shared.data_root, "environment": "development", "name": "My_Shop", **given}
    with pytest.raises(harness.Failed, match="^name: 'My_Shop' is not a database name: it must be lowercase"):
        harness.result(harness.Fork(module, shared.written(options)))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"docker_timeout": 2**63}, "docker_timeout is 9223372036854775808: at most 2147483647 can be counted"),
        ({"docker_timeout": True}, "docker_timeout is true: a whole number is needed"),
        ({"wait_timeout": 2**31 - 1}, "wait_timeout is 2147483647: at most 31622400"),
        ({"version": 15.10}, "version is 15.1: a number to YAML.*put quotes around it"),
        ({"name": 7}, "name is 7: a number to YAML.*put quotes around it"),
        (
            {"users": [{"name": "reporting", "role": "readonly", "password": 123456789012}]},
            "password: a number to YAML",
        ),
    ],
)
def test_what_is_wrong_is_said(shared, given, words):
    arguments = {"name": "app", "environment": "development", "data_root": shared.data_root, **given}
    with pytest.raises(harness.Failed, match=words) as refused:
        harness.result(harness.Fork("postgres_db", shared.written(arguments)))
    assert "123456789012" not in str(refused.value.result)

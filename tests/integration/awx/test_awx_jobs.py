# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every job template of AWX, run by ansible-runner as AWX runs it, one after the other as in a workflow.

Each job begins with a fresh checkout of the project, and is given what the jobs before it have returned.
"""

from __future__ import annotations

import base64
import subprocess
import sys
import urllib.parse
from pathlib import Path

import harness
import psycopg
import pytest
from controller import TEMPLATES, VAULT_ID, Controller
from harness import IMAGE, PASSWORD, docker, eventually, inspect

LAB = harness.REPOSITORY / "tests/lab/host"
HOST = "local"
SHOP, PRODUCTION, ENTERED = "staging", "production", "Entered-in_the.Survey1"


class Workflow:
    """The jobs' AWX, its one Docker host, and what they have handed on so far."""

    def __init__(self, host):
        self.host = host
        local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        roots = {f"database_{name}": host.defaults[name] for name in ("data_root", "backup_root", "port_range")}
        self.awx = Controller(host.root, {HOST: local}, {**roots, "database_wait_timeout": 60})
        self.artifacts = {}
        self.one = {"database_hosts": HOST, "database_name": host.name("shop"), "database_environment": SHOP}

    def run(self, template, **answers):
        """Run a job that succeeds and changes what it hands on, in which no secret is; returns what the host said."""
        job = self.awx.launch(template, artifacts=self.artifacts, **answers)
        assert job.status == "successful", "\n".join(event["stdout"] for event in job.events)
        credentials = {**self.handed_on, **job.artifacts.get("postgres_credentials_artifact", {})}
        for entry in credentials.values():
            for key in ("password", "next_password"):
                if entry.get(key):
                    assert entry[key].startswith(f"$ANSIBLE_VAULT;1.2;AES256;{VAULT_ID}\n")
        self.artifacts = {**job.artifacts, "postgres_credentials_artifact": credentials}
        for entry in credentials.values():
            self.awx.decrypted(entry["password"])
        for secret in self.awx.secrets:
            for form in (secret, urllib.parse.quote(secret), base64.b64encode(secret.encode()).decode()):
                assert form not in job.written, template
        assert "SCRAM-SHA-256$" not in job.written
        return job.artifacts.get("postgres_artifact", {}).get(HOST)

    @property
    def handed_on(self):
        return self.artifacts.get("postgres_credentials_artifact", {})

    def password(self, environment=SHOP, short="shop"):
        return self.awx.decrypted(self.handed_on[self.container(short, environment)]["password"])

    def container(self, short="shop", environment=SHOP):
        return f"{self.host.name(short)}-{environment}-postgres"

    def info(self, environment=SHOP, short="shop", **options):
        (found,) = self.host.info(name=self.host.name(short), environment=environment, **options)
        return found

    def query(self, sql, environment=SHOP, short="shop"):
        """Run SQL with the credentials that the jobs have handed on."""
        known = self.info(environment, short)
        login = {"user": known["username"], "password": self.password(environment, short), "dbname": known["database"]}
        with psycopg.connect(host=known["host"], port=known["port"], autocommit=True, **login) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="module")
def workflow(shared):
    """Beside what the jobs make: a database in production, an empty one, and a container that somebody made by hand."""
    by_hand = f"{shared.name('old')}-{SHOP}-postgres"
    database = f"POSTGRES_DB={shared.name('old')}"
    docker("run", "-d", "--name", by_hand, "-e", "POSTGRES_PASSWORD=old", "-e", database, IMAGE)
    volume = inspect(by_hand)["Mounts"][0]["Name"]
    wanted = [{"name": shared.name("shop"), "environment": PRODUCTION, "deletion_protection": False}]
    shared.run(databases=[*wanted, {"name": shared.name("empty"), "environment": SHOP}], environment=None)
    flow = Workflow(shared)
    flow.awx.secrets |= {ENTERED, PASSWORD}
    command = ["psql", "-XAtqd", shared.name("shop"), "-U", "postgres", "-c"]
    docker("exec", flow.container(environment=PRODUCTION), *command, FILL)
    yield flow
    docker("rm", "-f", by_hand, check=False)
    docker("volume", "rm", "-f", volume)


FILL = f"""
SET ROLE {harness.USERNAME}; CREATE TABLE people AS SELECT i, 'person' || i || '@example.com' AS mail
FROM generate_series(1, 9) AS i
"""


def create(flow):
    answers = {**flow.one, "database_memory": "256m", "database_cpus": "0.5", "database_sslmode": "require"}
    # Without its artifact, the new password would vanish with the job.
    refused = flow.awx.launch("create", credentials_artifact=False, **answers)
    assert refused.status == "failed" and "is thrown away with it" in refused.written
    assert inspect(flow.container()) is None
    said = flow.run("create", **answers)
    assert (said["name"], said["environment"], said["status"]) == (flow.host.name("shop"), SHOP, "active")
    assert (said["memory_limit_bytes"], said["cpus"], said["sslmode"]) == (256 * 2**20, 0.5, "require")
    assert flow.query("SELECT current_user") == [(said["username"],)]
    # With what the job has returned, the same answers change nothing, also in AWX's check mode.
    checked = flow.awx.launch("create", artifacts=flow.artifacts, check=True, **answers)
    assert checked.status == "successful"
    checked = flow.awx.launch("create", check=True, **answers)
    assert checked.status == "failed" and "vellaric.postgres.rotate" in checked.written


def list_(flow):
    said = flow.run("list")
    assert sorted(one["container_name"] for one in said if one["name"] == flow.host.name("shop")) == [
        flow.container(environment=PRODUCTION),
        flow.container(),
    ]


def show(flow):
    (said,) = flow.run("show", database_name=flow.host.name("shop"), database_environment=SHOP)
    assert said["id"] == flow.info()["id"] and {"statistics", "findings", "backups"} <= set(said)


def stats(flow):
    (said, other) = flow.run("stats", report_name=flow.host.name("sho*"))
    assert {said["statistics"]["status"], other["statistics"]["status"]} == {"running"}


def slow_queries(flow):
    assert len(flow.run("slow_queries", report_name=flow.host.name("*"), report_limit=5)) >= 2


def check(flow):
    (said,) = flow.run("check", report_name=flow.host.name("empty"))
    assert said["findings"] == []


def diagnose(flow):
    said = flow.run("diagnose", **flow.one)
    assert said["container_name"] == flow.container()
    assert [one for one in said["checks"] if one["state"] == "fails"] == []


def exec_(flow):
    flow.run("exec", **flow.one, exec_sql="CREATE TABLE visits AS SELECT 7 AS page")
    assert flow.query("SELECT page FROM visits") == [(7,)]


def collations(flow):
    # Its own image made it, so that nothing is sorted otherwise.
    assert flow.run("collations", **flow.one) == []


def start(flow):
    assert flow.run("start", **flow.one)["status"] == "active"


def stop(flow):
    assert flow.run("stop", **flow.one)["status"] == "stopped"


def restart(flow):
    assert flow.run("restart", **flow.one)["status"] == "active"


def resize(flow):
    assert flow.run("resize", **flow.one, database_memory="320m", database_cpus="1")["cpus"] == 1
    assert inspect(flow.container())["HostConfig"]["Memory"] == 320 * 2**20


def backup(flow):
    said = flow.run("backup", **{**flow.one, "database_environment": PRODUCTION})
    assert Path(said["path"]).exists()


def backups(flow):
    assert flow.run("backups", **{**flow.one, "database_environment": PRODUCTION})["count"] == 1


def verify(flow):
    assert flow.run("verify", **{**flow.one, "database_environment": PRODUCTION})["verified"]


def rotate(flow):
    before = flow.password()
    flow.run("rotate", **flow.one)
    assert flow.password() != before and flow.query("SELECT 1") == [(1,)]


def connection(flow):
    path = Path(flow.host.root, "shop.env")
    where = {"database_connection_on": "localhost", "database_connection_path": str(path)}
    flow.run("connection", **flow.one, **where, database_connection_format="env")
    written = dict(line.split("=", 1) for line in path.read_text().splitlines())
    assert path.stat().st_mode & 0o777 == 0o600
    assert psycopg.connect(written["DATABASE_URL"].strip("'\"")).execute("SELECT 1").fetchone() == (1,)


def rotate_all(flow):
    before = flow.password()
    flow.run("rotate-all", database_environment=SHOP)
    assert flow.password() != before and flow.query("SELECT 1") == [(1,)]
    assert flow.query("SELECT 1", short="empty") == [(1,)]


def delete(flow):
    flow.query("CREATE TABLE kept AS SELECT 42 AS answer")
    flow.run("delete", **flow.one, database_deletion_protection="false")
    assert inspect(flow.container()) is None


def undelete(flow):
    assert flow.run("undelete", **flow.one)["status"] == "active"
    assert flow.query("TABLE kept") == [(42,)]


def restore(flow):
    command = ["psql", "-XAtqd", flow.host.name("shop"), "-U", "postgres", "-c"]
    docker("exec", flow.container(environment=PRODUCTION), *command, "DELETE FROM people")
    flow.run("restore", **{**flow.one, "database_environment": PRODUCTION})
    count = docker("exec", flow.container(environment=PRODUCTION), *command, "SELECT count(*) FROM people")
    assert count == "9"


def clone(flow):
    mask = "UPDATE people SET mail = '{{ 7 * 7 }}'"
    flow.run("clone", **flow.one, clone_from_environment=PRODUCTION, clone_mask=mask)
    # What is entered is no template.
    assert flow.query("SELECT DISTINCT mail FROM people") == [("{{ 7 * 7 }}",)]


def import_(flow):
    container = flow.container(environment=PRODUCTION)
    docker("exec", container, "psql", "-Upostgres", "-c", f"ALTER ROLE {harness.USERNAME} PASSWORD '{ENTERED}'")
    address = docker("inspect", "-f", "{{.NetworkSettings.IPAddress}}", container)
    url = f"postgresql://{harness.USERNAME}@{address}/{flow.host.name('shop')}?sslmode=require"
    answers = {**flow.one, "database_name": flow.host.name("empty"), "import_url": url, "import_password": ENTERED}
    assert flow.run("import", **answers)["row_counts"] == {"public.people": 9}
    assert flow.query("SELECT count(*) FROM people", short="empty") == [(9,)]


def prune(flow):
    assert flow.run("prune", **{**flow.one, "database_environment": PRODUCTION}) != []


def adopt(flow):
    query = ["psql", "-XAtq", "-h", "127.0.0.1", "-U", "postgres", "-c", "SELECT 1"]
    eventually(lambda: docker("exec", flow.container("old"), *query, check=False) == "1", 180)
    answers = {**flow.one, "database_name": flow.host.name("old"), "database_image": IMAGE}
    assert flow.run("adopt", **answers)["status"] == "active"
    assert flow.query("SELECT 1", short="old") == [(1,)]


def site(flow):
    shop = {"name": flow.host.name("shop"), "environment": SHOP, "image": IMAGE, "sslmode": "require"}
    declared = [{**shop, "users": [{"name": "report", "role": "readonly"}]}]
    flow.awx.variables["postgres_databases"] = declared
    (said,) = flow.run("site")
    assert said["container_name"] == flow.container() and said["changed"]
    # The next job has the passwords of the new user and of the old one.
    job = flow.awx.launch("site", artifacts=flow.artifacts)
    # A fresh checkout is given the file that the artifact has; nothing is done to the database.
    assert job.artifacts["postgres_artifact"][HOST][0]["changed"] is False


def prepare(flow):
    flow.run("prepare")


def schedule(flow):
    """Over SSH, with a machine credential as AWX gives it, on a host that has nothing yet: in AWX's check mode."""
    name = f"{flow.host.prefix}-machine"
    line = subprocess.run([str(LAB), "start", name], stdout=subprocess.PIPE, text=True, check=True).stdout
    known = dict(
        word.split("=", 1) for word in line.split() if word.startswith("ansible_") and "ssh_common" not in word
    )
    try:
        key = known.pop("ansible_ssh_private_key_file")
        job = Controller(flow.host.root, {name: known}, {}, ssh_key=key).launch("schedule", check=True)
        assert job.status == "successful", "\n".join(event["stdout"] for event in job.events)
        assert job.changes > 0 and "Would start vellaric-backup@production.timer" in job.written
    finally:
        subprocess.run([str(LAB), "stop", name], check=True, capture_output=True)


def pause(flow):
    pooled(flow, True)
    flow.run("pause", **flow.one)
    assert flow.info(gather=["pooler"])["pooler_statistics"]["paused"] != []


def resume(flow):
    flow.run("resume", **flow.one)
    assert flow.info(gather=["pooler"])["pooler_statistics"]["paused"] == []
    pooled(flow, False)


def pooled(flow, pooler):
    """Give the database a pooler, or take it away: no job of those before and after has to do with one."""
    kept = {"username": None, "password": None, "image": None, "environment": SHOP, "partial": True}
    flow.host.run("shop", pooler=pooler, **kept)


# By template. A word of Python's own has an underscore behind it.
CASES = {
    "create": create,
    "list": list_,
    "show": show,
    "stats": stats,
    "slow_queries": slow_queries,
    "check": check,
    "diagnose": diagnose,
    "exec": exec_,
    "collations": collations,
    "start": start,
    "stop": stop,
    "restart": restart,
    "pause": pause,
    "resume": resume,
    "resize": resize,
    "backup": backup,
    "backups": backups,
    "verify": verify,
    "rotate": rotate,
    "connection": connection,
    "rotate-all": rotate_all,
    "delete": delete,
    "undelete": undelete,
    "restore": restore,
    "clone": clone,
    "import": import_,
    "prune": prune,
    "adopt": adopt,
    "site": site,
    "prepare": prepare,
    "schedule": schedule,
}


def test_each_template_has_a_case():
    assert set(CASES) == set(TEMPLATES)


@pytest.mark.parametrize("template", CASES)
def test_job(workflow, template):
    CASES[template](workflow)

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks that show a fleet: two hosts with real databases, and one that cannot be reached."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from harness import eventually, inspect

from playbooks import BIN, Fleet, changes

sys.path.insert(0, str(Path(__file__).resolve().parent))

from browser import Browser  # noqa: E402

HOSTILE = "</script><script>window.hostile=1</script>{{ 7*7 }}"
REACHED = ("--limit", "local:second")


@pytest.fixture(scope="module")
def fleet(shared):
    """Databases on two hosts, which are directories of this machine; the third host is not there."""
    fleet = Fleet(shared)
    path = fleet.root / "inventory/hosts.yml"
    inventory = yaml.safe_load(path.read_text())
    hosts = inventory["postgres_hosts"]["hosts"]
    second = f"{shared.root}/second"
    hosts["second"] = {**hosts["local"], "database_data_root": second}
    hosts["away"] = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_ssh_common_args": "-o ConnectTimeout=3"}
    path.write_text(yaml.safe_dump(inventory))
    names = {"name": shared.name("shop"), "extensions": ["pg_stat_statements"], "memory": "512m"}
    shared.run(databases=[names, {"name": shared.name("forum")}], name=None)
    shared.run("wiki", data_root=second)
    shared.run("forum", state="stopped", username=None, password=None)
    with shared.connect("shop") as connection:
        connection.execute(f'SELECT count(*) AS "{HOSTILE}" FROM pg_class')
    return fleet


@pytest.fixture(scope="module")
def browser():
    browser = Browser()
    yield browser
    browser.close()


def document(output):
    """The JSON among what a playbook prints, found as the README says."""
    (found,) = re.findall(r"^\{$.*?^\}$", output, re.MULTILINE | re.DOTALL)
    return json.loads(found)


def row(output, name):
    return next(line for line in output.splitlines() if line.startswith(name + " "))


def test_list_shows_all_hosts_and_names_the_one_that_is_away(fleet):
    output = fleet.run("list", succeeds=False)
    host = fleet.host
    assert row(output, host.name("shop")).split()[1:5] == [
        *("development", "local", "active"),
        f"127.0.0.1:{host.record('shop')['port']}",
    ]
    assert row(output, host.name("forum")).split()[3] == "stopped"
    assert row(output, host.name("wiki")).split()[2:4] == ["second", "active"]
    assert "3 databases on 2 hosts: 2 active, 1 stopped." in output
    assert "away: it cannot be reached" in output
    assert "1 of 3 hosts could not be asked: away." in output
    assert row(output, "DATABASE").index("ENVIRONMENT") == row(output, host.name("shop")).index("development")


def test_list_of_what_is_asked_for(fleet):
    output = fleet.run("list", *REACHED, database_name=fleet.host.name("sh*"))
    assert fleet.host.name("shop") in output and fleet.host.name("wiki") not in output
    assert "There is no database." in fleet.run("list", *REACHED, "-e", "environment=production")
    assert changes(output) == 0


def test_stats_are_what_the_server_and_the_engine_say(fleet):
    with fleet.host.connect("shop"), fleet.host.connect("shop"):
        output = fleet.run("stats", *REACHED)
    shown = row(output, fleet.host.name("shop"))
    assert " running " in shown and " 2 / 97 " in shown and "MB / 512MB" in shown
    assert re.search(r" \d+ MB .* [\d.]+% .* (\d+m )?\d+s ", shown)
    assert row(output, fleet.host.name("forum")).split()[3] == "stopped"


def test_json_is_all_that_is_known(fleet):
    path = fleet.root / "written/stats.json"
    output = fleet.run("stats", *REACHED, output="json", report_dest=str(path))
    assert path.stat().st_mode & 0o777 == 0o600
    assert not re.search(r"^\{$", output, re.MULTILINE)
    known = json.loads(path.read_text())
    assert [host["name"] for host in known["hosts"]] == ["local", "second"]
    databases = {one["name"]: one for one in known["databases"]}
    assert len(databases) == 3
    shop = databases[fleet.host.name("shop")]
    assert shop["id"] == fleet.host.record("shop")["id"]
    assert (shop["inventory_host"], shop["statistics"]["status"]) == ("local", "running")
    limit = inspect(shop["container_name"])["HostConfig"]["Memory"]
    assert shop["statistics"]["memory_limit_bytes"] == limit == 512 << 20


def test_show(fleet):
    output = fleet.play("show", "-vv", *REACHED)
    record = fleet.host.record("shop")
    assert re.search(rf"^    port +{record['port']}$", output, re.MULTILINE)
    assert re.search(rf"^    id +{record['id']}$", output, re.MULTILINE)
    assert re.search(r"^    version +15\.\d+$", output, re.MULTILINE)
    assert "There is no database" in fleet.play("show", *REACHED, short="unknown", succeeds=False)


def test_slow_queries(fleet):
    output = fleet.run("slow_queries", *REACHED)
    assert f'SELECT count(*) AS "{HOSTILE[:30]}' in output
    assert f"{fleet.host.name('wiki')} (development) on second" in output
    assert "extensions: [pg_stat_statements]" in output
    known = document(fleet.run("slow_queries", *REACHED, output="json"))
    (shop,) = [one for one in known["databases"] if one["name"] == fleet.host.name("shop")]
    assert any(HOSTILE in query["query"] for query in shop["queries"])


def test_check_fails_on_findings_of_a_severity(fleet):
    low = {"connections_warning": 1, "connections_critical": 50}
    with fleet.host.connect("shop"), fleet.host.connect("shop"):
        passed = fleet.run("check", *REACHED, report_thresholds=low)
        failed = fleet.run("check", *REACHED, report_thresholds=low, fail_on="warning", succeeds=False)
    line = f"WARNING   {fleet.host.name('shop')} (development) on local: 2 of 97 connections are in use"
    assert line in passed and line in failed
    assert f"findings of critical or warning severity in {fleet.host.container('shop')}." in failed
    assert "fail_on" in fleet.run("check", *REACHED, fail_on="sometimes", succeeds=False)


def test_check_counts_a_host_that_says_nothing(fleet):
    assert "1 of 3 hosts could not be asked: away." in fleet.run("check", succeeds=False)


def test_the_day_on_which_the_disk_will_be_full_comes_from_the_history(fleet):
    """It is told only with a past in which the disk fills: one is made up that would fill this machine's in days."""
    (shop,) = fleet.host.info(name=fleet.host.name("shop"), gather=["statistics"])
    total, used = (shop["statistics"][key] for key in ("disk_total_bytes", "disk_used_bytes"))
    free = shop["statistics"]["disk_free_bytes"]
    history = fleet.root / "past/history.jsonl"
    history.parent.mkdir()
    lines = []
    for days in range(10, 0, -1):
        # Full in about five days.
        sample = {"id": shop["id"], "disk_used_bytes": int(used - days * free / 5), "disk_total_bytes": total}
        entry = {"at": time.time() - days * 86400, "host": "local", "databases": {shop["container_name"]: sample}}
        lines.append(json.dumps(entry))
    history.write_text("\n".join(lines))
    output = fleet.run("check", *REACHED, report_history=str(history), report_thresholds={"disk_warning": 99})
    assert "WARNING" in output and re.search(r"will be full on \d{4}-\d\d-\d\d, in [3-7] days", output)


def test_report(fleet, browser):
    directory = fleet.root / "report"
    output = fleet.run("report", "--check", *REACHED, report_directory=str(directory))
    assert changes(output) == 1 and not directory.exists()

    output = fleet.run("report", *REACHED, "-vv", report_directory=str(directory))
    page, history = directory / "index.html", directory / "history.jsonl"
    assert f"file://{page}" in output
    assert page.stat().st_mode & 0o777 == history.stat().st_mode & 0o777 == 0o600
    assert len(history.read_text().splitlines()) == 2
    fleet.run("report", report_directory=str(directory), report_mode="0644", succeeds=False)
    assert page.stat().st_mode & 0o777 == 0o644
    assert len(history.read_text().splitlines()) == 4

    browser.open(page)
    # So few are open from the beginning.
    assert browser.count("details.database[open]") == 3
    names = {fleet.host.name(short) for short in ("shop", "forum", "wiki")}
    assert set(browser.texts("#overview tbody th")) == names
    assert browser.texts(".notice.critical")[0].startswith("away is not in this report: it cannot be reached")
    assert any(HOSTILE in text for text in browser.texts(".queries code"))
    assert browser.run("return typeof window.hostile") == "undefined"
    assert browser.complaints() == [] and browser.requests() == []
    # Both samples are there to draw a line.
    drawn = "return [...document.querySelectorAll('[data-chart=memory_bytes] .line')].map(e => e.getAttribute('d'))"
    assert len([line for line in browser.run(drawn) if " L " in line]) == 2
    secret = fleet.host.defaults["password"]
    assert secret not in page.read_text() + history.read_text() + output


def test_the_report_of_an_empty_fleet(fleet, browser):
    directory = fleet.root / "empty"
    fleet.run("report", *REACHED, report_directory=str(directory), database_environment="production")
    browser.open(directory / "index.html")
    assert browser.texts("h2") == ["No databases yet"]


def test_bad_input_is_refused(fleet):
    assert "interval" in fleet.run("report", *REACHED, interval=1, watch_count=20000, succeeds=False)
    (fleet.root / "file").write_text("not a directory")
    output = fleet.run("report", *REACHED, report_directory=str(fleet.root / "file"), succeeds=False)
    assert "choose another path" in output and "Traceback" not in output


def samples(directory):
    text = (directory / "history.jsonl").read_text() if (directory / "history.jsonl").exists() else ""
    return [json.loads(line) for line in text.splitlines()]


def start(fleet, **variables):
    command = [str(BIN / "ansible-playbook"), "vellaric.postgres.report", *REACHED, "-i", "inventory"]
    command += ["-e", json.dumps({"database_name": fleet.host.name("shop"), **variables})]
    return subprocess.Popen(
        command,
        env=fleet.environment,
        cwd=fleet.root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # Ignored where the tests run in the background of a shell, and that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def test_watching_is_bounded_and_two_watches_share_a_history(fleet):
    directory = fleet.root / "watched"
    runs = [start(fleet, report_directory=str(directory), interval=1, watch_count=3) for turn in range(2)]
    for run in runs:
        output = run.communicate()[0]
        assert run.returncode == 0, output
        assert changes(output) == 3
    times = [entry["at"] for entry in samples(directory) if entry["host"] == "local"]
    assert len(times) == 6 and len(samples(directory)) == 12
    # The last page that is written is one that browsers no longer refresh.
    assert '"refresh":0' in (directory / "index.html").read_text()


def test_a_watch_can_be_interrupted(fleet):
    directory = fleet.root / "interrupted"
    run = start(fleet, report_directory=str(directory), interval=2, watch_duration=600)
    try:
        eventually(lambda: len(samples(directory)) >= 4, seconds=90)
        asked = time.monotonic()
        # As Ctrl+C does: the signal goes to all processes of the terminal.
        os.killpg(run.pid, signal.SIGINT)
        run.communicate(timeout=30)
        assert time.monotonic() - asked < 30
    finally:
        if run.poll() is None:
            run.send_signal(signal.SIGKILL)
    page = (directory / "index.html").read_text()
    assert page.rstrip().endswith("</html>") and '"refresh":2' in page
    assert all(entry["databases"] for entry in samples(directory) if entry["host"] == "local")

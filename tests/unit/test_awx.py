# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWX is told holds together: templates, surveys, schedules, the playbooks, the roles and the guide."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DECLARED = yaml.safe_load((ROOT / "playbooks/vars/awx.yml").read_text())
PLAYBOOK = yaml.safe_load((ROOT / "playbooks/awx.yml").read_text())[0]
GUIDE = (ROOT / "docs/awx.md").read_text()
PREFIX = PLAYBOOK["vars"]["awx_prefix"]
QUESTIONS = {question["variable"]: question for question in DECLARED["awx_questions"]}
TEMPLATES = {template["name"]: template for template in DECLARED["awx_templates"]}
# awx is this itself, and the page of report would vanish with the job.
# What is for a terminal alone, beside those that need no template.
WITHOUT = {"awx", "report", "connect", "logs", "url"}


def playbook(template):
    return (ROOT / "playbooks" / f"{template.get('playbook', template['name'])}.yml").read_text()


def options(text):
    """Return what the roles of a playbook take, by name."""
    found = {}
    for role in set(re.findall(r"vellaric\.postgres\.(\w+)$", text, re.MULTILINE)):
        specification = ROOT / "roles" / role / "meta/argument_specs.yml"
        if specification.exists():
            for entry_point in yaml.safe_load(specification.read_text())["argument_specs"].values():
                found.update(entry_point["options"])
    return found


def asked(template):
    return [QUESTIONS[variable] for variable in template["questions"]]


def task(name):
    return next(task for task in PLAYBOOK["tasks"] if task["name"] == name)


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
class TestTemplate:
    def test_its_playbook_takes_what_it_asks(self, template):
        text = playbook(template)
        known = options(text)
        for variable in [*template["questions"], *template.get("variables", {})]:
            assert variable in known or re.search(rf"\b{variable}\b", text)

    def test_its_choices_are_the_roles(self, template):
        known = options(playbook(template))
        for question in asked(template):
            option = known.get(question["variable"], {})
            if "choices" in option:
                assert question["type"] == "multiplechoice" and set(question["choices"]) == set(option["choices"])
            if option.get("type") == "bool":
                assert question["choices"] == ["true", "false"]
            # A default of the role's is that of the survey, too.
            if "default" in option and "default" in question and option["default"] != "":
                assert question["default"] == option["default"]
            if option.get("no_log"):
                assert question["type"] == "password"

    def test_it_asks_all_that_is_required(self, template):
        text = playbook(template)
        if "vars/operation.yml" in text:
            assert {"database_name", "database_environment"} <= set(template["questions"])

    def test_the_guide_names_it(self, template):
        assert f"`{PREFIX}{template['name']}`" in GUIDE


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
class TestQuestion:
    def test_it_is_asked(self, question):
        assert any(question["variable"] in template["questions"] for template in TEMPLATES.values())

    def test_it_has_an_answer(self, question):
        """AWX hands on an empty answer as an empty text, which is not what a role takes for one that is not given."""
        assert question["required"] is True
        assert question.get("default", "something") != ""
        if question["type"] == "multiplechoice":
            assert question.get("default", question["choices"][0]) in question["choices"]

    def test_a_secret_has_no_default(self, question):
        if re.search("password|secret|token|key$", question["variable"]):
            assert question["type"] == "password"
        if question["type"] == "password":
            assert "default" not in question


def test_nothing_is_there_twice():
    assert len(QUESTIONS) == len(DECLARED["awx_questions"]) and len(TEMPLATES) == len(DECLARED["awx_templates"])
    runs = [(template.get("playbook", name), repr(template.get("variables"))) for name, template in TEMPLATES.items()]
    assert len(set(runs)) == len(runs)


def test_each_operation_has_a_template():
    there = {path.stem for path in (ROOT / "playbooks").glob("*.yml")}
    assert {template.get("playbook", name) for name, template in TEMPLATES.items()} == there - WITHOUT


def test_operators_take_nothing_away():
    destructive = {"delete", "restore", "clone", "import", "prune", "rotate-all", "site"}
    assert {name for name in destructive if TEMPLATES[name]["team"] != "admins"} == set()
    assert {template["team"] for template in TEMPLATES.values()} == set(PLAYBOOK["vars"]["awx_teams"])
    # A guide that says otherwise would be worse than none.
    rows = dict(re.findall(rf"^\| `{PREFIX}(operators|admins)` \| (.*) \|$", GUIDE, re.MULTILINE))
    for team, row in rows.items():
        named = set(re.findall(rf"`{PREFIX}([\w-]+)`", row))
        assert named == {name for name, template in TEMPLATES.items() if template["team"] == team}
    assert set(rows) == {"operators", "admins"}


def test_a_template_is_not_made_another_at_launch():
    template = task("Declare the job templates")["awx.awx.job_template"]
    assert template["ask_variables_on_launch"] is False
    assert "postgres_operation" not in QUESTIONS


def test_schedules_answer_their_surveys():
    for schedule in DECLARED["awx_schedules"]:
        template = TEMPLATES[schedule["template"]]
        assert set(schedule["answers"]) == set(template["questions"])
        for question in asked(template):
            assert schedule["answers"][question["variable"]] in question.get(
                "choices", [schedule["answers"][question["variable"]]]
            )
        # What AWX insists on.
        assert re.fullmatch(r"DTSTART:\d{8}T\d{6}Z RRULE:FREQ=[A-Z]+;INTERVAL=\d+.*", schedule["rrule"])
        assert f"`{PREFIX}{schedule['name']}`" in GUIDE


def test_the_requests_of_the_guide_are_answered():
    launched = re.findall(r"/job_templates/([\w-]+)\+\+\w+/launch/ \\\n    -d '(.*?)'", GUIDE, re.DOTALL)
    assert len(launched) == GUIDE.count("/launch/ ")
    for name, body in launched:
        template = TEMPLATES[name[len(PREFIX) :]]
        given = json.loads(body)["extra_vars"]
        assert set(given) <= set(template["questions"])
        for question in asked(template):
            assert question["variable"] in given or "default" in question
            if "choices" in question and question["variable"] in given:
                assert given[question["variable"]] in question["choices"]


def test_the_playbook_of_the_guide_runs_what_a_template_says():
    (play,) = yaml.safe_load(re.search(r"```yaml\n(---\n.*?)```", GUIDE, re.DOTALL).group(1))
    assert play["ansible.builtin.import_playbook"] == "vellaric.postgres.{{ postgres_operation }}"
    assert "postgres_operation" in task("Declare the job templates")["awx.awx.job_template"]["extra_vars"]


@pytest.mark.parametrize("guide", ["docs/awx.md", "docs/ci.md", "inventory/example/README.md"])
def test_guides_name_files_that_are_there(guide):
    path = ROOT / guide
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_the_workflow_is_whole():
    action, workflow = (
        yaml.safe_load(block)
        for block in re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/ci.md").read_text(), re.DOTALL)
    )
    used = [step for job in workflow["jobs"].values() for step in job["steps"] if "site" in step.get("uses", "")]
    assert [step["with"]["arguments"] for step in used] == ["--check --diff", "--diff"]
    assert all(set(step["with"]) == set(action["inputs"]) for step in used)
    assert workflow["permissions"] == {"contents": "read"} and "permissions" not in workflow["jobs"]["check"]

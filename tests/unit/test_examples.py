# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every example in guides, in the heads of playbooks and in EXAMPLES of plugins holds, and a broken one is found."""

from __future__ import annotations

import dataclasses
import re

import pytest
import yaml
from ansible_collections.vellaric.postgres.plugins.plugin_utils import variables
from ansible_collections.vellaric.postgres.tests.unit.examples import commands, known, sources, spans, yamls

# What is shown of other things than commands.
DRAWINGS = ("parameters -> spec",)
CHECKS = {
    "sh": commands.mistakes,
    "yaml": yamls.mistakes,
    "json": yamls.mistakes_in_json,
    "span": spans.mistakes,
    # What something prints.
    "text": lambda example: [],
}
EXAMPLES = [example for example in sources.everything() if not example.text.strip().startswith(DRAWINGS)]
BLOCKS = [example for example in EXAMPLES if example.kind != "span"]


def mistakes(example):
    return CHECKS[example.kind](example)


@pytest.mark.parametrize("example", BLOCKS, ids=str)
def test_it_holds(example):
    assert mistakes(example) == []


@pytest.mark.parametrize("guide", sorted({example.where.partition(":")[0] for example in EXAMPLES}))
def test_what_its_sentences_name_is_there(guide):
    spoken = [example for example in EXAMPLES if example.kind == "span" and example.where.partition(":")[0] == guide]
    assert [(example.where, example.text, wrong) for example in spoken for wrong in mistakes(example)] == []


@pytest.mark.parametrize("path", sources.guides(), ids=lambda path: str(path.relative_to(sources.ROOT)))
def test_its_links_lead_somewhere(path):
    assert spans.broken_links(path) == []


def test_the_same_ansible_is_installed_everywhere():
    files = [*sources.guides(), sources.ROOT / "execution-environment.yml"]
    pinned = {wanted for path in files for wanted in re.findall(r"\bansible-core([<>=!~][^'\s]*)", known.read(path))}
    needed = yaml.safe_load(known.read(sources.ROOT / "meta/runtime.yml"))["requires_ansible"]
    assert {f"{wanted}.0" for wanted in pinned} == {needed}


def test_what_is_given_with_e_in_any_text_is_known():
    found = []
    for pattern in ("plugins/**/*.py", "roles/**/*.yml", "playbooks/**/*.yml", "inventory/**/*.yml"):
        for path in sources.ROOT.glob(pattern):
            found += [(path.name, wrong) for wrong in commands.mistakes_in_given(known.read(path))]
    assert found == []


@pytest.mark.parametrize("role", sorted(known.ROLES))
def test_the_variables_of_a_role_are_those_of_its_readme(role):
    text = known.read(sources.ROOT / "roles" / role / "README.md")
    specification = yaml.safe_load(known.read(sources.ROOT / "roles" / role / "meta/argument_specs.yml"))
    options = {name for entry in specification["argument_specs"].values() for name in entry.get("options") or {}}
    rows = {name for name in re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) if variables.family(name)}
    assert rows - options - set(variables.RETURNED) == set()
    spoken = set(re.findall(r"`(\w+)`", text))
    assert set(specification["argument_specs"]["main"].get("options") or {}) - spoken == set()


# The words of a command that have to be right: playbooks, variables, options, targets, paths, templates of AWX.
WORDS = "|".join(
    (
        r"vellaric\.postgres\.\w+",
        r"(?<=-e )\w+(?==)",
        r"(?<= )--[a-z][\w-]+",
        r"(?<=make )[a-z]+",
        r"tests/[\w./-]+",
        r"postgres-\w+(?=\+\+)",
    )
)
# Those of a template, and values of which a fleet's declaration has a few to choose from.
TEMPLATED = r"(?<=[^|]\| )[a-z_.]+\b|\b(?:hostvars|selectattr|rejectattr|inventory_hostname)\b"
CHOSEN = r"(?<=    state: )[a-z]+|(?<=    sslmode: )[a-z]+|(?<=    environment: )[a-z]+"
KEYWORDS = {"become", "hosts", "name", "register", "tasks"}


def options_in(text):
    """Return the options of the modules in a piece of YAML, and the keywords of plays and tasks."""
    builtin = r"ansible\.builtin\.(?:copy|assert|include_role)"
    modules = re.findall(rf"^ *(vellaric\.postgres\.\w+|{builtin}):", text, re.MULTILINE)
    return {*KEYWORDS, *(option for module in modules for option in known.documented(module)[0])} if modules else set()


def slips(example):
    """Yield an example with a letter too many in one of the words that have to be right, for each of them."""
    found = list(re.finditer(WORDS if example.kind == "sh" else r"vellaric\.postgres\.\w+", example.text))
    if example.kind == "yaml":
        there = {*variables.known(), *options_in(example.text)}
        # Variables of the reader's own, below vars, may be called anything.
        own = [
            match.span() for match in re.finditer(r"^  vars:\n(?:    (?!database_).*\n)+", example.text, re.MULTILINE)
        ]
        keys = re.finditer(r"^[ -]*?(\w+)(?=:)", example.text, re.MULTILINE)
        found += [match for match in keys if match[1] in there and not any(a < match.start() < b for a, b in own)]
        found += re.finditer(TEMPLATED, example.text)
        found += re.finditer(CHOSEN, example.text) if "postgres_databases:" in example.text else ()
    for match in found:
        commented = "#" in example.text[: match.start()].rpartition("\n")[2]
        if not commented:
            yield match[0], example.text[: match.end()] + "x" + example.text[match.end() :]


@pytest.mark.parametrize("example", [example for example in BLOCKS if example.kind != "json"], ids=str)
def test_a_slip_of_the_pen_in_it_is_found(example):
    for word, text in slips(example):
        around = example.around.replace(example.text, text)
        assert mistakes(dataclasses.replace(example, text=text, around=around)), f"{word}x passes for right"


SPOKEN = "|".join(
    (
        r"vellaric\.postgres\.\w+",
        r"(?<=-e )\w+(?==)",
        r"(?<=^make )[a-z]+",
        r"^(?:tests|docs|plugins|roles)/[\w./-]+$",
        r"^(?:database|backup)_\w+$",
    )
)


def test_a_slip_of_the_pen_in_a_sentence_is_found():
    passed = []
    for example in EXAMPLES:
        for match in re.finditer(SPOKEN, example.text) if example.kind == "span" else ():
            text = example.text[: match.end()] + "x" + example.text[match.end() :]
            if match[0] != "database_memroy" and not mistakes(dataclasses.replace(example, text=text)):
                passed.append((example.where, text))
    assert passed == []


def test_the_first_hour_was_run_as_it_is_written():
    """tests/first_hour.py runs what the page says, and keeps what was printed."""
    page, transcript = (
        known.read(sources.ROOT / f"docs/{name}.md") for name in ("first-hour", "transcripts/first-hour")
    )
    written = re.findall(r"^```sh\n(.*?)\n```$", page, re.MULTILINE | re.DOTALL)
    assert len(written) > 5
    assert [command for command in written if f"```console\n$ {command}\n" not in transcript] == []
    assert transcript.count("```console\n") == len(written)

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with commands in examples. One that nobody here knows is wrong, too: it is to be checked somehow."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import re
import shlex

import psycopg
import yaml
from ansible_collections.vellaric.postgres.plugins.plugin_utils import variables
from ansible_collections.vellaric.postgres.tests.unit.examples import known
from ansible_collections.vellaric.postgres.tests.unit.examples.sources import ROOT, Example

AWX = yaml.safe_load(known.read(ROOT / "playbooks/vars/awx.yml"))
QUESTIONS = {question["variable"]: question for question in AWX["awx_questions"]}
# Paths that stand for the reader's own.
_OWN = {"inventory", "job.json"}
# Programs that are not ours: by subcommand, the options that examples give them, those with a value marked by =.
_FOREIGN = {
    "docker": {
        "exec": "-i -t -it -u=", "logs": "-f --tail=", "ps": "-a",
        "port": "", "save": "", "load": "", "inspect": "", "stats": "",
        "run": "--env-file=", "network create": "", "image rm": "", "stop": "", "update": "--restart=",
        "pause": "", "unpause": "", "rm": "-f", "system prune": "", "system df": "",
    },
    "systemctl": {"list-timers": "", "start": "", "restart": "", "status": "", "": "--failed"},
    "journalctl": {"": "-u= -n="},
    "jq": {"": "-r"},
    "ssh": {"": "-t"},
    "sed": {"": "-n"},
    "git": {
        "add": "-A", "diff": "--cached --quiet", "commit": "-m=", "pull": "--rebase", "push": "", "clone": "",
        "tag": "",
    },
    "antsibull-changelog": {"release": "--reload-plugins --update-existing", "lint": "", "generate": ""},
    "curl": {"": "--fail-with-body -X= -H= -d="},
    "pip": {"install": "-q"},
    "python3": {"": "-m=", "explode": ""},
    "ansible-builder": {"build": "--tag="},
    "ansible-test": {"sanity": ""},
    "molecule": dict.fromkeys(("test", "converge", "login", "destroy", "verify"), "-s= --host="),
}  # fmt: skip
_SHELL = {
    "export",
    "read",
    "umask",
    "trap",
    "unset",
    "printf",
    "exit",
    "rm",
    ".",
    "cd",
    "date",
    "cp",
    "mktemp",
    "mkdir",
    "head",
    "base64",
}
# What becomes of the options of our own scripts, they say themselves.
_SCRIPTS = {
    *(f"tests/lab/{name}" for name in ("up", "down", "host")),
    *(f"tests/run-{name}" for name in ("matrix", "cores", "sanity")),
}
_ANSIBLE = {
    "ansible-playbook": ("ansible.cli.playbook", "PlaybookCLI"),
    "ansible-galaxy": ("ansible.cli.galaxy", "GalaxyCLI"),
    "ansible-inventory": ("ansible.cli.inventory", "InventoryCLI"),
    "ansible-vault": ("ansible.cli.vault", "VaultCLI"),
    "ansible-doc": ("ansible.cli.doc", "DocCLI"),
}
KNOWN = {*_FOREIGN, *_SCRIPTS, *_ANSIBLE, "make", "pytest", "psql"}


def split(text: str) -> list[list[str]]:
    """Return the commands of a piece of shell, each as its words; what goes into files is words after > and >>."""
    joined = re.sub(r"\\\n\s*", " ", text)
    lexer = shlex.shlex(_without_comments(joined), posix=True, punctuation_chars="();|&\n")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t", True, ""
    commands: list[list[str]] = [[]]
    for word in lexer:
        if set(word) <= set("();|&\n"):
            commands.append([])
        else:
            commands[-1].append(word)
    return [command for command in commands if command]


def _without_comments(text: str) -> str:
    lines, opened = [], False
    for line in text.splitlines():
        if not opened:
            line = re.sub(r"^((?:[^'#]|'[^']*'|(?<=\S)#)*?)(?:^|(?<=\s))#\s.*$", r"\1", line)
        opened ^= line.count("'") % 2 == 1
        lines.append(line)
    return "\n".join(lines)


def mistakes(example: Example) -> list[str]:
    try:
        commands = split(example.text)
    except ValueError as error:
        return [f"is no shell: {error}"]
    found = []
    for command in commands:
        words = [word for word in command if word != "..."]
        while words and re.match(r"[A-Za-z_]+=", words[0]):
            name, _equals, value = words.pop(0).partition("=")
            if name.startswith("VELLARIC_") and not _occurs(name, "tests/**/*", "Makefile"):
                found.append(f"no test knows {name}")
        if words:
            found += _mistakes(words, example)
    return found


def _occurs(name: str, *patterns: str) -> bool:
    return any(name in known.read(path) for pattern in patterns for path in ROOT.glob(pattern) if _is_text(path))


def _is_text(path) -> bool:
    return path.is_file() and path.suffix in ("", ".py", ".yml", ".j2") and "__pycache__" not in path.parts


def _mistakes(words: list[str], example: Example) -> list[str]:
    program, arguments = re.sub(r"^\$\w+/(.*/)?", "", words[0]), words[1:]
    while ">" in arguments or ">>" in arguments:
        place = next(place for place, word in enumerate(arguments) if word in (">", ">>"))
        del arguments[place : place + 2]
    arguments = [word for word in arguments if not word.startswith(">")]
    if program in _ANSIBLE:
        return _of_ansible(program, arguments, example)
    if program == "make":
        return _of_make(arguments)
    if program == "pytest":
        return _of_pytest(arguments)
    if program == "psql":
        return _of_psql(arguments)
    if program in _SCRIPTS:
        return _of_script(program, arguments)
    if program in _FOREIGN:
        wrong = _of_foreign(program, arguments, example)
        if program == "molecule":
            scenario = arguments[arguments.index("-s") + 1]
            return wrong + _of_path(f"extensions/molecule/{scenario}/molecule.yml", example)
        return wrong + (_of_curl(arguments) if program == "curl" else [])
    if program == "/usr/local/lib/vellaric/backup.pyz":
        usage = known.read(ROOT / "plugins/module_utils/_schedule/command.py")
        return [f"backup.pyz has no {word}" for word in arguments if f'"{word}"' not in usage]
    if program in _SHELL or "=" in program or "$" in program:
        return []
    return [f"nothing here knows the command {program}"]


@functools.lru_cache(maxsize=None)
def _parser(program: str, first: str):
    module, name = _ANSIBLE[program]
    command = getattr(__import__(module, fromlist=[name]), name)([program, first])
    command.init_parser()
    return command.parser


def _parsed(program: str, arguments: list[str]):
    """Parse as Ansible itself does; returns what came of it, or what it says."""
    parser = _parser(program, "collection" if program == "ansible-galaxy" else "")
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            return parser.parse_args(arguments), []
        except SystemExit:
            return None, [said.getvalue().strip().splitlines()[-1]]


def _of_ansible(program: str, arguments: list[str], example: Example) -> list[str]:
    arguments = [word for word in arguments if not re.fullmatch(r"\$\w+", word)]
    named = any(word.startswith(known.OURS) or word.endswith(".yml") for word in arguments)
    if program == "ansible-playbook" and not named:
        # ansible-playbook -i inventory.ini ...
        arguments = [*arguments, f"{known.OURS}list"]
    options, found = _parsed(program, arguments)
    if found:
        return found
    for path in getattr(options, "inventory", None) or []:
        found += _of_path(path, example)
    for plugin in getattr(options, "args", None) or [] if program == "ansible-doc" else []:
        if plugin.removeprefix(known.OURS) not in known.PLUGINS:
            found.append(f"there is no plugin {plugin}")
    if program == "ansible-playbook":
        for playbook in options.args:
            found += _of_playbook(playbook, options, example)
    if program == "ansible-galaxy":
        # To publish takes one archive; to build takes this directory where none is named.
        names = [options.args] if isinstance(options.args, str) else [name for name in options.args if name != "."]
        found += [f"{name} is not ours" for name in names if not re.search(r"postgres|awx\.awx", name)]
    return found


def _of_path(path: str, example: Example) -> list[str]:
    if path in _OWN or (ROOT / path).exists() or example.around.count(path) > example.text.count(path):
        return []
    if re.search(rf">>? {re.escape(path)}\b", example.around):
        return []
    return [f"there is no {path}"]


def _of_playbook(playbook: str, options, example: Example) -> list[str]:
    if not playbook.startswith(known.OURS):
        return _of_path(playbook, example)
    name = playbook[len(known.OURS) :]
    if name not in known.PLAYBOOKS:
        return [f"there is no playbook {playbook}"]
    found, values = [], {}
    for given in options.extra_vars or []:
        if not given.startswith("@"):
            values.update(given_variables(given))
    for variable in values:
        # Any word of the code would do, such as an option of a command that a role runs.
        if variable not in known.taken(name) or variable not in known.VARIABLES:
            found.append(f"playbook {name} knows no {variable}")
    # The short forms stand for variables of role report.
    long = {f"report_{variable}": value for variable, value in values.items()}
    return found + known.mistakes_in_variables({**long, **values})


def given_variables(text: str) -> dict:
    """Read what is given with -e."""
    if text.startswith("{"):
        return json.loads(text)
    return dict(pair.split("=", 1) for pair in shlex.split(text) if "=" in pair)


def mistakes_in_given(text: str) -> list[str]:
    """Return what is wrong with -e NAME=VALUE, of which nobody says which playbook it is for."""
    found = []
    for name, value in re.findall(r"-e\s+['\"]?(\w+)=(\S*)", text):
        there = any(name in known.taken(playbook) for playbook in known.PLAYBOOKS)
        if not there and name != "database_memroy":
            found.append(f"no playbook knows {name}")
        value = value.strip("'\"`.,;)]")
        if there and value and re.fullmatch(r"[a-z0-9_:]+", value) and name in variables.known():
            found += known.mistakes_in_variables({name: value})
    return found


def _of_make(arguments: list[str]) -> list[str]:
    found = []
    for word in arguments:
        name, equals, value = word.partition("=")
        if equals and not re.search(rf"^{name} \?=", known.read(ROOT / "Makefile"), re.MULTILINE):
            found.append(f"the Makefile has no {name}")
        if name == "SCENARIOS":
            there = [ROOT / "extensions/molecule" / scenario / "molecule.yml" for scenario in value.split()]
            found += [f"there is no {path}" for path in there if not path.exists()]
        if equals and "/" in value and not (ROOT / value).exists():
            found.append(f"there is no {value}")
        if not equals and name not in (*known.targets(), ".venv/.tools"):
            found.append(f"there is no make {name}")
    return found


def _of_pytest(arguments: list[str]) -> list[str]:
    found, paths = [], [word for word in arguments if "/" in word]
    found += [f"there is no {path}" for path in paths if not (ROOT / path).exists()]
    texts = [known.read(ROOT / path) for path in paths if (ROOT / path).is_file()]
    for place, word in enumerate(arguments):
        if word == "-k" and not any(arguments[place + 1] in text for text in texts):
            found.append(f"no test is chosen by -k {arguments[place + 1]}")
        if word.startswith("-") and word not in ("-k", "-x", "-q", "--pdb"):
            found.append(f"nothing here knows {word} of pytest")
    return found


def _of_psql(arguments: list[str]) -> list[str]:
    if len(arguments) == 1 and "=" in arguments[0]:
        try:
            psycopg.conninfo.conninfo_to_dict(arguments[0])
        except psycopg.ProgrammingError as error:
            return [str(error)]
        return []
    return _unknown_options("psql", arguments, "-d= -c= -U=")


def _of_script(program: str, arguments: list[str]) -> list[str]:
    path = ROOT / program
    if not path.exists() or not path.stat().st_mode & 0o111:
        return [f"{program} cannot be run"]
    text = known.read(path)
    options = [word for word in arguments if word.startswith("-")]
    if program == "tests/run-sanity":
        # They are handed on to ansible-test.
        options = [word for word in options if word != "--test"]
    found = [f"{program} has no {word}" for word in options if not re.search(rf"{word}\b", text)]
    if program == "tests/lab/host" and arguments and not re.search(rf"^\s+{arguments[0]}\)", text, re.MULTILINE):
        found.append(f"{program} has no {arguments[0]}")
    for option, value in zip(arguments, arguments[1:]):
        if option in ("--init", "--release") and not re.search(rf"[|\[ ]{value}[|\] ]", text):
            found.append(f"{program} knows no {option} {value}")
    paths = [word for word in arguments if word.startswith("tests/")]
    return found + [f"there is no {word}" for word in paths if not (ROOT / word).exists()]


def _of_foreign(program: str, arguments: list[str], example: Example) -> list[str]:
    subcommands = _FOREIGN[program]
    if program == "git":
        while arguments[:1] == ["-c"]:
            arguments = arguments[2:]
    for length in (2, 1, 0):
        name = " ".join(arguments[:length])
        if name in subcommands:
            rest = arguments[length:]
            # What runs in a container is a command, too.
            if (program, name) == ("docker", "exec"):
                outside = _up_to_container(rest)
                inside = rest[len(outside) :]
                wrong = _mistakes(inside[1:], example) if inside[1:] and inside[1] in {*KNOWN, "psql"} else []
                return _unknown_options("docker exec", outside, subcommands[name]) + wrong
            return _unknown_options(f"{program} {name}", rest, subcommands[name])
    return [f"nothing here knows {program} {' '.join(arguments[:1])}"] if arguments else []


def _up_to_container(words: list[str]) -> list[str]:
    place = 0
    while place < len(words) and words[place].startswith("-"):
        place += 2 if words[place] == "-u" else 1
    return words[:place]


def _unknown_options(program: str, arguments: list[str], there: str) -> list[str]:
    names = {option.rstrip("="): option.endswith("=") for option in there.split()}
    found, place = [], 0
    while place < len(arguments):
        word = arguments[place]
        if word.startswith("-") and word != "-":
            if word.partition("=")[0] not in names:
                found.append(f"nothing here knows {word} of {program}")
            place += bool(names.get(word))
        place += 1
    return found


def _of_curl(arguments: list[str]) -> list[str]:
    """AWX's API: a template that there is, and the answers to its survey."""
    found = []
    url = next(word for word in arguments if word.startswith("https://"))
    launched = re.search(r"/api/v2/job_templates/postgres-(\w+)\+\+Default/launch/$", url)
    if not launched:
        return [] if re.search(r"/api/v2/jobs/\d+/$", url) else [f"AWX has no {url}"]
    template = next((template for template in AWX["awx_templates"] if template["name"] == launched[1]), None)
    if template is None:
        return [f"there is no template {launched[1]}"]
    answers = json.loads(arguments[arguments.index("-d") + 1])["extra_vars"]
    asked = {name: question for name, question in QUESTIONS.items() if name in template["questions"]}
    found += [f"{launched[1]} does not ask {name}" for name in answers if name not in asked]
    found += [f"{launched[1]} asks {name}" for name in asked if name not in answers and not asked[name].get("default")]
    return found + known.mistakes_in_variables(answers)

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
import yaml
from ansible_collections.vellaric.postgres.plugins.plugin_utils.vars_file import VarsFile, VarsFileError
from hypothesis import given, settings
from hypothesis import strategies as st

CIPHERTEXT = "$ANSIBLE_VAULT;1.2;AES256;prod\n61626364\n65666768\n"
OTHER = "$ANSIBLE_VAULT;1.1;AES256\n30313233\n"
NEW = {"a-production-postgres": {"username": "app", "password": CIPHERTEXT}}


class Loader(yaml.SafeLoader):
    """Reads the files as Ansible would."""


Loader.add_constructor("!vault", lambda loader, node: ("vault", loader.construct_scalar(node).split()))
Loader.add_constructor("!unsafe", lambda loader, node: ("unsafe", loader.construct_scalar(node)))


def load(text):
    return yaml.load(text, Loader)


def entry(username, ciphertext):
    return {"username": username, "password": ("vault", ciphertext.split())}


def add(text, changes=None):
    return VarsFile(text).with_entries(changes or NEW)


BLOCK = """\
postgres_credentials:
  a-production-postgres:
    username: app
    password: !vault |
      $ANSIBLE_VAULT;1.2;AES256;prod
      61626364
      65666768
"""


@pytest.mark.parametrize("text", ["", "\n", "  \n\n", "\ufeff"])
def test_new_file(text):
    assert add(text) == "---\n" + BLOCK


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("---\n", "---\n" + BLOCK),
        ("---", "---\n" + BLOCK),
        ("# only a comment\n", "# only a comment\n" + BLOCK),
        ("---\n# a comment", "---\n# a comment\n" + BLOCK),
        ("--- # a comment\n", "--- # a comment\n" + BLOCK),
        ("a: 1\n", "a: 1\n" + BLOCK),
        ("a: 1", "a: 1\n" + BLOCK),
        ("a: 1  # one", "a: 1  # one\n" + BLOCK),
        ("a: 1\n\n# the end\n", "a: 1\n\n# the end\n" + BLOCK),
        ("---\na: 1\n...\n", "---\na: 1\n" + BLOCK + "...\n"),
        ("a: |\n  text\n", "a: |\n  text\n" + BLOCK),
        # A line break behind these would become a part of the text.
        ("a: |\n  text", BLOCK + "a: |\n  text"),
        ("---\na: |+\n  text\n\n\n", "---\n" + BLOCK + "a: |+\n  text\n\n\n"),
        ("a:\n- 1\n- 2\n", "a:\n- 1\n- 2\n" + BLOCK),
        ("a: &x [1]\nb: *x\n", "a: &x [1]\nb: *x\n" + BLOCK),
        ("a: 'ü€😀'\n", "a: 'ü€😀'\n" + BLOCK),
        ("\ufeffa: 1\n", "\ufeffa: 1\n" + BLOCK),
        ("postgres_credentials:\n", BLOCK),
        ("postgres_credentials: {}\n", BLOCK),
        ("postgres_credentials: ~\nb: 2\n", BLOCK + "b: 2\n"),
        ("postgres_credentials: null  # none yet\nb: 2\n", BLOCK.replace(":\n", ":  # none yet\n", 1) + "b: 2\n"),
    ],
)
def test_section_is_added_and_nothing_else_changes(text, expected):
    assert add(text) == expected


def test_windows_line_breaks_are_kept():
    assert add("a: 1\r\nb: 2\r\n") == "a: 1\r\nb: 2\r\n" + BLOCK.replace("\n", "\r\n")


def test_all_that_is_encrypted():
    text = "postgres_credentials:\n  broken: {}\n  list: []\n  clear: {username: b, password: in-clear}\n"
    assert VarsFile("").ciphertexts() == VarsFile(text).ciphertexts() == []
    assert [found.split() for found in VarsFile(add(text)).ciphertexts()] == [CIPHERTEXT.split()]


def test_indented_mapping():
    assert add("  a: 1\n") == "  a: 1\n" + "".join(f"  {line}\n" for line in BLOCK.splitlines())


def test_entry_is_added_behind_the_others_in_their_indentation():
    text = (
        "postgres_credentials: # ours\n"
        "    b-staging-postgres: # b\n"
        "        password: !vault |\n"
        "            $ANSIBLE_VAULT;1.1;AES256\n"
        "            30313233\n"
        "        username: b # its user\n"
        "\n"
        "# about z\n"
        "z: !vault |\n"
        "  $ANSIBLE_VAULT;1.1;AES256\n"
        "  30313233\n"
    )
    head, tail = text.split("\n\n")
    added = (
        "    a-production-postgres:\n"
        "      username: app\n"
        "      password: !vault |\n"
        "        $ANSIBLE_VAULT;1.2;AES256;prod\n"
        "        61626364\n"
        "        65666768\n"
    )
    assert add(text) == head + "\n" + added + "\n" + tail


def test_entry_is_added_behind_a_block_scalar_and_before_the_empty_lines():
    text = BLOCK + "\n\nz: 1\n"
    result = add(text, {"b-staging-postgres": {"username": "b", "password": OTHER}})
    assert result.startswith(BLOCK + "  b-staging-postgres:\n") and result.endswith("30313233\n\n\nz: 1\n")


def test_several_entries_and_a_change_at_once():
    text = "postgres_credentials:\n  a-production-postgres:\n    username: app\n    password: plain-text-password # !\n"
    changes = {
        "a-production-postgres": {"password": CIPHERTEXT},
        "b-staging-postgres": {"username": "yes", "password": OTHER},
        "c-staging-postgres": {"username": "null", "password": OTHER},
    }
    result = add(text, changes)
    assert load(result)["postgres_credentials"] == {
        "a-production-postgres": entry("app", CIPHERTEXT),
        "b-staging-postgres": entry("yes", OTHER),
        "c-staging-postgres": entry("null", OTHER),
    }
    assert "    password: !vault | # !\n      $ANSIBLE_VAULT;1.2" in result
    assert "plain-text" not in result


@pytest.mark.parametrize(
    "old", ["plain", "'quoted'", '"quoted"', "'two\n      lines'", "!vault |\n      $X\n\n", "!unsafe x"]
)
def test_password_is_replaced(old):
    text = f"postgres_credentials:\n  a-production-postgres:\n    password: {old}\n    username: app # x\n# z\nz: 1\n"
    result = add(text, {"a-production-postgres": {"password": CIPHERTEXT}})
    assert load(result) == {"postgres_credentials": {"a-production-postgres": entry("app", CIPHERTEXT)}, "z": 1}
    assert "    username: app # x\n# z\nz: 1\n" in result


@pytest.mark.parametrize("old", ["plain", "'quoted'", '"quoted"', "!vault |\n      $X\n"])
def test_username_is_replaced(old):
    rest = "    # why\n    password: !vault |\n        $ANSIBLE_VAULT;1.1;AES256\n        30313233\n    note: [1, 2]\n"
    text = f"postgres_credentials:\n  a-production-postgres:\n    username: {old}\n{rest}"
    result = add(text, {"a-production-postgres": {"username": "app"}})
    assert result.startswith("postgres_credentials:\n  a-production-postgres:\n    username: app\n")
    assert result.endswith(rest)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "--- {}\n",
        "{a: 1}",
        '{\n  "a": [1, 2],\n  "b": "x"\n}\n',
        "{a: 1, postgres_credentials: {}}",
        "{a: 1, postgres_credentials: }",
        "{ # one\n  a: 1, # two\n}\n",
        "postgres_credentials: {b: {username: u, password: !vault x}, }\n",
        "a: 1\npostgres_credentials: {\n  b: {username: u, password: !vault x} # b\n}\n# end\n",
    ],
)
def test_flow_style(text):
    before = load(text) or {}
    result = add(text)
    after = load(result)
    section = dict(
        before.pop("postgres_credentials", None) or {}, **{"a-production-postgres": entry("app", CIPHERTEXT)}
    )
    assert after.pop("postgres_credentials") == section
    assert after == before
    changed = add(result, {"a-production-postgres": {"username": "bpp", "password": OTHER}})
    assert load(changed)["postgres_credentials"]["a-production-postgres"] == entry("bpp", OTHER)
    removed = VarsFile(changed).without_entries(["a-production-postgres"])
    assert (load(removed) if removed else {}) == {
        key: value for key, value in load(text).items() if key != "postgres_credentials" or value
    }


def test_removal():
    c = BLOCK.replace("a-production", "c-production").split("\n", 1)[1]
    text = "# top\n" + BLOCK + "\n  # about c\n" + c + "\n# z\nz: 1"
    file = VarsFile(text)
    assert file.without_entries(["a-production-postgres"]) == (
        "# top\npostgres_credentials:\n\n  # about c\n" + c + "\n# z\nz: 1"
    )
    assert file.without_entries(["a-production-postgres", "c-production-postgres"]) == "# top\n\n# z\nz: 1"


@pytest.mark.parametrize("text", [BLOCK, "---\n" + BLOCK, "\ufeff---\n" + BLOCK + "\n...\n", BLOCK.rstrip()])
def test_removal_of_everything(text):
    assert VarsFile(text).without_entries(["a-production-postgres"]) is None


def test_removal_keeps_comments():
    text = "# Ask the storage team before you change this.\n---\n" + BLOCK
    assert VarsFile(text).without_entries(["a-production-postgres"]) == text.replace(BLOCK, "")


def test_entry():
    file = VarsFile(BLOCK)
    assert file.containers() == ["a-production-postgres"]
    found = file.entry("a-production-postgres")
    assert (found.username.text, found.username.encrypted) == ("app", False)
    assert (found.password.text, found.password.encrypted) == (CIPHERTEXT, True)
    assert file.entry("b-production-postgres") is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"$ANSIBLE_VAULT;1.1;AES256\n6162\n", "encrypted as a whole.*ansible-vault decrypt"),
        (b"\xff\xfea\x00", "not UTF-8"),
        (b"- a\n- b\n", "must be a mapping"),
        (b"just text\n", "must be a mapping"),
        (b"a: [1\nb: secret-value-here\n", "line 2.*not valid YAML"),
        (b"a: 'secret-value-here\n", "not valid YAML"),
        (b"a: 1\n---\nb: 2\n", "line 2.*not valid YAML.*another document"),
        (b"a: \x00\n", "characters that YAML does not allow"),
        (b"a: " + b"[" * 5000, "nested too deeply"),
        (b"postgres_credentials: [1]\n", "line 1: postgres_credentials must be a mapping"),
        (b"postgres_credentials: secret-value-here\n", "must be a mapping"),
        (b"postgres_credentials: !vault |\n  $X\n", "must be a mapping"),
        (b"postgres_credentials: {}\npostgres_credentials: {}\n", "line 2: the file has 'postgres_credentials' twice"),
        (b"postgres_credentials:\n  a: {}\n  a: {}\n", "line 3: postgres_credentials has 'a' twice"),
        (b"b: &b {x: {}}\npostgres_credentials:\n  <<: *b\n", "merge keys"),
    ],
)
def test_files_refused(content, message):
    with pytest.raises(VarsFileError, match=message) as caught:
        VarsFile.parse(content)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x", "line 2: postgres_credentials.a-production-postgres must be a mapping"),
        ("", "must be a mapping"),
        ("{username: u}", "has no password: add it, or remove the entry"),
        ("{password: secret}", "has no username"),
        ("{username: u, password: }", "has no password"),
        ("{username: u, password: ''}", "has no password"),
        ("{username: u, password: [secret]}", "has no password"),
        ("{username: u, password: secret, password: secret}", "has 'password' twice"),
        ("{username: u, password: '{{ secret }}'}", "its password is a template"),
        ("{<<: {username: u}, password: secret}", "merge keys"),
    ],
)
def test_entries_refused(text, message):
    with pytest.raises(VarsFileError, match=message) as caught:
        VarsFile(f"postgres_credentials:\n  a-production-postgres: {text}\n").entry("a-production-postgres")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "b: &b {c-x: {username: u, password: p}}\npostgres_credentials: *b\n",
        "b: &b {username: u, password: p}\npostgres_credentials:\n  a-production-postgres: *b\n",
        "b: &b text\npostgres_credentials:\n  a-production-postgres:\n    username: u\n    password: *b\n",
        "postgres_credentials:\n  a-production-postgres:\n    username: u\n    password: &b text\nb: *b\n",
    ],
)
def test_what_would_change_something_else_is_refused(text):
    with pytest.raises(VarsFileError, match="without changing something else"):
        add(text, {"a-production-postgres": {"username": "app", "password": CIPHERTEXT}})


def test_anchors_elsewhere_do_no_harm():
    text = "b: &b [*b]\nc: &c {d: 1}\ne: {<<: *c}\n" + BLOCK
    result = add(text, {"a-production-postgres": {"username": "bpp"}})
    assert result == text.replace("app", "bpp")


# -- for any file: everything else stays byte for byte

_words = st.text(alphabet="abcü€ 😀#:-'\"{}[]&*!|>%@,", max_size=12)
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | _words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_words, inner, max_size=3),
    max_leaves=6,
)
_entries = st.dictionaries(
    st.sampled_from([f"k{number}-staging-postgres" for number in range(4)]),
    st.fixed_dictionaries({"username": st.sampled_from(["app", "yes", "db_user_1"]), "password": st.just("plain" * 3)}),
    max_size=4,
)


@st.composite
def _files(draw):
    others = draw(st.dictionaries(_words.filter(lambda word: word != "postgres_credentials"), _values, max_size=4))
    content = list(others.items())
    section = draw(st.none() | _entries)
    if section is not None:
        content.insert(draw(st.integers(0, len(content))), ("postgres_credentials", section))
    if not content:
        return draw(st.sampled_from(["", "---\n", "# nothing\n"]))
    text = yaml.safe_dump(
        dict(content),
        sort_keys=False,
        allow_unicode=draw(st.booleans()),
        default_flow_style=draw(st.sampled_from([None, False, True])),
        indent=draw(st.sampled_from([2, 4])),
        explicit_start=draw(st.booleans()),
        explicit_end=draw(st.booleans()),
        line_break=draw(st.sampled_from(["\n", "\r\n"])),
    )
    if draw(st.booleans()):
        text = "# a comment\n" + text
    if draw(st.booleans()):
        text = text.rstrip("\r\n")
    return text


def _is_subsequence(needle, haystack):
    rest = iter(haystack)
    return all(character in rest for character in needle)


@settings(max_examples=400)
@given(text=_files(), username=st.sampled_from(["app", "no", "db_user_2"]))
def test_any_file(text, username):
    before = load(text) or {}
    container = "k0-staging-postgres"
    stored = (before.get("postgres_credentials") or {}).get(container)
    result = add(text, {container: {"username": username, "password": CIPHERTEXT}})

    after = load(result)
    assert after["postgres_credentials"].pop(container) == entry(username, CIPHERTEXT)
    (before.get("postgres_credentials") or {}).pop(container, None)
    before.setdefault("postgres_credentials", {})
    assert after == before
    if stored is None and "postgres_credentials: {}" not in text and text.strip():
        # Only added to: what was there is there, in order and in one or two pieces.
        prefix = next((i for i, (a, b) in enumerate(zip(text, result)) if a != b), len(text))
        assert result.endswith(text[prefix:])

    # And away again: what was there before comes back.
    removed = VarsFile(result).without_entries([container])
    if removed is not None and stored is None:
        assert _is_subsequence("".join(removed.split()), "".join(text.split()))
        left = load(removed) or {}
        left.setdefault("postgres_credentials", {})
        assert left == before
    again = VarsFile(result).with_entries({container: {"username": "app"}})
    assert load(again)["postgres_credentials"][container] == entry("app", CIPHERTEXT)


@pytest.mark.parametrize(
    "text",
    [
        BLOCK,
        BLOCK + "# a comment\n\nother: 1\n",
        BLOCK.rstrip("\n"),
        "postgres_credentials:\n  a-production-postgres:\n    password: clear\n    username: app # mine\n",
        'postgres_credentials: {a-production-postgres: {username: app, password: !vault "x"}, b: {c: 1}}\n',
    ],
)
def test_keys_are_added_replaced_and_taken_away(text):
    name = "a-production-postgres"
    waiting = VarsFile(text).with_entries({name: {"next_username": "bpp", "next_password": OTHER}})
    found = load(waiting)["postgres_credentials"][name]
    assert (found["next_username"], found["next_password"]) == ("bpp", ("vault", OTHER.split()))
    gone = {"password": OTHER, "next_password": None, "next_username": None}
    done = VarsFile(waiting).with_entries({name: gone})
    assert load(done)["postgres_credentials"][name] == entry("app", OTHER)
    assert VarsFile(done).with_entries({name: {"next_password": None}}) == done
    # Everything else is as it was.
    others = [{**load(each), "postgres_credentials": None} for each in (text, done)]
    assert others[0] == others[1] and ("# mine" in text) == ("# mine" in done)

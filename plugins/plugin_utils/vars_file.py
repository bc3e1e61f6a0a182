# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads and changes our section of a YAML vars file, whose other content is the user's and stays byte for byte.

A YAML library that writes the file anew would lose comments and formatting. So the text is parsed only to learn
where things are, edited there, and the result parsed again: what was not meant to change must not have changed.
Pure: text in, text out. The encryption itself is none of its business.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import yaml

SECTION = "postgres_credentials"

_MAP = "tag:yaml.org,2002:map"
_NULL = "tag:yaml.org,2002:null"
_MERGE = "tag:yaml.org,2002:merge"
_STR = "tag:yaml.org,2002:str"
_VAULT_TAGS = ("!vault", "!vault-encrypted")
_REQUIRED = ("username", "password")
_OPTIONAL = ("next_username", "next_password")
_ENCRYPTED = ("password", "next_password")
_INDENT = 2
# YAML 1.1's line breaks, which are PyYAML's.
_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
# What is left of a file in which nothing is left.
_NOTHING = re.compile(r"\ufeff?\s*(---)?\s*(\{\s*\})?\s*(\.\.\.)?\s*")


if TYPE_CHECKING:
    from typing_extensions import TypeGuard

    # Where a replacement begins, where it ends, and its text; a key with what it has.
    Edit = tuple[int, int, str]
    Pair = tuple[yaml.Node, yaml.Node]


class VarsFileError(Exception):
    """The file is not what it should be. The message says where and what fixes it; it never quotes the file."""


class Value:
    """A scalar of an entry: its text, and whether that text is vault-encrypted."""

    def __init__(self, node: yaml.ScalarNode) -> None:
        self.text = node.value
        self.encrypted = node.tag in _VAULT_TAGS


class Entry:
    """The credentials of one role. next_...: what is taking their place while a rotation is under way, else None."""

    def __init__(
        self, username: Value, password: Value, next_username: Value | None = None, next_password: Value | None = None
    ) -> None:
        self.username = username
        self.password = password
        self.next_username = next_username
        self.next_password = next_password


class VarsFile:
    def __init__(self, text: str) -> None:
        self.text = text
        self.newline = "\r\n" if "\r\n" in text else "\n"
        self.root = _compose(text)
        _check_unique(self.root, "the file", only=SECTION)
        self.section_key: yaml.Node | None
        self.section: yaml.Node | None
        self.section_key, self.section = _find(self.root, SECTION)
        if self.section_key is None or _is_null(self.section):
            return
        if not _is_mapping(self.section):
            raise VarsFileError(
                f"line {_line(self.section_key)}: {SECTION} must be a mapping of container names to a username and a"
                " password"
            )
        _check_unique(self.section, SECTION)

    @classmethod
    def parse(cls, content: bytes | None) -> VarsFile:
        """From the bytes of a file; None when there is no file."""
        try:
            text = (content or b"").decode("utf-8")
        except UnicodeDecodeError as error:
            raise VarsFileError(f"it is not UTF-8 text (byte {error.start})") from error
        if text.lstrip("\ufeff \r\n\t").startswith("$ANSIBLE_VAULT;"):
            raise VarsFileError(
                "it is vault-encrypted as a whole: choose another file, or decrypt this one with ansible-vault decrypt;"
                " the passwords of databases are encrypted one by one, so that the rest can be read"
            )
        return cls(text)

    def containers(self) -> list[str]:
        return [key.value for key, _node in _pairs(self.section)]

    def ciphertexts(self) -> list[str]:
        """The passwords of all entries that are encrypted, whatever else is in those entries."""
        nodes = [_find(node, "password")[1] for _key, node in _pairs(self.section) if _is_mapping(node)]
        return [node.value for node in nodes if isinstance(node, yaml.ScalarNode) and Value(node).encrypted]

    def entry(self, container: str) -> Entry | None:
        """The entry of a container, or None."""
        key, node = _find(self.section, container)
        if key is None:
            return None
        where = f"line {_line(key)}: {SECTION}.{container}"
        if not _is_mapping(node):
            raise VarsFileError(f"{where} must be a mapping with a username and a password")
        _check_unique(node, where)
        values = {}
        for name in (*_REQUIRED, *_OPTIONAL):
            key, value = _find(node, name)
            if key is None and name in _OPTIONAL:
                continue
            if value is None or _is_null(value) or not isinstance(value, yaml.ScalarNode) or not value.value.strip():
                raise VarsFileError(f"{where} has no {name}: add it, or remove the entry")
            if "{{" in value.value or "{%" in value.value:
                raise VarsFileError(f"{where}: its {name} is a template: put the value itself there")
            values[name] = Value(value)
        return Entry(**values)

    def with_entries(self, changes: Mapping[str, Mapping[str, str | None]]) -> str:
        """The text with changes made: {container: {"username": text, "password": ciphertext}}, or what of it changes.

        Containers that have no entry are given one; both of its values are then needed. Of those that have one, a key
        is added, replaced, or with None removed.
        """
        added = {
            name: {key: value for key, value in values.items() if value is not None}
            for name, values in changes.items()
            if _find(self.section, name)[0] is None
        }
        edits: list[Edit] = []
        for container, values in changes.items():
            entry = _find(self.section, container)[1]
            if _is_mapping(entry):
                for name, value in values.items():
                    edits += self._replace(entry, name, value)
        candidates = [edits + place for place in self._add(added)] if added else [edits]
        for candidate in candidates:
            text = self._edited(candidate)
            if self._differs_only_in(text, changes):
                return text
        raise VarsFileError(
            f"{SECTION} cannot be changed without changing something else (anchors and aliases are a possible reason):"
            " write the section in the plain form that the documentation shows"
        )

    def without_entries(self, containers: Iterable[str]) -> str | None:
        """The text without these entries, and without the section when none is left; None when nothing is left."""
        going = [container for container in containers if _find(self.section, container)[0] is not None]
        if not going or self.root is None:
            return self.text
        if _is_mapping(self.section) and len(going) < len(self.section.value):
            candidates = [self._remove(self.section, going)]
        else:
            section = self._remove(self.root, [SECTION])
            text = self._edited(section)
            if _NOTHING.fullmatch(text):
                return None
            # A document of comments only, with an end marker, is not valid: it then needs to have a content.
            candidates = [section, [(start, end, "{}" + self.newline) for start, end, _nothing in section]]
        for candidate in candidates:
            text = self._edited(candidate)
            if self._differs_only_in(text, dict.fromkeys(going)):
                return text
        raise VarsFileError(
            f"{SECTION} cannot be changed without changing something else (anchors and aliases are a possible reason):"
            " remove the entries by hand"
        )

    # -- edits: (start, end, replacement), in the order in which those at the same place are to appear

    def _edited(self, edits: Iterable[Edit]) -> str:
        parts, position = [], 0
        for start, end, replacement in sorted(edits, key=lambda edit: edit[:1]):
            parts += [self.text[position:start], replacement]
            position = end
        return "".join(parts) + self.text[position:]

    def _replace(self, entry: yaml.MappingNode, name: str, value: str | None) -> list[Edit]:
        key, node = _find(entry, name)
        if key is None or node is None:
            return [] if value is None else [self._add_key(entry, name, value)]
        if value is None:
            return self._remove(entry, [name])
        start = node.start_mark.index
        # A block scalar's mark is behind the empty lines that follow it.
        end = len(self.text[: node.end_mark.index].rstrip())
        if name not in _ENCRYPTED:
            return [(start, end, _scalar(value))]
        if entry.flow_style:
            return [(start, end, _flow_vault(value))]
        # A comment behind the old value stays where it is: behind the indicator of the block.
        lines = _block_lines(value, key.start_mark.column + _INDENT)
        return [(start, end, "!vault |"), self._lines_after(end, lines)]

    def _add_key(self, entry: yaml.MappingNode, name: str, value: str) -> Edit:
        if entry.flow_style:
            shown = _flow_vault(value) if name in _ENCRYPTED else _scalar(value)
            return self._after_brace(entry, f"{name}: {shown}")
        lines = _key_lines(name, value, _start(entry).column)
        return self._lines_after(self._content_end(*entry.value[-1]), lines)

    def _add(self, entries: Mapping[str, Mapping[str, str]]) -> list[list[Edit]]:
        """Ways to add entries, best first."""
        section, root = self.section, self.root
        if section is None or root is None or self.section_key is None:
            return self._add_section(entries)
        if not _is_mapping(section) or not section.value:
            start, end = section.start_mark.index, section.end_mark.index
            if root.flow_style:
                return [[(start, end, f" {{{_flow_entries(entries)}}}")]]
            column = self.section_key.start_mark.column + _INDENT
            start = len(self.text[:start].rstrip(" "))
            return [[(start, end, ""), self._lines_after(end, _entry_lines(entries, column))]]
        if section.flow_style:
            return [[self._after_brace(section, _flow_entries(entries))]]
        column = _start(section).column
        end = self._content_end(*section.value[-1])
        return [[self._lines_after(end, _entry_lines(entries, column))]]

    def _add_section(self, entries: Mapping[str, Mapping[str, str]]) -> list[list[Edit]]:
        if self.root is not None and self.root.flow_style:
            return [[self._after_brace(self.root, f"{SECTION}: {{{_flow_entries(entries)}}}")]]
        first = _start(self.root) if self.root is not None and self.root.value else None
        column = first.column if first else 0
        lines = [" " * column + SECTION + ":"] + _entry_lines(entries, column + _INDENT)
        if not self.text.strip("\ufeff \t\r\n"):
            return [[(0, len(self.text), "".join(line + self.newline for line in ["---"] + lines))]]
        last = len(self.text) if self.root is None else self.root.end_mark.index
        ways = [[self._lines_after(len(self.text[:last].rstrip()), lines)]]
        if first:
            # A block scalar at the end of the file may owe its last line break to there being nothing after it.
            start = first.index - first.column
            ways.append([(start, start, "".join(line + self.newline for line in lines))])
        return ways

    def _remove(self, mapping: yaml.MappingNode, keys: Collection[str]) -> list[Edit]:
        pairs = mapping.value
        if mapping.flow_style:
            if len(keys) == len(pairs):
                return [(mapping.start_mark.index, mapping.end_mark.index, "{}")]
            edits = []
            kept = [not _is_key(key, keys) for key, _node in pairs]
            for index, (key, node) in enumerate(pairs):
                if kept[index]:
                    continue
                if any(kept[index + 1 :]):
                    # With the comma behind it, up to the next one.
                    edits.append((key.start_mark.index, pairs[index + 1][0].start_mark.index, ""))
                else:
                    # With the comma before it.
                    edits.append((pairs[index - 1][1].end_mark.index, node.end_mark.index, ""))
            return edits
        edits = []
        for key, node in pairs:
            if _is_key(key, keys):
                start = key.start_mark.index - key.start_mark.column
                end = self._content_end(key, node)
                line_break = _LINE_BREAK.match(self.text, end)
                edits.append((start, line_break.end() if line_break else end, ""))
        return edits

    def _after_brace(self, mapping: yaml.MappingNode, content: str) -> Edit:
        position = mapping.start_mark.index + 1
        separator = ", " if mapping.value else ""
        if separator and self.text[position : position + 1].isspace():
            separator = ","
        return (position, position, content + separator)

    def _lines_after(self, position: int, lines: Iterable[str]) -> Edit:
        """An edit that puts lines after the line of a position."""
        end = self._line_end(position)
        last = self.newline if end == len(self.text) else ""
        return (end, end, "".join(self.newline + line for line in lines) + last)

    def _line_end(self, position: int) -> int:
        line_break = _LINE_BREAK.search(self.text, position)
        return line_break.start() if line_break else len(self.text)

    def _content_end(self, key: yaml.Node, node: yaml.Node) -> int:
        """The end of the last line that belongs to a pair. Comments and empty lines that follow do not."""
        if node.start_mark.index < key.start_mark.index:
            # An alias: the node is where the anchor is.
            return self._line_end(key.end_mark.index)
        if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
            return self._content_end(*node.value[-1])
        return self._line_end(len(self.text[: node.end_mark.index].rstrip()))

    def _differs_only_in(self, text: str, changes: Mapping[str, Mapping[str, str | None] | None]) -> bool:
        """Whether the text differs from ours in these entries only, and has in them what was meant.

        `changes` are those of with_entries, or {container: None} for entries that are removed.
        """
        try:
            new = VarsFile(text)
        except VarsFileError:
            return False
        others = [pair for pair in _pairs(self.root) if not _is_key(pair[0], [SECTION])]
        new_others = [pair for pair in _pairs(new.root) if not _is_key(pair[0], [SECTION])]
        kept = [pair for pair in _pairs(self.section) if not _is_key(pair[0], changes)]
        new_kept = [pair for pair in _pairs(new.section) if not _is_key(pair[0], changes)]
        seen: set[tuple[int, int]] = set()
        if not _same_pairs(others, new_others, seen) or not _same_pairs(kept, new_kept, seen):
            return False
        return all(self._has_become(new, container, values) for container, values in changes.items())

    def _has_become(self, new: VarsFile, container: str, values: Mapping[str, str | None] | None) -> bool:
        before, after = _find(self.section, container)[1], _find(new.section, container)[1]
        if values is None or after is None:
            return values is None and after is None
        pairs = [pair for pair in _pairs(before) if not _is_key(pair[0], values)]
        new_pairs = [pair for pair in _pairs(after) if not _is_key(pair[0], values)]
        if not _same_pairs(pairs, new_pairs, set()):
            return False
        entry = new.entry(container)
        return all(_holds(getattr(entry, name), name, value) for name, value in values.items())


def _compose(text: str) -> yaml.MappingNode | None:
    """The root mapping; None where the text has no content."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        # str(error) would quote the line, and with it perhaps a password.
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise VarsFileError(f"{where}it is not valid YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise VarsFileError("it is not valid YAML: it has characters that YAML does not allow") from error
    except RecursionError:
        raise VarsFileError("it is nested too deeply") from None
    if root is None or (_is_null(root) and root.value == ""):
        return None
    if not _is_mapping(root):
        raise VarsFileError("it must be a mapping of variables to values, as every file of variables")
    return root


def _is_mapping(node: yaml.Node | None) -> TypeGuard[yaml.MappingNode]:
    return isinstance(node, yaml.MappingNode) and node.tag == _MAP


def _is_null(node: yaml.Node | None) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == _NULL


def _is_key(node: yaml.Node, names: Container[str]) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.value in names


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1


def _pairs(node: yaml.Node | None) -> list[Pair]:
    return node.value if isinstance(node, yaml.MappingNode) else []


def _start(mapping: yaml.MappingNode) -> yaml.Mark:
    """Where a block mapping begins: at its first key, or at the question mark before that."""
    key = mapping.value[0][0].start_mark
    # A tag or an anchor of the mapping is on a line above.
    return mapping.start_mark if mapping.start_mark.line == key.line else key


def _find(mapping: yaml.Node | None, name: str) -> Pair | tuple[None, None]:
    for key, node in _pairs(mapping):
        if _is_key(key, [name]):
            return key, node
    return None, None


def _check_unique(mapping: yaml.Node | None, where: str, only: str | None = None) -> None:
    seen = set()
    for key, _node in _pairs(mapping):
        if only is None and key.tag == _MERGE:
            raise VarsFileError(f"{where}: merge keys (<<) are not supported there: write the entries out")
        if not isinstance(key, yaml.ScalarNode) or (only is not None and key.value != only):
            continue
        if key.value in seen:
            raise VarsFileError(f"line {_line(key)}: {where} has {key.value!r} twice: remove one of them")
        seen.add(key.value)


def _same(node: yaml.Node, other: yaml.Node, seen: set[tuple[int, int]]) -> bool:
    if (id(node), id(other)) in seen:
        # Aliases: compared before, or being compared (an anchor may contain itself).
        return True
    seen.add((id(node), id(other)))
    if node.tag != other.tag or type(node) is not type(other):
        return False
    if isinstance(node, yaml.MappingNode):
        return _same_pairs(node.value, other.value, seen)
    if isinstance(node, yaml.SequenceNode):
        return len(node.value) == len(other.value) and all(
            _same(item, other_item, seen) for item, other_item in zip(node.value, other.value)
        )
    if node.tag in _VAULT_TAGS:
        # At the end of a file, a block's last line break depends on what follows.
        return bool(node.value.split() == other.value.split())
    return bool(node.value == other.value)


def _same_pairs(pairs: Sequence[Pair], others: Sequence[Pair], seen: set[tuple[int, int]]) -> bool:
    return len(pairs) == len(others) and all(
        _same(key, other_key, seen) and _same(node, other_node, seen)
        for (key, node), (other_key, other_node) in zip(pairs, others)
    )


def _holds(found: Value | None, name: str, value: str | None) -> bool:
    """Whether a Value (or None) of an entry is what was meant to be written."""
    if found is None or value is None:
        return found is None and value is None
    return found.encrypted == (name in _ENCRYPTED) and found.text.split() == value.split()


def _scalar(value: str) -> str:
    """Plain where that is read as text: `yes` or `null` would not be."""
    resolved = yaml.SafeLoader("").resolve(yaml.ScalarNode, value, (True, False))
    return value if resolved == _STR else json.dumps(value)


def _flow_vault(ciphertext: str) -> str:
    text = json.dumps(ciphertext.strip() + "\n")
    return f"!vault {text}"


def _flow_entries(entries: Mapping[str, Mapping[str, str]]) -> str:
    return ", ".join(
        f"{_scalar(name)}: {{username: {_scalar(values['username'])}, password: {_flow_vault(values['password'])}}}"
        for name, values in entries.items()
    )


def _block_lines(ciphertext: str, column: int) -> list[str]:
    return [" " * column + line for line in ciphertext.split()]


def _entry_lines(entries: Mapping[str, Mapping[str, str]], column: int) -> list[str]:
    lines = []
    for name, values in entries.items():
        lines.append(" " * column + f"{_scalar(name)}:")
        for key in _REQUIRED:
            lines += _key_lines(key, values[key], column + _INDENT)
    return lines


def _key_lines(name: str, value: str, column: int) -> list[str]:
    if name not in _ENCRYPTED:
        return [" " * column + f"{name}: {_scalar(value)}"]
    return [" " * column + f"{name}: !vault |", *_block_lines(value, column + _INDENT)]

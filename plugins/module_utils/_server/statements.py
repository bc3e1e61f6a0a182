# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the statements of SQL begin and end, as psql sees it (src/fe_utils/psqlscan.l): not within quotes, comments,
parentheses, or the body of a function in standard SQL (BEGIN ATOMIC ... END). Pure."""

from __future__ import annotations

import re

_WORD = rb"[A-Za-z_\x80-\xff][\w$\x80-\xff]*"
_OTHERS = rb"[^'\"$\-/\\;()A-Za-z_\x80-\xff]+"
_TOKENS = rb"[eE]'|" + _WORD + rb"|" + _OTHERS + rb"|'|\"|\$(?:[A-Za-z_\x80-\xff][\w\x80-\xff]*)?\$|--|/\*|\\|;|[()]|."
# Word by word, as long as they may matter; then all that ends or begins nothing at once.
_NEXT_WORD = re.compile(_TOKENS, re.S)
_NEXT = re.compile(rb"(?:" + _OTHERS + rb"|(?![eE]')" + _WORD + rb")+|" + _TOKENS, re.S)
_OF_WORDS = re.compile(rb"[\w$\x80-\xff]")
_BEGINS_WORD = re.compile(rb"[A-Za-z_\x80-\xff]")
# What a statement begins with in whose body semicolons end nothing.
_CREATES = re.compile(rb"create (?:or replace )?(?:function|procedure) ")
_MAY_CREATE = re.compile(rb"(?:create (?:or (?:replace )?)?)?\Z")
_QUOTED = re.compile(rb"[^']*(?:''[^']*)*'")
_ESCAPED = re.compile(rb"[^'\\]*(?:(?:\\.|'')[^'\\]*)*'", re.S)
# A dollar quote has the longest: the tag is a name, of at most 63 bytes.
_LONGEST_TOKEN = 128
_IDENTIFIER = re.compile(rb'[^"]*"')
_COMMENTS = re.compile(rb"/\*|\*/")
# A carriage return ends such a comment, too.
_COMMENT_END = re.compile(rb"[\r\n]")
_BLANK = re.compile(rb"(?:\s+|--[^\r\n]*(?:[\r\n]|$))*")


def split(text: str) -> list[str]:
    """Return the statements of a text one by one, without what is around them; psql's own commands count as such."""
    buffer, found = bytearray(text.encode("utf-8")), []
    while buffer:
        stop = Scanner().end(buffer) or len(buffer)
        statement = bytes(buffer[:stop])
        del buffer[:stop]
        found.append(statement[beginning(statement) :].rstrip().decode("utf-8"))
    return [statement for statement in found if statement]


class Scanner:
    """Finds the end of the statement that a buffer begins with, which may grow meanwhile: what has been read of a long
    one is not read again. position: up to where it has been read; 0 at the beginning of a statement."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self.position = 0
        self._parentheses = self._begins = 0
        # The first words, as long as they may be those of a function; then whether they are.
        self._words: bytes | None = b""
        self._creates = False

    def end(self, buffer: bytearray, last: bool = True, escapes: bool = False) -> int | None:
        """Return where the statement ends, or None where that is yet to come; the next one begins there.

        last: nothing more comes. escapes: a backslash escapes in every quoted text (standard_conforming_strings is
        off).
        """
        found = self._end(buffer, last, escapes)
        if found is not None:
            self._begin()
        return found

    def _end(self, buffer: bytearray, last: bool, escapes: bool) -> int | None:
        while self.position < len(buffer):
            by_words = self._creates or self._words is not None
            match = (_NEXT_WORD if by_words else _NEXT).match(buffer, self.position)
            if match is None:
                return None
            token, after = match.group(), match.end()
            if not last:
                if len(buffer) - self.position < _LONGEST_TOKEN and token[:1] in b"-/$;":
                    # Perhaps its second half, or the end of the line, is yet to come.
                    return None
                if after == len(buffer) and _OF_WORDS.match(token, len(token) - 1):
                    # So may be the rest of the word.
                    start = after
                    while start > self.position and _OF_WORDS.match(buffer, start - 1):
                        start -= 1
                    self.position = start
                    return None
            if token == b";" and not self._parentheses and not self._begins:
                newline = buffer.find(b"\n", after)
                line_end = newline + 1 if newline >= 0 else len(buffer)
                return line_end if not buffer[after:line_end].strip() else after
            if token == b"\\":
                # A command ends with its line, and is a statement of its own.
                newline = buffer.find(b"\n", self.position)
                if beginning(buffer) < self.position:
                    return self.position
                if newline < 0 and not last:
                    return None
                return newline + 1 if newline >= 0 else len(buffer)
            closed = _closed(buffer, token, after, last, escapes)
            if closed is None:
                return None
            if by_words or token in (b"(", b")"):
                self._follow(token, by_words)
            self.position = closed
        return None

    def _follow(self, token: bytes, by_words: bool) -> None:
        """Keep track of what the statement is in: semicolons do not end it there."""
        if token == b"(":
            self._parentheses += 1
        elif token == b")":
            self._parentheses = max(0, self._parentheses - 1)
        elif by_words and _BEGINS_WORD.match(token) and token[-1:] != b"'":
            word = token.lower()
            if self._words is not None:
                self._words += word + b" "
                self._creates = bool(_CREATES.match(self._words))
                if not _MAY_CREATE.match(self._words):
                    self._words = None
            if self._creates and not self._parentheses:
                if word == b"begin" or (word == b"case" and self._begins):
                    self._begins += 1
                elif word == b"end":
                    self._begins = max(0, self._begins - 1)


def _closed(buffer: bytearray, token: bytes, after: int, last: bool, escapes: bool) -> int | None:
    """Return where the token's own end is, or of what it opens; None where that is yet to come."""
    if token[-1:] == b"'":
        match = (_ESCAPED if escapes or len(token) > 1 else _QUOTED).match(buffer, after)
        # Another quote that follows would make both a quote in the text.
        return match.end() if match and (last or match.end() < len(buffer)) else None
    if token == b'"':
        match = _IDENTIFIER.match(buffer, after)
        return match.end() if match else None
    if token == b"--":
        ends = _COMMENT_END.search(buffer, after)
        return ends.end() if ends else None
    if token == b"/*":
        return _after_comment(buffer, after)
    if token[:1] == b"$" and len(token) > 1:
        closing = buffer.find(token, after)
        return closing + len(token) if closing >= 0 else None
    return after


def beginning(statement: bytes | bytearray) -> int:
    """Return where a statement begins behind the blanks and comments before it."""
    position = _after_blanks(statement, 0)
    while statement.startswith(b"/*", position):
        after = _after_comment(statement, position + 2)
        if after is None:
            break
        position = _after_blanks(statement, after)
    return position


def _after_blanks(statement: bytes | bytearray, position: int) -> int:
    match = _BLANK.match(statement, position)
    return match.end() if match else position


def _after_comment(buffer: bytes | bytearray, position: int) -> int | None:
    """Return where a comment ends, other than C's with all comments inside it, or None where that is yet to come."""
    depth = 1
    while depth:
        match = _COMMENTS.search(buffer, position)
        if match is None:
            return None
        depth += 1 if match.group() == b"/*" else -1
        position = match.end()
    return position

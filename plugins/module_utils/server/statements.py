# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the statements of SQL begin and end, as psql sees it: not within quotes or comments. Pure."""

from __future__ import annotations

import re

# What ends or begins something, outside of everything else; the rest of a statement is skipped over.
_NEXT = re.compile(
    rb"""[^'"$\-/\\;]+ | ' | " | (?<![\w$])\$(?:[A-Za-z_\x80-\xff][\w\x80-\xff]*)?\$ | -- | /\* | \\ | ; | .""",
    re.X | re.S,
)
_QUOTED = re.compile(rb"[^']*(?:''[^']*)*'")
_ESCAPED = re.compile(rb"[^'\\]*(?:(?:\\.|'')[^'\\]*)*'", re.S)
_ESCAPING = re.compile(rb"[^\w$\x80-\xff][eE]")
# A dollar quote has the longest: the tag is a name, of at most 63 bytes.
_LONGEST_TOKEN = 128
_IDENTIFIER = re.compile(rb'[^"]*"')
_COMMENTS = re.compile(rb"/\*|\*/")
# A carriage return ends such a comment, too, as in psql (src/fe_utils/psqlscan.l).
_COMMENT_END = re.compile(rb"[\r\n]")
_BLANK = re.compile(rb"(?:\s+|--[^\r\n]*(?:[\r\n]|$))*")


def split(text):
    """Return the statements of a text one by one, without what is around them; psql's own commands count as such."""
    buffer, found = bytearray(text.encode("utf-8")), []
    while buffer:
        stop = end(buffer)[0] or len(buffer)
        statement = bytes(buffer[:stop])
        del buffer[:stop]
        found.append(statement[beginning(statement) :].rstrip().decode("utf-8"))
    return [statement for statement in found if statement]


def end(buffer, position=0, last=True, escapes=False):
    """Return where the statement at the start of a buffer ends, or None where that is yet to come; and a position.

    That is to be given again with more in the buffer, so that a long statement is not read again with each piece: the
    start of what was not whole. last: nothing more comes. escapes: a backslash escapes in every quoted text
    (standard_conforming_strings is off).
    """
    while position < len(buffer):
        match = _NEXT.match(buffer, position)
        token, after = match.group(), match.end()
        if not last and len(buffer) - position < _LONGEST_TOKEN and token[:1] in b"-/$;":
            # Perhaps its second half, or the end of the line, is yet to come.
            break
        if token == b";":
            newline = buffer.find(b"\n", after)
            line_end = newline + 1 if newline >= 0 else len(buffer)
            return (line_end if not buffer[after:line_end].strip() else after), position
        if token == b"\\":
            # A command ends with its line, and is a statement of its own.
            newline = buffer.find(b"\n", position)
            if beginning(buffer) < position:
                return position, position
            if newline < 0 and not last:
                break
            return (newline + 1 if newline >= 0 else len(buffer)), position
        closed = _closed(buffer, token, position, after, last, escapes)
        if closed is None:
            break
        position = closed
    return None, position


def _closed(buffer, token, start, after, last, escapes=False):
    """Return where the token's own end is, or of what it opens; None where that is yet to come."""
    if token == b"'":
        escaping = escapes or (_ESCAPING.match(buffer, start - 2) if start > 1 else start == 1 and buffer[:1] in b"eE")
        match = (_ESCAPED if escaping else _QUOTED).match(buffer, after)
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


def beginning(statement):
    """Return where a statement begins behind the blanks and comments before it."""
    position = _BLANK.match(statement).end()
    while statement.startswith(b"/*", position):
        after = _after_comment(statement, position + 2)
        if after is None:
            break
        position = _BLANK.match(statement, after).end()
    return position


def _after_comment(buffer, position):
    """Return where a comment ends, other than C's with all comments inside it, or None where that is yet to come."""
    depth = 1
    while depth:
        match = _COMMENTS.search(buffer, position)
        if match is None:
            return None
        depth += 1 if match.group() == b"/*" else -1
        position = match.end()
    return position

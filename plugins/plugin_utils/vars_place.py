# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the variables of a host are that Ansible reads, so that a file of ours hides none of them.

Of host_vars/NAME (a directory or a file), NAME.yml, NAME.yaml and NAME.json, Ansible reads the first that is there, and
none of the others. https://docs.ansible.com/ansible/latest/inventory_guide/intro_inventory.html
"""

from __future__ import annotations

import os
import re

_DIRECTORIES = ("host_vars", "group_vars")
_EXTENSIONS = (".yml", ".yaml", ".json")
_NAME = "postgres_credentials.yml"
_SECTION = re.compile(rb"^[\"']?postgres_credentials[\"']?\s*:", re.MULTILINE)
_MOST_BYTES = 10 << 20
_FIXES = (
    "Move it into that directory, all files of which are read (mkdir -p {directory} && mv {file} {directory}/vars.yml),"
    " or say with database_credentials_file where the credentials are kept"
)


class HiddenVariables(ValueError):
    """A person's variables would not be read, or are not any more. The message says what fixes it."""


def credentials_file(inventory_directory: str, host: str) -> str:
    """Return the file for the credentials of a host: where Ansible reads it, and goes on reading all that is there.

    That is a file of its own in the directory of the host's variables, unless they are in one file: then it is that
    file, to which a section is added. What holds the credentials already stays the place.
    """
    directory = os.path.join(inventory_directory, "host_vars", host)
    own = os.path.join(directory, _NAME)
    beside = _files_beside(directory)
    if os.path.isdir(directory):
        if beside and not _others_in(directory):
            raise HiddenVariables(
                f"{beside[0]} is not read by Ansible, since there is a directory {directory}. Nothing was changed."
                f" {_FIXES.format(directory=directory, file=beside[0])}"
            )
        return own if os.path.exists(own) else _holder(directory) or own
    if os.path.isfile(directory):
        return _editable(directory, directory)
    return _editable(beside[0], directory) if beside else own


def hidden_by(path: str) -> str | None:
    """Return the file of variables that Ansible does not read where there is the directory of a path, or None."""
    directory = os.path.dirname(path)
    if os.path.basename(os.path.dirname(directory)) not in _DIRECTORIES:
        return None
    return next(iter(_files_beside(directory)), None)


def refuse_to_hide(path: str) -> None:
    """Raise HiddenVariables where the directory of a path would have to be made, and then hide a person's file."""
    directory, file = os.path.dirname(path), hidden_by(path)
    if file and not os.path.isdir(directory):
        raise HiddenVariables(
            f"path: the directory {directory} would hide {file}, which Ansible then reads no more. Nothing was changed."
            f" {_FIXES.format(directory=directory, file=file)}"
        )


def _files_beside(directory: str) -> list[str]:
    return [directory + extension for extension in _EXTENSIONS if os.path.isfile(directory + extension)]


def _others_in(directory: str) -> list[str]:
    return [name for name in os.listdir(directory) if name != _NAME and not name.startswith(".")]


def _holder(directory: str) -> str | None:
    """Return the file of a directory of variables that has the section of the credentials, where it is one alone."""
    paths = [os.path.join(directory, name) for name in sorted(os.listdir(directory)) if not name.startswith(".")]
    found = [path for path in paths if path.endswith((".yml", ".yaml")) and _SECTION.search(_start_of(path))]
    return found[0] if len(found) == 1 else None


def _editable(file: str, directory: str) -> str:
    start = _start_of(file)
    if start.lstrip().startswith(b"$ANSIBLE_VAULT;"):
        problem = "is vault-encrypted as a whole, so that no credentials can be added to it"
    elif file.endswith(".json") or start.lstrip().startswith((b"{", b"[")):
        problem = "is JSON, which has no vault-encrypted values"
    else:
        return file
    # A file without an extension has the name of the directory.
    moved = f"mv {file} {file}.old && mkdir {directory} && mv {file}.old" if file == directory else ""
    fixes = _FIXES.format(directory=directory, file=file)
    if moved:
        fixes = fixes.replace(f"mkdir -p {directory} && mv {file}", moved)
    raise HiddenVariables(f"{file} {problem}, and a directory beside it would hide it from Ansible. {fixes}")


def _start_of(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read(_MOST_BYTES)
    except OSError:
        return b""

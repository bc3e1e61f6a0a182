#!/usr/bin/python

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_db_credentials
short_description: Resolve, generate and store the credentials of PostgreSQL databases
version_added: 0.1.0
author:
  - Vellaric contributors (@vellaric)
description:
  - Makes sure that the credentials of databases are stored, encrypted with Ansible Vault, in a file on the controller,
    or on the host that the task is delegated to.
  - A user name and a password are taken from the task's options where they are given, else from the file where they
    are stored there, else they are generated.
  - It runs on the controller, and connects to no host but one that it is delegated to. Use it B(before) a database is
    created, and read the values back with M(ansible.builtin.include_vars). What is stored first cannot be lost when a
    later step fails.
  - Passwords are encrypted with the vault secrets that the run was started with, one by one (C(!vault)), so that
    everything else in the file stays readable.
  - The file may have other variables, comments and any formatting. These stay byte for byte. Passwords that do not
    change are not encrypted again.
options:
  path:
    description:
      - The YAML file. A relative path is relative to the directory of the playbook. With C(delegate_to), it is the
        absolute path of a file on that host.
      - A file that does not exist is made, together with the directories that are missing. A directory that would hide
        a file of variables from Ansible, such as C(host_vars/db1) beside C(host_vars/db1.yml), is not made, and the
        module fails.
      - The file's mode becomes V(0600). A symbolic link is followed.
    type: path
    required: true
  name:
    description:
      - The name of the database, in lowercase letters, digits and hyphens.
      - Exactly one of O(name) and O(databases) is required.
    type: str
  environment:
    description:
      - The environment of the database. Required together with O(name).
    type: str
    choices: [production, staging, development]
  username:
    description:
      - The user that owns the database. Where it is neither given nor stored, one is generated.
      - Another one than is stored is refused, since a database keeps its own. Where two logins take turns for the user
        given, the stored one of them stays.
    type: str
  password:
    description:
      - The user's password, of at least 12 printable ASCII characters without blanks. Where it is neither given nor
        stored, one is generated.
      - One that is given for an entry which has another is stored beside that, as C(next_password), since the server
        may yet refuse it. Once the server has it, O(state=rotated) puts it in the place of the old one.
      - It must not contain C({{), C({%) or C({#), which would begin a template where the file is read.
    type: str
  update_password:
    description:
      - V(on_create) where a server that has another password than O(password) keeps it, as with
        M(vellaric.postgres.postgres_db). A password that is given for an entry which has another is then not stored
        before O(state=rotated) is given it.
    type: str
    choices: [always, on_create]
  user:
    description:
      - A further user of the database, whose credentials are meant instead of those of the user that owns it.
    type: str
  owner:
    description:
      - With O(state=rotating), the role for which two login roles take turns, its name with C(_a) and C(_b) behind it.
        The new password is for the one whose turn it is not, which is stored as C(next_username), and takes the place
        of the user name with O(state=rotated).
    type: str
  databases:
    description:
      - Several databases, with the same options. All are stored in one step, or none.
    type: list
    elements: dict
    suboptions:
      name:
        description: As O(name).
        type: str
        required: true
      environment:
        description: As O(environment).
        type: str
        choices: [production, staging, development]
        required: true
      username:
        description: As O(username).
        type: str
      password:
        description: As O(password).
        type: str
      update_password:
        description: As O(update_password).
        type: str
        choices: [always, on_create]
      user:
        description: As O(user).
        type: str
      owner:
        description: As O(owner).
        type: str
  artifact:
    description:
      - What a former job has handed on (RV(artifact)). Those of its entries that are asked for and not in the file are
        put there before anything else; passwords stay encrypted. Where the file has others, the task fails.
    type: dict
  return_artifact:
    description:
      - Return the entries as RV(artifact), passwords encrypted, and hand them on, with what a former job has handed on,
        as C(postgres_credentials_artifact) of the job (as M(ansible.builtin.set_stats) does), where the controller's
        files are thrown away after the job, as in AWX. Without it, new credentials are refused there, since they would
        be lost.
    type: bool
    default: false
  only_lost:
    description:
      - With O(state=rotating), leave out what is stored under the name that O(username) says the server has. What is
        stored and cannot be read is not taken for lost, and the task fails.
    type: bool
    default: false
  vault_id:
    description:
      - The vault id that new passwords are encrypted with. It must be one that the run was started with.
      - By default, the id that Ansible's C(vault_encrypt_identity) names, else the only one that is loaded. Where
        several are loaded and none is chosen, the task fails.
      - Where the file has passwords with that id, and the secret loaded decrypts none of them, the task fails, instead
        of adding what could not be read together with them.
    type: str
  state:
    description:
      - V(present) makes sure that the credentials are stored.
      - V(stored) changes nothing, and fails where they are neither in the file nor in O(artifact).
      - V(rotating) stores a new password, the one given or a generated one, as C(next_password) beside the present one.
        One that a rotation which was interrupted has stored is kept. Where nothing is stored, or credentials of another
        role than O(username), the new password is stored as the present one.
      - V(rotated) puts it in the place of the present one, once the server has it. Nothing changes where none waits.
        Where O(password) is given, it is that which the server has, for the stored user.
      - V(absent) forgets them, with those of all further users unless one is named. The file is removed when nothing
        else is in it. This needs no vault secret.
    type: str
    choices: [present, stored, rotating, rotated, absent]
    default: present
extends_documentation_fragment:
  - vellaric.postgres.attributes.controller
attributes:
  become:
    support: partial
    details: On the controller, the file is written as the user who runs Ansible.
  bypass_host_loop:
    details: Hosts that share a file may run it at the same time; it is locked.
  check_mode:
    support: full
  connection:
    support: partial
    details: Only with C(delegate_to), to read and to replace the file.
  delegation:
    support: full
    details: The file is then on that host. Passwords are encrypted and decrypted on the controller alone, and the vault
      secrets stay there.
  diff_mode:
    support: full
    details: Names of databases, keys and users are shown, never a password, nor what it is encrypted to.
  idempotent:
    support: full
notes:
  - Where several runs change files in the same directory at the same time, each waits for the others, up to 30 seconds.
  - Under AWX, the project's directory is thrown away after a job. Choose a path that lasts, or O(return_artifact).
seealso:
  - module: ansible.builtin.include_vars
  - module: vellaric.postgres.postgres_db
"""

EXAMPLES = r"""
- name: Make sure of the credentials of a database
  vellaric.postgres.postgres_db_credentials:
    path: "{{ inventory_dir }}/host_vars/{{ inventory_hostname }}/postgres_credentials.yml"
    name: my-database
    environment: production
  register: resolved

- name: Read them
  ansible.builtin.include_vars:
    file: "{{ resolved.file }}"

- name: Make sure of the credentials of several databases, encrypted with the vault id prod
  vellaric.postgres.postgres_db_credentials:
    path: credentials.yml
    vault_id: prod
    databases:
      - name: my-database
        environment: production
      - name: orders
        environment: production
        username: orders
        password: "{{ orders_password }}"

- name: Make sure of the credentials of a further user
  vellaric.postgres.postgres_db_credentials:
    path: credentials.yml
    name: my-database
    environment: production
    user: reporting

- name: Keep the credentials on another host
  vellaric.postgres.postgres_db_credentials:
    path: /etc/vellaric/postgres_credentials.yml
    name: my-database
    environment: production
  delegate_to: vault.example.com
  become: true

- name: Forget the credentials of a database
  vellaric.postgres.postgres_db_credentials:
    path: credentials.yml
    name: my-database
    environment: production
    state: absent
"""

RETURN = r"""
path:
  description: The absolute path of the file.
  returned: success
  type: str
  sample: /srv/infrastructure/inventory/host_vars/db1/postgres_credentials.yml
file:
  description: The file to read the credentials from in this run. It is RV(path), or where the file does not have what
    O(artifact) has (in check mode, and with O(state=stored)), or is on another host, a copy on the controller that is
    removed when the run ends. Null with O(state=absent).
  returned: success
  type: str
  sample: /srv/infrastructure/inventory/host_vars/db1/postgres_credentials.yml
stale:
  description: Whether the file was to be changed, or its mode. As C(changed), whatever the task has in C(changed_when).
  returned: success
  type: bool
  sample: true
vault_id:
  description: The vault id that new passwords are encrypted with. Null with O(state=absent) and O(state=stored).
  returned: success
  type: str
  sample: prod
artifact:
  description: The entries of the file that were asked for, by their keys. Passwords are vault-encrypted text. With
    O(state=rotated), C(next_username) and C(next_password) are null, so that nothing of them is left where artifacts
    are merged.
  returned: with O(return_artifact), not in check mode
  type: dict
  sample:
    my-database-production-postgres:
      username: db_user_0123456789ab
      password: "$ANSIBLE_VAULT;1.2;AES256;prod\n6162..."
databases:
  description: The databases, in the order of the options. Passwords are never returned.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name of the database.
      type: str
      sample: my-database
    environment:
      description: The environment of the database.
      type: str
      sample: production
    container_name:
      description: The name of the container.
      type: str
      sample: my-database-production-postgres
    user:
      description: The further user whose credentials these are. Null for the user that owns the database.
      type: str
      sample: null
    entry:
      description: The key in the file, below C(postgres_credentials). It is the name of the container, for a further
        user followed by a slash and its name.
      type: str
      sample: my-database-production-postgres
    username:
      description: The user that owns the database. Null where it would be generated, in check mode, and with
        O(state=absent).
      type: str
      sample: db_user_0123456789ab
    next_username:
      description: The login that gets the new password, with O(state=rotating), else null.
      type: str
      sample: null
    source:
      description: Where the password comes from, V(given), V(stored) or V(generated). Null with O(state=absent).
      type: str
      sample: generated
    rotating:
      description: Whether a new password waits until the server has it, in the file or, with
        O(update_password=on_create), outside of it. Where nobody changes it at the moment, a change was cut
        short, which the next rotation takes up.
      type: bool
      sample: false
    added:
      description: Whether nothing was stored for it before.
      type: bool
      sample: true
    changed:
      description: Whether the credentials of this database were stored, changed, encrypted or forgotten.
      type: bool
      sample: true
"""

from typing import Any

from ansible_collections.vellaric.postgres.plugins.module_utils._domain.names import ENVIRONMENTS
from ansible_collections.vellaric.postgres.plugins.module_utils._modules.module import Module

DATABASE_OPTIONS = ("name", "environment", "username", "password", "update_password", "user", "owner")


def argument_spec() -> dict[str, Any]:
    """The options. The action plugin of the same name, which does the work, checks its options against them."""
    return {
        "path": {"type": "path", "required": True},
        "name": {"type": "str"},
        "environment": {"type": "str", "choices": list(ENVIRONMENTS)},
        "username": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "update_password": {"type": "str", "choices": ["always", "on_create"], "no_log": False},
        "user": {"type": "str"},
        "owner": {"type": "str"},
        "databases": {
            "type": "list",
            "elements": "dict",
            "options": {
                "name": {"type": "str", "required": True},
                "environment": {"type": "str", "choices": list(ENVIRONMENTS), "required": True},
                "username": {"type": "str"},
                "password": {"type": "str", "no_log": True},
                "update_password": {"type": "str", "choices": ["always", "on_create"], "no_log": False},
                "user": {"type": "str"},
                "owner": {"type": "str"},
            },
        },
        "artifact": {"type": "dict"},
        "return_artifact": {"type": "bool", "default": False},
        "only_lost": {"type": "bool", "default": False},
        "vault_id": {"type": "str"},
        "state": {
            "type": "str",
            "choices": ["present", "stored", "rotating", "rotated", "absent"],
            "default": "present",
        },
    }


def constraints() -> dict[str, Any]:
    return {
        "mutually_exclusive": [(option, "databases") for option in DATABASE_OPTIONS],
        "required_one_of": [("name", "databases")],
        "required_by": {"name": ("environment",)},
    }


def main() -> None:
    module = Module(argument_spec=argument_spec(), supports_check_mode=True, **constraints())
    module.fail_json(
        msg="postgres_db_credentials runs on the controller, as an action plugin, and was run as a module:"
        " call it by its full name, vellaric.postgres.postgres_db_credentials"
    )


if __name__ == "__main__":
    main()

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
  diff_mode:
    description: Returns what has changed, or would change in C(check_mode), when in diff mode.
  idempotent:
    description: A second run with the same arguments changes nothing and says so.
  action_group:
    description: Use C(group/vellaric.postgres.postgres) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - vellaric.postgres.postgres
  platform:
    description: Target OS/families that can be operated against.
    platforms: posix
    support: full
"""

    # Of modules that are action plugins: they run on the controller alone.
    CONTROLLER = r"""
options: {}
attributes:
  action:
    description: Runs on the controller.
    support: full
  action_group:
    description: Use C(group/vellaric.postgres.postgres) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - vellaric.postgres.postgres
  async:
    description: Supports being used with the C(async) keyword.
    support: none
  become:
    description: Is affected by the C(become) keywords.
    support: none
    details: Files are written as the user who runs Ansible.
  bypass_host_loop:
    description: Runs once for all hosts.
    support: none
  check_mode:
    description: Can predict changes without making them.
  connection:
    description: Uses the host's connection to run code there.
    support: none
  delegation:
    description: Can be used together with C(delegate_to).
    support: none
    details: It always runs on the controller.
  diff_mode:
    description: Shows what has changed, or would change.
  idempotent:
    description: A second run with the same options changes nothing and says so.
  platform:
    description: Target OS/families that can be operated against.
    platforms: posix
    support: full
"""

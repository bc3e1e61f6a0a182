# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  name:
    description: Name of the database.
    type: str
    required: true
  environment:
    description: Environment of the database.
    type: str
    required: true
    choices:
      - production
      - staging
      - development
"""

    # Of what fills a database of its own, and then swaps it in.
    REPLACED = r"""
options:
  name:
    description: Name of the database, which must be there and serve.
    type: str
    required: true
  environment:
    description: Environment of that database.
    type: str
    required: true
    choices:
      - production
      - staging
      - development
  backup_first:
    description: Whether a backup of the present state is taken first, where there is anything in it.
    type: bool
    default: true
  keep_old:
    description:
      - Days for which the database that was replaced is kept, under the name that RV(old_database) gives. With V(0) it
        is removed at the end of this run.
      - What earlier runs have kept for longer is removed too.
    type: int
    default: 7
  jobs:
    description: Number of processes that load an archive. A file in custom format may have to be copied for that.
    type: int
    default: 1
  backup_root:
    description:
      - "Directory that holds the directories of backups. Default: the one that the database was declared with."
    type: path
  timeout:
    description: Seconds that all of it may take.
    type: int
    default: 86400
  wait_timeout:
    description: Seconds to wait for other runs on this database.
    type: int
    default: 120
"""

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  docker_host:
    description:
      - Socket of the Docker Engine, as C(unix:///path). The engine mounts directories of the host that the module runs
        on, so it must be an engine of that host.
    type: str
    default: unix:///var/run/docker.sock
  docker_timeout:
    description: Seconds to wait for an answer of the engine.
    type: int
    default: 60
  data_root:
    description:
      - Directory on the host that holds one directory for each database, and nothing else.
      - Nobody on the host but root gets into it (mode V(0700)). An owner or a group that you gave it keeps what it may.
    type: path
    default: /var/vellaric/postgres
requirements:
  - Python 3.9 or later on the Docker host
  - docker (the Docker SDK for Python, 5.0.3 or later) on the Docker host
  - cryptography on the Docker host
"""

#!/usr/bin/python
# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: postgres_db_image
short_description: Make sure of images of PostgreSQL on a Docker host
description:
  - Looks for images, and pulls those that are not there. Where no registry answers, it takes the stand-in that role
    P(vellaric.postgres.image#role) has built of Debian's packages, or says that one is to be built.
  - Any number of images is one task. One that is not available does not stop the others.
  - It uses the C(docker) command, and with that the logins that the host has at registries. It does not build.
version_added: 0.1.0
author:
  - Vellaric contributors (@vellaric)
extends_documentation_fragment:
  - vellaric.postgres.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
    details: With O(images[].pull=always), a registry is asked each time.
options:
  images:
    description: The images.
    type: list
    elements: dict
    required: true
    suboptions:
      reference:
        description: The name of one, with its tag or digest.
        type: str
        required: true
      pull:
        description:
          - When a registry is asked. V(missing) asks only when neither the image nor a built stand-in is there.
        type: str
        choices: [missing, always, never]
        default: missing
      build:
        description:
          - V(fallback) takes a stand-in where no registry can be reached. A registry that answers and refuses is an
            error.
          - V(always) takes the stand-in, and asks no registry. V(never) takes none.
        type: str
        choices: [fallback, always, never]
        default: fallback
  repository:
    description: Name of built images; their tag is the major version and the Debian release.
    type: str
    default: vellaric/postgres
  docker_host:
    description: The engine, as the C(docker) command takes it in E(DOCKER_HOST).
    type: str
    default: unix:///var/run/docker.sock
  receipt:
    description: File on the host that keeps which images were pulled, by which the role takes them away.
    type: path
    default: /var/lib/vellaric/image.json
requirements:
  - Python 3.9 or later on the Docker host
  - the C(docker) command on the Docker host
seealso:
  - module: vellaric.postgres.postgres_db
"""

EXAMPLES = r"""
- name: Make sure of two images
  vellaric.postgres.postgres_db_image:
    images:
      - reference: postgres:15-alpine
      - reference: postgres:17-alpine
        build: never
  register: found

- name: Show which ones are taken
  ansible.builtin.debug:
    msg: "{{ found.images | map(attribute='reference') }}"
"""

RETURN = r"""
images:
  description: What became of each, in the order they were asked for. It is returned where some failed, too.
  returned: always
  type: list
  elements: dict
  contains:
    asked:
      description: The name that it was asked for by.
      type: str
      sample: postgres:15-alpine
    reference:
      description: The image to use.
      type: str
      sample: vellaric/postgres:15-bookworm
    id:
      description: Its id; empty where there is none yet.
      type: str
      sample: sha256:3962158596daaef3682838cc8eb0e719ad1ce520f88e34596ce8d5de1b6330a1
    source:
      description:
        - V(present) where it was there, V(registry) where it was pulled now, V(pending) where check mode would get it,
          V(missing) where there is none.
      type: str
      sample: present
    major:
      description: Major version of PostgreSQL; 0 when neither the image nor its tag tells.
      type: int
      sample: 15
    build:
      description: Whether a stand-in is to be built, as role P(vellaric.postgres.image#role) does.
      type: bool
      sample: false
    stand_in:
      description: The name of the image that can stand in for it; empty where none can.
      type: str
      sample: vellaric/postgres:15-bookworm
    recipe:
      description: What the stand-in is built of, for role image; empty where there is none.
      type: dict
      sample:
        suite: bookworm
        program: postgres
        package: postgresql-15
        arguments: {PG_MAJOR: "15", PG_DATA: /var/lib/postgresql/data, PG_VOLUME: /var/lib/postgresql/data}
    note:
      description: What is to be known of the stand-in.
      type: str
      sample: In place of postgres:15-alpine, which no registry gave, this host uses vellaric/postgres:15-bookworm
    error:
      description: Why it is not available; empty where it is.
      type: str
      sample: ""
"""

from ansible_collections.vellaric.postgres.plugins.module_utils._modules.postgres_db_image import main

if __name__ == "__main__":
    main()

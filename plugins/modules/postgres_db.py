#!/usr/bin/python
# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.vellaric.postgres.plugins.module_utils.shell import postgres_db


def main():
    postgres_db()


if __name__ == "__main__":
    main()

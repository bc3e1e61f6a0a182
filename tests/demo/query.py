# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connect as libpq's environment variables say, and print what the server knows of the connection, as JSON."""

from __future__ import annotations

import json

import psycopg


def main():
    with psycopg.connect(connect_timeout=10) as connection:
        version, tls = connection.execute(
            "SELECT current_setting('server_version'), version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl"
        ).fetchone()
    print(json.dumps({"server": version, "tls": tls}))


if __name__ == "__main__":
    main()

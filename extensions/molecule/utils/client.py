# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs in again and again, as libpq's variables say, until the file that it is given is there. One refusal ends it."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import psycopg

stop, logins = Path(sys.argv[1]), 0
while not stop.exists():
    with psycopg.connect(connect_timeout=10) as connection:
        connection.execute("SELECT 1")
    logins += 1
    time.sleep(0.1)
print(f"{logins} logins")

# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order in which new databases that a run makes at the same time choose what each takes from the others."""

from __future__ import annotations

import threading
from collections.abc import Iterable


class Turns:
    """names: of those that choose, in their order. Others have no turn, and wait for none."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._chosen = {name: threading.Event() for name in names}

    def wait(self, name: str) -> None:
        """Wait until all that come before it have chosen."""
        if name in self._chosen:
            for earlier, chosen in self._chosen.items():
                if earlier == name:
                    return
                chosen.wait()

    def over(self, name: str) -> None:
        """Note that it has chosen, or never will."""
        if name in self._chosen:
            self._chosen[name].set()

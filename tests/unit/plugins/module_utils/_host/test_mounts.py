# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

from ansible_collections.vellaric.postgres.plugins.module_utils._host import mounts

MOUNTINFO = r"""1832 1700 0:53 / / ro,relatime - overlay overlay rw,lowerdir=/a
1855 1832 254:0 /var/vellaric/postgres/x /etc/vellaric ro,relatime - ext4 /dev/vda rw
1861 1832 254:0 /srv/my\040disk/x//deleted /var/lib/my\040disk rw,relatime shared:3 - ext4 /dev/vda rw
odd
"""


def test_points_are_read_as_the_kernel_writes_them():
    assert mounts.mount_points(MOUNTINFO) == {"/", "/etc/vellaric", "/var/lib/my disk"}


def test_what_cannot_be_seen_is_not_told_of(tmp_path):
    assert mounts.replaced(2**22 + 1, [("/", "/")]) == ()
    # No mount of that process: what is there is not what was mounted.
    assert mounts.replaced(os.getpid(), [(str(tmp_path / "gone"), str(tmp_path))]) == ()


def test_the_same_directory_is_the_same_and_another_is_not(tmp_path):
    assert mounts.replaced(os.getpid(), [("/proc", "/proc"), (str(tmp_path), "/proc")]) == (str(tmp_path),)
    assert mounts.replaced(os.getpid(), [(str(tmp_path / "gone"), "/proc")]) == (str(tmp_path / "gone"),)

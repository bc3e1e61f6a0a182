# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host knows the backups that it has taken itself, whatever is written into their manifests elsewhere."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import os

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._backups import manifest as manifests
from ansible_collections.vellaric.postgres.plugins.module_utils._backups import seal
from ansible_collections.vellaric.postgres.tests.unit import backup_builders as build

MOMENT = "2026-06-16T12:00:00Z"
# What is written down after a backup was taken.
LATER = {
    "checked_at": MOMENT,
    "checked_how": "read",
    "verified_at": MOMENT,
    "verified_how": {"rows": 1},
    "failed_at": MOMENT,
    "failure": "damaged",
    "failed_how": "check",
}
# What nobody goes by.
TOLD = {"duration_seconds": 2.5, "dump_version": "15.21"}


def test_its_own_fit_after_they_were_written_and_read(tmp_path):
    sealed = seal.sealed(build.manifest(), str(tmp_path))
    read = manifests.from_json(manifests.to_json(sealed), "x.json")
    assert seal.fits(read, str(tmp_path))
    assert seal.fits(dataclasses.replace(read, **LATER, **TOLD, extra={"of": "later"}), str(tmp_path))


def test_every_other_word_is_in_it(tmp_path):
    sealed = seal.sealed(build.manifest(), str(tmp_path))
    names = {field.name for field in dataclasses.fields(sealed)} - {*LATER, *TOLD, "extra", "seal"}
    for name in names:
        assert not seal.fits(dataclasses.replace(sealed, **{name: "other"}), str(tmp_path)), name


@pytest.mark.parametrize("known", [None, "", "0" * 64, "é"])
def test_what_has_no_seal_or_anothers_does_not_fit(tmp_path, known):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir(), there.mkdir()
    sealed = seal.sealed(build.manifest(), str(there))
    assert not seal.fits(sealed, str(here))
    seal.sealed(build.manifest(), str(here))
    assert not seal.fits(sealed, str(here))
    assert not seal.fits(dataclasses.replace(sealed, seal=known), str(here))


def test_there_is_one_key_which_is_roots_and_in_no_manifest(tmp_path):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _turn: seal.sealed(build.manifest(), str(tmp_path)).seal, range(8)))
    assert len(set(made)) == 1
    key = tmp_path / ".seal.key"
    assert os.stat(key).st_mode & 0o777 == 0o600 and os.listdir(tmp_path) == [".seal.key"]
    assert key.read_bytes().hex() not in manifests.to_json(seal.sealed(build.manifest(), str(tmp_path)))


def test_a_key_that_was_damaged_is_made_anew_and_fits_nothing(tmp_path):
    key = tmp_path / ".seal.key"
    key.write_bytes(b"")
    with_empty = dataclasses.replace(build.manifest(), seal=seal._seal(build.manifest(), b""))
    assert not seal.fits(with_empty, str(tmp_path))
    assert seal.fits(seal.sealed(build.manifest(), str(tmp_path)), str(tmp_path))
    assert len(key.read_bytes()) == 32

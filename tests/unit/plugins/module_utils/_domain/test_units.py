# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import sys

import pytest
from ansible_collections.vellaric.postgres.plugins.module_utils._domain import units
from ansible_collections.vellaric.postgres.plugins.module_utils._domain.errors import InvalidOption
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512m", 512 << 20),
        ("512M", 512 << 20),
        ("2g", 2 << 30),
        ("2GB", 2 << 30),
        ("2GiB", 2 << 30),
        ("1.5 g", 3 << 29),
        ("1t", 1 << 40),
        ("64k", 64 << 10),
        ("64b", 64),
        (" 1073741824 ", 1 << 30),
        (1073741824, 1 << 30),
    ],
)
def test_sizes_accepted(text, size):
    assert units.parse_size(text, "memory") == size


@pytest.mark.parametrize("text", ["", "m", "-1m", "1.m", ".5m", "1,5m", "1x", "1 m m", "1e9", "512 mega", "nan", None])
def test_sizes_refused_with_the_option_and_an_example(text):
    with pytest.raises(ValueError, match=r"^memory is .*such as 512m or 2g"):
        units.parse_size(text, "memory")


@pytest.mark.parametrize("text", ["0", "0g", "0.0001b"])
def test_a_size_of_nothing_is_refused(text):
    with pytest.raises(ValueError, match=r"^shm_size is .*greater than nothing"):
        units.parse_size(text, "shm_size")


@given(st.integers(min_value=1, max_value=1 << 60))
def test_sizes_survive_being_written_and_read(size):
    assert units.parse_size(units.format_size(size), "memory") == size


@given(st.text())
def test_any_text_is_a_size_or_refused(text):
    try:
        assert units.parse_size(text, "memory") > 0
    except ValueError as error:
        assert str(error).startswith("memory is ")


def test_a_size_of_many_digits_is_no_traceback():
    for text in ("9" * 400, "9" * 5000, "9" * 20, "1048577t"):
        with pytest.raises(ValueError, match="^memory is "):
            units.parse_size(text, "memory")


@pytest.mark.parametrize(
    ("size", "text"),
    [(2 << 30, "2g"), (3 << 29, "1536m"), (1000, "1000b"), (1 << 40, "1t"), (5 << 10, "5k"), (None, None)],
)
def test_sizes_are_written_in_the_largest_whole_unit(size, text):
    assert units.format_size(size) == text


@pytest.mark.parametrize(
    ("text", "nano"), [("1.5", 1500000000), (2, 2000000000), ("0.01", 10000000), (" 1 ", 1000000000)]
)
def test_cpus_accepted(text, nano):
    assert units.parse_cpus(text, "cpus") == nano


@pytest.mark.parametrize("text", ["", "0", "-1", "0.009", "4097", "nan", "inf", "two", "1,5", True, None])
def test_cpus_refused(text):
    with pytest.raises(ValueError, match=r"^cpus is .*at least 0.01"):
        units.parse_cpus(text, "cpus")


@given(st.integers(min_value=10_000_000, max_value=4096 * 10**9))
def test_cpus_survive_being_written_and_read(nano):
    assert units.parse_cpus(units.format_cpus(nano), "cpus") == nano


def test_whole_cpus_are_written_without_a_fraction():
    assert str(units.format_cpus(2 * 10**9)) == "2"
    assert units.format_cpus(1500000000) == 1.5
    assert units.format_cpus(None) is None


NOW = datetime.datetime(2026, 11, 30, 7, 30, 0, 120000, datetime.timezone.utc)


@pytest.mark.parametrize(
    ("text", "stamp"),
    [
        ("10m", "2026-11-30T07:20:00.120000000Z"),
        ("1d", "2026-11-29T07:30:00.120000000Z"),
        ("999999999w", "1926-12-25T07:30:00.120000000Z"),
        ("2026-11-30T07:00:00Z", "2026-11-30T07:00:00.000000000Z"),
        ("2026-11-30 08:00:00+01:00", "2026-11-30T07:00:00.000000000Z"),
        # In UTC, as the server writes its log.
        ("2026-11-30 07:00:00.5", "2026-11-30T07:00:00.500000000Z"),
    ],
)
def test_from_when_on_is_written_as_the_engine_stamps_lines(text, stamp):
    try:
        assert units.parse_since(text, "log_since", NOW) == stamp
    except InvalidOption:
        # Before Python 3.11, fractions have three or six digits.
        assert sys.version_info < (3, 11) and "." in text


@pytest.mark.parametrize(
    "text", ["", "yesterday", "10 minutes", "-1h", "2026-13-01", "0001-01-01T00:00:00+05:00", "1h\n2h"]
)
def test_what_is_no_time_is_refused(text):
    with pytest.raises(InvalidOption, match="log_since is .*such as 10m"):
        units.parse_since(text, "log_since", NOW)

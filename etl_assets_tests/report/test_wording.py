"""Numbers as people read them, and errors without what they may tell of a record."""

from datetime import timedelta

import pytest

from etl_assets.report.wording import (
    error_without_values,
    format_age,
    format_seconds,
    format_share,
    format_size,
)


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        ("312 rows arrived where 4,680 are held, under the floor of 50%.", None),
        ("clients 48213: the service gave 48214 instead.", "clients …: the service gave … instead."),
        ("a key of 'Mary Poppins' cannot stand in an address.", "a key of … cannot stand in an address."),
        ('visit "7 Main St" is twice', "visit … is twice"),
        ("subject 3f2504e0-4f89-11d3-9a0c-0305e82c3301 is gone", "subject … is gone"),
        ("since 2026-05-01 08:30 nothing came", None),
        ("x: 1 of 97 tables failed.\n  the disk\n is full", "x: 1 of 97 tables failed. the disk is full"),
        ("not null violation (23502), column birthdate.", "not null violation (…), column birthdate."),
    ],
)  # fmt: skip
def test_an_error_is_shown_without_keys_and_values(error, shown) -> None:
    assert error_without_values(error) == (shown or error)


def test_a_long_error_is_cut_short_and_none_is_empty() -> None:
    assert len(error_without_values("x" * 900)) == 201
    assert error_without_values(None) == ""


def test_numbers_are_shown_as_people_read_them() -> None:
    assert [format_size(size) for size in (0, 1023, 1536, 5 * 1024**3)] == ["0 B", "1,023 B", "1.5 kB", "5.0 GB"]
    assert [format_seconds(seconds) for seconds in (0.31, 245, 7800)] == ["0.3 s", "4 min 05 s", "2 h 10 min"]
    assert [format_age(timedelta(hours=hours)) for hours in (0.5, 36, 96)] == ["30 minutes", "36.0 hours", "4.0 days"]


def test_a_share_is_all_only_where_it_is() -> None:
    assert [format_share(*pair) for pair in ((1, 3), (99_999, 100_000), (7, 7), (0, 0))] == [
        "33.3 %", ">99.9 %", "100.0 %", "-",
    ]  # fmt: skip

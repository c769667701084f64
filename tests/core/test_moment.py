from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayanihan.core.moment import is_before, parse, render

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DIGITS = st.text(st.sampled_from("0123456789"), max_size=12)


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.000001Z", 1),
        ("1970-01-01T00:00:00.0000019Z", 1),
        ("1970-01-01T00:00:00.1Z", 100_000),
        ("1969-12-31T23:59:59.999Z", -1_000),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000_000),
        ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000_000),
        ("2020-02-29T00:00:00Z", 1_582_934_400_000_000),
    ],
)
def test_a_timestamp_is_microseconds(text: str, us: int) -> None:
    assert parse(text) == us


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Z",
        "2026-11-22",
        "2026-11-22T08:00:00",
        "2026-11-22T08:00:00z",
        "2026-11-22t08:00:00Z",
        "2026-11-22 08:00:00Z",
        "2026-11-22T08:00:00+00:00",
        "2026-11-22T08:00:00.Z",
        "2026-11-22T08:00:Z",
        "2026-11-22T08:00:0Z",
        "2026-11-22T08:00:00,5Z",
        "2026-11-22T08:00:00.5\nZ",
        "2026-11-22T08:00:00Z\n",
        "2026-11-22T24:00:00Z",
        "2026-11-22T08:60:00Z",
        "2026-11-22T08:00:61Z",
        "2026-11-31T08:00:00Z",
        "2025-02-29T08:00:00Z",
        "2026-13-01T08:00:00Z",
        "0000-01-01T08:00:00Z",
        "2026-W47-7T08:00:00Z",
        "20261122T080000Z",
        "+026-11-22T08:00:00Z",
        "٢٠٢٦-11-22T08:00:00Z",
        "2026-11-22T08:00:00.٣Z",
        "2026-11-22T08:00:00." + "1" * 60 + "Z",
    ],
)
def test_what_is_no_timestamp(text: str) -> None:
    assert parse(text) is None


@given(st.datetimes(timezones=st.just(UTC)), DIGITS)
def test_parsing_agrees_with_the_calendar(moment: datetime, digits: str) -> None:
    whole = moment.replace(microsecond=0)
    text = whole.strftime("%Y-%m-%dT%H:%M:%S").zfill(19) + (f".{digits}Z" if digits else "Z")
    expected = (whole - EPOCH) // timedelta(microseconds=1) + int(digits[:6].ljust(6, "0"))
    assert parse(text) == expected


@given(st.datetimes(timezones=st.just(UTC)))
def test_rendering_comes_back(moment: datetime) -> None:
    us = (moment - EPOCH) // timedelta(microseconds=1)
    assert parse(render(us)) == us


@given(DIGITS, DIGITS)
def test_every_digit_counts_in_the_order(one: str, other: str) -> None:
    texts = [f"2026-11-22T08:00:00.{digits or '0'}Z" for digits in (one, other)]
    assert is_before(*texts) == (float(f"0.{one}0") < float(f"0.{other}0"))


@given(st.text(max_size=30))
def test_any_text_is_read_or_not(text: str) -> None:
    assert parse(text) is None or text.endswith("Z")

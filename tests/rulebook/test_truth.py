"""Three-valued logic over time behaves as logic does, day by day."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayanihan.errors import Refused
from bayanihan.rulebook.truth import (
    ALWAYS,
    NEVER,
    NO,
    OPEN,
    UNKNOWN,
    YES,
    Timeline,
    at,
    both,
    check_day,
    either,
    interval,
    negate,
    next_start,
    since,
    was,
)

DAYS = ["2024-01-01", "2025-02-02", "2026-08-02", "2027-12-02", "2028-08-02"]


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    starts = ["", *sorted(draw(st.sets(st.sampled_from(DAYS))))]
    line: list[tuple[str, int]] = []
    for start in starts:
        truth = draw(st.sampled_from([NO, UNKNOWN, YES]))
        if not line or line[-1][1] != truth:
            line.append((start, truth))
    return tuple(line)


@given(timelines(), timelines(), st.sampled_from(["2020-01-01", *DAYS, "2030-01-01"]))
def test_kleene_holds_on_every_day(left: Timeline, right: Timeline, day: str) -> None:
    assert at(both(left, right), day) == min(at(left, day), at(right, day))
    assert at(either(left, right), day) == max(at(left, day), at(right, day))
    assert at(negate(left), day) == YES - at(left, day)


@given(timelines(), timelines())
def test_de_morgan_and_double_negation(left: Timeline, right: Timeline) -> None:
    assert negate(both(left, right)) == either(negate(left), negate(right))
    assert negate(negate(left)) == left


@given(timelines())
def test_constants_are_neutral(line: Timeline) -> None:
    assert both(line, ALWAYS) == line
    assert either(line, NEVER) == line
    assert both(line, NEVER) == NEVER
    assert either(line, ALWAYS) == ALWAYS


def test_unknown_is_never_no() -> None:
    assert both(OPEN, ALWAYS) == OPEN
    assert either(OPEN, NEVER) == OPEN
    assert negate(OPEN) == OPEN


def test_an_interval_is_half_open() -> None:
    line = interval("2026-08-02", "2027-12-02")
    assert at(line, "2026-08-01") == NO
    assert at(line, "2026-08-02") == YES
    assert at(line, "2027-12-01") == YES
    assert at(line, "2027-12-02") == NO
    assert interval("2027-01-01", "2026-01-01") == NEVER
    assert interval("", "") == ALWAYS


def test_starts_and_ends_are_found() -> None:
    line = interval("2026-08-02", "2027-12-02")
    assert next_start(line, "2026-01-01") == "2026-08-02"
    assert next_start(line, "2026-08-02") == ""
    assert since(line, "2027-01-01") == "2026-08-02"
    assert was(line, "2028-01-01")
    assert not was(line, "2027-01-01")


@pytest.mark.parametrize("day", ["2024-02-29", "2026-12-31", "2000-02-29"])
def test_days_of_the_calendar_pass(day: str) -> None:
    assert check_day(day, "x") == day


@pytest.mark.parametrize(
    "day",
    ["2026-02-29", "1900-02-29", "2026-13-01", "2026-00-10", "2026-1-1", "26-01-01", "yesterday",
     "2026-04-31", "２０２６-01-01", "0000-01-01", 20260101, None],
)  # fmt: skip
def test_other_days_are_refused(day: object) -> None:
    with pytest.raises(Refused) as caught:
        check_day(day, "cases.yaml:3")
    assert caught.value.code == "bad-value"
    assert caught.value.where == "cases.yaml:3"

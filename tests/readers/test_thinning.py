"""What state keeps of the past, and that thinning it never makes a protection look earlier."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayanihan.ledger import Change, Ledger
from bayanihan.readers.heads import HEADS, MINUTE_PREFIX
from bayanihan.readers.protection import APPLIED, applied_prefix, reached_us
from bayanihan.readers.thinning import (
    APPLIED_STEPS,
    DAY_US,
    HOUR_US,
    MINUTE_US,
    Dated,
    superfluous,
    thin_applied,
    thin_heads,
)

NOW_US = 20_000 * DAY_US
EPOCH = "ab" * 8
PLACE = ("SG", "rpz.zone", "protected", EPOCH)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger(tmp_path)) as opened:
        yield opened


def applied(ledger: Ledger, position: int, at_us: int, epoch: str = EPOCH) -> None:
    key = f"{applied_prefix(*PLACE[:3], epoch)}{position:016d}"
    ledger.state.put([Change(APPLIED, key, b"%d" % at_us)])


def positions(ledger: Ledger) -> list[int]:
    return [int(each.key.rpartition("/")[2]) for each in ledger.state.list(APPLIED, limit=1_000)]


def test_all_of_a_week_then_an_hours_last_then_a_days_last(ledger: Ledger) -> None:
    begins = (NOW_US - 200 * DAY_US, NOW_US - 30 * DAY_US, NOW_US - 2 * DAY_US)
    for number, begin_us in enumerate(begins):
        for half_hours in range(4):
            at_us = begin_us + half_hours * HOUR_US // 2
            applied(ledger, 100 * number + half_hours, at_us)
    assert thin_applied(ledger.state, APPLIED, EPOCH, NOW_US) == 3 + 2
    assert positions(ledger) == [3, 101, 103, 200, 201, 202, 203]
    assert thin_applied(ledger.state, APPLIED, EPOCH, NOW_US) == 0
    assert reached_us(ledger.state, *PLACE, 0) == begins[0] + 3 * HOUR_US // 2
    assert reached_us(ledger.state, *PLACE, 201) == begins[2] + HOUR_US // 2


def test_first_times_of_another_history_go(ledger: Ledger) -> None:
    applied(ledger, 1, NOW_US, epoch="cd" * 8)
    applied(ledger, 2, NOW_US)
    assert thin_applied(ledger.state, APPLIED, EPOCH, NOW_US) == 1
    assert positions(ledger) == [2]


def test_heads_stay_by_the_minute_for_a_day_then_by_the_hour(ledger: Ledger) -> None:
    now = NOW_US // MINUTE_US
    for minutes in range(3 * 24 * 60):
        key = f"minute/{now - minutes:012d}"
        ledger.state.put([Change(HEADS, key, b"0")])
    ledger.state.put([Change(HEADS, "latest", b"0")])
    assert thin_heads(ledger.state, HEADS, MINUTE_PREFIX, NOW_US) > 2_000
    kept = [each.key for each in ledger.state.list(HEADS, limit=10_000)]
    assert kept[0] == "latest"
    assert len(kept) == 1 + 24 * 60 + 1 + 2 * 24
    assert f"minute/{now:012d}" in kept


@given(st.lists(st.integers(0, 400 * DAY_US), max_size=60))
def test_what_is_left_answers_never_earlier_and_a_day_later_at_most(
    ages_us: list[int],
) -> None:
    moments = sorted(NOW_US - age_us for age_us in ages_us)
    dated = [Dated(f"{number:03d}", "s", at_us) for number, at_us in enumerate(moments)]
    gone = set(superfluous(dated, APPLIED_STEPS, NOW_US))
    left = [each for each in dated if each.key not in gone]
    assert [each.key for each in left][-1:] == [each.key for each in dated][-1:]
    for each in dated:
        answer = next(other for other in left if other.key >= each.key)
        assert 0 <= answer.at_us - each.at_us < DAY_US
        if NOW_US - each.at_us <= 7 * DAY_US:
            assert answer == each

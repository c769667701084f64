"""Protection in words and numbers."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bayanihan.readers.protection import STATES
from bayanihan.web.tiles import MEANINGS, WORDS, shown_of, spread_of, totals_of

CODES = "BN ID KH LA MM MY PH SG TH TL VN".split()
MEMBERS = {code: (f"Name of {code}", code == "TL") for code in CODES}


def board(states: list[str], seconds: list[float]) -> dict[str, Any]:
    return {
        "id": "indicator--1",
        "accepted_at": "2026-11-22T08:00:00.000Z",
        "feeds": ["rpz.zone"],
        "members": [
            {"member": code, "state": state, "since": "2026-11-22T08:00:01.000Z", "seconds": taken}
            for code, state, taken in zip(CODES, states, seconds, strict=True)
        ],
    }


FULL = st.builds(
    board,
    st.lists(st.sampled_from(STATES), min_size=11, max_size=11),
    st.lists(st.floats(0, 1e6), min_size=11, max_size=11),
)


def test_every_state_has_a_word_and_a_meaning() -> None:
    assert set(WORDS) == set(MEANINGS) == set(STATES)
    assert len(set(WORDS.values())) == len(STATES)


@given(FULL)
def test_tiles_stand_in_the_order_of_the_codes(one: dict[str, Any]) -> None:
    shown = shown_of(one, MEMBERS)
    assert [tile.code for tile in shown.tiles] == CODES
    assert shown.members == 11
    assert sum(number for _, number in shown.counts) == 11
    assert shown.protected == sum(tile.state == "protected" for tile in shown.tiles)
    assert [tile.code for tile in shown.tiles if tile.hosted] == ["TL"]


@given(FULL)
def test_times_are_of_the_protected_and_n_is_stated(one: dict[str, Any]) -> None:
    shown = shown_of(one, MEMBERS)
    times = [tile.seconds for tile in shown.tiles if tile.state == "protected"]
    if not times:
        assert shown.spread is None
        return
    assert shown.spread is not None
    assert shown.spread.n == len(times)
    assert shown.spread.low == min(t for t in times if t is not None)
    assert shown.spread.low <= shown.spread.median <= shown.spread.high


def test_a_count_alone_shows_no_times() -> None:
    one = board(["protected"] * 11, [5.0] * 11)
    one["members"] = one["members"][7:8]
    one["counts"] = {"protected": 4, "not-yet": 7}
    shown = shown_of(one, MEMBERS)
    assert [tile.code for tile in shown.tiles] == ["SG"]
    assert (shown.protected, shown.members, shown.spread) == (4, 11, None)
    assert totals_of(3, [shown, shown]).places == 22
    assert totals_of(3, [shown]).spread is None


def test_the_median_of_nothing_is_nothing() -> None:
    assert spread_of([]) is None
    found = spread_of([4.0, 1.0, 2.0])
    assert found is not None
    assert (found.n, found.median, found.low, found.high) == (3, 2.0, 1.0, 4.0)

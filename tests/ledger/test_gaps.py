"""Stamps are seen by many: what lies between two of them must not be counted."""

from __future__ import annotations

import random as seeded
from collections.abc import Callable
from itertools import accumulate, pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bayanihan.core.marking import Audience, Viewer
from bayanihan.ledger import Draft, Ledger, Where
from bayanihan.ledger.gaps import AHEAD_US, gaps

DRAWS = 1_500
SG = Viewer(key="k", person="ana", member="SG")
PUBLIC = Viewer()


@given(st.integers(1, 5_000), st.integers(-2_000_000, AHEAD_US), st.integers())
def test_gaps_fit_into_the_time_there_is(count: int, room_us: int, seed: int) -> None:
    found = gaps(count, room_us, seeded.Random(seed).randbytes)
    assert len(found) == count
    assert min(found) >= 1
    assert sum(found) <= max(count, room_us // 4)


def between(hidden: int, around: int, number: int) -> int:
    """The difference of two visible stamps that so many hidden ones lie between."""
    random = seeded.Random(number).randbytes
    found = gaps(around + hidden + 2, AHEAD_US, random)
    first = seeded.Random(-number).randrange(around + 1)
    stamps = list(accumulate(found))
    return stamps[first + hidden + 1] - stamps[first]


def told_apart(one: Callable[[int], int], other: Callable[[int], int]) -> float:
    """How often the best threshold guesses right which of two a difference came from."""
    labelled = sorted(
        [(one(n), 1) for n in range(DRAWS)] + [(other(DRAWS + n), -1) for n in range(DRAWS)]
    )
    distance = max(abs(total) for total in accumulate(label for _, label in labelled)) / DRAWS
    return 0.5 + distance / 2


def test_who_sees_two_ends_of_a_batch_cannot_tell_how_long_it_is() -> None:
    guessed = told_apart(lambda n: between(1, 0, n), lambda n: between(900, 0, n))
    assert guessed < 0.65, "of 1 hidden and 900"


def test_who_sees_two_entries_amid_a_batch_guesses_badly() -> None:
    guessed = told_apart(lambda n: between(10, 20, n), lambda n: between(20, 20, n))
    assert guessed < 0.65, "of 10 hidden and 20"
    consecutive = told_apart(lambda n: 11, lambda n: 21)
    assert consecutive == 1.0, "as it was without gaps"


def test_a_burst_does_not_run_ahead_of_the_clock() -> None:
    """100,000 entries a second for five seconds, in batches of each size."""
    for size in (1, 100, 5_000):
        random = seeded.Random(size).randbytes
        wall_us = stamp_us = 0
        for _ in range(500_000 // max(size, 50)):
            room_us = wall_us + AHEAD_US - max(stamp_us, wall_us)
            stamp_us = max(stamp_us, wall_us) + sum(gaps(size, room_us, random))
            assert stamp_us < wall_us + 1_000_000
            wall_us += 10 * size


def test_stamps_that_a_viewer_sees_are_not_those_of_the_batch_before(tmp_path: Path) -> None:
    """Through the ledger: the same visible entries around few and many hidden ones."""
    ledger = Ledger(
        tmp_path, now_us=lambda: 1_800_000_000_000_000, random=seeded.Random(7).randbytes
    )
    clear, red = Audience("clear"), Audience("red", persons=("ana",))

    def draft(audience: Audience, name: str) -> Draft:
        return Draft("object", audience, "ana", "SG", f"note--{name}", b"x", 1)

    for hidden in (0, 1, 10, 100):
        ledger.append(
            [
                draft(clear, f"{hidden}-first"),
                *[draft(red, f"{hidden}-{n}") for n in range(hidden)],
                draft(clear, f"{hidden}-last"),
            ]
        )
    page = ledger.read(PUBLIC, 0, 100, Where())
    every = ledger.read(SG, 0, 500, Where())
    ledger.close()
    assert len(page.items) == 8
    assert len(every.items) == 8 + 111
    stamps = [item.entry.stamp_us for item in every.items]
    assert all(one < next_one for one, next_one in pairwise(stamps))
    seen = [item.entry.stamp_us for item in page.items]
    differences = [last - first for first, last in zip(seen[::2], seen[1::2], strict=True)]
    assert all(difference > 1_000 for difference in differences), "none is a count"

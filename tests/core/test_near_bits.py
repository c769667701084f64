"""Rows of bits found by the pigeonhole principle are those that looking at all of them finds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayanihan.core.near_bits import BITS_MOST, NearBits, apart

COUNT = 6_000


def turned(row: Any, bits: list[int]) -> Any:
    """A row with some of its bits turned."""
    other = row.copy()
    for bit in bits:
        other[bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    return other


@pytest.fixture(scope="module")
def filled() -> tuple[Any, NearBits]:
    """Rows of which most were sorted and the last were not."""
    rows = np.random.default_rng(7).integers(0, 1 << 64, (COUNT, 4), dtype=np.uint64)
    index = NearBits()
    index.add(rows[:5_000])
    index.add(rows[5_000:])
    assert len(index) == COUNT
    return rows, index


@given(
    place=st.integers(0, COUNT - 1),
    bits=st.sets(st.integers(0, 255), max_size=BITS_MOST),
    most=st.integers(0, BITS_MOST),
)
@settings(max_examples=60, deadline=None)
def test_every_row_within_the_distance_is_found(
    filled: tuple[Any, NearBits], place: int, bits: set[int], most: int
) -> None:
    rows, index = filled
    sought = turned(rows[place], sorted(bits))
    places, far = index.within(sought, most)
    all_of_them = apart(sought, rows)
    assert places.tolist() == (all_of_them <= most).nonzero()[0].tolist()
    assert far.tolist() == all_of_them[places].tolist()
    assert (place in places) == (len(bits) <= most)


def test_a_bit_turned_twice_in_each_part_is_the_limit() -> None:
    """31 bits leave one part with one at most; the parts were chosen for that."""
    row = np.random.default_rng(3).integers(0, 1 << 64, (1, 4), dtype=np.uint64)
    index = NearBits()
    index.add(np.repeat(row, 5_000, axis=0))  # all alike: more candidates than rows
    bits = [16 * part + turn for part in range(16) for turn in (0, 9)][:BITS_MOST]
    places, far = index.within(turned(row[0], bits))
    assert len(places) == 5_000
    assert set(far.tolist()) == {BITS_MOST}
    with pytest.raises(ValueError, match="0 to 31"):
        index.within(row[0], BITS_MOST + 1)


def test_an_empty_index_finds_nothing() -> None:
    places, far = NearBits().within(np.zeros(4, dtype=np.uint64))
    assert (len(places), len(far)) == (0, 0)

"""Opening the catalogue finds every place, and its work does not grow with the rows."""

from __future__ import annotations

import sqlite3

from hypothesis import given, settings
from hypothesis import strategies as st

from bayanihan.readers.taxii.places import places
from bayanihan.readers.taxii.rows import SCHEMA, Place

PLACES = st.tuples(
    st.integers(0, 2), st.integers(0, 1), st.sampled_from(["", "a", "b"]), st.integers(1, 3)
)


def index_of(rows: list[Place]) -> sqlite3.Connection:
    """A catalogue's file with one row at each place given, positions ascending."""
    db = sqlite3.connect(":memory:")
    db.executescript(SCHEMA)
    db.executemany(
        "INSERT INTO rows VALUES (?, 0, 0, ?, 'SG', ?, ?, 1, 1, 0, 0, 1, ?, 0)",
        [
            (position, exercise, audience, shelf, line)
            for position, (line, exercise, shelf, audience) in enumerate(rows, 1)
        ],
    )
    return db


@settings(max_examples=40)
@given(st.lists(PLACES, max_size=40))
def test_every_place_is_found_with_its_newest_position(rows: list[Place]) -> None:
    newest = {place: position for position, place in enumerate(rows, 1)}
    found = list(places(index_of(rows)))
    assert dict(found) == newest
    assert [place for place, _ in found] == sorted(newest)


def test_the_work_is_that_of_the_places_and_not_of_the_rows() -> None:
    steps = []
    for count in (20, 20_000):
        db = index_of([(number % 2, 0, "", number % 5) for number in range(count)])
        ticks = [0]

        def tick(ticks: list[int] = ticks) -> int:
            ticks[0] += 1
            return 0

        db.set_progress_handler(tick, 1)
        assert len(list(places(db))) == 10
        steps.append(ticks[0])
    assert steps[1] < steps[0] * 1.5

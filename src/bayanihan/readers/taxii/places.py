"""Every place of the catalogue's index: read when a hub starts, in steps that no row adds to."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from bayanihan.readers.taxii.rows import Place

_PLACE_COLUMNS = ("line", "exercise", "shelf", "audience")


def places(db: sqlite3.Connection) -> Iterator[tuple[Place, int]]:
    """Every place of the index with its newest position: a few steps a place, not one a row."""
    place = _next_place(db, ())
    while place:
        newest = db.execute(
            "SELECT max(position) FROM rows INDEXED BY rows_seen"
            " WHERE line = ? AND exercise = ? AND shelf = ? AND audience = ?",
            place,
        ).fetchone()[0]
        yield place, newest
        place = _next_place(db, place)


def _next_place(db: sqlite3.Connection, place: Place | tuple[()]) -> Place | None:
    """The place after one, or the first.

    Only the last column of what is compared may be greater: SQLite answers a comparison of
    rows, (a, b) > (?, ?), by walking through all that begin alike.
    """
    columns = ", ".join(_PLACE_COLUMNS)
    for depth in range(len(place), 0, -1):
        same = "".join(f"{column} = ? AND " for column in _PLACE_COLUMNS[: depth - 1])
        found: Place | None = db.execute(
            f"SELECT {columns} FROM rows INDEXED BY rows_seen"
            f" WHERE {same}{_PLACE_COLUMNS[depth - 1]} > ? ORDER BY {columns} LIMIT 1",
            place[:depth],
        ).fetchone()
        if found:
            return found
    if place:
        return None
    first: Place | None = db.execute(
        f"SELECT {columns} FROM rows INDEXED BY rows_seen ORDER BY {columns} LIMIT 1"
    ).fetchone()
    return first

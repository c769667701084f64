"""How fast values come: which of its member's in an hour each is, and which on its network.

Numbers are given at the fold, so that whether a value must wait is a look at the value alone.
They count per audience, so that they tell nobody of what others were told; a later version of
an object counts only what it names newly. Only high numbers are kept, beside the rest of the
projection and outside its digest: an erasure makes a later replay count less.
"""

from __future__ import annotations

import ipaddress
import sqlite3
from collections.abc import Iterable

from bayanihan.core.observables import Observable, host_of

# Lower numbers are not kept, so budgets cannot be lower.
HOUR_FROM = 100
PLACE_FROM = 16
HOUR_US = 3_600_000_000
WINDOW_US = 30 * 24 * HOUR_US

SCHEMA = """
CREATE TABLE pace_counts (
    state TEXT, audience INTEGER, exercise INTEGER, place TEXT,
    period INTEGER NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (state, audience, exercise, place)
) STRICT, WITHOUT ROWID;
CREATE TABLE pace_items (
    position INTEGER, type TEXT, value TEXT, in_hour INTEGER NOT NULL, in_place INTEGER NOT NULL,
    PRIMARY KEY (position, type, value)
) STRICT, WITHOUT ROWID;
"""

_Key = tuple[str, int, int, str]


def place_of(value: Observable) -> str:
    """The network or host that a value lies on: a /24, a /48, a URL's host; "" for others."""
    if value.type == "ipv4":
        return value.value.rpartition(".")[0]
    if value.type == "ipv6":
        return str(ipaddress.ip_network((value.value, 48), strict=False))
    return host_of(value).value if value.type == "url" else ""


class Pace:
    """Counts the values of one transaction of the fold."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._counts: dict[_Key, tuple[int, int]] = {}
        self._rows: list[tuple[int, str, str, int, int]] = []

    def count(
        self,
        place: tuple[str, int, int],
        position: int,
        stamp_us: int,
        values: Iterable[Observable],
    ) -> None:
        """Number the values that an entry names newly.

        Args:
            place: the member, the audience, and whether it is an exercise's.
            position: of the entry.
            stamp_us: of the entry.
            values: what it names and no version before did.
        """
        for value in values:
            in_hour = self._next((*place, ""), stamp_us // HOUR_US)
            at = place_of(value)
            # Who shares a network is counted whoever tells of it.
            in_place = self._next(("", *place[1:], at), stamp_us // WINDOW_US) if at else 0
            if in_hour > HOUR_FROM or in_place > PLACE_FROM:
                self._rows.append((position, value.type, value.value, in_hour, in_place))

    def carry(self, before: int, position: int, values: Iterable[Observable]) -> None:
        """What a version before named already keeps its numbers."""
        known = self._db.execute(
            "SELECT type, value, in_hour, in_place FROM pace_items WHERE position = ?", (before,)
        ).fetchall()
        known += [row[1:] for row in self._rows if row[0] == before]
        there = {(value.type, value.value) for value in values}
        self._rows += [(position, *row) for row in known if (row[0], row[1]) in there]

    def named(self, position: int) -> set[Observable]:
        """What an entry names, as it was written before this transaction."""
        rows = self._db.execute("SELECT type, value FROM items WHERE position = ?", (position,))
        return {Observable(type_, value) for type_, value in rows}

    def write(self, gone: Iterable[int]) -> None:
        """Write what was counted; `gone` are positions whose values are there no more."""
        self._db.executemany(
            "DELETE FROM pace_items WHERE position = ?", [(each,) for each in gone]
        )
        self._db.executemany(
            "INSERT OR REPLACE INTO pace_counts VALUES (?, ?, ?, ?, ?, ?)",
            [(*key, *found) for key, found in self._counts.items()],
        )
        self._db.executemany("INSERT OR REPLACE INTO pace_items VALUES (?, ?, ?, ?, ?)", self._rows)

    def _next(self, key: _Key, period: int) -> int:
        found = (
            self._counts.get(key)
            or self._db.execute(
                "SELECT period, count FROM pace_counts"
                " WHERE state = ? AND audience = ? AND exercise = ? AND place = ?",
                key,
            ).fetchone()
        )
        count = found[1] + 1 if found and found[0] == period else 1
        self._counts[key] = (period, count)
        return count

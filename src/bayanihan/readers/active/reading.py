"""One moment of the active set, read with what will count later, for those who fold it further.

A `View` is what holds at one moment. Whoever keeps a set up to date needs more: what was told
already and holds later, and what changed since the moment that they know.
"""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from bayanihan.readers.active.indicator import FOREVER_US
from bayanihan.readers.active.touched import Touch, Touched
from bayanihan.readers.active.view import (
    ITEMS,
    NAMED,
    PAGE_ROWS,
    PASSED,
    REST,
    STAND,
    ItemRow,
    NotBlockable,
    item_rows,
    rest_of,
)

_REST_OF = REST.replace(
    "o.exercise = :exercise\n",
    "o.exercise = :exercise AND o.object_id IN (SELECT value FROM json_each(:objects))\n",
)


class Reading:
    """The active set for some audiences, as one moment of the file.

    `position` is where these audiences last changed and `stamp_us` when; `folded` how far
    the file itself had come.
    """

    position: int
    stamp_us: int

    def __init__(
        self, db: sqlite3.Connection, touched: Touched, audiences: Sequence[int], *, exercise: bool
    ) -> None:
        self._db = db
        self._touched = touched
        self._audiences = audiences
        self._exercise = exercise
        self._known = db.execute(STAND, self._terms(0)).fetchall()
        stands = [(row[1], row[2]) for row in self._known]
        self.position, self.stamp_us = max(stands, default=(0, 0))
        self.folded: int = db.execute("SELECT position FROM progress").fetchone()[0]

    def touches(self, after: int) -> list[Touch] | None:
        """What changed after a value of `folded`; None where that is not known."""
        return self._touched.since(after, self._audiences, exercise=self._exercise)

    def named(self, now_us: int) -> Iterator[list[ItemRow]]:
        """All that is named now or later: of each value the rows, in order of (type, value)."""
        pages = (
            sorted(item_rows(text)) for (text,) in self._db.execute(ITEMS, self._terms(now_us))
        )
        rows = itertools.chain.from_iterable(pages)
        for _, group in itertools.groupby(rows, key=lambda row: row[:2]):
            yield list(group)

    def naming(self, type_: str, value: str, now_us: int) -> list[ItemRow]:
        """The rows that name a value now or later."""
        terms = self._terms(now_us) | {"type": type_, "value": value}
        return sorted(item_rows(self._db.execute(NAMED, terms).fetchone()[0]))

    def rest(self, now_us: int, object_ids: Sequence[str] | None = None) -> Iterator[NotBlockable]:
        """The parts that can become no block, now or later; of some objects, or of all."""
        terms = self._terms(now_us) | {"objects": json.dumps(object_ids)}
        return rest_of(self._db, terms, REST if object_ids is None else _REST_OF)

    def ended_us(self, now_us: int) -> int:
        """The last moment at which something ceased to hold."""
        terms = self._terms(now_us)
        found = [
            self._db.execute(PASSED, terms | {"audience": row[0]}).fetchone()[0] or 0
            for row in self._known
        ]
        return max(found, default=0)

    def _terms(self, now_us: int) -> dict[str, Any]:
        return {
            "audiences": json.dumps(self._audiences),
            "exercise": int(self._exercise),
            "now_us": now_us,
            "from_us": FOREVER_US,
            "rows": PAGE_ROWS,
        }

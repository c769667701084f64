"""The questions of pages, asked of the SQLite store."""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Callable, Iterator, Sequence

import msgspec

from bayanihan.ledger.engine import Rights, Shape
from bayanihan.ledger.entry import KINDS, Entry
from bayanihan.ledger.rows import BODY_COLUMNS, ENTRY_COLUMNS, ITEM_COLUMNS, entry_of, only
from bayanihan.ledger.store import Where

_COLUMNS = {"bodies": BODY_COLUMNS, "items": ITEM_COLUMNS}
_AMONG = "IN (SELECT value FROM json_each(?))"


def _listed(positions: Sequence[int]) -> str:
    return msgspec.json.encode(positions).decode()


class SqlitePaging:
    """See `Paging`.

    Args:
        reading: gives this thread's reading connection.
    """

    def __init__(self, reading: Callable[[], sqlite3.Connection]) -> None:
        self._reading = reading

    def walk(
        self, shape: Shape, rights: Rights, after: int, end: int, where: Where, limit: int
    ) -> sqlite3.Cursor:
        """See `Paging`."""
        return self._reading().execute(
            f"SELECT {_COLUMNS[shape]} FROM entries NOT INDEXED"
            f" WHERE position > ? AND position <= ?{only(where)} AND author IS NOT NULL"
            f" AND audience {_AMONG} ORDER BY position LIMIT ?",
            (after, end, rights.listed, limit),
        )

    def picked(self, shape: Shape, positions: Sequence[int]) -> sqlite3.Cursor:
        """See `Paging`."""
        return self._reading().execute(
            f"SELECT {_COLUMNS[shape]} FROM entries NOT INDEXED WHERE author IS NOT NULL"
            f" AND position {_AMONG} ORDER BY position",
            (_listed(positions),),
        )

    def about(
        self, shape: Shape, positions: Sequence[int], rights: Rights, where: Where
    ) -> sqlite3.Cursor:
        """See `Paging`."""
        return self._reading().execute(
            f"SELECT {_COLUMNS[shape]} FROM entries NOT INDEXED WHERE position {_AMONG}"
            f" AND object_id = ?{only(where)} AND author IS NOT NULL"
            f" AND audience {_AMONG} ORDER BY position",
            (_listed(positions), where.object_id, rights.listed),
        )

    def newest_about(
        self, positions: Sequence[int], rights: Rights, where: Where, origin: str, limit: int
    ) -> list[Entry]:
        """See `Paging`."""
        rows = self._reading().execute(
            f"SELECT {ENTRY_COLUMNS} FROM entries NOT INDEXED WHERE position {_AMONG}"
            f" AND object_id = ?{only(where)} AND author IS NOT NULL AND (? = '' OR origin = ?)"
            f" AND audience {_AMONG} ORDER BY position DESC LIMIT ?",
            (_listed(positions), where.object_id, origin, origin, rights.listed, limit),
        )
        return [entry_of(row) for row in rows]

    def merged(
        self, places: Sequence[tuple[int, int, int]], after: int, end: int, limit: int
    ) -> Iterator[int]:
        """See `Paging`."""
        step = max(16, 2 * limit // len(places))
        return heapq.merge(*[self._seen(place, after, end, step) for place in places])

    def _seen(self, place: tuple[int, int, int], after: int, end: int, step: int) -> Iterator[int]:
        while True:
            found = (
                self._reading()
                .execute(
                    "SELECT position FROM entries INDEXED BY entries_seen WHERE audience = ?"
                    " AND kind = ? AND exercise = ? AND position > ? AND position <= ?"
                    " AND author IS NOT NULL ORDER BY position LIMIT ?",
                    (*place, after, end, step),
                )
                .fetchall()
            )
            for (position,) in found:
                yield position
            if len(found) < step:
                return
            after = found[-1][0]

    def newest_seen(self, place: tuple[int, int, int], before: int, limit: int) -> list[int]:
        """See `Paging`."""
        rows = self._reading().execute(
            "SELECT position FROM entries INDEXED BY entries_seen WHERE audience = ?"
            " AND kind = ? AND exercise = ? AND position < ? AND author IS NOT NULL"
            " ORDER BY position DESC LIMIT ?",
            (*place, before, limit),
        )
        return [position for (position,) in rows]

    def newest_of(self, audience: int) -> int:
        """See `Paging`."""
        find = (
            "SELECT max(position) FROM entries INDEXED BY entries_seen WHERE audience = ?"
            " AND kind = ? AND exercise = ? AND author IS NOT NULL"
        )
        found = [
            self._reading().execute(find, (audience, kind, flag)).fetchone()[0]
            for kind in range(len(KINDS))
            for flag in (0, 1)
        ]
        return max(position or 0 for position in found)

    def by_others(self, positions: Sequence[int], person: str) -> list[int]:
        """See `Paging`."""
        rows = self._reading().execute(
            f"SELECT position FROM entries WHERE author <> ? AND position {_AMONG}",
            (person, _listed(positions)),
        )
        return [position for (position,) in rows]

"""The questions of pages, asked of the PostgreSQL store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from bayanihan.ledger.engine import Rights, Row, Shape
from bayanihan.ledger.entry import KINDS, Entry
from bayanihan.ledger.rows import BODY_COLUMNS, ENTRY_COLUMNS, ITEM_COLUMNS, entry_of, only
from bayanihan.ledger.store import Where

_COLUMNS = {"bodies": BODY_COLUMNS, "items": ITEM_COLUMNS}
# Rows come whole, so a question is cut where their bodies pass this; the next goes on.
PART_SIZE_BYTES = 8 * 1024 * 1024
_MERGED = (
    "SELECT found.position FROM unnest(%s::int[], %s::int[], %s::int[]) AS place (a, k, f),"
    " LATERAL (SELECT position FROM entries WHERE audience = a AND kind = k AND exercise = f"
    " AND position > %s AND position <= %s AND author IS NOT NULL ORDER BY position LIMIT %s)"
    " AS found ORDER BY position LIMIT %s"
)

Ask = Callable[[str, Sequence[Any]], list[Row]]


def bounded(columns: str, condition: str, limit: str) -> str:
    """Rows in order of position, up to the one with which their bodies pass a size.

    The last two parameters are the limit and the size.
    """
    return (
        f"SELECT {columns} FROM (SELECT *, sum(size) OVER (ORDER BY position) AS total FROM"
        f" entries WHERE {condition} ORDER BY position LIMIT {limit}) AS found"
        " WHERE total - size <= %s ORDER BY position"
    )


class Parts:
    """Rows that are fetched a part at a time, each part of bounded size."""

    def __init__(self, parts: Iterator[list[Row]]) -> None:
        self._rows = (row for part in parts for row in part)

    def fetchmany(self, size: int, /) -> Sequence[Row]:
        """Up to `size` further rows."""
        return list(islice(self._rows, size))


class PostgresPaging:
    """See `Paging`.

    Args:
        ask: the rows that a question answers with.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def _parts(
        self, shape: Shape, condition: str, values: Sequence[Any], after: int, limit: int
    ) -> Iterator[list[Row]]:
        question = bounded(_COLUMNS[shape], f"{condition} AND position > %s", "%s")
        while limit > 0:
            rows = self._ask(question, (*values, after, limit, PART_SIZE_BYTES))
            if not rows:
                return
            yield rows
            if len(rows) < limit and sum(row[2] for row in rows) <= PART_SIZE_BYTES:
                return
            limit -= len(rows)
            after = rows[-1][0]

    def walk(
        self, shape: Shape, rights: Rights, after: int, end: int, where: Where, limit: int
    ) -> Parts:
        """See `Paging`."""
        condition = f"position <= %s{only(where)} AND author IS NOT NULL AND audience = ANY(%s)"
        return Parts(self._parts(shape, condition, (end, list(rights.ids)), after, limit))

    def picked(self, shape: Shape, positions: Sequence[int]) -> Parts:
        """See `Paging`."""
        condition = "author IS NOT NULL AND position = ANY(%s)"
        return Parts(self._parts(shape, condition, (list(positions),), 0, len(positions)))

    def about(self, shape: Shape, positions: Sequence[int], rights: Rights, where: Where) -> Parts:
        """See `Paging`."""
        condition = (
            f"position = ANY(%s) AND object_id = %s{only(where)} AND author IS NOT NULL"
            " AND audience = ANY(%s)"
        )
        values = (list(positions), where.object_id, list(rights.ids))
        return Parts(self._parts(shape, condition, values, 0, len(positions)))

    def newest_about(
        self, positions: Sequence[int], rights: Rights, where: Where, origin: str, limit: int
    ) -> list[Entry]:
        """See `Paging`."""
        rows = self._ask(
            f"SELECT {ENTRY_COLUMNS} FROM entries WHERE position = ANY(%s) AND object_id = %s"
            f"{only(where)} AND author IS NOT NULL AND (%s = '' OR origin = %s)"
            " AND audience = ANY(%s) ORDER BY position DESC LIMIT %s",
            (list(positions), where.object_id, origin, origin, list(rights.ids), limit),
        )
        return [entry_of(row) for row in rows]

    def merged(
        self, places: Sequence[tuple[int, int, int]], after: int, end: int, limit: int
    ) -> Iterator[int]:
        """See `Paging`. All places are asked in one question."""
        audiences, kinds, flags = map(list, zip(*places, strict=True))
        while rows := self._ask(_MERGED, (audiences, kinds, flags, after, end, limit, limit)):
            yield from (position for (position,) in rows)
            if len(rows) < limit:
                return
            after = rows[-1][0]

    def newest_seen(self, place: tuple[int, int, int], before: int, limit: int) -> list[int]:
        """See `Paging`."""
        rows = self._ask(
            "SELECT position FROM entries WHERE audience = %s AND kind = %s AND exercise = %s"
            " AND position < %s AND author IS NOT NULL ORDER BY position DESC LIMIT %s",
            (*place, before, limit),
        )
        return [position for (position,) in rows]

    def newest_of(self, audience: int) -> int:
        """See `Paging`."""
        rows = self._ask(
            "SELECT max(newest.position) FROM unnest(%s::int[]) AS k, unnest(ARRAY[0, 1]) AS f,"
            " LATERAL (SELECT position FROM entries WHERE audience = %s AND kind = k"
            " AND exercise = f AND author IS NOT NULL ORDER BY position DESC LIMIT 1) AS newest",
            (list(range(len(KINDS))), audience),
        )
        return rows[0][0] or 0

    def by_others(self, positions: Sequence[int], person: str) -> list[int]:
        """See `Paging`."""
        rows = self._ask(
            "SELECT position FROM entries WHERE author <> %s AND position = ANY(%s)",
            (person, list(positions)),
        )
        return [position for (position,) in rows]

"""Pages: what one viewer may see, in position order, at a cost that the page bounds.

Two ways lead to a page. Where the viewer may see most of what follows, the rows after the
cursor are walked. Where they may see little of it, the index over (audience, kind,
exercise, position) is asked for each audience, and the answers are merged. Both stop at
the ledger's length as it was when the question came, so that an audience asked a moment
later cannot answer with an entry behind which another's is missing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any

import msgspec

from bayanihan.core.marking import Viewer, may_see
from bayanihan.errors import Refused
from bayanihan.ledger.engine import Fetched, Rights, Shape, Store
from bayanihan.ledger.entry import KIND_NUMBER, KINDS, Entry
from bayanihan.ledger.rows import entry_of
from bayanihan.ledger.store import BodyPage, Item, Page, Where

PAGE_SIZE_LIMIT_BYTES = 16 * 1024 * 1024
# How many rows per row wanted are walked before each audience is asked.
_DENSE_FACTOR = 3
_FIRST_STEP = 64
_FETCHED_AT_ONCE = 64
_POSITIONS_AT_ONCE = 500
_RIGHTS_LIMIT = 4_096

_Row = tuple[Any, ...]
_size_of = itemgetter(2)


class Pages:
    """Answers `read` from a store.

    Args:
        store: where entries are.
        length: the ledger's last position, as far as it was announced.
        positions_of: where entries about an object may stand, ascending.
        size_limit_bytes: a page ends with the entry that passes this.
    """

    def __init__(
        self,
        store: Store,
        length: Callable[[], int],
        positions_of: Callable[[str], list[int]],
        size_limit_bytes: int = PAGE_SIZE_LIMIT_BYTES,
    ) -> None:
        self._store = store
        self._length = length
        self._positions_of = positions_of
        self._size_limit_bytes = size_limit_bytes
        self._rights: OrderedDict[Any, Rights] = OrderedDict()
        self._newest: dict[int, int] = {}

    def appended(self, newest: Mapping[int, int]) -> None:
        """Take note of each audience's newest position. Called by the writer alone."""
        self._newest.update(newest)

    def rights(self, viewer: Viewer) -> Rights:
        """The audiences that a viewer may see."""
        audiences = self._store.audiences()
        seen_as = (
            *(bool(viewer.key), viewer.person, viewer.member),
            *(bool(viewer.constituent), viewer.lost),
        )
        rights = self._rights.get(seen_as) or Rights(0, (), "[]", frozenset(), ())
        if rights.known < len(audiences):
            fresh = range(rights.known, len(audiences))
            ids = (*rights.ids, *(n + 1 for n in fresh if may_see(viewer, audiences[n])))
            listed = msgspec.json.encode(ids).decode()
            red = tuple(number for number in ids if audiences[number - 1].level == "red")
            rights = Rights(len(audiences), ids, listed, frozenset(ids), red)
            self._rights[seen_as] = rights
            while len(self._rights) > _RIGHTS_LIMIT:
                self._rights.popitem(last=False)
        return rights

    def items(self, viewer: Viewer, after: int, limit: int, where: Where) -> Page:
        """A page of entries with their bodies. See `store.py`."""
        rows, more = self._rows(viewer, after, limit, where, "items")
        items = tuple([Item(entry_of(row[6:]), row[3]) for row in rows])
        return Page(items, rows[-1][0] if rows else after, more)

    def bodies(self, viewer: Viewer, after: int, limit: int, where: Where) -> BodyPage:
        """The same page with nothing but bodies and stamps, for the bulk exits."""
        rows, more = self._rows(viewer, after, limit, where, "bodies")
        if not rows:
            return BodyPage((), (), (), (), (), after, more)
        positions, stamps, _, bodies, _, kinds = zip(*rows, strict=True)
        red = self.rights(viewer).red
        noted = tuple([row[0] for row in rows if row[4] in red]) if red else ()
        named = tuple([KINDS[kind] for kind in kinds])
        return BodyPage(positions, bodies, stamps, named, noted, positions[-1], more)

    def newest_about(
        self, viewer: Viewer, object_id: str, kinds: Sequence[str], origin: str, limit: int
    ) -> list[Entry]:
        """The newest entries about an object, newest first, without bodies.

        `origin` "" means anybody's.
        """
        rights = self.rights(viewer)
        where = Where(tuple(kinds), object_id)
        found: list[Entry] = []
        positions = self._positions_of(object_id)[::-1]
        for at in range(0, len(positions), _POSITIONS_AT_ONCE):
            some = positions[at : at + _POSITIONS_AT_ONCE]
            found += self._store.paging.newest_about(
                some, rights, where, origin, limit - len(found)
            )
            if len(found) >= limit:
                break
        return found

    def _rows(
        self, viewer: Viewer, after: int, limit: int, where: Where, shape: Shape
    ) -> tuple[list[_Row], bool]:
        if limit < 1:
            raise Refused("bad-parameter", "A page holds at least one entry", where="limit")
        length = self._length()
        if after > length and after > self._store.last()[0]:
            raise Refused("reset", "The record ends before this place", where="after")
        length = length if where.until is None else min(length, where.until)
        rights = self.rights(viewer)
        rows = _Rows(limit, self._size_limit_bytes)
        if where.object_id:
            self._about(rows, rights, after, where, shape)
        else:
            ids = [number for number in rights.ids if self._newest_of(number) > after]
            if ids:
                reached = self._walk(rows, rights, after, length, where, shape)
                if reached < length and not rows.full:
                    self._merge(rows, ids, reached, length, where, shape)
        return rows.page()

    def _walk(
        self, rows: _Rows, rights: Rights, after: int, end: int, where: Where, shape: Shape
    ) -> int:
        """Walk on while enough of what is met is wanted; the position that was reached.

        The first step is short: where little is wanted, each row of it costs a page read.
        """
        walk, step = self._store.paging.walk, max(_FIRST_STEP, rows.wanted // 4)
        while after < end and not rows.full:
            upto, missing = min(end, after + step), rows.wanted
            rows.take(walk(shape, rights, after, upto, where, missing))
            met, walked, after = missing - rows.wanted, upto - after, upto
            if met * _DENSE_FACTOR < walked:
                break
            step = rows.wanted * _DENSE_FACTOR
        return after

    def _merge(
        self, rows: _Rows, ids: list[int], after: int, end: int, where: Where, shape: Shape
    ) -> None:
        flags = (0, 1) if where.exercise is None else (int(where.exercise),)
        kinds = [KIND_NUMBER[kind] for kind in where.kinds]
        places = [(n, kind, flag) for n in ids for kind in kinds for flag in flags]
        merged = self._store.paging.merged(places, after, end, rows.wanted)
        while not rows.full and (
            some := list(islice(merged, min(rows.wanted, _POSITIONS_AT_ONCE)))
        ):
            rows.take(self._store.paging.picked(shape, some))

    def _about(self, rows: _Rows, rights: Rights, after: int, where: Where, shape: Shape) -> None:
        end = self._store.last()[0] if where.until is None else where.until
        positions = [p for p in self._positions_of(where.object_id) if after < p <= end]
        for at in range(0, len(positions), _POSITIONS_AT_ONCE):
            some = positions[at : at + _POSITIONS_AT_ONCE]
            rows.take(self._store.paging.about(shape, some, rights, where))
            if rows.full:
                return

    def _newest_of(self, audience: int) -> int:
        """No entry of an audience stands beyond this position."""
        newest = self._newest.get(audience)
        if newest is None:
            # Where the writer has just said better, that stands.
            found = self._store.paging.newest_of(audience)
            newest = self._newest.setdefault(audience, found)
        return newest


class _Rows:
    """Rows of one page as they arrive, and one beyond it to tell whether more follows."""

    def __init__(self, limit: int, size_limit_bytes: int) -> None:
        self._limit = limit
        self._size_left_bytes = size_limit_bytes
        self._rows: list[_Row] = []

    @property
    def wanted(self) -> int:
        """How many rows are still missing, the one beyond the page included."""
        return self._limit + 1 - len(self._rows)

    @property
    def full(self) -> bool:
        """Whether the row beyond the page is there."""
        return self.wanted <= 0

    def take(self, cursor: Fetched) -> None:
        """Rows from a cursor until the page is full; few at a time, as a body may be large."""
        while not self.full:
            some: Sequence[_Row] = cursor.fetchmany(min(self.wanted, _FETCHED_AT_ONCE))
            if not some:
                return
            self._rows += some
            self._size_left_bytes -= sum(map(_size_of, some))
            if self._size_left_bytes < 0:
                self._shorten(len(some))

    def _shorten(self, arrived: int) -> None:
        """End the page with the row that passed the limit."""
        left_bytes = self._size_left_bytes + sum(row[2] for row in self._rows[-arrived:])
        for at in range(len(self._rows) - arrived, len(self._rows)):
            left_bytes -= self._rows[at][2]
            if left_bytes < 0:
                self._limit = min(self._limit, at + 1)
                self._size_left_bytes = 1 << 62
                return

    def page(self) -> tuple[list[_Row], bool]:
        """The page's rows, and whether more follow."""
        return self._rows[: self._limit], self.full

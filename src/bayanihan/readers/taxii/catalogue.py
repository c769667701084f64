"""What stands in the collections: a projection, folded by one thread and read by any.

It answers with positions, never with bytes: these come from the ledger, which decides
anew whether the reader may have them.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import json
import logging
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from bayanihan.ledger import Entry, Projection, Scan
from bayanihan.readers.taxii.facts import facts_of
from bayanihan.readers.taxii.places import places
from bayanihan.readers.taxii.question import Question
from bayanihan.readers.taxii.rows import LATEST, SCHEMA, Batch, Found, Place, Row, asks, key_of

logger = logging.getLogger(__name__)

FOLD_LIMIT = 256
_CACHE_KIB = 32_768
# What is rarer than one in so many positions is merged from its places, one by one.
_RARE = 32
_AHEAD = 2
_ASKED_LIMIT = 1_024
_FOUND = "position, stamp, key, mixed, first, line, version"


class _Waiting(NamedTuple):
    """Who waits until a position is folded."""

    position: int
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[None]


class Catalogue(Projection):
    """The rows of all collections. Readers come on connections of their own."""

    name = "taxii"
    version = 2
    kinds = ("object", "withdrawn", "erased")
    schema = SCHEMA
    # Looking at one place of the index costs as much as so many rows of the table.
    place_cost = 8

    def loaded(self) -> None:
        """Find every place that the index has, and where each last grew."""
        # The index over object keys is met at random places; it should stay in memory.
        self.db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._scan: Scan | None = None
        self._batch = Batch(self._is_erased)
        self._places: dict[Place, int] = dict(places(self.db))
        self._asked: OrderedDict[Any, list[Place]] = OrderedDict()
        self._folding = threading.Lock()
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []
        # Up to where a reader may look: `position` moves before the places in memory do.
        self.shown_to = self.position

    # folding

    def catch_up(self, scan: Scan, length: int, limit: int = FOLD_LIMIT) -> bool:
        """As the base's; `scan` also tells which entries an erasure took."""
        with self._folding:
            self._scan = scan
            return super().catch_up(scan, length, limit)

    def fold_now(self, scan: Scan, length: int) -> bool:
        """Fold the few entries up to `length` at once; False when it is left to the thread.

        The thread lets a report pass before it folds; whoever asks for it need not wait.
        """
        if length - self.position > FOLD_LIMIT or not self._folding.acquire(blocking=False):
            return False
        try:
            self._scan = scan
            super().catch_up(scan, length)
        except (sqlite3.OperationalError, OSError) as error:
            logger.warning("the collections could not be folded and are tried again: %s", error)
        finally:
            self._folding.release()
        return self.shown_to >= length

    def _is_erased(self, position: int) -> bool:
        assert self._scan is not None
        found = self._scan(position - 1, 1, ())
        return not found or found[0][0].position != position or found[0][0].erased

    def fold(self, entry: Entry, body: bytes | None) -> None:
        """Take one entry in. What was erased since has no object id and is passed over."""
        if not entry.object_id:
            return
        if entry.header.kind != "object":
            self._batch.add(entry, None)
        elif body is not None:
            self._batch.add(entry, facts_of(entry.object_id, body))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """As the base's, with the batch written before the commit."""
        self._batch = Batch(self._is_erased)
        with super()._transaction():
            yield
            if self._batch:
                self._batch.write(self.db)

    def folded(self) -> None:
        """Bring what is in memory to what was committed, and wake who waits for it."""
        newest: dict[Place, int] = {}
        for row in self._batch.fresh:
            newest[row.place] = max(newest.get(row.place, 0), row.position)
        self._batch = Batch(self._is_erased)
        if newest.keys() <= self._places.keys():
            for place, position in newest.items():
                self._places[place] = max(position, self._places[place])
        else:
            before = self._places
            grown = {place: max(at, before.get(place, 0)) for place, at in newest.items()}
            self._places = before | grown  # whoever walks the old one is not disturbed
        self.shown_to = self.position
        with self._lock:
            # In a flood hundreds wait while many small folds pass: each is woken once.
            reached = [each for each in self._waiting if each.position <= self.shown_to]
            left = [each for each in self._waiting if each.position > self.shown_to]
            self._waiting = [each for each in left if not each.future.done()]
        for each in reached:
            with contextlib.suppress(RuntimeError):  # a closed loop waits for nothing
                each.loop.call_soon_threadsafe(_release, each.future)

    async def reached(self, position: int, timeout_s: float) -> bool:
        """Wait until entries up to `position` are folded; False at the time-out."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + timeout_s
        while self.shown_to < position:
            future: asyncio.Future[None] = loop.create_future()
            with self._lock:
                self._waiting.append(_Waiting(position, loop, future))
            if self.shown_to >= position:
                break
            try:
                async with asyncio.timeout_at(until_s):
                    await future
            except TimeoutError:
                return self.shown_to >= position
        return True

    # reading

    def find(
        self,
        question: Question,
        audiences: Sequence[int],
        after: int,
        upto: int,
        limit: int,
        deepest: int,
    ) -> list[Found]:
        """Rows that a question asks for, in order, with `after < position <= upto`.

        Args:
            question: see `Question`.
            audiences: ids, ascending, as `Ledger.rights` gives them.
            after: a position.
            upto: a position.
            limit: at most so many; fewer only when there are no more.
            deepest: the deepest line to look on: `LATEST`, `OLDEST` or `BETWEEN`.
        """
        places = [
            place
            for place in self._asked_places(question, tuple(audiences), deepest)
            if self._places.get(place, 0) > after
        ]
        if not places or after >= upto:
            return []
        end = min(upto, after + limit)
        found = self._walk(places, after, end, limit, "NOT INDEXED")
        while end < upto and len(found) < limit and len(found) * _RARE >= end - after:
            # So many positions hold what is missing, if it stands as dense as before.
            missing = limit - len(found)
            ahead = _AHEAD * missing * (end - after) // max(1, len(found))
            begin, end = end, min(upto, end + ahead)
            found += self._walk(places, begin, end, missing, "INDEXED BY rows_seen")
        if len(found) < limit and end < upto:
            found += self._merge(places, end, upto, limit - len(found))
        return found

    def _asked_places(
        self, question: Question, audiences: tuple[int, ...], deepest: int
    ) -> list[Place]:
        places = self._places
        asked = (question, audiences, deepest, len(places))
        known = self._asked.get(asked)
        if known is None:
            allowed = frozenset(audiences)
            known = self._asked[asked] = [
                place
                for place in places
                if place[0] <= deepest and place[1] == question.exercise and place[3] in allowed
                if asks(question, place[2])
            ]
            while len(self._asked) > _ASKED_LIMIT:
                self._asked.popitem(last=False)
        return known

    def _walk(
        self, places: Sequence[Place], after: int, end: int, limit: int, index: str
    ) -> list[Found]:
        """The rows between two positions that stand at the places."""
        # A place that is missing among these lines, audiences and shelves has no row here.
        lines, exercises, shelves, audiences = (set(each) for each in zip(*places, strict=True))
        rows = self.reading.execute(
            f"SELECT {_FOUND} FROM rows {index} WHERE line IN (SELECT value FROM json_each(?))"
            " AND exercise = ? AND shelf IN (SELECT value FROM json_each(?))"
            " AND audience IN (SELECT value FROM json_each(?))"
            " AND position > ? AND position <= ? ORDER BY position LIMIT ?",
            (
                *(json.dumps(list(lines)), exercises.pop(), json.dumps(list(shelves))),
                *(json.dumps(list(audiences)), after, end, limit),
            ),
        )
        return list(map(Found._make, rows))

    def _merge(self, places: Sequence[Place], after: int, upto: int, limit: int) -> list[Found]:
        step = max(16, 2 * limit // len(places))
        merged = heapq.merge(*[self._of_place(place, after, upto, step) for place in places])
        return list(islice(merged, limit))

    def _of_place(self, place: Place, after: int, upto: int, step: int) -> Iterator[Found]:
        while True:
            rows = self.reading.execute(
                f"SELECT {_FOUND} FROM rows INDEXED BY rows_seen WHERE line = ? AND exercise = ?"
                " AND shelf = ? AND audience = ? AND position > ? AND position <= ?"
                " ORDER BY position LIMIT ?",
                (*place, after, upto, step),
            ).fetchall()
            for row in rows:
                yield Found._make(row)
            if len(rows) < step:
                return
            after = rows[-1][0]

    def tally(
        self, audiences: Sequence[int], after: int, upto: int, *, exercise: bool
    ) -> tuple[int, int]:
        """How many rows between two positions are the latest whoever reads; their positions' sum.

        Either the rows between are counted one by one, or each place where the reader may see
        something is: whichever are fewer.
        """
        question = Question(exercise=exercise)
        places = self._asked_places(question, tuple(audiences), LATEST)
        most = (upto - after) // max(1, self.place_cost)
        index, among, more = "NOT INDEXED", "", list[str]()
        if len(places) < most:
            shelves, seen = {place[2] for place in places}, {place[3] for place in places}
            if len(shelves) * len(seen) < most:
                index, audiences = "INDEXED BY rows_seen", list(seen)
                among = " AND shelf IN (SELECT value FROM json_each(?))"
                more = [json.dumps(list(shelves))]
        return (  # type: ignore[no-any-return]
            self.reading.execute(
                f"SELECT count(*), coalesce(sum(position), 0) FROM rows {index}"
                " WHERE position > ? AND position <= ? AND line = 0 AND mixed = 0"
                f" AND exercise = ? AND audience IN (SELECT value FROM json_each(?)){among}",
                (after, upto, int(exercise), json.dumps(list(audiences)), *more),
            ).fetchone()
        )

    def rows_of(self, keys: Collection[int]) -> list[Row]:
        """Every row of some objects, by their keys, whoever may see them."""
        rows = self.reading.execute(
            "SELECT * FROM rows WHERE key IN (SELECT value FROM json_each(?)) ORDER BY position",
            (json.dumps(list(keys)),),
        )
        return [Row(*row) for row in rows]

    def rows_of_ids(self, object_ids: Collection[str]) -> list[Row]:
        """As `rows_of`, by object ids."""
        return self.rows_of([key_of(object_id) for object_id in object_ids])


def _release(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)

"""Reading collections: a page of what one viewer may see, at a cost that its size decides.

The catalogue says where the page's objects stand; the ledger gives the bytes and decides
about the viewer's rights. A page is never called the last one while entries that were
committed before the question are still to be folded: it waits for them a while, and then
says that more follows, be it empty. A client that goes by its own clock would never come
back for what an answer left out that was called the last. What is asked about one object
has no such page, so that is told to come again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import compress
from typing import NamedTuple

from bayanihan.core.marking import Viewer
from bayanihan.errors import Unavailable
from bayanihan.ledger import Item, Ledger, Where
from bayanihan.readers.taxii.catalogue import Catalogue
from bayanihan.readers.taxii.query import Filters
from bayanihan.readers.taxii.question import Question
from bayanihan.readers.taxii.rows import BETWEEN, LATEST, OLDEST, Found, Row, asks
from bayanihan.readers.taxii.versions import ALL, FIRST, LAST, Held, Wanted, shown

PAGE_LIMIT_BYTES = 8 * 1024 * 1024
FOLDED_WITHIN_S = 5.0
# Rows looked at for one page before it is answered with what was found until then.
LOOKED_AT_LIMIT = 5_000
_ROUNDS = 20
_FIRST_STEP = 8
# A page is tallied when it holds one in so many positions, or more.
_TALLIED = 16


class Selection(NamedTuple):
    """Places in order; the position that was looked at last, and whether more may follow."""

    places: list[Found]
    looked_at: int
    more: bool


class Bodies(NamedTuple):
    """A page of bytes. `last` is the position after which the next page begins."""

    bodies: list[bytes]
    stamps_us: list[int]
    last: int
    more: bool


class Items(NamedTuple):
    """A page of entries with their bytes. `last` as in `Bodies`."""

    items: list[Item]
    last: int
    more: bool


class Shelves:
    """Answers what is asked of collections.

    Args:
        ledger: gives bytes and rights.
        catalogue: says where objects stand.
        folded_within_s: how long a page waits for the catalogue.
    """

    def __init__(
        self, ledger: Ledger, catalogue: Catalogue, folded_within_s: float = FOLDED_WITHIN_S
    ) -> None:
        self._ledger = ledger
        self._catalogue = catalogue
        self._folded_within_s = folded_within_s

    async def bodies(
        self, viewer: Viewer, question: Question, filters: Filters, after: int, limit: int
    ) -> Bodies:
        """A page of bytes.

        Args:
            viewer: who reads.
            question: the collection's.
            filters: what the request narrows it to.
            after: the position to go on after.
            limit: how many objects at most.

        Raises:
            Unavailable: `starting` when the catalogue stays behind and objects are named.
        """
        plain = self._plain_page(viewer, question, filters, after, limit)
        if plain:
            return plain
        selection = await self.select(viewer, question, filters, after, limit)
        places, where = selection.places, Where(exercise=question.exercise)
        wanted = {place.stamp_us for place in places}
        found: list[bytes] = []
        stamps_us: list[int] = []
        size_bytes, steps = 0, Steps(places, dense=_is_dense(question, filters))
        while steps.left and size_bytes <= PAGE_LIMIT_BYTES:
            page = self._ledger.read_bodies(viewer, steps.after, steps.size, where)
            bodies, stamps = page.bodies, page.stamps
            if not wanted.issuperset(stamps):
                kept = [stamp_us in wanted for stamp_us in stamps]
                bodies, stamps = tuple(compress(bodies, kept)), tuple(compress(stamps, kept))
            found += bodies
            stamps_us += stamps
            size_bytes += sum(map(len, bodies))
            steps.made(len(page.bodies), len(bodies), page.last, more=page.more)
        return Bodies(found, stamps_us, *steps.end(selection))

    def _plain_page(
        self, viewer: Viewer, question: Question, filters: Filters, after: int, limit: int
    ) -> Bodies | None:
        """The ledger's own page where it is just what is asked; None where that is not sure.

        So it is mostly: few objects have several versions, and few are taken back.
        """
        length, upto = self._ledger.length, self._catalogue.shown_to
        if filters != Filters() or not _is_dense(question, filters) or after >= upto:
            return None
        page = self._ledger.read_bodies(viewer, after, limit, Where(exercise=question.exercise))
        if page.last > min(upto, after + limit * _TALLIED) or not (page.more or upto >= length):
            return None
        tally = self._catalogue.tally(
            self._ledger.rights(viewer), after, page.last, exercise=question.exercise
        )
        if tally != (len(page.positions), sum(page.positions)):
            return None
        if page.more and not self._look(viewer, question, filters, page.last, upto, 1).places:
            return None  # the ledger has more, but perhaps nothing that is still shown
        last = page.last if page.positions else upto
        return Bodies(list(page.bodies), list(page.stamps), last, more=page.more)

    async def items(
        self, viewer: Viewer, question: Question, filters: Filters, after: int, limit: int
    ) -> Items:
        """As `bodies`, with the entries: for what tells about objects."""
        selection = await self.select(viewer, question, filters, after, limit)
        where = Where(exercise=question.exercise)
        wanted = {place.position for place in selection.places}
        found: list[Item] = []
        size_bytes, steps = 0, Steps(selection.places, dense=_is_dense(question, filters))
        while steps.left and size_bytes <= PAGE_LIMIT_BYTES:
            page = self._ledger.read(viewer, steps.after, steps.size, where)
            kept = [item for item in page.items if item.entry.position in wanted]
            found += kept
            size_bytes += sum(len(item.body) for item in kept)
            steps.made(len(page.items), len(kept), page.last, more=page.more)
        if filters.ids:  # rows are found by a number made of the id, which two may share
            found = [item for item in found if item.entry.object_id in filters.ids]
        return Items(found, *steps.end(selection))

    async def select(
        self, viewer: Viewer, question: Question, filters: Filters, after: int, limit: int
    ) -> Selection:
        """Where the objects of a page stand."""
        narrowed = question.narrowed(frozenset(filters.types))
        if narrowed is None or filters.nothing:
            return Selection([], after, more=False)
        length = self._ledger.length
        found = Selection([], after, more=True)
        for _ in range(_ROUNDS):
            upto = self._catalogue.shown_to
            found = self._look(viewer, narrowed, filters, after, upto, limit)
            if found.more and found.places:
                return found
            if found.more:
                after = found.looked_at
                await asyncio.sleep(0)
            elif upto >= length:
                return found
            elif not await self._folded(length):
                return _unfinished(found, filters)
        return found

    async def settled(self) -> bool:
        """Whether what was committed until now shows in the collections, a wait granted."""
        return await self._folded(self._ledger.length)

    async def _folded(self, length: int) -> bool:
        if self._folded_within_s and self._catalogue.fold_now(self._ledger.scan, length):
            return True
        return await self._catalogue.reached(length, self._folded_within_s)

    def _look(
        self,
        viewer: Viewer,
        question: Question,
        filters: Filters,
        after: int,
        upto: int,
        limit: int,
    ) -> Selection:
        """One look into the catalogue, bounded in what it looks at."""
        audiences = self._ledger.rights(viewer)
        wanted, reader = filters.wanted, _Reader(question, frozenset(audiences), upto)
        if filters.ids:
            return self._look_up(reader, filters, after, upto, limit)
        deepest = _deepest(wanted)
        places: list[Found] = []
        at, looked = after, 0
        while len(places) <= limit and looked < LOOKED_AT_LIMIT:
            missing = limit + 1 - len(places)
            some = self._catalogue.find(question, audiences, at, upto, missing, deepest)
            places += self._kept(some, reader, wanted)
            looked += len(some)
            at = some[-1].position if len(some) == missing else max(at, upto)
            if at >= upto:
                break
        if len(places) > limit:
            return Selection(places[:limit], places[limit - 1].position, more=True)
        return _cut(places, at, more=at < upto)

    def _kept(self, some: list[Found], reader: _Reader, wanted: Wanted) -> list[Found]:
        mixed = {row.key for row in some if row.mixed}
        if not mixed and wanted == Wanted():
            return some  # no other line was looked at
        shown_at = {row.position for row in reader.shown(self._catalogue.rows_of(mixed), wanted)}
        return [
            row
            for row in some
            if (row.position in shown_at if row.mixed else _is_wanted(row, wanted))
        ]

    def _look_up(
        self, reader: _Reader, filters: Filters, after: int, upto: int, limit: int
    ) -> Selection:
        rows = self._catalogue.rows_of_ids(filters.ids)
        places = [
            row.found
            for row in sorted(reader.shown(rows, filters.wanted), key=lambda row: row.position)
            if row.position > after
        ]
        if len(places) > limit:
            return Selection(places[:limit], places[limit - 1].position, more=True)
        return _cut(places, max(after, upto), more=False)


class _Reader(NamedTuple):
    """Whose eyes rows are looked at with: the question, the audiences and up to where."""

    question: Question
    audiences: frozenset[int]
    upto: int

    def shown(self, rows: Sequence[Row], wanted: Wanted) -> list[Row]:
        """Those of the rows of some objects that are shown."""
        objects: dict[int, dict[int, Row]] = {}
        for row in rows:
            if self._sees(row):
                objects.setdefault(row.key, {})[row.position] = row
        return [
            by_position[held.position]
            for by_position in objects.values()
            for held in shown(map(_held, by_position.values()), wanted)
        ]

    def _sees(self, row: Row) -> bool:
        return (
            row.audience in self.audiences
            and row.position <= self.upto
            and bool(row.exercise) == self.question.exercise
            and asks(self.question, row.shelf)
        )


def _held(row: Row) -> Held:
    return Held(row.position, row.origin, row.version_us, row.digest)


def _cut(places: list[Found], looked_at: int, *, more: bool) -> Selection:
    # Where something was found, the page ends with it: `next` and its date say the same.
    return Selection(places, places[-1].position if places else looked_at, more)


def _unfinished(found: Selection, filters: Filters) -> Selection:
    """What is known already, as a page after which more follows."""
    if not filters.ids:
        return found._replace(more=True)
    raise Unavailable("starting", "The collections are being brought up to date", retry_after_s=5)


def _is_dense(question: Question, filters: Filters) -> bool:
    """Whether hardly anything that a viewer may see is left out."""
    return question == Question(exercise=question.exercise) and not (filters.ids or filters.types)


def _deepest(wanted: Wanted) -> int:
    if wanted.times_us or ALL in wanted.words:
        return BETWEEN
    return OLDEST if FIRST in wanted.words else LATEST


def _is_wanted(row: Found, wanted: Wanted) -> bool:
    return (
        ALL in wanted.words
        or (LAST in wanted.words and row.line == LATEST)
        or (FIRST in wanted.words and bool(row.first))
        or row.version_us in wanted.times_us
    )


class Steps:
    """How many entries to read at once, to meet the wanted places with few and short reads.

    The ledger reads what a viewer may see from some place on, wanted or not. While most of
    what it gives is wanted the steps grow, else they shrink: down to one place at a time.

    Args:
        places: the wanted places, in order.
        dense: whether nearly all that the viewer may see there is wanted.
    """

    def __init__(self, places: Sequence[Found], *, dense: bool) -> None:
        self._places = places
        self._at = 0
        self._size = len(places) if dense else _FIRST_STEP

    @property
    def left(self) -> int:
        """How many places are still to be met."""
        return len(self._places) - self._at

    @property
    def after(self) -> int:
        """The position after which to read next."""
        return self._places[self._at].position - 1

    @property
    def size(self) -> int:
        """How many entries to read next."""
        return min(self._size, self.left)

    def made(self, count: int, wanted: int, last: int, *, more: bool) -> None:
        """A step gave `count` entries up to `last`, so many of them wanted."""
        if not count or not more:
            self._at = len(self._places)  # the viewer may see nothing beyond this by now
            return
        while self.left and self._places[self._at].position <= last:
            self._at += 1
        self._size = self._size * 4 if wanted * 4 >= count else max(1, self._size // 4)

    def end(self, selection: Selection) -> tuple[int, bool]:
        """The page's last position, and whether more follows; sooner when it grew too large."""
        if self.left:
            return self._places[self._at - 1].position, True
        return selection.looked_at, selection.more

"""What some viewers may carry: the active set with each value judged, folded further as it changes.

One walk makes it; after that a change costs what changed. It lies in a private file that the
system takes away by itself, so that a large set does not fill the memory. Values are in order
of their places: names below a name stand together behind it. What the clock changes comes from
a queue in order of time, not from a walk.
"""

from __future__ import annotations

import heapq
import threading
import weakref
from bisect import bisect_right
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from bayanihan.errors import Unavailable
from bayanihan.readers.active import FOREVER_US, ActiveItem, NotBlockable, Reading, together
from bayanihan.readers.feeds.decide import Decision
from bayanihan.readers.feeds.format import Item, Rank
from bayanihan.readers.feeds.private_file import is_full, no_room, private
from bayanihan.readers.feeds.whose import Whose

# The first patterns that can become no block; their total counts all.
REST_LISTED = 1_000
CHANGES_LIMIT = 20_000
# As many changes at once as are worth a walk.
WALK_SHARE = 4
WALK_MIN = 2_000
PAGE_ITEMS = 1_000
_FEW_ITEMS = 100
KEPT_LIMIT = 16

# The audiences seen, by whom, and whether it is the exercise's.
Class = tuple[tuple[int, ...], Whose, bool]

_PART = "\x1f"
_BEHIND_PART = "\x20"
_SCHEMA = """
CREATE TABLE items (
    place TEXT PRIMARY KEY, type TEXT NOT NULL, mode TEXT NOT NULL, rank INTEGER NOT NULL,
    again_us INTEGER NOT NULL, item TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE raw (
    place TEXT, type TEXT, mode TEXT, rank INTEGER, again_us INTEGER, item TEXT
);
CREATE TABLE rest (object_id TEXT, from_us INTEGER, until_us INTEGER, item TEXT);
"""
_INDEXES = """
CREATE INDEX IF NOT EXISTS items_again ON items (again_us) WHERE again_us < 9223372036854775807;
CREATE INDEX IF NOT EXISTS items_newest ON items (type, rank, place) WHERE mode <> 'later';
CREATE INDEX IF NOT EXISTS rest_of ON rest (object_id);
"""
_PAGE = """
SELECT max(place), '[' || group_concat(item, ',') || ']' FROM (
    SELECT place, item FROM items WHERE place > ? AND mode <> 'later' ORDER BY place LIMIT ?)
"""
_items = msgspec.json.Decoder(list[Item]).decode
_item = msgspec.json.Decoder(Item).decode
_part = msgspec.json.Decoder(NotBlockable).decode
_ROWS_PER_STATEMENT = 100


class Change(msgspec.Struct, frozen=True, gc=False):
    """One value before and after; None where it was or is not there."""

    number: int
    place: str
    old: Item | None
    new: Item | None


class Walk:
    """A walk through a stock, a page at a time, beside which the stock may change.

    `number` is that of the last change before it began.
    """

    def __init__(self, stock: Stock) -> None:
        self._stock = stock
        self.number = stock.number
        self._places: list[str] = []
        self._numbers: list[int] = []

    def pages(self) -> Iterator[list[Item]]:
        """The items in order of place, each as it was when its page was read."""
        last: str | None = ""
        while last is not None:
            with self._stock.lock:
                last, items = self._stock.page(last)
                number = self._stock.number
            self._places.append(last if last is not None else "\U0010ffff")
            self._numbers.append(number)
            yield items

    def missed(self, change: Change) -> bool:
        """Whether a change came after the page that its place was on."""
        # A page holds the places up to its last one, itself included.
        index = bisect_right(self._places, change.place)
        if index and self._places[index - 1] == change.place:
            index -= 1
        return change.number > self._numbers[min(index, len(self._numbers) - 1)]


class Stock:
    """The values that some viewers are told, each with what becomes of it.

    The caller holds `lock` for everything but a `Walk`. Where the disk is full under its file,
    `Unavailable("disk-full")` is raised, and the next `advance` walks the whole set again.

    Args:
        judge: what becomes of a value at a moment.
        level_of: the strictest level of some audiences.
        exercise: whether it is the exercise's.
    """

    position = -1
    boundary_us = 0
    next_change_us = FOREVER_US
    changed_us = 0

    def __init__(
        self,
        judge: Callable[[ActiveItem, int], Decision],
        level_of: Callable[[tuple[int, ...]], str],
        *,
        exercise: bool,
    ) -> None:
        self.lock = threading.RLock()
        self.number = 0
        self.counts: Counter[tuple[str, str]] = Counter()
        self.rest: tuple[NotBlockable, ...] = ()
        self.rest_total = 0
        self._rest_next_us = FOREVER_US
        self._judge = judge
        self._level_of = level_of
        self._exercise = exercise
        self._changes: deque[Change] = deque()
        self._folded = -1
        self._now_us = 0
        self._again: set[tuple[str, str]] = set()
        # What is raised instead of reading, after something failed and until the next walk.
        self._failed: Callable[[], Unavailable] | None = None
        self._db = private()
        self._close = weakref.finalize(self, self._db.close)

    def holds(self, position: int, now_us: int) -> bool:
        """Whether it is what there is at a moment, for viewers who last saw a change there."""
        return (
            self.boundary_us <= now_us < self.next_change_us
            and self.position >= position
            and not self._again
        )

    def look_again(self, values: Iterable[tuple[str, str]]) -> None:
        """Judge some values anew at the next `advance`, though nothing was told of them."""
        self._again.update(values)

    def advance(self, reading: Reading, now_us: int) -> None:
        """Bring it to a reading and a moment."""
        due = self._due(now_us)
        touches = reading.touches(self._folded) if self._folded >= 0 else None
        if touches is None or now_us < self.boundary_us:
            touches = None
        else:
            due |= {value for touch in touches for value in touch.values}
            if len(due) > max(WALK_MIN, sum(self.counts.values()) // WALK_SHARE):
                touches = None
        self._folded = -1  # whatever fails now is walked anew
        with self._whole():
            if touches is None:
                self._make(reading, now_us)
            else:
                self._change(reading, due, {touch.object_id for touch in touches}, now_us)
        self._again = set()
        self.position = reading.position
        self.boundary_us = max(self.boundary_us, reading.ended_us(now_us))
        self.changed_us = max(self.changed_us, reading.stamp_us, self.boundary_us)
        self.next_change_us = self._next_us()
        self._now_us = now_us
        self._folded = reading.folded

    def since(self, number: int) -> list[Change] | None:
        """The changes after a number; None where these are not known any more."""
        first = self.number - len(self._changes)
        if number < first:
            return None
        return [change for change in self._changes if change.number > number]

    def page(self, after: str) -> tuple[str | None, list[Item]]:
        """The items behind a place, as many as a page holds; the last one's place."""
        ((last, text),) = self._rows(_PAGE, (after, PAGE_ITEMS))
        if last is None:
            return None, []
        return last, sorted(_items(text), key=_place_of)

    def at(self, type_: str, value: str) -> Item | None:
        """A value, if it is there now."""
        rows = self._rows(
            "SELECT item FROM items WHERE place = ? AND mode <> 'later'", (place(type_, value),)
        )
        return _item(rows[0][0]) if rows else None

    def below(self, name: str) -> Iterator[Item]:
        """The domain names below one."""
        start = place("domain", name)
        rows = self._rows(
            "SELECT item FROM items WHERE place > ? AND place < ? AND mode <> 'later'",
            (start, start[:-1] + _BEHIND_PART),
        )
        for (text,) in rows:
            yield _item(text)

    def newest(self, types: Collection[str], start: Rank) -> Iterator[Item]:
        """The items of some types from a rank on, those that began to hold last first."""
        found = heapq.merge(*[self._ranked(_NEWEST, type_, start) for type_ in types])
        return (_item(text) for _, _, text in found)

    def oldest(self, types: Collection[str], end: Rank | None) -> Iterator[Item]:
        """The items of some types before a rank, or all, those that began to hold first first."""
        rows = [self._ranked(_OLDEST, type_, end or _LAST_RANK) for type_ in types]
        return (_item(text) for _, _, text in heapq.merge(*rows, reverse=True))

    def _ranked(self, query: str, type_: str, start: Rank) -> Iterator[tuple[int, str, str]]:
        """The rows of one type in the order of a query, a few at a time."""
        while rows := self._rows(query, (type_, *start, _FEW_ITEMS)):
            yield from rows
            at, last = rows[-1][:2]
            start = (at, _next(last) if query == _NEWEST else last)

    def first_of(self, types: Iterable[str], limit: int) -> list[Item]:
        """The first items of some types."""
        found: list[Item] = []
        for type_ in sorted(types):
            start = f"{type_}{_PART}"
            rows = self._rows(
                "SELECT item FROM items WHERE place > ? AND place < ? AND mode <> 'later' LIMIT ?",
                (start, f"{type_}{_BEHIND_PART}", limit - len(found)),
            )
            found += [_item(text) for (text,) in rows]
        return found

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        if self._failed is not None:
            raise self._failed()
        with self._whole():
            return self._db.execute(query, values).fetchall()

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Where something fails inside, nothing is read any more of what may be half written."""
        try:
            yield
        except BaseException as error:
            self._close()
            self._changes.clear()
            self.number += 1
            self.position = self._folded = -1
            self._failed = no_room if is_full(error) else _unmade
            if is_full(error):
                raise no_room() from error
            raise

    def _due(self, now_us: int) -> set[tuple[str, str]]:
        rows = []
        if self._folded >= 0 and now_us >= self.next_change_us:
            rows = self._rows(
                "SELECT item FROM items WHERE again_us <= ? AND again_us < 9223372036854775807",
                (now_us,),
            )
        return self._again | {(item.type, item.value) for item in (_item(row[0]) for row in rows)}

    def _next_us(self) -> int:
        ((found,),) = self._rows(_NEXT)
        return min(self._rest_next_us, FOREVER_US if found is None else found)

    def _make(self, reading: Reading, now_us: int) -> None:
        """By a walk through the whole set."""
        self._close()
        self._db = private(_SCHEMA)
        self._close = weakref.finalize(self, self._db.close)
        self._failed = None
        self.counts.clear()
        self.boundary_us = self.changed_us = 0
        rows: list[tuple[Any, ...]] = []
        for named in reading.named(now_us):
            row = self._row(named, now_us)
            if row is not None:
                rows.append(row)
                self._count(row, 1)
            if len(rows) == _ROWS_PER_STATEMENT:
                self._insert("raw", rows)
                rows = []
        self._insert("raw", rows)
        self._db.execute("INSERT INTO items SELECT * FROM raw ORDER BY place")
        self._db.execute("DROP TABLE raw")
        self._db.executescript(_INDEXES)
        self._tell_rest(reading.rest(now_us))
        self._sum_rest(now_us)
        self.number += 1
        self._changes.clear()

    def _change(
        self, reading: Reading, values: set[tuple[str, str]], objects: set[str], now_us: int
    ) -> None:
        """Look at some values anew, and at what of some objects can become no block."""
        self._db.execute("BEGIN")
        for type_, value in sorted(values):
            at = place(type_, value)
            old = self._db.execute(
                "SELECT place, type, mode, rank, again_us, item FROM items WHERE place = ?",
                (at,),
            ).fetchone()
            row = self._row(reading.naming(type_, value, now_us), now_us)
            if old == row:
                continue
            if old is not None:
                self._count(old, -1)
                self._db.execute("DELETE FROM items WHERE place = ?", (at,))
            if row is not None:
                self._count(row, 1)
                self._insert("items", [row])
            self._note(at, _shown(old), _shown(row))
        moved = self._tell_rest_of(reading, sorted(objects), now_us) if objects else 0
        if moved or now_us >= self._rest_next_us:
            self._sum_rest(now_us)
        self._db.execute("COMMIT")

    def _note(self, at: str, old: Item | None, new: Item | None) -> None:
        if old == new:
            return
        self.number += 1
        self._changes.append(Change(self.number, at, old, new))
        if len(self._changes) > CHANGES_LIMIT:
            self._changes.popleft()

    def _row(self, named: Sequence[Any], now_us: int) -> tuple[Any, ...] | None:
        """The row of a value: judged if something holds now, else waiting for what will."""
        if not named:
            return None
        holding = [row for row in named if row[5] <= now_us < row[6]]
        moments = [moment for row in named for moment in row[5:7] if moment > now_us]
        again_us = min(moments, default=FOREVER_US)
        found = together(holding or named)
        decision = self._judge(found, now_us) if holding else Decision("later", "")
        begun = [row[5] for row in holding]
        self.boundary_us = max(self.boundary_us, decision.since_us, *begun)
        item = Item(
            found.type,
            found.value,
            found.ids,
            self._level_of(found.audiences),
            found.valid_from_us,
            found.valid_until_us,
            self._exercise,
            decision.mode,
            decision.reason,
            decision.in_hour,
            decision.in_place,
            max(decision.since_us, *(max(row[5], row[10]) for row in holding or named)),
        )
        return (
            place(found.type, found.value),
            found.type,
            decision.mode,
            -found.valid_from_us,
            min(again_us, decision.until_us),
            msgspec.json.encode(item).decode(),
        )

    def _count(self, row: tuple[Any, ...], more: int) -> None:
        if row[2] != "later":
            self.counts[row[1], row[2]] += more

    def _insert(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            marks = ",".join(["(?,?,?,?,?,?)"] * len(rows))
            values = [value for row in rows for value in row]
            self._db.execute(f"{_INTO[table]} {marks}", values)

    def _tell_rest(self, parts: Iterable[NotBlockable]) -> int:
        rows = [
            (
                *(part.object_id, part.valid_from_us, part.valid_until_us),
                msgspec.json.encode(msgspec.structs.astuple(part)).decode(),
            )
            for part in parts
        ]
        self._db.executemany("INSERT INTO rest VALUES (?, ?, ?, ?)", rows)
        return len(rows)

    def _tell_rest_of(self, reading: Reading, objects: list[str], now_us: int) -> int:
        listed = msgspec.json.encode(objects).decode()
        gone = self._db.execute(
            "DELETE FROM rest WHERE object_id IN (SELECT value FROM json_each(?))", (listed,)
        ).rowcount
        return gone + self._tell_rest(reading.rest(now_us, objects))

    def _sum_rest(self, now_us: int) -> None:
        """Look at what can become no block now, and when that changes by time alone."""
        self._db.execute("DELETE FROM rest WHERE until_us <= ?", (now_us,))
        first, total, next_us = self._db.execute(_REST_MOMENTS, {"now_us": now_us}).fetchone()
        self.boundary_us = max(self.boundary_us, first or 0)
        self.rest_total = total
        self._rest_next_us = FOREVER_US if next_us is None else next_us
        rows = self._db.execute(
            "SELECT item FROM rest WHERE from_us <= ? ORDER BY object_id, rowid LIMIT ?",
            (now_us, REST_LISTED),
        )
        self.rest = tuple([_part(text) for (text,) in rows])


_REST_MOMENTS = """
SELECT max(CASE WHEN from_us <= :now_us THEN from_us END),
    count(*) FILTER (WHERE from_us <= :now_us),
    min(CASE WHEN from_us > :now_us THEN from_us ELSE until_us END)
FROM rest
"""
_NEXT = "SELECT min(again_us) FROM items WHERE again_us < 9223372036854775807"
_INTO = {"raw": "INSERT INTO raw VALUES", "items": "INSERT INTO items VALUES"}
_NEWEST = """
SELECT rank, place, item FROM items
WHERE type = ? AND mode <> 'later' AND (rank, place) >= (?, ?) ORDER BY rank, place LIMIT ?
"""
_OLDEST = """
SELECT rank, place, item FROM items
WHERE type = ? AND mode <> 'later' AND (rank, place) < (?, ?)
ORDER BY rank DESC, place DESC LIMIT ?
"""
_LAST_RANK: Rank = (FOREVER_US, "")


def _unmade() -> Unavailable:
    return Unavailable("overloaded", "The feed is being made anew", retry_after_s=1)


def place(type_: str, value: str) -> str:
    """Where a value stands: a name behind all names above it, and before their neighbours."""
    if type_ == "domain":
        value = "".join([f"{label}{_PART}" for label in reversed(value.split("."))])
    return f"{type_}{_PART}{value}"


def rank(item: Item) -> Rank:
    """Where an item stands among all, the newest first."""
    return -item.valid_from_us, _place_of(item)


def behind(item: Item) -> Rank:
    """The rank behind an item's, before every other."""
    return -item.valid_from_us, _next(_place_of(item))


def _next(at: str) -> str:
    """The first place behind a place."""
    return f"{at}\0"


def _place_of(item: Item) -> str:
    return place(item.type, item.value)


def _shown(row: tuple[Any, ...] | None) -> Item | None:
    return None if row is None or row[2] == "later" else _item(row[5])


class Store:
    """The stock of each class of viewers, bounded. The caller holds a lock."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Class, Stock] = OrderedDict()

    def get(self, key: Class, make: Callable[[], Stock]) -> Stock:
        """The stock of a class, empty at first; what was asked for longest ago goes."""
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = make()
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT_LIMIT:
            self._kept.popitem(last=False)
        return found

    def every(self) -> list[Stock]:
        """All that are kept."""
        return list(self._kept.values())

"""One feed for one class of viewers: its lines, kept beside the stock that they come from.

Made by one walk through the stock, then brought further by what changed there. A name that
another one covers has no lines, so a change of a name is a change of the names below it too.
Which lines an item has is a `Writer`'s to say, who also knows where one item's depend on
another's.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping

from bayanihan.core.identifiers import IDENTIFIERS
from bayanihan.core.observables import Observable
from bayanihan.readers.feeds.format import Format, Item, Writer, waits, why_not
from bayanihan.readers.feeds.left_out import LISTED_LIMIT, LeftOut, Listed, shown
from bayanihan.readers.feeds.lines import Lines
from bayanihan.readers.feeds.newest_lines import NewestLines
from bayanihan.readers.feeds.numbered_lines import NumberedLines
from bayanihan.readers.feeds.plain_lines import PlainLines
from bayanihan.readers.feeds.rival_lines import RivalLines
from bayanihan.readers.feeds.shelf import KEPT_LIMIT_BYTES, Key
from bayanihan.readers.feeds.stock import Change, Stock, Walk, place

Poison = Mapping[tuple[str, str], str]


class Board:
    """The lines of a feed, and what it leaves out. The caller holds `lock`.

    Args:
        format_: the feed's.
        hub: the hub's name.
        feed: the name it is served under.
    """

    def __init__(self, format_: Format, hub: str, feed: str) -> None:
        self.lock = threading.Lock()
        self.format = format_
        self.writer = _writer_of(format_, hub, feed, self._is_inside)
        self.lines = Lines()
        # What came inside since the last `settle`, by its place; None before the first.
        self.news: dict[str, Item] | None = None
        # What came inside since the last `ask`; None before one, and after a walk.
        self._since_asked: dict[str, Item] | None = None
        self._levels: Counter[str] = Counter()
        self._held = Listed()
        self._refused = Listed()
        self._poison: Poison = {}
        self._poison_next: Poison = {}
        self._number = -1

    @property
    def levels(self) -> Counter[str]:
        """How many items it carries of each TLP level."""
        return self._levels - self.writer.lost

    def advance(self, stock: Stock, poison: Poison) -> None:
        """Bring it to the stock as it is; `poison` is what the engine refuses, with the reasons."""
        try:
            self._advance(stock, poison)
        except BaseException:
            self._number = -1  # whatever failed half way is walked anew
            raise

    def _advance(self, stock: Stock, poison: Poison) -> None:
        with stock.lock:
            changes = stock.since(self._number) if self._number >= 0 else None
            if changes is not None:
                changes = [*changes, *self._poisoned(stock, poison)]
                self._poison_next = poison
                if not changes:
                    self._number = stock.number
                    return
                self._change(stock, changes)
                return
        while not self._make(stock, poison):
            pass

    def content(self) -> bytes:
        """A digest of all that is between head and tail."""
        digests = [each.digest for each in self.lines.chunks]
        return hashlib.sha256(b"".join([*digests, self.writer.content()])).digest()

    @property
    def kept_bytes(self) -> int:
        """What it takes in memory, about."""
        return self.lines.kept_bytes + self.writer.kept_bytes

    def ask(self) -> None:
        """What is there now is going to be looked at; what comes from here on is not."""
        self._since_asked = {}

    def settle(self) -> None:
        """What was there at the last `ask` was taken: `news` is what came inside since."""
        self.news, self._since_asked = self._since_asked, None

    def inside(self, stock: Stock) -> Iterator[Item]:
        """All that it carries, in order of place."""
        for page in Walk(stock).pages():
            for item in page:
                if item.type in self.format.types and self._standing(item) is None:
                    yield item

    def held(self) -> tuple[list[LeftOut], int]:
        """What is kept out on purpose: the first of it, and how much it is."""
        return self._held.listed(), self._held.total

    def not_expressed(self, stock: Stock) -> tuple[list[LeftOut], int]:
        """What the format cannot say: the first of it, and how much it is."""
        types = {type_ for (type_, _), count in stock.counts.items() if count} - self.format.types
        total = sum(count for (type_, _), count in stock.counts.items() if type_ in types)
        beaten = self.writer.refused
        listed = self._refused.listed() + beaten.listed()
        # What points to a person is counted, and shown to nobody here: see `match_list`.
        for item in stock.first_of(types.difference(IDENTIFIERS), LISTED_LIMIT):
            why = why_not(item.type, self.format.types)
            listed.append(LeftOut(shown(item.type, item.value), item.type, why, item.ids[0]))
        listed += [LeftOut(each.text, "pattern", each.why, each.object_id) for each in stock.rest]
        total += self._refused.total + beaten.total + stock.rest_total
        return listed[:LISTED_LIMIT], total

    def _make(self, stock: Stock, poison: Poison) -> bool:
        """By a walk; False where the stock was made anew meanwhile."""
        self._levels = Counter()
        self._held, self._refused = Listed(), Listed()
        self.news = self._since_asked = None
        self._number, self._poison, self._poison_next = -1, poison, poison
        self.writer.clear()
        walk = Walk(stock)
        for page in walk.pages():
            for item in page:
                if self._take(item, 1):
                    self.writer.walk(item)
        self.lines = self._of(self.writer.walked())
        with stock.lock:
            changes = stock.since(walk.number)
            if changes is None:
                return False
            self._change(stock, [change for change in changes if walk.missed(change)])
        return True

    def _of(self, lines: list[bytes]) -> Lines:
        return Lines(lines, self.format.end.encode())

    def _change(self, stock: Stock, changes: Iterable[Change]) -> None:
        """What changed, in order."""
        news = [each for each in (self.news, self._since_asked) if each is not None]
        for change in changes:
            if change.old is not None and self._take(change.old, -1):
                for each in news:
                    each.pop(change.place, None)
                self.writer.note(change.old, -1)
            if change.number == _POISONED:
                self._poison = self._poison_next
            if change.new is not None and self._take(change.new, 1):
                for each in news:
                    each[change.place] = change.new
                self.writer.note(change.new, 1)
        self._poison = self._poison_next
        self._number = stock.number
        self.lines.edit(self.writer.settled(stock, self.lines.has))

    def _is_inside(self, item: Item) -> bool:
        return self._standing(item) is None

    def _take(self, item: Item, more: int) -> bool:
        """Count an item in or out; whether it is inside."""
        if item.type not in self.format.types:
            return False
        standing = self._standing(item)
        if standing is None:
            self._levels[item.level] += more
            return True
        listed = self._held if standing[0] == "held" else self._refused
        at = place(item.type, item.value)
        if more > 0:
            listed.add(at, item, standing[1], standing[2])
        else:
            listed.drop(at)
        return False

    def _standing(self, item: Item) -> tuple[str, str, str] | None:
        """Why an item of a type that the format has is not inside; None where it is."""
        if not sayable(self.format, item):
            return "held", item.why, item.mode
        waiting = waits(self.format, item)
        if waiting is not None:
            return "held", waiting, "held"
        why = self._poison.get((item.type, item.value)) if self._poison else None
        if why is not None:
            return "held", why, "held"
        why = self.format.refusal(Observable(item.type, item.value))
        return None if why is None else ("not-expressed", why, "held")

    def _poisoned(self, stock: Stock, poison: Poison) -> Iterator[Change]:
        """What the engine began to refuse, as changes of what is there."""
        for type_, value in poison.keys() - self._poison.keys():
            item = stock.at(type_, value)
            if item is not None:
                yield Change(_POISONED, place(type_, value), item, item)


_POISONED = -1


def _writer_of(format_: Format, hub: str, feed: str, inside: Callable[[Item], bool]) -> Writer:
    if format_.writer is not None:
        return format_.writer(hub, feed)
    if format_.rules is not None:
        return NumberedLines(format_.rules, hub)
    if format_.rival is not None:
        return RivalLines(format_, format_.rival)
    if format_.limit:
        return NewestLines(format_, inside)
    return PlainLines(format_, inside)


def sayable(format_: Format, item: Item) -> bool:
    """Whether a format can say an item's mode; a rule for the wire has an action of its own."""
    if item.type in {"suricata", "snort"}:
        return item.mode == "block"
    return item.mode in format_.modes


class Boards:
    """The board of each feed and class of viewers, bounded. The caller holds a lock."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, Board] = OrderedDict()

    def get(self, key: Key, make: Callable[[], Board]) -> Board:
        """The board of a key, empty at first; what was asked for longest ago goes."""
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = make()
        self._kept.move_to_end(key)
        kept_bytes = sum(board.kept_bytes for board in self._kept.values())
        while len(self._kept) > 1 and kept_bytes > KEPT_LIMIT_BYTES:
            kept_bytes -= self._kept.popitem(last=False)[1].kept_bytes
        return found

"""One feed for one class of viewers: its lines, kept beside the stock that they come from.

Made by one walk through the stock, then brought further by what changed there. A name that
another one covers has no lines, so a change of a name is a change of the names below it too.
What depends on all items at once (numbers of rules, folders of files, the newest so many for a
device) is made anew as a whole; see `Format`.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping

from bayanihan.core.identifiers import IDENTIFIERS
from bayanihan.core.observables import Observable
from bayanihan.readers.feeds.format import Format, Heading, Item, lines_of, waits, why_not
from bayanihan.readers.feeds.left_out import LISTED_LIMIT, LeftOut, Listed, shown
from bayanihan.readers.feeds.lines import File, Lines, ended
from bayanihan.readers.feeds.shelf import KEPT_LIMIT_BYTES, Key
from bayanihan.readers.feeds.stock import Change, Stock, Walk, place

Poison = Mapping[tuple[str, str], str]


class Board:
    """The lines of a feed, and what it leaves out. The caller holds `lock`.

    Args:
        format_: the feed's.
        hub: the hub's name.
    """

    def __init__(self, format_: Format, hub: str) -> None:
        self.lock = threading.Lock()
        self.format = format_
        self.lines = Lines()
        # For a format whose lines are no single ones: the texts between head and tail.
        self.texts: list[str] = []
        # What came inside since the last `settle`, by its place; None before the first.
        self.news: dict[str, Item] | None = None
        # What came inside since the last `ask`; None before one, and after a walk.
        self._since_asked: dict[str, Item] | None = None
        self._levels: Counter[str] = Counter()
        self._kept: Counter[str] = Counter()
        self._held = Listed()
        self._refused = Listed()
        self._cut = Listed()
        self._hub = hub
        self._poison: Poison = {}
        self._poison_next: Poison = {}
        self._number = -1
        # Lines that several items have: how many beyond the first.
        self._extra: Counter[bytes] = Counter()

    @property
    def levels(self) -> Counter[str]:
        """How many items it carries of each TLP level."""
        return self._kept if self._cut.total else +self._levels

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
                if not self.format.whole:
                    self._change(stock, changes)
                    return
        while not self._make(stock, poison):
            pass

    def content(self) -> bytes:
        """A digest of all that is between head and tail."""
        texts = [text.encode() for text in self.texts]
        return hashlib.sha256(b"".join([*(c.digest for c in self.lines.chunks), *texts])).digest()

    def file(self, heading: Heading) -> File:
        """The file as it is now."""
        head, tail = ended(self.format.head(heading)), ended(self.format.tail(heading))
        if self.format.single:
            return File(head, tuple(self.lines.chunks), tail)
        return File(head + ended(self.texts), (), tail)

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
        listed = self._refused.listed() + self._cut.listed()
        # What points to a person is counted, and shown to nobody here: see `match_list`.
        for item in stock.first_of(types.difference(IDENTIFIERS), LISTED_LIMIT):
            why = why_not(item.type, self.format.types)
            listed.append(LeftOut(shown(item.type, item.value), item.type, why, item.ids[0]))
        listed += [LeftOut(each.text, "pattern", each.why, each.object_id) for each in stock.rest]
        total += self._refused.total + self._cut.total + stock.rest_total
        return listed[:LISTED_LIMIT], total

    def _make(self, stock: Stock, poison: Poison) -> bool:
        """By a walk; False where the stock was made anew meanwhile."""
        self._levels, self._extra = Counter(), Counter()
        self._held, self._refused, self._cut = Listed(), Listed(), Listed()
        self.news = self._since_asked = None
        self.texts = []
        self._number, self._poison, self._poison_next = -1, poison, poison
        walk = Walk(stock)
        lines: list[bytes] = []
        items: dict[str, Item] = {}
        above = ""
        for page in walk.pages():
            for item in page:
                if not self._take(item, 1) or self.format.limit:
                    continue
                if self.format.whole:
                    items[place(item.type, item.value)] = item
                    continue
                below = self._covers(item)
                if below and above and item.value.endswith(above):
                    continue
                above = f".{item.value}" if below else above
                lines += [line.encode() for line in self.format.lines(item)]
        self._write(lines)
        with stock.lock:
            changes = stock.since(walk.number)
            if changes is None:
                return False
            missed = [change for change in changes if walk.missed(change)]
            if not self.format.whole:
                self._change(stock, missed)
                return True
            for change in missed:
                self._count(change, items)
        self._write_whole(list(items.values()))
        self._number = stock.number if not missed else changes[-1].number
        return True

    def _count(self, change: Change, items: dict[str, Item]) -> None:
        """Count a change in, where the lines are made anew."""
        if change.old is not None and self._take(change.old, -1):
            items.pop(change.place, None)
        if change.new is not None and self._take(change.new, 1):
            items[change.place] = change.new

    def _write(self, lines: list[bytes]) -> None:
        lines.sort()
        unique: list[bytes] = []
        for line in lines:
            if unique and unique[-1] == line:
                self._extra[line] += 1
            else:
                unique.append(line)
        self.lines = Lines(unique)

    def _write_whole(self, items: list[Item]) -> None:
        """What is between head and tail, where it depends on all items at once."""
        together = lines_of(self.format, items, self._hub)
        for item, why in together.refused:
            self._levels[item.level] -= 1
            self._refused.add(place(item.type, item.value), item, why)
        if self.format.single:
            self._write([line.encode() for line in together.lines])
        else:
            self.texts = sorted(set(together.lines))

    def _cut_to(self, stock: Stock) -> None:
        """The newest, as many as the device takes; this costs what the device takes."""
        lines: list[bytes] = []
        self._kept, self._cut = Counter(), Listed()
        over = self._levels.total() - self.format.limit
        reason = (
            f"The device takes {self.format.limit} items, and this is older than those it gets."
        )
        for item in stock.newest(self.format.types):
            if self._standing(item) is not None:
                continue
            if self._kept.total() < self.format.limit:
                self._kept[item.level] += 1
                lines += [line.encode() for line in self.format.lines(item)]
            elif self._cut.total < min(over, LISTED_LIMIT):
                self._cut.add(place(item.type, item.value), item, reason)
            else:
                break
        self._cut.total = max(0, over)
        self._extra = Counter()
        self._write(lines)

    def _change(self, stock: Stock, changes: Iterable[Change]) -> None:
        """What changed, in order."""
        net: Counter[bytes] = Counter()
        names: dict[str, Item] = {}
        news = [each for each in (self.news, self._since_asked) if each is not None]
        for change in changes:
            if change.old is not None and self._take(change.old, -1):
                for each in news:
                    each.pop(change.place, None)
                self._note(change.old, -1, net, names)
            if change.number == _POISONED:
                self._poison = self._poison_next
            if change.new is not None and self._take(change.new, 1):
                for each in news:
                    each[change.place] = change.new
                self._note(change.new, 1, net, names)
        self._poison = self._poison_next
        self._number = stock.number
        over = self._cut.total or self._levels.total() > self.format.limit
        if self.format.limit and (over or not self.lines.chunks):
            self._cut_to(stock)
        else:
            self.lines.edit(self._counted(net) | self._of_names(stock, names))

    def _note(self, item: Item, more: int, net: Counter[bytes], names: dict[str, Item]) -> None:
        if self._covers(item):
            names[item.value] = item
            return
        for line in self.format.lines(item):
            net[line.encode()] += more

    def _covers(self, item: Item) -> bool:
        return self.format.covers and item.type == "domain"

    def _counted(self, net: Mapping[bytes, int]) -> dict[bytes, bool]:
        """Which lines shall be there, where several items may have the same one."""
        want: dict[bytes, bool] = {}
        for line, more in net.items():
            if more > 0:
                more -= not self.lines.has(line)
                want[line] = True
                if more:
                    self._extra[line] += more
            elif more < 0:
                left = self._extra.pop(line, 0) + more
                if left < 0:
                    want[line] = False
                elif left:
                    self._extra[line] = left
        return want

    def _of_names(self, stock: Stock, names: Mapping[str, Item]) -> dict[bytes, bool]:
        """Which lines of these names, and of those below them, shall be there."""
        want: dict[bytes, bool] = {}
        known: dict[str, bool] = {}
        for name, named in names.items():
            for item in (named, *stock.below(name)):
                there = self._is_inside(stock, item.value, known) and not self._is_below(
                    stock, item.value, known
                )
                want |= dict.fromkeys([line.encode() for line in self.format.lines(item)], there)
        return want

    def _is_inside(self, stock: Stock, name: str, known: dict[str, bool]) -> bool:
        if name not in known:
            found = stock.at("domain", name)
            known[name] = found is not None and self._standing(found) is None
        return known[name]

    def _is_below(self, stock: Stock, name: str, known: dict[str, bool]) -> bool:
        above = name.partition(".")[2]
        while above:
            if self._is_inside(stock, above, known):
                return True
            above = above.partition(".")[2]
        return False

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
        kept_bytes = sum(board.lines.kept_bytes for board in self._kept.values())
        while len(self._kept) > 1 and kept_bytes > KEPT_LIMIT_BYTES:
            kept_bytes -= self._kept.popitem(last=False)[1].lines.kept_bytes
        return found

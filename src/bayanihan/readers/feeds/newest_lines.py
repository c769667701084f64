"""The lines of a format for a device that takes so many items and no more: the newest stay.

Which have a place is said by one rank, that of the first that has none. So a change costs what
changed, and the few that lose or gain a place by it, however many there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from bayanihan.readers.feeds.format import Around, Format, Item, Rank, Writer
from bayanihan.readers.feeds.left_out import LISTED_LIMIT, Listed
from bayanihan.readers.feeds.lines import Shared
from bayanihan.readers.feeds.stock import behind, rank


class NewestLines(Writer):
    """See `Writer`.

    Args:
        format_: the format, which has a `limit`.
        inside: whether an item may have a place in the feed.
    """

    def __init__(self, format_: Format, inside: Callable[[Item], bool]) -> None:
        super().__init__()
        self._format = format_
        self._inside = inside
        self._walked: list[tuple[Rank, Item]] = []
        self._shared = Shared()
        self._net: Counter[bytes] = Counter()
        self._kept = 0
        # The first that has no place; None where all have one.
        self._end: Rank | None = None

    def clear(self) -> None:
        """See `Writer`."""
        super().clear()
        self._walked, self._shared, self._net = [], Shared(), Counter()
        self._kept, self._end = 0, None

    def walk(self, item: Item) -> None:
        """See `Writer`."""
        self._walked.append((rank(item), item))
        if len(self._walked) > 2 * self._format.limit:
            self._cut()

    def walked(self) -> list[bytes]:
        """See `Writer`."""
        self._cut()
        walked, self._walked = self._walked, []
        self._kept = len(walked)
        return self._shared.unique([line for _, item in walked for line in self._lines(item)])

    def note(self, item: Item, more: int) -> None:
        """See `Writer`."""
        if self._end is not None and rank(item) >= self._end:
            self.lost[item.level] += more
        else:
            self._place(item, more)

    def settled(self, around: Around, has: Callable[[bytes], bool]) -> dict[bytes, bool]:
        """See `Writer`."""
        if self._kept > self._format.limit:
            self._push_out(around)
        elif self._kept < self._format.limit and self._end is not None:
            self._let_in(around)
        self._list(around)
        want = self._shared.want(self._net, has)
        self._net = Counter()
        return want

    def _lines(self, item: Item) -> list[bytes]:
        return [line.encode() for line in self._format.lines(item)]

    def _place(self, item: Item, more: int) -> None:
        self._kept += more
        for line in self._lines(item):
            self._net[line] += more

    def _cut(self) -> None:
        """Keep the newest of what was walked until now."""
        self._walked.sort()
        rest = self._walked[self._format.limit :]
        if rest:
            del self._walked[self._format.limit :]
            self.lost.update([item.level for _, item in rest])
            first = rest[0][0]
            self._end = first if self._end is None else min(first, self._end)

    def _push_out(self, around: Around) -> None:
        """The oldest lose their places."""
        for item in around.oldest(self._format.types, self._end):
            if self._kept == self._format.limit:
                break
            if self._inside(item):
                self._place(item, -1)
                self.lost[item.level] += 1
                self._end = rank(item)

    def _let_in(self, around: Around) -> None:
        """The newest of those that had no place gain one."""
        for item in self._without(around):
            self._end = rank(item)
            if self._kept == self._format.limit:
                return
            self._place(item, 1)
            self.lost[item.level] -= 1
            self._end = behind(item)
        self._end = None

    def _without(self, around: Around) -> Iterator[Item]:
        """What has no place, the newest first."""
        if self._end is not None:
            for item in around.newest(self._format.types, self._end):
                if self._inside(item):
                    yield item

    def _list(self, around: Around) -> None:
        """List the first that have no place, and count all."""
        limit = self._format.limit
        reason = f"The device takes {limit} items, and this is older than those it gets."
        self.refused = Listed()
        for item in self._without(around):
            if self.refused.total == LISTED_LIMIT:
                break
            self.refused.add(rank(item)[1], item, reason)
        self.refused.total = self.lost.total()

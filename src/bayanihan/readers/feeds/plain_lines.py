"""The lines of a format whose items each have their own, whatever else is listed.

Two things make one item's lines depend on others even so: several items may have the same line,
and a name that takes those below it along leaves them without lines of their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from bayanihan.readers.feeds.format import Around, Format, Item, Writer
from bayanihan.readers.feeds.lines import Shared


class PlainLines(Writer):
    """See `Writer`.

    Args:
        format_: the format.
        inside: whether an item has a place in the feed.
    """

    def __init__(self, format_: Format, inside: Callable[[Item], bool]) -> None:
        super().__init__()
        self._format = format_
        self._inside = inside
        self._walked: list[bytes] = []
        self._above = ""
        self._shared = Shared()
        self._net: Counter[bytes] = Counter()
        self._names: dict[str, Item] = {}

    def clear(self) -> None:
        """See `Writer`."""
        super().clear()
        self._walked, self._above, self._shared = [], "", Shared()
        self._net, self._names = Counter(), {}

    def walk(self, item: Item) -> None:
        """See `Writer`. The names below a name follow it."""
        below = self._covers(item)
        if below and self._above and item.value.endswith(self._above):
            return
        self._above = f".{item.value}" if below else self._above
        self._walked += [line.encode() for line in self._format.lines(item)]

    def walked(self) -> list[bytes]:
        """See `Writer`."""
        lines, self._walked = self._walked, []
        return self._shared.unique(lines)

    def note(self, item: Item, more: int) -> None:
        """See `Writer`."""
        if self._covers(item):
            self._names[item.value] = item
            return
        for line in self._format.lines(item):
            self._net[line.encode()] += more

    def settled(self, around: Around, has: Callable[[bytes], bool]) -> dict[bytes, bool]:
        """See `Writer`."""
        want = self._shared.want(self._net, has) | self._of_names(around)
        self._net, self._names = Counter(), {}
        return want

    def _covers(self, item: Item) -> bool:
        return self._format.covers and item.type == "domain"

    def _of_names(self, around: Around) -> dict[bytes, bool]:
        """Which lines of these names, and of those below them, shall be there."""
        want: dict[bytes, bool] = {}
        known: dict[str, bool] = {}
        for name, named in self._names.items():
            for item in (named, *around.below(name)):
                there = self._is_there(around, item.value, known) and not self._is_below(
                    around, item.value, known
                )
                want |= dict.fromkeys([line.encode() for line in self._format.lines(item)], there)
        return want

    def _is_there(self, around: Around, name: str, known: dict[str, bool]) -> bool:
        if name not in known:
            found = around.at("domain", name)
            known[name] = found is not None and self._inside(found)
        return known[name]

    def _is_below(self, around: Around, name: str, known: dict[str, bool]) -> bool:
        above = name.partition(".")[2]
        while above:
            if self._is_there(around, above, known):
                return True
            above = above.partition(".")[2]
        return False

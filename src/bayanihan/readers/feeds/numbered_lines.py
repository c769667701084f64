"""The lines of a format of numbered rules: which number a rule has depends on its neighbours'.

What changes is numbered anew, and the few rules in the same unbroken run of numbers with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bayanihan.readers.feeds.format import Around, Item, Writer
from bayanihan.readers.feeds.rule_ids import Numbers, range_of
from bayanihan.readers.feeds.rule_text import item_of, renumbered


class NumberedLines(Writer):
    """See `Writer`.

    Args:
        rules: each rule of an item without its number, under a name of its own.
        hub: the hub's name, from which the range of numbers follows.
    """

    def __init__(self, rules: Callable[[Item], Sequence[tuple[str, str]]], hub: str) -> None:
        super().__init__()
        self._rules = rules
        self._start = range_of(hub).start
        self._numbers = Numbers()
        self._names: list[str] = []
        self._texts: list[str] = []
        # What rules said before the first change, and what they say after the last.
        self._gone: dict[str, str] = {}
        self._come: dict[str, str] = {}

    def clear(self) -> None:
        """See `Writer`."""
        super().clear()
        self._names, self._texts, self._gone, self._come = [], [], {}, {}

    def walk(self, item: Item) -> None:
        """See `Writer`."""
        for name, text in self._rules(item):
            self._names.append(name)
            self._texts.append(text)

    def walked(self) -> list[bytes]:
        """See `Writer`."""
        names, texts, self._names, self._texts = self._names, self._texts, [], []
        slots = self._numbers.fill(names)
        names.clear()
        texts.reverse()  # so that each is let go of when its line is made
        lines = [self._line(texts.pop(), slot) for slot in slots]
        lines.sort()
        return lines

    def note(self, item: Item, more: int) -> None:
        """See `Writer`."""
        for name, text in self._rules(item):
            if more > 0:
                self._come[name] = text
            elif self._come.pop(name, None) is None:
                self._gone.setdefault(name, text)

    def settled(self, around: Around, has: Callable[[bytes], bool]) -> dict[bytes, bool]:
        """See `Writer`."""
        gone, come, self._gone, self._come = self._gone, self._come, {}, {}
        for name in [name for name, text in gone.items() if come.get(name) == text]:
            del gone[name], come[name]
        moves = self._numbers.change(gone.keys() - come.keys(), come.keys() - gone.keys())
        for name in gone.keys() & come.keys() - moves.keys():
            slot = self._numbers.slot_of(name)
            moves[name] = (slot, slot)
        before, after = {}, {}
        for name, (old, new) in moves.items():
            beside = "" if name in gone and name in come else self._text(name, around)
            if old is not None:
                before[self._line(gone.get(name, beside), old)] = False
            if new is not None:
                after[self._line(come.get(name, beside), new)] = True
        return before | after

    def _text(self, name: str, around: Around) -> str:
        """What a rule says that nothing changed of but its number; "" where it is gone."""
        item = around.at(*item_of(name))
        return dict(self._rules(item)).get(name, "") if item is not None else ""

    def _line(self, text: str, slot: int) -> bytes:
        return renumbered(text, self._start + slot).encode()

"""Which event of a MISP feed an attribute belongs to, so that none outgrows what MISP can take.

What became valid on one day is one event as long as it has at most `EVENT_LIMIT` attributes. One
that has more is parted in two by the next bit of the attributes' ids, which begin with a hash. So
which events there are follows from what is in them alone, and a change touches the events that
it is in: at most, one is parted, or two are joined.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from bayanihan.readers.feeds.lines import Lines

EVENT_LIMIT = 5_000

# An attribute's line begins with {"uuid":" and eight hexadecimal digits.
_ID_AT = len('{"uuid":"')
_ID_BITS = 32


class Event(NamedTuple):
    """A day, and how the ids of an event's attributes begin: in so many bits, with these."""

    day: str
    bits: int = 0
    start: int = 0


class Change(msgspec.Struct, frozen=True):
    """Which events changed, and which attributes entered (1) or left (-1) which event."""

    events: set[Event]
    moves: list[tuple[Event, bytes, int]]


class _Tag(msgspec.Struct):
    name: str


class _Said(msgspec.Struct):
    timestamp: str
    Tag: list[_Tag]


_said = msgspec.json.Decoder(_Said).decode


class _Kept:
    """The attributes of an event, their times in seconds in order, and how many of each level."""

    def __init__(self, lines: list[bytes]) -> None:
        self.lines = Lines(lines)
        told = [_said(line[:-1]) for line in lines]
        self.stamps_s = array("q", sorted([int(each.timestamp) for each in told]))
        self.levels = Counter([each.Tag[0].name.removeprefix("tlp:") for each in told])

    def edit(self, want: Mapping[bytes, bool]) -> tuple[list[bytes], list[bytes]]:
        """Bring attributes in or take them out; which came and which went."""
        come, gone = self.lines.edit(want)
        for line in gone:
            told = _said(line[:-1])
            self.stamps_s.pop(bisect_left(self.stamps_s, int(told.timestamp)))
            self.levels[told.Tag[0].name.removeprefix("tlp:")] -= 1
        for line in come:
            told = _said(line[:-1])
            insort(self.stamps_s, int(told.timestamp))
            self.levels[told.Tag[0].name.removeprefix("tlp:")] += 1
        return come, gone

    def every(self) -> list[bytes]:
        return [line for chunk in self.lines.chunks for line in chunk.lines()]


class Events:
    """The events of a feed. Not safe for two threads."""

    def __init__(self) -> None:
        self._kept: dict[Event, _Kept] = {}
        self._parted: set[Event] = set()

    def fill(self, attributes: Iterable[tuple[str, bytes]]) -> None:
        """From nothing: the lines of attributes, each with its day."""
        days: dict[str, list[bytes]] = {}
        for day, line in attributes:
            days.setdefault(day, []).append(line)
        for day in sorted(days):
            lines = days.pop(day)
            lines.sort()
            self._put(Event(day), lines)

    def every(self) -> Iterator[Event]:
        """Those that there are."""
        return iter(self._kept)

    def size(self, event: Event) -> int:
        """How many attributes it has; 0 where it is none."""
        return len(self._kept[event].stamps_s) if event in self._kept else 0

    def lines(self, event: Event) -> Lines:
        """The lines of its attributes."""
        return self._kept[event].lines

    def stamp_s(self, event: Event) -> int:
        """When something in it was last new, in seconds since 1970."""
        return self._kept[event].stamps_s[-1]

    def levels(self, event: Event) -> Iterable[str]:
        """The TLP levels inside."""
        return +self._kept[event].levels

    def change(self, want: Mapping[tuple[str, bytes], bool]) -> Change:
        """Bring attributes in or take them out, by day and line."""
        asked: dict[Event, dict[bytes, bool]] = {}
        for (day, line), there in want.items():
            asked.setdefault(self._event_of(day, line), {})[line] = there
        change = Change(set(asked), [])
        for event, lines in asked.items():
            kept = self._kept.setdefault(event, _Kept([]))
            come, gone = kept.edit(lines)
            change.moves.extend((event, line, 1) for line in come)
            change.moves.extend((event, line, -1) for line in gone)
        for event in asked:
            self._part(event, change)
        for event in sorted(asked, key=lambda event: -event.bits):
            self._join(event, change)
        return change

    def _event_of(self, day: str, line: bytes) -> Event:
        found = Event(day)
        while found in self._parted:
            found = _half(found, line)
        return found

    def _put(self, event: Event, lines: list[bytes]) -> list[Event]:
        """Make an event, or as many as it takes, of lines in order; which."""
        if len(lines) <= EVENT_LIMIT or event.bits == _ID_BITS:
            if lines:
                self._kept[event] = _Kept(lines)
            return [event] if lines else []
        self._parted.add(event)
        low = Event(event.day, event.bits + 1, event.start * 2)
        middle = bisect_left(lines, True, key=lambda line: _half(event, line) != low)
        high = Event(event.day, event.bits + 1, event.start * 2 + 1)
        return [*self._put(low, lines[:middle]), *self._put(high, lines[middle:])]

    def _part(self, event: Event, change: Change) -> None:
        """Part an event that has outgrown the limit; one of which nothing is left is none."""
        kept = self._kept[event]
        if not kept.stamps_s:
            del self._kept[event]
        if len(kept.stamps_s) > EVENT_LIMIT and event.bits < _ID_BITS:
            lines = kept.every()
            del self._kept[event]
            self._moved([event], self._put(event, lines), change, {event: lines})

    def _join(self, event: Event, change: Change) -> None:
        """Join an event with its neighbour while both together are within the limit."""
        while event.bits:
            above = Event(event.day, event.bits - 1, event.start // 2)
            halves = [Event(event.day, event.bits, above.start * 2 + half) for half in (0, 1)]
            sizes = sum(map(self.size, halves))
            if self._parted & {*halves} or above not in self._parted or sizes > EVENT_LIMIT:
                return
            there = [half for half in halves if half in self._kept]
            lines = {half: self._kept.pop(half).every() for half in there}
            self._parted.discard(above)
            made = self._put(above, [line for half in there for line in lines[half]])
            self._moved(there, made, change, lines)
            event = above

    def _moved(
        self,
        old: list[Event],
        new: list[Event],
        change: Change,
        lines: Mapping[Event, list[bytes]],
    ) -> None:
        change.events.update(old, new)
        change.moves.extend((event, line, -1) for event in old for line in lines[event])
        change.moves.extend((event, line, 1) for event in new for line in self._kept[event].every())


def _half(event: Event, line: bytes) -> Event:
    """Which half of an event a line belongs to."""
    number = int(line[_ID_AT : _ID_AT + 8], 16)
    return Event(event.day, event.bits + 1, number >> (_ID_BITS - event.bits - 1))

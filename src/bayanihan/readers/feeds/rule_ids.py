"""Numbers of detection rules: from a hash, in a range per hub, the same at every making.

A rule's number follows from what it says, so that an operator who silences one silences the
same one tomorrow. Two that want the same number are told apart in the order of their hashes:
the later takes the next one that is free. So a rule moves only when one before it, in the same
unbroken run of numbers, comes or goes.
"""

from __future__ import annotations

import hashlib
import weakref
from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence

from bayanihan.errors import Unavailable
from bayanihan.readers.feeds.private_file import private, room

# Numbers below are those of public rule sets and of operators' own rules.
FIRST = 1 << 30
RANGES = 64
RANGE_SIZE = 1 << 24
# The last numbers are nobody's home: the last run goes on there. The very last is the canary's.
SPARE = 1 << 16

_HOMES = RANGE_SIZE - SPARE
_DIGEST_BYTES = 16
_PAGE = 64
_SCHEMA = "CREATE TABLE rules (slot INTEGER PRIMARY KEY, name TEXT NOT NULL)"

# Where a rule was and where it is now, within the range; None for nowhere.
Move = tuple[int | None, int | None]


def range_of(hub: str) -> range:
    """The numbers that a hub's rules take."""
    slot = int.from_bytes(hashlib.sha256(hub.encode()).digest()[:4], "big") % RANGES
    start = FIRST + slot * RANGE_SIZE
    return range(start, start + RANGE_SIZE)


def canary_number(hub: str) -> int:
    """The number of the canary's rule, which no other one gets."""
    return range_of(hub)[-1]


def numbered(names: Iterable[str], hub: str) -> dict[str, int]:
    """A number for each name, each its own.

    Raises:
        Unavailable: `feed-refused` when there are more names than a range has numbers.
    """
    every = list(dict.fromkeys(names))
    ours = range_of(hub)
    return {every[index]: ours[slot] for index, slot in _seated(every)}


class Numbers:
    """Which rule has which number: like `numbered`, and brought further by what changed.

    Numbers are counted from the start of the range here. In memory bounded, whatever the number
    of rules: it lies in a private file. Not safe for two threads. Where the disk is full,
    `Unavailable("disk-full")` is raised, and `fill` begins anew.
    """

    def __init__(self) -> None:
        self._db = private(_SCHEMA)
        self._close = weakref.finalize(self, self._db.close)

    def fill(self, names: Sequence[str]) -> array[int]:
        """Number these alone, each of which comes once; their numbers in the same order."""
        slots = array("l", bytes(array("l").itemsize * len(names)))

        def rows() -> Iterator[tuple[int, str]]:
            for index, slot in _seated(names):
                slots[index] = slot
                yield slot, names[index]

        self._close()
        with room():
            self._db = private(_SCHEMA)
            self._close = weakref.finalize(self, self._db.close)
            self._db.execute("BEGIN")
            self._db.executemany("INSERT INTO rules VALUES (?, ?)", rows())
            self._db.execute("COMMIT")
        return slots

    def change(self, gone: Collection[str], come: Collection[str]) -> dict[str, Move]:
        """Take names out and bring others in; which moved, these included.

        Args:
            gone: names that are there.
            come: names that are not.
        """
        touched = sorted([(_digest(name), name) for name in {*gone, *come}])
        moves: dict[str, Move] = {}
        with room():
            self._db.execute("BEGIN")
            at = 0
            while at < len(touched):
                at = self._run(touched, at, gone, moves)
            self._db.execute("COMMIT")
        return {name: move for name, move in moves.items() if move[0] != move[1]}

    def slot_of(self, name: str) -> int:
        """The number of a name that is there."""
        with room():
            for slot, found in self._from(_home(_digest(name))):
                if found == name:
                    return slot
        raise KeyError(name)

    def _run(
        self,
        touched: Sequence[tuple[bytes, str]],
        at: int,
        gone: Collection[str],
        moves: dict[str, Move],
    ) -> int:
        """Number anew from the beginning of a run to where nothing moves any more.

        Returns:
            Which of `touched` is the first that lies behind.
        """
        free = self._beginning(_home(touched[at][0]))
        first = at
        old = self._from(free)
        row = next(old, None)
        here: dict[str, Move] = {}
        while row is not None or at < len(touched):
            asked = touched[at] if at < len(touched) else None
            digest = _digest(row[1]) if row is not None else b""
            if row is None or (asked is not None and asked[0] <= digest):
                at += 1
                name, was = touched[at - 1][1], None
                if row is not None and row[1] == name:
                    was, row = row[0], next(old, None)
                if name in gone:
                    here[name] = (was, None)
                    continue
            else:
                home = _home(digest)
                behind = asked is None or _home(asked[0]) >= row[0]
                if at > first and behind and row[0] == home >= free:
                    break
                was, name = row
                row = next(old, None)
            slot = max(_home(_digest(name)), free)
            _check(slot)
            here[name] = (was, slot)
            free = slot + 1
        self._write(here)
        for name, (was_at, is_at) in here.items():
            moves[name] = (moves[name][0] if name in moves else was_at, is_at)
        return at

    def _write(self, moves: dict[str, Move]) -> None:
        moved = [(name, old, new) for name, (old, new) in moves.items() if old != new]
        slots = [(old,) for _, old, _ in moved if old is not None]
        self._db.executemany("DELETE FROM rules WHERE slot = ?", slots)
        rows = [(new, name) for name, _, new in moved if new is not None]
        self._db.executemany("INSERT INTO rules VALUES (?, ?)", rows)

    def _beginning(self, home: int) -> int:
        """Where the unbroken run of numbers begins that a number stands in; itself if free."""
        expected = home
        while True:
            rows = self._db.execute(
                "SELECT slot FROM rules WHERE slot <= ? ORDER BY slot DESC LIMIT ?",
                (expected, _PAGE),
            ).fetchall()
            for (slot,) in rows:
                if slot != expected:
                    return min(home, expected + 1)
                expected -= 1
            if len(rows) < _PAGE:
                return min(home, expected + 1)

    def _from(self, slot: int) -> Iterator[tuple[int, str]]:
        """The rows from a number on, a page at a time."""
        while True:
            rows = self._db.execute(
                "SELECT slot, name FROM rules WHERE slot >= ? ORDER BY slot LIMIT ?",
                (slot, _PAGE),
            ).fetchall()
            yield from rows
            if len(rows) < _PAGE:
                return
            slot = rows[-1][0] + 1


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()[:_DIGEST_BYTES]


def _home(digest: bytes) -> int:
    """The number that a digest wants; the order of homes is that of digests."""
    return int.from_bytes(digest[:8], "big") * _HOMES >> 64


def _seated(names: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Which of some names has which number, ascending."""
    keys = [_digest(name) + index.to_bytes(4, "big") for index, name in enumerate(names)]
    keys.sort()
    free = 0
    for key in keys:
        slot = max(_home(key), free)
        _check(slot)
        yield int.from_bytes(key[_DIGEST_BYTES:], "big"), slot
        free = slot + 1


def _check(slot: int) -> None:
    if slot >= RANGE_SIZE - 1:
        raise Unavailable("feed-refused", "There are more rules than a hub has numbers")

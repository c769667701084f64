"""The lines of a format in which only one item of a name can be: the first in order of value.

The others are listed beside the feed. When the first one goes, the next takes its place.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable

import msgspec

from bayanihan.readers.feeds.format import Around, Format, Item, Writer, beaten
from bayanihan.readers.feeds.private_file import private, room

_SCHEMA = """
CREATE TABLE rivals (name TEXT, value TEXT, item BLOB, PRIMARY KEY (name, value)) WITHOUT ROWID
"""
_FIRST = "SELECT item FROM rivals WHERE name = ? ORDER BY value LIMIT 1"
_decoded = msgspec.json.Decoder(Item).decode


class RivalLines(Writer):
    """See `Writer`.

    Args:
        format_: the format.
        rival: the name of an item.
    """

    def __init__(self, format_: Format, rival: Callable[[Item], str]) -> None:
        super().__init__()
        self._format = format_
        self._rival = rival
        self._want: dict[bytes, bool] = {}
        self._open()

    def clear(self) -> None:
        """See `Writer`."""
        super().clear()
        self._want = {}
        self._close()
        self._open()

    def walk(self, item: Item) -> None:
        """See `Writer`."""
        self.note(item, 1)

    def walked(self) -> list[bytes]:
        """See `Writer`."""
        lines, self._want = sorted(line for line, there in self._want.items() if there), {}
        return lines

    def note(self, item: Item, more: int) -> None:
        """See `Writer`."""
        name = self._rival(item)
        with room():
            before = self._first(name)
            if more > 0:
                row = (name, item.value, msgspec.json.encode(item))
                self._db.execute("INSERT INTO rivals VALUES (?, ?, ?)", row)
            else:
                key = (name, item.value)
                self._db.execute("DELETE FROM rivals WHERE name = ? AND value = ?", key)
            after = self._first(name)
        if before is None or after is None or before.value == after.value:
            # It came or went alone, or it is none of those that have a place.
            if item.value == (before or after or item).value:
                self._place(item, there=more > 0)
            else:
                self._beat(item, name, more)
            return
        loser, winner = (before, after) if more > 0 else (after, before)
        self._place(winner, there=more > 0)
        self._place(loser, there=more < 0)
        self._beat(loser, name, more)

    def settled(self, around: Around, has: Callable[[bytes], bool]) -> dict[bytes, bool]:
        """See `Writer`."""
        want, self._want = self._want, {}
        return want

    def _open(self) -> None:
        self._db = private(_SCHEMA)
        self._close = weakref.finalize(self, self._db.close)

    def _first(self, name: str) -> Item | None:
        row = self._db.execute(_FIRST, (name,)).fetchone()
        return _decoded(row[0]) if row else None

    def _place(self, item: Item, *, there: bool) -> None:
        self._want |= dict.fromkeys([line.encode() for line in self._format.lines(item)], there)

    def _beat(self, item: Item, name: str, more: int) -> None:
        """An item is in no place because of another one, or no longer is."""
        self.lost[item.level] += more
        if more > 0:
            self.refused.add(item.value, item, beaten(name))
        else:
            self.refused.drop(item.value)

"""The docket: where the register, filings and cases stand in the record, by their ids.

A projection of `decision` entries. It keeps positions and audiences, no bodies: each body is
read through the ledger's door, which checks the reader's rights once more.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from bayanihan.ledger import Entry, Projection, Scan
from bayanihan.web.law.records import GENRES, Record, Registered, read_record

_FOLD_LIMIT = 256


class Kept(NamedTuple):
    """A record with who wrote it: its entry and its content."""

    entry: Entry
    record: Record


class Docket(Projection):
    """Positions of the law's records, by genre and id."""

    name = "docket"
    version = 1
    kinds = ("decision",)
    schema = """
        CREATE TABLE acts (
            position INTEGER PRIMARY KEY, id TEXT NOT NULL, genre TEXT NOT NULL,
            view TEXT NOT NULL, audience INTEGER NOT NULL, origin TEXT NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX acts_by_id ON acts (id, position);
        CREATE TABLE newest (
            id TEXT NOT NULL, view TEXT NOT NULL, genre TEXT NOT NULL,
            audience INTEGER NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (id, view)
        ) WITHOUT ROWID;
        CREATE INDEX newest_by_genre ON newest (genre, view, position)
    """

    def loaded(self) -> None:
        """One folds at a time: the hub's thread, or whoever has just written."""
        self._folding = threading.Lock()

    def catch_up(self, scan: Scan, length: int, limit: int = _FOLD_LIMIT) -> bool:
        """As the base's, one caller at a time."""
        with self._folding:
            return super().catch_up(scan, length, limit)

    def fold(self, entry: Entry, body: bytes | None) -> None:
        """Note where a record stands."""
        record = read_record(body) if body is not None else None
        if record is None or record.id != entry.object_id:
            return
        view = record.view if isinstance(record, Registered) else ""
        genre, audience = GENRES[type(record)], entry.header.audience
        row = (record.id, genre, view, audience, entry.origin)
        self.db.execute("INSERT INTO acts VALUES (?, ?, ?, ?, ?, ?)", (entry.position, *row))
        self.db.execute(
            "INSERT OR REPLACE INTO newest VALUES (?, ?, ?, ?, ?)",
            (record.id, view, genre, audience, entry.position),
        )

    def of(self, record_id: str) -> list[int]:
        """Where the acts about an id stand, ascending; check each by its entry."""
        rows = self.reading.execute(
            "SELECT position FROM acts WHERE id = ? ORDER BY position", (record_id,)
        )
        return [position for (position,) in rows]

    def latest(
        self, genre: str, view: str, rights: Sequence[int], before: int, limit: int
    ) -> list[int]:
        """The newest acts of a genre, one per id, newest first, of the audiences given."""
        rows = self.reading.execute(
            "SELECT position FROM newest WHERE genre = ? AND view = ? AND position < ?"
            " AND audience IN (SELECT value FROM json_each(?)) ORDER BY position DESC LIMIT ?",
            (genre, view, before, msgspec.json.encode(list(rights)).decode(), limit),
        )
        return [position for (position,) in rows]

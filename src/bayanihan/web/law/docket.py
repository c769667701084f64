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


class Attested(NamedTuple):
    """An attestation in the record: the digest of its envelope, and where it stands."""

    digest: str
    position: int
    id: str
    origin: str
    stamp_us: int


class Docket(Projection):
    """Positions of the law's records, by genre and id."""

    name = "docket"
    version = 1
    kinds = ("decision", "attestation", "withdrawn")
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
        CREATE INDEX newest_by_genre ON newest (genre, view, position);
        CREATE TABLE attested (
            digest TEXT NOT NULL, position INTEGER NOT NULL, id TEXT NOT NULL,
            origin TEXT NOT NULL, audience INTEGER NOT NULL, stamp INTEGER NOT NULL,
            PRIMARY KEY (digest, position)
        ) WITHOUT ROWID;
        CREATE TABLE withdrawn (
            id TEXT NOT NULL, origin TEXT NOT NULL, position INTEGER NOT NULL,
            stamp INTEGER NOT NULL, PRIMARY KEY (id, origin, position)
        ) WITHOUT ROWID
    """

    def loaded(self) -> None:
        """One folds at a time: the hub's thread, or whoever has just written."""
        self._folding = threading.Lock()

    def catch_up(self, scan: Scan, length: int, limit: int = _FOLD_LIMIT) -> bool:
        """As the base's, one caller at a time."""
        with self._folding:
            return super().catch_up(scan, length, limit)

    def fold(self, entry: Entry, body: bytes | None) -> None:
        """Note where a record stands, an attestation, or the withdrawal of one."""
        if entry.header.kind == "attestation":
            self._attest(entry)
        elif entry.header.kind == "withdrawn":
            self._withdraw(entry)
        elif body is not None:
            self._enter(entry, body)

    def _enter(self, entry: Entry, body: bytes) -> None:
        record = read_record(body)
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

    def _attest(self, entry: Entry) -> None:
        row = (f"sha256:{entry.digest.hex()}", entry.position, entry.object_id, entry.origin)
        self.db.execute(
            "INSERT INTO attested VALUES (?, ?, ?, ?, ?, ?)",
            (*row, entry.header.audience, entry.stamp_us),
        )

    def _withdraw(self, entry: Entry) -> None:
        known = self.db.execute(
            "SELECT 1 FROM attested WHERE id = ? AND origin = ? LIMIT 1",
            (entry.object_id, entry.origin),
        ).fetchone()
        if known:
            row = (entry.object_id, entry.origin, entry.position, entry.stamp_us)
            self.db.execute("INSERT INTO withdrawn VALUES (?, ?, ?, ?)", row)

    def attested(self, digest: str, rights: Sequence[int]) -> Attested | None:
        """The first attestation with that envelope, of the audiences given."""
        row = self.reading.execute(
            "SELECT digest, position, id, origin, stamp FROM attested WHERE digest = ?"
            " AND audience IN (SELECT value FROM json_each(?)) ORDER BY position LIMIT 1",
            (digest, msgspec.json.encode(list(rights)).decode()),
        ).fetchone()
        return Attested(*row) if row else None

    def withdrawn(self, attested: Attested) -> list[int]:
        """When an attestation's origin withdrew it, in UTC microseconds."""
        rows = self.reading.execute(
            "SELECT stamp FROM withdrawn WHERE id = ? AND origin = ? AND position > ?",
            (attested.id, attested.origin, attested.position),
        )
        return [stamp for (stamp,) in rows]

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

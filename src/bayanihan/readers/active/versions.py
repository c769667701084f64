"""What is kept of each version, and what entries do to it: a batch of them at a time.

Of each object the latest version is kept for every audience apart. A batch first reads the
rows of all objects that it names, then takes its entries in order in memory, and at last
writes what is different, in a few statements: each statement is a moment in which other
threads take the interpreter, so their number decides how fast a busy hub folds.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from bayanihan.core.observables import Observable
from bayanihan.ledger import Entry
from bayanihan.readers.active.indicator import Told
from bayanihan.readers.active.pace import Pace
from bayanihan.readers.active.touched import Touch

SCHEMA = """
CREATE TABLE objects (
    position INTEGER PRIMARY KEY, origin TEXT NOT NULL, object_id TEXT NOT NULL,
    audience INTEGER NOT NULL, exercise INTEGER NOT NULL, version_us INTEGER NOT NULL,
    valid_from_us INTEGER NOT NULL, valid_until_us INTEGER NOT NULL,
    revoked INTEGER NOT NULL, informs INTEGER NOT NULL, withdrawn INTEGER NOT NULL,
    out INTEGER NOT NULL, shared INTEGER NOT NULL,
    author TEXT NOT NULL, stamp_us INTEGER NOT NULL, confidence INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX objects_same ON objects (object_id, origin, exercise, audience);
CREATE INDEX objects_live ON objects (audience, exercise, valid_until_us, valid_from_us)
    WHERE out = 0;
CREATE TABLE items (
    position INTEGER, type TEXT, value TEXT, PRIMARY KEY (position, type, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX items_value ON items (type, value);
CREATE TABLE sightings (
    position INTEGER PRIMARY KEY, object_id TEXT NOT NULL, audience INTEGER NOT NULL,
    exercise INTEGER NOT NULL, sighting_id TEXT NOT NULL, seen_us INTEGER NOT NULL
) STRICT;
CREATE INDEX sightings_of ON sightings (object_id, audience, exercise, seen_us);
CREATE INDEX sightings_same ON sightings (sighting_id, audience, exercise);
CREATE TABLE rest (
    position INTEGER, number INTEGER, text TEXT NOT NULL, why TEXT NOT NULL,
    PRIMARY KEY (position, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE changed (
    audience INTEGER, exercise INTEGER, position INTEGER NOT NULL, stamp_us INTEGER NOT NULL,
    PRIMARY KEY (audience, exercise)
) STRICT, WITHOUT ROWID;
CREATE TABLE unread (
    position INTEGER PRIMARY KEY, origin TEXT NOT NULL, object_id TEXT NOT NULL,
    audience INTEGER NOT NULL, exercise INTEGER NOT NULL, version_us INTEGER NOT NULL,
    why TEXT NOT NULL
) STRICT;
"""

_ROWS_PER_STATEMENT = 64
_FIND = """
SELECT json_group_array(json_array(position, origin, object_id, audience, exercise, version_us,
    valid_from_us, valid_until_us, revoked, informs, withdrawn, out, shared,
    author, stamp_us, confidence))
FROM objects WHERE object_id IN (SELECT value FROM json_each(?))
"""


class Row(msgspec.Struct, array_like=True, gc=False):
    """A row of `objects`: the latest version of an object that an audience was told.

    `out` is set when it can have no values (revoked, withdrawn, unreadable), `shared` when
    another audience was told of the object by the same origin as well. `author`, `stamp_us`
    and `confidence` say who told it, when, and how sure they were.
    """

    position: int
    origin: str
    object_id: str
    audience: int
    exercise: int
    version_us: int
    valid_from_us: int
    valid_until_us: int
    revoked: int
    informs: int
    withdrawn: int
    out: int
    shared: int
    author: str
    stamp_us: int
    confidence: int


# Whose object in which world: an exercise shares nothing with what is real.
_Key = tuple[str, str, int]
_rows = msgspec.json.Decoder(list[Row]).decode
_NAMED = """
SELECT json_group_array(json_array(o.object_id, i.type, i.value))
FROM objects o CROSS JOIN items i ON i.position = o.position
WHERE o.object_id IN (SELECT value FROM json_each(?))
"""
_named = msgspec.json.Decoder(list[tuple[str, str, str]]).decode


class Batch:
    """The entries of one transaction: `add` each in order, then `write` them."""

    def __init__(self) -> None:
        self._entries: list[tuple[Entry, Told | None]] = []
        self._rows: dict[_Key, dict[int, Row]] = {}
        self._stored: dict[int, Row] = {}
        self._told: dict[int, Told] = {}
        self._bare: set[int] = set()
        self._unread: dict[int, tuple[Any, ...]] = {}
        self._touching: dict[tuple[int, _Key], int] = {}
        self._seen: set[str] = set()
        self._moved: dict[tuple[int, int], tuple[int, int]] = {}
        self._until: dict[int, int] = {}
        self._pace: Pace | None = None
        self._erased: dict[tuple[Any, ...], int] = {}
        self.changed: dict[tuple[int, int], tuple[int, int]] = {}
        self.touches: list[Touch] = []

    def __len__(self) -> int:
        return len(self._entries) + len(self._moved)

    def add(self, entry: Entry, found: Told | None) -> None:
        """One entry about an indicator; `found` is None where it brings no version."""
        self._entries.append((entry, found))

    def move(self, entry: Entry, object_ids: Iterable[str]) -> None:
        """An entry that changes what an audience sees of objects, beside their versions."""
        header = entry.header
        for object_id in object_ids:
            key = (object_id, "", int(header.exercise))
            self._touching[header.audience, key] = header.position
            self._seen.add(object_id)
        self._moved[header.audience, int(header.exercise)] = (header.position, header.stamp_us)

    def erase(self, entry: Entry, until_us: int) -> None:
        """One entry that says: an indicator's versions are erased, up to this one."""
        self._until[entry.position] = until_us
        self._entries.append((entry, None))

    def write(self, db: sqlite3.Connection) -> None:
        """Take the entries in and write what is different, inside the caller's transaction."""
        self._pace = Pace(db)
        ids = list({entry.object_id for entry, _ in self._entries})
        for row in _rows(db.execute(_FIND, (json.dumps(ids),)).fetchone()[0]):
            key = (row.object_id, row.origin, row.exercise)
            self._rows.setdefault(key, {})[row.audience] = row
            self._stored[row.position] = msgspec.structs.replace(row)
        for entry, found in self._entries:
            self._take(entry, found)
        self.touches = self._touches(db)
        self._write_rows(db)
        self._write_unread(db)
        now = {row.position for same in self._rows.values() for row in same.values()}
        self._pace.write(at for at in self._stored if at not in now or at in self._bare)
        for place, stand in self._moved.items():
            self.changed[place] = max(stand, self.changed.get(place, stand))
        changed = [(*key, *stand) for key, stand in self.changed.items()]
        _insert(db, "INSERT OR REPLACE INTO changed", changed)

    def _take(self, entry: Entry, found: Told | None) -> None:
        header = entry.header
        exercise = int(header.exercise)
        same = self._rows.setdefault((entry.object_id, entry.origin, exercise), {})
        before = same.get(header.audience)
        if found is not None:
            moved = self._keep(entry, found, same, before)
        elif header.kind == "erased":
            self._erase(entry, same)
            moved = True  # so that a fold that never saw the object ends the same
        else:
            moved = before is not None
            if before is not None:
                before.withdrawn = before.out = 1
                self._bare.add(before.position)
        if moved:
            self.changed[header.audience, exercise] = (header.position, header.stamp_us)
            key = (entry.object_id, entry.origin, exercise)
            self._touching[header.audience, key] = header.position

    def _touches(self, db: sqlite3.Connection) -> list[Touch]:
        """What moved, with what its objects named before and name now, to whomever."""
        known = {row.object_id for row in self._stored.values()} | self._seen
        named: dict[str, dict[tuple[str, str], None]] = {}
        if known and self._touching:
            found = db.execute(_NAMED, (json.dumps(list(known)),)).fetchone()[0]
            for object_id, *value in _named(found):
                named.setdefault(object_id, {})[value[0], value[1]] = None
        for (object_id, _, _), same in self._rows.items():
            for row in same.values():
                told = self._told.get(row.position)
                blocks = told.blocks if told else ()
                named.setdefault(object_id, {}).update(
                    {(each.type, each.value): None for each in blocks}
                )
        touches = [
            Touch(position, audience, bool(exercise), object_id, tuple(named.get(object_id, ())))
            for (audience, (object_id, _, exercise)), position in self._touching.items()
        ]
        return sorted(touches, key=lambda touch: touch.position)

    def _keep(self, entry: Entry, found: Told, same: dict[int, Row], before: Row | None) -> bool:
        header = entry.header
        exercise = int(header.exercise)
        if found.unread:
            self._unread[header.position] = (
                *(header.position, entry.origin, entry.object_id),
                *(header.audience, exercise, entry.version_us, found.unread),
            )
        if before is not None and before.version_us > entry.version_us:
            return False
        same[header.audience] = Row(
            position=header.position,
            origin=entry.origin,
            object_id=entry.object_id,
            audience=header.audience,
            exercise=exercise,
            version_us=entry.version_us,
            valid_from_us=found.valid_from_us,
            valid_until_us=found.valid_until_us,
            revoked=int(found.revoked),
            informs=int(found.informs),
            withdrawn=0,
            out=int(found.revoked or bool(found.unread)),
            shared=0,
            author=entry.author,
            stamp_us=header.stamp_us,
            confidence=found.confidence,
        )
        self._count(entry, found, before)
        self._told[header.position] = found
        _mark_shared(same)
        return True

    def _count(self, entry: Entry, found: Told, before: Row | None) -> None:
        """Number what a version names; what the one before named keeps its number."""
        pace, header = self._pace, entry.header
        if pace is None:
            raise ValueError("versions are taken while a batch is written")
        known = self._named_by(before.position) if before and not before.withdrawn else set()
        blocks = dict.fromkeys(found.blocks)
        if known and before is not None:
            pace.carry(before.position, header.position, [each for each in blocks if each in known])
        place = (entry.origin.partition("/")[0], header.audience, int(header.exercise))
        fresh = [each for each in blocks if each not in known]
        pace.count(place, header.position, header.stamp_us, fresh)

    def _named_by(self, position: int) -> set[Observable]:
        told = self._told.get(position)
        if told is not None or self._pace is None:
            return set(told.blocks) if told else set()
        return self._pace.named(position)

    def _erase(self, entry: Entry, same: dict[int, Row]) -> None:
        """Take out what is erased, and no later version."""
        header, until_us = entry.header, self._until[entry.position]
        before = same.get(header.audience)
        if before is not None and before.version_us <= until_us:
            del same[header.audience]
            _mark_shared(same)
        key = (entry.object_id, entry.origin, header.audience, int(header.exercise))
        self._erased[key] = max(until_us, self._erased.get(key, until_us))
        for position, row in list(self._unread.items()):
            _, origin, object_id, audience, exercise, version_us, _ = row
            if (object_id, origin, audience, exercise) == key and version_us <= until_us:
                del self._unread[position]

    def _write_rows(self, db: sqlite3.Connection) -> None:
        now = {row.position: row for same in self._rows.values() for row in same.values()}
        gone = [at for at, row in self._stored.items() if now.get(at) != row]
        bare = [at for at in self._stored if at not in now or at in self._bare]
        for table, positions in (("objects", gone), ("items", bare), ("rest", bare)):
            _delete(db, table, positions)
        fresh = [row for at, row in now.items() if self._stored.get(at) != row]
        _insert(db, "INSERT INTO objects", [msgspec.structs.astuple(row) for row in fresh])
        told = [
            (row.position, self._told[row.position])
            for row in fresh
            if row.position in self._told and row.position not in self._bare
        ]
        items = [
            (position, block.type, block.value)
            for position, found in told
            for block in dict.fromkeys(found.blocks)
        ]
        _insert(db, "INSERT INTO items", items)
        rest = [
            (position, number, part.text, part.why)
            for position, found in told
            for number, part in enumerate(found.rest)
        ]
        _insert(db, "INSERT INTO rest", rest)

    def _write_unread(self, db: sqlite3.Connection) -> None:
        for key, until_us in self._erased.items():
            db.execute(
                "DELETE FROM unread WHERE object_id = ? AND origin = ? AND audience = ?"
                " AND exercise = ? AND version_us <= ?",
                (*key, until_us),
            )
        _insert(db, "INSERT INTO unread", list(self._unread.values()))


def _mark_shared(same: dict[int, Row]) -> None:
    shared = int(len(same) > 1)
    for row in same.values():
        row.shared = shared


def _delete(db: sqlite3.Connection, table: str, positions: Iterable[int]) -> None:
    listed = list(positions)
    if listed:
        db.execute(_DELETE[table], (json.dumps(listed),))


def _insert(db: sqlite3.Connection, into: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Add rows of one width, many to a statement."""
    for start in range(0, len(rows), _ROWS_PER_STATEMENT):
        part = rows[start : start + _ROWS_PER_STATEMENT]
        row = "(" + ",".join("?" * len(part[0])) + ")"
        values = [value for each in part for value in each]
        db.execute(f"{into} VALUES " + ",".join([row] * len(part)), values)


_DELETE = {
    "objects": "DELETE FROM objects WHERE position IN (SELECT value FROM json_each(?))",
    "items": "DELETE FROM items WHERE position IN (SELECT value FROM json_each(?))",
    "rest": "DELETE FROM rest WHERE position IN (SELECT value FROM json_each(?))",
}

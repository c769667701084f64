"""The fingerprints of reported cases, folded from the record; they go when the case goes."""

from __future__ import annotations

import hashlib
import heapq
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from bayanihan.core import fingerprint
from bayanihan.core.fingerprint import EXTENSION_ID, Fingerprints, fingerprints_of
from bayanihan.ledger import Entry, Projection

# How many of the newest cases one key leads to; what has more connects too much to tell.
KEY_LIMIT = 200
# The traits that a lure is looked up by: what it pretends, with what it threatens or wants.
_FIRST = ("as:",)
_SECOND = ("ask:", "threat:", "story:", "promise:", "hush")

_SCHEMA = """
CREATE TABLE cases (
    position INTEGER PRIMARY KEY, object_id TEXT NOT NULL, origin TEXT NOT NULL,
    audience INTEGER NOT NULL, exercise INTEGER NOT NULL, version_us INTEGER NOT NULL,
    stamp_us INTEGER NOT NULL, language TEXT NOT NULL, out INTEGER NOT NULL, prints BLOB NOT NULL
) STRICT;
CREATE INDEX cases_object ON cases (object_id, origin);
CREATE INDEX cases_newest ON cases (audience, exercise, position) WHERE out = 0;
CREATE TABLE keys (
    key INTEGER, audience INTEGER, exercise INTEGER, position INTEGER,
    PRIMARY KEY (key, audience, exercise, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE shapes (
    position INTEGER NOT NULL, place INTEGER NOT NULL, kind TEXT NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (position, place)
) STRICT, WITHOUT ROWID
"""

_OF_CASE = (
    "SELECT position, prints FROM cases WHERE object_id = ? AND origin = ? AND audience = ?"
    " AND exercise = ? AND version_us <= ? AND position < ?"
)
_TAKE_OUT = (
    "UPDATE cases SET out = 1 WHERE object_id = ? AND origin = ? AND audience = ?"
    " AND exercise = ? AND position < ?"
)
_NO_KEY = "DELETE FROM keys WHERE key = ? AND audience = ? AND exercise = ? AND position = ?"
_ANY_VERSION = (1 << 63) - 1
_Same = tuple[str, str, int, int]


class _Case(msgspec.Struct, gc=False):
    extensions: dict[str, msgspec.Raw] | None = None
    labels: list[str] = []
    revoked: bool = False


class Case(msgspec.Struct, frozen=True):
    """One case as it was told to one audience."""

    position: int
    object_id: str
    origin: str
    audience: int
    stamp_us: int
    language: str
    prints: Fingerprints


class Shape(NamedTuple):
    """A digest of a picture, a file or a sound, its case, and who was told of it."""

    position: int
    kind: str
    value: bytes
    audience: int
    exercise: int


_decode = msgspec.json.Decoder(_Case).decode
_prints = msgspec.msgpack.Decoder(Fingerprints).decode
_MARK = EXTENSION_ID.encode()


class Alike(Projection):
    """Cases and the keys that lead to them."""

    name = "alike"
    version = 3
    kinds = ("object", "withdrawn", "erased")
    schema = _SCHEMA
    # How often digests were taken out: when it changes, those kept in memory are too many.
    taken_out = 0
    _taking_out = False
    # A text has 32 keys that lie anywhere in the tree: its pages are written once, not each time.
    cache_kib = 64 * 1024
    _fresh: list[tuple[int, int, int, int]]

    def begun(self) -> None:
        """No key is put aside yet."""
        self._fresh = []

    def gathered(self) -> None:
        """Write the keys of this transaction in the tree's own order."""
        fresh, self._fresh = self._fresh, []
        self.db.executemany("INSERT OR IGNORE INTO keys VALUES (?, ?, ?, ?)", sorted(fresh))

    def folded(self) -> None:
        """Tell those who keep digests in memory that some are gone."""
        if self._taking_out:
            self.taken_out += 1
            self._taking_out = False

    def fold(self, entry: Entry, body: bytes | None) -> None:
        """Take one entry in: only objects with fingerprints are kept."""
        if entry.header.kind != "object":
            self._out(entry, erased=entry.header.kind == "erased")
        elif body is not None and _MARK in body:
            self._keep(entry, body)

    def _keep(self, entry: Entry, body: bytes) -> None:
        try:
            told = _decode(body)
        except (msgspec.MsgspecError, RecursionError):
            return
        prints = fingerprints_of(told.extensions)
        if prints.is_empty:
            return
        header = entry.header
        language = next((each[5:] for each in told.labels if each.startswith("lang:")), "")
        same = (entry.object_id, entry.origin, header.audience, int(header.exercise))
        self._remove(same, entry.version_us, header.position)
        row = (header.position, *same, entry.version_us, header.stamp_us, language[:20])
        self.db.execute(
            "INSERT INTO cases VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, int(told.revoked), msgspec.msgpack.encode(prints)),
        )
        place = (header.audience, int(header.exercise), header.position)
        self._fresh += [(key, *place) for key in keys_of(prints)]
        shapes = [(header.position, place, *shape) for place, shape in enumerate(_shapes(prints))]
        if shapes:
            self.db.executemany("INSERT INTO shapes VALUES (?, ?, ?, ?)", shapes)

    def _out(self, entry: Entry, *, erased: bool) -> None:
        header = entry.header
        same = (entry.object_id, entry.origin, header.audience, int(header.exercise))
        if erased:
            self._remove(same, _ANY_VERSION, header.position)
        else:
            self.db.execute(_TAKE_OUT, (*same, header.position))

    def _remove(self, same: _Same, version_us: int, before: int) -> None:
        """Take out what an audience was told of a case, up to a version and a position."""
        rows = self.db.execute(_OF_CASE, (*same, version_us, before)).fetchall()
        if rows:
            self.gathered()  # a key that is not there yet could not be taken out
        for position, raw in rows:
            place = (same[2], same[3], position)
            self.db.executemany(_NO_KEY, [(key, *place) for key in keys_of(_prints(raw))])
            gone = self.db.execute("DELETE FROM shapes WHERE position = ?", (position,)).rowcount
            self._taking_out = self._taking_out or gone > 0
            self.db.execute("DELETE FROM cases WHERE position = ?", (position,))

    def found(
        self, keys: Iterable[int], audiences: Sequence[int], *, exercise: bool
    ) -> tuple[dict[int, set[int]], set[int]]:
        """The positions that each key leads to among some audiences, and the keys cut short.

        Only the newest `KEY_LIMIT` of a key are looked at.
        """
        told = json.dumps(sorted(audiences))
        places: dict[int, set[int]] = {}
        full: set[int] = set()
        for key in dict.fromkeys(keys):
            rows = self.reading.execute(
                "SELECT position FROM keys WHERE key = ? AND exercise = ?"
                " AND audience IN (SELECT value FROM json_each(?))"
                " ORDER BY position DESC LIMIT ?",
                (key, int(exercise), told, KEY_LIMIT + 1),
            ).fetchall()
            if len(rows) > KEY_LIMIT:
                full.add(key)
            for (position,) in rows[:KEY_LIMIT]:
                places.setdefault(position, set()).add(key)
        return places, full

    def cases(
        self, positions: Iterable[int], audiences: Sequence[int], *, exercise: bool
    ) -> list[Case]:
        """Those of the cases that stand and that these audiences were told."""
        rows = self.reading.execute(
            "SELECT position, object_id, origin, audience, stamp_us, language, prints FROM cases"
            " WHERE position IN (SELECT value FROM json_each(?)) AND out = 0 AND exercise = ?"
            " AND audience IN (SELECT value FROM json_each(?))",
            (json.dumps(sorted(positions)), int(exercise), json.dumps(sorted(audiences))),
        )
        return [
            Case(position, object_id, origin, audience, stamp_us, language, _prints(raw))
            for position, object_id, origin, audience, stamp_us, language, raw in rows
        ]

    def newest(self, audiences: Sequence[int], *, exercise: bool, limit: int) -> list[int]:
        """The positions of the newest cases that stand and that these audiences were told."""
        told = [
            self.reading.execute(
                "SELECT position FROM cases WHERE audience = ? AND exercise = ? AND out = 0"
                " ORDER BY position DESC LIMIT ?",
                (audience, int(exercise), limit),
            )
            for audience in audiences
        ]
        merged = heapq.merge(*told, reverse=True)
        return [position for (position,) in itertools.islice(merged, limit)]

    def shapes(self, after: int) -> Iterator[Shape]:
        """Digests of pictures, files and sounds of cases after a position, as they came."""
        rows = self.reading.execute(
            "SELECT position, kind, value, audience, exercise FROM shapes"
            " JOIN cases USING (position) WHERE position > ? ORDER BY position, place",
            (after,),
        )
        return map(Shape._make, rows)


def key_of(kind: str, value: str) -> int:
    """The key of a value, as a number that SQLite holds."""
    digest = hashlib.blake2b(f"{kind}\0{value}".encode(errors="replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 2


def structure_keys(prints: Fingerprints) -> list[int]:
    """The keys of a structure: each pretence with each threat, promise or wish."""
    first = [each for each in prints.structure if each.startswith(_FIRST)]
    second = [each for each in prints.structure if each.startswith(_SECOND)]
    return [key_of("structure", f"{one}+{other}") for one in first for other in second][:40]


def keys_of(prints: Fingerprints) -> list[int]:
    """All keys that lead to a case."""
    keys = [key_of("file", each) for each in prints.files]
    keys += [key_of("infrastructure", each) for each in prints.infrastructure]
    keys += structure_keys(prints)
    for text in prints.text[:4]:
        keys += fingerprint.bands(fingerprint.unpacked(text))
    return keys


def _shapes(prints: Fingerprints) -> list[tuple[str, bytes]]:
    found = [("pdq", bytes.fromhex(each)) for each in prints.pdq]
    found += [("tlsh", bytes.fromhex(each[-70:])) for each in prints.tlsh]
    found += [("chromaprint", fingerprint.unpacked(each)) for each in prints.chromaprint]
    return found

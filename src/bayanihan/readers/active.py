"""The active set: what indicators name that may be blocked, for whom, and until when.

Only indicators block. Of each object the latest version is kept for every audience apart,
and which of them counts is decided when a viewer asks: among the audiences that *this*
viewer can see, the latest version wins. So a newer version in a narrower audience neither
removes anything from the others nor tells them that it exists.

* A revoked version takes its values out for whoever can see it.
* A withdrawal takes out what its origin said earlier to that audience, and nothing else: to
  a viewer it is as if that audience had never been told.
* An erasure removes the rows, so that nothing is left to find.
* A version that cannot be read blocks nothing, and is listed in the table `unread`.
* An exercise is a world of its own: its versions, withdrawals and positions never touch
  the real ones, nor the reverse.

Source: STIX 2.1 sections 3.2, 3.6 (versions, revocation) and 4.7 (`valid_until` excluded).
"""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import msgspec

from bayanihan.core import moment
from bayanihan.core.ai import EXTENSION_ID, INFORM_ONLY, vector_of
from bayanihan.core.observables import Observable
from bayanihan.core.pattern import Reading, Rest, read
from bayanihan.errors import Refused
from bayanihan.ledger import Entry, Projection

# Later than any timestamp that STIX can write.
FOREVER_US = (1 << 63) - 1

_PREFIX = "indicator--"
_TEXT_LIMIT = 1_000
_INFORMS = "It says how people are misled: this informs, it never blocks."

_SCHEMA = """
CREATE TABLE objects (
    position INTEGER PRIMARY KEY, origin TEXT NOT NULL, object_id TEXT NOT NULL,
    audience INTEGER NOT NULL, exercise INTEGER NOT NULL, version_us INTEGER NOT NULL,
    valid_from_us INTEGER NOT NULL, valid_until_us INTEGER NOT NULL,
    revoked INTEGER NOT NULL, informs INTEGER NOT NULL, withdrawn INTEGER NOT NULL,
    out INTEGER NOT NULL, shared INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX objects_same ON objects (object_id, origin, exercise, audience);
CREATE INDEX objects_live ON objects (audience, exercise, valid_until_us, valid_from_us)
    WHERE out = 0;
CREATE TABLE items (
    position INTEGER, type TEXT, value TEXT, PRIMARY KEY (position, type, value)
) STRICT, WITHOUT ROWID;
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
    audience INTEGER NOT NULL, exercise INTEGER NOT NULL, why TEXT NOT NULL
) STRICT;
"""

# Superseded is a version for whoever also sees a later one that was not withdrawn; of two
# audiences that were told the same version, one told that it is revoked decides.
_ITEMS = """
SELECT i.type, i.value, o.object_id, o.audience
FROM objects o CROSS JOIN items i ON i.position = o.position
WHERE o.audience IN (SELECT value FROM json_each(:audiences)) AND o.exercise = :exercise
AND o.out = 0 AND o.valid_until_us > :now_us AND o.valid_from_us <= :now_us
AND (o.shared = 0 OR NOT EXISTS (
    SELECT 1 FROM objects n
    WHERE n.object_id = o.object_id AND n.origin = o.origin AND n.exercise = o.exercise
    AND n.audience IN (SELECT value FROM json_each(:audiences)) AND n.withdrawn = 0
    AND (n.version_us > o.version_us OR (n.version_us = o.version_us AND n.revoked > o.revoked))
))
ORDER BY i.type, i.value, o.object_id, o.position
"""
_REST = """
SELECT o.object_id, o.audience, r.text, r.why
FROM objects o CROSS JOIN rest r ON r.position = o.position
WHERE o.audience IN (SELECT value FROM json_each(:audiences)) AND o.exercise = :exercise
AND o.out = 0 AND o.valid_until_us > :now_us AND o.valid_from_us <= :now_us
AND (o.shared = 0 OR NOT EXISTS (
    SELECT 1 FROM objects n
    WHERE n.object_id = o.object_id AND n.origin = o.origin AND n.exercise = o.exercise
    AND n.audience IN (SELECT value FROM json_each(:audiences)) AND n.withdrawn = 0
    AND (n.version_us > o.version_us OR (n.version_us = o.version_us AND n.revoked > o.revoked))
))
ORDER BY o.object_id, o.position, r.number
"""
_MOMENTS = """
SELECT
    min(CASE WHEN valid_from_us > :now_us THEN valid_from_us ELSE valid_until_us END),
    max(CASE WHEN valid_from_us <= :now_us THEN valid_from_us END)
FROM objects
WHERE audience IN (SELECT value FROM json_each(:audiences)) AND exercise = :exercise
AND out = 0 AND valid_until_us > :now_us
"""
_STAND = """
SELECT position, stamp_us FROM changed
WHERE audience IN (SELECT value FROM json_each(:audiences)) AND exercise = :exercise
UNION ALL SELECT 0, 0 ORDER BY position DESC LIMIT 1
"""
_PASSED = (
    "SELECT max(valid_until_us) FROM objects WHERE audience = ? AND exercise = ? AND out = 0"
    " AND valid_until_us <= ?"
)


class ActiveItem(msgspec.Struct, frozen=True, gc=False):
    """One value to be blocked, the ids of the objects that name it, and their audiences."""

    type: str
    value: str
    ids: tuple[str, ...]
    audiences: tuple[int, ...]

    @property
    def display(self) -> str:
        """The value as a person reads it: names in their own script."""
        return Observable(self.type, self.value).unicode


class NotBlockable(msgspec.Struct, frozen=True, gc=False):
    """A part of an indicator that can become no block: its text, and why in a sentence."""

    object_id: str
    audience: int
    text: str
    why: str


class View(msgspec.Struct, frozen=True):
    """The active set for some audiences at one moment, to be walked through once.

    `position` is where these audiences last changed, `next_change_us` when the set changes
    by time alone (`FOREVER_US`: never), `boundary_us` the last such moment that passed, and
    `changed_us` the later of that and the stamp at `position`; 0 where there was none.
    """

    position: int
    next_change_us: int
    boundary_us: int
    changed_us: int
    items: Iterator[ActiveItem]
    rest: Iterator[NotBlockable]


class Snapshot(msgspec.Struct, frozen=True):
    """A `View` held in memory."""

    position: int
    next_change_us: int
    items: tuple[ActiveItem, ...]
    rest: tuple[NotBlockable, ...]


class Standing(msgspec.Struct, frozen=True):
    """What the latest visible version of an object amounts to.

    `out` is "" or why nothing of it blocks: `revoked`, `withdrawn`, `informs`, `unread`.
    It holds from `valid_from_us` until before `valid_until_us`.
    """

    object_id: str
    origin: str
    position: int
    audience: int
    exercise: bool
    version_us: int
    valid_from_us: int
    valid_until_us: int
    out: str
    items: tuple[Observable, ...]
    rest: tuple[Rest, ...]


class _Indicator(msgspec.Struct, gc=False):
    pattern: str
    pattern_type: str
    valid_from: str
    valid_until: str | None = None
    revoked: bool = False
    extensions: dict[str, msgspec.Raw] | None = None


class _Folded(msgspec.Struct, gc=False):
    """What one version amounts to, before it is written."""

    valid_from_us: int = 0
    valid_until_us: int = FOREVER_US
    revoked: bool = False
    informs: bool = False
    blocks: tuple[Observable, ...] = ()
    rest: tuple[Rest, ...] = ()
    unread: str = ""


_decode = msgspec.json.Decoder(_Indicator).decode


class Active(Projection):
    """The projection. Folded by one thread; read by any, each on its own connection."""

    name = "active"
    version = 1
    kinds = ("object", "withdrawn", "erased")
    schema = _SCHEMA

    def loaded(self) -> None:
        """Read where each audience last changed."""
        self._touched: set[tuple[int, int]] = set()
        self._changed: dict[tuple[int, int], int] = {
            (audience, exercise): position
            for audience, exercise, position in self.db.execute(
                "SELECT audience, exercise, position FROM changed"
            )
        }

    def folded(self) -> None:
        """Bring what is in memory to what was committed."""
        touched, self._touched = self._touched, set()
        find = "SELECT position FROM changed WHERE audience = ? AND exercise = ?"
        fresh = {key: self.db.execute(find, key).fetchone() for key in touched}
        self._changed |= {key: row[0] for key, row in fresh.items() if row}

    # folding

    def fold(self, entry: Entry, body: bytes | None) -> None:
        """Take one entry in. What was erased since has no object id and is passed over."""
        if not entry.object_id.startswith(_PREFIX):
            return
        kind = entry.header.kind
        if kind == "erased":
            self._erase(entry)
        elif kind == "withdrawn":
            self._withdraw(entry)
        elif body is not None:
            self._keep(entry, _folded(body))

    def _keep(self, entry: Entry, found: _Folded) -> None:
        header = entry.header
        same = self.db.execute(
            "SELECT position, audience, version_us FROM objects"
            " WHERE object_id = ? AND origin = ? AND exercise = ?",
            (entry.object_id, entry.origin, header.exercise),
        ).fetchall()
        own = [row for row in same if row[1] == header.audience]
        if found.unread:
            self.db.execute(
                "INSERT INTO unread VALUES (?, ?, ?, ?, ?, ?)",
                (
                    *(header.position, entry.origin, entry.object_id),
                    *(header.audience, header.exercise, found.unread),
                ),
            )
        if own and own[0][2] > entry.version_us:
            return
        if own:
            self._drop(own[0][0])
        shared = len(same) > len(own)
        if shared:
            marks = [(row[0],) for row in same]
            self.db.executemany("UPDATE objects SET shared = 1 WHERE position = ?", marks)
        self.db.execute(
            "INSERT INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?)",
            (
                *(header.position, entry.origin, entry.object_id, header.audience),
                *(header.exercise, entry.version_us, found.valid_from_us, found.valid_until_us),
                *(found.revoked, found.informs, found.revoked or bool(found.unread), shared),
            ),
        )
        self._keep_values(header.position, found)
        self._touch(entry)

    def _keep_values(self, position: int, found: _Folded) -> None:
        for block in found.blocks:
            self.db.execute(
                "INSERT OR IGNORE INTO items VALUES (?, ?, ?)", (position, block.type, block.value)
            )
        for number, rest in enumerate(found.rest):
            self.db.execute(
                "INSERT INTO rest VALUES (?, ?, ?, ?)",
                (position, number, _short(rest.text), rest.why),
            )

    def _withdraw(self, entry: Entry) -> None:
        position = self._position_of(entry)
        if position is None:
            return
        self._drop_values(position)
        self.db.execute("UPDATE objects SET withdrawn = 1, out = 1 WHERE position = ?", (position,))
        self._touch(entry)

    def _erase(self, entry: Entry) -> None:
        """Leave what a fold would leave that never saw the object; so also where none is."""
        position = self._position_of(entry)
        if position is not None:
            self._drop(position)
        key = (entry.object_id, entry.origin, entry.header.exercise)
        self.db.execute(
            "DELETE FROM unread WHERE object_id = ? AND origin = ? AND exercise = ?"
            " AND audience = ?",
            (*key, entry.header.audience),
        )
        self.db.execute(
            "UPDATE objects SET shared = 0 WHERE object_id = ?1 AND origin = ?2 AND exercise = ?3"
            " AND (SELECT count(*) FROM objects WHERE object_id = ?1 AND origin = ?2"
            " AND exercise = ?3) = 1",
            key,
        )
        self._touch(entry)

    def _position_of(self, entry: Entry) -> int | None:
        row = self.db.execute(
            "SELECT position FROM objects"
            " WHERE object_id = ? AND origin = ? AND exercise = ? AND audience = ?",
            (entry.object_id, entry.origin, entry.header.exercise, entry.header.audience),
        ).fetchone()
        return row[0] if row else None

    def _drop(self, position: int) -> None:
        self.db.execute("DELETE FROM objects WHERE position = ?", (position,))
        self._drop_values(position)

    def _drop_values(self, position: int) -> None:
        self.db.execute("DELETE FROM items WHERE position = ?", (position,))
        self.db.execute("DELETE FROM rest WHERE position = ?", (position,))

    def _touch(self, entry: Entry) -> None:
        header = entry.header
        key = (header.audience, int(header.exercise))
        self._touched.add(key)
        self.db.execute(
            "INSERT OR REPLACE INTO changed VALUES (?, ?, ?, ?)",
            (*key, header.position, header.stamp_us),
        )

    # reading

    def known(self, audiences: Iterable[int], *, exercise: bool) -> tuple[int, ...]:
        """Those of `audiences` that were ever told an indicator, ascending, each once."""
        flag, changed = int(exercise), self._changed
        return tuple(sorted({each for each in audiences if (each, flag) in changed}))

    def changed(self, audiences: Iterable[int], *, exercise: bool = False) -> int:
        """Where the set of these audiences last changed; 0 when they were told nothing.

        Changes that they cannot see do not move it.
        """
        flag, changed = int(exercise), self._changed
        return max((changed.get((each, flag), 0) for each in audiences), default=0)

    @contextlib.contextmanager
    def view(self, audiences: Collection[int], now_us: int, *, exercise: bool) -> Iterator[View]:
        """The active set as one consistent reading, open until the context is left.

        Args:
            audiences: ids, as `Ledger.rights` gives them.
            now_us: UTC microseconds.
            exercise: the exercise's set, or the real one; never both.

        Items come in the order of (type, value), the rest in that of the objects' ids.
        """
        db = self.reading
        own = not db.in_transaction
        known = self.known(audiences, exercise=exercise)
        terms = {
            "audiences": json.dumps(known),
            "exercise": int(exercise),
            "now_us": now_us,
        }
        if own:
            db.execute("BEGIN")
        try:
            position, stamp_us = db.execute(_STAND, terms).fetchone()
            next_us, from_us = db.execute(_MOMENTS, terms).fetchone()
            ends = [
                db.execute(_PASSED, (each, int(exercise), now_us)).fetchone()[0] or 0
                for each in known
            ]
            boundary_us = max(from_us or 0, *ends, 0)
            yield View(
                position,
                FOREVER_US if next_us is None else next_us,
                boundary_us,
                max(stamp_us, boundary_us),
                _items(db.execute(_ITEMS, terms)),
                itertools.starmap(NotBlockable, db.execute(_REST, terms)),
            )
        finally:
            if own:
                db.execute("ROLLBACK")

    def snapshot(self, audiences: Collection[int], now_us: int, *, exercise: bool) -> Snapshot:
        """`view`, held in memory: for sets that are known to be small."""
        with self.view(audiences, now_us, exercise=exercise) as view:
            return Snapshot(view.position, view.next_change_us, tuple(view.items), tuple(view.rest))

    def items_of(self, object_id: str, audiences: Collection[int]) -> tuple[Standing, ...]:
        """The latest version of an object that these audiences see, for each origin apart.

        Real and exercise versions are told apart as well. Empty when they see none.
        """
        rows = self.reading.execute(
            "SELECT * FROM objects WHERE object_id = ?", (object_id,)
        ).fetchall()
        seen = set(audiences)
        latest: dict[tuple[str, int], tuple[Any, ...]] = {}
        for row in rows:
            key = (row[1], row[4])
            if row[3] in seen and (key not in latest or _rank(row) > _rank(latest[key])):
                latest[key] = row
        return tuple(self._standing(latest[key]) for key in sorted(latest))

    def _standing(self, row: tuple[Any, ...]) -> Standing:
        position, origin, object_id, audience, exercise, version_us, from_us, until_us = row[:8]
        revoked, informs, withdrawn, out = row[8:12]
        why = "withdrawn" if withdrawn else "revoked" if revoked else "unread" if out else ""
        items = self.reading.execute(
            "SELECT type, value FROM items WHERE position = ? ORDER BY type, value", (position,)
        )
        rest = self.reading.execute(
            "SELECT text, why FROM rest WHERE position = ? ORDER BY number", (position,)
        )
        return Standing(
            object_id=object_id,
            origin=origin,
            position=position,
            audience=audience,
            exercise=bool(exercise),
            version_us=version_us,
            valid_from_us=from_us,
            valid_until_us=until_us,
            out=why or ("informs" if informs else ""),
            items=tuple(itertools.starmap(Observable, items)),
            rest=tuple(itertools.starmap(Rest, rest)),
        )


def _rank(row: tuple[Any, ...]) -> tuple[bool, int, bool, int]:
    """Told before withdrawn, then the later version, then the revoked, then the later entry."""
    position, version_us, revoked, withdrawn = row[0], row[5], row[8], row[10]
    return (not withdrawn, version_us, bool(revoked), position)


def _items(rows: Iterable[tuple[str, str, str, int]]) -> Iterator[ActiveItem]:
    """Rows in the order of (type, value), each value once with all that name it."""
    for (type_, value), group in itertools.groupby(rows, key=lambda row: row[:2]):
        together = list(group)
        if len(together) == 1:
            yield ActiveItem(type_, value, (together[0][2],), (together[0][3],))
            continue
        ids = tuple(dict.fromkeys([row[2] for row in together]))
        yield ActiveItem(type_, value, ids, tuple(sorted({row[3] for row in together})))


def _folded(body: bytes) -> _Folded:
    """What the bytes of an indicator amount to; a sentence in `unread` when to nothing."""
    try:
        found = _decode(body)
        from_us = moment.parse(found.valid_from)
        until_us = FOREVER_US if found.valid_until is None else moment.parse(found.valid_until)
        if from_us is None or until_us is None:
            return _Folded(unread="Its `valid_from` or `valid_until` is no timestamp.")
        if found.revoked:
            return _Folded(from_us, until_us, revoked=True)
        informs = _informs(found.extensions)
        reading = _reading(found)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _Folded(unread=_short(str(error)))
    except Refused as error:
        return _Folded(unread=_short(error.message))
    if not informs:
        return _Folded(from_us, until_us, blocks=reading.blocks, rest=reading.rest)
    rest = tuple(Rest(block.value, _INFORMS) for block in reading.blocks)
    return _Folded(from_us, until_us, informs=True, rest=rest + reading.rest)


def _reading(found: _Indicator) -> Reading:
    if found.pattern_type == "stix":
        return read(found.pattern)
    text = f"pattern_type {found.pattern_type}"
    return Reading((), (Rest(text, "Its pattern is not a STIX pattern, which alone is read."),))


def _informs(extensions: dict[str, msgspec.Raw] | None) -> bool:
    body = extensions.get(EXTENSION_ID) if extensions else None
    if body is None:
        return False
    return vector_of({EXTENSION_ID: msgspec.json.decode(body)}) in INFORM_ONLY


def _short(text: str) -> str:
    return text if len(text) <= _TEXT_LIMIT else text[: _TEXT_LIMIT - 1] + "\u2026"

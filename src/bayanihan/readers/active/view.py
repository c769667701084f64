"""The active set as a viewer reads it: one consistent walk, in a fixed order.

Rows cross from SQLite a page at a time: for each row that it hands over, the interpreter is
left and entered again, and beside a busy loop each entry may cost a switch of threads.

Source: STIX 2.1 section 3.2 (versions, revocation).
"""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec

from bayanihan.core.observables import Observable
from bayanihan.core.pattern import Rest
from bayanihan.readers.active.indicator import FOREVER_US
from bayanihan.readers.active.versions import Row

PAGE_ROWS = 1_000

# Superseded is a version for whoever also sees a later one that was not withdrawn; of two
# audiences that were told the same version, one told that it is revoked decides.
ITEMS = """
SELECT json_group_array(json_array(
    type, value, object_id, audience, position, valid_from_us, valid_until_us,
    origin, author, confidence, stamp_us, in_hour, in_place)) FROM (
    SELECT i.type, i.value, o.object_id, o.audience, o.position,
        o.valid_from_us, o.valid_until_us, o.origin, o.author, o.confidence, o.stamp_us,
        ifnull(p.in_hour, 0) AS in_hour, ifnull(p.in_place, 0) AS in_place,
        (row_number() OVER (ORDER BY i.type, i.value, o.object_id, o.position) - 1) / :rows AS page
    FROM objects o CROSS JOIN items i ON i.position = o.position
    LEFT JOIN pace_items p ON p.position = i.position AND p.type = i.type AND p.value = i.value
    WHERE o.audience IN (SELECT value FROM json_each(:audiences)) AND o.exercise = :exercise
    AND o.out = 0 AND o.valid_until_us > :now_us AND o.valid_from_us <= :from_us
    AND (o.shared = 0 OR NOT EXISTS (
        SELECT 1 FROM objects n
        WHERE n.object_id = o.object_id AND n.origin = o.origin AND n.exercise = o.exercise
        AND n.audience IN (SELECT value FROM json_each(:audiences)) AND n.withdrawn = 0
        AND (n.version_us > o.version_us
            OR (n.version_us = o.version_us AND n.revoked > o.revoked))
    ))
) GROUP BY page ORDER BY page
"""
NAMED = """
SELECT json_group_array(json_array(
    i.type, i.value, o.object_id, o.audience, o.position, o.valid_from_us, o.valid_until_us,
    o.origin, o.author, o.confidence, o.stamp_us, ifnull(p.in_hour, 0), ifnull(p.in_place, 0)))
FROM items i CROSS JOIN objects o ON o.position = i.position
LEFT JOIN pace_items p ON p.position = i.position AND p.type = i.type AND p.value = i.value
WHERE i.type = :type AND i.value = :value
AND o.audience IN (SELECT value FROM json_each(:audiences)) AND o.exercise = :exercise
AND o.out = 0 AND o.valid_until_us > :now_us AND o.valid_from_us <= :from_us
AND (o.shared = 0 OR NOT EXISTS (
    SELECT 1 FROM objects n
    WHERE n.object_id = o.object_id AND n.origin = o.origin AND n.exercise = o.exercise
    AND n.audience IN (SELECT value FROM json_each(:audiences)) AND n.withdrawn = 0
    AND (n.version_us > o.version_us
        OR (n.version_us = o.version_us AND n.revoked > o.revoked))
))
"""
REST = """
SELECT json_group_array(json_array(
    object_id, position, number, audience, text, why, valid_from_us, valid_until_us)) FROM (
    SELECT o.object_id, o.audience, o.position, r.number, r.text, r.why,
        o.valid_from_us, o.valid_until_us,
        (row_number() OVER (ORDER BY o.object_id, o.position, r.number) - 1) / :rows AS page
    FROM objects o CROSS JOIN rest r ON r.position = o.position
    WHERE o.audience IN (SELECT value FROM json_each(:audiences)) AND o.exercise = :exercise
    AND o.out = 0 AND o.valid_until_us > :now_us AND o.valid_from_us <= :from_us
    AND (o.shared = 0 OR NOT EXISTS (
        SELECT 1 FROM objects n
        WHERE n.object_id = o.object_id AND n.origin = o.origin AND n.exercise = o.exercise
        AND n.audience IN (SELECT value FROM json_each(:audiences)) AND n.withdrawn = 0
        AND (n.version_us > o.version_us
            OR (n.version_us = o.version_us AND n.revoked > o.revoked))
    ))
) GROUP BY page ORDER BY page
"""
_MOMENTS = """
SELECT
    min(CASE WHEN valid_from_us > :now_us THEN valid_from_us ELSE valid_until_us END),
    max(CASE WHEN valid_from_us <= :now_us THEN valid_from_us END)
FROM objects
WHERE audience IN (SELECT value FROM json_each(:audiences)) AND exercise = :exercise
AND out = 0 AND valid_until_us > :now_us
"""
PASSED = """
SELECT max(valid_until_us) FROM objects
WHERE audience = :audience AND exercise = :exercise AND out = 0 AND valid_until_us <= :now_us
"""
STAND = """
SELECT audience, position, stamp_us FROM changed
WHERE audience IN (SELECT value FROM json_each(:audiences)) AND exercise = :exercise
"""

_of_type_and_value = itemgetter(0, 1)
ItemRow = tuple[str, str, str, int, int, int, int, str, str, int, int, int, int]
item_rows = msgspec.json.Decoder(list[ItemRow]).decode
rest_rows = msgspec.json.Decoder(list[tuple[str, int, int, int, str, str, int, int]]).decode


class Source(NamedTuple):
    """Who named a value: the origin and author, how sure (`UNSTATED`: not said), and when.

    `in_hour` and `in_place` number it among its member's of that hour, and among those on its
    network or host; 0 where the number is a low one.
    """

    origin: str
    author: str
    confidence: int
    stamp_us: int
    in_hour: int = 0
    in_place: int = 0


class ActiveItem(msgspec.Struct, frozen=True, gc=False):
    """One value to be blocked, the ids of the objects that name it, and their audiences.

    It holds from `valid_from_us`, the earliest of these objects', until before
    `valid_until_us`, the latest. `sources` has one for each entry that names it.
    """

    type: str
    value: str
    ids: tuple[str, ...]
    audiences: tuple[int, ...]
    valid_from_us: int = 0
    valid_until_us: int = FOREVER_US
    sources: tuple[Source, ...] = ()

    @property
    def display(self) -> str:
        """The value as a person reads it: names in their own script."""
        return Observable(self.type, self.value).unicode


class NotBlockable(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A part of an indicator that can become no block: its text, and why in a sentence.

    It holds from `valid_from_us` until before `valid_until_us`, as its object does.
    """

    object_id: str
    audience: int
    text: str
    why: str
    valid_from_us: int = 0
    valid_until_us: int = FOREVER_US


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

    def holds(self, now_us: int) -> bool:
        """Whether its items are active at a moment."""
        return not self.out and self.valid_from_us <= now_us < self.valid_until_us


def read_view(
    db: sqlite3.Connection, audiences: Sequence[int], now_us: int, *, exercise: bool
) -> View:
    """The active set through `db`, whose open transaction keeps it one moment of the file."""
    terms = {
        "audiences": json.dumps(audiences),
        "exercise": int(exercise),
        "now_us": now_us,
        "from_us": now_us,
        "rows": PAGE_ROWS,
    }
    known = db.execute(STAND, terms).fetchall()
    position, stamp_us = max([(row[1], row[2]) for row in known], default=(0, 0))
    next_us, from_us = db.execute(_MOMENTS, terms).fetchone()
    until_us = [
        db.execute(PASSED, terms | {"audience": row[0]}).fetchone()[0] or 0 for row in known
    ]
    boundary_us = max(from_us or 0, *until_us, 0)
    return View(
        position=position,
        next_change_us=FOREVER_US if next_us is None else next_us,
        boundary_us=boundary_us,
        changed_us=max(stamp_us, boundary_us),
        items=_items(db, terms),
        rest=rest_of(db, terms),
    )


def _items(db: sqlite3.Connection, terms: dict[str, Any]) -> Iterator[ActiveItem]:
    """Each value once, with all that name it."""
    # Pages follow each other in order; SQLite promises no order inside one.
    pages = (sorted(item_rows(text)) for (text,) in db.execute(ITEMS, terms))
    rows = itertools.chain.from_iterable(pages)
    for _, group in itertools.groupby(rows, key=_of_type_and_value):
        yield together(list(group))


def together(rows: Sequence[ItemRow]) -> ActiveItem:
    """One value, of the rows that name it."""
    type_, value, object_id, audience, _, from_us, until_us = rows[0][:7]
    ids: tuple[str, ...] = (object_id,)
    audiences: tuple[int, ...] = (audience,)
    sources = tuple([Source(*row[7:]) for row in rows])
    if len(rows) > 1:
        ids = tuple(dict.fromkeys([row[2] for row in rows]))
        audiences = tuple(sorted({row[3] for row in rows}))
        from_us = min([row[5] for row in rows])
        until_us = max([row[6] for row in rows])
    return ActiveItem(type_, value, ids, audiences, from_us, until_us, sources)


def read_named(
    db: sqlite3.Connection,
    observable: Observable,
    audiences: Sequence[int],
    now_us: int,
    *,
    exercise: bool,
) -> ActiveItem | None:
    """See `Active.named`."""
    terms = {
        "type": observable.type,
        "value": observable.value,
        "audiences": json.dumps(audiences),
        "exercise": int(exercise),
        "now_us": now_us,
        "from_us": now_us,
    }
    rows = sorted(item_rows(db.execute(NAMED, terms).fetchone()[0]))
    return together(rows) if rows else None


def rest_of(
    db: sqlite3.Connection, terms: dict[str, Any], sql: str = REST
) -> Iterator[NotBlockable]:
    """The parts that can become no block, in order of their objects."""
    for (text,) in db.execute(sql, terms):
        for object_id, _, _, audience, part, why, from_us, until_us in sorted(rest_rows(text)):
            yield NotBlockable(object_id, audience, part, why, from_us, until_us)


def standings(
    db: sqlite3.Connection, object_id: str, audiences: Collection[int]
) -> tuple[Standing, ...]:
    """See `Active.items_of`."""
    latest: dict[tuple[str, int], Row] = {}
    for row in itertools.starmap(
        Row, db.execute("SELECT * FROM objects WHERE object_id = ?", (object_id,))
    ):
        key = (row.origin, row.exercise)
        if row.audience in audiences and (key not in latest or _rank(row) > _rank(latest[key])):
            latest[key] = row
    return tuple([_standing(db, latest[key]) for key in sorted(latest)])


def _standing(db: sqlite3.Connection, row: Row) -> Standing:
    items = db.execute(
        "SELECT type, value FROM items WHERE position = ? ORDER BY type, value", (row.position,)
    )
    rest = db.execute(
        "SELECT text, why FROM rest WHERE position = ? ORDER BY number", (row.position,)
    )
    return Standing(
        object_id=row.object_id,
        origin=row.origin,
        position=row.position,
        audience=row.audience,
        exercise=bool(row.exercise),
        version_us=row.version_us,
        valid_from_us=row.valid_from_us,
        valid_until_us=row.valid_until_us,
        out=_out(row),
        items=tuple(itertools.starmap(Observable, items)),
        rest=tuple(itertools.starmap(Rest, rest)),
    )


def _out(row: Row) -> str:
    if row.withdrawn:
        return "withdrawn"
    if row.revoked:
        return "revoked"
    if row.out:
        return "unread"
    return "informs" if row.informs else ""


def _rank(row: Row) -> tuple[bool, int, int, int]:
    """Told before withdrawn, then the later version, then the revoked, then the later entry."""
    return (not row.withdrawn, row.version_us, row.revoked, row.position)

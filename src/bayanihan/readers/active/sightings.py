"""Sightings: when an indicator was last seen at work, as each audience was told.

A sighting keeps a value from fading, for those who are told of the sighting and for nobody
else. One with `count` 0 says that nothing was seen, and one that is revoked says nothing.

Source: STIX 2.1 section 5.2.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

import msgspec

from bayanihan.core import moment
from bayanihan.ledger import Entry


class _Sighting(msgspec.Struct, gc=False):
    sighting_of_ref: str
    last_seen: str | None = None
    count: int = 1
    revoked: bool = False


_decode = msgspec.json.Decoder(_Sighting).decode


def keep(db: sqlite3.Connection, entry: Entry, body: bytes | None) -> list[str]:
    """Take an entry about a sighting in, inside the caller's transaction; of which objects."""
    header = entry.header
    place = (entry.object_id, header.audience, int(header.exercise))
    if header.kind != "object":
        gone = db.execute(
            "DELETE FROM sightings WHERE sighting_id = ? AND audience = ? AND exercise = ?"
            " RETURNING object_id",
            place,
        )
        return [object_id for (object_id,) in gone]
    found = _read(body)
    if found is None or found.revoked or not found.count:
        return []
    last_us = moment.parse(found.last_seen) if found.last_seen else None
    # Nobody sees the future: a later time is the one at which it was told.
    seen_us = min(header.stamp_us, header.stamp_us if last_us is None else last_us)
    row = (header.position, found.sighting_of_ref, *place[1:], entry.object_id, seen_us)
    db.execute("INSERT INTO sightings VALUES (?, ?, ?, ?, ?, ?)", row)
    return [found.sighting_of_ref]


def _read(body: bytes | None) -> _Sighting | None:
    try:
        return _decode(body) if body is not None else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def read_seen(
    db: sqlite3.Connection, object_ids: Sequence[str], audiences: Sequence[int], *, exercise: bool
) -> int:
    """See `Active.seen`."""
    found = db.execute(
        "SELECT max(seen_us) FROM sightings WHERE object_id IN (SELECT value FROM json_each(?))"
        " AND audience IN (SELECT value FROM json_each(?)) AND exercise = ?",
        (json.dumps(list(object_ids)), json.dumps(list(audiences)), int(exercise)),
    ).fetchone()
    return int(found[0] or 0)

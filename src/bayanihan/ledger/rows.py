"""The columns of an entry's row, as every engine keeps them, and the entry of a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bayanihan.ledger.entry import KIND_NUMBER, KINDS, Entry, Header
from bayanihan.ledger.store import Where

HASH_SIZE_BYTES = 32

COLUMNS = (
    "position, stamp, kind, audience, exercise, leaf, author, origin, collection, object_id,"
    " version, original, salt, digest, size, body"
)
# The columns of an Entry, in its order; the body is read apart.
ENTRY_COLUMNS = (
    "position, stamp, kind, audience, exercise, leaf, author, origin, collection, object_id,"
    " version, original, digest, size"
)


def entry_of(row: Sequence[Any]) -> Entry:
    """The entry of one row of `ENTRY_COLUMNS`."""
    header = Header(row[0], row[1], KINDS[row[2]], row[3], bool(row[4]), row[5])
    if row[6] is None:
        return Entry(header, "", "", "", "", 0, b"", b"", 0, erased=True)
    return Entry(header, row[6], row[7], row[8], row[9], row[10], row[11], row[12], row[13])


def entry_of_columns(row: Sequence[Any]) -> tuple[Entry, bytes]:
    """The entry and the salt of one row of `COLUMNS`; the salt is empty once erased."""
    return entry_of((*row[:12], *row[13:15])), row[12] or b""


# Every row of a page begins with these six; an entry's columns follow where they are wanted.
BODY_COLUMNS = "position, stamp, size, body, audience, kind"
ITEM_COLUMNS = f"{BODY_COLUMNS}, {ENTRY_COLUMNS}"


def only(where: Where) -> str:
    """The kinds and the exercise flag that are asked for, as a condition."""
    kinds = ",".join(str(KIND_NUMBER[kind]) for kind in where.kinds)
    exercise = "" if where.exercise is None else f" AND exercise = {int(where.exercise)}"
    return f" AND kind IN ({kinds}){exercise}"

"""What is kept of each entry on the shelves, and what entries do to it: a batch at a time.

A row is one object entry that stands: neither withdrawn nor erased. Rows of one object
that differ in origin, audience or facts form groups; whoever sees one row of a group sees
all of it, so that the latest of each group is known without asking who reads. Only where
an object has several groups (`mixed`) must the reader's rights decide among them.

The line of a row says in which index it stands: the latest of its group, its first, or
between the two. A page of latest versions therefore never steps over older ones.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec

from bayanihan.ledger import Entry
from bayanihan.readers.taxii.facts import Facts
from bayanihan.readers.taxii.question import Question

LATEST, OLDEST, BETWEEN = 0, 1, 2

SCHEMA = """
CREATE TABLE rows (
    position INTEGER PRIMARY KEY, stamp INTEGER NOT NULL, key INTEGER NOT NULL,
    exercise INTEGER NOT NULL, origin TEXT NOT NULL, audience INTEGER NOT NULL,
    shelf TEXT NOT NULL, version INTEGER NOT NULL, own INTEGER NOT NULL,
    digest INTEGER NOT NULL, revoked INTEGER NOT NULL, first INTEGER NOT NULL,
    line INTEGER NOT NULL, mixed INTEGER NOT NULL
) STRICT;
CREATE INDEX rows_same ON rows (key);
CREATE INDEX rows_seen ON rows (line, exercise, shelf, audience, position, mixed);
"""

_COLUMNS = (
    "position, stamp, key, exercise, origin, audience, shelf, version, own, digest, revoked,"
    " first, line, mixed"
)
_FIND = (
    f"SELECT json_group_array(json_array({_COLUMNS})) FROM rows"
    " WHERE key IN (SELECT value FROM json_each(?)) AND line < ?"
)
_ROWS_PER_STATEMENT = 64
_EVERY_LINE = BETWEEN + 1

Place = tuple[int, int, str, int]
"""Where an index entry stands: line, exercise, shelf, audience."""


class Found(NamedTuple):
    """A row that may be shown; of a mixed object the reader's rights decide."""

    position: int
    stamp_us: int
    key: int
    mixed: int
    first: int
    line: int
    version_us: int


class Row(msgspec.Struct, array_like=True, gc=False):
    """One standing object entry; the columns of `rows` in order.

    `shelf` is what questions ask of it, see `shelf_of`; `own` says that the version is the
    object's own and not merely its stamp.
    """

    position: int
    stamp_us: int
    key: int
    exercise: int
    origin: str
    audience: int
    shelf: str
    version_us: int
    own: int
    digest: int
    revoked: int
    first: int = 1
    line: int = LATEST
    mixed: int = 0

    @property
    def found(self) -> Found:
        """The row as a look-up gives it."""
        return Found(
            *(self.position, self.stamp_us, self.key, self.mixed),
            *(self.first, self.line, self.version_us),
        )

    @property
    def group(self) -> tuple[str, int, str]:
        """What rows have in common that are all seen, and all asked for, or none."""
        return self.origin, self.audience, self.shelf

    @property
    def place(self) -> Place:
        """Where the row stands in the index."""
        return self.line, self.exercise, self.shelf, self.audience


_rows = msgspec.json.Decoder(list[Row]).decode
_Key = tuple[int, int]


def shelf_of(facts: Facts, home: str) -> str:
    """What questions ask of an object, in one text: type, vector, consumers and home."""
    return f"{facts.type}/{facts.vector}/{facts.consumers}/{home}"


@lru_cache(maxsize=4_096)
def asks(question: Question, shelf: str) -> bool:
    """Whether a question asks for what stands on a shelf."""
    kind, vector, consumers, home = shelf.split("/", 3)
    return question.asks(kind, vector, int(consumers), home)


def key_of(object_id: str) -> int:
    """The 64-bit number under which an object's rows are found; ids are checked beside it."""
    digest = hashlib.blake2b(object_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def row_of(entry: Entry, facts: Facts) -> Row:
    """The row of an object entry, not yet on a line."""
    header = entry.header
    version_us, own = entry.version_us, entry.version_us != header.stamp_us
    if not own and facts.created_us is not None:
        version_us, own = facts.created_us, True
    return Row(
        header.position,
        header.stamp_us,
        key_of(entry.object_id),
        int(header.exercise),
        entry.origin,
        header.audience,
        shelf_of(facts, entry.collection),
        version_us,
        int(own),
        int.from_bytes(entry.digest[:8], "big", signed=True),
        int(facts.revoked),
    )


def put_on_lines(rows: Sequence[Row]) -> None:
    """Set the line of each row of one object, real or exercise: `first`, `line`, `mixed`.

    Of rows that lie between, all but the given ones may be left out: no new row brings
    them back. In a mixed object what has no version of its own stays on the latest line,
    as how old it is depends on what else the reader sees.
    """
    if len(rows) == 1:
        rows[0].first, rows[0].line, rows[0].mixed = 1, LATEST, 0
        return
    groups: dict[tuple[str, int, str], list[Row]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    mixed = int(len(groups) > 1)
    for group in groups.values():
        versions = [row.version_us for row in group]
        low, high = min(versions), max(versions)
        for row in group:
            unsure = mixed and not row.own
            row.mixed = mixed
            row.first = int(unsure or row.version_us == low)
            latest = unsure or row.version_us == high
            row.line = LATEST if latest else OLDEST if row.first else BETWEEN


class Batch:
    """The entries of one transaction: `add` each in order, then `write` them.

    Args:
        is_erased: whether the entry at a position has been erased by now.
    """

    def __init__(self, is_erased: Callable[[int], bool]) -> None:
        self._is_erased = is_erased
        self._entries: list[tuple[Entry, Row | None]] = []
        self._rows: dict[_Key, list[Row]] = {}
        self._stored: dict[int, Row] = {}
        self._whole: set[int] = set()
        self.fresh: list[Row] = []

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: Entry, facts: Facts | None) -> None:
        """One entry; `facts` is None where it takes something back."""
        self._entries.append((entry, None if facts is None else row_of(entry, facts)))

    def write(self, db: sqlite3.Connection) -> None:
        """Take the entries in and write what is different, inside the caller's transaction."""
        taking = {key_of(entry.object_id) for entry, row in self._entries if row is None}
        keys = taking | {row.key for _, row in self._entries if row is not None}
        self._load(db, keys - taking, BETWEEN)
        self._load(db, taking, _EVERY_LINE)
        for entry, row in self._entries:
            if row is not None:
                self._rows.setdefault((row.key, row.exercise), []).append(row)
            else:
                self._take_back(entry)
        self._load_mixed(db)
        for rows in self._rows.values():
            put_on_lines(rows)
        self._write(db)

    def _load(self, db: sqlite3.Connection, keys: Iterable[int], below: int) -> None:
        listed = list(keys)
        if not listed:
            return
        for row in _rows(db.execute(_FIND, (json.dumps(listed), below)).fetchone()[0]):
            if row.position not in self._stored:
                self._rows.setdefault((row.key, row.exercise), []).append(row)
                self._stored[row.position] = msgspec.structs.replace(row)
        if below == _EVERY_LINE:
            self._whole.update(listed)

    def _load_mixed(self, db: sqlite3.Connection) -> None:
        """The rows between, of objects that have just got a second group."""
        turned = {
            key
            for (key, _), rows in self._rows.items()
            if key not in self._whole and any(row.position in self._stored for row in rows)
            if len({row.group for row in rows}) > 1
            if not all(row.mixed for row in rows if row.position in self._stored)
        }
        self._load(db, turned, _EVERY_LINE)

    def _take_back(self, entry: Entry) -> None:
        exercise = int(entry.header.exercise)
        same = self._rows.get((key_of(entry.object_id), exercise), [])
        for row in list(same):
            if (row.origin, row.audience) != (entry.origin, entry.header.audience):
                continue
            if entry.header.kind == "erased":
                gone = self._is_erased(row.position)
            else:
                gone = not row.revoked
            if gone:
                same.remove(row)

    def _write(self, db: sqlite3.Connection) -> None:
        now = {row.position: row for rows in self._rows.values() for row in rows}
        gone = [at for at, row in self._stored.items() if now.get(at) != row]
        if gone:
            db.execute(
                "DELETE FROM rows WHERE position IN (SELECT value FROM json_each(?))",
                (json.dumps(gone),),
            )
        self.fresh = [row for at, row in now.items() if self._stored.get(at) != row]
        for start in range(0, len(self.fresh), _ROWS_PER_STATEMENT):
            part = self.fresh[start : start + _ROWS_PER_STATEMENT]
            values = [value for row in part for value in msgspec.structs.astuple(row)]
            line = "(" + ",".join("?" * len(Row.__struct_fields__)) + ")"
            db.execute("INSERT INTO rows VALUES " + ",".join([line] * len(part)), values)

"""The SQLite store: one file, one writing connection, one reading connection a thread.

The table is append-only; the only update is an erasure. No index but the one over
(audience, kind, exercise, position) lies on the insert path, and that one grows at a few
right edges. Erased entries leave it, so that readers need not step over them.
"""

from __future__ import annotations

import contextlib
import functools
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bayanihan.core.marking import Audience
from bayanihan.core.merkle import TILE_WIDTH, Frontier, peaks_of
from bayanihan.errors import Broken
from bayanihan.ledger.connections import ThreadConnections
from bayanihan.ledger.engine import Row, Turn, node_of
from bayanihan.ledger.entry import KINDS, Entry
from bayanihan.ledger.identity import Identity
from bayanihan.ledger.rows import COLUMNS, ENTRY_COLUMNS, entry_of
from bayanihan.ledger.sqlite_documents import SqliteDocuments
from bayanihan.ledger.sqlite_paging import SqlitePaging
from bayanihan.ledger.wal import WalFolder

SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE audiences (id INTEGER PRIMARY KEY, definition BLOB NOT NULL UNIQUE) STRICT;
CREATE TABLE entries (
    position INTEGER PRIMARY KEY, stamp INTEGER NOT NULL, kind INTEGER NOT NULL,
    audience INTEGER NOT NULL, exercise INTEGER NOT NULL, leaf BLOB NOT NULL,
    author TEXT, origin TEXT, collection TEXT, object_id TEXT, version INTEGER,
    original BLOB, salt BLOB, digest BLOB, size INTEGER NOT NULL, body BLOB
) STRICT;
CREATE INDEX entries_seen ON entries (audience, kind, exercise, position)
    WHERE author IS NOT NULL;
CREATE INDEX entries_kind ON entries (kind, position) WHERE kind <> 0;
CREATE INDEX entries_erased ON entries (position) WHERE author IS NULL;
CREATE TABLE tiles (
    level INTEGER, number INTEGER, hashes BLOB NOT NULL, PRIMARY KEY (level, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE state (
    room TEXT, key TEXT, version INTEGER NOT NULL, value BLOB NOT NULL, PRIMARY KEY (room, key)
) STRICT, WITHOUT ROWID;
"""

# SQLite uses the partial index only where its condition is repeated word for word.
_OF_KIND = "FROM entries INDEXED BY entries_kind WHERE kind <> 0 AND kind ="
_WIDTH = COLUMNS.count(",") + 1
_ROWS_PER_STATEMENT = 200
# The writer keeps the right edges of its trees; a reader's pages are in the system's cache.
_WRITER_CACHE_KIB = 65_536
_READER_CACHE_KIB = 8_192
FOLD_BACK_BYTES = 64 * 1024 * 1024


def _insert(rows: int) -> str:
    row = "(" + ",".join("?" * _WIDTH) + ")"
    return f"INSERT INTO entries ({COLUMNS}) VALUES " + ",".join([row] * rows)


_INSERT_MANY = _insert(_ROWS_PER_STATEMENT)


class SqliteStore:
    """Rows, tiles, audiences and metadata in one SQLite file.

    Args:
        path: the file; made with its schema, readable by its owner alone, when absent.
        read_only: for `verify` beside a running hub: nothing is made or changed.

    Raises:
        Broken: `data-newer` when a later version of this software wrote the file;
            `record-damaged` when it is no ledger at all.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._read_only = read_only
        self._connections: list[sqlite3.Connection] = []
        self._connections_lock = threading.Lock()
        self.readers = ThreadConnections(lambda: self._connect(_READER_CACHE_KIB))
        self._audiences: list[Audience] = []
        self._audiences_grown = 1
        self._audiences_read = 0
        self._audiences_lock = threading.Lock()
        self._wal: WalFolder | None = None
        self._unfolded_bytes = 0
        self.documents = SqliteDocuments(lambda: self.reading, lambda: self.writing)
        self.paging = SqlitePaging(lambda: self.reading)
        try:
            if not read_only:
                path.touch(mode=0o600)
                self.writing = self._connect(_WRITER_CACHE_KIB)
                self._connections.append(self.writing)
                self.writing.execute("PRAGMA wal_autocheckpoint = 0")
                self._create()
            self._check_version()
        except sqlite3.DatabaseError as error:
            self.close()
            raise Broken("record-damaged", f"{path.name} cannot be read: {error}") from error

    def _connect(self, cache_kib: int) -> sqlite3.Connection:
        mode = "ro" if self._read_only else "rw"
        connection = sqlite3.connect(
            f"{self.path.resolve().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute("PRAGMA busy_timeout = 10000")
        connection.execute(f"PRAGMA cache_size = -{cache_kib}")
        if not self._read_only:
            connection.execute("PRAGMA page_size = 8192")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA secure_delete = ON")
        return connection

    def _create(self) -> None:
        have = self.writing.execute("SELECT name FROM sqlite_master WHERE name = 'meta'").fetchone()
        if have:
            return
        with self.transaction():
            for statement in filter(str.strip, _SCHEMA.split(";")):
                self.writing.execute(statement)
            fresh = {
                "schema": b"%d" % SCHEMA_VERSION,
                "epoch": secrets.token_bytes(8),
                "cursor-key": secrets.token_bytes(32),
                "identity-key": secrets.token_bytes(32),
            }
            self.writing.executemany("INSERT INTO meta VALUES (?, ?)", fresh.items())

    def _check_version(self) -> None:
        version = int(self.meta("schema"))
        if version > SCHEMA_VERSION:
            raise Broken("data-newer", f"{self.path.name} has format {version}")

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Turn | None]:
        """One durable, all-or-nothing change by the writing connection.

        Nobody else writes to the file, so nobody's turn is given: see `Store`.
        """
        if self.writing.in_transaction:  # a rollback that failed is made up for
            self.writing.execute("ROLLBACK")
        self.writing.execute("BEGIN IMMEDIATE")
        try:
            yield None
            self.writing.execute("COMMIT")
        except BaseException:
            if self.writing.in_transaction:
                self.writing.execute("ROLLBACK")
            raise

    @property
    def reading(self) -> sqlite3.Connection:
        """This thread's reading connection. Raises `Unavailable("stopping")` once closed."""
        return self.readers.get()

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def now_us(self) -> None:
        """This machine's clock counts."""

    @property
    def confirmed_s(self) -> None:
        """Nobody else writes."""

    def start(self, advance: Callable[[Turn], None]) -> None:
        """Begin to fold the WAL back. Nobody else writes, so `advance` is never called."""
        connection = self._connect(_READER_CACHE_KIB)
        with self._connections_lock:
            self._connections.append(connection)
        self._wal = WalFolder(connection)
        self._wal.start()

    def identities(self, folder: Path, recent_limit: int | None) -> Identity:
        """The sorted runs beside the file."""
        index = _index_folder(folder, self.meta("epoch"))
        return Identity(index, self.meta("identity-key"), recent_limit=recent_limit)

    def copy_to(self, path: Path) -> None:
        """Write one moment of the whole store into a new file, beside whoever writes."""
        with contextlib.closing(self._connect(_READER_CACHE_KIB)) as connection:
            connection.execute("VACUUM INTO ?", (str(path),))

    def close(self) -> None:
        """Close every connection; the last one folds the WAL into the file."""
        if self._wal:
            self._wal.stop()
        self.readers.close()
        with self._connections_lock:
            for connection in self._connections:
                connection.close()
            self._connections.clear()

    def meta(self, name: str) -> bytes:
        """A fixed value of this ledger, such as its epoch."""
        row = self.reading.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise Broken("record-damaged", f"{self.path.name} has no {name}")
        return bytes(row[0])

    def claim_meta(self, name: str, value: bytes) -> bytes:
        """Write a fixed value unless there is one; what stands now."""
        with self.transaction():
            self.writing.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (name, value))
        return self.meta(name)

    def set_meta(self, name: str, value: bytes) -> None:
        """Write a fixed value, durably, on a ledger that nobody else has open."""
        with self.transaction():
            self.writing.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))
        self.writing.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    # entries

    def insert(
        self, rows: Sequence[tuple[Any, ...]], indexed: Sequence[tuple[int, int, int]] = ()
    ) -> None:
        """Add rows of `COLUMNS`, many to a statement so that the interpreter is left alone.

        `indexed` is kept by the sorted runs beside the file.
        """
        at = 0
        while len(rows) - at >= _ROWS_PER_STATEMENT:
            part = rows[at : at + _ROWS_PER_STATEMENT]
            self.writing.execute(_INSERT_MANY, [value for row in part for value in row])
            at += _ROWS_PER_STATEMENT
        if at < len(rows):
            part = rows[at:]
            self.writing.execute(_insert(len(part)), [value for row in part for value in row])

    def erase(self, positions: Sequence[int]) -> None:
        """Empty the erasable part of entries, inside the writer's transaction."""
        self.writing.executemany(
            "UPDATE entries SET author = NULL, origin = NULL, collection = NULL,"
            " object_id = NULL, version = NULL, original = NULL, salt = NULL, digest = NULL,"
            " size = 0, body = NULL WHERE position = ?",
            [(position,) for position in positions],
        )

    def keep_place(self, position: int, stamp_us: int, frontier: Frontier) -> None:
        """Nothing: the last row says where the record stands."""

    def settled(self, written_bytes: int) -> None:
        """Finish what the WAL folder began, between batches, so that the WAL starts over."""
        self._unfolded_bytes += written_bytes
        if self._unfolded_bytes > FOLD_BACK_BYTES:
            self._unfolded_bytes = 0
            self.writing.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def swept(self, positions: Sequence[int], timeout_s: float) -> bool:
        """Empty the WAL; what was erased in the file was overwritten there."""
        return self._wal is None or self._wal.empty(timeout_s)

    def holds(self, position: int, leaf: bytes) -> bool:
        """Whether this very entry was committed."""
        row = self.row(position)
        return row is not None and row[5] == leaf

    def turn(self) -> None:
        """This process writes alone."""

    def last(self) -> tuple[int, int]:
        """The highest position and its stamp; (0, 0) when the ledger is empty."""
        row = self.reading.execute(
            "SELECT position, stamp FROM entries ORDER BY position DESC LIMIT 1"
        ).fetchone()
        return (row[0], row[1]) if row else (0, 0)

    def entry(self, position: int) -> Entry | None:
        """The entry at a position, whoever may see it."""
        row = self.reading.execute(
            f"SELECT {ENTRY_COLUMNS} FROM entries WHERE position = ?", (position,)
        ).fetchone()
        return entry_of(row) if row else None

    def body(self, position: int) -> bytes | None:
        """The exact bytes at a position, None when erased or absent."""
        row = self.reading.execute(
            "SELECT body FROM entries WHERE position = ?", (position,)
        ).fetchone()
        return row[0] if row else None

    def scan(
        self, after: int, limit: int, kinds: Iterable[str] = ()
    ) -> list[tuple[Entry, bytes | None]]:
        """Entries with bodies in order, whoever may see them: for projections and `verify`."""
        rows = self.reading.execute(_scanning(frozenset(kinds)), (after, limit))
        return [(entry_of(row), row[14]) for row in rows]

    def rows(self, after: int = 0) -> Iterator[Row]:
        """Every row of `COLUMNS` after a position, in order, as it is read."""
        find = f"SELECT {COLUMNS} FROM entries WHERE position > ? ORDER BY position"
        yield from self.reading.execute(find, (after,))

    def facts(self, after: int, limit: int) -> list[Row]:
        """Rows of `ENTRY_COLUMNS` after a position, in order, whoever may see them."""
        find = f"SELECT {ENTRY_COLUMNS} FROM entries WHERE position > ? ORDER BY position LIMIT ?"
        return self.reading.execute(find, (after, limit)).fetchall()

    def row(self, position: int) -> Row | None:
        """One row of `COLUMNS`."""
        find = f"SELECT {COLUMNS} FROM entries WHERE position = ?"
        row: Row | None = self.reading.execute(find, (position,)).fetchone()
        return row

    def newest_between(self, after: int, end: int) -> dict[int, int]:
        """Of each audience that has entries after `after` up to `end`: its newest position."""
        rows = self.reading.execute(
            "SELECT audience, max(position) FROM entries WHERE position > ? AND position <= ?"
            " GROUP BY audience",
            (after, end),
        )
        return dict(rows.fetchall())

    def erased(self) -> list[tuple[int, bytes]]:
        """Position and leaf of every erased entry."""
        find = "SELECT position, leaf FROM entries WHERE author IS NULL"
        return self.reading.execute(find).fetchall()

    def withdrawals(self) -> list[tuple[int, bytes]]:
        """Position and leaf of every withdrawal that is not erased."""
        find = f"SELECT position, leaf {_OF_KIND} 1 AND author IS NOT NULL"
        return self.reading.execute(find).fetchall()

    def aged(self, audience: int, after: int, until: int, limit: int) -> list[int]:
        """Positions of an audience's objects after `after` up to `until`, ascending."""
        rows = self.reading.execute(
            "SELECT position FROM entries WHERE audience = ? AND kind = 0 AND position > ?"
            " AND position <= ? AND author IS NOT NULL ORDER BY position LIMIT ?",
            (audience, after, until, limit),
        )
        return [position for (position,) in rows]

    def position_at(self, stamp_us: int) -> int:
        """The last position stamped at or before `stamp_us`, by bisection over positions."""
        low, high = 0, self.last()[0]
        find = "SELECT stamp FROM entries WHERE position = ?"
        while low < high:
            middle = (low + high + 1) // 2
            row = self.reading.execute(find, (middle,)).fetchone()
            if row is None:
                raise Broken("record-damaged", f"Position {middle} is missing")
            if row[0] <= stamp_us:
                low = middle
            else:
                high = middle - 1
        return low

    # audiences

    def audiences(self) -> list[Audience]:
        """Every audience there is; its id is its place in the list plus one.

        Kept in memory: in a hub's own process the writer says when there are more. A store
        opened read-only may stand beside another process's writer, and asks each time.
        """
        if self._read_only or self._audiences_read != self._audiences_grown:
            with self._audiences_lock:
                grown = self._audiences_grown
                self._audiences = self._audiences + self._audiences_after(len(self._audiences))
                self._audiences_read = grown  # last: until then all others wait for it
        return self._audiences

    def _audiences_after(self, number: int) -> list[Audience]:
        rows = self.reading.execute(
            "SELECT definition FROM audiences WHERE id > ? ORDER BY id", (number,)
        ).fetchall()
        return [msgspec.json.decode(row[0], type=Audience) for row in rows]

    def audiences_grew(self) -> None:
        """The writer has committed more audiences."""
        self._audiences_grown += 1

    def insert_audience(self, number: int, audience: Audience) -> None:
        """Intern an audience, inside the writer's transaction."""
        definition = msgspec.json.encode(audience)
        self.writing.execute("INSERT INTO audiences VALUES (?, ?)", (number, definition))

    # the tree

    def put_tile(self, level: int, number: int, hashes: bytes) -> None:
        """Store a tile: complete at level 0, at its present width above."""
        self.writing.execute(
            "INSERT OR REPLACE INTO tiles VALUES (?, ?, ?)", (level, number, hashes)
        )

    def tile(self, level: int, number: int) -> bytes:
        """The hashes of a tile so far; the incomplete one of level 0 comes from the leaves."""
        row = self.reading.execute(
            "SELECT hashes FROM tiles WHERE level = ? AND number = ?", (level, number)
        ).fetchone()
        if row:
            return bytes(row[0])
        if level:
            return b""
        first = number * TILE_WIDTH
        leaves = self.reading.execute(
            "SELECT leaf FROM entries WHERE position > ? AND position <= ? ORDER BY position",
            (first, first + TILE_WIDTH),
        )
        return b"".join(leaf for (leaf,) in leaves)

    def upper_tiles(self) -> dict[tuple[int, int], bytes]:
        """Every stored tile above level 0, by (level, number)."""
        rows = self.reading.execute("SELECT level, number, hashes FROM tiles WHERE level > 0")
        return {(level, number): bytes(hashes) for level, number, hashes in rows}

    def node(self, level: int, index: int) -> bytes:
        """The root of the perfect subtree (level, index): `bayanihan.core.merkle.Node`."""
        return node_of(self.tile, level, index)

    def frontier(self) -> Frontier:
        """The tree's right edge, for the writer to go on from."""
        size = self.last()[0]
        return Frontier(size, peaks_of(size, self.node))


@functools.cache
def _scanning(kinds: frozenset[str]) -> str:
    """The question of `scan`: rare kinds by their index, merged in order; else by position."""
    columns = f"SELECT {ENTRY_COLUMNS}, body"
    numbers = sorted(KINDS.index(kind) for kind in kinds)
    if numbers and 0 not in numbers:
        found = " UNION ALL ".join(
            f"{columns} {_OF_KIND} {number} AND position > ?1" for number in numbers
        )
    else:
        only = f" AND kind IN ({','.join(map(str, numbers))})" if numbers else ""
        found = f"{columns} FROM entries WHERE position > ?1{only}"
    return f"{found} ORDER BY position LIMIT ?2"


def _index_folder(folder: Path, epoch: bytes) -> Path:
    """Where this history's indexes lie; those of an earlier one are removed."""
    index = folder / "index"
    index.mkdir(exist_ok=True)
    index.chmod(0o700)
    for stale in index.glob("*/*/*.run"):
        if stale.parts[-3] != epoch.hex():
            stale.unlink()
    return index / epoch.hex()

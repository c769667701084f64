"""Projections: state folded from entries, in a local file that may be thrown away.

A projection saves what it folded and the position it stands at in one transaction, so it
resumes where it stopped after any crash. A file of another epoch, another version, or
ahead of the ledger is deleted and folded again from the start.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bayanihan.errors import Broken
from bayanihan.ledger.connections import ThreadConnections
from bayanihan.ledger.entry import Entry

Scan = Callable[[int, int, Sequence[str]], list[tuple[Entry, bytes | None]]]

logger = logging.getLogger(__name__)

FOLD_LIMIT = 256
_BUSY_TIMEOUT_MS = 10_000


class Projection:
    """Base class. A projection names itself, its version, its tables and its fold.

    Class attributes:
        name: the file's stem and the metric's label.
        version: raised whenever `schema` or `fold` changes meaning.
        kinds: the kinds of entry it folds; () means all of them.
        schema: SQL that makes its tables.
        cache_kib: how much of the file the fold keeps in memory, in KiB; 0 for SQLite's own.

    Args:
        folder: where the file lives; None keeps the projection in memory.
        epoch: the ledger's epoch.
        length: the ledger's last position.
        read_only: open the file as it stands at this moment, for the checker.
    """

    name = ""
    version = 1
    kinds: tuple[str, ...] = ()
    schema = ""
    cache_kib = 0

    def __init__(
        self, folder: Path | None, epoch: bytes, length: int = 0, *, read_only: bool = False
    ) -> None:
        self._path = folder / f"{self.name}.db" if folder else None
        self._read_only = read_only
        self._readers = ThreadConnections(self._connect)
        self._mark = f"{epoch.hex()}/{self.version}"
        if self._path and not read_only and not self._usable(self._path, length):
            for suffix in ("", "-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        if self._path and not read_only:
            _keep_private(self._path)
        self.db = self._connect()
        if self.cache_kib:
            self.db.execute(f"PRAGMA cache_size = -{self.cache_kib}")
        # What a commit still owes: see `_follow_up`.
        self._untold = self._unemptied = self._held_up = False
        self.position = self._open()
        self.loaded()

    def _usable(self, path: Path, length: int) -> bool:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            return False
        try:
            with contextlib.closing(sqlite3.connect(path)) as db:
                row = db.execute("SELECT mark, position FROM progress").fetchone()
            return bool(row) and row[0] == self._mark and int(row[1]) <= length
        except (sqlite3.DatabaseError, ValueError, TypeError):
            return False

    @classmethod
    def exists(cls, folder: Path) -> bool:
        """Whether the projection has a file in a folder."""
        return (folder / f"{cls.name}.db").exists()

    def _connect(self) -> sqlite3.Connection:
        if self._path and self._read_only:
            return self._connect_to_snapshot(self._path)
        db = sqlite3.connect(
            self._path or ":memory:", isolation_level=None, check_same_thread=False
        )
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
        db.execute("PRAGMA secure_delete = ON")
        return db

    def _connect_to_snapshot(self, path: Path) -> sqlite3.Connection:
        """One moment of the file, while the hub may go on folding into it."""
        db = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
        )
        db.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
        db.execute("BEGIN")
        return db

    def _open(self) -> int:
        found = self.db.execute("SELECT 1 FROM sqlite_master WHERE name = 'progress'").fetchone()
        if not found and not self._read_only:
            with self._transaction():
                self.db.execute("CREATE TABLE progress (mark TEXT, position INTEGER)")
                self.db.execute("INSERT INTO progress VALUES (?, 0)", (self._mark,))
                for statement in filter(str.strip, self.schema.split(";")):
                    self.db.execute(statement)
        mark, position = self.db.execute("SELECT mark, position FROM progress").fetchone()
        if mark != self._mark:
            raise Broken(
                "record-damaged",
                f"The projection {self.name!r} is of another history or version",
                next_step="Start the hub: it is folded anew.",
            )
        return int(position)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.db.execute("COMMIT")
        except BaseException:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            raise

    @property
    def reading(self) -> sqlite3.Connection:
        """This thread's own connection, for look-ups beside the fold."""
        if self._path is None or self._read_only:
            return self.db
        return self._readers.get()

    def loaded(self) -> None:
        """Called once when the file is open: fill what is kept in memory besides."""

    def fold(self, entry: Entry, body: bytes | None) -> None:
        """Take one entry into `self.db`. `body` is None where it was erased."""
        raise Broken("internal", f"The projection {self.name!r} folds nothing")

    def begun(self) -> None:
        """Called as each transaction begins: forget what one that failed had put aside."""

    def gathered(self) -> None:
        """Called before each commit: write what `fold` put aside, in the best order for that."""

    def folded(self) -> None:
        """Called after each commit of folded entries: refresh what is kept in memory."""

    def catch_up(self, scan: Scan, length: int, limit: int = FOLD_LIMIT) -> bool:
        """Fold up to `limit` entries in one transaction; whether more are waiting.

        Args:
            scan: reads entries of given kinds after a position, in order.
            length: the ledger's last position when the caller last looked.
            limit: how many entries one transaction folds.
        """
        self._follow_up()
        if self.position >= length:
            return False
        page = scan(self.position, limit, self.kinds)
        reached = page[-1][0].position if len(page) == limit else length
        with self._transaction():
            self.begun()
            for entry, body in page:
                if entry.position <= reached:
                    self.fold(entry, body)
            self.gathered()
            self.db.execute("UPDATE progress SET position = ?", (reached,))
        self.position, self._untold = reached, True
        if any(entry.header.kind == "erased" for entry, _ in page) and self._path:
            # What the erasure took out must not live on in the write-ahead log.
            self._unemptied = True
        self._follow_up()
        return reached < length

    def _follow_up(self) -> None:
        """What follows a commit. Where it fails it is made up for at the next call."""
        if self._untold:
            self.folded()
            self._untold = False
        if self._unemptied:
            self._empty()

    def _empty(self) -> None:
        """Empty the write-ahead log; what a reader keeps from it is done at the next call."""
        self.db.execute("PRAGMA busy_timeout = 0")  # folding waits for no reader
        try:
            busy = self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        finally:
            self.db.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
        if busy and not self._held_up:
            logger.warning("a reader holds the log of %s; it is emptied after that", self.name)
        self._held_up = self._unemptied = bool(busy)

    def tables(self) -> list[str]:
        """The names of the projection's own tables."""
        rows = self.db.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'progress'"
            " AND name NOT LIKE 'sqlite_%' ORDER BY name"
        )
        return [name for (name,) in rows]

    def digest(self) -> str:
        """SHA-256 over all rows of all tables, whatever order they were written in."""
        state = hashlib.sha256()
        for table in self.tables():
            rows = sorted(
                repr(tuple(row)) for row in self.reading.execute(f"SELECT * FROM {table}")
            )
            state.update(repr((table, rows)).encode())
        return state.hexdigest()

    def close(self) -> None:
        """Close the file."""
        self._readers.close()
        self.db.close()


def _keep_private(path: Path) -> None:
    """Let only the owner read a projection: it holds what the ledger holds."""
    path.parent.chmod(0o700)
    path.touch()
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).chmod(0o600)

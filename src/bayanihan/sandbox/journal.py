"""The journal of a trial: what was answered, and which shard is whose, in one SQLite file.

An answer is stored once: a second one to the same question changes nothing. Answers become
durable in batches, so a killed trial asks again at most one batch a worker. A shard is leased;
when a lease runs out, another worker takes what is left of the shard.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from bayanihan.errors import Refused, Unavailable

SHARD_ITEMS = 512
LEASE_S = 60.0

_TABLES = """
CREATE TABLE IF NOT EXISTS plan (document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS answers (
    contestant INTEGER, place INTEGER, verdict TEXT NOT NULL, latency_us INTEGER, fault TEXT,
    PRIMARY KEY (contestant, place)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shards (
    contestant INTEGER, first INTEGER, last INTEGER, holder TEXT NOT NULL DEFAULT '',
    until REAL NOT NULL DEFAULT 0, done INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (contestant, first)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS again (place INTEGER PRIMARY KEY, verdict TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS runs (
    contestant INTEGER, cold_start_s REAL, peak_bytes INTEGER, bounded TEXT);
CREATE TABLE IF NOT EXISTS asked (contestant INTEGER, number INTEGER);
"""

# (contestant, first place, the place after its last)
Shard = tuple[int, int, int]
# (contestant, place, verdict letter, microseconds, fault)
Row = tuple[int, int, str, int | None, str | None]
# (contestant, seconds of the cold start, peak in bytes, what was bounded together)
Run = tuple[int, float, int, Sequence[str]]


def is_full(error: Exception) -> bool:
    """Whether an error says that a disk is full."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
    return code == sqlite3.SQLITE_FULL or getattr(error, "errno", 0) == errno.ENOSPC


@contextlib.contextmanager
def full_disk_told(path: Path) -> Iterator[None]:
    """Say of a full disk that it is one, and that nothing is lost.

    Args:
        path: of the journal that is written to meanwhile.

    Raises:
        Unavailable: `disk-full`.
    """
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        if not is_full(error):
            raise
        raise Unavailable(
            "disk-full",
            "The disk is full; what was answered before is kept",
            where=str(path),
            next_step="Free space there, then give the same command again: it goes on.",
        ) from None


def begun_with(path: Path) -> str:
    """The root of the corpus of a trial that was begun here; "" when there is none."""
    if not path.exists():
        return ""
    with Journal(path) as journal:
        plan = journal.plan()
    return str(plan["corpus"]) if plan else ""


def _opened(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(path, timeout=30, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_TABLES)
    except sqlite3.Error as error:
        if is_full(error):
            raise
        raise Refused(
            "cannot-write", f"The trial's journal cannot be opened: {error}", where=str(path)
        ) from None
    return connection


class Journal:
    """An open journal. Use as a context manager.

    Args:
        path: the file; made when absent.
        lease_s: how long a shard is held after each sign of life, in seconds.
        now: the time, in seconds; by the clock that other processes share.
    """

    def __init__(
        self, path: Path, *, lease_s: float = LEASE_S, now: Callable[[], float] = time.time
    ) -> None:
        self.path = path
        self._lease_s = lease_s
        self._now = now
        with full_disk_told(path):
            self._connection = _opened(path)
        self._lock: int | None = None

    def lock(self) -> None:
        """Be the one that leads this trial; what dead workers held is free again.

        Raises:
            Refused: `in-use`, another process leads it.
        """
        self._lock = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(
                "in-use", "This trial is running in another process", where=str(self.path)
            ) from None
        self.free()

    def free(self) -> None:
        """Free what workers that have ended still hold."""
        self._connection.execute("UPDATE shards SET until = 0 WHERE NOT done")

    def plan(self) -> dict[str, Any] | None:
        """What this trial is; None in a new journal."""
        row = self._connection.execute("SELECT document FROM plan").fetchone()
        return json.loads(row[0]) if row else None

    def begin(self, plan: dict[str, Any], contestants: int, items: int) -> None:
        """Write the plan and the shards of a new trial, all at once."""
        shards = [
            (contestant, first, min(first + SHARD_ITEMS, items))
            for contestant in range(contestants)
            for first in range(0, items, SHARD_ITEMS)
        ]
        with self._together():
            self._connection.execute("INSERT INTO plan VALUES (?)", (json.dumps(plan),))
            self._connection.executemany(
                "INSERT INTO shards (contestant, first, last) VALUES (?, ?, ?)", shards
            )

    def take(self, holder: str, contestant: int | None = None) -> Shard | None:
        """Lease a shard that nobody works on: (contestant, first, last); None when none is left."""
        now = self._now()
        row = self._connection.execute(
            "UPDATE shards SET holder = ?, until = ? WHERE (contestant, first) = ("
            "SELECT contestant, first FROM shards WHERE NOT done AND until < ? "
            "AND (?4 IS NULL OR contestant = ?4) ORDER BY contestant, first LIMIT 1) "
            "RETURNING contestant, first, last",
            (holder, now + self._lease_s, now, contestant),
        ).fetchone()
        return (row[0], row[1], row[2]) if row else None

    def missing(self, contestant: int, first: int, last: int) -> list[int]:
        """The places of a shard that have no answer yet."""
        held = {
            row[0]
            for row in self._connection.execute(
                "SELECT place FROM answers WHERE contestant = ? AND place >= ? AND place < ?",
                (contestant, first, last),
            )
        }
        return [place for place in range(first, last) if place not in held]

    def store(self, holder: str, shard: Shard, rows: Sequence[Row]) -> bool:
        """Make answers durable and hold the shard on; False when the lease went to another.

        Answers of a lost lease are kept all the same where there was none yet.
        """
        with self._together():
            return self._store(holder, shard, rows)

    @contextlib.contextmanager
    def _together(self) -> Iterator[None]:
        """All of it, or nothing."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            # On a full disk SQLite has taken it back already.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def _store(self, holder: str, shard: Shard, rows: Sequence[Row]) -> bool:
        contestant, first, last = shard
        self._connection.executemany("INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?)", rows)
        self._connection.execute("INSERT INTO asked VALUES (?, ?)", (contestant, len(rows)))
        self._connection.execute(
            "UPDATE shards SET until = ?, done = (SELECT count(*) FROM answers WHERE "
            "contestant = ?2 AND place >= ?3 AND place < ?4) = ?4 - ?3 "
            "WHERE contestant = ?2 AND first = ?3 AND holder = ?5",
            (self._now() + self._lease_s, contestant, first, last, holder),
        )
        mine = self._connection.execute(
            "SELECT holder = ? FROM shards WHERE contestant = ? AND first = ?",
            (holder, contestant, first),
        ).fetchone()[0]
        return bool(mine)

    def fill(self, rows: Sequence[Row], runs: Sequence[Run]) -> None:
        """Take over what was answered elsewhere; answers that are here already stay."""
        with self._together():
            self._connection.executemany(
                "INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?)", rows
            )
            for run in runs:
                self.store_run(*run)

    def store_again(self, place: int, verdict: str) -> None:
        """Keep the verdict of a fresh sandbox."""
        self._connection.execute("INSERT OR IGNORE INTO again VALUES (?, ?)", (place, verdict))

    def store_run(
        self, contestant: int, cold_start_s: float, peak_bytes: int, bounded: Sequence[str]
    ) -> None:
        """Keep what one start of a tool cost, and what bounded all its processes together."""
        self._connection.execute(
            "INSERT INTO runs VALUES (?, ?, ?, ?)",
            (contestant, cold_start_s, peak_bytes, " ".join(bounded)),
        )

    def done(self) -> int:
        """How many answers there are, of all contestants."""
        return int(self._connection.execute("SELECT count(*) FROM answers").fetchone()[0])

    def asked(self) -> int:
        """How many questions were answered in all, answers that were thrown away included."""
        return int(self._connection.execute("SELECT total(number) FROM asked").fetchone()[0])

    def verdicts(self, contestant: int) -> dict[int, str]:
        """Place -> verdict letter."""
        rows = self._connection.execute(
            "SELECT place, verdict FROM answers WHERE contestant = ?", (contestant,)
        )
        return dict(rows.fetchall())

    def latencies(self, contestant: int) -> list[int]:
        """Microseconds of every answer that came."""
        rows = self._connection.execute(
            "SELECT latency_us FROM answers WHERE contestant = ? AND latency_us IS NOT NULL",
            (contestant,),
        )
        return [row[0] for row in rows]

    def faults(self, contestant: int) -> dict[str, int]:
        """How many items had each fault."""
        rows = self._connection.execute(
            "SELECT fault, count(*) FROM answers WHERE contestant = ? AND fault IS NOT NULL "
            "GROUP BY fault ORDER BY fault",
            (contestant,),
        )
        return dict(rows.fetchall())

    def again(self) -> dict[int, str]:
        """Place -> verdict letter of a fresh sandbox."""
        return dict(self._connection.execute("SELECT place, verdict FROM again").fetchall())

    def run_cost(self, contestant: int) -> tuple[float, int]:
        """The median cold start in seconds, and the largest peak in bytes."""
        rows = self._connection.execute(
            "SELECT cold_start_s, peak_bytes FROM runs WHERE contestant = ? ORDER BY cold_start_s",
            (contestant,),
        ).fetchall()
        if not rows:
            return 0.0, 0
        return rows[len(rows) // 2][0], max(row[1] for row in rows)

    def bounded(self) -> list[str]:
        """What bounded all processes of a worker together, in every run."""
        rows = self._connection.execute("SELECT DISTINCT bounded FROM runs").fetchall()
        return sorted(set.intersection(*(set(row[0].split()) for row in rows))) if rows else []

    def remove(self) -> None:
        """Take the journal away: the result holds what it held."""
        self.close()
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file and give the lead back."""
        self._connection.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

"""The one writer: takes what is queued, numbers and stamps it, and commits it as a batch.

Durability is paid once a batch, so it costs a flood nothing and a single report one sync.
Whatever the writer holds in memory changes only after the commit, so a batch that failed
has left no trace; and after a failure memory is read from the file again, so that a commit
whose answer was lost is neither repeated nor denied.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import queue
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bayanihan.core.merkle import Frontier
from bayanihan.errors import BayanihanError, Broken, Unavailable
from bayanihan.ledger.clock import Clock, WriterClock
from bayanihan.ledger.entry import Draft
from bayanihan.ledger.gaps import Random
from bayanihan.ledger.identity import Identity
from bayanihan.ledger.lanes import Lanes
from bayanihan.ledger.sealing import Batch, Sealer
from bayanihan.ledger.sqlite import SqliteStore
from bayanihan.ledger.tiles import Tiles

logger = logging.getLogger(__name__)

BATCH_LIMIT = 5_000
BATCH_LIMIT_BYTES = 32 * 1024 * 1024
QUEUE_LIMIT_BYTES = 256 * 1024 * 1024
LANE_LIMIT_BYTES = QUEUE_LIMIT_BYTES // 2
FOLD_BACK_BYTES = 64 * 1024 * 1024
DRAFT_OVERHEAD_BYTES = 512

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_WAIT = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_DISK = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}

Deliver = Callable[[Any, BayanihanError | None], None]


@dataclass(slots=True)
class Job:
    """Work for the writer: drafts to append, a change of other rows, and whom to tell.

    With drafts the result is their outcomes, else what `change` returns; both happen in one
    transaction. `after` runs once it is committed. `deliver` is called on the writer's
    thread with the result or the error. `lane` is whose turn it takes: an origin, or "" for
    the hub's own housekeeping.
    """

    deliver: Deliver
    drafts: Sequence[Draft] = ()
    change: Callable[[sqlite3.Connection], Any] | None = None
    after: Callable[[], None] | None = None
    size_bytes: int = 0
    lane: str = ""

    @property
    def rows(self) -> int:
        """How many rows it will write, at least 1."""
        return max(1, len(self.drafts))


def explain(error: Exception) -> BayanihanError:
    """A storage failure as something a caller can act on."""
    if isinstance(error, BayanihanError):
        return error
    text = str(error)
    # The low byte is the kind of failure, the rest says where inside SQLite.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
    full = isinstance(error, OSError) and error.errno in _NO_SPACE
    if code == sqlite3.SQLITE_FULL or full:
        return Unavailable("disk-full", "The hub's disk is full", retry_after_s=60)
    if code in _WAIT:
        return Unavailable("overloaded", "The ledger is busy", retry_after_s=1)
    logger.error("the writer failed: %s", error, exc_info=error)
    if code in _DISK or isinstance(error, OSError):
        return Unavailable(
            "disk-full", "The hub cannot write to its disk", where=text, retry_after_s=60
        )
    if code in _DAMAGED:
        return Broken("record-damaged", "The record cannot be read", where=text)
    return Broken("internal", "The writer failed", where=text)


class Writer:
    """Owns the writing connection, the numbering and the tree. Runs on one thread.

    Args:
        store: where rows go.
        identity: finds the entries that a draft may repeat.
        now_us: UTC wall clock in microseconds.
        steady_us: a clock that never jumps, in microseconds.
        random: see `gaps.Random`.
        committed: told the last position, and the newest one of each audience that the
            batch touched, after each commit, on the writer's thread.
    """

    def __init__(
        self,
        store: SqliteStore,
        identity: Identity,
        *,
        now_us: Clock,
        steady_us: Clock,
        random: Random,
        committed: Callable[[int, Mapping[int, int]], None],
    ) -> None:
        self._store = store
        self._identity = identity
        self._clock = WriterClock(now_us, steady_us)
        self._random = random
        self._committed = committed
        self._load()
        self._doubtful = False
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._lanes: Lanes[Job] = Lanes()
        self._queued_bytes: Counter[str] = Counter()
        self._unfolded_bytes = 0
        self._filled = threading.Event()
        self._fault: BayanihanError | None = None
        self._lock = threading.Lock()
        self._closed = self._ended = False
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def _load(self) -> None:
        """Take up where the file stands."""
        self._position, self._stamp_us = self._store.last()
        self.frontier: Frontier = self._store.frontier()
        self._tiles = Tiles(self._store, self._position)
        self._store.audiences_grew()  # by a commit, perhaps, whose answer was lost
        self._sealer = Sealer(self._store, self._identity, self._random)

    def start(self) -> None:
        """Begin to take jobs."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what is queued, then end the thread."""
        with self._lock:
            self._closed = True
            self._queue.put(None)
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def alarm(self) -> BayanihanError | None:
        """Why nothing can be written; None while all is well."""
        if self._fault or self._closed or self._thread.is_alive():
            return self._fault
        return Broken("internal", "The writer has ended", next_step="Start the hub again.")

    def wait_filled(self) -> None:
        """Wait until the indexes hold every entry. Raises what kept them from it."""
        self._filled.wait()
        if self._fault:
            raise self._fault

    def submit(self, job: Job) -> None:
        """Queue a job. One origin's may fill half of the queue at the most.

        Raises:
            Unavailable: `overloaded` when too much is queued already; `stopping`.
        """
        if job.drafts:
            job.lane = job.drafts[0].origin
        job.size_bytes = sum([len(draft.body) for draft in job.drafts])
        job.size_bytes += DRAFT_OVERHEAD_BYTES * job.rows
        with self._lock:
            if self._closed:
                raise Unavailable("stopping", "The hub is stopping", retry_after_s=5)
            own_bytes = self._queued_bytes[job.lane]
            all_bytes = self._queued_bytes.total()
            if own_bytes and own_bytes + job.size_bytes > LANE_LIMIT_BYTES:
                message = "Too much of yours is waiting to be written"
                raise Unavailable("overloaded", message, retry_after_s=2)
            if all_bytes and all_bytes + job.size_bytes > QUEUE_LIMIT_BYTES:
                message = "Too much is waiting to be written"
                raise Unavailable("overloaded", message, retry_after_s=2)
            self._queued_bytes[job.lane] += job.size_bytes
            self._queue.put(job)

    def waiting_bytes(self) -> Mapping[str, int]:
        """What waits in each lane, or is being written."""
        with self._lock:
            return dict(self._queued_bytes)

    # the thread

    def _run(self) -> None:
        try:
            self._identity.fill(self._store)
        except Exception as error:
            self._fault = explain(error)
        self._filled.set()
        while jobs := self._take():
            results = self._fault or self._attempt(jobs)
            if isinstance(results, BayanihanError) and len(jobs) > 1:
                for job in jobs:  # one bad job must not sink its neighbours
                    self._answer([job], self._fault or self._attempt([job]))
            else:
                self._answer(jobs, results)

    def _take(self) -> list[Job]:
        """The next batch; waits for one. Empty once all is done and the writer is to stop."""
        if not self._lanes and not self._ended:
            self._line_up(self._queue.get())
        with contextlib.suppress(queue.Empty):
            while True:
                self._line_up(self._queue.get_nowait())
        return self._lanes.batch(BATCH_LIMIT, BATCH_LIMIT_BYTES)

    def _line_up(self, job: Job | None) -> None:
        if job is None:
            self._ended = True
        else:
            self._lanes.add(job)

    def _answer(self, jobs: list[Job], results: list[Any] | BayanihanError) -> None:
        with self._lock:
            for job in jobs:
                self._queued_bytes[job.lane] -= job.size_bytes
                if not self._queued_bytes[job.lane]:
                    del self._queued_bytes[job.lane]
        for number, job in enumerate(jobs):
            try:
                if isinstance(results, BayanihanError):
                    job.deliver(None, results)
                else:
                    job.deliver(results[number], None)
            except Exception as error:  # its event loop is closed: nobody is waiting
                logger.warning("an outcome could not be delivered: %s", error)

    def _attempt(self, jobs: list[Job]) -> list[Any] | BayanihanError:
        try:
            if self._doubtful:
                self._store.audiences_grew()
                self._load()
                self._identity.fill(self._store)
                self._doubtful = False
            size = sum(len(job.drafts) for job in jobs)
            frontier = self.frontier.copy()
            batch = Batch(self._position, self._position, self._stamp_us, frontier, size)
            results = self._commit(batch, jobs)
        except Exception as error:
            self._doubtful = True
            return explain(error)
        self._settle(batch, jobs)
        return results

    def _commit(self, batch: Batch, jobs: list[Job]) -> list[Any]:
        results: list[Any] = []
        try:
            with self._store.transaction():
                results = [self._perform(batch, job) for job in jobs]
                for number, audience in batch.interned:
                    self._store.insert_audience(number, audience)
                self._store.insert(batch.rows)
                tiles = self._tiles.write(batch.completed)
        except Exception:
            if not batch.rows or self._store.last() != (batch.position, batch.stamp_us):
                raise
            logger.exception("a commit went through though it was said to have failed")
            self._doubtful = True
            return results
        self._tiles.keep(tiles, batch.position)
        return results

    def _perform(self, batch: Batch, job: Job) -> Any:
        changed = job.change(self._store.writing) if job.change else None
        if job.change and not job.drafts:
            return changed
        if not job.drafts:
            return []
        now_us = self._clock.now(batch.stamp_us + len(job.drafts))
        return self._sealer.seal(batch, job.drafts, now_us)

    def _settle(self, batch: Batch, jobs: list[Job]) -> None:
        """What follows a commit; nothing here may take back that it happened."""
        try:
            if batch.rows:
                self._absorb(batch)
        except Exception:
            self._doubtful = True
            logger.exception("memory is read from the file again; the commit stands")
        try:
            if batch.rows:
                self._committed(batch.position, batch.newest)
            for job in jobs:
                if job.after:
                    job.after()
            self._fold_back(sum(job.size_bytes for job in jobs))
        except Exception:
            logger.exception("what follows a commit failed; the commit stands")

    def _absorb(self, batch: Batch) -> None:
        self._position, self._stamp_us = batch.position, batch.stamp_us
        self.frontier = batch.frontier
        self._sealer.absorb(batch)
        if batch.interned:
            self._store.audiences_grew()

    def _fold_back(self, written_bytes: int) -> None:
        """Finish what the WAL folder began, between batches, so that the WAL starts over."""
        self._unfolded_bytes += written_bytes
        if self._unfolded_bytes > FOLD_BACK_BYTES:
            self._unfolded_bytes = 0
            self._store.writing.execute("PRAGMA wal_checkpoint(PASSIVE)")

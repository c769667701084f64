"""The one writer: takes what is queued, numbers and stamps it, and commits it as a batch.

Durability is paid once a batch, so it costs a flood nothing and a single report one sync.
Whatever the writer holds in memory changes only after the commit, so a batch that failed
has left no trace; and after a failure memory is read from the file again, so that a commit
whose answer was lost is neither repeated nor denied.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from bayanihan.core.merkle import Frontier, peaks_of
from bayanihan.errors import BayanihanError, Broken, Refused, Unavailable
from bayanihan.ledger.brake import Brake
from bayanihan.ledger.clock import Clock, WriterClock
from bayanihan.ledger.engine import ConnectionLost, Identities, Store, Turn
from bayanihan.ledger.entry import Draft
from bayanihan.ledger.explain import explain
from bayanihan.ledger.gaps import Random
from bayanihan.ledger.lanes import Lanes
from bayanihan.ledger.sealing import Batch, Sealer
from bayanihan.ledger.state import Documents
from bayanihan.ledger.tiles import Tiles

logger = logging.getLogger(__name__)

BATCH_LIMIT = 5_000
BATCH_LIMIT_BYTES = 32 * 1024 * 1024
QUEUE_LIMIT_BYTES = 256 * 1024 * 1024
LANE_LIMIT_BYTES = QUEUE_LIMIT_BYTES // 2
DRAFT_OVERHEAD_BYTES = 512
# How long bulk is held before it is asked again whether it may be written.
_HELD_S = 0.005

Deliver = Callable[[Any, BayanihanError | None], None]


@dataclass(slots=True)
class Job:
    """Work for the writer: drafts to append, a change of other rows, and whom to tell.

    With drafts the result is their outcomes, else what `change` returns; both happen in one
    transaction. `unless_after` is a position: see `append` in `store.py`. `after` runs once
    it is committed. `deliver` is called on the writer's
    thread with the result or the error. `lane` is whose turn it takes: an origin, or "" for
    the hub's own housekeeping.
    """

    deliver: Deliver
    drafts: Sequence[Draft] = ()
    change: Callable[[Documents], Any] | None = None
    unless_after: int | None = None
    after: Callable[[], None] | None = None
    size_bytes: int = 0
    lane: str = ""

    @property
    def rows(self) -> int:
        """How many rows it will write, at least 1."""
        return max(1, len(self.drafts))


class Added(NamedTuple):
    """What a commit added: positions after `before` up to `position`, and the tree since.

    `newest` is the newest position of each audience that was written to.
    """

    before: int
    position: int
    newest: Mapping[int, int]
    frontier: Frontier


class Writer:
    """Owns the writing connection, the numbering and the tree. Runs on one thread.

    Args:
        store: where rows go.
        identity: finds the entries that a draft may repeat.
        now_us: UTC wall clock in microseconds.
        steady_us: a clock that never jumps, in microseconds.
        random: see `gaps.Random`.
        committed: told what was added after each commit, on the writer's thread.
        brake: what bulk waits for.
    """

    def __init__(
        self,
        store: Store,
        identity: Identities,
        *,
        now_us: Clock,
        steady_us: Clock,
        random: Random,
        committed: Callable[[Added], None],
        brake: Brake,
    ) -> None:
        self._store = store
        self._identity = identity
        self._clock = WriterClock(now_us, steady_us)
        self._random = random
        self._committed = committed
        self.frontier: Frontier
        self._load()
        self._doubtful = False
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._brake = brake
        self._lanes: Lanes[Job] = Lanes(lambda job: self._ended or brake.lets(job))
        self._queued_bytes: Counter[str] = Counter()
        self._filled = threading.Event()
        self._fault: BayanihanError | None = None
        self._lock = threading.Lock()
        self._closed = self._ended = False
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def _load(self) -> None:
        """Take up where the record stands: at one moment, for others may write meanwhile."""
        turn = self._store.turn()
        if turn:
            self._position, self._stamp_us = turn.position, turn.stamp_us
            self.frontier = Frontier(turn.position, turn.peaks)
        else:
            self._position, self._stamp_us = self._store.last()
            self.frontier = self._store.frontier()
        self._tiles = Tiles(self._store, self._position, shared=turn is not None)
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
        if fault := self._fault or self._clock.alarm:
            return fault
        if self._closed or self._thread.is_alive():
            return None
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
            lost = isinstance(results, ConnectionLost)  # for all of them alike
            if isinstance(results, BayanihanError) and len(jobs) > 1 and not lost:
                for job in jobs:  # one bad job must not sink its neighbours
                    self._answer([job], self._fault or self._attempt([job]))
            else:
                self._answer(jobs, results)

    def _take(self) -> list[Job]:
        """The next batch; waits for one. Empty once all is done and the writer is to stop."""
        if not self._lanes and not self._ended:
            self._line_up(self._queue.get())
        while True:
            with contextlib.suppress(queue.Empty):
                while True:
                    self._line_up(self._queue.get_nowait())
            self._brake.look(self._position)
            batch = self._lanes.batch(BATCH_LIMIT, BATCH_LIMIT_BYTES)
            if batch or not self._lanes:
                return batch
            with contextlib.suppress(queue.Empty):
                self._line_up(self._queue.get(timeout=_HELD_S))

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
        """The jobs' results. What failed because the engine went away is tried once more."""
        try:
            return self._try(jobs)
        except ConnectionLost as error:
            logger.warning("%s: tried again", error.message)
            if error.committing and not any(job.drafts for job in jobs):
                return error  # a change of state may have been made: nobody can tell
        except Exception as error:
            return explain(error)
        try:
            return self._try(jobs)
        except Exception as error:
            return explain(error)

    def _try(self, jobs: list[Job]) -> list[Any]:
        try:
            if self._doubtful:
                self._store.audiences_grew()
                self._load()
                self._identity.fill(self._store)
                self._doubtful = False
            batch, results = self._commit(jobs)
        except Exception:
            self._doubtful = True
            raise
        self._settle(batch, jobs)
        return results

    def _commit(self, jobs: list[Job]) -> tuple[Batch, list[Any]]:
        size = sum(len(job.drafts) for job in jobs)
        batch, results = self._next_batch(size), list[Any]()
        try:
            with self._store.transaction() as turn:
                if turn:
                    self._follow(turn)
                    batch = self._next_batch(size)
                results = [self._perform(batch, job) for job in jobs]
                for number, audience in batch.interned:
                    self._store.insert_audience(number, audience)
                self._store.insert(batch.rows, batch.indexed)
                tiles = self._tiles.write(batch.completed)
                if batch.rows:
                    self._store.keep_place(batch.position, batch.stamp_us, batch.frontier)
        except Exception:
            if not batch.rows or not self._store.holds(batch.position, batch.rows[-1][5]):
                raise
            logger.exception("a commit went through though it was said to have failed")
            self._doubtful = True
            return batch, results
        self._tiles.keep(tiles, batch.position)
        return batch, results

    def _next_batch(self, size: int) -> Batch:
        frontier = self.frontier.copy()
        return Batch(self._position, self._position, self._stamp_us, frontier, size)

    def _follow(self, turn: Turn) -> None:
        """Take over what others committed since, or notice that what was committed is gone."""
        if turn == Turn(self._position, self._stamp_us, tuple(self.frontier.peaks)):
            return
        position, peaks = self._position, self.frontier.peaks
        gap = turn.position - position
        if 0 < gap <= BATCH_LIMIT:
            self._take_over(gap)
        elif gap > 0 and peaks_of(position, self._store.node) == peaks:
            self._store.audiences_grew()
            self._load()
        if turn != Turn(self._position, self._stamp_us, tuple(self.frontier.peaks)):
            self._fault = Broken(
                "history-lost",
                f"The record no longer holds what was committed up to position {position}",
            )
            logger.critical("%s: nothing more is appended", self._fault.message)
            raise self._fault

    def _take_over(self, count: int) -> None:
        """Grow the tree by the few leaves that others added, as they did."""
        frontier, completed = self.frontier.copy(), list[tuple[int, bytes]]()
        for row in self._store.facts(self._position, count):
            frontier.append(row[5], completed)
            self._stamp_us = row[1]
        self._tiles.follow(completed, frontier.size)
        self._position, self.frontier = frontier.size, frontier
        self._store.audiences_grew()
        self._sealer.learn()

    def _perform(self, batch: Batch, job: Job) -> Any:
        changed = job.change(self._store.documents) if job.change else None
        if job.change and not job.drafts:
            return changed
        if not job.drafts:
            return []
        if job.unless_after is not None:
            self._check_nothing_newer(batch, job.drafts, job.unless_after)
        now_us = self._clock.now(batch.stamp_us + len(job.drafts))
        return self._sealer.seal(batch, job.drafts, now_us)

    def _check_nothing_newer(self, batch: Batch, drafts: Sequence[Draft], after: int) -> None:
        for object_id in {draft.object_id for draft in drafts}:
            key = self._identity.object_key(object_id)
            written = [position for _, about, position in batch.indexed if about == key]
            if max([*self._identity.of_object(object_id), *written], default=0) > after:
                raise Refused(
                    "conflict",
                    "Somebody else entered something about this meanwhile",
                    where=object_id,
                    next_step="Look at it again, then decide again.",
                )

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
                self._committed(Added(batch.before, batch.position, batch.newest, batch.frontier))
            for job in jobs:
                if job.after:
                    job.after()
            self._store.settled(sum(job.size_bytes for job in jobs))
        except Exception:
            logger.exception("what follows a commit failed; the commit stands")

    def _absorb(self, batch: Batch) -> None:
        self._position, self._stamp_us = batch.position, batch.stamp_us
        self.frontier = batch.frontier
        self._sealer.absorb(batch)
        if batch.interned:
            self._store.audiences_grew()

"""The one writer: takes what is queued, numbers and stamps it, and commits it as a batch.

Durability is paid once a batch, so it costs a flood nothing and a single report one sync.
Whatever the writer holds in memory changes only after the commit, so a batch that failed
has left no trace.
"""

from __future__ import annotations

import hashlib
import logging
import queue
import secrets
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bayanihan.core.marking import Audience
from bayanihan.core.merkle import TILE_WIDTH, Frontier
from bayanihan.core.same import same_content
from bayanihan.errors import BayanihanError, Broken, Unavailable
from bayanihan.ledger.entry import (
    KIND_NUMBER,
    Appended,
    Draft,
    audience_digest,
    erasable_bytes,
    header_bytes,
    leaf_hash,
)
from bayanihan.ledger.identity import Identity
from bayanihan.ledger.sqlite import SqliteStore

logger = logging.getLogger(__name__)

BATCH_LIMIT = 5_000
QUEUE_LIMIT_BYTES = 256 * 1024 * 1024
FOLD_BACK_BYTES = 64 * 1024 * 1024
AHEAD_LIMIT_US = 1_000_000
JUMP_LIMIT_US = 60_000_000
DRAFT_OVERHEAD_BYTES = 512

Deliver = Callable[[Any, BayanihanError | None], None]
Clock = Callable[[], int]


@dataclass(slots=True)
class Job:
    """Work for the writer: drafts to append, a change of other rows, and whom to tell.

    With drafts the result is their outcomes, else what `change` returns; both happen in one
    transaction. `after` runs once it is committed. `deliver` is called on the writer's
    thread with the result or the error.
    """

    deliver: Deliver
    drafts: Sequence[Draft] = ()
    change: Callable[[sqlite3.Connection], Any] | None = None
    after: Callable[[], None] | None = None
    size_bytes: int = 0


@dataclass(slots=True)
class _Batch:
    """A batch under construction, beside the writer's own memory until it is committed."""

    position: int
    stamp_us: int
    frontier: Frontier
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    keys: dict[int, list[int]] = field(default_factory=dict)
    objects: list[tuple[int, int, int]] = field(default_factory=list)
    completed: list[tuple[int, bytes]] = field(default_factory=list)
    audiences: dict[Audience, tuple[int, bytes]] = field(default_factory=dict)


def explain(error: Exception) -> BayanihanError:
    """A storage failure as something a caller can act on."""
    text = str(error)
    if isinstance(error, BayanihanError):
        return error
    if "full" in text or "No space" in text:
        return Unavailable("disk-full", "The hub's disk is full", retry_after_s=60)
    if "locked" in text or "busy" in text:
        return Unavailable("overloaded", "The ledger is busy", retry_after_s=1)
    logger.error("the writer failed: %s", error, exc_info=error)
    if isinstance(error, sqlite3.Error | OSError):
        return Unavailable(
            "disk-full", "The hub cannot write to its disk", where=text, retry_after_s=60
        )
    return Broken("internal", "The writer failed", where=text)


class Writer:
    """Owns the writing connection, the numbering and the tree. Runs on one thread.

    Args:
        store: where rows go.
        identity: finds the entries that a draft may repeat.
        now_us: UTC wall clock in microseconds.
        steady_us: a clock that never jumps, in microseconds.
        committed: told the last position after each commit, on the writer's thread.
    """

    def __init__(
        self,
        store: SqliteStore,
        identity: Identity,
        *,
        now_us: Clock,
        steady_us: Clock,
        committed: Callable[[int], None],
    ) -> None:
        self._store = store
        self._identity = identity
        self._now_us = now_us
        self._steady_us = steady_us
        self._committed = committed
        self._position, self._stamp_us = store.last()
        self._frontier = store.frontier()
        self._pending = self._load_pending()
        self._audiences = {
            audience: (number, audience_digest(audience))
            for number, audience in enumerate(store.audiences(), 1)
        }
        self._offset_us = now_us() - steady_us()
        self._alarm: Broken | None = None
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._queued_bytes = 0
        self._unfolded_bytes = 0
        self.filled = threading.Event()
        self._count_lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def start(self) -> None:
        """Begin to take jobs."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what is queued, then end the thread."""
        self._closed = True
        self._queue.put(None)
        if self._thread.ident is not None:
            self._thread.join()

    def submit(self, job: Job) -> None:
        """Queue a job.

        Raises:
            Unavailable: `overloaded` when too much is queued already; `stopping`.
        """
        if self._closed:
            raise Unavailable("stopping", "The hub is stopping", retry_after_s=5)
        job.size_bytes = sum(len(draft.body) + DRAFT_OVERHEAD_BYTES for draft in job.drafts)
        with self._count_lock:
            if self._queued_bytes and self._queued_bytes + job.size_bytes > QUEUE_LIMIT_BYTES:
                raise Unavailable(
                    "overloaded", "Too much is waiting to be written", retry_after_s=2
                )
            self._queued_bytes += job.size_bytes
        self._queue.put(job)

    def _run(self) -> None:
        self._identity.fill(self._store)
        self.filled.set()
        while jobs := self._take():
            results: list[Any] | BayanihanError = self._attempt(jobs)
            if isinstance(results, BayanihanError) and len(jobs) > 1:
                for job in jobs:  # one bad job must not sink its neighbours
                    self._answer([job], self._attempt([job]))
            else:
                self._answer(jobs, results)

    def _take(self) -> list[Job]:
        job = self._queue.get()
        jobs: list[Job] = []
        drafts = 0
        while job is not None:
            jobs.append(job)
            drafts += len(job.drafts)
            if drafts >= BATCH_LIMIT:
                return jobs
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                return jobs
        if jobs:
            self._queue.put(None)
        return jobs

    def _attempt(self, jobs: list[Job]) -> list[Any] | BayanihanError:
        try:
            return self._commit(jobs)
        except Exception as error:
            return explain(error)

    def _answer(self, jobs: list[Job], results: list[Any] | BayanihanError) -> None:
        with self._count_lock:
            self._queued_bytes -= sum(job.size_bytes for job in jobs)
        for number, job in enumerate(jobs):
            if isinstance(results, BayanihanError):
                job.deliver(None, results)
            else:
                job.deliver(results[number], None)

    def _commit(self, jobs: list[Job]) -> list[Any]:
        batch = _Batch(self._position, self._stamp_us, self._frontier.copy())
        tiles: dict[int, list[bytes]] = {}
        with self._store.transaction():
            results = [self._perform(batch, job) for job in jobs]
            for number, audience in enumerate(batch.audiences, len(self._audiences) + 1):
                self._store.insert_audience(number, audience)
            self._store.insert(batch.rows)
            tiles = self._write_tiles(batch.completed)
        if batch.rows:
            self._position, self._stamp_us = batch.position, batch.stamp_us
            self._frontier, self._pending = batch.frontier, tiles
            self._audiences.update(batch.audiences)
            for key, object_key, position in batch.objects:
                self._identity.add(key, object_key, position)
            self._committed(self._position)
            self._fold_back(sum(job.size_bytes for job in jobs))
        for job in jobs:
            if job.after:
                job.after()
        return results

    def _fold_back(self, written_bytes: int) -> None:
        """Finish what the checkpointer began, between batches, so that the WAL starts over."""
        self._unfolded_bytes += written_bytes
        if self._unfolded_bytes > FOLD_BACK_BYTES:
            self._unfolded_bytes = 0
            self._store.writing.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _perform(self, batch: _Batch, job: Job) -> Any:
        changed = job.change(self._store.writing) if job.change else None
        return self._seal(batch, job.drafts) if job.drafts else changed

    def _seal(self, batch: _Batch, drafts: Sequence[Draft]) -> list[Appended]:
        if not drafts:
            return []
        now_us = self._checked_now(batch.stamp_us + len(drafts))
        audiences = [self._intern(batch, draft.audience) for draft in drafts]
        keys = [
            self._identity.key(draft, number)
            for draft, (number, _) in zip(drafts, audiences, strict=True)
        ]
        known = self._identity.positions(keys)
        appended = []
        for draft, audience, key in zip(drafts, audiences, keys, strict=True):
            candidates = [*known.get(key, ()), *batch.keys.get(key, ())]
            found = candidates and self._repeat(batch, draft, audience[0], candidates)
            appended.append(found or self._number(batch, draft, audience, key, now_us))
        return appended

    def _checked_now(self, last_needed_us: int) -> int:
        """The wall clock, once it is shown to be believable."""
        if self._alarm:
            raise self._alarm
        now_us, offset_us = self._now_us(), self._now_us() - self._steady_us()
        if abs(offset_us - self._offset_us) > JUMP_LIMIT_US:
            jump_s = (offset_us - self._offset_us) / 1e6
            self._alarm = Broken("clock-jumped", f"The clock jumped by {jump_s:.0f} s")
            logger.critical("%s: the writer has stopped", self._alarm)
            raise self._alarm
        self._offset_us = offset_us
        if last_needed_us > now_us + AHEAD_LIMIT_US:
            wait_s = (last_needed_us - now_us) // 1_000_000
            raise Unavailable(
                "clock-behind", f"The clock is {wait_s} s behind the record", retry_after_s=wait_s
            )
        return now_us

    def _intern(self, batch: _Batch, audience: Audience) -> tuple[int, bytes]:
        known = self._audiences.get(audience) or batch.audiences.get(audience)
        if known is None:
            number = len(self._audiences) + len(batch.audiences) + 1
            known = batch.audiences[audience] = (number, audience_digest(audience))
        return known

    def _repeat(
        self, batch: _Batch, draft: Draft, audience: int, candidates: list[int]
    ) -> Appended | None:
        """The earlier entry that this draft repeats or contradicts, if one really does."""
        digest = hashlib.sha256(draft.body).digest()
        for position in candidates:
            if position > self._position:
                row = batch.rows[position - self._position - 1]
                stamp_us, held_in, origin, object_id = row[1], row[3], row[7], row[9]
                version_us, held, body = row[10], row[13], row[15]
            else:
                entry = self._store.entry(position)
                if entry is None or entry.erased:
                    continue
                stamp_us, held_in, origin = entry.stamp_us, entry.header.audience, entry.origin
                object_id, version_us, held = entry.object_id, entry.version_us, entry.digest
                body = None
            if (held_in, origin, object_id) != (audience, draft.origin, draft.object_id):
                continue  # another identity with the same 64-bit key
            if held == digest:
                return Appended("duplicate", position, stamp_us)
            if draft.version_us is None or version_us != draft.version_us:
                continue
            body = body if body is not None else self._store.body(position)
            same = body is not None and same_content(body, draft.body)
            return Appended("duplicate" if same else "conflict", position, stamp_us)
        return None

    def _number(
        self, batch: _Batch, draft: Draft, audience: tuple[int, bytes], key: int, now_us: int
    ) -> Appended:
        position = batch.position = batch.position + 1
        stamp_us = batch.stamp_us = max(batch.stamp_us + 1, now_us)
        number, definition = audience
        version_us = stamp_us if draft.version_us is None else draft.version_us
        kind = KIND_NUMBER[draft.kind]
        digest = hashlib.sha256(draft.body).digest()
        salt = secrets.token_bytes(32)
        leaf = leaf_hash(
            salt,
            header_bytes(position, stamp_us, kind, draft.exercise, number, definition),
            erasable_bytes(
                draft.author,
                draft.origin,
                draft.collection,
                draft.object_id,
                version_us,
                draft.original,
                digest,
            ),
        )
        batch.frontier.append(leaf, batch.completed)
        batch.rows.append(
            (
                *(position, stamp_us, kind, number, int(draft.exercise), leaf),
                *(draft.author, draft.origin, draft.collection, draft.object_id, version_us),
                *(draft.original, salt, digest, len(draft.body), draft.body),
            )
        )
        batch.keys.setdefault(key, []).append(position)
        batch.objects.append((key, self._identity.object_key(draft.object_id), position))
        return Appended("accepted", position, stamp_us)

    # tiles

    def _load_pending(self) -> dict[int, list[bytes]]:
        """The hashes of the incomplete tile of each level."""
        pending: dict[int, list[bytes]] = {}
        size, level = self._position, 0
        while size:
            width = size % TILE_WIDTH
            tile = self._store.tile(level, size // TILE_WIDTH) if width else b""
            pending[level] = [tile[at * 32 : at * 32 + 32] for at in range(width)]
            size //= TILE_WIDTH
            level += 1
        return pending

    def _write_tiles(self, completed: list[tuple[int, bytes]]) -> dict[int, list[bytes]]:
        """Store the tiles that `completed` fills or widens; the new pending ones."""
        pending = {level: list(hashes) for level, hashes in self._pending.items()}
        size = self._position
        counts: dict[int, int] = {}
        for level, node in completed:
            tile = pending.setdefault(level, [])
            tile.append(node)
            if len(tile) == TILE_WIDTH:
                before = (size >> (8 * level)) // TILE_WIDTH
                number = before + counts.get(level, 0)
                counts[level] = counts.get(level, 0) + 1
                self._store.put_tile(level, number, b"".join(tile))
                pending[level] = []
        for level, tile in pending.items():
            if level and tile and tile != self._pending.get(level):
                number = (size >> (8 * level)) // TILE_WIDTH + counts.get(level, 0)
                self._store.put_tile(level, number, b"".join(tile))
        return pending

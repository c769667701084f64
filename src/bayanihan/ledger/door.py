"""The door to the record: the six verbs over a store, and nothing else."""

from __future__ import annotations

import asyncio
import heapq
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec

from bayanihan.core.cursor import Cursors
from bayanihan.core.marking import Viewer, may_see
from bayanihan.core.merkle import consistency_path, inclusion_path
from bayanihan.errors import BayanihanError, Refused
from bayanihan.ledger.entry import KIND_NUMBER, Appended, Draft, Entry
from bayanihan.ledger.identity import Identity
from bayanihan.ledger.sqlite import ENTRY_COLUMNS, SqliteStore, entry_of
from bayanihan.ledger.state import State
from bayanihan.ledger.store import Head, Item, Page, Where
from bayanihan.ledger.writer import Clock, Job, Writer

logger = logging.getLogger(__name__)

PAGE_SIZE_LIMIT_BYTES = 16 * 1024 * 1024
# How far past `after` a page is first sought row by row before each audience is asked.
_DENSE_FACTOR = 3
_CHECKPOINT_EVERY_S = 0.25
_ALL = Where()


def wall_us() -> int:
    """UTC now in microseconds."""
    return time.time_ns() // 1000


def steady_us() -> int:
    """A clock that nobody sets and that counts through a machine's sleep."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime_ns(clock) // 1000


class Ledger:
    """The record of one hub, open for reading and writing.

    Args:
        folder: holds `ledger.db` and `index/`; made when absent.
        now_us, clock_us: the wall clock and the steady one, in microseconds.
        index_limit: entries an index keeps in memory before it writes a file.
    """

    def __init__(
        self,
        folder: Path,
        *,
        now_us: Clock = wall_us,
        clock_us: Clock = steady_us,
        index_limit: int | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.store = SqliteStore(folder / "ledger.db")
        self.epoch = self.store.meta("epoch")
        self.cursors = Cursors(self.store.meta("cursor-key"), self.epoch)
        self.now_us = now_us
        self._identity = Identity(
            folder / "index", self.store.meta("identity-key"), recent_limit=index_limit
        )
        self._changed = threading.Condition()
        self._length = self.store.last()[0]
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = set()
        self._rights: dict[Viewer, tuple[int, list[int]]] = {}
        self._writer = Writer(
            self.store,
            self._identity,
            now_us=now_us,
            steady_us=clock_us,
            committed=self._committed,
        )
        self.state = State(lambda: self.store.reading, self._change)
        self._closing = threading.Event()
        self._checkpointer = threading.Thread(
            target=self._checkpoint_often, name="checkpointer", daemon=True
        )
        self._writer.start()
        self._checkpointer.start()

    def close(self) -> None:
        """Finish what is queued, write the indexes out and close the file."""
        self._closing.set()
        self._checkpointer.join()
        self._writer.stop()
        self._identity.flush()
        self.store.close()

    # append

    def append(self, drafts: Sequence[Draft]) -> list[Appended]:
        """Commit drafts; blocks until they are durable. See `store.py`."""
        return self._blocking(Job(_unset, drafts=drafts))

    async def append_soon(self, drafts: Sequence[Draft]) -> list[Appended]:
        """As `append`, without blocking the event loop."""
        return await self._awaited(Job(_unset, drafts=drafts))

    def _change(self, change: Callable[[sqlite3.Connection], Any]) -> Any:
        return self._blocking(Job(_unset, change=change))

    async def change_soon(self, change: Callable[[sqlite3.Connection], Any]) -> Any:
        """Run a change of state in the writer's next batch, without blocking the loop."""
        return await self._awaited(Job(_unset, change=change))

    def _blocking(self, job: Job) -> Any:
        future: Future[Any] = Future()

        def deliver(result: Any, error: BayanihanError | None) -> None:
            if error:
                future.set_exception(error)
            else:
                future.set_result(result)

        job.deliver = deliver
        self._writer.submit(job)
        return future.result()

    async def _awaited(self, job: Job) -> Any:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()

        def resolve(result: Any, error: BayanihanError | None) -> None:
            if future.done():
                return
            if error:
                future.set_exception(error)
            else:
                future.set_result(result)

        def deliver(result: Any, error: BayanihanError | None) -> None:
            loop.call_soon_threadsafe(resolve, result, error)

        job.deliver = deliver
        self._writer.submit(job)
        return await future

    # read

    def rights(self, viewer: Viewer) -> list[int]:
        """The ids of the audiences that a viewer may see."""
        audiences = self.store.audiences()
        known, ids = self._rights.get(viewer, (0, []))
        if known < len(audiences):
            fresh = range(known, len(audiences))
            ids = ids + [n + 1 for n in fresh if may_see(viewer, audiences[n])]
            self._rights[viewer] = (len(audiences), ids)
        return ids

    def read(self, viewer: Viewer, after: int, limit: int, where: Where = _ALL) -> Page:
        """A page of what `viewer` may see, in position order. See `store.py`."""
        ids = self.rights(viewer)
        if not ids:
            return Page((), after, False)
        if where.object_id:
            positions = self._positions_of(where.object_id, after)
            return self._fetch_among(positions, ids, after, limit, where)
        end = after + limit * _DENSE_FACTOR
        rows = self._fetch(
            f"position > {after} AND position <= {end} AND audience IN ({_listed(ids)})",
            limit + 1,
            where,
        )
        if len(rows) > limit or end >= self._length:
            return _page(rows, after, limit)
        return self._fetch_sparse(ids, after, limit, where)

    def _fetch(self, condition: str, limit: int, where: Where) -> list[tuple[Any, ...]]:
        exercise = "" if where.exercise is None else f" AND exercise = {int(where.exercise)}"
        kinds = _listed([KIND_NUMBER[kind] for kind in where.kinds])
        cursor = self.store.reading.execute(
            f"SELECT {ENTRY_COLUMNS}, body FROM entries WHERE {condition}"
            f" AND kind IN ({kinds}){exercise} AND author IS NOT NULL ORDER BY position LIMIT {limit}"
        )
        rows: list[tuple[Any, ...]] = []
        size_bytes = 0
        for row in cursor:
            rows.append(row)
            if size_bytes > PAGE_SIZE_LIMIT_BYTES:
                break  # this row begins the next page
            size_bytes += row[13]
        return rows

    def _fetch_sparse(self, ids: list[int], after: int, limit: int, where: Where) -> Page:
        """A page for a viewer of few entries among many: each audience's index, merged."""
        step = max(16, 2 * limit // len(ids))
        streams = [self._positions(audience, after, step) for audience in ids]
        rows: list[tuple[Any, ...]] = []
        batch: list[int] = []
        for position in heapq.merge(*streams):
            batch.append(position)
            if len(batch) > limit:
                rows += self._fetch(f"position IN ({_listed(batch)})", limit + 1, where)
                batch = []
                if len(rows) > limit or sum(r[13] for r in rows) > PAGE_SIZE_LIMIT_BYTES:
                    return _page(rows, after, limit)
        if batch:
            rows += self._fetch(f"position IN ({_listed(batch)})", limit + 1, where)
        return _page(rows, after, limit)

    def _positions(self, audience: int, after: int, step: int) -> Any:
        while True:
            found = self.store.reading.execute(
                "SELECT position FROM entries WHERE audience = ? AND position > ?"
                " ORDER BY position LIMIT ?",
                (audience, after, step),
            ).fetchall()
            for (position,) in found:
                yield position
            if len(found) < step:
                return
            after = found[-1][0]

    def _positions_of(self, object_id: str, after: int) -> list[int]:
        self._writer.filled.wait()
        return [position for position in self._identity.of_object(object_id) if position > after]

    def _fetch_among(
        self, positions: list[int], ids: list[int], after: int, limit: int, where: Where
    ) -> Page:
        allowed = set(ids)
        rows: list[tuple[Any, ...]] = []
        for at in range(0, len(positions), 500):
            some = positions[at : at + 500]
            found = self._fetch(f"position IN ({_listed(some)})", len(some), where)
            rows += [r for r in found if r[3] in allowed and r[9] == where.object_id]
            if len(rows) > limit:
                break
        return _page(rows, after, limit)

    def entry(self, viewer: Viewer, position: int) -> Entry:
        """One entry's header and facts. Raises `Refused("not-found")`."""
        entry = self.store.entry(position)
        if entry is None or entry.header.audience not in self.rights(viewer):
            raise Refused("not-found", "There is no such entry")
        return entry

    def body(self, viewer: Viewer, position: int) -> bytes:
        """The exact bytes. Raises `Refused`: `not-found`, or `erased`."""
        if self.entry(viewer, position).erased:
            raise Refused("erased", "This entry's body was erased")
        return self.store.body(position) or b""

    def scan(
        self, after: int, limit: int, kinds: Sequence[str] = ()
    ) -> list[tuple[Entry, bytes | None]]:
        """Entries whoever may see them: for projections and the checker alone."""
        return self.store.scan(after, limit, kinds)

    def erase(self, viewer: Viewer, object_id: str, reason: str) -> list[int]:
        """Erase every entry of an object that is the viewer's own. See `store.py`.

        Raises `Refused("not-found")` when the viewer's origin has no such object.
        """
        self._writer.filled.wait()
        entries = [self.store.entry(position) for position in self._identity.of_object(object_id)]
        own = [
            entry
            for entry in entries
            if entry and entry.object_id == object_id and entry.origin == viewer.origin
        ]
        if not viewer.key or not own:
            raise Refused("not-found", "You have published no such object", where=object_id)
        audiences = self.store.audiences()
        body = msgspec.json.encode({"id": object_id, "origin": viewer.origin, "reason": reason})
        drafts = [
            Draft(
                "erased",
                audiences[number - 1],
                author=viewer.person,
                origin=viewer.origin,
                object_id=object_id,
                body=body,
                exercise=exercise,
            )
            for number, exercise in sorted({(e.header.audience, e.header.exercise) for e in own})
        ]
        positions = [entry.position for entry in own]
        self._blocking(
            Job(
                _unset,
                drafts=drafts,
                change=lambda _: self.store.erase(positions),
                after=self.store.truncate,
            )
        )
        return positions

    # wait

    @property
    def length(self) -> int:
        """The last committed position."""
        return self._length

    def wait(self, after: int, timeout_s: float) -> int:
        """Block until the ledger is longer than `after`, or the time-out."""
        with self._changed:
            self._changed.wait_for(lambda: self._length > after, timeout_s)
            return self._length

    async def wait_soon(self, after: int, timeout_s: float) -> int:
        """As `wait`, without blocking the event loop."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._changed:
            if self._length > after:
                return self._length
            self._waiting.add((loop, future))
        try:
            async with asyncio.timeout(timeout_s):
                await future
        except TimeoutError:
            pass
        finally:
            with self._changed:
                self._waiting.discard((loop, future))
        return self._length

    def _committed(self, position: int) -> None:
        with self._changed:
            self._length = position
            waiting, self._waiting = self._waiting, set()
            self._changed.notify_all()
        for loop, future in waiting:
            loop.call_soon_threadsafe(_release, future)

    # proofs

    def head(self) -> Head:
        """Size and root of the tree as committed."""
        frontier = self.store.frontier()
        return Head(frontier.size, frontier.root())

    def prove(self, position: int, size: int) -> list[bytes]:
        """The inclusion path of `position` in the tree of `size`."""
        if not 0 < position <= size <= self._length:
            raise Refused("not-found", "There is no such position in that tree")
        return inclusion_path(position - 1, size, self.store.node)

    def extend(self, old: int, new: int) -> list[bytes]:
        """The consistency path from the tree of `old` to that of `new`."""
        if not 0 < old <= new <= self._length:
            raise Refused("not-found", "There is no such pair of trees")
        return consistency_path(old, new, self.store.node)

    def _checkpoint_often(self) -> None:
        """Fold the WAL back apart from the writer, whose batches would wait for it."""
        connection = self.store.checkpointing()
        while not self._closing.wait(_CHECKPOINT_EVERY_S):
            try:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            except sqlite3.Error as error:
                logger.warning("the write-ahead log could not be folded back: %s", error)


def _unset(result: Any, error: BayanihanError | None) -> None:
    raise AssertionError("a job was submitted without anyone to tell")


def _release(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _listed(numbers: Sequence[int]) -> str:
    return ",".join(map(str, numbers))


def _page(rows: list[tuple[Any, ...]], after: int, limit: int) -> Page:
    shown = rows[:limit]
    size_bytes, kept = 0, 0
    for row in shown:
        size_bytes += row[13]
        kept += 1
        if size_bytes > PAGE_SIZE_LIMIT_BYTES:
            break
    items = tuple(Item(entry_of(row), row[14] or b"") for row in shown[:kept])
    return Page(items, items[-1].entry.position if items else after, kept < len(rows))

"""The door to the record: the six verbs over a store, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec

from bayanihan.core import moment
from bayanihan.core.cursor import Cursors
from bayanihan.core.marking import Viewer, house_of
from bayanihan.core.merkle import Frontier, consistency_path, inclusion_path
from bayanihan.errors import BayanihanError, Broken, Refused
from bayanihan.ledger.brake import Brake
from bayanihan.ledger.clock import Clock, steady_us, wall_us
from bayanihan.ledger.engine import Store, Turn
from bayanihan.ledger.entry import Appended, Draft, Entry
from bayanihan.ledger.explain import explain
from bayanihan.ledger.gaps import Random
from bayanihan.ledger.pages import Pages
from bayanihan.ledger.red_audit import RedAudit
from bayanihan.ledger.sqlite import SqliteStore
from bayanihan.ledger.state import Change, Documents, State
from bayanihan.ledger.store import BodyPage, Head, Page, Where
from bayanihan.ledger.writer import Added, Job, Writer

logger = logging.getLogger(__name__)

# Facts about members and decisions are erased by nobody, nor is the word that says so.
_ERASABLE = frozenset({"object", "withdrawn", "notice", "answer", "attestation"})
_EMPTY_TIMEOUT_S = 10.0
_ALL = Where()
# The state room that names erased positions until the indexes have forgotten them too.
_FORGETTING = "forgetting"
_AT_ONCE = 500
# How many entries about one object are looked at, the newest first.
ABOUT_LIMIT = 1_000


class Ledger:
    """The record of one hub, open for reading and writing.

    Args:
        folder: holds `ledger.db` and `index/`; made when absent.
        now_us, clock_us: the wall clock and the steady one, in microseconds. Where the
            engine has a clock of its own, that is the one that counts.
        random: gives so many random bytes.
        index_limit: entries an index keeps in memory before it writes a file.
        store: makes the store from its file's path.
        brake: holds bulk back while what is folded from the record is far behind.
    """

    def __init__(
        self,
        folder: Path,
        *,
        now_us: Clock = wall_us,
        clock_us: Clock = steady_us,
        random: Random = secrets.token_bytes,
        index_limit: int | None = None,
        store: Callable[[Path], Store] = SqliteStore,
        brake: Brake | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.store = store(folder / "ledger.db")
        self.epoch = self.store.meta("epoch")
        self.cursors = Cursors(self.store.meta("cursor-key"), self.epoch)
        self.now_us = self.store.now_us or now_us
        self._identity = self.store.identities(folder, index_limit)
        self._changed = threading.Condition()
        self._advancing = threading.Lock()
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = set()
        self._due: dict[asyncio.AbstractEventLoop, list[tuple[Any, Any, Any]]] = {}
        self._due_lock = threading.Lock()
        self._pages = Pages(self.store, lambda: self._length, self.positions_of)
        self._writer = Writer(
            self.store,
            self._identity,
            now_us=self.now_us,
            steady_us=clock_us,
            random=random,
            committed=self._committed,
            brake=brake or Brake(clock_us),
        )
        self._frontier = self._writer.frontier
        self._length = self._frontier.size
        self.state = State(self.store.documents, self._change)
        self._red_audit = RedAudit(self.store, self._change_unawaited, self.now_us)
        self._writer.start()
        self.store.start(self.advance)
        self._finish_forgetting()

    def close(self) -> None:
        """Finish what is queued, write the indexes out and close the file."""
        self._writer.stop()
        self._identity.close()
        self.store.close()

    @property
    def alarm(self) -> BayanihanError | None:
        """Why nothing can be written; None while all is well."""
        return self._writer.alarm

    def waiting_bytes(self) -> Mapping[str, int]:
        """What each origin has handed in that is not written yet."""
        return self._writer.waiting_bytes()

    # append

    def append(self, drafts: Sequence[Draft], *, unless_after: int | None = None) -> list[Appended]:
        """Commit drafts; blocks until they are durable. See `store.py`."""
        job = Job(_unset, drafts=drafts, unless_after=unless_after)
        appended: list[Appended] = self._blocking(job)
        return appended

    def append_first(self, drafts: Sequence[Draft]) -> bool:
        """Commit drafts if the record is empty; whether it was."""
        empty: list[bool] = []

        def look(_: Documents) -> None:
            if self.store.last()[0]:
                raise Refused("in-use", "The record has begun")
            empty.append(True)

        try:
            self._blocking(Job(_unset, drafts=drafts, change=look))
        except Refused as error:
            if error.code != "in-use":
                raise
            self.refresh()
        return bool(empty)

    async def append_soon(self, drafts: Sequence[Draft]) -> list[Appended]:
        """As `append`, without blocking the event loop."""
        appended: list[Appended] = await self._awaited(Job(_unset, drafts=drafts))
        return appended

    def _change(self, change: Callable[[Documents], Any]) -> Any:
        return self._blocking(Job(_unset, change=change))

    def _change_unawaited(self, change: Callable[[Documents], Any]) -> None:
        self._writer.submit(Job(_logged, change=change))

    async def change_soon(self, change: Callable[[Documents], Any]) -> Any:
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
            self._answer_soon(loop, resolve, result, error)

        job.deliver = deliver
        self._writer.submit(job)
        return await future

    def _answer_soon(
        self,
        loop: asyncio.AbstractEventLoop,
        resolve: Callable[[Any, BayanihanError | None], None],
        result: Any,
        error: BayanihanError | None,
    ) -> None:
        """Hand an answer to a loop, waking it once for all that wait for it to wake."""
        with self._due_lock:
            due = self._due.setdefault(loop, [])
            due.append((resolve, result, error))
            if len(due) > 1:
                return
        with contextlib.suppress(RuntimeError):  # a closed loop waits for nothing
            loop.call_soon_threadsafe(self._answer_due, loop)

    def _answer_due(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._due_lock:
            due = self._due.pop(loop, [])
        for resolve, result, error in due:
            resolve(result, error)

    # read

    def rights(self, viewer: Viewer) -> Sequence[int]:
        """The ids of the audiences that a viewer may see, ascending."""
        return self._pages.rights(viewer).ids

    def read(self, viewer: Viewer, after: int, limit: int, where: Where = _ALL) -> Page:
        """A page of what `viewer` may see, in position order. See `store.py`.

        Raises `Refused("reset")` when `after` lies beyond the record.
        """
        page = self._pages.items(viewer, after, limit, where)
        if red := self._pages.rights(viewer).red:
            at = [item.entry.position for item in page.items if item.entry.header.audience in red]
            self._red_audit.handed_out(viewer, at)
        return page

    def read_bodies(self, viewer: Viewer, after: int, limit: int, where: Where = _ALL) -> BodyPage:
        """As `read`, with bodies and stamps alone: for exits that pass bytes on in bulk."""
        page = self._pages.bodies(viewer, after, limit, where)
        self._red_audit.handed_out(viewer, page.red)
        return page

    def next_position(self, viewer: Viewer, after: int, where: Where = _ALL) -> int:
        """Where the next entry stands that `viewer` may see, 0 for nowhere; hands out none."""
        page = self._pages.items(viewer, after, 1, where)
        return page.last if page.items else 0

    def newest_about(
        self,
        viewer: Viewer,
        object_id: str,
        kinds: Sequence[str] = ("object",),
        *,
        origin: str = "",
        limit: int = ABOUT_LIMIT,
    ) -> list[Entry]:
        """The newest entries about an object that `viewer` may see, newest first, no bodies.

        Work is bounded by `limit` and by the object's entries; it blocks, so call it on a
        worker thread. `origin` "" means anybody's.
        """
        return self._pages.newest_about(viewer, object_id, kinds, origin, limit)

    def sharing(self, viewer: Viewer) -> tuple[tuple[int, ...], str]:
        """Viewers for whom this is equal may be handed one and the same page.

        It is the rights, with the person where they hold RED: who reads RED is noted for
        each person by themselves.
        """
        rights = self._pages.rights(viewer)
        return rights.ids, viewer.person if rights.red else ""

    def positions_of(self, object_id: str) -> list[int]:
        """Where entries about an object may stand, ascending; check each by its entry."""
        self._writer.wait_filled()
        return self._identity.of_object(object_id)

    def entry(self, viewer: Viewer, position: int) -> Entry:
        """One entry's header and facts. Raises `Refused("not-found")`."""
        entry = self.store.entry(position)
        if entry is None or entry.header.audience not in self._pages.rights(viewer).allowed:
            raise Refused("not-found", "There is no such entry")
        return entry

    def body(self, viewer: Viewer, position: int) -> bytes:
        """The exact bytes. Raises `Refused`: `not-found`, or `erased`."""
        entry = self.entry(viewer, position)
        body = self.store.body(position)
        if body is None:
            raise Refused("erased", "This entry's body was erased")
        if entry.header.audience in self._pages.rights(viewer).red:
            self._red_audit.handed_out(viewer, [position])
        return body

    def note_told(self, viewer: Viewer, about: Sequence[Entry]) -> None:
        """Note that a viewer is told of entries without their bodies, where these are RED."""
        red = self._pages.rights(viewer).red
        at = [entry.position for entry in about if entry.header.audience in red]
        self._red_audit.handed_out(viewer, at)

    def scan(
        self, after: int, limit: int, kinds: Sequence[str] = ()
    ) -> list[tuple[Entry, bytes | None]]:
        """Entries whoever may see them: for projections and the checker alone."""
        return self.store.scan(after, limit, kinds)

    def erase(self, viewer: Viewer, object_id: str, reason: str) -> list[int]:
        """Erase every entry of an object that is the viewer's own and that they may see.

        See `store.py`.

        Raises:
            Refused: `not-found` when the viewer sees no such object of their origin.
            Unavailable: `disk-full` when the indexes could not be written; the bodies are
                gone by then, and the same call may be repeated.
        """
        positions: list[int] = []
        while own := self._own(viewer, object_id):  # again while more arrives beside it
            positions += self.erase_entries(own, person=viewer.person, reason=reason)
        if not positions:
            raise Refused("not-found", "You have published no such object", where=object_id)
        return positions

    def erase_entries(self, entries: Sequence[Entry], *, person: str, reason: str) -> list[int]:
        """Erase given entries of one object and origin; their positions.

        For `erase` and for retention, which decide what may be erased. Blocks until the
        bytes are gone from the store, its write-ahead log and the indexes.
        """
        self._erase(entries, person, reason)
        positions = [entry.position for entry in entries]
        if not self.store.swept(positions, _EMPTY_TIMEOUT_S):
            logger.warning("a reader holds what was erased; it is removed after that")
        return positions

    def _own(self, viewer: Viewer, object_id: str) -> list[Entry]:
        if not viewer.key:
            return []
        found = [self.store.entry(position) for position in self.positions_of(object_id)]
        allowed = self._pages.rights(viewer).allowed
        return [
            entry
            for entry in found
            if entry and entry.object_id == object_id and entry.origin == viewer.origin
            if entry.header.kind in _ERASABLE and entry.header.audience in allowed
        ]

    def _erase(self, own: Sequence[Entry], person: str, reason: str) -> None:
        audiences = self.store.audiences()
        object_id, origin = own[0].object_id, own[0].origin
        at = moment.render(self.now_us())
        until: dict[tuple[int, bool], int] = {}
        for entry in own:
            told_to = (entry.header.audience, entry.header.exercise)
            until[told_to] = max(entry.version_us, until.get(told_to, 0))
        told = {"id": object_id, "origin": house_of(origin), "reason": reason, "at": at}
        drafts = [
            Draft(
                "erased",
                audiences[number - 1],
                author=person,
                origin=origin,
                object_id=object_id,
                body=msgspec.json.encode({**told, "until": moment.render(version_us)}),
                exercise=exercise,
            )
            for (number, exercise), version_us in sorted(until.items())
        ]
        positions = [entry.position for entry in own]

        def erase(documents: Documents) -> None:
            self.store.erase(positions)
            documents.note_once(_FORGETTING, list(map(str, positions)), b"")

        after = functools.partial(self._identity.forget_recent, own)
        self._blocking(Job(_unset, drafts=drafts, change=erase, after=after))
        try:
            self._identity.forget(own)
        except OSError as error:
            raise explain(error) from error
        self._change_unawaited(_forgotten(positions))

    def _finish_forgetting(self) -> None:
        """Take up what a crash interrupted between an erasure and the indexes' part in it."""
        try:
            while left := self.store.documents.list(_FORGETTING, "", "", _AT_ONCE):
                positions = [int(document.key) for document in left]
                self._identity.forget_positions(positions)
                self._change(_forgotten(positions))
        except (OSError, BayanihanError) as error:  # a hub that reads is better than none
            logger.warning("an erasure is not finished yet, it is tried again: %s", error)

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

    def refresh(self) -> None:
        """Take note of what others have committed up to now.

        Raises:
            Unavailable: `store-away` when the engine cannot be asked.
            Broken: `history-lost` when the record is shorter than it was.
        """
        before = self._length
        if turn := self.store.turn():
            if turn.position < before:
                raise Broken("history-lost", f"The record ends before position {before}")
            self.advance(turn)

    def advance(self, turn: Turn) -> None:
        """Others have come this far, or further."""
        with self._advancing:
            before = self._length
            if turn.position > before:
                self.store.audiences_grew()
                newest = self.store.newest_between(before, turn.position)
                self._publish(turn.position, newest, Frontier(turn.position, turn.peaks))

    def _committed(self, added: Added) -> None:
        with self._advancing:
            newest = added.newest
            if added.position <= self._length:
                return
            if added.before != self._length:  # others wrote in between
                newest = self.store.newest_between(self._length, added.position)
            self._publish(added.position, newest, added.frontier)

    def _publish(self, position: int, newest: Mapping[int, int], frontier: Frontier) -> None:
        self._pages.appended(newest)
        with self._changed:
            self._length, self._frontier = position, frontier
            waiting, self._waiting = self._waiting, set()
            self._changed.notify_all()
        by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
        for loop, future in waiting:
            by_loop.setdefault(loop, []).append(future)
        for loop, futures in by_loop.items():
            with contextlib.suppress(RuntimeError):  # a closed loop waits for nothing
                loop.call_soon_threadsafe(_release, futures)

    # proofs

    def head(self) -> Head:
        """Size and root of the tree as committed."""
        frontier = self._frontier
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


def _forgotten(positions: Sequence[int]) -> Callable[[Documents], Any]:
    """The note that the indexes hold nothing of these positions any more."""
    changes = [Change(_FORGETTING, str(position), None) for position in positions]
    return lambda documents: documents.apply(changes)


def _unset(result: Any, error: BayanihanError | None) -> None:
    raise AssertionError("a job was submitted without anyone to tell")


def _logged(result: Any, error: BayanihanError | None) -> None:
    if error:
        logger.error("a note could not be written: %s", error)


def _release(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)

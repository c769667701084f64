"""The one loop that serves every open stream.

It reads what is new once for each class of rights, encodes each frame once, and writes it
straight to each transport. A reader whose transport would make the loop wait is stepped
aside: it gets a bounded buffer and a task of its own, and when that buffer is full it is
told `reset` and let go. So a slow reader costs only itself. Much news at once is written
in pieces, between which the transports get their turn.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from bayanihan.core import moment
from bayanihan.core.marking import Viewer
from bayanihan.errors import Refused
from bayanihan.ledger import Ledger, Where
from bayanihan.readers.stream.frame import HEARTBEAT, frame_of, joined
from bayanihan.readers.stream.quota import SUBSCRIBER_LIMIT, Quota
from bayanihan.readers.stream.subscriber import Subscriber, message_of

logger = logging.getLogger(__name__)

HEARTBEAT_S = 15.0
PAGE_LIMIT = 500
# After a fault of ours.
_AGAIN_S = 1.0
# How many positions one step of the loop covers.
STEP = 512
# While the record grows the loop rests so many times as long as a step took: what came
# meanwhile goes out in one write each, and who reads does not stop who reports. Only as long
# where more than a step is left: a stream that is behind is not held back further.
_REST_FACTOR = 3.0
_REST_FACTOR_BEHIND = 1.0
_REST_AT_MOST_S = 0.2
_KINDS = ("object", "withdrawn", "erased")


class Broadcast:
    """Every open stream of a hub, and the loop that serves them.

    Args:
        ledger: what is read and waited on.
        renew: the viewer as their key stands now; raises `Refused` when it was revoked.
        heartbeat_s: how often every stream is sent a comment.
        limit: how many streams may be open.
        some_ended: whether a key's time has ended since it was asked last.
    """

    def __init__(
        self,
        ledger: Ledger,
        renew: Callable[[Viewer], Viewer],
        heartbeat_s: float = HEARTBEAT_S,
        limit: int = SUBSCRIBER_LIMIT,
        some_ended: Callable[[], bool] = lambda: False,
    ) -> None:
        self.quota = Quota(limit)
        self._ledger = ledger
        self._renew = renew
        self._heartbeat_s = heartbeat_s
        self._some_ended = some_ended
        self._open: set[Subscriber] = set()
        self._live: dict[Viewer, set[Subscriber]] = {}
        self._loop: asyncio.Task[None] | None = None
        self.position = ledger.length
        self.stopped = False
        self.failed: Exception | None = None

    @property
    def count(self) -> int:
        """How many streams are open, those that are catching up included."""
        return len(self._open)

    def frames(self, viewer: Viewer, after: int, until: int) -> tuple[list[bytes], int]:
        """A page of frames of what lies after one position and up to another.

        Returns the frames and the position that they reach: `until` when nothing is left.
        """
        page = self._ledger.read(viewer, after, PAGE_LIMIT, Where(kinds=_KINDS, until=until))
        seal = self._ledger.cursors.seal
        frames = [
            frame_of(item, seal(item.entry.position), moment.render(item.entry.stamp_us))
            for item in page.items
        ]
        return frames, page.last if page.more else until

    def newest(self, viewer: Viewer) -> int:
        """The position of the newest entry that a viewer may see, 0 where there is none.

        The ledger's own length would tell when something was appended that they may not
        see. Found by halving: a page after a position is empty or it is not.
        """
        length = self._ledger.length
        where = Where(kinds=_KINDS, until=length)

        def lies_beyond(position: int) -> bool:
            return self._ledger.next_position(viewer, position, where) > 0

        low, high, step = length, length, 64
        while low > 0 and not lies_beyond(low):
            low, high, step = max(0, length - step), low, step * 8
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if lies_beyond(middle) else (low, middle)
        return high if lies_beyond(low) else 0

    def start(self) -> None:
        """Begin to serve; needs a running event loop."""
        self.position = self._ledger.length
        self._loop = asyncio.ensure_future(self._serve())

    async def stop(self) -> None:
        """End every stream, and take no more."""
        self.stopped = True
        if self._loop:
            self._loop.cancel()
        for subscriber in self._open:
            subscriber.close()

    def review(self) -> None:
        """End the streams of keys that were revoked and of viewers whose rights changed."""
        for subscriber in self._open:
            if not self.still(subscriber.viewer):
                subscriber.close()

    async def _serve(self) -> None:
        while True:
            try:
                await self._serve_well()
            except Exception as error:
                # Who was served may have missed something: they come back with their last id.
                if self.failed is None:
                    logger.exception("the streams broke off")
                self.failed = error
                for subscriber in self._served():
                    subscriber.close()
                await asyncio.sleep(_AGAIN_S)

    async def _serve_well(self) -> None:
        loop = asyncio.get_running_loop()
        beat_s = loop.time() + self._heartbeat_s
        while True:
            await self._ledger.wait_soon(self.position, max(0.0, beat_s - loop.time()))
            if self._some_ended():
                self.review()
            if self._ledger.length > self.position:
                began_s = loop.time()
                await self._step()
                if left := self._ledger.length - self.position:
                    factor = _REST_FACTOR if left <= STEP else _REST_FACTOR_BEHIND
                    rest_s = factor * (loop.time() - began_s)
                    await asyncio.sleep(min(rest_s, _REST_AT_MOST_S))
            self.failed = None
            if loop.time() >= beat_s:
                # By its own clock: were it sent for want of news alone, a reader could tell
                # from its absence that there is news which they may not see.
                beat_s += self._heartbeat_s
                self._write_all(self._served(), HEARTBEAT)

    def _served(self) -> list[Subscriber]:
        return [each for group in self._live.values() for each in group]

    async def _step(self) -> None:
        """Serve some positions to each class of rights: the same bytes to all in a class.

        Who joins meanwhile reads these positions for themselves.
        """
        before, self.position = self.position, min(self._ledger.length, self.position + STEP)
        known: dict[tuple[tuple[int, ...], str], list[bytes]] = {}
        plan: list[tuple[list[Subscriber], list[bytes]]] = []
        for viewer, subscribers in self._live.items():
            same = self._ledger.sharing(viewer)
            if same not in known:
                known[same] = self._pieces(viewer, before)
            if known[same]:
                plan.append((list(subscribers), known[same]))
        for number in range(max((len(pieces) for _, pieces in plan), default=0)):
            if number:
                await asyncio.sleep(0)
            for chosen, pieces in plan:
                if number < len(pieces):
                    self._write_all(chosen, pieces[number])

    def _pieces(self, viewer: Viewer, after: int) -> list[bytes]:
        """What is new to a viewer, in pieces that a transport takes well."""
        pieces: list[bytes] = []
        try:
            while after < self.position:
                frames, after = self.frames(viewer, after, self.position)
                pieces += joined(frames)
        except Exception:
            # They come back with the last id that they have, and find the fault or not.
            logger.exception("streams broke off")
            for subscriber in self._live.get(viewer, ()):
                subscriber.close()
            return []
        return pieces

    @staticmethod
    def _write_all(subscribers: Iterable[Subscriber], chunk: bytes) -> None:
        message = message_of(chunk)
        for subscriber in subscribers:
            subscriber.write(chunk, message)

    def still(self, viewer: Viewer) -> bool:
        """Whether a viewer's key still stands for the same viewer."""
        try:
            return not viewer.key or self._renew(viewer) == viewer
        except Refused:
            return False

    def enter(self, subscriber: Subscriber) -> None:
        """Count a subscriber, who is still catching up. Raises `Unavailable("overloaded")`."""
        self.quota.take(subscriber.viewer.key)
        self._open.add(subscriber)

    def join(self, subscriber: Subscriber) -> None:
        """Serve a subscriber that has read up to the broadcast's position."""
        self._live.setdefault(subscriber.viewer, set()).add(subscriber)

    def leave(self, subscriber: Subscriber) -> None:
        """Forget a subscriber."""
        if subscriber in self._open:
            self._open.remove(subscriber)
            self.quota.give_back(subscriber.viewer.key)
        group = self._live.get(subscriber.viewer)
        if group is not None:
            group.discard(subscriber)
            if not group:
                del self._live[subscriber.viewer]

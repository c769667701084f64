"""`/api/stream`: entries as server-sent events, to every reader as soon as they commit.

One loop serves all subscribers. It reads what is new once for each class of rights, encodes
each frame once, and writes it straight to each transport. A reader whose transport would
make the loop wait is stepped aside: it gets a bounded buffer and a task of its own, and
when that buffer is full it is told `reset` and let go. So a slow reader costs only itself.

Source: WHATWG HTML section 9.2 (server-sent events).
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any
from urllib.parse import parse_qs

import msgspec
from litestar import asgi
from litestar.handlers import ASGIRouteHandler
from litestar.types import Receive, Scope, Send

from bayanihan.core import moment
from bayanihan.core.marking import Viewer
from bayanihan.core.scope import require_if_signed_in
from bayanihan.errors import Refused, Unavailable
from bayanihan.ledger import Item, Ledger, Where

HEARTBEAT_S = 15.0
PAGE_LIMIT = 500
BUFFER_LIMIT_BYTES = 4 * 1024 * 1024
SUBSCRIBER_LIMIT = 20_000
_KINDS = ("object", "withdrawn", "erased")
_HEARTBEAT = b": heartbeat\n\n"

Message = dict[str, Any]


class Event(msgspec.Struct, frozen=True):
    """What a frame says beside the object's own bytes."""

    id: str
    kind: str
    origin: str
    exercise: bool
    stamp: str


def reset_frame(reason: str) -> bytes:
    """Tells a reader to start again without a cursor, and why."""
    return b"event: reset\ndata: " + msgspec.json.encode({"reason": reason}) + b"\n\n"


def frame_of(item: Item, cursor: str, stamp: str) -> bytes:
    """One entry as an event: its cursor, its kind, and the object as it was submitted.

    A line break inside the object's bytes continues the `data` field, as the format asks.
    """
    entry = item.entry
    event = Event(entry.object_id, entry.header.kind, entry.origin, entry.header.exercise, stamp)
    head = msgspec.json.encode(event)[:-1]
    body = item.body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\ndata: ")
    return b'id: %b\nevent: %b\ndata: %b,"body":%b}\n\n' % (
        cursor.encode(),
        entry.header.kind.encode(),
        head,
        body,
    )


@types.coroutine
def _resumed(running: Coroutine[Any, Any, Any], waiting_for: Any) -> Generator[Any, Any, None]:
    """Go on with a coroutine that was stepped once and is waiting for `waiting_for`."""
    while True:
        try:
            answer = yield waiting_for
        except BaseException as error:
            waiting_for = running.throw(error)
        else:
            try:
                waiting_for = running.send(answer)
            except StopIteration:
                return
            if hasattr(waiting_for, "_asyncio_future_blocking"):
                waiting_for._asyncio_future_blocking = True


class Subscriber:
    """One open stream: where it stands, and how to write to it."""

    def __init__(self, viewer: Viewer, send: Send) -> None:
        self.viewer = viewer
        self._send = send
        self._aside: asyncio.Task[None] | None = None
        self._buffer: list[bytes] = []
        self._buffered_bytes = 0
        self.ended = asyncio.Event()

    @property
    def slow(self) -> bool:
        """Whether it was stepped aside and has not caught up."""
        return self._aside is not None

    def write(self, chunk: bytes, message: Message) -> None:
        """Write a chunk now, or behind what already waits. Never waits.

        `message` is the chunk as the one ASGI message shared by all subscribers.
        """
        if self.ended.is_set():
            return
        if self._aside is not None:
            self._put_aside(chunk)
            return
        sending = self._send(message)  # type: ignore[arg-type]
        assert isinstance(sending, Coroutine)
        try:
            waiting_for = sending.send(None)
        except StopIteration:
            return
        except Exception:
            self.ended.set()
            return
        if hasattr(waiting_for, "_asyncio_future_blocking"):
            waiting_for._asyncio_future_blocking = True
        self._aside = asyncio.ensure_future(self._drain(_resumed(sending, waiting_for)))

    def _put_aside(self, chunk: bytes) -> None:
        if self._buffered_bytes + len(chunk) > BUFFER_LIMIT_BYTES:
            self._buffer = [reset_frame("You read too slowly; the stream went on without you")]
            self._buffered_bytes = BUFFER_LIMIT_BYTES
            return
        self._buffer.append(chunk)
        self._buffered_bytes += len(chunk)

    async def _drain(self, first: Awaitable[None]) -> None:
        try:
            await first
            while self._buffer:
                full = self._buffered_bytes >= BUFFER_LIMIT_BYTES
                chunk, self._buffer, self._buffered_bytes = b"".join(self._buffer), [], 0
                await self._send(_chunk(chunk))
                if full:
                    self.ended.set()
                    return
            self._aside = None
        except Exception:
            self.ended.set()

    def close(self) -> None:
        """Stop writing."""
        self.ended.set()
        if self._aside is not None:
            self._aside.cancel()


def _chunk(body: bytes) -> Any:
    return {"type": "http.response.body", "body": body, "more_body": True}


class Broadcast:
    """Every open stream of a hub, and the loop that serves them.

    Args:
        ledger: what is read and waited on.
        renew: the viewer as their key stands now; raises `Refused` when it was revoked.
    """

    def __init__(self, ledger: Ledger, renew: Callable[[Viewer], Viewer]) -> None:
        self._ledger = ledger
        self._renew = renew
        self._where = Where(kinds=_KINDS)
        self._live: dict[Viewer, set[Subscriber]] = {}
        self._position = ledger.length
        self._loop: asyncio.Task[None] | None = None

    @property
    def count(self) -> int:
        """How many streams are open."""
        return sum(map(len, self._live.values()))

    def frames(self, viewer: Viewer, after: int) -> tuple[bytes, int, bool]:
        """The next page as frames, the position it reaches, and whether more is waiting."""
        page = self._ledger.read(viewer, after, PAGE_LIMIT, self._where)
        seal = self._ledger.cursors.seal
        chunk = b"".join(
            [
                frame_of(item, seal(item.entry.position), moment.render(item.entry.stamp_us))
                for item in page.items
            ]
        )
        return chunk, page.last, page.more

    def start(self) -> None:
        """Begin to serve; needs a running event loop."""
        self._position = self._ledger.length
        self._loop = asyncio.ensure_future(self._serve())

    async def stop(self) -> None:
        """End every stream."""
        if self._loop:
            self._loop.cancel()
        for subscribers in self._live.values():
            for subscriber in subscribers:
                subscriber.close()

    async def _serve(self) -> None:
        while True:
            length = await self._ledger.wait_soon(self._position, HEARTBEAT_S)
            if length > self._position:
                self._broadcast(length)
            else:
                self._write_all(self._live.values(), _HEARTBEAT)

    def _broadcast(self, length: int) -> None:
        """Write what is new to each class of rights: the same bytes to all in a class."""
        encoded: dict[tuple[int, ...], bytes] = {}
        for viewer, subscribers in list(self._live.items()):
            if not self._still(viewer):
                for subscriber in subscribers:
                    subscriber.close()
                continue
            rights = tuple(self._ledger.rights(viewer))
            chunk = encoded.get(rights)
            if chunk is None:
                chunk = encoded[rights] = self._new_for(viewer)
            if chunk:
                self._write_all([subscribers], chunk)
        self._position = length

    def _still(self, viewer: Viewer) -> bool:
        """Whether a viewer's key still stands for the same viewer."""
        try:
            return not viewer.key or self._renew(viewer) == viewer
        except Refused:
            return False

    def _new_for(self, viewer: Viewer) -> bytes:
        parts, after, more = [], self._position, True
        while more:
            chunk, after, more = self.frames(viewer, after)
            parts.append(chunk)
        return b"".join(parts)

    @staticmethod
    def _write_all(groups: Any, chunk: bytes) -> None:
        message = _chunk(chunk)
        for subscribers in groups:
            for subscriber in subscribers:
                subscriber.write(chunk, message)

    def join(self, subscriber: Subscriber) -> None:
        """Add a subscriber that has read up to the broadcast's position."""
        self._live.setdefault(subscriber.viewer, set()).add(subscriber)

    def leave(self, subscriber: Subscriber) -> None:
        """Forget a subscriber."""
        subscriber.close()
        group = self._live.get(subscriber.viewer)
        if group is not None:
            group.discard(subscriber)
            if not group:
                del self._live[subscriber.viewer]

    @property
    def position(self) -> int:
        """How far the broadcast has come."""
        return self._position


_START: Message = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", b"text/event-stream"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
    ],
}


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _header(scope: Scope, name: bytes) -> str:
    found = next((value for key, value in scope["headers"] if key == name), b"")
    return bytes(found).decode("latin-1")


def routes(broadcast: Broadcast, ledger: Ledger) -> list[ASGIRouteHandler]:
    """The handler of `/api/stream`, on the transport itself: no framework in between."""

    async def catch_up(subscriber: Subscriber, after: int, send: Send) -> None:
        """Send what the reader missed, page by page, until it stands where the loop does."""
        while True:
            chunk, after, _ = broadcast.frames(subscriber.viewer, after)
            if chunk:
                await send(_chunk(chunk))
            elif broadcast.position == ledger.length:
                broadcast.join(subscriber)  # nothing ran between the empty read and this
                return
            else:
                await asyncio.sleep(0)

    @asgi("/api/stream", copy_scope=False)
    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        """Entries as server-sent events; `Last-Event-ID` or `?after=` resumes."""
        viewer: Viewer = scope["viewer"]  # type: ignore[typeddict-item]
        require_if_signed_in(viewer, "read")
        if broadcast.count >= SUBSCRIBER_LIMIT:
            raise Unavailable("overloaded", "Too many streams are open", retry_after_s=30)
        resume_after = _header(scope, b"last-event-id") or _after(scope)
        await send(_START)  # type: ignore[arg-type]
        try:
            after = ledger.length if resume_after == "now" else ledger.cursors.open(resume_after)
        except Refused as error:
            await send(_chunk(reset_frame(error.message)))
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        subscriber = Subscriber(viewer, send)
        gone = asyncio.ensure_future(_disconnected(receive))
        ended = asyncio.ensure_future(subscriber.ended.wait())
        try:
            await catch_up(subscriber, after, send)
            await asyncio.wait((gone, ended), return_when=asyncio.FIRST_COMPLETED)
            if not gone.done():
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            broadcast.leave(subscriber)
            gone.cancel()
            ended.cancel()

    return [stream]


def _after(scope: Scope) -> str:
    values = parse_qs(scope["query_string"].decode("latin-1")).get("after", [""])
    return values[0]

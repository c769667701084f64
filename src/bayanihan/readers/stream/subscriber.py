"""One reader of the stream: written to without waiting, and stepped aside when slow."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Awaitable, Coroutine, Generator
from typing import Any

from litestar.types import Send

from bayanihan.core.marking import Viewer
from bayanihan.readers.stream.frame import reset_frame

BUFFER_LIMIT_BYTES = 4 * 1024 * 1024
# How long a reader that fell behind has to take in what it is owed.
PATIENCE_S = 5.0

Message = dict[str, Any]


def message_of(chunk: bytes) -> Message:
    """A chunk of the stream as an ASGI message."""
    return {"type": "http.response.body", "body": chunk, "more_body": True}


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
        self._buffer.append(chunk)
        self._buffered_bytes += len(chunk)
        if self._buffered_bytes > BUFFER_LIMIT_BYTES:
            reason = "You read too slowly; go on from the last id that you have"
            self._buffer = [reset_frame("behind", reason)]
            self.ended.set()

    async def _drain(self, first: Awaitable[None]) -> None:
        try:
            await first
            while self._buffer:
                chunk, self._buffer, self._buffered_bytes = b"".join(self._buffer), [], 0
                await self._send(message_of(chunk))  # type: ignore[arg-type]
            self._aside = None
        except Exception:
            self.ended.set()

    async def send(self, chunk: bytes) -> None:
        """Write a chunk and wait until the transport takes more: while catching up."""
        await self._send(message_of(chunk))  # type: ignore[arg-type]

    async def finish(self) -> None:
        """Wait until a reader that fell behind has taken in the rest."""
        if self._aside is not None:
            await asyncio.wait([self._aside])

    def close(self) -> None:
        """Write nothing more, not even what waits."""
        self.ended.set()
        if self._aside is not None:
            self._aside.cancel()

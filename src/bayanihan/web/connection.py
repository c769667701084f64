"""One connection: let go when its other end neither says what it wants nor takes what it gets.

What is no HTTP never reaches a handler, so it is answered here, in the shape of its address.

A request's body is watched where it is taken in; here it is the head of a request, and the
answers. Without this, whoever opens connections and falls silent holds what they cost for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import sys
import termios
from typing import Any
from urllib.parse import unquote

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from bayanihan.errors import Refused
from bayanihan.web.errors import rendered

# So long may the head of a first request take, and so long may an answer find no room.
HEAD_WITHIN_S = 30.0
STALLED_S = 60.0
# So much of what came last is kept, to find an address where the parser found none.
_KEPT_BYTES = 256


class Connection(HttpToolsProtocol):
    """The server's own protocol, with patience that ends."""

    head_within_s = HEAD_WITHIN_S
    stalled_s = STALLED_S

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request, but not for ever."""
        super().connection_made(transport)
        self._stalled: asyncio.TimerHandle | None = None
        self._unsent_bytes = 0
        self._awaited: asyncio.TimerHandle | None = self.loop.call_later(
            self.head_within_s, self._end_silent
        )

    def data_received(self, data: bytes) -> None:
        """Parse it; what is no HTTP ends in `send_400_response`."""
        self._latest = data[:_KEPT_BYTES]
        super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP in the shape of its address, as far as that is known."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            if not cycle.more_body:
                # It follows a whole request whose answer is still to come: then the end.
                cycle.keep_alive = False
                self.transport.pause_reading()
                return
            if cycle.response_started:
                self._abort()  # a second answer would be taken for the rest of the first
                return
        error = Refused("not-http", "The request cannot be read as HTTP")
        body, media_type = rendered(self._address(), error)
        head = (
            f"HTTP/1.1 {error.status} Bad Request\r\ncontent-type: {media_type}\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def _address(self) -> str:
        """The path that a broken request asked for; "" when it cannot be told."""
        words = self._latest.split(b"\r", 1)[0].split(b"\n", 1)[0].split(b" ")
        known = getattr(self, "url", b"") or (words[1] if len(words) > 1 else b"")
        return unquote(known.decode("latin-1")).partition("?")[0]

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop every clock."""
        self._let_be()
        self._heard()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """A request begins: its head is awaited."""
        super().on_message_begin()
        if self._awaited is None:
            self._awaited = self.loop.call_later(self.head_within_s, self._end_silent)

    def on_headers_complete(self) -> None:
        """The head is there; what follows is watched by who takes it in."""
        self._heard()
        super().on_headers_complete()

    def pause_writing(self) -> None:
        """The other end takes nothing more for now."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """It takes something again."""
        self._let_be()
        super().resume_writing()

    def _watch(self) -> None:
        self._unsent_bytes = self._left_bytes()
        self._stalled = self.loop.call_later(self.stalled_s, self._end_stalled)

    def _let_be(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _heard(self) -> None:
        if self._awaited is not None:
            self._awaited.cancel()
            self._awaited = None

    def _end_silent(self) -> None:
        self._awaited = None
        self._abort()

    def _end_stalled(self) -> None:
        self._stalled = None
        if self._left_bytes() < self._unsent_bytes:
            self._watch()  # slow, and not stalled
            return
        self._abort()

    def _left_bytes(self) -> int:
        """What the other end has not acknowledged, here and in the kernel's own buffer."""
        left_bytes: int = self.transport.get_write_buffer_size()
        sock = self.transport.get_extra_info("socket")
        with contextlib.suppress(OSError, ValueError, AttributeError):
            told = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0" * 4)
            left_bytes += int.from_bytes(told, sys.byteorder)
        return left_bytes

    def _abort(self) -> None:
        transport: Any = self.transport
        transport.abort()  # closing would wait for the same end to take what is left

"""A request's body as it arrives: counted, gunzipped and refused before it can do harm.

Source: RFC 1952 (a gzip file is one or more members), RFC 9110 section 8.4.1.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Self

from litestar import Request

from bayanihan.errors import Refused, Unavailable

# A sender who says nothing for so long has gone away or means harm.
SILENCE_LIMIT_S = 30.0

_Receive = Callable[[], Awaitable[Any]]


class Uploads:
    """Takes bodies in, and bounds what they hold in memory together.

    Args:
        limit_bytes: of one body, gunzipped.
        together_bytes: of all bodies that are being received or worked on.
        silence_limit_s: how long a sender may pause.
    """

    def __init__(
        self, limit_bytes: int, together_bytes: int, silence_limit_s: float = SILENCE_LIMIT_S
    ) -> None:
        self._limit_bytes = limit_bytes
        self._together_bytes = together_bytes
        self._silence_limit_s = silence_limit_s
        self.held_bytes = 0

    def upload(self, request: Request[Any, Any, Any]) -> Upload:
        """The body of one request; use it as a context manager around the work on it."""
        return Upload(self, request)

    def check_size(self, size_bytes: int) -> None:
        """Refuse a body of more than the limit. Raises `Refused("too-large")`."""
        if size_bytes > self._limit_bytes:
            limit_mib = self._limit_bytes // 1024 // 1024
            raise Refused("too-large", f"One submission may hold {limit_mib} MiB")

    def take(self, size_bytes: int) -> None:
        """Count bytes that arrived. Raises `Unavailable("overloaded")` when all is full."""
        if self.held_bytes + size_bytes > self._together_bytes:
            message = "The hub is busy with other submissions"
            raise Unavailable("overloaded", message, retry_after_s=2)
        self.held_bytes += size_bytes

    async def each_chunk(self, receive: _Receive, take: Callable[[bytes], None]) -> None:
        """Hand each chunk of a request's body to `take`.

        Raises `Refused`: `too-slow` when the sender falls silent, `not-json` when it goes.
        """
        loop = asyncio.get_running_loop()
        more = True
        try:
            # One time-out that is put off again and again: making one for each chunk shows.
            async with asyncio.timeout(self._silence_limit_s) as patience:
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Refused("not-json", "The body ended too early")
                    more = message.get("more_body", False)
                    patience.reschedule(loop.time() + self._silence_limit_s if more else None)
                    take(message.get("body", b""))
        except TimeoutError:
            text = f"Nothing arrived for {self._silence_limit_s:.0f} s"
            raise Refused("too-slow", text) from None


class Upload:
    """One body: what arrived is counted until the work on it is done."""

    def __init__(self, uploads: Uploads, request: Request[Any, Any, Any]) -> None:
        self._uploads = uploads
        self._request = request
        self._held_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._uploads.held_bytes -= self._held_bytes

    async def read(self) -> bytes:
        """The whole body, gunzipped if it says so.

        Raises:
            Refused: `too-large` while it is still arriving, `too-slow`, `wrong-media-type`
                for another content encoding, `not-json` for a broken gzip stream or a body
                that ends too early.
            Unavailable: `overloaded` when too much is being received at once.
        """
        encoding = self._header(b"content-encoding").strip().lower()
        if encoding not in ("", "identity", "gzip"):
            message = f"The content encoding {encoding[:40]!r} is not known here"
            raise Refused("wrong-media-type", message, next_step="Send gzip, or plain JSON.")
        announced = self._header(b"content-length")
        if announced.isdecimal():
            self._uploads.check_size(int(announced))
        gunzip = Gunzip() if encoding == "gzip" else None
        whole, arrived_bytes = bytearray(), 0

        def take(chunk: bytes) -> None:
            nonlocal arrived_bytes, whole
            arrived_bytes += len(chunk)
            self._uploads.check_size(arrived_bytes)
            for plain in gunzip.pieces(chunk) if gunzip else (chunk,):
                self._uploads.check_size(len(whole) + len(plain))
                self._uploads.take(len(plain))
                self._held_bytes += len(plain)
                whole += plain

        await self._uploads.each_chunk(self._request.receive, take)
        if gunzip:
            gunzip.close()
        return bytes(whole)

    def _header(self, name: bytes) -> str:
        # Not by the framework's mapping, which is made of all headers for each request.
        found = next((value for key, value in self._request.scope["headers"] if key == name), b"")
        return bytes(found).decode("latin-1")


class Gunzip:
    """Decompresses gzip members one after the other, a bounded piece at a time."""

    PIECE_BYTES = 1024 * 1024

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """What some more compressed bytes amount to. Raises `Refused("not-json")`."""
        more = bool(data)
        while more:
            if self._inflate.eof:
                self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
            try:
                plain = self._inflate.decompress(data, self.PIECE_BYTES)
            except zlib.error as error:
                raise Refused("not-json", f"The gzip stream is broken: {error}") from error
            data = self._inflate.unconsumed_tail or self._inflate.unused_data
            # A full piece may leave output behind even when all input is taken in.
            more = bool(data) or (len(plain) == self.PIECE_BYTES and not self._inflate.eof)
            yield plain

    def close(self) -> None:
        """Refuse a stream that ended within a member."""
        if not self._inflate.eof:
            raise Refused("not-json", "The gzip stream ends too early")

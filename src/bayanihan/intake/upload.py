"""A request's body as it arrives: counted, gunzipped and refused before it can do harm.

Source: RFC 1952 (a gzip file is one or more members), RFC 9110 section 8.4.1.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Protocol, Self

from bayanihan.core.marking import Viewer
from bayanihan.errors import Refused, Unavailable

# A sender who says nothing for so long has gone away or means harm.
SILENCE_LIMIT_S = 30.0
# So has one who sends less than this over that time, or is not done after that.
LEAST_BYTES_S = 4 * 1024
WHOLE_LIMIT_S = 600.0
# A lone report finds room also while large ones fill the rest.
SMALL_BYTES = 1024 * 1024
_RESERVE_PART = 8

_Receive = Callable[[], Awaitable[Any]]


class Asked(Protocol):
    """A request, as far as its body goes."""

    @property
    def scope(self) -> Any:
        """ASGI's scope, with the `viewer`."""
        ...

    @property
    def receive(self) -> _Receive:
        """ASGI's channel of messages."""
        ...


class Uploads:
    """Takes bodies in, and bounds what they hold in memory together.

    One key holds half of it at the most (one body of full size it may always send), and the
    last eighth is for small bodies, so that no sender shuts out the others.

    Args:
        limit_bytes: of one body, gunzipped.
        together_bytes: of all bodies that are being received or worked on.
        silence_limit_s: how long a sender may pause.
        whole_limit_s: how long one body may take.
    """

    def __init__(
        self,
        limit_bytes: int,
        together_bytes: int,
        silence_limit_s: float = SILENCE_LIMIT_S,
        whole_limit_s: float = WHOLE_LIMIT_S,
    ) -> None:
        self._limit_bytes = limit_bytes
        self._together_bytes = together_bytes
        self._share_bytes = max(limit_bytes, together_bytes // 2)
        self._silence_limit_s = silence_limit_s
        self._whole_limit_s = whole_limit_s
        self._held: Counter[str] = Counter()

    @property
    def held_bytes(self) -> int:
        """What all bodies hold now."""
        return self._held.total()

    def upload(self, request: Asked) -> Upload:
        """The body of one request; use it as a context manager around the work on it."""
        return Upload(self, request)

    def check_size(self, size_bytes: int) -> None:
        """Refuse a body of more than the limit. Raises `Refused("too-large")`."""
        if size_bytes > self._limit_bytes:
            limit_mib = self._limit_bytes // 1024 // 1024
            raise Refused("too-large", f"One submission may hold {limit_mib} MiB")

    def take(self, size_bytes: int, key: str = "", before_bytes: int = 0) -> None:
        """Count bytes that arrived, of a body that holds `before_bytes` already.

        Raises:
            Unavailable: `overloaded` when all is full, or the key's own share.
        """
        if self._held[key] + size_bytes > self._share_bytes:
            message = "The hub is busy with other submissions under this key"
            raise Unavailable("overloaded", message, retry_after_s=2)
        small = before_bytes + size_bytes <= SMALL_BYTES
        reserve_bytes = 0 if small else self._together_bytes // _RESERVE_PART
        if self.held_bytes + size_bytes > self._together_bytes - reserve_bytes:
            message = "The hub is busy with other submissions"
            raise Unavailable("overloaded", message, retry_after_s=2)
        self._held[key] += size_bytes

    async def each_chunk(self, receive: _Receive, take: Callable[[bytes], None]) -> None:
        """Hand each chunk of a request's body to `take`.

        Raises `Refused`: `too-slow` when the sender falls silent or behind, `not-json` when
        it goes.
        """
        try:
            # One time-out that is put off again and again: making one for each chunk shows.
            async with asyncio.timeout(self._silence_limit_s) as patience:
                await self._each_chunk(receive, take, patience)
        except TimeoutError:
            text = f"Nothing arrived for {self._silence_limit_s:.0f} s"
            raise Refused("too-slow", text) from None

    async def _each_chunk(
        self, receive: _Receive, take: Callable[[bytes], None], patience: asyncio.Timeout
    ) -> None:
        loop = asyncio.get_running_loop()
        pace, more = self.pace(), True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Refused("not-json", "The body ended too early")
            more, chunk = message.get("more_body", False), message.get("body", b"")
            now_s = loop.time()
            patience.reschedule(now_s + self._silence_limit_s if more else None)
            pace.check(len(chunk), now_s)
            take(chunk)

    def give_back(self, size_bytes: int, key: str) -> None:
        """Count the bytes of a body as let go."""
        self._held[key] -= size_bytes
        if not self._held[key]:
            del self._held[key]

    def pace(self) -> Pace:
        """The pace of one body that begins now."""
        now_s = asyncio.get_running_loop().time()
        return Pace(now_s, self._silence_limit_s, self._whole_limit_s)


class Pace:
    """Whether a body arrives fast enough to be waited for.

    Args:
        began_s: when it began, on any clock that never jumps.
        window_s: over such a time it must bring `LEAST_BYTES_S` a second.
        whole_limit_s: how long it may take.
    """

    def __init__(self, began_s: float, window_s: float, whole_limit_s: float) -> None:
        self._window_s = window_s
        self._until_s = began_s + whole_limit_s
        self._since_s, self._arrived_bytes = began_s, 0

    def check(self, size_bytes: int, now_s: float) -> None:
        """Count what arrived at a moment. Raises `Refused("too-slow")`."""
        self._arrived_bytes += size_bytes
        if now_s > self._until_s:
            raise Refused("too-slow", "The body takes too long to arrive")
        passed_s = now_s - self._since_s
        if passed_s < self._window_s:
            return
        if self._arrived_bytes < LEAST_BYTES_S * passed_s:
            raise Refused("too-slow", f"Less than {LEAST_BYTES_S} bytes a second arrived")
        self._since_s, self._arrived_bytes = now_s, 0


class Upload:
    """One body: what arrived is counted until the work on it is done."""

    def __init__(self, uploads: Uploads, request: Asked) -> None:
        self._uploads = uploads
        self._request = request
        viewer = request.scope.get("viewer")
        self._key = viewer.key if isinstance(viewer, Viewer) else ""
        self._held_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._uploads.give_back(self._held_bytes, self._key)

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
                self._uploads.take(len(plain), self._key, self._held_bytes)
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

"""`/feeds/{feed}` and `/api/feeds`: the defence feeds over HTTP.

What is served is what the projection has folded so far; the cursor says how far that is.
While a newer version is made and examined, the last good one is served.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from functools import partial
from typing import Any, Protocol, TypeVar

import msgspec
import zstandard
from litestar import Request, get, route
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery
from litestar.response import Response, Stream

from bayanihan.core import feed_delta
from bayanihan.core.feed_delta import Delta
from bayanihan.core.marking import Viewer, viewer_in
from bayanihan.errors import BayanihanError, Refused
from bayanihan.ledger import GoingOn

logger = logging.getLogger(__name__)

# A request waits no longer than this for a new version, where there is a good one.
PATIENCE_S = 1.0
PACKED_LIMIT_BYTES = 64 * 1024 * 1024

_US = 1_000_000
_MAKERS = 2
_PACKED_MIN_BYTES = 1_024
_GZIP_LEVEL = 6
# A window of 2^15, and gzip's own head and tail.
_GZIP_BITS = 31
_STREAMED_MIN_BYTES = 4 * 1024 * 1024
_ZSTD_LEVEL = 6
_Made = TypeVar("_Made")


class Page(Protocol):
    """One of the files of a feed that is a folder."""

    @property
    def size_bytes(self) -> int:
        """Of the file."""

    def pieces(self) -> Iterator[bytes]:
        """The file, a piece at a time."""


class Version(Protocol):
    """What is served of one version of a feed. See `feeds.Rendered`."""

    @property
    def feed(self) -> str:
        """The name that it is served under."""

    @property
    def size_bytes(self) -> int:
        """Of all files together."""

    def pieces(self) -> Iterator[bytes]:
        """The file, a piece at a time."""

    @property
    def sealed(self) -> bool:
        """Whether the digest and the signature are known already."""

    @property
    def pages(self) -> Mapping[str, Page]:
        """The other files of a feed that is a folder, by name."""

    @property
    def media_type(self) -> str:
        """Of the file."""

    @property
    def digest(self) -> str:
        """SHA-256 of the file in hexadecimal."""

    @property
    def signature(self) -> str:
        """The hub's over the digest, base64; "" where it does not sign."""

    @property
    def verified(self) -> bool:
        """Whether the engine accepted exactly these bytes."""

    @property
    def items(self) -> int:
        """How many values are inside."""

    @property
    def etag(self) -> str:
        """Entity tag without quotes."""

    @property
    def cursor(self) -> str:
        """The sealed position."""

    @property
    def position(self) -> int:
        """How far the record was folded for it."""

    @property
    def level(self) -> str:
        """The strictest TLP level inside."""

    @property
    def changed_us(self) -> int:
        """When the content last changed, UTC microseconds."""


class Source(Protocol):
    """Where versions come from. See `feeds.Press`."""

    @property
    def public_key(self) -> str:
        """The key that versions are signed with, base64; "" where they are not."""

    def feed_of(self, path: str) -> str:
        """The feed that a file belongs to. Raises `Refused("not-found")`."""

    def whose(self, viewer: Viewer, profile: str) -> Any:
        """Whose policy counts for a viewer. Raises `Refused("bad-parameter")`."""

    def ready(self, feed: str, audiences: Sequence[int], now_us: int, whose: Any) -> Version | None:
        """The present version, if it is made already."""

    def last_good(
        self, feed: str, audiences: Sequence[int], now_us: int, whose: Any
    ) -> Version | None:
        """The version before, if it may still be served."""

    def version(self, feed: str, audiences: Sequence[int], now_us: int, whose: Any) -> Version:
        """The present version; may take long."""

    def delta(self, found: Any, audiences: Sequence[int], since: str, whose: Any) -> Delta | None:
        """What changed since a cursor; None when that is not known."""

    def listing(self, audiences: Sequence[int], now_us: int, whose: Any) -> list[dict[str, Any]]:
        """Every feed with its counts and what is left out; may take long."""

    def prove(self, audiences: Sequence[int], now_us: Callable[[], int], whose: Any) -> None:
        """Have the engines asked about what was not examined yet, in the background."""


class Counter:
    """Hands out versions: waits for them off the serving loop, and packs each once."""

    def __init__(self, source: Source, now_us: Callable[[], int]) -> None:
        self._source = source
        self._now_us = now_us
        # Making versions competes with serving for the interpreter, so few are made at once.
        self._makers = ThreadPoolExecutor(_MAKERS, thread_name_prefix="press")
        # What is made already never waits for what is being made.
        self._packers = ThreadPoolExecutor(_MAKERS, thread_name_prefix="pack")
        self._packed: OrderedDict[tuple[str, str, str], bytes] = OrderedDict()
        self._packed_bytes = 0

    async def made(self, work: Callable[..., _Made], *arguments: Any) -> _Made:
        """The result of `work`, done by one of the makers."""
        return await asyncio.get_running_loop().run_in_executor(self._makers, work, *arguments)

    async def version(
        self, feed: str, audiences: Sequence[int], whose: Any, shown: int = 0
    ) -> Version:
        """The present version, or the last good one while that takes long or has no room.

        `shown` is how far the asker has seen: what is older is not for them.
        """
        at_us = self._now_us()
        found = self._source.ready(feed, audiences, at_us, whose)
        if found is not None:
            return found
        good = self._source.last_good(feed, audiences, at_us, whose)
        making = asyncio.ensure_future(
            self.made(self._source.version, feed, audiences, at_us, whose)
        )
        if good is None or good.position < shown:
            return await making
        await asyncio.wait([making], timeout=PATIENCE_S)
        if not making.done():
            making.add_done_callback(_noted)
            return good
        if _is_full(making.exception()):
            _noted(making)
            return good
        return making.result()

    async def packed(self, found: Version, body: Body, name: str, coding: str) -> bytes:
        """A body in a coding, packed once for each version."""
        key = (found.etag, name, coding)
        kept = self._packed.get(key)
        if kept is None:
            loop = asyncio.get_running_loop()
            kept = await loop.run_in_executor(self._packers, pack, body.pieces(), coding)
            self._keep(key, kept)
        return kept

    async def sealed(self, found: Version) -> None:
        """Have the digest of a whole file made, which reads it all, and the signature."""
        if not found.sealed:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._packers, lambda: found.signature)

    def _keep(self, key: tuple[str, str, str], kept: bytes) -> None:
        if key not in self._packed:
            self._packed[key] = kept
            self._packed_bytes += len(kept)
        while self._packed_bytes > PACKED_LIMIT_BYTES and len(self._packed) > 1:
            self._packed_bytes -= len(self._packed.popitem(last=False)[1])


# What is listed beside the source's feeds, for a viewer who is known.
Row = Callable[..., dict[str, Any]]


def routes(
    source: Source,
    rights: Callable[[Viewer], Sequence[int]],
    now_us: Callable[[], int],
    match_row: Row | None = None,
    going_on: GoingOn | None = None,
) -> list[HTTPRouteHandler]:
    """The handlers.

    Args:
        source: makes and keeps the versions.
        rights: the ids of the audiences that a viewer may see.
        now_us: the clock, UTC microseconds.
        match_row: what the listing says of the viewer's match list, an exercise's or not.
        going_on: how far an asker has seen, where other nodes serve the same record.
    """
    counter = Counter(source, now_us)

    @route("/feeds/{feed:path}", http_method=[HttpMethod.GET, HttpMethod.HEAD], status_code=200)
    async def show_feed(
        request: Request[Any, Any, Any],
        feed: FromPath[str],
        since: FromQuery[str] = "",
        profile: FromQuery[str] = "",
    ) -> Response[bytes] | Stream:
        """A defence feed as you may see it: the whole present set, in one engine's format.

        Send the `ETag` back as `If-None-Match`; 304 says that nothing changed. `Bayanihan-Digest`
        is the SHA-256 of the body, `Bayanihan-Cursor` what a receipt names, `Bayanihan-TLP` the
        strictest marking inside, `Bayanihan-Signature` the hub's over the digest, made with
        `Bayanihan-Key`. With `since`,
        the cursor of the version that you have, only what changed is sent, where that is known;
        `Bayanihan-Delta` says which of the two came. `profile` is what loads the feed: `office`,
        `mail`, or `control-network`, for which nothing ever blocks.
        """
        viewer = _entitled(request)
        audiences = rights(viewer)
        whose = source.whose(viewer, profile)
        path = feed.removeprefix("/")
        condition = request.headers.get("if-none-match", "")
        shown = going_on.shown(condition, since) if going_on else 0
        if going_on:
            await going_on.reach(shown)
        found = await counter.version(source.feed_of(path), audiences, whose, shown)
        headers = headers_of(found)
        if matches(condition, found.etag):
            return Response(b"", status_code=304, headers=_typed(headers, found.media_type))
        body, name = _file(found, path), path
        if since:
            delta = source.delta(found, audiences, since, whose)
            headers["Bayanihan-Delta"] = "since" if delta else "whole"
            if delta:
                text = msgspec.json.encode(delta)
                body, name = Body(lambda: iter((text,)), len(text), feed_delta.MEDIA_TYPE), since
                headers |= _seal(delta.digest, delta.signature, source.public_key)
        if body.media_type != feed_delta.MEDIA_TYPE:
            await counter.sealed(found)
            headers |= _seal(f"sha-256={found.digest}", found.signature, source.public_key)
        coding = coding_of(request.headers.get("accept-encoding", ""), body.size_bytes)
        if coding:
            packed = await counter.packed(found, body, f"{path} {name}", coding)
            body = msgspec.structs.replace(body, pieces=lambda: iter((packed,)))
            body = msgspec.structs.replace(body, size_bytes=len(packed))
            headers["Content-Encoding"] = coding
        return _answer(body, headers, empty=request.method == "HEAD")

    return [show_feed, _listing(counter, source, rights, now_us, match_row)]


def _listing(
    counter: Counter,
    source: Source,
    rights: Callable[[Viewer], Sequence[int]],
    now_us: Callable[[], int],
    match_row: Row | None,
) -> HTTPRouteHandler:
    @get("/api/feeds")
    async def list_feeds(
        request: Request[Any, Any, Any], profile: FromQuery[str] = ""
    ) -> Response[bytes]:
        """Every feed as you may see it: counts, what is held and what it cannot express.

        Each value that is held has its mode (`alert`, `shadow` or `held`) and the reason.
        `profile` is as for a feed.
        """
        viewer = _entitled(request)
        audiences = rights(viewer)
        whose = source.whose(viewer, profile)
        rows = await counter.made(source.listing, audiences, now_us(), whose)
        source.prove(audiences, now_us, whose)
        if match_row is not None and viewer.key:
            for exercise in (False, True):
                row = partial(match_row, viewer, exercise=exercise)
                rows.append(await asyncio.to_thread(row))
        return Response(
            msgspec.json.encode(rows),
            media_type="application/json",
            headers={"Cache-Control": "private"},
        )

    return list_feeds


def headers_of(found: Version) -> dict[str, str]:
    """The headers of a version, with or without its body."""
    return {
        "ETag": f'"{found.etag}"',
        "Cache-Control": "private",
        "Vary": "Accept-Encoding, Authorization",
        "Last-Modified": formatdate(found.changed_us // _US, usegmt=True),
        "Bayanihan-Cursor": found.cursor,
        "Bayanihan-Items": str(found.items),
        "Bayanihan-TLP": found.level.upper(),
        "Bayanihan-Verified": "yes" if found.verified else "no",
        "X-Content-Type-Options": "nosniff",
    }


def matches(condition: str, etag: str) -> bool:
    """Whether an `If-None-Match` names the tag, weakly compared (RFC 9110 section 13.1.2).

    Tags of ours hold no comma, so the list may be cut at commas.
    """
    tags = {tag.strip().removeprefix("W/") for tag in condition.split(",")}
    return "*" in tags or f'"{etag}"' in tags


def coding_of(accepted: str, size_bytes: int) -> str:
    """The content coding for an `Accept-Encoding`, "" for none (RFC 9110 section 12.5.3)."""
    if size_bytes < _PACKED_MIN_BYTES:
        return ""
    weights: dict[str, float] = {}
    for part in accepted.lower().split(","):
        name, _, weight = part.strip().partition(";")
        try:
            weights[name.strip()] = float(weight.strip().removeprefix("q=") or "1")
        except ValueError:
            continue
    for name in ("zstd", "gzip"):
        if weights.get(name, 0) > 0:
            return name
    return ""


def pack(pieces: Iterable[bytes], coding: str) -> bytes:
    """A body in a content coding, the same bytes at every making."""
    if coding == "gzip":
        gzip = zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_BITS)
        return b"".join((*map(gzip.compress, pieces), gzip.flush()))
    zstd = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compressobj()
    return b"".join((*map(zstd.compress, pieces), zstd.flush()))


class Body(msgspec.Struct, frozen=True):
    """What is answered: its pieces, made anew at each call, and what they are."""

    pieces: Callable[[], Iterator[bytes]]
    size_bytes: int
    media_type: str


def _file(found: Version, path: str) -> Body:
    """A file of a feed; the feed's own, or one of its folder."""
    if path == found.feed:
        size_bytes = found.size_bytes - sum([page.size_bytes for page in found.pages.values()])
        return Body(found.pieces, size_bytes, found.media_type)
    start = "exercise-" if path.startswith("exercise-") else ""
    page = found.pages.get(path.removeprefix(start))
    if page is None:
        raise Refused("not-found", "There is no such file in this feed", where="feed")
    kind = "text/csv" if path.endswith(".csv") else "application/json"
    return Body(page.pieces, page.size_bytes, kind)


def _answer(body: Body, headers: dict[str, str], *, empty: bool) -> Response[bytes] | Stream:
    """A small body as it is, a large one a piece at a time."""
    headers = _typed(headers, body.media_type) | {"Content-Length": str(body.size_bytes)}
    if empty or body.size_bytes <= _STREAMED_MIN_BYTES:
        whole = b"" if empty else b"".join(body.pieces())
        return Response(whole, headers=headers)
    return Stream(body.pieces, headers=headers)


def _typed(headers: dict[str, str], media_type: str) -> dict[str, str]:
    # The framework adds a charset of its own to what it is told as a media type.
    return {**headers, "Content-Type": media_type}


def _seal(digest: str, signature: str, key: str) -> dict[str, str]:
    if not signature:
        return {"Bayanihan-Digest": digest}
    return {
        "Bayanihan-Digest": digest,
        "Bayanihan-Signature": f"ed25519={signature}",
        "Bayanihan-Key": f"ed25519={key}",
    }


def _is_full(error: BaseException | None) -> bool:
    """Whether there is no room to make a new version; what is made already needs none."""
    return isinstance(error, BayanihanError) and error.code == "disk-full"


def _noted(making: asyncio.Future[Version]) -> None:
    """Take note of what nobody waits for any more."""
    if not making.cancelled() and (error := making.exception()) is not None:
        logger.warning("a feed could not be made: %s", error)


def _entitled(request: Request[Any, Any, Any]) -> Viewer:
    """The viewer, if they may read feeds: everyone without a key, else with scope `feed`."""
    viewer = viewer_in(request.scope)
    if viewer.key and "feed" not in viewer.scopes:
        raise Refused(
            "not-permitted",
            "This key lacks the scope `feed`",
            where="feed",
            next_step="Ask who made your key for one with the scope `feed`.",
        )
    return viewer

"""`/feeds/{feed}` and `/api/feeds`: the defence feeds over HTTP.

What is served is what the projection has folded so far; the cursor says how far that is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from typing import Any, Protocol, TypeVar

import msgspec
from litestar import Request, get, route
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Response

from bayanihan.core.marking import Viewer
from bayanihan.errors import Refused

_US = 1_000_000
_MAKERS = 2
_Made = TypeVar("_Made")


class Version(Protocol):
    """What is served of one version of a feed. See `feeds.Rendered`."""

    @property
    def body(self) -> bytes:
        """The file."""

    @property
    def media_type(self) -> str:
        """Of the file."""

    @property
    def digest(self) -> str:
        """SHA-256 of the file in hexadecimal."""

    @property
    def etag(self) -> str:
        """Entity tag without quotes."""

    @property
    def cursor(self) -> str:
        """The sealed position."""

    @property
    def level(self) -> str:
        """The strictest TLP level inside."""

    @property
    def changed_us(self) -> int:
        """When the content last changed, UTC microseconds."""


class Source(Protocol):
    """Where versions come from. See `feeds.Press`."""

    def ready(self, feed: str, audiences: Sequence[int], now_us: int) -> Version | None:
        """The present version, if it is made already."""

    def version(self, feed: str, audiences: Sequence[int], now_us: int) -> Version:
        """The present version; may take long."""

    def listing(self, audiences: Sequence[int], now_us: int) -> list[dict[str, Any]]:
        """Every feed with its counts and what is left out; may take long."""


def routes(
    source: Source, rights: Callable[[Viewer], Sequence[int]], now_us: Callable[[], int]
) -> list[HTTPRouteHandler]:
    """The handlers.

    Args:
        source: makes and keeps the versions.
        rights: the ids of the audiences that a viewer may see.
        now_us: the clock, UTC microseconds.
    """
    # Making versions competes with serving for the interpreter, so few are made at once.
    makers = ThreadPoolExecutor(_MAKERS, thread_name_prefix="press")

    async def made(work: Callable[..., _Made], *arguments: Any) -> _Made:
        return await asyncio.get_running_loop().run_in_executor(makers, work, *arguments)

    @route("/feeds/{feed:str}", http_method=[HttpMethod.GET, HttpMethod.HEAD], status_code=200)
    async def show_feed(request: Request[Any, Any, Any], feed: FromPath[str]) -> Response[bytes]:
        """A defence feed as you may see it: the whole present set, in one engine's format.

        Send the `ETag` back as `If-None-Match`; 304 says that nothing changed. `Bayanihan-Digest`
        is the SHA-256 of the body, `Bayanihan-Cursor` what a receipt names, `Bayanihan-TLP` the
        strictest marking inside.
        """
        viewer = _entitled(request)
        audiences, at_us = rights(viewer), now_us()
        found = source.ready(feed, audiences, at_us)
        if found is None:
            found = await made(source.version, feed, audiences, at_us)
        headers = headers_of(found)
        if matches(request.headers.get("if-none-match", ""), found.etag):
            return Response(b"", status_code=304, headers=headers, media_type=found.media_type)
        body = b"" if request.method == "HEAD" else found.body
        headers["Content-Length"] = str(len(found.body))
        return Response(body, headers=headers, media_type=found.media_type)

    @get("/api/feeds")
    async def list_feeds(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Every feed as you may see it: counts, what is held and what it cannot express."""
        viewer = _entitled(request)
        rows = await made(source.listing, rights(viewer), now_us())
        return Response(
            msgspec.json.encode(rows),
            media_type="application/json",
            headers={"Cache-Control": "private"},
        )

    return [show_feed, list_feeds]


def headers_of(found: Version) -> dict[str, str]:
    """The headers of a version, with or without its body."""
    return {
        "ETag": f'"{found.etag}"',
        "Cache-Control": "private",
        "Last-Modified": formatdate(found.changed_us // _US, usegmt=True),
        "Bayanihan-Cursor": found.cursor,
        "Bayanihan-Digest": f"sha-256={found.digest}",
        "Bayanihan-TLP": found.level.upper(),
        "X-Content-Type-Options": "nosniff",
    }


def matches(condition: str, etag: str) -> bool:
    """Whether an `If-None-Match` names the tag, weakly compared (RFC 9110 section 13.1.2).

    Tags of ours hold no comma, so the list may be cut at commas.
    """
    tags = {tag.strip().removeprefix("W/") for tag in condition.split(",")}
    return "*" in tags or f'"{etag}"' in tags


def _entitled(request: Request[Any, Any, Any]) -> Viewer:
    """The viewer, if they may read feeds: everyone without a key, else with scope `feed`."""
    viewer: Viewer = request.scope["viewer"]  # type: ignore[typeddict-item]
    if viewer.key and "feed" not in viewer.scopes:
        raise Refused("not-permitted", "This key lacks the scope `feed`", where="feed")
    return viewer

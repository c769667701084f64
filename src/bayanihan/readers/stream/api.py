"""The handler of `/api/stream`, on the transport itself: no framework in between."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any
from urllib.parse import parse_qs

from litestar import asgi
from litestar.exceptions import MethodNotAllowedException
from litestar.handlers import ASGIRouteHandler
from litestar.types import Receive, Scope, Send

from bayanihan.core.marking import Viewer, viewer_in
from bayanihan.core.scope import require_if_signed_in
from bayanihan.errors import Refused, Unavailable
from bayanihan.ledger import Ledger
from bayanihan.readers.stream.broadcast import Broadcast
from bayanihan.readers.stream.frame import joined, reset_frame
from bayanihan.readers.stream.subscriber import PATIENCE_S, Subscriber

logger = logging.getLogger(__name__)

_METHODS = {"allow": "GET, HEAD"}
_END = {"type": "http.response.body", "body": b"", "more_body": False}

_START: dict[str, Any] = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", b"text/event-stream"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
    ],
}


# What the framework cannot tell of a handler that it does not serve.
DESCRIBED: dict[str, Any] = {
    "/api/stream": {
        "get": {
            "summary": "Stream",
            "description": "Entries as server-sent events, as they are accepted; it does not end."
            " Each event's id resumes after it. The event `reset` says that history changed, or"
            " that you read too slowly: begin anew, or with the last id that you have.",
            "operationId": "ApiStream",
            "parameters": [
                {
                    "name": "Last-Event-ID",
                    "in": "header",
                    "description": "The id after which to go on.",
                    "schema": {"type": "string"},
                },
                {
                    "name": "after",
                    "in": "query",
                    "description": "The same; `now` for what is new alone.",
                    "schema": {"type": "string"},
                },
            ],
            "responses": {
                "200": {
                    "description": "A stream that stays open, with a comment every 15 s.",
                    "content": {"text/event-stream": {"schema": {"type": "string"}}},
                }
            },
        }
    }
}


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _header(scope: Scope, name: bytes) -> str:
    found = next((value for key, value in scope["headers"] if key == name), b"")
    return bytes(found).decode("latin-1")


def routes(broadcast: Broadcast, ledger: Ledger) -> list[ASGIRouteHandler]:
    """The handler of `/api/stream`."""

    async def catch_up(subscriber: Subscriber, after: int) -> None:
        """Send what the reader missed, page by page, until it stands where the loop does."""
        while broadcast.still(subscriber.viewer):
            frames, after = broadcast.frames(subscriber.viewer, after, broadcast.position)
            for piece in joined(frames):
                await subscriber.send(piece)
            if not frames and after == broadcast.position:
                broadcast.join(subscriber)  # nothing ran between the empty page and this
                return
        subscriber.close()

    async def serve(subscriber: Subscriber, resume_after: str) -> None:
        try:
            if resume_after == "now":
                after = broadcast.newest(subscriber.viewer)
                # An id without data tells where to resume, and is no event.
                await subscriber.send(b"id: %b\n\n" % ledger.cursors.seal(after).encode())
            else:
                after = ledger.cursors.open(resume_after)
            await catch_up(subscriber, after)
        except Refused as error:
            await subscriber.send(reset_frame(error.code, error.message))
            subscriber.close()
        except Exception:
            logger.exception("a stream broke off")
            subscriber.close()

    @asgi("/api/stream", copy_scope=False)
    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        """Entries as server-sent events; `Last-Event-ID` or `?after=` resumes."""
        subscriber = Subscriber(_entitled(scope, broadcast), send)
        broadcast.enter(subscriber)
        try:
            await send(_START)  # type: ignore[arg-type]
            if scope.get("asked") == "HEAD":
                subscriber.close()
            serving = serve(subscriber, _header(scope, b"last-event-id") or _after(scope))
            await _attended(subscriber, serving, receive, send)
        finally:
            broadcast.leave(subscriber)
            subscriber.close()

    return [stream]


async def _attended(
    subscriber: Subscriber, serve: Coroutine[Any, Any, None], receive: Receive, send: Send
) -> None:
    """Serve a stream until its reader goes, or it is ended."""
    gone = asyncio.ensure_future(_disconnected(receive))
    ended = asyncio.ensure_future(subscriber.ended.wait())
    serving = asyncio.ensure_future(serve)
    try:
        await asyncio.wait((gone, ended), return_when=asyncio.FIRST_COMPLETED)
        serving.cancel()
        if not gone.done():
            async with asyncio.timeout(PATIENCE_S):
                await subscriber.finish()
                await send(_END)  # type: ignore[arg-type]
    except TimeoutError:
        logger.info("a stream was given up: its reader takes nothing")
    finally:
        for task in (gone, ended, serving):
            task.cancel()


def _entitled(scope: Scope, broadcast: Broadcast) -> Viewer:
    """The viewer, if they may open a stream now."""
    if scope["method"] != "GET":  # type: ignore[typeddict-item]
        raise MethodNotAllowedException(headers=_METHODS)
    viewer = viewer_in(scope)
    require_if_signed_in(viewer, "read")
    if broadcast.stopped:
        raise Unavailable("stopping", "The hub is being stopped", retry_after_s=2)
    return viewer


def _after(scope: Scope) -> str:
    values = parse_qs(scope["query_string"].decode("latin-1")).get("after", [""])
    return values[0]

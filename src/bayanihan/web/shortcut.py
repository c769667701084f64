"""A way past the framework for the two requests that are made most.

A lone report costs the framework as much as its check and its commit together, and a poll of a
collection four times its page. What takes the shortcut is one method at one address; the viewer
is known by then, and errors are rendered by the same functions. The framework still has the
routes, for reports with parameters, other methods and the published description.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, NamedTuple

from litestar import Request
from litestar.types import ASGIApp, Receive, Scope, Send

from bayanihan.errors import BayanihanError
from bayanihan.web.errors import on_any, on_ours


class Plain(NamedTuple):
    """A request without the framework around it."""

    scope: Any
    receive: Callable[[], Awaitable[Any]]


Handler = Callable[[Plain], Awaitable[bytes]]
"""Answers a request with JSON, or raises."""

Answer = tuple[Iterable[tuple[bytes, bytes]], bytes]
"""Headers, but for the length, and a body."""

Reader = Callable[[Any], Awaitable[Answer] | None]
"""Answers a GET by its scope, or raises; None where it is not for it to answer."""


def past_the_framework(
    app: ASGIApp, handlers: Mapping[tuple[str, str], Handler], reader: Reader
) -> ASGIApp:
    """Middleware that answers some requests itself; all others go to `app`.

    Args:
        app: the framework's application, which answers these requests alike.
        handlers: by method and path, for requests without a query.
        reader: tries each GET.
    """

    def taken(scope: Any, receive: Receive) -> Awaitable[Answer] | None:
        asked = scope.get("asked")
        if asked == "GET":
            return reader(scope)
        handler = handlers.get((asked, scope.get("path")))
        if handler is None or scope["query_string"]:
            return None
        return _as_json(handler(Plain(scope, receive)))

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        answering = taken(scope, receive)
        if answering is None:
            await app(scope, receive, send)
            return
        try:
            headers, body = await answering
        except BayanihanError as error:
            request: Request[Any, Any, Any] = Request(scope, receive, send)
            response = on_ours(request, error)
        except Exception as error:
            request = Request(scope, receive, send)
            response = on_any(request, error)
        else:
            await _send(send, headers, body)
            return
        await response.to_asgi_response(None, request)(scope, receive, send)

    return middleware


async def _as_json(answering: Awaitable[bytes]) -> Answer:
    return [(b"content-type", b"application/json")], await answering


async def _send(send: Send, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
    all_ = [*headers, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": all_})
    await send({"type": "http.response.body", "body": body, "more_body": False})

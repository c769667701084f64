"""A way past the framework for the request that desks make most.

A lone report costs the framework as much as its check and its commit together. What takes
the shortcut is one method at one address without a query; the viewer is known by then, and
errors are rendered by the same functions. The framework still has the route, for requests
with parameters and for the published description.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
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


def past_the_framework(app: ASGIApp, handlers: Mapping[tuple[str, str], Handler]) -> ASGIApp:
    """Middleware that answers some requests itself; all others go to `app`.

    Args:
        app: the framework's application, which answers these requests alike.
        handlers: by method and path.
    """

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        place = (scope.get("asked"), scope.get("path"))
        handler = handlers.get(place)  # type: ignore[arg-type]
        if handler is None or scope["query_string"]:
            await app(scope, receive, send)
            return
        try:
            body = await handler(Plain(scope, receive))
        except BayanihanError as error:
            request: Request[Any, Any, Any] = Request(scope, receive, send)
            response = on_ours(request, error)
        except Exception as error:
            request = Request(scope, receive, send)
            response = on_any(request, error)
        else:
            await _send(send, body)
            return
        await response.to_asgi_response(None, request)(scope, receive, send)

    return middleware


async def _send(send: Send, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})

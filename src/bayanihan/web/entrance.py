"""The entrance: who is asking, from where, and whether they may ask now.

Everything that is asked of the hub over HTTP comes through here before any handler.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from bayanihan.core.entrance_order import LimitsOrder, ProxyOrder
from bayanihan.core.marking import PUBLIC, Viewer
from bayanihan.errors import BayanihanError, Refused
from bayanihan.registry import Keyring
from bayanihan.web.errors import refuse
from bayanihan.web.limiter import Limiter, Place
from bayanihan.web.proxy import Proxy, source_of
from bayanihan.web.sign_in import as_routed, id_in, key_text_of
from bayanihan.web.wrong_keys import WrongKeys

ENDLESS = "/api/stream"
# What is larger leaves in two messages: the second waits until the first was taken in.
_LARGE_BYTES = 64 * 1024


class Entrance:
    """Lets requests in.

    Args:
        registry: who opens what with which key.
        limits: what each may ask.
        proxy: of whom headers are believed.
        clock_s: a clock that never jumps.
    """

    def __init__(
        self,
        registry: Keyring,
        limits: LimitsOrder,
        proxy: ProxyOrder,
        clock_s: Callable[[], float],
    ) -> None:
        of_keys = limits.of_keys
        self._registry = registry
        self._clock_s = clock_s
        self._proxy = Proxy(proxy)
        self.wrong = WrongKeys()
        self.limiter = Limiter(
            lambda key_id: registry.key(key_id).limits.over(of_keys),
            limits.of_addresses,
            limits.burst_s,
        )

    def admit(self, scope: Any) -> Place:
        """Put the viewer of a request into its scope; the place that it takes.

        A request without credentials is `PUBLIC`; one with wrong credentials is refused, even
        where none are needed, so that nobody mistakes the public view for their own.

        Raises:
            Refused: `not-signed-in`, `too-large`.
            Unavailable: `too-many`.
        """
        client = scope.get("client")
        address, certified = (client[0] if client else ""), ""
        if self._proxy.expected:
            address, scope["scheme"], certified = self._proxy.arrived(scope)
        authorization, size_bytes = b"", b""
        for name, value in scope["headers"]:
            if name == b"authorization":
                authorization = value
            elif name == b"content-length":
                size_bytes = value
        viewer = PUBLIC
        if authorization:
            viewer = self._sign_in(authorization.decode("latin-1"), address)
        elif certified:
            viewer = self._registry.viewer(certified)
        source = "" if viewer.key else source_of(address)
        endless = scope["path"] == ENDLESS
        place = self.limiter.enter(viewer.key, source, self._clock_s(), endless=endless)
        if place.body_bytes and size_bytes.isdigit() and int(size_bytes) > place.body_bytes:
            if not endless:
                place.open -= 1
            raise _too_large(place)
        scope["viewer"] = viewer
        return place

    def _sign_in(self, authorization: str, address: str) -> Viewer:
        try:
            return self._registry.sign_in(key_text_of(authorization))
        except Refused as error:
            now_s, key_id = self._clock_s(), id_in(authorization)
            raise self.wrong.answer(key_id, source_of(address), now_s, error) from None

    def around(self, app: ASGIApp) -> ASGIApp:
        """Middleware: `app` behind this entrance."""

        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != ScopeType.HTTP:
                await app(scope, receive, send)
                return
            scope = as_routed(scope)
            try:
                place = self.admit(scope)
            except BayanihanError as error:
                await refuse(scope, send, error)
                return
            if scope["path"] == ENDLESS:
                await app(scope, receive, send)
                return
            if place.body_bytes:
                receive = _counted(receive, place)
            try:
                await app(scope, receive, self._taken_in(send, place))
            finally:
                place.open -= 1

        return middleware

    def _taken_in(self, send: Send, place: Place) -> Send:
        """A `send` that ends a large answer only when the client has taken it in."""

        async def taken_in(message: Any) -> None:
            body = message.get("body", b"")
            if len(body) < _LARGE_BYTES or message.get("more_body"):
                await send(message)
                return
            place.unread += len(body)
            self.limiter.unread += len(body)
            try:
                message["more_body"] = True
                await send(message)
                await send({"type": message["type"], "body": b"", "more_body": False})
            finally:
                place.unread -= len(body)
                self.limiter.unread -= len(body)

        return taken_in


def _counted(receive: Receive, place: Place) -> Receive:
    """A `receive` that refuses a body that grows over the limit of its key."""
    arrived_bytes = 0

    async def counted() -> Any:
        nonlocal arrived_bytes
        message: Any = await receive()
        arrived_bytes += len(message.get("body", b""))
        if arrived_bytes > place.body_bytes:
            raise _too_large(place)
        return message

    return counted


def _too_large(place: Place) -> Refused:
    return Refused("too-large", f"One request may hold {place.body_bytes:,} bytes under this key")

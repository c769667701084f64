"""Who is asking: each request's viewer, from its key."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from bayanihan.core.marking import PUBLIC, Viewer
from bayanihan.errors import Refused
from bayanihan.web.errors import rendered

SignIn = Callable[[str], Viewer]


def key_text_of(authorization: str) -> str:
    """The key in an Authorization header: Bearer, or the password of Basic.

    Raises:
        Refused: `not-signed-in` for any other scheme or a broken value.
    """
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic":
        try:
            text = base64.b64decode(rest.strip(), validate=True).decode()
        except (binascii.Error, ValueError):
            text = ""
        _, colon, password = text.partition(":")
        if colon:
            return password
    raise Refused("not-signed-in", "The Authorization header cannot be read")


def as_routed(scope: Any) -> Any:
    """The scope of a request as the routes know it; `asked` keeps the method.

    HEAD is answered as GET is, and the server leaves the body out. What OPTIONS asks is
    what a method that no route knows is told: see `errors.on_http`.
    """
    known = {"HEAD": "GET", "OPTIONS": "-"}
    method = scope["method"]
    return {**scope, "asked": method, "method": known.get(method, method)}


def signing_in(app: ASGIApp, sign_in: SignIn) -> ASGIApp:
    """Middleware that puts the viewer into each request's scope as `viewer`.

    A request without credentials is `PUBLIC`; one with wrong credentials is refused, even
    where none are needed, so that nobody mistakes the public view for their own.
    """

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        scope = as_routed(scope)
        header = next((v for k, v in scope["headers"] if k == b"authorization"), b"")
        viewer = PUBLIC
        if header:
            try:
                viewer = sign_in(key_text_of(header.decode("latin-1")))
            except Refused as error:
                await refuse(send, error, str(scope["path"]))
                return
        scope["viewer"] = viewer  # type: ignore[typeddict-unknown-key]
        await app(scope, receive, send)

    return middleware


async def refuse(send: Send, error: Refused, path: str) -> None:
    """Answer an error before any handler is reached."""
    body, media_type = rendered(path, error)
    await send(
        {
            "type": "http.response.start",
            "status": error.status,
            "headers": [
                (b"content-type", media_type.encode()),
                (b"content-length", b"%d" % len(body)),
                (b"www-authenticate", b'Bearer realm="bayanihan", Basic realm="bayanihan"'),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body, "more_body": False})

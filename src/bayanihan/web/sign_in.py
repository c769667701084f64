"""How credentials are read from a request."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from bayanihan.errors import Refused


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
            text = base64.b64decode(rest.strip(), validate=True)
        except (binascii.Error, ValueError):
            text = b""
        # Whatever the user name is and however it is written: no key holds a colon.
        _, colon, password = text.rpartition(b":")
        if colon:
            return password.decode("latin-1")
    raise Refused("not-signed-in", "The Authorization header cannot be read")


def id_in(authorization: str) -> str:
    """The key's id in a header that opened nothing; "" where it names none."""
    try:
        prefix, _, rest = key_text_of(authorization).partition("_")
    except Refused:
        return ""
    return rest.partition("_")[0][:64] if prefix == "byn" else ""


def as_routed(scope: Any) -> Any:
    """The scope of a request as the routes know it; `asked` keeps the method.

    HEAD is answered as GET is, and the server leaves the body out. What OPTIONS asks is
    what a method that no route knows is told: see `errors.on_http`.
    """
    known = {"HEAD": "GET", "OPTIONS": "-"}
    method = scope["method"]
    return {**scope, "asked": method, "method": known.get(method, method)}

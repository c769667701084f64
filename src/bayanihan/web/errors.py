"""How errors leave over HTTP: one JSON shape, or a page for a person, whatever raised them."""

from __future__ import annotations

import logging
import secrets
from typing import Any

from litestar import Request
from litestar.exceptions import (
    HTTPException,
    InternalServerException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)
from litestar.response import Response
from litestar.types import Send

from bayanihan.errors import (
    TAXII_MEDIA_TYPE,
    BayanihanError,
    Broken,
    Refused,
    as_json,
    as_taxii,
)
from bayanihan.web.render import markup, page
from bayanihan.web.session import token_in

logger = logging.getLogger(__name__)


TAXII_PATH = "/taxii2"
_SIGN_IN = 'Bearer realm="bayanihan", Basic realm="bayanihan"'


def is_taxii(path: str) -> bool:
    """Whether an address belongs to the TAXII interface, a route of it or not."""
    return path == TAXII_PATH or path.startswith(f"{TAXII_PATH}/")


def rendered(path: str, error: BayanihanError) -> tuple[bytes, str]:
    """An error for a program, and its media type: the TAXII message where that is spoken."""
    if is_taxii(path):
        return as_taxii(error), TAXII_MEDIA_TYPE
    return as_json(error), "application/json"


def wants_page(accept: str) -> bool:
    """Whether an Accept header asks for a page: only browsers name `text/html`."""
    kinds = (part.partition(";")[0].strip().lower() for part in accept.split(","))
    return "text/html" in kinds


def answer(request: Request[Any, Any, Any], error: BayanihanError) -> Response[bytes]:
    """An error as an HTTP response, with what the status calls for in the headers."""
    return _shaped(request.scope, error)


def _shaped(scope: Any, error: BayanihanError) -> Response[bytes]:
    path, sent = scope["path"], dict(scope["headers"])
    accept = sent.get(b"accept", b"").decode("latin-1")
    headers = {"Vary": "Accept"}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    if wants_page(accept) and not is_taxii(path):
        if error.status == 401:
            # A browser that was offered Basic would ask for a user name in a box of its own.
            headers["WWW-Authenticate"] = 'Bearer realm="bayanihan"'
        asks = not token_in(sent.get(b"cookie", b"").decode("latin-1"))
        text = markup("error.html", error=error, viewer=None, exercise=False, sign_in=asks)
        return page(text, status=error.status, headers=headers)
    if error.status == 401:
        headers["WWW-Authenticate"] = _SIGN_IN
    body, media_type = rendered(path, error)
    return Response(body, status_code=error.status, media_type=media_type, headers=headers)


async def refuse(scope: Any, send: Send, error: BayanihanError) -> None:
    """Answer an error before any handler is reached."""
    response = _shaped(scope, error)
    body = response.content or b""
    headers = {"Content-Type": response.media_type, **response.headers}
    headers["Content-Length"] = str(len(body))
    listed = [(k.lower().encode(), v.encode("latin-1")) for k, v in headers.items()]
    status = error.status
    await send({"type": "http.response.start", "status": status, "headers": listed})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def on_ours(request: Request[Any, Any, Any], error: BayanihanError) -> Response[bytes]:
    """Render one of our own errors; what is broken is also logged."""
    if isinstance(error, Broken):
        logger.error("%s %s: %s", request.method, request.url.path, error)
    return answer(request, error)


def on_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Render the framework's errors as ours."""
    path = request.url.path
    if isinstance(error, NotFoundException):
        return answer(request, Refused("not-found", "There is nothing at this address", where=path))
    if isinstance(error, MethodNotAllowedException):
        return _not_allowed(request, allowed_of(error))
    if isinstance(error, InternalServerException) and "disconnected" in error.detail:
        # Nobody is left to read this; it is no fault of ours either.
        return answer(request, Refused("not-json", "The body ended too early"))
    if isinstance(error, ValidationException) or error.status_code == 400:
        extra = error.extra if isinstance(error.extra, list) else []
        first: dict[str, Any] = extra[0] if extra and isinstance(extra[0], dict) else {}
        where = str(first.get("key", ""))
        message = str(first.get("message", "")) or error.detail
        return answer(request, Refused("bad-parameter", message, where=where))
    if error.status_code == 413:
        return answer(request, Refused("too-large", "The request is too large"))
    return on_any(request, error)


def allowed_of(error: HTTPException) -> str:
    """The methods that an address knows, from the framework's error."""
    named = (error.headers or {}).get("allow", "")
    methods = {method.strip() for method in named.split(",") if method.strip()}
    if "GET" in methods:
        methods.add("HEAD")
    return ", ".join(sorted({*methods, "OPTIONS"}))


def _not_allowed(request: Request[Any, Any, Any], allowed: str) -> Response[bytes]:
    asked = str(request.scope.get("asked", request.method))
    if asked == "OPTIONS":
        return Response(b"", status_code=204, headers={"Allow": allowed})
    message = f"{asked} does nothing at this address"
    response = answer(request, Refused("method-not-allowed", message, where=request.url.path))
    response.headers["Allow"] = allowed
    return response


def on_any(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """A fault of ours: logged under an id, told without any detail of the inside."""
    if isinstance(error, RecursionError):
        return answer(request, Refused("too-deep", "The body is nested too deeply"))
    error_id = secrets.token_hex(4)
    logger.error("error %s: %s %s", error_id, request.method, request.url.path, exc_info=error)
    return answer(request, Broken("internal", f"The hub failed (error id {error_id})"))

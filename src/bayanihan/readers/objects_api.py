"""GET `/api/objects`: what a viewer may see, as the bytes that were submitted."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Response

from bayanihan.core.marking import Viewer
from bayanihan.core.scope import require_if_signed_in
from bayanihan.errors import Refused
from bayanihan.ledger import Item, Ledger, Where

PAGE_LIMIT = 1_000
_JSON = "application/json"


def latest(ledger: Ledger, viewer: Viewer, object_id: str) -> Item | None:
    """The latest version of an object among those that the viewer may see."""
    found: Item | None = None
    after, more = 0, True
    while more:
        page = ledger.read(viewer, after, PAGE_LIMIT, Where(object_id=object_id))
        for item in page.items:
            if found is None or item.entry.version_us >= found.entry.version_us:
                found = item
        after, more = page.last, page.more
    return found


def routes(ledger: Ledger) -> list[HTTPRouteHandler]:
    """The handlers of GET `/api/objects`."""

    @get("/api/objects")
    async def page_objects(
        request: Request[Any, Any, Any],
        after: FromQuery[str] = "",
        limit: Annotated[int, QueryParameter(ge=1)] = 100,
    ) -> Response[bytes]:
        """A page of the objects that you may see, oldest first, as they were submitted."""
        viewer: Viewer = request.scope["viewer"]  # type: ignore[typeddict-item]
        require_if_signed_in(viewer, "read")
        position = ledger.cursors.open(after)
        page = ledger.read_bodies(viewer, position, min(limit, PAGE_LIMIT))
        cursor = ledger.cursors.seal(page.last).encode() if page.last else b""
        more = b"true" if page.more else b"false"
        return Response(
            b'{"objects":[%b],"more":%b,"next":"%b"}' % (b",".join(page.bodies), more, cursor),
            media_type=_JSON,
        )

    @get("/api/objects/{object_id:str}")
    async def show_object(
        request: Request[Any, Any, Any], object_id: FromPath[str]
    ) -> Response[bytes]:
        """The latest version of one object that you may see."""
        viewer: Viewer = request.scope["viewer"]  # type: ignore[typeddict-item]
        require_if_signed_in(viewer, "read")
        found = latest(ledger, viewer, object_id)
        if found is None:
            raise Refused("not-found", "There is no such object", where=object_id)
        return Response(found.body, media_type=_JSON)

    return [page_objects, show_object]

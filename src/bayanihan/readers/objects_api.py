"""GET `/api/objects`: what a viewer may see, as the bytes that were submitted."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Response

from bayanihan.core import moment
from bayanihan.core.marking import Viewer, house_of, viewer_in
from bayanihan.core.scope import require_if_signed_in
from bayanihan.errors import Refused
from bayanihan.ledger import BodyPage, Entry, Ledger, Where

PAGE_LIMIT = 1_000
_JSON = "application/json"


_TOLD = ("object", "withdrawn", "erased")
_EXERCISE = {"Bayanihan-Exercise": "true"}
_CACHE = {"Cache-Control": "private, no-store"}


def latest(ledger: Ledger, viewer: Viewer, object_id: str) -> Entry:
    """The latest version of an object that the viewer may see and that is not withdrawn.

    Real entries come before those of an exercise. A withdrawal takes out what its origin
    published before it to the same audience. Blocks: it belongs on a worker thread.

    Raises:
        Refused: `not-found`, or `withdrawn` where all of it was taken back.
    """
    found = ledger.newest_about(viewer, object_id, ("object", "withdrawn"))
    gone: set[tuple[str, int, bool]] = set()
    standing: list[Entry] = []
    for entry in found:
        place = (entry.origin, entry.header.audience, entry.header.exercise)
        if entry.header.kind == "withdrawn":
            gone.add(place)
        elif place not in gone:
            standing.append(entry)
    if not standing:
        if gone:
            raise Refused("withdrawn", "This object was withdrawn by its author", where=object_id)
        raise Refused("not-found", "There is no such object", where=object_id)
    return max(standing, key=_rank)


def _rank(entry: Entry) -> tuple[bool, int, int]:
    return (not entry.header.exercise, entry.version_us, entry.position)


def page_of(ledger: Ledger, page: BodyPage) -> bytes:
    """A page as JSON: objects as their bytes, and under `gone` what was taken back.

    `before` is how many of the page's objects stand before it: a later one counts again.
    """
    objects: list[bytes] = []
    gone: list[dict[str, Any]] = []
    for body, stamp_us, kind in zip(page.bodies, page.stamps, page.kinds, strict=True):
        if kind == "object":
            objects.append(body)
            continue
        told = msgspec.json.decode(body)
        names = {"id": told["id"], "kind": kind, "origin": house_of(told["origin"])}
        names |= {"by": told["by"]} if "by" in told else {}
        gone.append({**names, "stamp": moment.render(stamp_us), "before": len(objects)})
    return b'{"objects":[%b],"gone":%b,"more":%b,"next":"%b"}' % (
        b",".join(objects),
        msgspec.json.encode(gone),
        b"true" if page.more else b"false",
        ledger.cursors.seal(page.last).encode() if page.last else b"",
    )


def routes(ledger: Ledger) -> list[HTTPRouteHandler]:
    """The handlers of GET `/api/objects`."""

    @get("/api/objects")
    async def page_objects(
        request: Request[Any, Any, Any],
        after: FromQuery[str] = "",
        limit: Annotated[int, QueryParameter(ge=1)] = 100,
        exercise: FromQuery[bool] = False,
    ) -> Response[bytes]:
        """A page of the objects that you may see, oldest first, as they were submitted.

        What was withdrawn or erased is listed under `gone`. With `exercise=true` the page
        holds what belongs to an exercise, and nothing else; without it, nothing of one.
        """
        viewer = viewer_in(request.scope)
        require_if_signed_in(viewer, "read")
        position = ledger.cursors.open(after)
        where = Where(kinds=_TOLD, exercise=exercise)
        page = ledger.read_bodies(viewer, position, min(limit, PAGE_LIMIT), where)
        headers = {**_CACHE, **(_EXERCISE if exercise else {})}
        return Response(page_of(ledger, page), media_type=_JSON, headers=headers)

    @get("/api/objects/{object_id:str}")
    async def show_object(
        request: Request[Any, Any, Any], object_id: FromPath[str]
    ) -> Response[bytes]:
        """The latest version of one object that you may see.

        An object of an exercise comes with the header `Bayanihan-Exercise: true`.
        """
        viewer = viewer_in(request.scope)
        require_if_signed_in(viewer, "read")

        def find() -> tuple[bytes, bool]:
            entry = latest(ledger, viewer, object_id)
            return ledger.body(viewer, entry.position), entry.header.exercise

        body, is_exercise = await asyncio.to_thread(find)
        headers = {**_CACHE, **(_EXERCISE if is_exercise else {})}
        return Response(body, media_type=_JSON, headers=headers)

    return [page_objects, show_object]

"""`/feeds/match.hmac` and `/api/match/...`: identifiers of persons and accounts, for matching."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from litestar import Request, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, JSONBody, QueryParameter
from litestar.response import Response

from bayanihan.core.marking import Viewer, viewer_in
from bayanihan.core.scope import require
from bayanihan.errors import Refused
from bayanihan.readers.feeds.match_list import LISTED, NAME, MatchLists, Question
from bayanihan.readers.feeds.match_trace import Leak, Tracer

BODY_LIMIT_BYTES = 8_192
TRACE_LIMIT_BYTES = 1_048_576
_PRIVATE = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}


def routes(lists: MatchLists, tracer: Tracer) -> list[HTTPRouteHandler]:
    """The handlers."""

    @get([f"/feeds/{NAME}", f"/feeds/exercise-{NAME}"])
    async def show_match_list(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Your own match list: keyed digests of phone numbers, handles, accounts and meetings.

        Only with a key of scope `feed`. Each recipient's digests differ, so that a list that
        leaks says whose it was. A match is a reason to look, never to freeze.
        """
        viewer = _viewer(request, "feed")
        exercise = request.url.path.rpartition("/")[2] != NAME
        body = await asyncio.to_thread(lists.file, viewer, exercise=exercise)
        return Response(body, media_type="text/plain; charset=us-ascii", headers=_PRIVATE)

    @get("/api/match/keys")
    async def show_match_keys(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The keys of your own match lists, by epoch: a month, with a week's overlap."""
        return _json(lists.keys(_viewer(request, "feed")))

    @post("/api/match/lookups", status_code=200, request_max_body_size=BODY_LIMIT_BYTES)
    async def look_up(request: Request[Any, Any, Any], data: JSONBody[Question]) -> Response[bytes]:
        """Look one identifier up, with the purpose. Who told of it is shown that you did."""
        viewer = _viewer(request, "read")
        if viewer.constituent or not (viewer.member or "admin" in viewer.scopes):
            message = "Look-ups of persons are for members' own staff"
            raise Refused("not-permitted", message, where="key")
        return _json(await asyncio.to_thread(lists.answer, viewer, data))

    @get("/api/match/lookups")
    async def list_look_ups(
        request: Request[Any, Any, Any],
        after: FromQuery[str] = "",
        limit: Annotated[int, QueryParameter(ge=1, le=LISTED)] = LISTED,
    ) -> Response[bytes]:
        """The look-ups that your member made, and those that met what it told of.

        The oldest first; `after` is the `id` of the last one that you have. They are forgotten
        after the days that `lookup_days` of the settings says.
        """
        viewer = _viewer(request, "read")
        if viewer.constituent:
            raise Refused("not-permitted", "This is for members' own staff", where="key")
        return _json(await asyncio.to_thread(lists.asked, viewer, after, limit))

    @post("/api/match/traces", status_code=200, request_max_body_size=TRACE_LIMIT_BYTES)
    async def trace(request: Request[Any, Any, Any], data: JSONBody[Leak]) -> Response[bytes]:
        """Whose key made a leaked match list, or single digests: for the operator, with a reason.

        That you asked is entered in the record under your name. What the digests stand for is
        not shown.
        """
        viewer = _viewer(request, "admin")
        return _json(await asyncio.to_thread(tracer.trace, viewer, data))

    return [show_match_list, show_match_keys, look_up, list_look_ups, trace]


def _json(document: Any) -> Response[bytes]:
    return Response(msgspec.json.encode(document), media_type="application/json", headers=_PRIVATE)


def _viewer(request: Request[Any, Any, Any], scope: str) -> Viewer:
    viewer = viewer_in(request.scope)
    require(viewer, scope)
    return viewer

"""`/api/rulings`, `/api/disputes` and `/api/notices`: what people say about blocks."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated, Any

import msgspec
from litestar import Request, delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.response import Response

from bayanihan.core.marking import Viewer, viewer_in
from bayanihan.core.scope import require
from bayanihan.errors import Refused
from bayanihan.ledger import Ledger, Where
from bayanihan.readers.feeds.disputes import Complaint, Disputes
from bayanihan.readers.feeds.hearing import Hearing, Saying
from bayanihan.readers.feeds.spoken import PAGE, Spoken

PAGE_LIMIT = 1_000
BODY_LIMIT_BYTES = 16_384
_PRIVATE = {"Cache-Control": "private"}


def routes(
    ledger: Ledger, hearing: Hearing, spoken: Spoken, disputes: Disputes
) -> list[HTTPRouteHandler]:
    """The handlers."""
    return [*_speaking(hearing, spoken), *_disputing(disputes), _told(ledger)]


def _speaking(hearing: Hearing, spoken: Spoken) -> list[HTTPRouteHandler]:
    @post("/api/rulings", status_code=201, request_max_body_size=BODY_LIMIT_BYTES)
    async def say(request: Request[Any, Any, Any], data: JSONBody[Saying]) -> dict[str, Any]:
        """Say something about a value that feeds may carry.

        `confirm`: it is bad. `false-positive`: it is not. `claim`: it is your member's own,
        which suspends its block for 72 hours at most, and `release` ends that. `insist`: your
        member blocks it at home all the same, and `desist` ends that. `admit`: it need not wait
        for a spent budget. Whoever told of it gets a notice of a claim or a false positive, and
        whoever sees the value in feeds sees what you say and why: see `GET /api/rulings`.
        """
        return await hearing.say(viewer_in(request.scope), data)

    @get("/api/rulings")
    async def list_rulings(
        request: Request[Any, Any, Any],
        value: FromQuery[str] = "",
        before: FromQuery[str] = "",
        limit: Annotated[int, QueryParameter(ge=1)] = PAGE,
        exercise: FromQuery[bool] = False,
    ) -> Response[bytes]:
        """What was said about values: who, when, what, why and until when, the newest first.

        You see what your own member said, what others said about values in your feeds, and
        what counts at your member's home. `before` is the `next` of the page that you have.
        """
        listed = partial(
            spoken.listed,
            viewer_in(request.scope),
            value=value,
            before=before,
            limit=limit,
            exercise=exercise,
        )
        body = msgspec.json.encode(await asyncio.to_thread(listed))
        return Response(body, media_type="application/json", headers=_PRIVATE)

    return [say, list_rulings]


def _disputing(disputes: Disputes) -> list[HTTPRouteHandler]:
    @post("/api/disputes", status_code=202, request_max_body_size=BODY_LIMIT_BYTES)
    async def dispute(request: Request[Any, Any, Any], data: JSONBody[Complaint]) -> dict[str, str]:
        """Dispute the block of your site, without an account.

        The answer is the same whether anything is blocked or not; whoever told of it gets a
        notice. A few an hour are taken from one address.
        """
        address = request.client.host if request.client else ""
        return await disputes.take(data, address)

    @get("/api/disputes")
    async def list_disputes(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The open disputes, the oldest first: for the operator and members' own staff."""
        _check_staff(viewer_in(request.scope))
        listed = await asyncio.to_thread(disputes.listed)
        return Response(
            msgspec.json.encode(listed), media_type="application/json", headers=_PRIVATE
        )

    @delete("/api/disputes/{dispute_id:str}", status_code=200)
    async def settle(request: Request[Any, Any, Any], dispute_id: FromPath[str]) -> dict[str, str]:
        """Close a dispute that was settled: for the operator."""
        viewer = viewer_in(request.scope)
        require(viewer, "admin")
        if viewer.member:
            raise Refused("not-permitted", "Only the operator closes a dispute", where="id")
        await asyncio.to_thread(disputes.close, dispute_id)
        return {"id": dispute_id, "state": "closed"}

    return [dispute, list_disputes, settle]


def _check_staff(viewer: Viewer) -> None:
    require(viewer, "read")
    if viewer.constituent:
        message = "Disputes are for members' own staff and the operator"
        raise Refused("not-permitted", message, where="key")


def _told(ledger: Ledger) -> HTTPRouteHandler:
    @get("/api/notices")
    async def list_notices(
        request: Request[Any, Any, Any],
        after: FromQuery[str] = "",
        limit: Annotated[int, QueryParameter(ge=1)] = 100,
        exercise: FromQuery[bool] = False,
    ) -> Response[bytes]:
        """The notices that were addressed to you, the oldest first."""
        viewer = viewer_in(request.scope)
        require(viewer, "notice")
        position = ledger.cursors.open(after)
        where = Where(kinds=("notice",), exercise=exercise)
        page = await asyncio.to_thread(
            ledger.read_bodies, viewer, position, min(limit, PAGE_LIMIT), where
        )
        body = b'{"notices":[%b],"more":%b,"next":"%b"}' % (
            b",".join(page.bodies),
            b"true" if page.more else b"false",
            ledger.cursors.seal(page.last).encode() if page.last else b"",
        )
        return Response(body, media_type="application/json", headers=_PRIVATE)

    return list_notices

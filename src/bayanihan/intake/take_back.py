"""Taking an object back: withdrawal, which everybody is told, and erasure of the bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from litestar import Request, delete, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery

from bayanihan.core import moment
from bayanihan.core.marking import Viewer
from bayanihan.core.scope import require
from bayanihan.errors import Refused
from bayanihan.ledger import Draft, Entry, Ledger, Where

_PAGE = 1_000
REASON_LIMIT = 1_000


def checked_reason(reason: str) -> str:
    """A reason that is short enough for an entry. Raises `Refused("bad-parameter")`."""
    if len(reason) > REASON_LIMIT:
        message = f"A reason is {REASON_LIMIT} characters at most"
        raise Refused("bad-parameter", message, where="reason")
    return reason


def own_entries(ledger: Ledger, viewer: Viewer, object_id: str) -> list[Entry]:
    """Every entry of an object that the viewer's own origin has published.

    Raises:
        Refused: `not-found` when there is none, whatever others have published.
    """
    own: list[Entry] = []
    after, more = 0, True
    while more:
        page = ledger.read(viewer, after, _PAGE, Where(object_id=object_id))
        own += [item.entry for item in page.items if item.entry.origin == viewer.origin]
        after, more = page.last, page.more
    if not own:
        raise Refused("not-found", "You have published no such object", where=object_id)
    return own


def withdrawals(
    ledger: Ledger, viewer: Viewer, object_id: str, reason: str, own: Sequence[Entry]
) -> list[Draft]:
    """A `withdrawn` entry for each audience that the object went to, and for no other."""
    audiences = ledger.store.audiences()
    at = moment.render(ledger.now_us())
    body = {"id": object_id, "origin": viewer.origin, "reason": reason, "at": at}
    places = sorted({(entry.header.audience, entry.header.exercise) for entry in own})
    return [
        Draft(
            "withdrawn",
            audiences[audience - 1],
            author=viewer.person,
            origin=viewer.origin,
            object_id=object_id,
            body=msgspec.json.encode(body),
            exercise=exercise,
        )
        for audience, exercise in places
    ]


def routes(ledger: Ledger, taken_back: Callable[[Sequence[int]], None]) -> list[HTTPRouteHandler]:
    """The handlers that take objects back.

    Args:
        ledger: the record.
        taken_back: told the positions whose bytes are gone, and those of withdrawals, on a
            worker thread, so that no restored backup brings anything back.
    """

    @delete("/api/objects/{object_id:str}", status_code=200)
    async def withdraw_object(
        request: Request[Any, Any, Any], object_id: FromPath[str], reason: FromQuery[str] = ""
    ) -> dict[str, Any]:
        """Withdraw an object that you published: it leaves every feed at once."""
        viewer: Viewer = request.scope["viewer"]  # type: ignore[typeddict-item]
        require(viewer, "report")
        own = own_entries(ledger, viewer, object_id)
        drafts = withdrawals(ledger, viewer, object_id, checked_reason(reason), own)
        appended = await ledger.append_soon(drafts)
        await asyncio.to_thread(taken_back, [each.position for each in appended])
        return {"id": object_id, "withdrawn": len(drafts)}

    @post("/api/objects/{object_id:str}/erase", status_code=200)
    async def erase_object(
        request: Request[Any, Any, Any], object_id: FromPath[str], reason: FromQuery[str] = ""
    ) -> dict[str, Any]:
        """Erase every version of an object that you published: its bytes are gone for good.

        Its place in the record stays, so that every proof stays valid.
        """
        viewer: Viewer = request.scope["viewer"]  # type: ignore[typeddict-item]
        require(viewer, "report")

        def erase() -> int:
            positions = ledger.erase(viewer, object_id, checked_reason(reason))
            taken_back(positions)
            return len(positions)

        return {"id": object_id, "erased": await asyncio.to_thread(erase)}

    return [withdraw_object, erase_object]

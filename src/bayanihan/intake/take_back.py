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
from bayanihan.core.marking import Viewer, house_of, viewer_in, voice_of
from bayanihan.core.scope import require
from bayanihan.errors import Refused
from bayanihan.intake.acts import Acts
from bayanihan.ledger import Draft, Entry, Ledger

REASON_LIMIT = 1_000


def checked_reason(reason: str) -> str:
    """A reason that is short enough for an entry. Raises `Refused("bad-parameter")`."""
    if len(reason) > REASON_LIMIT:
        message = f"A reason is {REASON_LIMIT} characters at most"
        raise Refused("bad-parameter", message, where="reason")
    return reason


def own_entries(ledger: Ledger, viewer: Viewer, object_id: str) -> list[Entry]:
    """The entries of an object that the viewer's own origin has published, newest first.

    Blocks: it belongs on a worker thread.

    Raises:
        Refused: `not-found` when there is none, whatever others have published.
    """
    origin = viewer.filed_under
    own = ledger.newest_about(viewer, object_id, origin=origin) if viewer.key else []
    if viewer.serves:  # what it entered, and not what the member did
        own = [entry for entry in own if voice_of(origin, entry.author) == viewer.voice]
    if not own:
        raise Refused("not-found", "You have published no such object", where=object_id)
    return own


def withdrawals(
    ledger: Ledger, viewer: Viewer, object_id: str, reason: str, own: Sequence[Entry]
) -> list[Draft]:
    """A `withdrawn` entry for each audience that the object went to, and for no other.

    Where it was withdrawn already and not published again since, nothing more is said.
    """
    told = ledger.newest_about(viewer, object_id, ("withdrawn",), origin=viewer.filed_under)
    said = {(entry.header.audience, entry.header.exercise): entry.position for entry in told[::-1]}
    audiences = ledger.store.audiences()
    at = moment.render(ledger.now_us())
    # Everybody who is told reads the body, so it names the member and none of its constituents.
    by = {"by": viewer.voice} if viewer.serves else {}
    body = {"id": object_id, "origin": house_of(viewer.filed_under), **by}
    body |= {"reason": reason, "at": at}
    found = [((entry.header.audience, entry.header.exercise), entry.position) for entry in own]
    places = sorted({place for place, position in found if position > said.get(place, 0)})
    return [
        Draft(
            "withdrawn",
            audiences[audience - 1],
            author=viewer.person,
            origin=viewer.filed_under,
            object_id=object_id,
            body=msgspec.json.encode(body),
            exercise=exercise,
        )
        for audience, exercise in places
    ]


async def withdraw(
    ledger: Ledger,
    viewer: Viewer,
    object_id: str,
    reason: str,
    taken_back: Callable[[Sequence[int]], None],
    *,
    exercise: bool | None = None,
) -> int:
    """Withdraw what the viewer's origin published under an id; how many audiences are told.

    Args:
        ledger: the record.
        viewer: who asks.
        object_id: what is taken back.
        reason: told with it.
        taken_back: told the positions of the withdrawals, on a worker thread.
        exercise: what of it: that of exercises, the real thing, or None for both.

    Raises:
        Refused: `not-found` when there is nothing of theirs.
    """

    def find() -> list[Draft]:
        own = own_entries(ledger, viewer, object_id)
        if exercise is not None:
            own = [entry for entry in own if entry.header.exercise == exercise]
        return withdrawals(ledger, viewer, object_id, reason, own)

    drafts = await asyncio.to_thread(find)
    if drafts:
        appended = await ledger.append_soon(drafts)
        await asyncio.to_thread(taken_back, [each.position for each in appended])
    return len(drafts)


def routes(
    ledger: Ledger, taken_back: Callable[[Sequence[int]], None], acts: Acts
) -> list[HTTPRouteHandler]:
    """The handlers that take objects back.

    Args:
        ledger: the record.
        acts: notes what is done in another's name.
        taken_back: told the positions whose bytes are gone, and those of withdrawals, on a
            worker thread, so that no restored backup brings anything back.
    """

    @delete("/api/objects/{object_id:str}", status_code=200)
    async def withdraw_object(
        request: Request[Any, Any, Any], object_id: FromPath[str], reason: FromQuery[str] = ""
    ) -> dict[str, Any]:
        """Withdraw an object that you published: it leaves every feed at once."""
        viewer = viewer_in(request.scope)
        require(viewer, "report", for_another=True)
        said = checked_reason(reason)
        await asyncio.to_thread(acts.note, viewer, "withdrawn", [object_id])
        told = await withdraw(ledger, viewer, object_id, said, taken_back)
        return {"id": object_id, "withdrawn": told}

    @post("/api/objects/{object_id:str}/erase", status_code=200)
    async def erase_object(
        request: Request[Any, Any, Any], object_id: FromPath[str], reason: FromQuery[str] = ""
    ) -> dict[str, Any]:
        """Erase every version of an object that you published: its bytes are gone for good.

        Its place in the record stays, so that every proof stays valid.
        """
        viewer = viewer_in(request.scope)
        require(viewer, "report")

        def erase() -> int:
            positions = ledger.erase(viewer, object_id, checked_reason(reason))
            taken_back(positions)
            return len(positions)

        return {"id": object_id, "erased": await asyncio.to_thread(erase)}

    return [withdraw_object, erase_object]

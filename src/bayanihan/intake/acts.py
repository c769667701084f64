"""What a named proxy does in another member's name, noted before it is done.

The notes are state. What entered the record is looked up in it when the list is asked for: a
note without an entry is an act that did not come to pass.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec
from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, QueryParameter

from bayanihan.core import moment
from bayanihan.core.marking import Viewer, viewer_in, voice_of
from bayanihan.core.scope import require
from bayanihan.errors import Refused
from bayanihan.ledger import Change, Ledger

ROOM = "served"
NOTE_IDS = 1_000
LISTED = 100


class Note(msgspec.Struct, frozen=True):
    """One act: when, by whom, what, and the objects or the draft that it was about."""

    at_us: int
    by: str
    act: str
    ids: tuple[str, ...]


_decode = msgspec.json.Decoder(Note).decode


class Acts:
    """Notes what is done in another's name, and lists it for that other.

    Args:
        ledger: the record, and the state that notes lie in.
        check: lets a named proxy pass while it serves; raises `Refused`.
    """

    def __init__(self, ledger: Ledger, check: Callable[[Viewer], None]) -> None:
        self._ledger = ledger
        self._check = check

    def note(self, viewer: Viewer, act: str, ids: Sequence[str]) -> None:
        """Note an act of a named proxy; of anybody else nothing is noted. Blocks.

        Raises:
            Refused: `not-signed-in` once its consent has ended.
        """
        if not viewer.serves:
            return
        self._check(viewer)
        at_us, changes = self._ledger.now_us(), []
        for start in range(0, len(ids), NOTE_IDS):
            value = msgspec.json.encode(
                Note(at_us, viewer.person, act, tuple(ids[start : start + NOTE_IDS]))
            )
            key = f"{viewer.serves}/{at_us:017d}-{hashlib.sha256(value).hexdigest()[:16]}"
            changes.append(Change(ROOM, key, value))
        self._ledger.state.put(changes)

    def of(self, viewer: Viewer, after: str, limit: int) -> dict[str, Any]:
        """A page of what was done in the name of the viewer's member, the oldest first. Blocks."""
        found = self._ledger.state.list(ROOM, f"{viewer.member}/", after, limit)
        told = [self._told(viewer, _decode(each.value)) for each in found]
        onward = found[-1].key if len(found) == limit else ""
        return {"member": viewer.member, "acts": told, "next": onward}

    def _told(self, viewer: Viewer, note: Note) -> dict[str, Any]:
        told = {"at": moment.render(note.at_us), "by": note.by, "act": note.act}
        if note.act not in ("entered", "withdrawn"):
            return {**told, "draft": note.ids[0]}
        seen = [each for each in note.ids if self._entered(viewer, each, note)]
        return {**told, "ids": seen, "not_there": len(note.ids) - len(seen)}

    def _entered(self, viewer: Viewer, object_id: str, note: Note) -> bool:
        kinds = ("object",) if note.act == "entered" else ("withdrawn",)
        about = self._ledger.newest_about(viewer, object_id, kinds, origin=viewer.member)
        return any(voice_of(each.origin, each.author) != each.origin for each in about)


def routes(acts: Acts) -> list[HTTPRouteHandler]:
    """The handler that lists what was done in a member's name."""

    @get("/api/members/{code:str}/proxy/acts")
    async def list_acts(
        request: Request[Any, Any, Any],
        code: FromPath[str],
        after: FromQuery[str] = "",
        limit: Annotated[int, QueryParameter(ge=1, le=LISTED)] = LISTED,
    ) -> dict[str, Any]:
        """Everything that a named proxy did in a member's name, for that member's own staff.

        Where `next` is not empty, it is the `after` of the next page. `not_there` counts what
        did not enter the record, was erased since, or may be seen no longer.
        """
        viewer = viewer_in(request.scope)
        require(viewer, "read")
        if viewer.member != code or viewer.constituent:
            raise Refused(
                "not-permitted",
                f"What was done in the name of {code[:40]} is told to its own staff",
                where="code",
                next_step=f"Sign in with a key of {code[:40]}.",
            )
        return await asyncio.to_thread(acts.of, viewer, after, limit)

    return [list_acts]

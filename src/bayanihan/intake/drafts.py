"""Drafts of reports: what a person confirms, edits or drops before anything is shared.

A draft lies in `state`, under the member (or the operator) whose people may see it. Its
constituent sees it too, and a named proxy those made since it serves, and nobody else; where
it is not theirs, it is not there.
"""

from __future__ import annotations

import heapq
from typing import Any

import msgspec

from bayanihan.core.marking import Viewer
from bayanihan.errors import Refused
from bayanihan.ledger import Change, Ledger

ROOM = "drafts"
LIST_LIMIT = 200
KEEP_DAYS = 90
_DAY_US = 24 * 3_600 * 1_000_000


class Draft(msgspec.Struct, omit_defaults=False):
    """One draft as it is kept. `content` is what its address answers.

    `by` names both where a named proxy made it for its origin; "" where the origin did.
    """

    id: str
    origin: str
    created_us: int
    content: dict[str, Any]
    by: str = ""


class _Glance(msgspec.Struct):
    """What decides whether a draft is listed, without its content."""

    id: str
    origin: str
    created_us: int


_decode = msgspec.json.Decoder(Draft).decode
_glance = msgspec.json.Decoder(_Glance).decode


class Drafts:
    """The drafts of one hub.

    Args:
        ledger: whose state they lie in.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def put(self, draft: Draft, version: int | None = None) -> None:
        """Keep a draft. Raises `Refused("conflict")` when another change came between."""
        key = _key(_desk(draft.origin), draft.id)
        change = Change(ROOM, key, msgspec.json.encode(draft), version)
        if not self._ledger.state.put([change]):
            raise Refused(
                "conflict",
                "Somebody else changed this draft meanwhile",
                next_step="Read it again, then repeat your change.",
            )

    def get(self, viewer: Viewer, draft_id: str) -> tuple[Draft, int]:
        """A draft with its version. Raises `Refused("not-found")`."""
        key = _key(_desk(viewer.filed_under), draft_id)
        document = self._ledger.state.get(ROOM, key) if viewer.key and draft_id else None
        draft = _decode(document.value) if document else None
        if document is None or draft is None or not _may_see(viewer, draft):
            raise Refused("not-found", "There is no such draft", where=draft_id[:60])
        return draft, document.version

    def drop(self, viewer: Viewer, draft_id: str) -> None:
        """Drop a draft for good. Raises `Refused("not-found")`."""
        draft, version = self.get(viewer, draft_id)
        key = _key(_desk(draft.origin), draft.id)
        self._ledger.state.put([Change(ROOM, key, None, version)])

    def seen_by(self, viewer: Viewer) -> list[Draft]:
        """The newest `LIST_LIMIT` drafts that a viewer may see, the newest first."""
        newest: list[tuple[int, str, bytes]] = []
        after = ""
        desk = f"{_desk(viewer.filed_under)}/"
        while found := self._ledger.state.list(ROOM, desk, after, LIST_LIMIT):
            for document in found:
                glance = _glance(document.value)
                if _may_see(viewer, glance):
                    newest.append((glance.created_us, glance.id, document.value))
            newest = heapq.nlargest(LIST_LIMIT, newest)
            after = found[-1].key
        return [_decode(value) for _, _, value in newest]

    def forget_old(self) -> int:
        """Drop what was made more than `KEEP_DAYS` ago; how many. Blocks."""
        until_us, count, after = self._ledger.now_us() - KEEP_DAYS * _DAY_US, 0, ""
        while found := self._ledger.state.list(ROOM, "", after, LIST_LIMIT):
            old = [each for each in found if _glance(each.value).created_us < until_us]
            if old:
                self._ledger.state.put([Change(ROOM, each.key, None) for each in old])
            count, after = count + len(old), found[-1].key
        return count


def _desk(origin: str) -> str:
    """Whose people look after it: the member of a constituent, the member itself, or HUB."""
    return origin.partition("/")[0]


def _key(desk: str, draft_id: str) -> str:
    return f"{desk}/{draft_id}"


def _may_see(viewer: Viewer, draft: Draft | _Glance) -> bool:
    if draft.created_us < viewer.serves_since_us:
        return False  # from before the consent
    return viewer.filed_under == draft.origin or (
        not viewer.constituent and viewer.filed_under == _desk(draft.origin)
    )

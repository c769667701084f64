"""`/api/receipts` and `/api/protection/{id}`: what defenders say, and who is protected."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

from litestar import Request, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from bayanihan.core import json_bytes, moment, signing
from bayanihan.core.marking import Viewer, viewer_in
from bayanihan.core.receipt import Receipt, opened
from bayanihan.core.scope import require, require_if_signed_in
from bayanihan.errors import Refused
from bayanihan.ledger import Change, Entry, Ledger, apply_changes
from bayanihan.readers.protection import (
    STAGES,
    STALE_AFTER_US,
    UNKNOWN,
    Asked,
    Expressed,
    Said,
    latest_of,
    member_found,
    own,
    reached_us,
    record,
    shown,
)

RECEIPT_LIMIT_BYTES = 1024 * 1024
PENDING_LIMIT = 8

AgentKey = Callable[[str], tuple[bytes | None, tuple[bytes, ...]]]
"""The public key that is trusted for an API key's agent, and those that wait."""

ShowAgentKey = Callable[[Viewer, bytes], Awaitable[str]]
"""Tells the registry of an agent's public key; answers `trusted` or `pending`."""


class Protection:
    """Takes receipts in and answers who is protected.

    Args:
        ledger: the record, with its state.
        members: the codes of all members, in the board's order.
        feeds: the names of the feeds there are.
        agent_key, show_agent_key: the registry's knowledge of agents' keys.
        expressed: the feeds that block an object as a viewer may see it; called on a worker
            thread.
        sees: whether an API key may see an audience, by their ids.
        opted_out: members whose state others are not shown.
        stale_after_us: how long a defender may be silent.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        members: Callable[[], Sequence[str]],
        feeds: Collection[str],
        agent_key: AgentKey,
        show_agent_key: ShowAgentKey,
        expressed: Callable[[Viewer, str], Sequence[Expressed]],
        sees: Callable[[str, int], bool],
        stale_after_us: int = STALE_AFTER_US,
        opted_out: Callable[[], Collection[str]] = frozenset,
    ) -> None:
        self._ledger = ledger
        self._members = members
        self._feeds = feeds
        self._agent_key = agent_key
        self._show_agent_key = show_agent_key
        self._expressed = expressed
        self._sees = sees
        self._stale_after_us = stale_after_us
        self._opted_out = opted_out
        # One receipt at a time per member and feed: what one reads the next has written.
        self._turns: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def take(self, viewer: Viewer, document: Any) -> dict[str, Any]:
        """Check a signed receipt and keep it.

        Raises:
            Refused: whatever `opened`, `record` and the cursor say; `not-found` for a feed
                that does not exist; `pending` when the key waits for a person.
        """
        receipt, public = opened(document)
        said = self._said(receipt, document, public)
        await self._check_key(viewer, public)
        async with self._turns[viewer.member, receipt.feed]:
            changes, now_us = await asyncio.to_thread(self._changes, viewer, said)
            if changes:
                await self._ledger.change_soon(lambda at: apply_changes(at, changes))
        return {
            "feed": receipt.feed,
            "state": receipt.state,
            "known": not changes,
            "received_at": moment.render(now_us),
            "key": said.fingerprint,
        }

    def _said(self, receipt: Receipt, document: Any, public: bytes) -> Said:
        if receipt.feed not in self._feeds:
            message = f"There is no feed {receipt.feed!r}"
            raise Refused("not-found", message, where="$.receipt.feed")
        cursors = self._ledger.cursors
        return Said(
            receipt=receipt,
            document=document,
            fingerprint=signing.fingerprint(public),
            position=cursors.open(receipt.cursor, where="$.receipt.cursor"),
            held_position=cursors.open(receipt.in_force, where="$.receipt.in_force"),
            epoch=self._ledger.epoch.hex(),
        )

    async def _check_key(self, viewer: Viewer, public: bytes) -> None:
        trusted, pending = self._agent_key(viewer.key)
        if public == trusted:
            return
        if public in pending or len(pending) >= PENDING_LIMIT:
            state = "pending"
        else:
            state = await self._show_agent_key(viewer, public)
        if state != "trusted":
            raise Refused(
                "pending",
                f"The agent's key {signing.fingerprint(public)} is not the one that this API key"
                " is known by",
                where="$.public_key",
            )

    def _changes(self, viewer: Viewer, said: Said) -> tuple[list[Change], int]:
        state, feed, now_us = self._ledger.state, said.receipt.feed, self._ledger.now_us()
        reached = [
            stage
            for stage in STAGES[said.receipt.state]
            if viewer.member
            and reached_us(state, viewer.member, feed, stage, said.epoch, said.position) is not None
        ]
        latest = latest_of(state, viewer.key, feed)
        return record(said, viewer, now_us, latest, reached), now_us

    def own(self, viewer: Viewer) -> list[dict[str, Any]]:
        """The latest receipt of each feed that came under the viewer's key."""
        return [
            {
                "feed": feed,
                "state": latest.standing.state,
                "at": latest.at,
                "received_at": moment.render(latest.standing.heard_us),
                "key": latest.fingerprint,
                "document": latest.document,
            }
            for feed, latest in own(self._ledger.state, viewer.key)
        ]

    def board(self, viewer: Viewer, object_id: str) -> dict[str, Any]:
        """Who is protected against an object, as the viewer may see it.

        Raises:
            Refused: `not-found` when the viewer can see no such object.
        """
        entry = self._entry(viewer, object_id)
        feeds = self._expressed(viewer, object_id)
        state, audience = self._ledger.state, entry.header.audience
        now_us, epoch = self._ledger.now_us(), self._ledger.epoch.hex()
        asked = Asked(entry.position, epoch, now_us, self._stale_after_us)
        hidden = set(self._opted_out()) - {viewer.member}
        found = {
            code: UNKNOWN
            if code in hidden
            else member_found(state, code, feeds, asked, lambda key: self._sees(key, audience))
            for code in self._members()
        }
        names = [expressed.feed for expressed in feeds]
        return shown(object_id, entry.stamp_us, names, found, viewer)

    def _entry(self, viewer: Viewer, object_id: str) -> Entry:
        """The first entry, among those the viewer sees, of the object's latest version."""
        found = self._ledger.newest_about(viewer, object_id)
        if not found:
            raise Refused("not-found", "There is no such object", where=object_id)
        return max(found, key=lambda entry: (entry.version_us, -entry.position))


def routes(protection: Protection) -> list[HTTPRouteHandler]:
    """The handlers for receipts and the board."""

    @post("/api/receipts", status_code=200, request_max_body_size=RECEIPT_LIMIT_BYTES)
    async def take_receipt(request: Request[Any, Any, Any]) -> dict[str, Any]:
        """Take a signed receipt: how far a feed has come at a defender."""
        viewer = viewer_in(request.scope)
        require(viewer, "receipt")
        return await protection.take(viewer, json_bytes.decode(await request.body()))

    @get("/api/receipts")
    async def list_receipts(request: Request[Any, Any, Any]) -> list[dict[str, Any]]:
        """The latest receipt of each feed under your key, as it was signed."""
        viewer = viewer_in(request.scope)
        require(viewer, "receipt")
        return await asyncio.to_thread(protection.own, viewer)

    @get("/api/protection/{object_id:str}")
    async def show_protection(
        request: Request[Any, Any, Any], object_id: FromPath[str]
    ) -> dict[str, Any]:
        """Who is protected against an object, member by member."""
        viewer = viewer_in(request.scope)
        require_if_signed_in(viewer, "read")
        return await asyncio.to_thread(protection.board, viewer, object_id)

    return [take_receipt, list_receipts, show_protection]

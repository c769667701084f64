"""POST and DELETE `/api/denials`: an office's signed word enters the record, or is taken back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from litestar import Request, delete, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody

from bayanihan.core import moment, signing
from bayanihan.core.denial import Denial, opened
from bayanihan.core.marking import REGION, Audience, Viewer, admitting, viewer_in
from bayanihan.core.scope import require
from bayanihan.errors import Refused
from bayanihan.intake.objects import AHEAD_LIMIT_US
from bayanihan.intake.objects_api import Directory
from bayanihan.intake.take_back import checked_reason, withdrawals
from bayanihan.ledger import Draft, Ledger

DENIAL_LIMIT_BYTES = 256 * 1024
LEVELS = ("clear", "green", "amber", "amber+strict")

Current = Callable[[str, str], bytes | None]
"""The key that an office signs with now, by member and name; None where there is none."""


class DenialOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A signed denial, and how far it may go: as a rule, to everyone."""

    document: dict[str, Any]
    tlp: str = "clear"
    exercise: bool = False


class Denying:
    """Takes denials in.

    Args:
        ledger: the record.
        directory: the registry's groups.
        current: see `Current`.
        known: whether a denial with an id was ever entered.
        taken_back: told the positions of withdrawals, on a worker thread.
    """

    def __init__(
        self,
        ledger: Ledger,
        directory: Directory,
        current: Current,
        known: Callable[[str], bool],
        taken_back: Callable[[Sequence[int]], None],
    ) -> None:
        self._ledger = ledger
        self._directory = directory
        self._current = current
        self._known = known
        self._taken_back = taken_back

    async def take(self, viewer: Viewer, order: DenialOrder) -> dict[str, Any]:
        """Enter a denial.

        Raises:
            Refused: `bad-value`, `bad-signature`; `not-permitted` for who is not of the office's
                member, and for a key that is not the office's; `conflict` for an id that was
                used before, withdrawn or not.
        """
        denial, public = opened(order.document)
        self._check_speaker(viewer, denial, public)
        at_us = moment.parse(denial.at) or 0
        if at_us > self._ledger.now_us() + AHEAD_LIMIT_US:
            message = "The denial is dated more than a day ahead of the hub's clock"
            raise Refused("bad-value", message, where="$.denial.at")
        if await asyncio.to_thread(self._known, denial.id):
            raise Refused(
                "conflict",
                "A denial with this id was entered before",
                where="$.denial.id",
                next_step="Sign a new one: a denial that was withdrawn stays withdrawn.",
            )
        draft = Draft(
            "attestation",
            self._audience(viewer, order.tlp),
            author=viewer.person,
            origin=viewer.origin,
            object_id=denial.id,
            body=signing.canonical(order.document),
            version_us=at_us,
            exercise=order.exercise,
        )
        (appended,) = await self._ledger.append_soon([draft])
        return {"id": denial.id, "result": appended.outcome}

    def _check_speaker(self, viewer: Viewer, denial: Denial, public: bytes) -> None:
        if viewer.member != denial.member:
            raise Refused(
                "not-permitted",
                f"A denial by an office of {denial.member} is entered by {denial.member}",
                where="$.denial.member",
                next_step="Let the office, or its member, send it with a key of their own.",
            )
        current = self._current(denial.member, denial.office)
        if current is None:
            raise Refused(
                "not-trusted",
                f"{denial.member} has registered no key for an office {denial.office[:80]!r}",
                where="$.denial.office",
                next_step="Its member's administrator enters it: `bayanihan member office`.",
            )
        if current != public:
            name = signing.fingerprint(public)
            raise Refused(
                "not-trusted",
                f"This was signed with the key {name}, which is not this office's",
                where="$.public_key",
                next_step="Sign with the office's registered key.",
            )

    def _audience(self, viewer: Viewer, level: str) -> Audience:
        if level not in LEVELS:
            message = f"A denial is for one of {', '.join(LEVELS)}"
            raise Refused("bad-parameter", message, where="tlp")
        if level in ("clear", "green"):
            return Audience(level)
        group = self._directory.own_group(viewer, REGION)
        return admitting(Audience(level, (group,)), viewer)

    async def withdraw(self, viewer: Viewer, denial_id: str, reason: str) -> int:
        """Withdraw a denial that the viewer's side entered; how many audiences are told."""

        def find() -> list[Draft]:
            kinds = ("attestation",)
            own = self._ledger.newest_about(viewer, denial_id, kinds, origin=viewer.origin)
            if not denial_id.startswith("denial--") or not own:
                raise Refused("not-found", "You have entered no such denial", where=denial_id[:60])
            return withdrawals(self._ledger, viewer, denial_id, reason, own)

        drafts = await asyncio.to_thread(find)
        if drafts:
            appended = await self._ledger.append_soon(drafts)
            await asyncio.to_thread(self._taken_back, [each.position for each in appended])
        return len(drafts)


def routes(denying: Denying) -> list[HTTPRouteHandler]:
    """The handlers that enter denials and take them back."""

    @post("/api/denials", status_code=201, request_max_body_size=DENIAL_LIMIT_BYTES)
    async def enter_denial(
        request: Request[Any, Any, Any], data: JSONBody[DenialOrder]
    ) -> dict[str, Any]:
        """Enter an office's signed denial; the office's member, or the office, sends it."""
        viewer = viewer_in(request.scope)
        require(viewer, "report")
        return await denying.take(viewer, data)

    @delete("/api/denials/{denial_id:str}", status_code=200)
    async def withdraw_denial(
        request: Request[Any, Any, Any], denial_id: FromPath[str], reason: FromQuery[str] = ""
    ) -> dict[str, Any]:
        """Withdraw a denial that your side entered; it is shown nowhere from then on."""
        viewer = viewer_in(request.scope)
        require(viewer, "report")
        told = await denying.withdraw(viewer, denial_id, checked_reason(reason))
        return {"id": denial_id, "withdrawn": told}

    return [enter_denial, withdraw_denial]

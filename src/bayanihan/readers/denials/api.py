"""`/api/denials`: the denials that a viewer may see, each with what became of its signature."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Protocol

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, QueryParameter

from bayanihan.core import moment, signing
from bayanihan.core.fingerprint import Fingerprints
from bayanihan.core.marking import Viewer, viewer_in
from bayanihan.core.scope import require_if_signed_in
from bayanihan.ledger import Ledger
from bayanihan.readers.denials.matcher import Matcher
from bayanihan.readers.denials.projection import Denials, Standing

# The newest so many are compared with what is looked up.
COMPARED = 2_000
FOLD_WAIT_S = 1.0


class Key(Protocol):
    """A key of an office."""

    @property
    def public(self) -> bytes:
        """Its 32 bytes."""

    @property
    def since_us(self) -> int:
        """Since when it is registered."""

    @property
    def since(self) -> int:
        """The position at which it was registered."""

    @property
    def until(self) -> int:
        """The position at which it was replaced; 0: not yet."""

    @property
    def taken_back_us(self) -> int:
        """When it was taken back; 0: not."""


Office = Callable[[str, str], tuple[str, Sequence[Key]]]
"""An office's title and keys, by member and name; ("", ()) where there is none."""


class Shelf:
    """The denials of one hub, as viewers see them.

    Args:
        ledger: for rights and audiences.
        denials: the projection.
        office: see `Office`.
    """

    def __init__(self, ledger: Ledger, denials: Denials, office: Office) -> None:
        self._ledger = ledger
        self._denials = denials
        self._office = office

    def edition(self) -> int:
        """How far the denials are folded, up to this moment where that is soon. Blocks."""
        self.catch_up()
        return self._denials.position

    def catch_up(self) -> None:
        """Wait a moment for what was entered before the question. Blocks."""
        length, until_s = self._ledger.length, time.monotonic() + FOLD_WAIT_S
        while self._denials.position < length and time.monotonic() < until_s:
            time.sleep(0.01)

    def listed(self, viewer: Viewer, limit: int, *, exercise: bool) -> list[dict[str, Any]]:
        """The newest denials. Blocks."""
        self.catch_up()
        rights = self._ledger.rights(viewer)
        found = self._denials.standing(rights, exercise=exercise, limit=limit)
        return [self.told(each) for each in found]

    def matcher(self, rights: Sequence[int], *, exercise: bool) -> Matcher:
        """What finds the denials that some audiences see. Blocks."""
        return Matcher(self._denials.standing(rights, exercise=exercise, limit=COMPARED))

    def about(
        self, viewer: Viewer, prints: Fingerprints, case: str = "", *, exercise: bool = False
    ) -> list[dict[str, Any]]:
        """The denials about some evidence or a case, as they are shown. Blocks."""
        self.catch_up()
        found = self.matcher(self._ledger.rights(viewer), exercise=exercise).about(prints, case)
        return [
            {**self.told(each), "evidence": [{"kind": k, "score": s} for k, s in kinds]}
            for each, kinds in found
        ]

    def told(self, standing: Standing) -> dict[str, Any]:
        """A denial as it is shown: who says what, and whether the signature holds now."""
        denial = standing.denial
        title, keys = self._office(denial.member, denial.office)
        verified, sentence = _verified(standing, keys)
        return {
            "id": denial.id,
            "office": title or denial.office,
            "member": denial.member,
            "statement": denial.statement,
            "at": denial.at,
            "entered": moment.render(standing.stamp_us),
            "level": self._ledger.store.audiences()[standing.audience - 1].level,
            "exercise": standing.exercise,
            "key": signing.fingerprint(standing.public),
            "signature": "verified" if verified else "not verified",
            "verified_as": sentence,
        }


def _verified(standing: Standing, keys: Sequence[Key]) -> tuple[bool, str]:
    """Whether the key spoke for the office when the denial was entered, and in words why.

    That the signature is the key's was checked when the denial was read.
    """
    who, key_name = standing.denial.member, signing.fingerprint(standing.public)
    for key in keys:
        if key.public != standing.public:
            continue
        if key.taken_back_us:
            day = moment.render(key.taken_back_us)[:10]
            return False, f"Signature not verified: {who} took the key {key_name} back on {day}"
        in_force = not key.until or standing.position < key.until
        if key.since < standing.position and in_force:
            day = moment.render(key.since_us)[:10]
            return True, (
                f"Signature verified by this hub with the key {key_name},"
                f" which {who} registered on {day}"
            )
    return False, f"Signature not verified: {key_name} was no key of this office at that time"


def routes(shelf: Shelf) -> list[HTTPRouteHandler]:
    """The handlers that read denials."""

    @get("/api/denials")
    async def list_denials(
        request: Request[Any, Any, Any],
        limit: Annotated[int, QueryParameter(ge=1, le=500)] = 100,
        exercise: FromQuery[bool] = False,
    ) -> dict[str, Any]:
        """The newest denials that you may see: what an office says is not its own."""
        viewer = viewer_in(request.scope)
        require_if_signed_in(viewer, "read")
        found = await asyncio.to_thread(shelf.listed, viewer, limit, exercise=exercise)
        return {"denials": found}

    return [list_denials]

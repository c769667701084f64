"""What people said about values, listed: who, when, what, why and until when.

The entries themselves no exit shows. Who sees what follows from where a ruling has its effect:
what one's own member said is shown to its people; what others said about a value is shown to
whoever sees that value in feeds, where it takes effect anyway; what counts at one member's home
alone is shown there. So nobody learns of an entry that is hidden from them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import msgspec

from bayanihan.core import moment
from bayanihan.core.marking import Viewer
from bayanihan.core.observables import Observable
from bayanihan.core.scope import require
from bayanihan.ledger import Ledger
from bayanihan.readers.feeds.decide import FOREVER_US
from bayanihan.readers.feeds.hearing import valued
from bayanihan.readers.feeds.rulings import Heard, Rulings, home_of

PAGE = 100
PAGE_LIMIT = 1_000
# So many rulings are looked at for one page; the next one goes on from there.
LOOKED_AT = 5_000
_LISTED_WITHIN_S = 1.0


class Said(msgspec.Struct, frozen=True):
    """One ruling, as a viewer is shown it.

    `by` is the member, or `HUB`; `person` and the constituent in `origin` are shown to its own
    people alone. `holds` says that it has an effect now, `until` when that ends by itself.
    """

    at: str
    act: str
    type: str
    value: str
    by: str
    origin: str
    person: str
    reason: str
    until: str
    holds: bool
    exercise: bool


class Spoken:
    """Lists rulings. Safe to call from several threads.

    Args:
        ledger: rights, cursors and the clock.
        rulings: what was said.
        sees: whether feeds of some audiences tell of a value at a moment.
    """

    def __init__(
        self, ledger: Ledger, rulings: Rulings, sees: Callable[[Observable, Viewer, bool], bool]
    ) -> None:
        self._ledger = ledger
        self._rulings = rulings
        self._sees = sees

    async def caught_up(self) -> None:
        """Wait a moment until what was entered before this call is listed."""
        length, until_s = self._ledger.length, time.monotonic() + _LISTED_WITHIN_S
        while self._rulings.position < length:
            if time.monotonic() > until_s:
                return
            await asyncio.sleep(0.01)

    def listed(
        self,
        viewer: Viewer,
        *,
        value: str = "",
        before: str = "",
        limit: int = PAGE,
        exercise: bool = False,
    ) -> dict[str, Any]:
        """The rulings that a viewer may see, the newest first.

        Args:
            viewer: who asks, with the scope `read`.
            value: only those about this value.
            before: the `next` of the page before.
            limit: so many at most.
            exercise: those of exercises.

        Raises:
            Refused: `not-permitted`, `bad-value`, `bad-cursor` or `reset`.
        """
        require(viewer, "read")
        about = valued(value) if value else None
        position = self._ledger.cursors.open(before, where="before") if before else FOREVER_US
        found: list[Said] = []
        seen: dict[tuple[str, str], bool] = {}
        heard = self._rulings.before(position, LOOKED_AT, about, exercise=exercise)
        for each in heard:
            if len(found) == min(limit, PAGE_LIMIT):
                break
            position = each.position
            if self._may_see(viewer, each, seen):
                found.append(self._shown(viewer, each))
        more = (bool(heard) and heard[-1].position < position) or len(heard) == LOOKED_AT
        return {
            "rulings": [msgspec.to_builtins(each) for each in found],
            "more": more,
            "next": self._ledger.cursors.seal(position) if more else "",
        }

    def _may_see(self, viewer: Viewer, heard: Heard, seen: dict[tuple[str, str], bool]) -> bool:
        if _is_own(viewer, heard.origin):
            return True
        home = home_of(heard.ruling.act, _state(heard.origin))
        if home:
            return home == viewer.member
        key = (heard.ruling.type, heard.ruling.value)
        if key not in seen:
            seen[key] = self._sees(Observable(*key), viewer, heard.ruling.exercise)
        return seen[key]

    def _shown(self, viewer: Viewer, heard: Heard) -> Said:
        ruling, own = heard.ruling, _is_own(viewer, heard.origin)
        holds, until_us = self._rulings.standing(heard, self._ledger.now_us())
        return Said(
            moment.render(heard.stamp_us),
            ruling.act,
            ruling.type,
            ruling.value,
            _state(heard.origin),
            heard.origin if own else _state(heard.origin),
            heard.author if own else "",
            ruling.reason,
            "" if until_us == FOREVER_US else moment.render(until_us),
            holds,
            ruling.exercise,
        )


def _is_own(viewer: Viewer, origin: str) -> bool:
    """Whether a viewer's own side said it: a constituent's own, a member's whole house."""
    if viewer.constituent:
        return origin == viewer.origin
    return _state(origin) == (viewer.member or "HUB")


def _state(origin: str) -> str:
    return origin.partition("/")[0]

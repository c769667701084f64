"""Hears what people say about a value: checks that they may, enters it, tells the origin.

What is answered never depends on whether some entry names the value: whoever speaks about a
value learns nothing about entries that are hidden from them.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from bayanihan.core import moment
from bayanihan.core.marking import Audience, Group, Viewer, house_of
from bayanihan.core.observables import Observable, guess
from bayanihan.core.scope import require
from bayanihan.errors import Refused
from bayanihan.ledger import Draft, Ledger
from bayanihan.readers.active import Active
from bayanihan.readers.feeds.decide import FOREVER_US
from bayanihan.readers.feeds.notices import TOLD_LIMIT, Occasion, Teller, notices
from bayanihan.readers.feeds.ownership import owns
from bayanihan.readers.feeds.rulings import ACTS, Ruling, Rulings, draft_of

REASON_LIMIT = 300
VALUE_LIMIT = 8_192
# How far a stamp may stand before the clock.
STAMP_AHEAD_US = 1_000_000

_NEEDS_MEMBER = frozenset({"claim", "release", "insist", "desist"})
_TOLD = {
    "claim": "{by} says that this is theirs. Its block is suspended for 72 hours at most.",
    "false-positive": "{by} calls this a false positive.",
    "dispute": "The owner of the site, or somebody who says so, disputes its block.",
}


class Saying(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody says about a value. `until` ends a confirmation, a STIX timestamp."""

    act: str
    value: str
    reason: str = ""
    until: str = ""
    exercise: bool = False


class Hearing:
    """Takes rulings in.

    Args:
        ledger, active, rulings: the record and what is folded from it.
        region: the region's group as it stands now.
        assets: the names and ranges that are a member's.
        answered: whether somebody answers for what an author of an origin says.
        never: why a value may not be blocked whoever asks, for an exercise or not.
        renew: the viewer as their key stands now; raises `Refused` when it was revoked.
        entropy: random bytes for the ids of notices.
    """

    def __init__(
        self,
        ledger: Ledger,
        active: Active,
        rulings: Rulings,
        *,
        region: Callable[[], Group],
        assets: Callable[[str], Mapping[str, str]],
        answered: Callable[[str, str], bool],
        never: Callable[[Observable, bool], str | None],
        renew: Callable[[Viewer], Viewer],
        entropy: Callable[[int], bytes],
    ) -> None:
        self._ledger = ledger
        self._active = active
        self._rulings = rulings
        self._region = region
        self._assets = assets
        self._answered = answered
        self._never = never
        self._renew = renew
        self._entropy = entropy

    async def say(self, viewer: Viewer, saying: Saying) -> dict[str, Any]:
        """Enter what a viewer says about a value.

        Raises:
            Refused: `bad-value` for no value, act or date; `not-permitted` for whoever may
                not say it; `conflict` for a claim that was made before and has passed.
        """
        observable = valued(saying.value)
        self._check(viewer, saying, observable)
        ruling = Ruling(
            saying.act,
            observable.type,
            observable.value,
            saying.exercise,
            _until_us(saying, self._ledger.now_us()),
            _line(saying.reason),
        )
        answer = {"act": saying.act, "type": observable.type, "value": observable.value}
        if self._rulings.holds(ruling, viewer.origin):
            return answer
        drafts = [draft_of(ruling, viewer)]
        if saying.act in _TOLD:
            drafts += await self.notices(
                saying.act, viewer.origin, observable, exercise=saying.exercise
            )
            # Finding who told of it took a while, in which rights may have been taken away.
            self._check(self._renew(viewer), saying, observable)
        await self._ledger.append_soon(drafts)
        return answer

    def allowed(self, viewer: Viewer, value: str, *, exercise: bool = False) -> dict[str, str]:
        """For each act why a viewer may not say it of a value, or in vain; "" where they may.

        Raises:
            Refused: `bad-value` for no value.
        """
        observable = valued(value)
        type_, found = observable.type, dict[str, str]()
        holds = self._rulings.in_force(
            type_, observable.value, viewer.origin, self._ledger.now_us(), exercise=exercise
        )
        for act in ACTS:
            found[act] = _idle(act, holds)
            try:
                self._check(viewer, Saying(act, value, exercise=exercise), observable)
            except Refused as refusal:
                found[act] = refusal.message
        return found

    async def notices(
        self, what: str, by: str, observable: Observable, *, exercise: bool = False
    ) -> list[Draft]:
        """What the origins of a value are told, as drafts of entries."""

        def find() -> Sequence[Draft]:
            rows = self._active.tellers(observable, TOLD_LIMIT, exercise=exercise)
            levels: Sequence[Audience] = self._ledger.store.audiences()
            # RED is in no feed, so nothing of it is blocked that could be spoken against.
            tellers = [
                each
                for each in map(Teller._make, rows)
                # Nobody is told of what they said themselves.
                if each.origin != by and levels[each.audience - 1].level != "red"
            ]
            house = house_of(by)
            said = _TOLD[what].format(by=house)
            occasion = Occasion(observable, said, house, self._ledger.now_us(), exercise)
            ids = [str(uuid.UUID(bytes=self._entropy(16), version=4)) for _ in tellers]
            return notices(occasion, tellers, levels, self._region(), ids)

        return list(await asyncio.to_thread(find))

    def _check(self, viewer: Viewer, saying: Saying, observable: Observable) -> None:
        act = saying.act
        if act not in ACTS:
            raise Refused("bad-value", f"Say one of: {', '.join(ACTS)}", where="act")
        require(viewer, "feed" if act == "false-positive" else "report")
        if act == "false-positive":
            return
        if viewer.constituent:
            message = "A constituent may say `false-positive`; the rest is for its member's staff"
            raise Refused("not-permitted", message, where="act")
        if act in _NEEDS_MEMBER and not viewer.member:
            message = f"Only a member says `{act}`; the operator's key belongs to none"
            step = "Use the key of a person of the member whose it is."
            raise Refused("not-permitted", message, where="act", next_step=step)
        if act in ("claim", "release"):
            self._check_claim(viewer.member, saying, observable)
        if act == "confirm":
            self._check_confirmation(viewer, saying, observable)

    def _check_claim(self, member: str, saying: Saying, observable: Observable) -> None:
        if not owns(member, self._assets(member), observable):
            raise Refused(
                "not-permitted",
                f"The registry does not know this as {member}'s",
                where="value",
                next_step="Ask the operator to enter it: `bayanihan member asset`.",
            )
        until_us = self._rulings.claimed(
            observable.type, observable.value, member, exercise=saying.exercise
        )
        if saying.act == "claim" and 0 < until_us <= self._ledger.now_us() + STAMP_AHEAD_US:
            message = f"{member} claimed it already, until {moment.render(until_us)}"
            step = "Say `false-positive`, or settle it with who told of it."
            raise Refused("conflict", message, where="value", next_step=step)

    def _check_confirmation(self, viewer: Viewer, saying: Saying, observable: Observable) -> None:
        if not self._answered(viewer.origin, viewer.person):
            message = "This key is a machine's: a person must answer for a confirmation"
            raise Refused("not-permitted", message, where="act")
        why = self._never(observable, saying.exercise)
        if why is not None:
            raise Refused("bad-value", f"It stays out whoever confirms it: {why}", where="value")


_ENDS = {"release": "claim", "desist": "insist"}


def _idle(act: str, holds: set[str]) -> str:
    """Why an act would change nothing; "" where it would."""
    if act in holds:
        return "It was said already, and holds"
    ended = _ENDS.get(act)
    return f"There is no `{ended}` of yours to end" if ended and ended not in holds else ""


def valued(text: str) -> Observable:
    """The value that somebody speaks about. Raises `Refused("bad-value")`."""
    try:
        if len(text) > VALUE_LIMIT:
            raise Refused("bad-value", f"A value is {VALUE_LIMIT} characters at most")
        return guess(text.strip())
    except Refused as error:
        raise Refused("bad-value", error.message, where="value") from error


def _line(text: str) -> str:
    if len(text) > REASON_LIMIT or not text.isprintable():
        message = f"A reason is one line of {REASON_LIMIT} characters at most"
        raise Refused("bad-value", message, where="reason")
    return text


def _until_us(saying: Saying, now_us: int) -> int:
    if not saying.until:
        return FOREVER_US
    until_us = moment.parse(saying.until)
    if saying.act != "confirm" or until_us is None or until_us <= now_us:
        message = "`until` ends a confirmation: a later moment, such as 2027-01-31T00:00:00Z"
        raise Refused("bad-value", message, where="until")
    return until_us

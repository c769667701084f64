"""Brings together what is known of a value, so that `decide` can say what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from bayanihan.core.never_block import NeverBlock
from bayanihan.core.observables import Observable
from bayanihan.readers.active import FOREVER_US, ActiveItem
from bayanihan.readers.feeds.decide import NOBODY, Bounds, Case, Decision, Told, Words, decide
from bayanihan.readers.feeds.whose import ANYBODY, Whose


class Opinions(Protocol):
    """What people said, about values and for their own members. See `rulings.Rulings`."""

    def words(self, type_: str, value: str, home: str, *, exercise: bool) -> Words:
        """What was said about a value, as it counts for viewers of a member."""

    def kept_out(self, observable: Observable, home: str) -> str:
        """Why a member keeps a value out at home, in a sentence; "" where it does not."""

    def edition(self, home: str) -> str:
        """A name for a member's own policy: another one when that changes."""


class Silence:
    """Nobody said anything."""

    def words(self, type_: str, value: str, home: str, *, exercise: bool) -> Words:
        """See `Opinions`."""
        return NOBODY

    def kept_out(self, observable: Observable, home: str) -> str:
        """See `Opinions`."""
        return ""

    def edition(self, home: str) -> str:
        """See `Opinions`."""
        return ""


def _answered(origin: str, author: str) -> bool:
    return True


class Judge:
    """Judges values. Safe to call from several threads.

    Args:
        never_block: what may not be blocked, whoever asks.
        bounds: how many voices it takes, and when a value fades.
        opinions: what people said.
        answered: whether somebody answers for what an author of an origin tells.
    """

    def __init__(
        self,
        never_block: NeverBlock,
        *,
        bounds: Bounds | None = None,
        opinions: Opinions | None = None,
        answered: Callable[[str, str], bool] = _answered,
    ) -> None:
        self._never_block = never_block
        self._bounds = bounds or Bounds()
        self.opinions = opinions or Silence()
        self._answered = answered

    def decision(
        self,
        item: ActiveItem,
        now_us: int,
        *,
        exercise: bool,
        whose: Whose = ANYBODY,
        seen: Callable[[Sequence[str]], int] | None = None,
    ) -> Decision:
        """What becomes of an item, with its numbers for the change budget. See `_decision`."""
        found = self._decision(item, now_us, exercise=exercise, whose=whose, seen=seen)
        if found.mode != "block" or not any(each.in_hour or each.in_place for each in item.sources):
            return found
        words = self.opinions.words(item.type, item.value, whose.home, exercise=exercise)
        if words.admitted or words.confirmed_by or words.insisted_by:
            return found
        # It need not wait where one telling of it was within the budget.
        numbers = (
            min(each.in_hour for each in item.sources),
            min(each.in_place for each in item.sources),
        )
        return msgspec.structs.replace(found, in_hour=numbers[0], in_place=numbers[1])

    def _decision(
        self,
        item: ActiveItem,
        now_us: int,
        *,
        exercise: bool,
        whose: Whose = ANYBODY,
        seen: Callable[[Sequence[str]], int] | None = None,
    ) -> Decision:
        """What becomes of an item of the active set.

        Args:
            item: as these viewers see it.
            now_us: UTC microseconds.
            exercise: whether it is an exercise's.
            whose: the viewers' member, and the profile of what loads the feed.
            seen: when, as these viewers see it, one of some objects was last seen at work;
                asked only where a value would fade without it.
        """
        observable = Observable(item.type, item.value)
        home = whose.home
        case = Case(
            item.type,
            tuple(
                [
                    Told(each.origin, self._answered(*each[:2]), each.confidence, each.stamp_us)
                    for each in item.sources
                ]
            ),
            self.opinions.words(item.type, item.value, home, exercise=exercise),
            self._never_block.reason(observable, exercise=exercise) or "",
            self.opinions.kept_out(observable, home) if home else "",
            item.valid_until_us != FOREVER_US,
        )
        found = decide(case, whose.profile, now_us, self._bounds)
        if found.until_us > now_us and found.mode != "held":
            return found
        if seen is None or case.never or case.kept_out or not self._bounds.fade_days:
            return found
        seen_us = seen(item.ids)
        if not seen_us:
            return found
        told = Case(
            *(case.type, case.told, case.words, case.never, case.kept_out, case.dated), seen_us
        )
        return decide(told, whose.profile, now_us, self._bounds)

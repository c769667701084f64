"""Parts the active set into what a feed blocks and what it leaves out, with the reasons."""

from __future__ import annotations

import msgspec

from bayanihan.core.never_block import NeverBlock
from bayanihan.core.observables import Observable
from bayanihan.readers.active import View
from bayanihan.readers.feeds.format import Format, why_not

LISTED_LIMIT = 1_000


class LeftOut(msgspec.Struct, frozen=True):
    """A value that is not in a feed, with the reason and one object that names it."""

    value: str
    type: str
    reason: str
    id: str


class Parted:
    """The active set parted for one format: inside, held, not expressed.

    `audiences` are those of what is inside. `held` and `not_expressed` are the first
    `LISTED_LIMIT`; their totals count all.
    """

    def __init__(self, format_: Format, never_block: NeverBlock, *, exercise: bool) -> None:
        self._format = format_
        self._never_block = never_block
        self._exercise = exercise
        self.inside: list[Observable] = []
        self.audiences: set[int] = set()
        self.held: list[LeftOut] = []
        self.held_total = 0
        self.not_expressed: list[LeftOut] = []
        self.not_expressed_total = 0

    def take(self, view: View) -> None:
        """Walk through a view once."""
        types = self._format.types
        for item in view.items:
            if item.type not in types:
                self._cannot(item.value, item.type, why_not(item.type, types), item.ids[0])
                continue
            observable = Observable(item.type, item.value)
            reason = self._never_block.reason(observable, exercise=self._exercise)
            if reason is not None:
                self._hold(LeftOut(item.value, item.type, reason, item.ids[0]))
                continue
            reason = self._format.refusal(observable)
            if reason is not None:
                self._cannot(item.value, item.type, reason, item.ids[0])
                continue
            self.inside.append(observable)
            self.audiences.update(item.audiences)
        for rest in view.rest:
            self._cannot(rest.text, "pattern", rest.why, rest.object_id)

    def _hold(self, left: LeftOut) -> None:
        self.held_total += 1
        if len(self.held) < LISTED_LIMIT:
            self.held.append(left)

    def _cannot(self, value: str, type_: str, reason: str, object_id: str) -> None:
        self.not_expressed_total += 1
        if len(self.not_expressed) < LISTED_LIMIT:
            self.not_expressed.append(LeftOut(value, type_, reason, object_id))

"""Parts the active set into what a feed carries and what it leaves out, with the reasons."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from bayanihan.core.never_block import NeverBlock
from bayanihan.core.observables import Observable
from bayanihan.readers.active import RULE_TYPES, ActiveItem, View
from bayanihan.readers.feeds.format import Format, Item, why_not

LISTED_LIMIT = 1_000

_SHOWN = 200


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

    Args:
        format_: what can be expressed.
        never_block: what may not be blocked.
        exercise: whether this is the exercise's set.
        level_of: the strictest TLP level of some audiences.
        poison: what the engine refused, by (type, value), with the reason.
    """

    def __init__(
        self,
        format_: Format,
        never_block: NeverBlock,
        *,
        exercise: bool,
        level_of: Callable[[tuple[int, ...]], str],
        poison: Mapping[tuple[str, str], str],
    ) -> None:
        self._format = format_
        self._never_block = never_block
        self._exercise = exercise
        self._level_of = level_of
        self._poison = poison
        self.inside: list[Item] = []
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
            if reason is None and self._poison:
                reason = self._poison.get((item.type, item.value))
            if reason is not None:
                self._hold(item, reason)
                continue
            reason = self._format.refusal(observable)
            if reason is not None:
                self._cannot(item.value, item.type, reason, item.ids[0])
                continue
            self.inside.append(self._item(item))
            self.audiences.update(item.audiences)
        for rest in view.rest:
            self._cannot(rest.text, "pattern", rest.why, rest.object_id)
        self._cut()

    def drop(self, item: Item, reason: str) -> None:
        """Take an item out again that found no place in the file."""
        self.inside.remove(item)
        self._cannot(item.value, item.type, reason, item.ids[0])

    def _item(self, item: ActiveItem) -> Item:
        return Item(
            item.type,
            item.value,
            item.ids,
            self._level_of(item.audiences),
            item.valid_from_us,
            item.valid_until_us,
            self._exercise,
        )

    def _cut(self) -> None:
        """Keep the newest, where the device takes only so many."""
        limit = self._format.limit
        if not limit or len(self.inside) <= limit:
            return
        newest = sorted(self.inside, key=lambda item: (-item.valid_from_us, item.type, item.value))
        reason = f"The device takes {limit} items, and this is older than those it gets."
        for item in newest[limit:]:
            self._cannot(item.value, item.type, reason, item.ids[0])
        self.inside = sorted(newest[:limit], key=lambda item: (item.type, item.value))

    def _hold(self, item: ActiveItem, reason: str) -> None:
        self.held_total += 1
        if len(self.held) < LISTED_LIMIT:
            self.held.append(LeftOut(shown(item.type, item.value), item.type, reason, item.ids[0]))

    def _cannot(self, value: str, type_: str, reason: str, object_id: str) -> None:
        self.not_expressed_total += 1
        if len(self.not_expressed) < LISTED_LIMIT:
            self.not_expressed.append(LeftOut(shown(type_, value), type_, reason, object_id))


def shown(type_: str, value: str) -> str:
    """A value for a list: of a rule, which may be long, its first line's beginning."""
    if type_ not in RULE_TYPES:
        return value
    first = value.strip().partition("\n")[0]
    return first if len(first) <= _SHOWN else first[: _SHOWN - 1] + "\u2026"

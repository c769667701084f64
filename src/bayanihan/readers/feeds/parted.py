"""Parts a stock into what a feed carries and what it leaves out, with the reasons."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from bayanihan.core.observables import Observable
from bayanihan.readers.active import RULE_TYPES
from bayanihan.readers.feeds.format import Format, Item, why_not
from bayanihan.readers.feeds.stock import Stock

LISTED_LIMIT = 1_000

_SHOWN = 200


class LeftOut(msgspec.Struct, frozen=True):
    """A value that is not in a feed, with the reason and one object that names it.

    `mode` is what `decide` says of it: `alert` and `shadow` wait for more, `held` stays out.
    """

    value: str
    type: str
    reason: str
    id: str
    mode: str = "held"


class Parted:
    """A stock parted for one format: inside, held, not expressed.

    `held` and `not_expressed` are the first `LISTED_LIMIT`; their totals count all.

    Args:
        format_: what can be expressed.
        stock: what there is.
        poison: what the engine refused, by (type, value), with the reason.
    """

    def __init__(
        self, format_: Format, stock: Stock, poison: Mapping[tuple[str, str], str]
    ) -> None:
        self._format = format_
        self._poison = poison
        self.inside: list[Item] = []
        self.held: list[LeftOut] = []
        self.held_total = 0
        self.not_expressed: list[LeftOut] = []
        self.not_expressed_total = 0
        for type_ in sorted({*stock.items, *stock.held}):
            items, held = stock.items.get(type_, []), stock.held.get(type_, [])
            if type_ in format_.types:
                self._take(items, held)
            else:
                self._pass_over([*items, *[item for item, _ in held[:LISTED_LIMIT]]])
                self.not_expressed_total += len(held[LISTED_LIMIT:])
        for rest in stock.rest:
            self._list(rest.text, "pattern", rest.why, rest.object_id)
        self.not_expressed_total += stock.rest_total
        self._cut()

    def drop(self, item: Item, reason: str) -> None:
        """Take an item out again that found no place in the file."""
        self.inside.remove(item)
        self._cannot(item, reason)

    def _take(self, items: list[Item], held: list[tuple[Item, str]]) -> None:
        """The items of a type that the format knows."""
        for item, reason in held:
            self._hold(item, reason)
        refusal, poison = self._format.refusal, self._poison
        for item in items:
            if item.mode != "block" and not sayable(self._format, item):
                self._hold(item, item.why, item.mode)
                continue
            if poison and (item.type, item.value) in poison:
                self._hold(item, poison[item.type, item.value])
                continue
            why = refusal(Observable(item.type, item.value))
            if why is None:
                self.inside.append(item)
            else:
                self._cannot(item, why)

    def _pass_over(self, items: list[Item]) -> None:
        """The items of a type that the format does not know."""
        self.not_expressed_total += len(items)
        for item in items[: LISTED_LIMIT - len(self.not_expressed)]:
            why = why_not(item.type, self._format.types)
            self._list(item.value, item.type, why, item.ids[0])

    def _cut(self) -> None:
        """Keep the newest, where the device takes only so many."""
        limit = self._format.limit
        if not limit or len(self.inside) <= limit:
            return
        newest = sorted(self.inside, key=lambda item: (-item.valid_from_us, item.type, item.value))
        reason = f"The device takes {limit} items, and this is older than those it gets."
        for item in newest[limit:]:
            self._cannot(item, reason)
        self.inside = sorted(newest[:limit], key=lambda item: (item.type, item.value))

    def _hold(self, item: Item, reason: str, mode: str = "held") -> None:
        self.held_total += 1
        if len(self.held) < LISTED_LIMIT:
            value = shown(item.type, item.value)
            self.held.append(LeftOut(value, item.type, reason, item.ids[0], mode))

    def _cannot(self, item: Item, reason: str) -> None:
        self.not_expressed_total += 1
        self._list(item.value, item.type, reason, item.ids[0])

    def _list(self, value: str, type_: str, reason: str, object_id: str) -> None:
        if len(self.not_expressed) < LISTED_LIMIT:
            self.not_expressed.append(LeftOut(shown(type_, value), type_, reason, object_id))


def sayable(format_: Format, item: Item) -> bool:
    """Whether a format can say an item's mode; a rule for the wire has an action of its own."""
    if item.type in {"suricata", "snort"}:
        return item.mode == "block"
    return item.mode in format_.modes


def shown(type_: str, value: str) -> str:
    """A value for a list: of a rule, which may be long, its first line's beginning."""
    if type_ not in RULE_TYPES:
        return value
    first = value.strip().partition("\n")[0]
    return first if len(first) <= _SHOWN else first[: _SHOWN - 1] + "\u2026"

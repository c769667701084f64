"""What some rights may carry at one moment: the active set, held against the never-block list.

One walk through the active set serves every feed that is made of it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import msgspec

from bayanihan.core.never_block import NeverBlock
from bayanihan.core.observables import Observable
from bayanihan.readers.active import NotBlockable, View
from bayanihan.readers.feeds.format import Item

# The first patterns that can become no block; their total counts all.
REST_LISTED = 1_000
KEPT_LIMIT = 16
KEPT_LIMIT_ITEMS = 1_500_000


class Stock(msgspec.Struct, frozen=True):
    """A view in memory, parted by the never-block list.

    `items` and `held` are by type, each in order of values; `held` has the reasons. The
    other fields are those of the `View`, `rest` the first `REST_LISTED` and `rest_total`
    how many there are.
    """

    position: int
    boundary_us: int
    next_change_us: int
    changed_us: int
    items: dict[str, list[Item]]
    held: dict[str, list[tuple[Item, str]]]
    rest: tuple[NotBlockable, ...]
    rest_total: int

    @property
    def count(self) -> int:
        """How many values it has."""
        found = sum(map(len, self.items.values()))
        return found + sum(map(len, self.held.values()))


def stocked(
    view: View,
    never_block: NeverBlock,
    *,
    exercise: bool,
    level_of: Callable[[tuple[int, ...]], str],
) -> Stock:
    """The stock of a view, which is walked through once."""
    items: dict[str, list[Item]] = {}
    held: dict[str, list[tuple[Item, str]]] = {}
    for each in view.items:
        item = Item(
            each.type,
            each.value,
            each.ids,
            level_of(each.audiences),
            each.valid_from_us,
            each.valid_until_us,
            exercise,
        )
        reason = never_block.reason(Observable(each.type, each.value), exercise=exercise)
        if reason is None:
            items.setdefault(each.type, []).append(item)
        else:
            held.setdefault(each.type, []).append((item, reason))
    rest: list[NotBlockable] = []
    total = 0
    for part in view.rest:
        total += 1
        if total <= REST_LISTED:
            rest.append(part)
    return Stock(
        view.position,
        view.boundary_us,
        view.next_change_us,
        view.changed_us,
        items,
        held,
        tuple(rest),
        total,
    )


class Store:
    """The latest stock of each class of rights, bounded. The caller holds a lock."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[tuple[int, ...], bool], Stock] = OrderedDict()

    def get(self, key: tuple[tuple[int, ...], bool]) -> Stock | None:
        """The stock of rights, real or exercise."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: tuple[tuple[int, ...], bool], stock: Stock) -> None:
        """Keep a stock in place of the one before."""
        self._kept.pop(key, None)
        self._kept[key] = stock
        while len(self._kept) > 1 and (
            len(self._kept) > KEPT_LIMIT
            or sum(each.count for each in self._kept.values()) > KEPT_LIMIT_ITEMS
        ):
            self._kept.popitem(last=False)

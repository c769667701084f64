"""What some rights may carry at one moment: the active set, each value judged.

One walk through the active set serves every feed that is made of it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import msgspec

from bayanihan.readers.active import ActiveItem, NotBlockable, View
from bayanihan.readers.feeds.decide import Decision
from bayanihan.readers.feeds.format import Item
from bayanihan.readers.feeds.whose import Whose

# The first patterns that can become no block; their total counts all.
REST_LISTED = 1_000
KEPT_LIMIT = 16
KEPT_LIMIT_ITEMS = 1_500_000

# The audiences seen, by whom, and whether it is the exercise's.
Class = tuple[tuple[int, ...], Whose, bool]


class Stock(msgspec.Struct, frozen=True):
    """A view in memory, parted by what `decide` says.

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
    judge: Callable[[ActiveItem], Decision],
    *,
    exercise: bool,
    level_of: Callable[[tuple[int, ...]], str],
) -> Stock:
    """The stock of a view, which is walked through once."""
    items: dict[str, list[Item]] = {}
    held: dict[str, list[tuple[Item, str]]] = {}
    boundary_us, next_change_us = view.boundary_us, view.next_change_us
    for each in view.items:
        found = judge(each)
        boundary_us = max(boundary_us, found.since_us)
        next_change_us = min(next_change_us, found.until_us)
        item = Item(
            each.type,
            each.value,
            each.ids,
            level_of(each.audiences),
            each.valid_from_us,
            each.valid_until_us,
            exercise,
            found.mode,
            found.reason,
        )
        if found.mode == "held":
            held.setdefault(each.type, []).append((item, found.reason))
        else:
            items.setdefault(each.type, []).append(item)
    rest: list[NotBlockable] = []
    total = 0
    for part in view.rest:
        total += 1
        if total <= REST_LISTED:
            rest.append(part)
    return Stock(
        view.position,
        boundary_us,
        next_change_us,
        max(view.changed_us, boundary_us),
        items,
        held,
        tuple(rest),
        total,
    )


class Store:
    """The latest stock of each class of rights, bounded. The caller holds a lock."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Class, Stock] = OrderedDict()

    def get(self, key: Class) -> Stock | None:
        """The stock of rights, real or exercise."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: Class, stock: Stock) -> None:
        """Keep a stock in place of the one before."""
        self._kept.pop(key, None)
        self._kept[key] = stock
        while len(self._kept) > 1 and (
            len(self._kept) > KEPT_LIMIT
            or sum(each.count for each in self._kept.values()) > KEPT_LIMIT_ITEMS
        ):
            self._kept.popitem(last=False)

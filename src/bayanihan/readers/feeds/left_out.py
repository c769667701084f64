"""What a feed leaves out, with the reasons: all counted, the first of them listed."""

from __future__ import annotations

from typing import Protocol

import msgspec

from bayanihan.readers.active import RULE_TYPES

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


class Named(Protocol):
    """A value with its type, and the objects that name it."""

    @property
    def type(self) -> str:
        """As of an observable."""

    @property
    def value(self) -> str:
        """As of an observable."""

    @property
    def ids(self) -> tuple[str, ...]:
        """The objects' ids."""


class Listed:
    """Counts what is left out, and lists at most `LISTED_LIMIT` of it."""

    def __init__(self) -> None:
        self.total = 0
        self._shown: dict[str, LeftOut] = {}

    def add(self, place: str, item: Named, reason: str, mode: str = "held") -> None:
        """One value more, known by its place."""
        self.total += 1
        if len(self._shown) < LISTED_LIMIT:
            value = shown(item.type, item.value)
            self._shown[place] = LeftOut(value, item.type, reason, item.ids[0], mode)

    def drop(self, place: str) -> None:
        """One value less."""
        self.total -= 1
        self._shown.pop(place, None)

    def listed(self) -> list[LeftOut]:
        """Those that are listed, in order of place."""
        return [self._shown[place] for place in sorted(self._shown)]


def shown(type_: str, value: str) -> str:
    """A value for a list: of a rule, which may be long, its first line's beginning."""
    if type_ not in RULE_TYPES:
        return value
    first = value.strip().partition("\n")[0]
    return first if len(first) <= _SHOWN else first[: _SHOWN - 1] + "\u2026"

"""Thinning what state remembers of the past: the older it is, the fewer moments of it are kept.

Of the documents that fall into one period, the last stays. It stands for those before it,
so that a member's first time may be shown as up to one period later, never as earlier.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice

import msgspec

from bayanihan.ledger import Change, Document, State

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
# (age from which it holds, the period of which one document stays), the oldest first.
Steps = Sequence[tuple[int, int]]
APPLIED_STEPS: Steps = ((90 * DAY_US, DAY_US), (7 * DAY_US, HOUR_US))
HEADS_STEPS: Steps = ((DAY_US, HOUR_US),)
_PAGE = 1_000


class Dated(msgspec.Struct, frozen=True):
    """A document's key, the series that it belongs to, and its moment in UTC microseconds."""

    key: str
    series: str
    at_us: int


def superfluous(dated: Iterable[Dated], steps: Steps, now_us: int) -> Iterator[str]:
    """The keys of those that a later one of the same series and period stands for.

    Args:
        dated: in the order of their keys, which within a series is that of time.
        steps: from which age on how much is kept.
        now_us: the hub's clock.
    """
    before: tuple[str, tuple[str, int, int] | None] = ("", None)
    for each in dated:
        age_us = now_us - each.at_us
        period_us = next((period for least, period in steps if age_us > least), 0)
        place = (each.series, period_us, each.at_us // period_us) if period_us else None
        if place is not None and place == before[1]:
            yield before[0]
        before = (each.key, place)


def thin_applied(state: State, room: str, epoch: str, now_us: int) -> int:
    """Remove first times that need not be kept; how many.

    Args:
        state: where they lie.
        room: their room.
        epoch: the ledger's, hex. First times of another are asked for by nobody.
        now_us: the hub's clock.
    """
    here = f"/{epoch}"
    old = (
        each.key for each in _listed(state, room, "", _applied) if not each.series.endswith(here)
    )
    current = (each for each in _listed(state, room, "", _applied) if each.series.endswith(here))
    return _remove(state, room, chain(old, superfluous(current, APPLIED_STEPS, now_us)))


def thin_heads(state: State, room: str, prefix: str, now_us: int) -> int:
    """Remove signed heads that need not be kept; how many.

    Args:
        state: where they lie.
        room: their room.
        prefix: of their keys, before the minute counted from 1970.
        now_us: the hub's clock.
    """

    def dated(document: Document) -> Dated:
        minute = int(document.key.removeprefix(prefix))
        return Dated(document.key, prefix, minute * MINUTE_US)

    heads = _listed(state, room, prefix, dated)
    return _remove(state, room, superfluous(heads, HEADS_STEPS, now_us))


def _applied(document: Document) -> Dated:
    series = document.key.rpartition("/")[0]
    return Dated(document.key, series, msgspec.json.decode(document.value, type=int))


def _remove(state: State, room: str, keys: Iterable[str]) -> int:
    count, waiting = 0, iter(keys)
    while some := list(islice(waiting, _PAGE)):
        state.put([Change(room, key, None) for key in some])
        count += len(some)
    return count


def _listed(
    state: State, room: str, prefix: str, dated: Callable[[Document], Dated]
) -> Iterator[Dated]:
    after = ""
    while documents := state.list(room, prefix, after, _PAGE):
        yield from map(dated, documents)
        after = documents[-1].key

"""Protection as a page shows it: a tile for each member, in the order of their codes.

There is no rank anywhere: times are given as the region's median and range with n, and
one's own.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

WORDS = {
    "protected": "protected",
    "loaded": "loaded",
    "fetched": "fetched",
    "shadow": "watching",
    "failed": "failed",
    "stale": "silent",
    "not-yet": "not yet",
    "unknown": "unknown",
}
MEANINGS = {
    "protected": "the running engine was asked, and blocks it",
    "loaded": "the engine took the rules; it was not asked",
    "fetched": "the rules are there; no engine has them yet",
    "shadow": "the engine watches and does not block",
    "failed": "the newest rules could not be used; the last good ones stay",
    "stale": "nothing was heard for a while",
    "not-yet": "no defender has said anything of this yet",
    "unknown": "this member does not share its state",
}


class Tile(msgspec.Struct, frozen=True):
    """One member's state. `seconds` run from acceptance; None where nothing began."""

    code: str
    name: str
    state: str
    word: str
    since: str | None
    seconds: float | None
    hosted: bool


class Spread(msgspec.Struct, frozen=True):
    """Times to protection: median and range over `n` of them."""

    n: int
    median: float
    low: float
    high: float


class Shown(msgspec.Struct, frozen=True):
    """The protection board of one object for one viewer.

    `tiles` are all members, or a constituent's own, or none. `counts` pairs the word for a
    state with how many members are in it, best first. `spread` is None for who sees counts
    only, and where nobody is protected.
    """

    tiles: tuple[Tile, ...]
    counts: tuple[tuple[str, int], ...]
    protected: int
    members: int
    spread: Spread | None
    full: bool
    feeds: tuple[str, ...]


def spread_of(seconds: Iterable[float]) -> Spread | None:
    """Median and range; None of nothing."""
    times = sorted(seconds)
    if not times:
        return None
    return Spread(len(times), statistics.median(times), times[0], times[-1])


def shown_of(board: Mapping[str, Any], members: Mapping[str, tuple[str, bool]]) -> Shown:
    """A board as pages show it.

    Args:
        board: the fixed shape of `/api/protection/{id}`, made for the same viewer.
        members: code -> (name, whether the regional hub stands in for it).
    """
    full = "counts" not in board
    tiles = tuple(_tile(row, members) for row in board["members"])
    counted = _counted(tiles) if full else board["counts"]
    return Shown(
        tiles=tiles,
        counts=tuple((WORDS[state], counted[state]) for state in WORDS if counted.get(state)),
        protected=counted.get("protected", 0),
        members=sum(counted.values()),
        spread=spread_of(_times(tiles)) if full else None,
        full=full,
        feeds=tuple(board["feeds"]),
    )


def _tile(row: Mapping[str, Any], members: Mapping[str, tuple[str, bool]]) -> Tile:
    code, state = row["member"], row["state"]
    name, hosted = members.get(code, (code, False))
    return Tile(code, name, state, WORDS[state], row["since"], row["seconds"], hosted)


def _counted(tiles: Sequence[Tile]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for tile in tiles:
        counted[tile.state] = counted.get(tile.state, 0) + 1
    return counted


def _times(tiles: Iterable[Tile]) -> list[float]:
    return [
        tile.seconds for tile in tiles if tile.state == "protected" and tile.seconds is not None
    ]


class Totals(msgspec.Struct, frozen=True):
    """A page in numbers: `places` are members times entries that a feed blocks."""

    entries: int
    blocking: int
    protected: int
    places: int
    spread: Spread | None


def totals_of(entries: int, boards: Sequence[Shown]) -> Totals:
    """The totals over the boards of a page."""
    full = [board for board in boards if board.full]
    return Totals(
        entries,
        len(boards),
        sum(board.protected for board in boards),
        sum(board.members for board in boards),
        spread_of(time for board in full for time in _times(board.tiles)),
    )

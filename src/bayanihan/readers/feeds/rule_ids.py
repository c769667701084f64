"""Numbers of detection rules: from a hash, in a range per hub, the same at every making.

A rule's number follows from what it says, so that an operator who silences one silences the
same one tomorrow. Two that want the same number are told apart in the order of their names:
the later takes the next free one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

# Numbers below are those of public rule sets and of operators' own rules.
FIRST = 1 << 30
RANGES = 64
RANGE_SIZE = 1 << 24


def range_of(hub: str) -> range:
    """The numbers that a hub's rules take."""
    slot = int.from_bytes(hashlib.sha256(hub.encode()).digest()[:4], "big") % RANGES
    start = FIRST + slot * RANGE_SIZE
    return range(start, start + RANGE_SIZE)


def numbered(names: Iterable[str], hub: str) -> dict[str, int]:
    """A number for each name, each its own.

    Raises:
        ValueError: more names than a range has numbers.
    """
    ours = range_of(hub)
    wanted = sorted((_home(name), name) for name in set(names))
    if len(wanted) > RANGE_SIZE:
        raise ValueError("more rules than a hub has numbers")
    found: dict[str, int] = {}
    taken: set[int] = set()
    for home, name in wanted:
        slot = home
        while slot in taken:
            slot = (slot + 1) % RANGE_SIZE
        taken.add(slot)
        found[name] = ours[slot]
    return found


def _home(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % RANGE_SIZE

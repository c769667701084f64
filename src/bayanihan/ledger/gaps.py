"""Gaps between stamps: what two visible stamps tell nothing by.

Stamps leave the hub: TAXII shows them as `date_added`, the stream with each entry. Were the
stamps of one batch consecutive, their differences would count the hidden entries between two
visible ones. So a batch is spread over a random time that does not depend on its length, and
its entries lie unevenly within it. See ADR 6.
"""

from __future__ import annotations

from collections.abc import Callable

Random = Callable[[int], bytes]
"""Gives so many random bytes."""

# A batch ends at most so far ahead of the clock as long as the record does not hurry.
AHEAD_US = 400_000
# A batch takes at most this part of the time there is, so that those behind it find some.
_PART = 4
# The shortest spread is this part of the longest, where the batch fits into it.
_RANGE = 64
_SEED_SIZE_BYTES = 8
# Few entries take most of the time: sums of a few gaps and of many look alike.
_WEIGHTS = tuple(round(4_096 / (byte + 0.5)) for byte in range(256))


def gaps(count: int, room_us: int, random: Random) -> list[int]:
    """How far each stamp of a batch lies behind the one before it, in microseconds, 1 or more.

    Args:
        count: entries of the batch.
        room_us: how far the clock allows stamps to advance; little or negative when they are
            ahead already. Then the gaps are as small as need be, down to 1 each.
        random: see `Random`.

    The sum lies within `count` and a quarter of `room_us`, whichever is more.
    """
    longest_us = room_us // _PART
    if longest_us <= count:
        return [1] * count
    shortest_us = max(count, longest_us // _RANGE)
    share = int.from_bytes(random(_SEED_SIZE_BYTES), "big") / (1 << 8 * _SEED_SIZE_BYTES)
    spread_us = int(shortest_us * (longest_us / shortest_us) ** share)
    weights = [_WEIGHTS[byte] for byte in random(count)]
    whole, rest_us = sum(weights), spread_us - count
    return [1 + weight * rest_us // whole for weight in weights]

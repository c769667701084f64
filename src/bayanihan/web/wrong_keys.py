"""Wrong secrets: after some tries the answer is "wait" and no longer "wrong".

A secret is 256 random bits, so nobody guesses one; this ends the noise and the work of those
who try. Nobody is locked out by others: the right secret opens whatever was tried before it,
on the same key and from the same address, where a shared proxy may put many at one address.

Source: ADR 10.
"""

from __future__ import annotations

import logging
import math
from collections import OrderedDict

from bayanihan.errors import Refused, Unavailable

logger = logging.getLogger(__name__)

TRIES_OF_KEY = 20
TRIES_OF_ADDRESS = 500
# So long after each try one more is free again.
AGAIN_S = 1.0
REMEMBERED = 10_000


class WrongKeys:
    """Counts wrong secrets by (key's id, address) and by address; see `answer`."""

    def __init__(self) -> None:
        self._due_s: OrderedDict[tuple[str, str], float] = OrderedDict()
        self.refused = 0

    def __len__(self) -> int:
        return len(self._due_s)

    def answer(self, key_id: str, address: str, now_s: float, error: Refused) -> Exception:
        """What is answered to a wrong secret: `error`, or `too-many` after many of them.

        Args:
            key_id: the id it came with, "" where it had none.
            address: where it came from.
            now_s: on any clock that never jumps.
            error: why it was refused.
        """
        self.refused += 1
        # Each time it has doubled: a flood of refusals is no flood of lines.
        if self.refused >= TRIES_OF_ADDRESS and self.refused & (self.refused - 1) == 0:
            logger.warning("%d wrong keys so far, the last from %s", self.refused, address)
        wait_s = self._count(("", address), TRIES_OF_ADDRESS, now_s)
        if key_id:
            wait_s = max(wait_s, self._count((key_id, address), TRIES_OF_KEY, now_s))
        if wait_s <= 0:
            return error
        message = "Too many wrong keys came from this address; the right one still opens"
        return Unavailable("too-many", message, retry_after_s=max(1, math.ceil(wait_s)))

    def _count(self, place: tuple[str, str], tries: int, now_s: float) -> float:
        """Count a try; the seconds to wait, 0 or less for none."""
        due_s = max(self._due_s.pop(place, 0.0), now_s)
        wait_s = due_s - now_s - (tries - 1) * AGAIN_S
        self._due_s[place] = due_s if wait_s > 0 else due_s + AGAIN_S
        while len(self._due_s) > REMEMBERED:
            self._due_s.popitem(last=False)
        return wait_s

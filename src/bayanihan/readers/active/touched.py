"""Which indicators changed lately, so that whoever folds the active set further need not walk it.

Kept in memory and bounded: what is asked about a position from before the first mark is not
known, and then the whole set has to be walked.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Iterable

import msgspec

VALUES_LIMIT = 100_000


class Touch(msgspec.Struct, frozen=True, gc=False):
    """One entry that changed what an object names to an audience.

    `values` are all (type, value) that any version of the object named before or names now,
    to whomever.
    """

    position: int
    audience: int
    exercise: bool
    object_id: str
    values: tuple[tuple[str, str], ...]


class Touched:
    """The latest touches, in order of position. Safe to call from several threads.

    Args:
        position: of the last entry that was folded before the first mark.
    """

    def __init__(self, position: int) -> None:
        self._lock = threading.Lock()
        self._touches: deque[Touch] = deque()
        self._known_after = position
        self._values = 0

    def note(self, touches: Iterable[Touch]) -> None:
        """Add touches; to be called before the commit of what they tell of.

        So whoever sees the commit finds them here; a commit that then fails costs no more
        than a look that was not needed.
        """
        with self._lock:
            for touch in touches:
                self._touches.append(touch)
                self._values += 1 + len(touch.values)
            while self._values > VALUES_LIMIT:
                old = self._touches.popleft()
                self._known_after = old.position
                self._values -= 1 + len(old.values)

    def since(
        self, position: int, audiences: Collection[int], *, exercise: bool
    ) -> list[Touch] | None:
        """The touches after a position that these audiences were told; None: not known."""
        with self._lock:
            if position < self._known_after:
                return None
            found = []
            for touch in reversed(self._touches):
                if touch.position <= position:
                    break
                if touch.exercise == exercise and touch.audience in audiences:
                    found.append(touch)
        return found[::-1]

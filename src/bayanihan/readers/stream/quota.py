"""How many streams may be open: in all, without a key, and with one key."""

from __future__ import annotations

import logging
from collections import Counter

from bayanihan.errors import Unavailable

logger = logging.getLogger(__name__)

SUBSCRIBER_LIMIT = 20_000


def subscriber_limit(open_files: int) -> int:
    """How many streams a process that may open so many files may serve.

    A quarter is for everything else: other requests, the record, the feeds.
    """
    return max(1, min(SUBSCRIBER_LIMIT, open_files * 3 // 4))


class Quota:
    """Counts open streams by key.

    Readers without a key hold half of all at the most and one key three quarters, so that
    neither shuts out the others.

    Args:
        limit: of all streams.
    """

    def __init__(self, limit: int = SUBSCRIBER_LIMIT) -> None:
        self._limit = limit
        self._open: Counter[str] = Counter()
        self.refused = 0

    @property
    def count(self) -> int:
        """How many streams are open."""
        return self._open.total()

    def take(self, key: str) -> None:
        """Count a stream of a key, "" for nobody's. Raises `Unavailable("overloaded")`."""
        share = max(1, self._limit * 3 // 4 if key else self._limit // 2)
        if self._open[key] >= share or self.count >= self._limit:
            self.refused += 1
            # Each time it has doubled: a flood of refusals is no flood of lines.
            if self.refused & (self.refused - 1) == 0:
                whose = f"the key {key}" if key else "readers without a key"
                logger.warning("%d streams refused, the last to %s", self.refused, whose)
            whose = "with this key" if key else "without a key"
            told = f"Too many streams are open {whose if self.count < self._limit else 'in all'}"
            raise Unavailable("overloaded", told, retry_after_s=30)
        self._open[key] += 1

    def give_back(self, key: str) -> None:
        """Count a stream as ended."""
        self._open[key] -= 1
        if not self._open[key]:
            del self._open[key]

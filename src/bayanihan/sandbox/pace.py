"""How far ahead a tool is written to: as far as it is quick, and never at the cost of timing it.

Asked one by one, harness and tool wake each other for every item. On a machine whose cores sleep
in between, that costs more than the item of a quick tool. A slow tool loses nothing by it, so it
is asked one by one, and every item of it is timed.
"""

from __future__ import annotations

from collections import deque

# The first items of each worker are asked one by one, and of each batch after them so many.
FIRST_ALONE, ALONE = 1024, 16
# At most so many items are on their way, and no more than are answered in this time.
MOST_AHEAD, AHEAD_S = 64, 0.005
_RECENT = 64


class Pace:
    """What is known of a tool's pace. A tool is taken for slow until it has shown otherwise."""

    def __init__(self) -> None:
        self._timed = 0
        self._recent: deque[float] = deque(maxlen=_RECENT)

    def answered_alone(self, took_s: float) -> None:
        """An item was asked alone and answered."""
        self._timed += 1
        self._recent.append(took_s)

    def answered(self, took_s: float) -> None:
        """An item that was on its way was answered, so long after its turn came."""
        self._recent.append(took_s)

    def failed(self) -> None:
        """An item had no answer: the next ones are asked one by one again."""
        self._recent.clear()

    @property
    def ahead(self) -> int:
        """How many items may be on their way; 1 for a tool that is asked one by one."""
        if self._timed < FIRST_ALONE or len(self._recent) < _RECENT:
            return 1
        # The mean and not the median: a tool that is quick only now and then is slow.
        mean_s = sum(self._recent) / len(self._recent)
        return max(1, min(MOST_AHEAD, int(AHEAD_S / max(mean_s, 1e-9))))

    def alone(self, batch: int) -> int:
        """How many items of a batch are asked one by one, before the rest."""
        return batch if self.ahead == 1 else ALONE

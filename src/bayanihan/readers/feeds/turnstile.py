"""Lets so many through within a time: of each who comes, and of all together."""

from __future__ import annotations

from collections import OrderedDict, deque

from bayanihan.errors import Unavailable

_KNOWN = 10_000


class Turnstile:
    """Counts who comes, in memory and bounded. Not safe for two threads.

    Args:
        what: those that are counted, for the message.
        each: how many of one, within how many microseconds.
        together: how many of all.
    """

    def __init__(self, what: str, *, each: tuple[int, int], together: tuple[int, int]) -> None:
        self._what = what
        self._each = each
        self._together = together
        self._by_name: OrderedDict[str, deque[int]] = OrderedDict()
        self._all: deque[int] = deque()

    def enter(self, name: str, now_us: int) -> None:
        """Count one. Raises `Unavailable("overloaded")` when there were too many."""
        own = self._by_name.setdefault(name, deque())
        self._by_name.move_to_end(name)
        while len(self._by_name) > _KNOWN:
            self._by_name.popitem(last=False)
        for times, (limit, span_us) in ((own, self._each), (self._all, self._together)):
            while times and times[0] <= now_us - span_us:
                times.popleft()
            if len(times) >= limit:
                wait_s = (times[0] + span_us - now_us) // 1_000_000 + 1
                message = f"Too many {self._what} came at once; this one was not taken"
                raise Unavailable("overloaded", message, retry_after_s=wait_s)
        own.append(now_us)
        self._all.append(now_us)

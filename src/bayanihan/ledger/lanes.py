"""Whose turn it is: what waits for the writer, a lane for each origin, taken from in turn.

With one queue for all, a lone report waits behind everything that one member's flood put
before it. Here it waits for the batch in hand at the most: each lane gives one piece of work
before any gives a second.

Source: J. Nagle, On Packet Switches With Infinite Storage, RFC 970 (a queue for each source).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar


class Waiting(Protocol):
    """What can wait: it knows its lane and what it weighs."""

    @property
    def lane(self) -> str:
        """Whose work it is."""
        ...

    @property
    def rows(self) -> int:
        """How many rows it will write, at least 1."""
        ...

    @property
    def size_bytes(self) -> int:
        """What it holds in memory."""
        ...


Work = TypeVar("Work", bound=Waiting)


class Lanes(Generic[Work]):
    """Work in its lanes. Belongs to one thread.

    Args:
        lets: whether a lane's next piece may be taken now; one that may not keeps its turn,
            and what is behind it in its lane waits with it.
    """

    def __init__(self, lets: Callable[[Work], bool] = lambda work: True) -> None:
        self._lets = lets
        self._lanes: dict[str, deque[Work]] = {}
        self._turns: deque[str] = deque()

    def __bool__(self) -> bool:
        return bool(self._turns)

    def add(self, work: Work) -> None:
        """Put work behind what its lane holds already."""
        lane = self._lanes.get(work.lane)
        if lane is None:
            lane = self._lanes[work.lane] = deque()
            self._turns.append(work.lane)
        lane.append(work)

    def batch(self, limit: int, limit_bytes: int) -> list[Work]:
        """The next work to do together, one piece of each lane in turn, in order within it.

        Empty when nothing waits, and when nothing that waits may be taken now.

        Args:
            limit: rows from which on nothing is added.
            limit_bytes: bytes from which on nothing is added.
        """
        taken: list[Work] = []
        held: list[str] = []
        rows = size_bytes = 0
        while self._turns and rows < limit and size_bytes < limit_bytes:
            name = self._turns.popleft()
            lane = self._lanes[name]
            if not self._lets(lane[0]):
                held.append(name)
                continue
            work = lane.popleft()
            if lane:
                self._turns.append(name)
            else:
                del self._lanes[name]
            taken.append(work)
            rows += work.rows
            size_bytes += work.size_bytes
        self._turns.extendleft(reversed(held))
        return taken

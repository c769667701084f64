"""How much of one origin is worked on at once; what is more waits for its turn.

The event loop checks submissions in slices, a slice of each in turn. Without a bound, a
member who sends many large ones at once would take nearly all of the turns.
"""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType
from typing import Self

AT_ONCE_LIMIT = 2_000


class Turns:
    """Lets submissions in, by what they weigh, each origin's in the order of their coming.

    Belongs to one event loop.

    Args:
        limit: what one origin may have in work; a submission of more has it all to itself.
    """

    def __init__(self, limit: int = AT_ONCE_LIMIT) -> None:
        self._limit = limit
        self._working: dict[str, int] = {}
        self._waiting: dict[str, deque[tuple[int, asyncio.Future[None]]]] = {}

    def turn(self, origin: str, weight: int) -> Turn:
        """A turn of an origin; use it as an asynchronous context manager around the work."""
        return Turn(self, origin, min(weight, self._limit))

    def working(self, origin: str) -> int:
        """What an origin has in work."""
        return self._working.get(origin, 0)

    def waiting(self, origin: str) -> int:
        """How many submissions of an origin wait."""
        return len(self._waiting.get(origin, ()))

    def enter(self, origin: str, weight: int) -> asyncio.Future[None] | None:
        """Begin at once, or a future that is done when its turn has come."""
        working = self._working.get(origin, 0)
        if origin not in self._waiting and working + weight <= self._limit:
            self._working[origin] = working + weight
            return None
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(origin, deque()).append((weight, future))
        return future

    def leave(self, origin: str, weight: int) -> None:
        """End a turn that had begun, and let in who waits."""
        working = self._working[origin] - weight
        line = self._waiting.get(origin)
        while line and (line[0][1].cancelled() or working + line[0][0] <= self._limit):
            next_weight, future = line.popleft()
            if not future.cancelled():
                working += next_weight
                future.set_result(None)
        if line is not None and not line:
            del self._waiting[origin]
        if working:
            self._working[origin] = working
        else:
            del self._working[origin]


class Turn:
    """One submission's turn. See `Turns.turn`."""

    __slots__ = ("_origin", "_turns", "_weight")

    def __init__(self, turns: Turns, origin: str, weight: int) -> None:
        self._turns, self._origin, self._weight = turns, origin, weight

    async def __aenter__(self) -> Self:
        future = self._turns.enter(self._origin, self._weight)
        if future is not None:
            try:
                await future
            except asyncio.CancelledError:
                if future.done() and not future.cancelled():  # its turn came as it left
                    self._turns.leave(self._origin, self._weight)
                raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._turns.leave(self._origin, self._weight)

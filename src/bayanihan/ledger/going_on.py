"""Whoever was shown a version is never shown one before it, whichever node they ask.

A version's cursor and its entity tag say how far the record was folded for it. A node that
is not there yet waits, and else refuses: a defence keeps the file that it has.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from bayanihan.core.cursor import TOKEN_SIZE
from bayanihan.errors import Refused, Unavailable

REACHED_WITHIN_S = 5.0
_LOOK_EVERY_S = 0.01
# Each is decrypted; a defence shows one, or the few that it keeps.
_TAGS_LIMIT = 16


class GoingOn:
    """How far an asker has seen, and whether this node has come as far.

    Args:
        position_of: opens a cursor, as `Cursors.open`.
        folded: how far this node's feeds hold the record.
    """

    def __init__(self, position_of: Callable[[str], int], folded: Callable[[], int]) -> None:
        self._position_of = position_of
        self._folded = folded

    def shown(self, condition: str, since: str) -> int:
        """The furthest position among the tags of an `If-None-Match` and a cursor; 0 for none.

        What is not of this hub's present history says nothing.
        """
        shown = condition.split(",", _TAGS_LIMIT)[:_TAGS_LIMIT]
        tags = [tag.strip().removeprefix("W/").strip('"') for tag in shown]
        return max(self._position(token[:TOKEN_SIZE]) for token in (since, *tags))

    async def reach(self, position: int) -> None:
        """Wait until this node has come as far as a position.

        Raises:
            Unavailable: `starting` where that takes long.
        """
        until_s = time.monotonic() + REACHED_WITHIN_S
        while self._folded() < position:
            if time.monotonic() > until_s:
                message = "This node does not hold yet what you were shown"
                step = "Keep the file that you have, and ask again."
                raise Unavailable("starting", message, next_step=step, retry_after_s=5)
            await asyncio.sleep(_LOOK_EVERY_S)

    def _position(self, token: str) -> int:
        try:
            return self._position_of(token)
        except Refused:
            return 0

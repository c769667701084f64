"""How fast bulk is written while what is folded from the record stands far behind.

A report that is stored but in no feed yet protects nobody. Folding takes the record in
order, so behind one member's flood every other member's report would take effect only once
the flood is folded: at full speed each minute of it would be minutes of delay for all. So
the record is never let far ahead: from `BEHIND_LIMIT` on a lane writes a few rows each
second, and whatever is more only as others are folded.

Source: M. Welsh and D. Culler, Adaptive Overload Control for Busy Internet Servers, 2003
(hold back at the entrance what a later stage cannot keep up with).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

from bayanihan.ledger.clock import Clock, steady_us
from bayanihan.ledger.lanes import Waiting

logger = logging.getLogger(__name__)

# What a small machine folds in about a quarter of a minute.
BEHIND_LIMIT = 100_000
# What each lane may write in a second whatever is behind: reports, and no bulk.
LONE_ROWS = 100
# So many rows must be folded for one of bulk: what is behind shrinks.
_FOLDED_FOR_ONE = 2
_CREDIT_LIMIT = 5_000
_SECOND_US = 1_000_000
# Folding that stands still may need a person; the record goes on meanwhile.
STANDS_STILL_US = 5 * _SECOND_US


class Brake:
    """Decides what may be written now. Belongs to the writer's thread.

    Args:
        clock_us: a clock that never jumps, in microseconds.
        behind_limit: positions that folding may stand behind before bulk is held.
    """

    def __init__(self, clock_us: Clock = steady_us, behind_limit: int = BEHIND_LIMIT) -> None:
        self.holds = False
        self.folded: Callable[[], int | None] = lambda: None
        """Up to which position all is folded; None while nothing folds."""
        self._clock_us = clock_us
        self._behind_limit = behind_limit
        self._seen = 0
        self._moved_us = 0
        self._credit = 0
        self._second = 0
        self._written: Counter[str] = Counter()

    def look(self, length: int) -> None:
        """See how far behind the record folding stands; before each batch.

        Args:
            length: the last committed position.
        """
        folded, now_us = self.folded(), self._clock_us()
        holds = folded is not None and length - folded > self._behind_limit
        if folded is None or not holds:
            self._turn(holds=False, behind=0)
            return
        if not self.holds:
            self._seen, self._moved_us, self._credit = folded, now_us, 0
        elif folded > self._seen:
            credit = self._credit + (folded - self._seen) // _FOLDED_FOR_ONE
            self._seen, self._moved_us = folded, now_us
            self._credit = min(credit, _CREDIT_LIMIT)
        elif now_us - self._moved_us > STANDS_STILL_US:
            self._credit = _CREDIT_LIMIT
        if now_us // _SECOND_US != self._second:
            self._second = now_us // _SECOND_US
            self._written.clear()
        self._turn(holds=True, behind=length - folded)

    def lets(self, work: Waiting) -> bool:
        """Whether a piece of work may be written now; if so it counts as written."""
        if not self.holds or not work.lane:
            return True
        written = self._written[work.lane] + work.rows
        if written <= LONE_ROWS:
            self._written[work.lane] = written
            return True
        if self._credit <= 0:
            return False
        self._credit -= work.rows
        return True

    def _turn(self, *, holds: bool, behind: int) -> None:
        if holds and not self.holds:
            logger.warning("feeds and collections are %d entries behind: bulk is held", behind)
        elif self.holds and not holds:
            logger.info("feeds and collections have caught up: bulk is let go")
        self.holds = holds

"""Keeps projections up with the ledger, on a thread of its own and in bounded slices.

Under a flood the writer and the event loop come first: after each slice the thread rests
in proportion to the time it took, so that folding never takes more than its share of the
machine: a quarter, and half of it once it is far behind. A lone report is folded at once,
but for the moment in which it is answered.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Iterable, Sequence

from bayanihan.errors import Unavailable
from bayanihan.ledger.door import Ledger
from bayanihan.ledger.projection import Projection

logger = logging.getLogger(__name__)

_SLICE = 256
# Far behind, larger ones: a fifth less of the processor for each entry.
_FAR_SLICE = 1_024
# While the ledger grows, rest so many times as long as the slice took ...
_REST_FACTOR = 3.0
# ... or, so far behind, this: a flood that does not end must not starve the feeds.
_FAR_BEHIND = 50_000
_FAR_REST_FACTOR = 1.0
# Entries that come one by one are folded together: a transaction for a few of them costs
# the machine as much as accepting them did.
_REST_AT_LEAST_S = 0.1
_WAIT_S = 1.0
# Whoever reported is answered and the streams are written to meanwhile: they are waited for.
_LET_PASS_S = 0.01


def rest_s(took_s: float, lags: Iterable[int]) -> float:
    """How long to rest after a slice while the ledger grows, in s.

    Args:
        took_s: how long the slice took.
        lags: how many positions each projection stands behind. The one furthest behind
            decides: those that are level take their turns in the same round, and each
            moment that they rest is a moment in which the others fall back.
    """
    if max(lags) > _FAR_BEHIND:
        return took_s * _FAR_REST_FACTOR
    return max(took_s * _REST_FACTOR, _REST_AT_LEAST_S)


class Folding:
    """Folds projections as the ledger grows.

    Args:
        ledger: where entries come from.
        projections: folded in the order given.
    """

    def __init__(self, ledger: Ledger, projections: Sequence[Projection]) -> None:
        self._ledger = ledger
        self.projections = projections
        self._stopping = threading.Event()
        self.failed: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="folding", daemon=True)

    def start(self) -> None:
        """Begin to fold."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the slice in hand."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def lag(self, projection: Projection) -> int:
        """How many positions a projection stands behind the ledger."""
        return max(0, self._ledger.length - projection.position)

    def reached(self) -> int | None:
        """Up to which position every projection holds the record; None once folding ended."""
        return None if self.failed else min(each.position for each in self.projections)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                if not self._tried():
                    self._ledger.wait(min(p.position for p in self.projections), _WAIT_S)
                    self._stopping.wait(_LET_PASS_S)
        except Exception as error:
            logger.critical("a projection cannot be folded: %s", error, exc_info=error)
            self.failed = error

    def _tried(self) -> bool:
        """A slice of each; a disk or a database that is away is waited for, not given up on."""
        try:
            return self._slice()
        except (sqlite3.OperationalError, OSError, Unavailable) as error:
            logger.warning("a projection could not be folded and is tried again: %s", error)
            return not self._stopping.wait(_WAIT_S)

    def _slice(self) -> bool:
        """Fold one slice of each projection; whether any is still behind."""
        behind = False
        for projection in self.projections:
            length = self._ledger.length
            began_s = time.monotonic()
            limit = _FAR_SLICE if self.lag(projection) > _FAR_BEHIND else _SLICE
            behind |= projection.catch_up(self._ledger.scan, length, limit)
            if self._ledger.length > length:
                took_s = time.monotonic() - began_s
                self._stopping.wait(rest_s(took_s, map(self.lag, self.projections)))
        return behind

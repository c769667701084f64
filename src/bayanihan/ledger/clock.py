"""The writer's clock: when the wall clock may be believed, and when it may not."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from bayanihan.errors import Broken, Unavailable

logger = logging.getLogger(__name__)

Clock = Callable[[], int]

AHEAD_LIMIT_US = 1_000_000
JUMP_LIMIT_US = 60_000_000


def wall_us() -> int:
    """UTC now in microseconds."""
    return time.time_ns() // 1000


def steady_us() -> int:
    """A clock that nobody sets and that counts through a machine's sleep."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime_ns(clock) // 1000


class WriterClock:
    """Reads the wall clock and holds it against a steady one.

    Args:
        now_us: UTC wall clock in microseconds.
        steady_us: a clock that nobody sets, in microseconds.
    """

    def __init__(self, now_us: Clock, steady_us: Clock) -> None:
        self._now_us = now_us
        self._steady_us = steady_us
        self._offset_us = now_us() - steady_us()
        self._jumped = ""

    @property
    def alarm(self) -> Broken | None:
        """Why no stamp is given any more; None while the clock may be believed."""
        return Broken("clock-jumped", self._jumped) if self._jumped else None

    def now(self, needed_us: int) -> int:
        """The wall clock, where stamps up to `needed_us` are about to be given.

        Raises:
            Broken: `clock-jumped` when the wall clock moved by over a minute against the
                steady one, and ever after, until the ledger is opened again.
            Unavailable: `clock-behind` when `needed_us` lies over a second ahead.
        """
        if alarm := self.alarm:
            raise alarm
        now_us = self._now_us()
        offset_us = now_us - self._steady_us()
        jump_us = offset_us - self._offset_us
        if abs(jump_us) > JUMP_LIMIT_US:
            self._jumped = f"The clock jumped by {jump_us / 1e6:.0f} s"
            logger.critical("%s: nothing more is appended", self._jumped)
            raise Broken("clock-jumped", self._jumped)
        self._offset_us = offset_us
        if needed_us > now_us + AHEAD_LIMIT_US:
            wait_s = -((now_us - needed_us) // 1_000_000)
            raise Unavailable(
                "clock-behind", f"The clock is {wait_s} s behind the record", retry_after_s=wait_s
            )
        return now_us

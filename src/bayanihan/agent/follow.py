"""The loop of an agent: turn after turn, slower while there is trouble."""

from __future__ import annotations

from collections.abc import Callable

from bayanihan.agent.turn import Follower
from bayanihan.errors import BayanihanError, Unavailable

BACK_OFF_LIMIT_S = 300.0


def pause_s(failures: int, every_s: float, jitter: float, asked_s: int | None = None) -> float:
    """How long to wait until the next turn.

    Args:
        failures: turns that failed in a row.
        every_s: the pace when all is well.
        jitter: a random number in [0, 1), so that agents do not all come at once.
        asked_s: how long the hub asked to be left alone.
    """
    if not failures:
        return every_s * (0.9 + 0.2 * jitter)
    backed_off = min(BACK_OFF_LIMIT_S, every_s * 2.0 ** min(failures, 16))
    return max(backed_off * (0.5 + 0.5 * jitter), float(asked_s or 0))


def follow(
    follower: Follower,
    *,
    every_s: float,
    wake: Callable[[float], object],
    jitter: Callable[[], float],
    say: Callable[[str], object],
) -> None:
    """Take turns for ever, saying each change and each new trouble once.

    Args:
        follower: the feed and its place.
        every_s: the pace.
        wake: waits so many seconds, or less when there is news.
        jitter: a random number in [0, 1).
        say: prints a line.
    """
    failures, last = 0, ""
    while True:
        trouble: BayanihanError | None
        try:
            outcome = follower.turn()
            lines, trouble = [outcome.line], outcome.trouble
        except BayanihanError as error:
            kept = ["Nothing was changed: what is in place stays."]
            lines, trouble = kept if isinstance(error, Unavailable) else [], error
        failures = failures + 1 if trouble else 0
        if trouble:
            lines.append(f"{trouble.message} [{trouble.code}] {trouble.next_step}")
        text = "\n".join(lines)
        if text != last:
            say(text)
        last = text
        wake(pause_s(failures, every_s, jitter(), trouble.retry_after_s if trouble else None))
